//! Several processes on one store of leases.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use orrery_app::shares;
use orrery_app::tasks::Tasks;
use orrery_kernel::{Clock, Timestamp};
use orrery_store_memory::MemoryLeases;
use tokio::sync::watch;
use tokio::time::Instant;

/// The test's own time, which passes when everything waits.
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_000).plus(self.0.elapsed())
    }
}

struct Process {
    holds: watch::Receiver<BTreeSet<String>>,
    tasks: Tasks,
}

impl Process {
    fn start(store: &Arc<MemoryLeases>, name: &str, wanted: &watch::Sender<BTreeSet<String>>) -> Self {
        let tasks = Tasks::new();
        let holds = shares::start(store.clone(), "streams", name.to_owned(), wanted.subscribe(), &tasks);
        Self { holds, tasks }
    }

    /// Waits until it holds so many; gives how long that took.
    async fn holds(&mut self, count: usize) -> Duration {
        let from = Instant::now();
        let waited = self.holds.wait_for(|holds| holds.len() == count);
        tokio::time::timeout(Duration::from_secs(60), waited).await.unwrap().unwrap();
        from.elapsed()
    }

    fn seen(&self) -> BTreeSet<String> {
        self.holds.borrow().clone()
    }
}

fn names(count: usize) -> BTreeSet<String> {
    (0..count).map(|n| format!("binance/{n:02}")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_process_that_joins_gets_its_part_and_one_that_stops_leaves_it() {
    let store = Arc::new(MemoryLeases::new(Arc::new(Paused(Instant::now()))));
    let (wanted, _) = watch::channel(names(8));
    let mut a = Process::start(&store, "a", &wanted);
    a.holds(8).await;
    let mut b = Process::start(&store, "b", &wanted);
    b.holds(4).await;
    a.holds(4).await;
    assert!(a.seen().is_disjoint(&b.seen()));
    // what is wanted no more is given back
    wanted.send_replace(names(2));
    a.holds(1).await;
    b.holds(1).await;
    wanted.send_replace(names(8));
    a.holds(4).await;
    a.tasks.drain().await;
    let took = b.holds(8).await;
    assert!(took < Duration::from_secs(6), "it was given back: {took:?}");
    assert_eq!(b.seen(), names(8));
    b.tasks.drain().await;
    assert_eq!(b.seen(), BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_process_held_is_taken_within_its_term() {
    let store = Arc::new(MemoryLeases::new(Arc::new(Paused(Instant::now()))));
    let (wanted, _) = watch::channel(names(5));
    // a process that says nothing more: it sat down, took its part, and is gone
    use orrery_storage::LeaseStore as _;
    let term = Duration::from_secs(15);
    store.acquire("streams/member/00", "dead", term).await.unwrap().unwrap();
    for share in names(5) {
        store.acquire(&format!("streams/share/{share}"), "dead", term).await.unwrap().unwrap();
    }
    let mut b = Process::start(&store, "b", &wanted);
    let took = b.holds(5).await;
    assert!(took >= Duration::from_secs(14) && took <= Duration::from_secs(20), "{took:?}");
    b.tasks.drain().await;
}
