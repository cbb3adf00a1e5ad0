//! Commits and reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use orrery_kernel::{Asset, SnapshotId, StoreError, UserId};
use orrery_ledger::{
    Account, Answer, Bucket, Decision, Entry, Head, Kind, LedgerStore, Needs, Outcome, Owner, Page, Sheet, Size,
};

use crate::support::{Db, at, audit, commit, decide, deposit, genesis, key, needs, post, price};

#[tokio::test]
async fn a_commit_is_read_back_whole() {
    let db = Db::new().await;
    assert_eq!(db.store.head().await.unwrap(), genesis());
    let deposits = [deposit(1, 500, "a"), deposit(2, 70, "b"), deposit(1, 25, "c")];
    let answers = commit(&db.store, &deposits).await.unwrap();
    assert!(answers.iter().all(|a| matches!(a, Answer::New(Outcome::Posted(_)))), "{answers:?}");

    let entries = db.store.entries(0, 10).await.unwrap();
    assert_eq!(entries.iter().map(|e| (e.seq, e.key.as_str())).collect::<Vec<_>>(), [(1, "a"), (2, "b"), (3, "c")]);
    let last = &entries[2];
    assert_eq!(db.store.head().await.unwrap(), Head { seq: 3, hash: last.hash, at: last.at });
    assert_eq!((last.prev, last.legs.len()), (entries[1].hash, 1));
    assert_eq!(db.store.sheet(UserId(1)).await.unwrap(), (Sheet { available_inr: 525, ..Sheet::default() }, 3));
    assert_eq!(db.store.sheet(UserId(9)).await.unwrap(), (Sheet::default(), 3));
    assert_eq!(db.store.balances(&Owner::World).await.unwrap(), (vec![(Account::world(Asset::INR), -595)], 3));
    assert_eq!(db.store.user_totals().await.unwrap(), [(Asset::INR, Bucket::Available, 595)]);
    assert_eq!(db.store.entries(2, 10).await.unwrap().len(), 1);
    assert_eq!(db.store.entries(0, 2).await.unwrap().len(), 2);

    let ids: Vec<_> =
        deposits.iter().map(|d| (d.actor(), d.key.clone())).chain([(deposits[0].actor(), key("x"))]).collect();
    let recorded = db.store.recorded(&ids).await.unwrap();
    assert_eq!(recorded.len(), 3);
    for (d, answer) in deposits.iter().zip(answers) {
        assert_eq!(Answer::New(recorded[&(d.actor(), d.key.clone())].outcome.clone()), answer);
    }
}

#[tokio::test]
async fn the_view_is_what_was_asked_for() {
    let db = Db::new().await;
    commit(&db.store, &[deposit(1, 500, "a"), deposit(2, 70, "b")]).await.unwrap();
    let (first, second) =
        (db.store.put_snapshot(&price(100)).await.unwrap(), db.store.put_snapshot(&price(200)).await.unwrap());
    let mut wanted = needs(&[deposit(2, 1, "b"), deposit(3, 1, "new")]);
    wanted.snapshots.extend([second, SnapshotId(99)]);
    let answers = db
        .store
        .commit(
            &wanted,
            Box::new(move |view| {
                assert_eq!(view.head.seq, 2);
                let mut codes: Vec<_> = view.balances.iter().map(|(a, b)| (a.code(), *b)).collect();
                codes.sort();
                assert_eq!(codes, [("user:2/INR/available".to_owned(), 70), ("world/INR/outside".to_owned(), -570)]);
                assert_eq!(view.recorded.len(), 1);
                assert!(first < second && view.snapshots.len() == 1);
                assert_eq!(view.snapshots[&second].price, price(200));
                assert!(view.entries.is_empty());
                decide(view, Vec::new())
            }),
        )
        .await
        .unwrap();
    assert!(answers.is_empty());
}

