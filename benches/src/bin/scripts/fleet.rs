//! A whole server with thousands of leaders that sleep: how fast they are on, what they cost, whether leases are kept.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use orrery_kernel::Timestamp;
use orrery_store_sqlite::{Options, Sqlite};
use orrery_workers::{Draft, Spec, Worker};
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use tokio::process::{Child, Command};

use crate::{LIGHT, now};

/// Longest time until all are on.
const ON_MAX: Duration = Duration::from_secs(60);
/// Ticks of the kernel's clock in a second.
const TICKS: f64 = 100.0;

/// `workers` leaders on a server of its own with a database of its own; looked at for `seconds` once all are on.
pub async fn run(workers: u32, seconds: u64) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("orrery-scripts-").tempdir()?;
    let file = folder.path().join("orrery.db");
    fill(&file, workers).await?;
    let server = std::env::current_exe()?.with_file_name("orrery-gateway");
    let began = now();
    let mut child = start(&server, folder.path(), workers)?;
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(SqliteConnectOptions::new().filename(&file).read_only(true))
        .await?;
    let pid = child.id().context("the server ended")?;
    let seen = watch(&pool, pid, workers, began, seconds).await;
    pool.close().await;
    stop(&mut child).await?;
    println!("{}", seen?);
    Ok(())
}

async fn watch(pool: &SqlitePool, pid: u32, workers: u32, began: std::time::Instant, seconds: u64) -> Result<String> {
    while lines(pool).await? < i64::from(workers) {
        if began.elapsed() > ON_MAX {
            bail!("{} of {workers} workers are on after {ON_MAX:?}", lines(pool).await?);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let on = began.elapsed();
    // what starting left behind is written
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (busy, watched) = (cpu(pid)?, now());
    let mut least = f64::INFINITY;
    while watched.elapsed() < Duration::from_secs(seconds) {
        least = least.min(left(pool, workers).await?);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let share = (cpu(pid)? - busy) / watched.elapsed().as_secs_f64() * 100.0;
    let megabytes = resident(pid)? / 1_024.0;
    Ok(format!(
        "fleet: {workers} leaders on after {:.2} s (first line of each in the database, from the server's start); \
         {megabytes:.0} MiB in all, {share:.2} % of a core; within {seconds} s every lease was its first holder's, \
         with {least:.1} s of 60 left at least",
        on.as_secs_f64()
    ))
}

/// Lines of log that are written down.
async fn lines(pool: &SqlitePool) -> Result<i64> {
    let row = sqlx::query("SELECT count(*) FROM worker_logs").fetch_one(pool).await;
    // the server may be migrating, or not be there yet
    row.map_or(Ok(0), |row| Ok(row.try_get(0)?))
}

/// Seconds that are left of the lease that ends first.
async fn left(pool: &SqlitePool, workers: u32) -> Result<f64> {
    let row = sqlx::query(
        "SELECT count(*), coalesce(max(epoch), 0), coalesce(min(expires_at), 0),
                CAST(unixepoch('subsec') * 1000000 AS INTEGER) FROM worker_leases",
    );
    let row = row.fetch_one(pool).await?;
    let (count, epoch, first, at): (i64, i64, i64, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    if count != i64::from(workers) || epoch != 1 || first <= at {
        bail!("{count} leases, epochs up to {epoch}, the first ends in {} ms", (first - at) / 1_000);
    }
    Ok((first - at) as f64 / 1e6)
}

async fn fill(file: &Path, workers: u32) -> Result<()> {
    let db = Sqlite::open(file.to_str().context("the folder's name is not UTF-8")?, Options::default()).await?;
    db.migrate().await?;
    let store = db.workers();
    for n in 0..workers {
        let draft = Draft {
            active: Some(true),
            script: Some(LIGHT.to_owned()),
            execution_mode: Some("leader".to_owned()),
            ..Draft::default()
        };
        let (sid, at) = (format!("w-{n}"), Timestamp::from_secs(1_760_000_000));
        let (nid, owner) = ("s-0001".to_owned(), format!("g{}", n / 10_000));
        let worker = Worker { sid, nid, owner, spec: Spec::new(draft)?, version: 1, created_at: at, updated_at: at };
        if !store.add_worker(&worker, u32::MAX).await? {
            bail!("a worker was not taken");
        }
    }
    db.close().await;
    Ok(())
}

fn start(server: &Path, folder: &Path, workers: u32) -> Result<Child> {
    Command::new(server)
        .arg("serve")
        .env("ORRERY_SERVER__DATA_DIR", folder)
        .env("ORRERY_LISTEN", "127.0.0.1:0")
        .env("ORRERY_WORKERS__CAPACITY", workers.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{}: build it in the same profile", server.display()))
}

async fn stop(child: &mut Child) -> Result<()> {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.context("the server ended")?, rustix::process::Signal::TERM)?;
    let status = tokio::time::timeout(Duration::from_secs(10), child.wait()).await.context("it does not end")??;
    if status.success() { Ok(()) } else { bail!("the server ended with {status}") }
}

/// Processor time of a process so far, seconds.
fn cpu(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, after) = stat.rsplit_once(')').context("no name")?;
    let mut fields = after.split_whitespace().skip(11);
    let mut next = || -> Result<f64> { Ok(fields.next().context("no time")?.parse()?) };
    Ok((next()? + next()?) / TICKS)
}

/// Resident memory of a process, kB.
pub fn resident(pid: u32) -> Result<f64> {
    memory(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// A process's share of memory, kB: what it has alone, and its part of what it shares.
pub fn proportional(pid: u32) -> Result<f64> {
    memory(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

fn memory(file: &str, field: &str) -> Result<f64> {
    let text = std::fs::read_to_string(file)?;
    let line = text.lines().find(|line| line.starts_with(field)).context("no such field")?;
    Ok(line.split_whitespace().nth(1).context("no number")?.parse()?)
}
