//! Statements and commits that fail, deciders that panic, callers that go away.

use orrery_kernel::StoreError;
use orrery_ledger::{Answer, LedgerStore};

use crate::support::{Breaker, Db, audit, commit, decide, deposit, genesis, needs, post};

#[tokio::test]
async fn a_failed_statement_leaves_nothing_half_written() {
    let breaker = Breaker::default();
    let db = Db::with(breaker.options()).await;
    let d = [deposit(1, 5, "a"), deposit(2, 6, "b")];
    for statement in
        ["begin", "view", "insert_journal", "insert_legs", "put_balances", "insert_statement", "insert_outcomes"]
    {
        breaker.set(Some(statement));
        let failed = commit(&db.store, &d).await;
        assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{statement}: {failed:?}");
        let heard = audit(&db.store).await;
        assert!(heard.entries.is_empty() && heard.balances.is_empty() && heard.recorded.is_empty(), "{statement}");
        assert!(heard.corrupt.is_empty(), "{statement}: {:?}", heard.corrupt);
        // nothing holds the file locked
        assert_eq!(db.sql("BEGIN IMMEDIATE; COMMIT").await.unwrap(), 0);
    }
    breaker.set(None);
    commit(&db.store, &d).await.unwrap();
    assert_eq!(db.store.head().await.unwrap().seq, 2);
}

#[tokio::test]
async fn a_failed_commit_is_unknown_and_resolved_by_key() {
    let breaker = Breaker::default();
    let db = Db::with(breaker.options()).await;
    let d = [deposit(1, 5, "a")];
    let id = [(d[0].actor(), d[0].key.clone())];

    breaker.set(Some("commit"));
    assert!(matches!(commit(&db.store, &d).await, Err(StoreError::Unknown(_))));
    assert!(db.store.recorded(&id).await.unwrap().is_empty(), "it did not happen");

    breaker.set(Some("committed"));
    assert!(matches!(commit(&db.store, &d).await, Err(StoreError::Unknown(_))));
    assert_eq!(db.store.recorded(&id).await.unwrap().len(), 1, "it did happen");

    breaker.set(None);
    assert!(matches!(commit(&db.store, &d).await.unwrap()[..], [Answer::Replay(_)]));
    assert_eq!(db.store.head().await.unwrap().seq, 1);
}

#[tokio::test]
async fn a_panicking_decider_rolls_back() {
    let db = Db::new().await;
    let d = [deposit(1, 5, "a")];
    let failed = db.store.commit(&needs(&d), Box::new(|_| panic!("on purpose"))).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    assert_eq!(db.sql("BEGIN IMMEDIATE; COMMIT").await.unwrap(), 0);
    commit(&db.store, &d).await.unwrap();
    assert_eq!(db.store.head().await.unwrap().seq, 1);
}

/// A caller that goes away at any moment leaves either a whole commit or nothing, and no lock.
#[tokio::test]
async fn a_dropped_caller_leaves_no_open_transaction() {
    use std::task::{Context, Poll, Waker};

    let db = Db::new().await;
    for polls in 0..12 {
        let d = vec![deposit(1, 5, &format!("k{polls}"))];
        let needs = needs(&d);
        let mut running = db.store.commit(&needs, post(d.clone()));
        let mut finished = false;
        for _ in 0..polls {
            if let Poll::Ready(answers) = running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                answers.unwrap();
                finished = true;
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(running);
        // the next one waits for whatever was begun
        commit(&db.store, &[deposit(2, 1, &format!("after{polls}"))]).await.unwrap();
        assert_eq!(db.sql("BEGIN IMMEDIATE; COMMIT").await.unwrap(), 0);
        let there = db.store.recorded(&[(d[0].actor(), d[0].key.clone())]).await.unwrap().len();
        assert!(there == 1 || !finished);
        // begun means done: only a commit that was never polled did not happen
        assert_eq!(there, usize::from(polls > 0), "polled {polls} times");
    }
    let heard = audit(&db.store).await;
    assert!(heard.corrupt.is_empty());
    assert_eq!(heard.entries.len(), heard.recorded.len());
}

#[tokio::test]
async fn the_caller_waits_no_longer_than_told() {
    use orrery_store_sqlite::Options;
    use std::time::Duration;
    let options = Options { busy_timeout: Duration::from_millis(20), ..Options::default() };
    let db = Db::with(options).await;
    let mut other = db.bare().await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let busy = commit(&db.store, &[deposit(1, 5, "a")]).await;
    assert!(matches!(busy, Err(StoreError::Unavailable(_))), "{busy:?}");
    // readers do not wait for writers
    assert_eq!(db.store.head().await.unwrap(), genesis());
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    commit(&db.store, &[deposit(1, 5, "a")]).await.unwrap();
}

/// SQLite rolls some errors back by itself; the connection must be as good as before.
#[tokio::test]
async fn a_full_disk_is_survived() {
    use orrery_store_sqlite::Options;
    let pragmas = vec![("max_page_count".to_owned(), "256".to_owned())];
    let db = Db::with(Options { pragmas, ..Options::default() }).await;
    let mut n = 0;
    let full = loop {
        let many: Vec<_> = (0..100).map(|i| deposit(i + 1, 1, &format!("k{n}-{i}"))).collect();
        match commit(&db.store, &many).await {
            Ok(_) => n += 1,
            Err(e) => break e,
        }
        assert!(n < 1_000, "256 pages hold no 100,000 entries");
    };
    assert!(matches!(full, StoreError::Unavailable(_)), "{full:?}");
    let seq = db.store.head().await.unwrap().seq;
    assert_eq!(seq, n * 100);
    assert_eq!(db.sql("BEGIN IMMEDIATE; COMMIT").await.unwrap(), 0);
    // reading needs the same connection to be out of its transaction
    let answers = db.store.commit(&needs(&[]), Box::new(|view| decide(view, Vec::new()))).await.unwrap();
    assert!(answers.is_empty());
    assert!(audit(&db.store).await.corrupt.is_empty());
}
