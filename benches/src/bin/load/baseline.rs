//! The peer to measure against: one transaction for each trade, as a server without a writer of its
//! own does it, on the same schema, with the same decisions, the same rows and the same durability.
//!
//! To its favour it has prepared statements, keeps the price in memory and begins its transactions
//! with the write lock, so that none fails half way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use orrery_kernel::{Clock, Timestamp, UserId};
use orrery_ledger::{
    Account, Actor, Answer, Command, Entry, Head, IdemKey, Limits, Outcome, Recorded, Size, Snapshot, View, decide,
    genesis, needs, users_of,
};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::direct::{folder, key, prepare, sqlite, trade, verified};
use crate::report::{Report, Span, Tally, Window};
use crate::{LedgerArgs, MachineClock};

/// Connections of the peer.
const CONNECTIONS: u32 = 16;

const HEAD: &str = "SELECT seq, hash, at FROM journal ORDER BY seq DESC LIMIT 1";
const BALANCES: &str = "SELECT code, balance FROM accounts WHERE code IN (SELECT value FROM json_each($1))";
const RECORDED: &str = "SELECT fingerprint, outcome FROM idempotency WHERE key = $1 AND actor = $2";
const ENTRY: &str =
    "INSERT INTO journal (seq, kind, actor, idem_key, snapshot_id, size_inr, size_btc, refs, at, prev, hash)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const LEG: &str = "INSERT INTO legs (seq, n, from_account, to_account, amount, from_after, to_after)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const BALANCE: &str = "INSERT INTO accounts (code, owner, asset, bucket, balance) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (code) DO UPDATE SET balance = excluded.balance";
const OUTCOME: &str = "INSERT INTO idempotency (actor, key, fingerprint, outcome) VALUES ($1, $2, $3, $4)";
const LINE: &str = "INSERT INTO statement (user_id, seq) VALUES ($1, $2)";

fn hash(bytes: &[u8]) -> anyhow::Result<[u8; 32]> {
    bytes.try_into().context("a stored hash is not 32 bytes long")
}

