//! The contract suites that every store passes, on a real server; and what only this one must do.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use orrery_store_postgres::{Fault, OpenError, Options, Postgres, SCHEMA_VERSION};
use orrery_testkit::servers::{POSTGRES, named};

/// The URL of an empty schema of its own.
async fn schema() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let base = named(POSTGRES);
    let name = format!("s{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
    let admin = sqlx::PgPool::connect(&base).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {name}"))).execute(&admin).await.unwrap();
    admin.close().await;
    format!("{base}?options=-c%20search_path%3D{name}")
}

async fn open_with(options: Options) -> Arc<Postgres> {
    let url = schema().await;
    let db = Postgres::connect(&url, options.clone()).await.unwrap();
    db.migrate().await.unwrap();
    db.close().await;
    Arc::new(Postgres::open(&url, options).await.unwrap())
}

async fn open() -> Arc<Postgres> {
    open_with(Options { connections: 4, ..Options::default() }).await
}

mod ledger {
    use super::*;

    async fn fresh() -> orrery_testkit::ledger::Store {
        open().await
    }

    orrery_testkit::ledger_contract!(fresh());

    #[test]
    fn beside_the_model() {
        orrery_testkit::ledger::state_machine(6, fresh);
    }
}

mod plans {
    use super::*;

    async fn fresh() -> orrery_testkit::plans::Store {
        let db = open().await;
        (db.clone(), db)
    }

    orrery_testkit::plans_contract!(fresh());
}

mod identity {
    use super::*;

    async fn fresh() -> orrery_testkit::identity::Store {
        open().await
    }

    orrery_testkit::identity_contract!(fresh());
}

mod market {
    use super::*;

    async fn fresh() -> orrery_testkit::market::Store {
        open().await
    }

    orrery_testkit::market_contract!(fresh());
}

mod channels {
    use super::*;

    async fn fresh() -> orrery_testkit::channels::Store {
        open().await
    }

    orrery_testkit::channels_contract!(fresh());
}

mod wallets {
    use super::*;

    async fn fresh() -> orrery_testkit::wallets::Store {
        open().await
    }

    orrery_testkit::wallets_contract!(fresh());
}

mod paper {
    use super::*;

    async fn fresh() -> orrery_testkit::paper::Store {
        open().await
    }

    orrery_testkit::paper_contract!(fresh());
}

mod workers {
    use super::*;

    async fn fresh() -> orrery_testkit::workers::Store {
        open().await
    }

    orrery_testkit::workers_contract!(fresh());
}

mod leases {
    use super::*;

    async fn fresh() -> orrery_testkit::leases::Store {
        open().await
    }

    orrery_testkit::leases_contract!(fresh());
}

mod fleet {
    use super::*;

    async fn fresh() -> orrery_testkit::fleet::Store {
        let store = open().await;
        (store.clone(), store)
    }

    orrery_testkit::fleet_contract!(fresh());
}

mod kept {
    use super::*;

    async fn fresh() -> orrery_testkit::kept::Store {
        let store = open().await;
        (store.clone(), store.clone(), store)
    }

    orrery_testkit::kept_contract!(fresh());
}

mod kv {
    use super::*;

    async fn fresh() -> orrery_testkit::kv::Store {
        let store = open().await;
        (store.clone(), store)
    }

    orrery_testkit::kv_contract!(fresh());
}

mod worker_logs {
    use super::*;

    async fn fresh() -> orrery_testkit::worker_logs::Store {
        open().await
    }

    orrery_testkit::worker_logs_contract!(fresh());
}

#[tokio::test]
async fn an_unmigrated_database_says_so_and_migrating_may_be_repeated() {
    let url = schema().await;
    let Err(OpenError::Unmigrated { found: 0, needed }) = Postgres::open(&url, Options::default()).await else {
        unreachable!("it is empty");
    };
    assert_eq!(needed, SCHEMA_VERSION);
    let db = Postgres::connect(&url, Options::default()).await.unwrap();
    assert!(db.migration_status().await.unwrap().iter().all(|m| !m.applied));
    let (a, b) = tokio::join!(db.migrate(), db.migrate());
    a.unwrap();
    b.unwrap();
    db.migrate().await.unwrap();
    assert!(db.migration_status().await.unwrap().iter().all(|m| m.applied && m.intact));
    Postgres::open(&url, Options::default()).await.unwrap();
}

