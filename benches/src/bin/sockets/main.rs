//! Opens many sockets at a server on this machine, publishes to them, and says what arrived, when, and what
//! it cost the server.
//!
//! One thread reads all sockets, so that the server has a core of its own; messages carry their number and the
//! time they were meant to be sent, so that a late publisher is no excuse. Deliveries a CPU-second of the server
//! is the figure to compare: it is steadier than what a clock on the wall says.
//! Bounded on purpose: half a minute, 2,000 active or 10,000 idle connections, this machine only.

mod client;
mod publish;
mod server;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use client::{Seen, Subscriber};
use hdrhistogram::Histogram;
use serde_json::json;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

#[derive(Parser, Clone)]
#[command(
    name = "sockets",
    about = "Opens sockets, publishes to them, and measures deliveries against the server's CPU"
)]
struct Args {
    /// What to call the row
    #[arg(long)]
    name: String,
    /// The server's protocol
    #[arg(long, value_enum)]
    kind: Kind,
    /// `127.0.0.1:PORT`
    #[arg(long)]
    address: SocketAddr,
    /// The server's process, whose CPU and memory are measured
    #[arg(long)]
    pid: u32,
    /// A token: of any user for channels, of an administrator for topics
    #[arg(long, default_value = "", hide_default_value = true)]
    token: String,
    /// Connections that read
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Connections that never read
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    stalled: u32,
    /// Publishes a second; 0: as fast as they arrive, with at most `--outstanding` on their way
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=20_000))]
    rate: u32,
    /// With `--rate 0`
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    outstanding: u32,
    /// Keys that publishes go through: each is the newest value of one
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    keys: u32,
    /// Bytes of a message
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(64..=65_536))]
    bytes: u32,
    /// Seconds to measure; 0: only open the connections, and say what they cost
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(0..=30))]
    seconds: u64,
    /// Print JSON in place of a table
    #[arg(long)]
    json: bool,
    /// No line with the columns' names
    #[arg(long)]
    bare: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A WebSocket that passes on what comes on `/?pub`
    Plain,
    /// The gateway's channels
    Channels,
    /// A Socket.IO server that passes on the event `publish` as `m`
    Socketio,
    /// The gateway's Socket.IO topics
    Topics,
    /// nats-server's WebSocket
    Nats,
}

/// Before measuring begins.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long what was published may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(4);
/// Connections that are being opened at a time.
const OPENING: usize = 64;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if !args.address.ip().is_loopback() {
        bail!("{} is not this machine; loads are not put on others", args.address);
    }
    if args.seconds > 0 && args.connections > 2_000 {
        bail!("more than 2,000 connections only idle: --seconds 0");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, run(args))
}

/// What all subscribers share.
pub(crate) struct Tally {
    pub measuring: bool,
    pub seen: u64,
    pub lost: u64,
    pub reads: u64,
    pub latency: Histogram<u64>,
}

async fn open_all(args: &Args, tally: &Rc<RefCell<Tally>>) -> anyhow::Result<Vec<Rc<Seen>>> {
    let mut all = Vec::new();
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..args.connections {
        if opening.len() >= OPENING {
            all.push(opened(opening.join_next().await)?);
        }
        let (args, tally) = (args.clone(), tally.clone());
        opening.spawn_local(async move { Subscriber::open(&args, tally).await });
    }
    while let Some(done) = opening.join_next().await {
        all.push(opened(Some(done))?);
    }
    Ok(all)
}

fn opened(done: Option<Result<anyhow::Result<Rc<Seen>>, tokio::task::JoinError>>) -> anyhow::Result<Rc<Seen>> {
    done.context("nothing was opening")?.context("an opening ended early")?.context("a connection could not be opened")
}