/// The entry that a reversal looks at comes with every account of the users in it.
#[tokio::test]
async fn entries_to_reverse_bring_their_accounts() {
    let db = Db::new().await;
    commit(&db.store, &[deposit(1, 500, "a"), deposit(11, 70, "b"), deposit(2, 1, "c")]).await.unwrap();
    db.sql(
        "INSERT INTO accounts VALUES ('user:1/BTC/collateral', 'user:1', 'BTC', 'collateral', 9),
                                     ('user:11/BTC/collateral', 'user:11', 'BTC', 'collateral', 8)",
    )
    .await
    .unwrap();
    let wanted = Needs { entries: [1, 77].into(), ..Needs::default() };
    db.store
        .commit(
            &wanted,
            Box::new(|view| {
                assert_eq!(view.entries.keys().collect::<Vec<_>>(), [&1]);
                let posted = &view.entries[&1];
                assert_eq!((posted.entry.key.as_str(), posted.resolved_by), ("a", None));
                let mut codes: Vec<_> = view.balances.iter().map(|(a, b)| (a.code(), *b)).collect();
                codes.sort();
                let want = [("user:1/BTC/collateral", 9), ("user:1/INR/available", 500), ("world/INR/outside", -571)];
                assert_eq!(codes, want.map(|(c, b)| (c.to_owned(), b)));
                // undo it
                let mut decision = decide(view, vec![deposit(2, 3, "undo")]);
                decision.batch.entries[0].refs = Some(1);
                decision.batch.entries[0].kind = Kind::Reverse;
                decision
            }),
        )
        .await
        .unwrap();
    let statement = db.store.statement(UserId(1), Page::after(0, 10)).await.unwrap();
    assert_eq!(statement[0].resolved_by, Some(4));
    // and not twice, whatever is decided
    let twice = db
        .store
        .commit(
            &needs(&[deposit(2, 3, "twice")]),
            Box::new(|view| {
                let mut decision = decide(view, vec![deposit(2, 3, "twice")]);
                decision.batch.entries[0].refs = Some(1);
                decision
            }),
        )
        .await;
    assert!(matches!(twice, Err(StoreError::Corrupt { .. })), "{twice:?}");
    assert_eq!(db.store.head().await.unwrap().seq, 4);
}

#[tokio::test]
async fn every_field_of_an_entry_survives() {
    let db = Db::new().await;
    let snapshot = db.store.put_snapshot(&price(4_500_000)).await.unwrap();
    for (n, size) in [Some(Size::Inr(i64::MAX)), Some(Size::Btc(1)), None].into_iter().enumerate() {
        let written: Arc<std::sync::Mutex<Option<Entry>>> = Arc::default();
        let keep = written.clone();
        let name = format!("odd~!\"'\\{{}}[]{n}");
        let d = deposit(1, 7, &name);
        let decider = Box::new(move |view| {
            let mut decision = decide(view, vec![d]);
            let entry = &mut decision.batch.entries[0];
            (entry.size, entry.snapshot, entry.kind) = (size, Some(snapshot), Kind::MarketBuy);
            *keep.lock().unwrap() = Some(entry.clone());
            decision
        });
        db.store.commit(&needs(&[deposit(1, 7, &name)]), decider).await.unwrap();
        let newest = &db.store.statement(UserId(1), Page::after(0, 1)).await.unwrap()[0];
        assert_eq!(Some(&newest.entry), written.lock().unwrap().as_ref());
        assert_eq!(newest.snapshot.as_ref().unwrap().price, price(4_500_000));
    }
}

#[tokio::test]
async fn statements_are_paged_newest_first_and_are_the_users_own() {
    let db = Db::new().await;
    let deposits: Vec<_> = (0..30).map(|n| deposit(1 + n % 3, 1 + n, &format!("k{n}"))).collect();
    commit(&db.store, &deposits).await.unwrap();
    let seqs = async |user, offset, limit| -> Vec<i64> {
        db.store
            .statement(UserId(user), Page::after(offset, limit))
            .await
            .unwrap()
            .iter()
            .map(|p| p.entry.seq)
            .collect()
    };
    assert_eq!(seqs(1, 0, 4).await, [28, 25, 22, 19]);
    assert_eq!(seqs(1, 4, 4).await, [16, 13, 10, 7]);
    assert_eq!(seqs(1, 8, 4).await, [4, 1]);
    assert!(seqs(1, 10, 4).await.is_empty());
    assert!(seqs(4, 0, 4).await.is_empty());
    assert!(seqs(1, u64::MAX, 4).await.is_empty());
}

