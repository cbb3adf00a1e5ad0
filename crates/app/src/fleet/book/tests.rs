//! What the book of a node makes of stores that fail.

use orrery_kernel::Timestamp;
use orrery_store_memory::{MemoryFleet, MemoryWorkers};
use orrery_testkit::fakes::ManualClock;
use orrery_workers::fleet::Reason;

use super::*;

const AT: Timestamp = Timestamp::from_secs(1_760_000_000);

fn record(id: &str, ended: bool) -> RunRecord {
    RunRecord {
        id: id.into(),
        sid: "w".into(),
        version: 1,
        node: "a".into(),
        epoch: 0,
        started_at: AT,
        ended_at: ended.then_some(AT),
        outcome: ended.then(|| "good".into()),
        error: None,
        calls: 0,
        cpu_ms: 0,
    }
}

fn book() -> (Arc<Book>, Arc<MemoryFleet>) {
    let clock = Arc::new(ManualClock::at(AT));
    let fleet = Arc::new(MemoryFleet::new(clock.clone(), Arc::new(MemoryWorkers::default())));
    (Arc::new(Book::new(fleet.clone(), clock)), fleet)
}

#[tokio::test]
async fn a_run_that_was_short_is_written_once_and_a_long_one_twice() {
    let (book, fleet) = book();
    book.began(record("short", false));
    book.ended(record("short", true));
    book.began(record("long", false));
    book.write().await.unwrap();
    let ended = async || {
        let mut runs: Vec<_> = fleet.runs("w", 10).await.unwrap().into_iter().map(|r| (r.id, r.ended_at)).collect();
        runs.sort();
        runs
    };
    assert_eq!(ended().await, [("long".to_owned(), None), ("short".to_owned(), Some(AT))]);
    book.ended(record("long", true));
    book.write().await.unwrap();
    assert_eq!(ended().await, [("long".to_owned(), Some(AT)), ("short".to_owned(), Some(AT))]);
}

#[tokio::test]
async fn what_a_failure_left_waits() {
    let (book, fleet) = book();
    // one is open, one ends while the store fails, one had ended
    book.began(record("open", false));
    book.inner().open.get_mut("open").unwrap().1 = true;
    book.ended(record("meanwhile", true));
    book.back(vec![record("had", true), record("open", false), record("meanwhile", false)]);
    book.write().await.unwrap();
    let mut runs: Vec<_> = fleet.runs("w", 10).await.unwrap().into_iter().map(|r| (r.id, r.ended_at)).collect();
    runs.sort();
    assert_eq!(runs, [("had".to_owned(), Some(AT)), ("meanwhile".to_owned(), Some(AT)), ("open".to_owned(), None)]);
}

#[tokio::test]
async fn the_oldest_go_when_too_many_wait() {
    let (book, _) = book();
    for n in 0..ENDED_MAX + 2 {
        book.ended(record(&n.to_string(), true));
    }
    let inner = book.inner();
    assert_eq!((inner.ended.len(), inner.ended[0].id.as_str()), (ENDED_MAX, "2"));
}

#[tokio::test]
async fn the_last_is_written_when_it_is_over_and_what_is_settled_is_told() {
    let (book, fleet) = book();
    let (told, mut messages) = mpsc::channel(4);
    let over = CancellationToken::new();
    let settled = Settled { sid: "w".into(), node: None, version: 3, reason: Reason::Done };
    book.settle(settled.clone(), None);
    book.settle(settled, None);
    assert_eq!(book.inner().settles.len(), 1, "it is under way");
    let keeping = book.clone().keep(told, over.clone());
    let after = async {
        assert!(matches!(messages.recv().await, Some(Told::Settled(sid, 3)) if sid == "w"));
        book.ended(record("last", true));
        over.cancel();
    };
    tokio::join!(keeping, after);
    assert_eq!(fleet.runs("w", 10).await.unwrap().len(), 1);
}
