//! The same driver on a database, whose clock nobody stops: what depends on its transactions.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use orrery_workers::Draft;

use crate::house::{House, leader};

/// A bound, not a measure: the machine may have much else to do.
const BOUND: Duration = Duration::from_secs(60);

async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(BOUND, async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "not in time: {what}");
}

#[tokio::test]
async fn leaders_hand_over_and_dead_ones_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::on_sqlite(folder.path()).await;
    let mut nodes: Vec<_> = ["a", "b", "c"].map(|name| (name, house.node(name, 10))).into();
    house.add("w", "forever", leader()).await;
    let mut epoch = 0;
    for clean in [true, false] {
        house.runs("w", 1, BOUND).await;
        let lease = house.lease("w").await;
        assert!(lease.lease.epoch > epoch);
        epoch = lease.lease.epoch;
        let at = nodes.iter().position(|(name, _)| *name == lease.node()).unwrap();
        let (name, node) = nodes.remove(at);
        if clean {
            node.drain().await;
        } else {
            node.kill().await;
        }
        until("another leads", async || house.lease("w").await.node() != name).await;
    }
    house.runs("w", 1, BOUND).await;
    assert!(house.lease("w").await.lease.epoch > epoch);
    nodes.remove(0).1.drain().await;
}

#[tokio::test]
async fn no_effect_of_an_older_epoch_follows_a_newer_one() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::on_sqlite(folder.path()).await;
    let nodes = ["a", "b"].map(|name| (name, house.node(name, 10)));
    house.add("w", "act", leader()).await;
    house.runs("w", 1, BOUND).await;
    let first = house.lease("w").await;
    nodes.iter().find(|(name, _)| *name == first.node()).unwrap().1.hold();
    let acted = || -> HashSet<String> { house.effects.lock().unwrap().iter().map(|e| e.node.clone()).collect() };
    until("the other acts too", async || acted().len() == 2).await;
    until("the first is refused", async || house.refused.load(Ordering::SeqCst) > 0).await;
    let effects = house.effects.lock().unwrap().clone();
    assert!(effects.windows(2).all(|two| two[0].epoch <= two[1].epoch), "{effects:?}");
}

#[tokio::test]
async fn what_ran_is_written_down_and_does_not_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::on_sqlite(folder.path()).await;
    let once = Draft { mode: Some("single".into()), ..leader() };
    let node = house.node("a", 10);
    house.add("w", "say secret: 'hunter2hunter2'", Draft::default()).await;
    house.add("once", "good", once).await;
    assert_eq!(house.settled("once", BOUND).await, "done");
    house.runs("w", 1, BOUND).await;
    until("the line is written", async || house.lines("w").await == ["secret: '[redacted]'"]).await;
    node.drain().await;
    let runs = house.fleet.runs("w", 10).await.unwrap();
    assert_eq!((runs.len(), runs[0].outcome.as_deref(), runs[0].calls), (1, Some("stopped"), 3));
    let next = house.node("a", 10);
    house.runs("w", 1, BOUND).await;
    house.change("w", |spec| spec.active = false).await;
    house.runs("w", 0, BOUND).await;
    next.drain().await;
    assert_eq!((house.ran("once").len(), house.ran("w").len()), (1, 2));
}