async fn run(args: Args) -> anyhow::Result<()> {
    let before = server::memory_kb(args.pid)?;
    let tally = Rc::new(RefCell::new(Tally {
        measuring: false,
        seen: 0,
        lost: 0,
        reads: 0,
        latency: Histogram::new_with_bounds(1, 60_000_000, 3)?,
    }));
    let subscribers = open_all(&args, &tally).await?;
    let mut stalled = Vec::new();
    for _ in 0..args.stalled {
        stalled.push(Subscriber::open_stalled(&args).await?);
    }
    sleep(WARM_UP).await;
    let each = (server::memory_kb(args.pid)? - before) / f64::from(args.connections + args.stalled);
    if args.seconds == 0 {
        println!(
            "{}: {} idle connections, {each:.1} kB each, {:.0} MB in all",
            args.name,
            args.connections,
            server::memory_kb(args.pid)? / 1_000.0
        );
        return Ok(());
    }
    let mut publisher = publish::Publisher::open(&args).await?;
    let count = u64::from(args.connections);
    let deadline = Instant::now() + WARM_UP + Duration::from_secs(args.seconds);
    let warm = Instant::now() + WARM_UP;
    let begun = Instant::now();
    let (mut started, mut number) = (None, 0_u64);
    while Instant::now() < deadline {
        if started.is_none() && Instant::now() >= warm {
            started = Some((Instant::now(), server::cpu_seconds(args.pid)?, tally.borrow().seen, number));
            tally.borrow_mut().measuring = true;
        }
        if args.rate > 0 {
            let due = begun + Duration::from_secs_f64(number as f64 / f64::from(args.rate));
            tokio::time::sleep_until(due).await;
            publisher.send(number, client::now_ns() - due.elapsed().as_nanos() as u64).await?;
            number += 1;
        } else if number - tally.borrow().seen / count < u64::from(args.outstanding) {
            publisher.send(number, client::now_ns()).await?;
            number += 1;
        } else {
            tokio::task::yield_now().await;
            sleep(Duration::from_micros(200)).await;
        }
    }
    let (start, cpu, seen, first) = started.context("it ended before it began")?;
    let took = start.elapsed().as_secs_f64();
    let cpu = server::cpu_seconds(args.pid)? - cpu;
    let seen = tally.borrow().seen - seen;
    tally.borrow_mut().measuring = false;
    let until = Instant::now() + ARRIVAL;
    let newest = number;
    let behind = |s: &Rc<Seen>| s.next.get() < newest && args.keys == 0;
    while Instant::now() < until && subscribers.iter().any(behind) {
        sleep(Duration::from_millis(20)).await;
    }
    // what never came counts as lost too
    let missing: u64 = subscribers.iter().filter(|s| behind(s)).map(|s| newest - s.next.get()).sum();
    let closed = subscribers.iter().filter(|s| s.closed.get()).count();
    let tally = tally.borrow();
    let lost = if args.keys == 0 { tally.lost + missing } else { 0 };
    let ms = |q: f64| tally.latency.value_at_quantile(q) as f64 / 1_000.0;
    let kind = if args.rate == 0 { "saturated".to_owned() } else { format!("{}/s", args.rate) };
    let row = json!({
        "name": args.name, "connections": args.connections, "load": kind, "published": number - first,
        "deliveries_per_s": (seen as f64 / took).round(), "p50_ms": ms(0.5), "p99_ms": ms(0.99), "lost": lost,
        "closed": closed, "server_cores": cpu / took, "per_cpu_s": (seen as f64 / cpu).round(),
        "per_read": tally.seen as f64 / tally.reads.max(1) as f64, "kb_each": each,
        "server_mb": server::memory_kb(args.pid)? / 1_000.0,
    });
    if args.json {
        println!("{row}");
        return Ok(());
    }
    if !args.bare {
        println!(
            "{:<26} {:>6} {:>10} {:>12} {:>8} {:>8} {:>6} {:>7} {:>12} {:>9} {:>8}",
            "",
            "conns",
            "load",
            "deliveries/s",
            "p50 ms",
            "p99 ms",
            "lost",
            "cores",
            "per CPU-s",
            "per read",
            "kB each"
        );
    }
    println!(
        "{:<26} {:>6} {:>10} {:>12.0} {:>8.2} {:>8.2} {:>6} {:>7.2} {:>12.0} {:>9.1} {:>8.1}",
        args.name,
        args.connections,
        kind,
        seen as f64 / took,
        ms(0.5),
        ms(0.99),
        lost,
        cpu / took,
        seen as f64 / cpu,
        tally.seen as f64 / tally.reads.max(1) as f64,
        each
    );
    if closed > 0 {
        println!("{closed} connections were closed by the server");
    }
    drop(stalled);
    Ok(())
}