#[tokio::test]
async fn a_commit_of_256_is_one_transaction() {
    let db = Db::new().await;
    let deposits: Vec<_> = (0..256).map(|n| deposit(1 + n % 40, 10, &format!("k{n}"))).collect();
    assert_eq!(commit(&db.store, &deposits).await.unwrap().len(), 256);
    assert_eq!(db.store.head().await.unwrap().seq, 256);
    let again = commit(&db.store, &deposits).await.unwrap();
    assert!(again.iter().all(|a| matches!(a, Answer::Replay(_))));
    assert_eq!(db.store.head().await.unwrap().seq, 256);
}

#[tokio::test]
async fn nothing_to_write_writes_nothing() {
    let db = Db::new().await;
    commit(&db.store, &[deposit(1, 5, "a")]).await.unwrap();
    let wal = || std::fs::metadata(db.folder.path().join("orrery.db-wal")).unwrap().len();
    let before = wal();
    let answers = commit(&db.store, &[deposit(1, 5, "a")]).await.unwrap();
    assert!(matches!(answers[..], [Answer::Replay(_)]));
    assert_eq!(wal(), before);
}

#[tokio::test]
async fn a_decision_on_another_head_is_refused() {
    let db = Db::new().await;
    let refused = db
        .store
        .commit(
            &needs(&[deposit(1, 5, "a")]),
            Box::new(|view| {
                let mut decision: Decision = decide(view, vec![deposit(1, 5, "a")]);
                decision.batch.expected.hash[0] ^= 1;
                decision
            }),
        )
        .await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(db.store.head().await.unwrap(), genesis());
}

