//! Drives trades and says how many a second there were and how long each took.
//!
//! Several ways, whose numbers are comparable when they come from one run on one idle machine: over
//! HTTP against a running server (`trade`), through the ledger's group-commit writer (`crate`), with one
//! transaction for each trade on the same schema on SQLite (`baseline`), with PostgreSQL's own `pgbench`
//! and the documented tables (`pgbench`), and SQLite's in a row (`compare`).
//! Bounded on purpose: half a minute, 2,000 clients, this machine only.

mod baseline;
mod direct;
mod http;
mod pgbench;
mod postgres;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use orrery_kernel::{Clock, Timestamp};
use report::Report;

#[derive(Parser)]
#[command(name = "load", about = "Drives trades at a server or at the ledger itself and reports rates and latencies")]
struct Cli {
    /// Print JSON in place of a table
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// POST /api/trade over HTTP, one kept connection for each client
    Trade {
        #[command(flatten)]
        http: HttpArgs,
        /// Clients at the same time
        #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=2_000))]
        clients: u32,
        #[command(flatten)]
        span: SpanArgs,
    },
    /// Through the group-commit writer, without HTTP
    Crate {
        /// Which store
        #[arg(long, value_enum, default_value_t = Store::Sqlite)]
        db: Store,
        #[command(flatten)]
        server: OptionalServerArgs,
        #[command(flatten)]
        ledger: LedgerArgs,
        #[command(flatten)]
        span: SpanArgs,
    },
    /// PostgreSQL's `pgbench`: one trade in each transaction
    Pgbench {
        /// What it keeps of a trade
        #[arg(long, value_enum, default_value_t = pgbench::Way::Double)]
        way: pgbench::Way,
        #[command(flatten)]
        server: ServerArgs,
        #[command(flatten)]
        ledger: LedgerArgs,
        #[command(flatten)]
        span: SpanArgs,
    },
    /// One transaction for each trade, on the same schema, with 16 connections
    Baseline {
        #[command(flatten)]
        ledger: LedgerArgs,
        #[command(flatten)]
        span: SpanArgs,
    },
    /// Baseline, crate and (with --url) HTTP one after the other
    Compare {
        #[command(flatten)]
        http: OptionalHttpArgs,
        #[command(flatten)]
        ledger: LedgerArgs,
        #[command(flatten)]
        span: SpanArgs,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    Sqlite,
    Postgres,
    Memory,
}

#[derive(Args, Clone)]
struct ServerArgs {
    /// A PostgreSQL server on this machine: `postgres://user@127.0.0.1:port/database`. A database of
    /// the tool's own is made beside that one, and removed
    #[arg(long, env = "ORRERY_TEST_POSTGRES", hide_env_values = true)]
    server: String,
}

#[derive(Args, Clone)]
struct OptionalServerArgs {
    /// The PostgreSQL server, with `--db postgres`
    #[arg(long, env = "ORRERY_TEST_POSTGRES", hide_env_values = true)]
    server: Option<String>,
}

#[derive(Args, Clone)]
struct SpanArgs {
    /// Seconds to measure
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=30))]
    seconds: u64,
    /// Seconds before measuring begins
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=10))]
    warm_up: u64,
}

impl SpanArgs {
    fn span(&self) -> report::Span {
        report::Span { warm_up: Duration::from_secs(self.warm_up), measured: Duration::from_secs(self.seconds) }
    }
}

#[derive(Args, Clone)]
struct LedgerArgs {
    /// Trades under way at the same time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    in_flight: u32,
    /// Users who trade
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    users: u32,
    /// Folder for the database; choose one on the disk you care about
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(Args, Clone)]
struct HttpArgs {
    /// The server, on this machine
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    url: String,
    #[command(flatten)]
    users: UserArgs,
}

#[derive(Args, Clone)]
struct OptionalHttpArgs {
    /// A server on this machine, to measure HTTP too
    #[arg(long)]
    url: Option<String>,
    #[command(flatten)]
    users: UserArgs,
}

#[derive(Args, Clone)]
struct UserArgs {
    /// Users to register
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=200))]
    http_users: u32,
    /// Take these users in place of new ones: a file with one token a line
    #[arg(long)]
    tokens: Option<PathBuf>,
    /// Give new users money with this program: `PROGRAM ledger deposit --email E --inr N`, in this
    /// environment. Without it they must start funded, as in `demo`
    #[arg(long)]
    fund_with: Option<PathBuf>,
}

/// The machine's clock.
struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "a measuring program's own clock")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let reports = runtime.block_on(measure(cli.command))?;
    if cli.json {
        println!("{}", serde_json::Value::from(reports.iter().map(Report::json).collect::<Vec<_>>()));
    } else {
        print!("{}", report::table(&reports));
    }
    Ok(())
}

async fn measure(command: Command) -> anyhow::Result<Vec<Report>> {
    match command {
        Command::Trade { http, clients, span } => {
            Ok(vec![http::trade(&http.url, &http.users, clients, span.span()).await?])
        }
        Command::Crate { db, server, ledger, span } => {
            let server = server.server.as_deref();
            Ok(vec![direct::run(db, server, &ledger, span.span()).await?])
        }
        Command::Pgbench { way, server, ledger, span } => {
            Ok(vec![pgbench::run(way, &server.server, &ledger, span.span()).await?])
        }
        Command::Baseline { ledger, span } => Ok(vec![baseline::run(&ledger, span.span()).await?]),
        Command::Compare { http, ledger, span } => {
            let mut reports = vec![
                baseline::run(&ledger, span.span()).await?,
                direct::run(Store::Sqlite, None, &ledger, span.span()).await?,
            ];
            if let Some(url) = http.url {
                reports.push(http::trade(&url, &http.users, ledger.in_flight, span.span()).await?);
            }
            Ok(reports)
        }
    }
}
