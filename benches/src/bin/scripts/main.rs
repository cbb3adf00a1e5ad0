//! What a script costs: from nothing to its first line of log, asleep, calling its host, computing indicators; what a
//! server with thousands of them does; and what other runtimes cost.
//!
//! `cargo build --release -p benches -p orrery-gateway && target/release/scripts all --peers benches/peers`. Figures
//! are of this machine in this hour: compare within one run only.

mod fleet;
mod peers;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use clap::{Parser, Subcommand};
use orrery_script::{Engine, NoModules};
use orrery_workers::Stop;
use orrery_workers::script::{
    End, Host, HostError, Isolation, Level, Limits, Program, Run, ScriptRuntime, Setting, Source,
};
use tokio::sync::Notify;

/// As long as the example of the document.
const GRID: &str = "
const exchange = new Stels.runtime.cex.bybit({ apiKey: 'k', secret: 's' });
const levels = new Map();
logger.info(`Node: ${Stels.config.nid}`);
for (let i = 0; i < 10; i++) levels.set(i, { price: 60000 + i * 100, side: i < 5 ? 'buy' : 'sell', id: `o-${i}` });
await Stels.sleep(86400000);
logger.info(levels.size, exchange.id);
";
/// Between two starts that are measured by themselves.
const REST: Duration = Duration::from_millis(2);
const LIGHT: &str = "logger.info('on'); await Stels.sleep(86400000)";

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
    /// Threads of the runtime.
    #[arg(long, default_value_t = 2, global = true)]
    threads: usize,
}

#[derive(Subcommand)]
enum What {
    /// Everything.
    All {
        /// Folder of the peers, after `npm install`; without it they are left out.
        #[arg(long)]
        peers: Option<PathBuf>,
    },
    /// A whole server with workers that one node leads, all of them asleep.
    Fleet {
        #[arg(long, default_value_t = 10_000)]
        workers: u32,
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
    /// Other runtimes.
    Peers {
        /// Their folder, after `npm install`.
        folder: PathBuf,
    },
    /// One after the other: from nothing to the first line of log.
    Start {
        #[arg(long, default_value_t = 2_000)]
        runs: usize,
    },
    /// Many asleep: memory of each, and how long it took to start them. One process a measurement, as memory that was
    /// given back is used again.
    Idle {
        #[arg(long, default_value_t = 1_000)]
        workers: usize,
        /// As long as the example of the document, or next to nothing?
        #[arg(long)]
        grid: bool,
    },
    /// Calls of the host: one after the other, and a hundred at once.
    Calls {
        #[arg(long, default_value_t = 100_000)]
        calls: usize,
    },
    /// Indicators over 100,000 candles, by the runtime's own and in the script.
    Ta,
}

struct Zeros;

impl orrery_kernel::Entropy for Zeros {
    fn fill(&self, out: &mut [u8]) {
        out.fill(0);
    }
}

/// Answers at once, and tells when something was logged.
#[derive(Default)]
struct Quick {
    lines: AtomicUsize,
    line: Notify,
    last: std::sync::Mutex<String>,
}

#[async_trait]
impl Host for Quick {
    async fn call(&self, _: &str, _: &str) -> Result<String, HostError> {
        Ok("{\"last\":60000}".to_owned())
    }

    fn log(&self, _: Level, text: &str) {
        self.lines.fetch_add(1, Ordering::SeqCst);
        if let Ok(mut last) = self.last.lock() {
            text.clone_into(&mut last);
        }
        self.line.notify_one();
    }
}

fn prepare(engine: &Engine, text: &str) -> Result<Program> {
    Ok(engine.prepare(&Source { text, dependencies: &["gliesereum".to_owned()], version: "1.19.2" })?)
}

fn order(program: &Program, host: &Arc<Quick>, stop: &Stop) -> Run {
    let limits = Limits { slice: Duration::from_secs(60), per_minute: Duration::from_secs(60), ..Limits::default() };
    Run {
        program: program.clone(),
        host: host.clone(),
        setting: Setting { nid: "s-0001".into(), network: "testnet".into(), ..Setting::default() },
        limits,
        stop: stop.clone(),
        isolation: Isolation::Shared,
    }
}

/// From nothing to the first line of log, one worker after the other: with a rest between them, in which the runtime
/// makes its next engine ahead, and without one, where it makes each when it is asked for.
async fn start(engine: &Arc<Engine>, runs: usize) -> Result<()> {
    start_each(engine, runs, Some(REST), "Orrery worker").await?;
    start_each(engine, runs, None, "back to back").await
}

async fn start_each(engine: &Arc<Engine>, runs: usize, rest: Option<Duration>, name: &str) -> Result<()> {
    let program = prepare(engine, LIGHT)?;
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        if let Some(rest) = rest {
            tokio::time::sleep(rest).await;
        }
        let (host, stop) = (Arc::new(Quick::default()), Stop::new());
        let began = now();
        let run = engine.run(order(&program, &host, &stop));
        tokio::pin!(run);
        tokio::select! {
            outcome = &mut run => bail!("ended before it began: {outcome:?}"),
            () = host.line.notified() => {}
        }
        times.push(began.elapsed().as_secs_f64() * 1e3);
        stop.now();
        run.await;
    }
    line(name, times, None)
}