#[tokio::test]
async fn the_schema_refuses_balances_out_of_bounds() {
    let db = Db::new().await;
    let refused = commit(&db.store, &[deposit(1, 5, "a"), deposit(1, -6, "b")]).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    assert_eq!(db.store.head().await.unwrap(), genesis());
    assert!(db.store.recorded(&[(deposit(1, 5, "a").actor(), key("a"))]).await.unwrap().is_empty());

    for bad in [
        "INSERT INTO accounts VALUES ('user:1/INR/available', 'user:1', 'INR', 'available', -1)",
        "INSERT INTO accounts VALUES ('user:1/INR/borrowed', 'user:1', 'INR', 'borrowed', 1)",
        "INSERT INTO accounts VALUES ('user:1/INR/interest', 'user:1', 'INR', 'interest', 1)",
        "INSERT INTO accounts VALUES ('world/INR/outside', 'world', 'INR', 'outside', 1)",
        "INSERT INTO accounts VALUES ('house/INR/treasury', 'house', 'INR', 'treasury', -1)",
        "INSERT INTO accounts VALUES ('house/BTC/inventory', 'house', 'BTC', 'inventory', 4000000000000000001)",
        "INSERT INTO accounts VALUES ('user:1/INR/available', 'user:2', 'INR', 'available', 1)",
    ] {
        assert!(db.sql(bad).await.unwrap_err().to_string().contains("CHECK"), "{bad}");
    }
    for good in [
        "INSERT INTO accounts VALUES ('house/BTC/inventory', 'house', 'BTC', 'inventory', -4000000000000000000)",
        "INSERT INTO accounts VALUES ('user:1/INR/borrowed', 'user:1', 'INR', 'borrowed', -1)",
        "INSERT INTO accounts VALUES ('wallet:abc/TST/available', 'wallet:abc', 'TST', 'available', 1)",
    ] {
        assert_eq!(db.sql(good).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn history_cannot_be_rewritten() {
    let db = Db::new().await;
    db.store.put_snapshot(&price(100)).await.unwrap();
    commit(&db.store, &[deposit(1, 5, "a")]).await.unwrap();
    for bad in [
        "UPDATE journal SET at = at + 1",
        "DELETE FROM journal",
        "UPDATE legs SET amount = amount + 1",
        "DELETE FROM legs",
        "UPDATE statement SET user_id = 2",
        "DELETE FROM statement",
        "UPDATE idempotency SET outcome = x'0103'",
        "DELETE FROM idempotency",
        "UPDATE snapshots SET buy_rate = 1, sell_rate = 1",
        "DELETE FROM snapshots",
        "DELETE FROM accounts",
        "INSERT OR REPLACE INTO journal SELECT seq, kind, actor, idem_key, snapshot_id, size_inr, size_btc, refs, at + 1, prev, hash, term_rate, term_until FROM journal",
        "INSERT INTO journal SELECT seq + 2, kind, actor, idem_key, snapshot_id, size_inr, size_btc, refs, at, prev, hash, term_rate, term_until FROM journal",
    ] {
        let refused = db.sql(bad).await.expect_err(bad).to_string();
        assert!(refused.contains("append-only") || refused.contains("never deleted"), "{bad}: {refused}");
    }
}

#[tokio::test]
async fn snapshots_rise() {
    let db = Db::new().await;
    assert!(db.store.latest_snapshot().await.unwrap().is_none());
    let first = db.store.put_snapshot(&price(1)).await.unwrap();
    let second = db.store.put_snapshot(&price(2)).await.unwrap();
    assert!(second > first);
    let latest = db.store.latest_snapshot().await.unwrap().unwrap();
    assert_eq!((latest.id, latest.price), (second, price(2)));
}

/// Readers see a whole commit or nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_are_of_one_moment() {
    let db = Db::new().await;
    let done = AtomicBool::new(false);
    let write = async {
        for n in 0..60 {
            let pair = [deposit(1, 1, &format!("a{n}")), deposit(1, 1, &format!("b{n}"))];
            commit(&db.store, &pair).await.unwrap();
        }
        done.store(true, Ordering::SeqCst);
    };
    let read = async {
        while !done.load(Ordering::SeqCst) {
            let (sheet, seq) = db.store.sheet(UserId(1)).await.unwrap();
            assert_eq!((sheet.available_inr, seq % 2), (seq, 0));
        }
    };
    tokio::join!(write, read);
    assert_eq!(db.store.sheet(UserId(1)).await.unwrap().1, 120);
}

/// An audit is of one moment, however long it takes and whoever writes meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_is_of_one_moment() {
    let db = Db::new().await;
    let done = AtomicBool::new(false);
    let write = async {
        for n in 0..40 {
            let some: Vec<_> = (0..20).map(|i| deposit(1 + i, 1, &format!("k{n}-{i}"))).collect();
            commit(&db.store, &some).await.unwrap();
        }
        done.store(true, Ordering::SeqCst);
    };
    let read = async {
        while !done.load(Ordering::SeqCst) {
            let heard = audit(&db.store).await;
            let count = heard.entries.len();
            assert!(heard.corrupt.is_empty(), "{:?}", heard.corrupt);
            assert_eq!((count % 20, heard.recorded.len()), (0, count));
            assert_eq!(heard.balances.iter().map(|(_, b)| b.max(&0)).sum::<i64>(), count as i64);
        }
    };
    tokio::join!(write, read);
    assert_eq!(audit(&db.store).await.entries.len(), 800);
}

#[tokio::test]
async fn an_empty_batch_of_keys_is_fine() {
    let db = Db::new().await;
    assert!(db.store.recorded(&[]).await.unwrap().is_empty());
    assert!(db.store.commit(&Needs::default(), post(Vec::new())).await.unwrap().is_empty());
    assert_eq!(at(0), genesis().at);
}
