//! What a run costs through the runner, against plain `std::process`, in a process as large as a busy server.
//!
//! Rounds are interleaved but for the last row's, so that what else the machine does falls on all alike. All of it is on
//! one thread with an event loop, whose longest stall is told too: while a run is made nobody else should wait. A loop
//! that has something to do may also wait for a processor, which a row that runs nothing shows, so its own longest
//! computing is told as well.

use std::cell::Cell;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use hdrhistogram::Histogram;
use orrery_exec::{Bounds, Command, Ending, Exit, Layer, NetPolicy, Profile, Runner as _, Wanted};
use orrery_exec_unix::{RUNNER, Setup, Unix};
use tokio::time::Instant;

/// What is run.
const PROGRAM: &str = "/bin/true";

/// Measures the cost of runs.
#[derive(Parser)]
struct Options {
    /// Memory that is in use meanwhile, MiB.
    #[arg(long, default_value_t = 512)]
    mib: usize,
    /// Rounds; in each, one run of each kind.
    #[arg(long, default_value_t = 200)]
    rounds: u32,
}

/// A way to run the program.
struct Way {
    name: &'static str,
    how: How,
    took: Histogram<u64>,
    stalls: Histogram<u64>,
    busy: Histogram<u64>,
}

enum How {
    /// Nothing is run, for as long as a run takes.
    Nothing,
    Std,
    Runner(Box<Unix>, Profile, NetPolicy),
}

impl Way {
    fn new(name: &'static str, how: How) -> Result<Self> {
        Ok(Self { name, how, took: Histogram::new(3)?, stalls: Histogram::new(3)?, busy: Histogram::new(3)? })
    }
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(RUNNER) {
        return orrery_exec_unix::child();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.context("no runtime").and_then(|runtime| {
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, measure(Options::parse()))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How late the event loop was at most, and how long it computed at most.
#[derive(Default)]
struct Worst {
    late: Cell<Duration>,
    busy: Cell<Duration>,
}

/// Computing time of this thread so far.
fn computed() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Notes how late the event loop is, again and again.
async fn watch(worst: Rc<Worst>) {
    const TICK: Duration = Duration::from_millis(1);
    loop {
        let (before, busy) = (Instant::now(), computed());
        tokio::time::sleep(TICK).await;
        // the timer's own granularity is no stall
        let late = before.elapsed().saturating_sub(2 * TICK);
        worst.late.set(worst.late.get().max(late));
        worst.busy.set(worst.busy.get().max(computed().saturating_sub(busy)));
    }
}

async fn measure(options: Options) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().canonicalize()?;
    let setup = || Setup { program: PathBuf::from("/proc/self/exe"), ..Setup::default() };
    let unix = |without: &[Layer]| Box::new(Unix::new(Setup { without: without.to_vec(), ..setup() }));
    let namespaces = [Layer::UserNamespace, Layer::MountNamespace, Layer::PidNamespace, Layer::NetNamespace];
    let closing = Box::new(Unix::new(Setup { closed: vec![8_080, 8_081], ..setup() }));
    let runner = |unix, profile| How::Runner(unix, profile, NetPolicy::Loopback);
    let mut ways = vec![
        Way::new("std::process, no sandbox", How::Std)?,
        Way::new("nothing", How::Nothing)?,
        Way::new("runner, no sandbox", runner(unix(&[]), Profile::Off))?,
        Way::new("runner, Landlock and seccomp", runner(unix(&namespaces), Profile::Standard))?,
        Way::new("runner, commands' sandbox", runner(unix(&[]), Profile::Standard))?,
        Way::new("runner, programs' sandbox", runner(unix(&[]), Profile::Strict))?,
        Way::new("commands', machine's network", How::Runner(unix(&[]), Profile::Standard, NetPolicy::All))?,
        Way::new("commands', that without two ports", How::Runner(closing, Profile::Standard, NetPolicy::All))?,
    ];
    // touched, or it would be no memory
    let ballast: Vec<u8> = (0..options.mib * 1_048_576).map(|n| u8::try_from(n % 251).unwrap_or_default()).collect();
    let worst = Rc::new(Worst::default());
    let watching = tokio::task::spawn_local(watch(worst.clone()));
    // the last leaves the kernel with much to free, which would fall on the next
    let last = ways.len() - 1;
    let (interleaved, apart) = ways.split_at_mut(last);
    for ways in [interleaved, apart] {
        for round in 0..=options.rounds {
            for way in &mut *ways {
                worst.late.set(Duration::ZERO);
                worst.busy.set(Duration::ZERO);
                let took = once(&way.how, &workspace).await.with_context(|| way.name)?;
                // lets the watch notice
                tokio::time::sleep(Duration::from_millis(2)).await;
                // the first finds out what the machine has
                if round > 0 {
                    way.took.record(u64::try_from(took.as_micros())?)?;
                    way.stalls.record(u64::try_from(worst.late.get().as_micros())?)?;
                    way.busy.record(u64::try_from(worst.busy.get().as_micros())?)?;
                }
            }
        }
    }
    watching.abort();
    ensure!(ballast.iter().step_by(4_096).any(|b| *b > 0), "the ballast was never there");
    report(&ways, options.mib);
    Ok(())
}

/// Runs the program to its end.
async fn once(how: &How, workspace: &std::path::Path) -> Result<Duration> {
    let began = Instant::now();
    match how {
        How::Nothing => tokio::time::sleep(Duration::from_millis(3)).await,
        How::Std => {
            let status = tokio::process::Command::new(PROGRAM).status().await?;
            ensure!(status.success(), "{status}");
        }
        How::Runner(unix, profile, net) => {
            let limits = Bounds::default().limits(Wanted::default()).context("no limits")?;
            let command = Command::program(PROGRAM, &[], workspace);
            let command = Command { profile: *profile, net: *net, ..command };
            let finished = unix.run(command, limits, None).await?;
            ensure!(finished.ending == Ending::Exited(Exit::Code(0)), "{finished:?}");
        }
    }
    Ok(began.elapsed())
}

fn report(ways: &[Way], mib: usize) {
    println!(
        "{PROGRAM}, {mib} MiB in use{:>37}{:>10}{:>10}{:>16}{:>15}",
        "p50 ms", "p99 ms", "ratio", "worst stall ms", "own part ms"
    );
    let ms = |us: u64| us as f64 / 1_000.0;
    let plain = ways.first().map_or(1, |way| way.took.value_at_quantile(0.5)).max(1);
    for way in ways {
        let (p50, p99) = (way.took.value_at_quantile(0.5), way.took.value_at_quantile(0.99));
        let ratio = p50 as f64 / plain as f64;
        let (stall, busy) = (ms(way.stalls.max()), ms(way.busy.max()));
        println!("{:<50}{:>14.2}{:>10.2}{:>10.2}{stall:>16.2}{busy:>15.2}", way.name, ms(p50), ms(p99), ratio);
    }
}