/// Prints how long starts took, in milliseconds, and kB of each of many.
fn line(name: &str, mut times: Vec<f64>, kilobytes: Option<f64>) -> Result<()> {
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times.get((times.len().saturating_sub(1)) * part / 100).copied().context("no times");
    print!("{name:<24} to the first line: p50 {:.3} ms, p99 {:.3} ms, least {:.3} ms", at(50)?, at(99)?, at(0)?);
    match kilobytes {
        Some(kilobytes) => println!("; {kilobytes:.0} kB each"),
        None => println!(),
    }
    Ok(())
}

/// Resident memory of this process, bytes.
fn resident() -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kilobytes: usize = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kilobytes * 1_024)
}

async fn idle(engine: &Arc<Engine>, workers: usize, name: &str, script: &str) -> Result<()> {
    let program = prepare(engine, script)?;
    let (host, stop) = (Arc::new(Quick::default()), Stop::new());
    let (before, busy) = (resident()?, cpu());
    let began = now();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..workers {
        let (engine, run) = (engine.clone(), order(&program, &host, &stop));
        running.spawn(async move { engine.run(run).await });
    }
    while host.lines.load(Ordering::SeqCst) < workers {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (started, computed) = (began.elapsed(), cpu() - busy);
    let each = resident()?.saturating_sub(before) as f64 / 1_024.0 / workers as f64;
    let busy = cpu();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = (cpu() - busy) * 50.0;
    let began = now();
    stop.now();
    while running.join_next().await.is_some() {}
    println!(
        "idle {name}: {workers} workers, {each:.1} kB each, {idle:.2} % of a core; all on after {:.0} ms ({:.0} ms of \
         computing), off after {:.0} ms",
        started.as_secs_f64() * 1e3,
        computed * 1e3,
        began.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}

/// Processor time of this process, seconds.
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// Runs a script to its end and tells how long that took.
async fn timed(engine: &Engine, script: &str) -> Result<(Duration, String)> {
    let program = prepare(engine, script)?;
    let host = Arc::new(Quick::default());
    let began = now();
    let outcome = engine.run(order(&program, &host, &Stop::new())).await;
    match outcome.end {
        End::Returned(value) => Ok((began.elapsed(), value.unwrap_or_default())),
        other => bail!("{other:?}"),
    }
}

async fn calls(engine: &Engine, calls: usize) -> Result<()> {
    let one = format!(
        "const x = new Stels.runtime.cex.bybit(); for (let i = 0; i < {calls}; i++) await x.fetchTicker('BTC/USDT')"
    );
    let many = format!(
        "const x = new Stels.runtime.cex.bybit();
         const hundred = () => Array.from({{ length: 100 }}, () => x.fetchTicker('BTC/USDT'));
         for (let i = 0; i < {calls}; i += 100) await Promise.all(hundred())"
    );
    for (name, script) in [("one after the other", one), ("a hundred at once", many)] {
        let (time, _) = timed(engine, &script).await?;
        println!(
            "calls {name}: {calls} in {:.0} ms, {:.0} a second",
            time.as_secs_f64() * 1e3,
            calls as f64 / time.as_secs_f64()
        );
    }
    Ok(())
}

async fn ta(engine: &Engine) -> Result<()> {
    let (_, value) = timed(engine, include_str!("indicators.js")).await?;
    println!("ta: EMA and RSI over 100,000 candles, ms at best: {value}");
    Ok(())
}

/// Runs this program once more, for one measurement.
async fn again(arguments: &[&str]) -> Result<()> {
    let status = tokio::process::Command::new(std::env::current_exe()?).args(arguments).status().await?;
    if status.success() { Ok(()) } else { bail!("{arguments:?}: {status}") }
}

#[tokio::main]
async fn main() -> Result<()> {
    let Options { what, threads } = Options::parse();
    let handle = tokio::runtime::Handle::current();
    let engine = Arc::new(Engine::new(threads, handle, Arc::new(Zeros), Arc::new(NoModules))?);
    match what {
        What::Start { runs } => start(&engine, runs).await?,
        What::Idle { workers, grid } => {
            let (name, script) = if grid { ("grid", GRID) } else { ("light", LIGHT) };
            idle(&engine, workers, name, script).await?;
        }
        What::Calls { calls: count } => calls(&engine, count).await?,
        What::Ta => ta(&engine).await?,
        What::Fleet { workers, seconds } => fleet::run(workers, seconds).await?,
        What::Peers { folder } => peers::run(&folder).await?,
        What::All { peers } => {
            start(&engine, 2_000).await?;
            calls(&engine, 100_000).await?;
            ta(&engine).await?;
            for workers in ["100", "1000", "10000"] {
                again(&["idle", "--workers", workers]).await?;
                again(&["idle", "--workers", workers, "--grid"]).await?;
            }
            fleet::run(10_000, 30).await?;
            if let Some(folder) = peers {
                peers::run(&folder).await?;
            }
        }
    }
    Ok(())
}