/// One trade, from the lock to the disk.
async fn execute(pool: &SqlitePool, price: &Snapshot, command: &Command) -> anyhow::Result<Answer> {
    let wanted = needs(std::slice::from_ref(command));
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let head = match sqlx::query(HEAD).fetch_optional(&mut *tx).await? {
        None => Head { seq: 0, hash: genesis(), at: Timestamp::default() },
        Some(row) => {
            Head { seq: row.try_get(0)?, hash: hash(row.try_get(1)?)?, at: Timestamp::from_micros(row.try_get(2)?) }
        }
    };
    let codes = serde_json::to_string(&wanted.accounts.iter().map(Account::code).collect::<Vec<_>>())?;
    let mut balances = HashMap::new();
    for row in sqlx::query(BALANCES).bind(codes).fetch_all(&mut *tx).await? {
        let code: &str = row.try_get(0)?;
        balances.insert(Account::parse(code).with_context(|| format!("{code} is no account"))?, row.try_get(1)?);
    }
    let mut recorded: HashMap<(Actor, IdemKey), Recorded> = HashMap::new();
    let stored = sqlx::query(RECORDED).bind(command.key.as_str()).bind(command.actor.code());
    if let Some(row) = stored.fetch_optional(&mut *tx).await? {
        let outcome = Outcome::from_bytes(row.try_get(1)?).context("not an outcome")?;
        let found = Recorded { fingerprint: hash(row.try_get(0)?)?, outcome };
        recorded.insert((command.actor, command.key.clone()), found);
    }
    let snapshots = HashMap::from([(price.id, price.clone())]);
    let view = View {
        head,
        balances,
        recorded,
        snapshots,
        entries: HashMap::new(),
        orders: HashMap::new(),
        holds: HashMap::new(),
        loans: HashMap::new(),
    };
    let mut decision = decide(view, std::slice::from_ref(command), MachineClock.now(), &Limits::default());
    for entry in &decision.batch.entries {
        insert(&mut tx, entry).await?;
    }
    for (account, balance) in &decision.batch.balances {
        sqlx::query(BALANCE)
            .bind(account.code())
            .bind(account.owner.code())
            .bind(account.asset.code())
            .bind(account.bucket.name())
            .bind(balance)
            .execute(&mut *tx)
            .await?;
    }
    for row in &decision.batch.idem {
        sqlx::query(OUTCOME)
            .bind(row.actor.code())
            .bind(row.key.as_str())
            .bind(row.recorded.fingerprint.as_slice())
            .bind(row.recorded.outcome.to_bytes())
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    decision.answers.pop().context("no answer")
}

async fn insert(tx: &mut sqlx::SqliteConnection, entry: &Entry) -> anyhow::Result<()> {
    let (inr, btc) = match entry.size {
        Some(Size::Inr(paise)) => (Some(paise), None),
        Some(Size::Btc(sat)) => (None, Some(sat)),
        None => (None, None),
    };
    sqlx::query(ENTRY)
        .bind(entry.seq)
        .bind(i64::from(entry.kind as u8))
        .bind(entry.actor.code())
        .bind(entry.key.as_str())
        .bind(entry.snapshot.map(|s| s.0))
        .bind(inr)
        .bind(btc)
        .bind(entry.refs)
        .bind(entry.at.micros())
        .bind(entry.prev.as_slice())
        .bind(entry.hash.as_slice())
        .execute(&mut *tx)
        .await?;
    for (n, leg) in (0_i64..).zip(&entry.legs) {
        sqlx::query(LEG)
            .bind(entry.seq)
            .bind(n)
            .bind(leg.from.code())
            .bind(leg.to.code())
            .bind(leg.amount)
            .bind(leg.from_after)
            .bind(leg.to_after)
            .execute(&mut *tx)
            .await?;
    }
    for user in users_of(entry) {
        sqlx::query(LINE).bind(user.0).bind(entry.seq).execute(&mut *tx).await?;
    }
    Ok(())
}

/// `load baseline`.
pub(crate) async fn run(args: &LedgerArgs, span: Span) -> anyhow::Result<Report> {
    let folder = folder(args)?;
    let db = sqlite(&folder).await?;
    prepare(db.ledger().as_ref(), args.users).await?;
    let price = db.ledger().latest_snapshot().await?.context("no price")?;
    let file = db.path().context("no file")?;
    let options = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(60))
        // the same as the store's own connections
        .pragma("cache_size", "-32768")
        .pragma("wal_autocheckpoint", "4000")
        .pragma("temp_store", "MEMORY");
    let pool = SqlitePoolOptions::new()
        .max_connections(CONNECTIONS)
        .min_connections(CONNECTIONS)
        .acquire_timeout(Duration::from_secs(120))
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    let price = Arc::new(price);
    let window = Window::open(span);
    let mut clients = JoinSet::new();
    for client in 0..args.in_flight {
        let (pool, price) = (pool.clone(), price.clone());
        let user = UserId(i64::from(client % args.users) + 1);
        clients.spawn(async move {
            let mut tally = Tally::new(window)?;
            let mut n = 0;
            while window.goes_on() {
                let command =
                    Command { actor: Actor::User(user), key: key(n, client)?, operation: trade(user, price.id, n) };
                let sent = Instant::now();
                match execute(&pool, &price, &command).await {
                    Ok(Answer::New(Outcome::Posted(_))) => tally.done(sent),
                    Ok(other) => tally.failed(format!("{other:?}")),
                    Err(error) => tally.failed(error.to_string()),
                }
                n += 1;
            }
            anyhow::Ok(tally)
        });
    }
    let tallies: Vec<Tally> = clients.join_all().await.into_iter().collect::<anyhow::Result<_>>()?;
    pool.close().await;
    if tallies.is_empty() {
        bail!("no clients");
    }
    let note = verified(db.ledger().as_ref()).await?;
    Ok(Report::of("one transaction a trade, SQLite", args.in_flight, window, tallies)?.note(note))
}
