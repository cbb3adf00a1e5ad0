//! The load tool. Bounded: 30 seconds and 2,000 callers at most, this machine only.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use benches::{Figures, compare, http};
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures trades a second. Run it on an otherwise idle machine, built with --release.")]
struct Cli {
    #[command(subcommand)]
    what: What,
    /// Print JSON instead of a table
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Args)]
struct Load {
    /// Callers that wait for their answer at the same time
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// How long, seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

#[derive(Subcommand)]
enum What {
    /// POST /api/trade on a running server whose new users start with money (`demo`)
    Trade {
        #[command(flatten)]
        load: Load,
        /// Where it listens
        #[arg(long, default_value = "http://127.0.0.1:8000")]
        url: String,
        /// Users to register
        #[arg(long, default_value_t = 8)]
        users: usize,
    },
    /// Through the crate's group commit, on SQLite
    Crate {
        #[command(flatten)]
        load: Load,
    },
    /// One transaction a trade, on SQLite with 16 connections
    Baseline {
        #[command(flatten)]
        load: Load,
    },
    /// All three in turn on this machine, with their ratios; starts the gateway itself
    Compare {
        #[command(flatten)]
        load: Load,
        /// The gateway's program; by default the one beside this
        #[arg(long)]
        gateway: Option<PathBuf>,
    },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let dir = tempfile::tempdir()?;
    let figures = match &cli.what {
        What::Trade { load, url, users } => {
            vec![runtime.block_on(http::trades(url, load.callers()?, *users, load.time()?))?]
        }
        What::Crate { load } => {
            vec![runtime.block_on(compare::through_the_crate(dir.path(), load.callers()?, load.time()?))?]
        }
        What::Baseline { load } => {
            vec![runtime.block_on(compare::one_transaction_a_trade(dir.path(), load.callers()?, load.time()?))?]
        }
        What::Compare { load, gateway } => {
            let (callers, time) = (load.callers()?, load.time()?);
            let baseline = runtime.block_on(compare::one_transaction_a_trade(dir.path(), callers, time))?;
            let through = runtime.block_on(compare::through_the_crate(dir.path(), callers, time))?;
            let (gateway, url) = Gateway::start(gateway.clone(), &dir.path().join("gateway"))?;
            let over_http = runtime.block_on(http::trades(&url, callers, 8, time))?;
            drop(gateway);
            vec![baseline, through, over_http]
        }
    };
    if cli.json {
        println!("{}", serde_json::json!(figures.iter().map(Figures::json).collect::<Vec<_>>()));
        return Ok(());
    }
    println!("{}", Figures::HEAD);
    for row in &figures {
        println!("{}", row.row());
    }
    if let [baseline, through, over_http] = figures.as_slice() {
        println!();
        for row in [through, over_http] {
            println!(
                "{}: {:.2} × the rate of one transaction a trade, p99 {:.3} × its p99",
                row.name,
                row.rate() / baseline.rate(),
                row.ms(0.99) / baseline.ms(0.99)
            );
        }
    }
    Ok(())
}

impl Load {
    fn callers(&self) -> Result<usize> {
        if (1..=2_000).contains(&self.in_flight) { Ok(self.in_flight) } else { bail!("--in-flight is 1 to 2000") }
    }

    fn time(&self) -> Result<Duration> {
        if (1..=30).contains(&self.seconds) {
            Ok(Duration::from_secs(self.seconds))
        } else {
            bail!("--seconds is 1 to 30")
        }
    }
}

/// A gateway of our own, ended with this program.
struct Gateway(Child);

impl Gateway {
    fn start(program: Option<PathBuf>, data: &std::path::Path) -> Result<(Self, String)> {
        let beside = || -> Result<PathBuf> { Ok(std::env::current_exe()?.with_file_name("orrery-gateway")) };
        let program = program.map_or_else(beside, Ok)?;
        let mut child = Command::new(&program)
            .arg("demo")
            .env("ORRERY_LISTEN", "127.0.0.1:0")
            .env("ORRERY_DATA_DIR", data)
            .env("ORRERY_LIMITS__USER_REQUESTS", "1000000000")
            .env("ORRERY_LIMITS__ADDRESS_REQUESTS", "1000000000")
            .env("ORRERY_LOG__LEVEL", "warn")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} (build it with `cargo build --release`)", program.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let started = Self(child);
        for line in lines.by_ref() {
            let line = line?;
            if let Some(at) = line.find("http://") {
                let url = line[at..].split_whitespace().next().unwrap_or_default().to_owned();
                // whoever stops reading would block it in the end
                std::thread::spawn(move || lines.for_each(drop));
                return Ok((started, url));
            }
        }
        bail!("the gateway ended before it listened")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