#[tokio::test]
async fn nobody_to_talk_to_and_a_bad_url_are_errors_without_secrets() {
    let port = orrery_testkit::servers::free_port().unwrap();
    let url = format!("postgres://ann:hunter2@127.0.0.1:{port}/x");
    let error = Postgres::open(&url, Options::default()).await.unwrap_err().to_string();
    assert!(error.contains("cannot connect") && !error.contains("hunter2"), "{error}");
    let error = Postgres::open("postgres://:hunter2@[::bad", Options::default()).await.unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn history_cannot_be_rewritten() {
    use orrery_testkit::ledger::a_trade_end_to_end;
    let url = schema().await;
    let db = Postgres::connect(&url, Options::default()).await.unwrap();
    db.migrate().await.unwrap();
    a_trade_end_to_end(db.ledger()).await;
    let raw = sqlx::PgPool::connect(&url).await.unwrap();
    for text in [
        "UPDATE journal SET at = at + 1",
        "DELETE FROM journal",
        "TRUNCATE journal CASCADE",
        "UPDATE legs SET amount = amount + 1",
        "DELETE FROM legs",
        "DELETE FROM statement",
        "UPDATE idempotency SET key = key || 'x'",
        "DELETE FROM idempotency",
        "UPDATE snapshots SET buy_rate = buy_rate + 1",
        "DELETE FROM accounts",
        "DELETE FROM audit_log WHERE FALSE",
        "UPDATE accounts SET balance = -1 WHERE owner = 'user:1' AND asset = 'INR' AND bucket = 'available'",
        "INSERT INTO journal (seq, kind, actor, idem_key, at, prev, hash) \
         SELECT seq + 9, kind, actor, idem_key, at, prev, hash FROM journal WHERE seq = 1",
        "INSERT INTO legs SELECT seq + 100, n, from_account, to_account, amount, from_after, to_after FROM legs",
        "INSERT INTO statement (user_id, seq) VALUES (1, 100)",
        "INSERT INTO journal (seq, kind, actor, idem_key, snapshot_id, at, prev, hash) \
         SELECT seq + 1, kind, actor, idem_key, 999, at, prev, hash FROM journal ORDER BY seq DESC LIMIT 1",
    ] {
        let done = sqlx::query(sqlx::AssertSqlSafe(text.to_owned())).execute(&raw).await;
        assert!(done.is_err(), "{text} went through");
    }
}

/// A statement that fails at any point of a commit leaves the ledger as it was, and a lost answer is
/// found under its key.
#[tokio::test]
async fn a_commit_that_fails_anywhere_changes_nothing() {
    use orrery_kernel::{Asset, StoreError, UserId};
    use orrery_ledger::{Actor, Answer, Command, IdemKey, LedgerStore, Limits, Operation, decide, needs};
    use orrery_testkit::ledger::START;
    let (armed, point) = (Arc::new(AtomicBool::new(false)), Arc::new(std::sync::Mutex::new(String::new())));
    let (is_armed, which) = (armed.clone(), point.clone());
    let fault: Fault = Arc::new(move |name| {
        let hit = is_armed.load(Ordering::SeqCst) && *which.lock().unwrap() == name;
        if hit { Err(format!("cut at {name}")) } else { Ok(()) }
    });
    let db = open_with(Options { fault: Some(fault), connections: 4, ..Options::default() }).await;
    let command = |key: &str| Command {
        actor: Actor::System,
        key: IdemKey::new(key).unwrap(),
        operation: Operation::Deposit { user: UserId(1), asset: Asset::INR, amount: 500 },
    };
    let run = async |key: &str| {
        let commands = vec![command(key)];
        let wanted = needs(&commands);
        let decide = Box::new(move |view| decide(view, &commands, START, &Limits::default()));
        db.commit(&wanted, decide).await
    };
    run("first").await.unwrap();
    for name in ["lock", "view", "write_batch"] {
        *point.lock().unwrap() = name.to_owned();
        armed.store(true, Ordering::SeqCst);
        assert!(matches!(run(name).await, Err(StoreError::Unavailable(_))), "{name}");
        armed.store(false, Ordering::SeqCst);
        assert_eq!(db.sheet(UserId(1)).await.unwrap().0.available_inr, 500, "{name}");
    }
    *point.lock().unwrap() = "commit".to_owned();
    armed.store(true, Ordering::SeqCst);
    assert!(matches!(run("lost").await, Err(StoreError::Unknown(_))));
    armed.store(false, Ordering::SeqCst);
    let keys = [(Actor::System, IdemKey::new("lost").unwrap())];
    assert_eq!(db.recorded(&keys).await.unwrap().len(), 1);
    assert!(matches!(run("lost").await.unwrap()[0], Answer::Replay(_)));
    assert_eq!(db.sheet(UserId(1)).await.unwrap().0.available_inr, 1_000);
}

/// Two processes on one database: their batches take turns, and nothing is lost or doubled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_one_ledger() {
    let url = schema().await;
    let first = Postgres::connect(&url, Options::default()).await.unwrap();
    first.migrate().await.unwrap();
    let second = Postgres::open(&url, Options::default()).await.unwrap();
    orrery_testkit::ledger::one_order_for_all_of(vec![first.ledger(), second.ledger()]).await;
}

/// Once somebody else has the lease, a fenced writer writes no more.
#[tokio::test]
async fn a_fence_stops_the_former_holder() {
    use std::time::Duration;
    let db = open().await;
    let leases = db.leases();
    let a = leases.acquire("poller", "a", Duration::from_secs(600)).await.unwrap().unwrap();
    let held = a.clone();
    let fenced = db.fenced(Arc::new(move || Some(held.clone())));
    let price = orrery_testkit::ledger::price(409_500_000, 396_000_000);
    fenced.ledger().put_snapshot(&price).await.unwrap();
    leases.release(&a).await.unwrap();
    leases.acquire("poller", "b", Duration::from_secs(600)).await.unwrap().unwrap();
    assert!(fenced.ledger().put_snapshot(&price).await.is_err());
    assert!(db.fenced(Arc::new(|| None)).ledger().put_snapshot(&price).await.is_err());
    db.ledger().put_snapshot(&price).await.unwrap();
    assert_eq!(db.ledger().latest_snapshot().await.unwrap().unwrap().id.0, 2);
}
