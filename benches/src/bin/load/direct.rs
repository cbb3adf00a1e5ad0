//! Trades through the ledger's own writer: group commit, without HTTP.

use std::sync::Arc;

use anyhow::{Context, bail};
use orrery_app::events::Events;
use orrery_app::ledger_writer::{LedgerSettings, LedgerWriter, commit_once};
use orrery_app::tasks::Tasks;
use orrery_kernel::{Asset, Clock, SnapshotId, UserId};
use orrery_ledger::{
    Actor, Answer, Bucket, Command, IdemKey, LedgerStore, Limits, NewSnapshot, Operation, Outcome, Side, Size, Verifier,
};
use orrery_store_memory::MemoryLedger;
use orrery_store_sqlite::{Options, Sqlite};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::postgres::{self, Scratch};
use crate::report::{Report, Span, Tally, Window};
use crate::{LedgerArgs, MachineClock, Store};

/// Paise of a buy and satoshis of a sell: a pair costs a user a little, so funds last.
const BUY: Size = Size::Inr(100);
const SELL: Size = Size::Btc(20);

/// The trade that number `n` of a client makes.
pub(crate) fn trade(user: UserId, snapshot: SnapshotId, n: u64) -> Operation {
    let (side, size) = if n.is_multiple_of(2) { (Side::Buy, BUY) } else { (Side::Sell, SELL) };
    Operation::Trade { user, side, size, snapshot, worst_rate: None, plan: false }
}

/// Keys rise with time, as those of real clients do (UUID version 7, ULID).
pub(crate) fn key(n: u64, client: u32) -> anyhow::Result<IdemKey> {
    let now = MachineClock.now().micros();
    IdemKey::new(&format!("{now:016x}-{client:04}-{n}")).context("key")
}

/// A folder for a database, removed at the end.
pub(crate) fn folder(args: &LedgerArgs) -> anyhow::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("orrery-load-");
    match &args.dir {
        Some(dir) => builder.tempdir_in(dir).with_context(|| dir.display().to_string()),
        None => builder.tempdir().context("no temporary folder"),
    }
}

/// Opens the store on a file, as the server does.
pub(crate) async fn sqlite(folder: &tempfile::TempDir) -> anyhow::Result<Sqlite> {
    let file = folder.path().join("orrery.db");
    let db = Sqlite::open(file.to_str().context("the folder's name is not UTF-8")?, Options::default()).await?;
    db.migrate().await?;
    Ok(db)
}

/// A price and users with money; gives the price's id.
pub(crate) async fn prepare(store: &dyn LedgerStore, users: u32) -> anyhow::Result<SnapshotId> {
    let now = MachineClock.now();
    let price = NewSnapshot {
        source: "load".into(),
        btc_usd_cents: 4_500_000,
        buy_mult_e4: 910_000,
        sell_mult_e4: 880_000,
        buy_rate: 409_500_000,
        sell_rate: 396_000_000,
        observed_at: now,
        received_at: now,
    };
    let snapshot = store.put_snapshot(&price).await?;
    for user in 1..=i64::from(users) {
        for (asset, amount) in [(Asset::INR, 1_000_000_000_000), (Asset::BTC, 100_000_000_000)] {
            let key = IdemKey::new(&format!("fund-{user}-{asset}")).context("key")?;
            let operation = Operation::Deposit { user: UserId(user), asset, amount };
            let command = Command { actor: Actor::Operator, key, operation };
            match commit_once(store, &MachineClock, Limits::default(), command).await {
                Ok(Answer::New(Outcome::Posted(_))) => {}
                other => bail!("user {user} got no money: {other:?}"),
            }
        }
    }
    for (asset, amount) in [(Asset::INR, 1_000_000_000_000), (Asset::BTC, 100_000_000_000)] {
        let key = IdemKey::new(&format!("fund-house-{asset}")).context("key")?;
        let operation = Operation::FundHouse { asset, bucket: Bucket::Inventory, amount };
        let command = Command { actor: Actor::Operator, key, operation };
        commit_once(store, &MachineClock, Limits::default(), command).await.map_err(|e| anyhow::anyhow!("{e:?}"))?;
    }
    Ok(snapshot)
}

/// Replays the journal; what it says for the report.
pub(crate) async fn verified(store: &dyn LedgerStore) -> anyhow::Result<String> {
    let mut verifier = Verifier::default();
    store.audit(&mut verifier).await?;
    let report = verifier.finish();
    if !report.is_ok() {
        bail!("the journal does not verify: {} fault(s), first {:?}", report.fault_count, report.faults.first());
    }
    Ok(format!("{} entries verified", report.head.seq))
}

/// `load crate`.
pub(crate) async fn run(db: Store, server: Option<&str>, args: &LedgerArgs, span: Span) -> anyhow::Result<Report> {
    match db {
        Store::Sqlite => {
            let folder = folder(args)?;
            drive("group commit, SQLite", sqlite(&folder).await?.ledger(), args, span).await
        }
        Store::Memory => drive("group commit, in memory", Arc::new(MemoryLedger::default()), args, span).await,
        Store::Postgres => {
            let scratch = Scratch::create(server.context("--server is missing")?).await?;
            let db = postgres::store(&scratch).await?;
            let report = drive("group commit, PostgreSQL", db.ledger(), args, span).await?;
            db.close().await;
            scratch.remove().await?;
            Ok(report)
        }
    }
}

async fn drive(label: &str, store: Arc<dyn LedgerStore>, args: &LedgerArgs, span: Span) -> anyhow::Result<Report> {
    let snapshot = prepare(store.as_ref(), args.users).await?;
    let tasks = Tasks::new();
    let settings = LedgerSettings::default();
    let writer = LedgerWriter::start(store.clone(), Arc::new(MachineClock), &settings, Events::default(), &tasks);
    let window = Window::open(span);
    let mut clients = JoinSet::new();
    for client in 0..args.in_flight {
        let (writer, user) = (writer.clone(), UserId(i64::from(client % args.users) + 1));
        clients.spawn(async move {
            let mut tally = Tally::new(window)?;
            let mut n = 0;
            while window.goes_on() {
                let command =
                    Command { actor: Actor::User(user), key: key(n, client)?, operation: trade(user, snapshot, n) };
                let sent = Instant::now();
                match writer.submit(command).await {
                    Ok(Answer::New(Outcome::Posted(_))) => tally.done(sent),
                    Ok(other) => tally.failed(format!("{other:?}")),
                    Err(error) => tally.failed(error.public),
                }
                n += 1;
            }
            anyhow::Ok(tally)
        });
    }
    let tallies = clients.join_all().await.into_iter().collect::<anyhow::Result<_>>()?;
    tasks.drain().await;
    let note = verified(store.as_ref()).await?;
    Ok(Report::of(label, args.in_flight, window, tallies)?.note(note))
}
