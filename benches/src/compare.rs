//! Trades on SQLite: through the crate's group commit, and the usual way, one transaction a trade.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use orrery_app::events::Events;
use orrery_app::ledger_writer::{LedgerSettings, LedgerWriter};
use orrery_app::tasks::Tasks;
use orrery_kernel::{Clock, Timestamp};
use orrery_ledger::{Answer, Outcome};
use orrery_store_sqlite::{Options, Sqlite};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row, SqlitePool};
use tokio::time::Instant;

use crate::{Figures, START, buy, funded};

/// Users that trade.
const USERS: u64 = 64;
/// Connections of the usual way.
const CONNECTIONS: u32 = 16;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        START
    }
}

async fn database(dir: &Path, name: &str) -> Result<(Sqlite, orrery_kernel::SnapshotId)> {
    let path = dir.join(name);
    let store = Sqlite::open(path.to_str().context("a UTF-8 path")?, Options::default()).await?;
    store.migrate().await?;
    let snapshot = funded(store.ledger().as_ref(), USERS).await;
    Ok((store, snapshot))
}

/// `in_flight` callers that each wait for their answer, through the group-commit writer.
pub async fn through_the_crate(dir: &Path, in_flight: usize, time: Duration) -> Result<Figures> {
    let (store, snapshot) = database(dir, "crate.db").await?;
    let tasks = Tasks::new();
    let settings = LedgerSettings::default();
    let writer = LedgerWriter::start(store.ledger(), Arc::new(Still), &settings, Events::default(), &tasks);
    let next = Arc::new(AtomicU64::new(0));
    let mut figures = Figures::new(&format!("crate, group commit, {in_flight} in flight"));
    figures.took = run(in_flight, time, &mut figures, move || {
        let (writer, next) = (writer.clone(), next.clone());
        async move {
            let n = next.fetch_add(1, Ordering::Relaxed);
            match writer.submit(buy(snapshot, USERS, n)).await {
                Ok(Answer::New(Outcome::Posted(_))) => Ok(()),
                Ok(other) => bail!("{other:?}"),
                Err(error) => bail!("{error}"),
            }
        }
    })
    .await;
    tasks.drain().await;
    store.close().await;
    Ok(figures)
}

/// `in_flight` callers, each trade a transaction of its own on one of 16 connections of the same
/// database: read and check the balance, write the entry, its legs and balances, the key, commit.
pub async fn one_transaction_a_trade(dir: &Path, in_flight: usize, time: Duration) -> Result<Figures> {
    let (store, snapshot) = database(dir, "usual.db").await?;
    store.close().await;
    let options = SqliteConnectOptions::new()
        .filename(dir.join("usual.db"))
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("cache_size", "-32768")
        .pragma("wal_autocheckpoint", "4000")
        .busy_timeout(Duration::from_secs(30));
    let pool = SqlitePoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(Duration::from_secs(60))
        .connect_with(options)
        .await?;
    let next = Arc::new(AtomicU64::new(0));
    let mut figures = Figures::new(&format!("one transaction a trade, {in_flight} in flight"));
    let shared = pool.clone();
    figures.took = run(in_flight, time, &mut figures, move || {
        let (pool, next) = (shared.clone(), next.clone());
        async move {
            let n = next.fetch_add(1, Ordering::Relaxed);
            usual_trade(&pool, snapshot.0, 1 + n % USERS, n).await
        }
    })
    .await;
    pool.close().await;
    Ok(figures)
}

async fn usual_trade(pool: &SqlitePool, snapshot: i64, user: u64, n: u64) -> Result<()> {
    let (inr, btc) = (100_000_i64, 24_420_i64);
    let own = |asset: &str| format!("user:{user}/{asset}/available");
    let house = |asset: &str| format!("house/{asset}/inventory");
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let balance: i64 =
        sqlx::query("SELECT balance FROM accounts WHERE code = $1").bind(own("INR")).fetch_one(&mut *tx).await?.get(0);
    if balance < inr {
        bail!("insufficient");
    }
    let head = sqlx::query("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetch_one(&mut *tx).await?;
    let (seq, prev): (i64, Vec<u8>) = (head.get::<i64, _>(0) + 1, head.get(1));
    sqlx::query(
        "INSERT INTO journal (seq, kind, actor, idem_key, snapshot_id, size_inr, at, prev, hash) \
         VALUES ($1, 3, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(seq)
    .bind(format!("user:{user}"))
    .bind(format!("t{n}"))
    .bind(snapshot)
    .bind(inr)
    .bind(START.micros())
    .bind(prev)
    .execute(&mut *tx)
    .await?;
    for (at, (from, to, amount)) in
        [(own("INR"), house("INR"), inr), (house("BTC"), own("BTC"), btc)].into_iter().enumerate()
    {
        let mut after = [0_i64; 2];
        for (i, (code, by)) in [(&from, -amount), (&to, amount)].into_iter().enumerate() {
            let (owner, rest) = code.split_once('/').unwrap_or_default();
            let (asset, bucket) = rest.split_once('/').unwrap_or_default();
            after[i] = sqlx::query(
                "INSERT INTO accounts (code, owner, asset, bucket, balance) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (code) DO UPDATE SET balance = balance + $5 RETURNING balance",
            )
            .bind(code)
            .bind(owner)
            .bind(asset)
            .bind(bucket)
            .bind(by)
            .fetch_one(&mut *tx)
            .await?
            .get(0);
        }
        sqlx::query(
            "INSERT INTO legs (seq, n, from_account, to_account, amount, from_after, to_after) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(seq)
        .bind(i64::try_from(at)?)
        .bind(from)
        .bind(to)
        .bind(amount)
        .bind(after[0])
        .bind(after[1])
        .execute(&mut *tx)
        .await?;
    }
    sqlx::query("INSERT INTO idempotency (actor, key, fingerprint, outcome) VALUES ($1, $2, $3, $4)")
        .bind(format!("user:{user}"))
        .bind(format!("t{n}"))
        .bind(vec![0_u8; 32])
        .bind(vec![0_u8; 112])
        .execute(&mut *tx)
        .await?;
    sqlx::query("INSERT INTO statement (user_id, seq) VALUES ($1, $2)")
        .bind(i64::try_from(user)?)
        .bind(seq)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Keeps `in_flight` calls going for `time`; gives how long it took in all.
pub(crate) async fn run<F>(
    in_flight: usize,
    time: Duration,
    figures: &mut Figures,
    call: impl Fn() -> F + Clone + Send + 'static,
) -> Duration
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let started = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..in_flight {
        let call = call.clone();
        callers.spawn(async move {
            let mut own = Figures::new("");
            while started.elapsed() < time {
                let sent = Instant::now();
                match call().await {
                    Ok(()) => own.record(sent.elapsed()),
                    Err(error) => {
                        own.failures += 1;
                        if own.failures == 1 {
                            eprintln!("a trade failed: {error:#}");
                        }
                    }
                }
            }
            own
        });
    }
    while let Some(done) = callers.join_next().await {
        match done {
            Ok(own) => figures.add(&own),
            Err(error) => eprintln!("a caller failed: {error}"),
        }
    }
    started.elapsed()
}
