//! How old books are that reach sockets: a real gateway on one core, in front of a stand-in for an exchange whose books
//! all move.
//!
//! `books GATEWAY`: starts the gateway's program with `taskset` on a core, streams changes of every book to it, and
//! opens sockets each of which takes some of them. Give the tool itself another core.

mod exchange;
#[path = "../sockets/server.rs"]
mod server;
mod sockets;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::exchange::Load;
use crate::sockets::Tally;

/// Time for the gateway to listen.
const STARTED_MAX: Duration = Duration::from_secs(60);

#[derive(Parser)]
struct Args {
    /// The gateway's program.
    gateway: PathBuf,
    /// The core it runs on.
    #[arg(long, default_value_t = 0)]
    core: usize,
    /// Books.
    #[arg(long, default_value_t = 200)]
    markets: usize,
    /// Changes of each book a second, of twenty levels each.
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Sockets.
    #[arg(long, default_value_t = 500)]
    sockets: usize,
    /// Books that each of them takes.
    #[arg(long, default_value_t = 20)]
    each: usize,
    /// Seconds before measuring: within the exchange's rate it takes two minutes to ask for 200 books.
    #[arg(long, default_value_t = 150)]
    warm: u64,
    /// Seconds of measuring.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, run(&args))
}

/// The gateway, and where it listens.
async fn gateway(args: &Args, folder: &std::path::Path) -> Result<(Child, SocketAddr)> {
    let (http, stream) = exchange::start(Load { markets: args.markets, rate: args.rate })?;
    let mut command = Command::new("taskset");
    command.args(["-c", &args.core.to_string()]).arg(&args.gateway).arg("serve");
    command.envs([
        ("ORRERY_DATA_DIR", folder.display().to_string()),
        ("ORRERY_LISTEN", "127.0.0.1:0".to_owned()),
        ("ORRERY_LOG__LEVEL", "warn".to_owned()),
        ("ORRERY_MARKET__SOURCE", "simulated".to_owned()),
        ("ORRERY_MARKET__PRICE_POLL_S", "3600".to_owned()),
        ("ORRERY_VENUES__BINANCE__REST_URL", format!("http://{http}")),
        ("ORRERY_VENUES__BINANCE__WS_URL", format!("ws://{stream}")),
        ("ORRERY_SERVER__CONNECTIONS_MAX", "20000".to_owned()),
        ("ORRERY_REALTIME__MESSAGES_PER_SECOND", "10000000".to_owned()),
        ("RATE_LIMIT_CONNECTIONS", "50000".to_owned()),
        ("RATE_LIMIT_MESSAGES", "1000000000".to_owned()),
    ]);
    command.stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("taskset and the gateway")?;
    let mut lines = BufReader::new(child.stdout.take().context("what it prints")?).lines();
    let address = async {
        while let Some(line) = lines.next_line().await? {
            let from = line.find("127.0.0.1:").and_then(|at| line.get(at..));
            let to = from.map(|from| from.split(|c: char| !c.is_ascii_digit() && !".:".contains(c)).next());
            if let Some(Ok(address)) = to.flatten().map(str::parse) {
                return Ok(address);
            }
        }
        anyhow::bail!("the gateway ended")
    };
    let address = timeout(STARTED_MAX, address).await.context("the gateway does not listen")??;
    tokio::task::spawn_local(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((child, address))
}

async fn run(args: &Args) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut child, address) = gateway(args, folder.path()).await?;
    let pid = child.id().context("the gateway ended")?;
    let tally = Rc::new(RefCell::new(Tally::new()?));
    for number in 0..args.sockets {
        let markets = (0..args.each).map(|n| (number * 7 + n * 11) % args.markets).collect();
        sockets::open(address, markets, tally.clone()).await?;
    }
    tokio::time::sleep(Duration::from_secs(args.warm)).await;
    let before = server::cpu_seconds(pid)?;
    tally.borrow_mut().measuring = true;
    tokio::time::sleep(Duration::from_secs(args.seconds)).await;
    tally.borrow_mut().measuring = false;
    let (used, memory) = (server::cpu_seconds(pid)? - before, server::memory_kb(pid)?);
    // before the end of the gateway, which closes all
    report(args, &tally.borrow(), used, memory);
    child.start_kill()?;
    child.wait().await?;
    Ok(())
}

fn report(args: &Args, tally: &Tally, used: f64, memory: f64) {
    let seconds = args.seconds as f64;
    println!(
        "{} books x {}/s, {} sockets x {} books: {:.0} frames/s of {:.1} kB, {:.2} of a core, {:.0} MB, {} closed",
        args.markets,
        args.rate,
        args.sockets,
        args.each,
        tally.frames as f64 / seconds,
        tally.bytes as f64 / 1_000.0 / tally.frames.max(1) as f64,
        used / seconds,
        memory / 1_000.0,
        tally.closed.values().sum::<usize>(),
    );
    for (why, count) in &tally.closed {
        println!("{count} sockets ended: {why}");
    }
    for (name, of) in [("age", &tally.age), ("longest wait", &tally.waited)] {
        let at = |quantile| of.value_at_quantile(quantile);
        println!("{name:<14} p50 {} ms   p90 {} ms   p99 {} ms   max {} ms", at(0.5), at(0.9), at(0.99), of.max());
    }
}
