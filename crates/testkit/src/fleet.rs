//! The contract of what nodes of a fleet share. The store's clock runs by itself, so that these wait, shortly.

use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::Timestamp;
use orrery_storage::Lease;
use orrery_workers::fleet::{
    Beat, FleetStore, Grant, Intended, Intent, IntentState, NodeTotals, Reason, RunRecord, Settled, SettledSeen, Totals,
};
use orrery_workers::{Draft, Spec, Worker, WorkerStore};

/// A store under test, and the workers beside it.
pub type Store = (Arc<dyn FleetStore>, Arc<dyn WorkerStore>);

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(80);
const AT: Timestamp = Timestamp::from_secs(1_700_000_000);

async fn until_over() {
    tokio::time::sleep(SHORT + Duration::from_millis(60)).await;
}

fn beat(holder: &str) -> Beat {
    let node = holder.split('/').next().unwrap_or_default().to_owned();
    Beat { holder: holder.into(), node, version: "1".into(), capacity: 10, running: 2, draining: false }
}

async fn take(store: &Store, holder: &str, sids: &[&str], ttl: Duration, late: Duration) -> Vec<(String, i64, bool)> {
    let sids: Vec<String> = sids.iter().map(|sid| (*sid).to_owned()).collect();
    let grants = store.0.take_leases(holder, &sids, ttl, late).await.expect("the store answers");
    let mut taken: Vec<_> = grants.into_iter().map(|Grant { sid, epoch, clean }| (sid, epoch, clean)).collect();
    taken.sort();
    taken
}

async fn renewed(store: &Store, holder: &str) -> Vec<(String, i64)> {
    let mut held = store.0.renew_leases(holder, LONG).await.expect("the store answers");
    held.sort();
    held
}

fn is(sid: &str, epoch: i64, clean: bool) -> (String, i64, bool) {
    (sid.to_owned(), epoch, clean)
}

/// One holder at a time, many leases at a time; what is given back goes to the next under a higher epoch.
pub async fn leases_in_batches(store: Store) {
    store.0.beat(&beat("a/1")).await.expect("the store answers");
    store.0.beat(&beat("b/1")).await.expect("the store answers");
    let got = take(&store, "a/1", &["x", "y", "y"], LONG, LONG).await;
    assert_eq!(got, [is("x", 1, true), is("y", 1, true)]);
    assert_eq!(take(&store, "b/1", &["x", "y", "z"], LONG, LONG).await, [is("z", 1, true)]);
    let again = take(&store, "a/1", &["x"], LONG, LONG).await;
    assert_eq!((again.len(), again[0].1), (1, 1), "who asks again keeps the epoch");
    assert_eq!(renewed(&store, "a/1").await, [("x".to_owned(), 1), ("y".to_owned(), 1)]);
    assert!(renewed(&store, "nobody").await.is_empty());
    let given = [("x".to_owned(), 1), ("y".to_owned(), 9), ("z".to_owned(), 1)];
    store.0.give_leases("a/1", &given).await.expect("the store answers");
    let lease = store.0.lease("x").await.expect("answers").expect("it was held");
    assert!(!lease.held() && lease.lease.holder == "a/1");
    assert_eq!(renewed(&store, "a/1").await, [("y".to_owned(), 1)], "of the others the epoch or the holder is wrong");
    assert_eq!(take(&store, "b/1", &["x", "y"], LONG, LONG).await, [is("x", 2, true)]);
    let lease = store.0.lease("x").await.expect("answers").expect("it is held");
    assert!(lease.held() && lease.expires_at > lease.now && lease.acquired_at <= lease.now);
    assert_eq!((lease.lease.holder.as_str(), lease.lease.epoch), ("b/1", 2));
    assert_eq!(store.0.lease("never").await.expect("answers"), None);
    assert!(store.0.take_leases("a/1", &[], LONG, LONG).await.expect("answers").is_empty());
}

/// A lease that is over is nobody's: it cannot be prolonged, and whoever takes it is later.
pub async fn leases_run_out(store: Store) {
    store.0.beat(&beat("a/1")).await.expect("the store answers");
    store.0.beat(&beat("b/1")).await.expect("the store answers");
    take(&store, "a/1", &["x"], SHORT, LONG).await;
    until_over().await;
    assert!(renewed(&store, "a/1").await.is_empty(), "it is over");
    assert_eq!(take(&store, "b/1", &["x"], LONG, LONG).await, [is("x", 2, false)], "it was not given back");
    store.0.give_leases("a/1", &[("x".into(), 1)]).await.expect("the store answers");
    assert_eq!(renewed(&store, "b/1").await, [("x".to_owned(), 2)]);
    assert_eq!(take(&store, "a/1", &["x"], LONG, LONG).await, []);
}

/// A process that is not heard any more may be replaced before its lease is over; one that is heard may not.
pub async fn the_silent_are_replaced(store: Store) {
    store.0.beat(&beat("a/1")).await.expect("the store answers");
    take(&store, "a/1", &["x", "y"], LONG, LONG).await;
    assert_eq!(take(&store, "b/1", &["x"], LONG, LONG).await, []);
    until_over().await;
    assert_eq!(take(&store, "b/1", &["x"], LONG, SHORT).await, [is("x", 2, false)]);
    store.0.beat(&beat("a/1")).await.expect("the store answers");
    assert_eq!(take(&store, "b/1", &["y"], LONG, LONG).await, []);
    assert_eq!(renewed(&store, "a/1").await, [("y".to_owned(), 1)]);
    take(&store, "never-heard/1", &["z"], LONG, LONG).await;
    assert_eq!(take(&store, "b/1", &["z"], LONG, LONG).await, [is("z", 2, false)]);
}

/// Of many who ask at once for the same leases, each goes to one.
pub async fn a_race_has_one_winner(store: Store) {
    let mut racers = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = store.clone();
        racers.spawn(async move {
            let holder = format!("n{n}/1");
            store.0.beat(&beat(&holder)).await.expect("the store answers");
            take(&store, &holder, &["a", "b", "c", "d"], LONG, LONG).await.len()
        });
    }
    assert_eq!(racers.join_all().await.into_iter().sum::<usize>(), 4);
}

/// Nodes say what they are and are forgotten when they are silent.
pub async fn nodes_are_seen(store: Store) {
    store.0.beat(&beat("b/1")).await.expect("the store answers");
    let draining = Beat { draining: true, running: 7, ..beat("a/1") };
    store.0.beat(&beat("a/1")).await.expect("the store answers");
    store.0.beat(&draining).await.expect("the store answers");
    let seen = store.0.nodes(LONG, 10).await.expect("answers");
    assert_eq!(seen.iter().map(|node| node.beat.clone()).collect::<Vec<_>>(), [draining, beat("b/1")]);
    assert!(seen.iter().all(|node| node.ago < LONG));
    assert_eq!(store.0.nodes(LONG, 1).await.expect("answers").len(), 1);
    store.0.forget().await.expect("answers");
    assert_eq!(store.0.nodes(LONG, 10).await.expect("answers").len(), 2);
    until_over().await;
    assert!(store.0.nodes(SHORT, 10).await.expect("answers").is_empty());
}

fn run(id: &str, sid: &str, seconds: u64) -> RunRecord {
    RunRecord {
        id: id.into(),
        sid: sid.into(),
        version: 3,
        node: "a".into(),
        epoch: 2,
        started_at: AT.plus(Duration::from_secs(seconds)),
        ended_at: None,
        outcome: None,
        error: None,
        calls: 0,
        cpu_ms: 0,
    }
}

/// Runs are written down when they begin and again when they end; the newest stay.
pub async fn runs_are_kept(store: Store) {
    let ended = RunRecord {
        ended_at: Some(AT.plus(Duration::from_secs(9))),
        outcome: Some("failed".into()),
        error: Some("Error: ä \"\\\n".into()),
        calls: 5,
        cpu_ms: 7,
        ..run("1", "x", 1)
    };
    store.0.save_runs(&[run("1", "x", 1), run("2", "x", 2)], 3).await.expect("answers");
    store.0.save_runs(&[run("1", "x", 1), ended.clone(), run("9", "y", 1)], 3).await.expect("answers");
    assert_eq!(store.0.runs("x", 9).await.expect("answers"), [run("2", "x", 2), ended]);
    store.0.save_runs(&[run("3", "x", 3), run("4", "x", 4)], 3).await.expect("answers");
    let ids = |runs: Vec<RunRecord>| runs.into_iter().map(|run| run.id).collect::<Vec<_>>();
    assert_eq!(ids(store.0.runs("x", 9).await.expect("answers")), ["4", "3", "2"]);
    assert_eq!(ids(store.0.runs("x", 1).await.expect("answers")), ["4"]);
    assert_eq!(ids(store.0.runs("y", 9).await.expect("answers")), ["9"]);
    store.0.save_runs(&[], 3).await.expect("nothing to do");
}

async fn worker(store: &Store, sid: &str, owner: &str, active: bool) {
    let spec = Spec::new(Draft { active: Some(active), ..Draft::default() }).expect("good");
    let worker = Worker {
        sid: sid.into(),
        nid: "a".into(),
        owner: owner.into(),
        spec,
        version: 1,
        created_at: AT,
        updated_at: AT,
    };
    assert!(store.1.add_worker(&worker, 99).await.expect("answers"));
}

/// What nodes counted is an owner's to see.
pub async fn totals_are_kept(store: Store) {
    worker(&store, "x", "ga", true).await;
    worker(&store, "y", "gb", true).await;
    let totals = |sid: &str, node: &str, executions: i64| Totals {
        sid: sid.into(),
        node: node.into(),
        executions,
        errors: 2,
        network_errors: 1,
        consecutive: 1,
        running: true,
        started_at: AT,
        last_run: Some(AT),
        last_error: Some("no\0pe".replace('\0', "")),
        last_network: true,
    };
    let all = [totals("x", "a", 1), totals("x", "b", 5), totals("y", "a", 9), totals("x", "a", 4)];
    store.0.save_totals(&all).await.expect("answers");
    assert_eq!(store.0.totals_of("ga").await.expect("answers"), [totals("x", "a", 4), totals("x", "b", 5)]);
    assert!(store.0.totals_of("gc").await.expect("answers").is_empty());
    let sum = |node: &str, executions: i64, workers: i64| NodeTotals {
        node: node.into(),
        executions,
        errors: 2 * workers,
        network_errors: workers,
        running: workers,
    };
    assert_eq!(store.0.totals_by_node().await.expect("answers"), [sum("a", 13, 2), sum("b", 5, 1)]);
}

/// Many workers are read at once, as they are.
pub async fn workers_are_loaded_together(store: Store) {
    for (sid, active) in [("x", true), ("y", false), ("z", true)] {
        worker(&store, sid, "ga", active).await;
    }
    let spec = Spec::new(Draft { active: Some(true), note: Some("new".into()), ..Draft::default() }).expect("good");
    store.1.change_worker("ga", "y", &spec, None, 9, AT).await.expect("answers");
    let sids = ["y", "gone", "x"].map(str::to_owned);
    let loaded = store.0.load_workers(&sids).await.expect("answers");
    let shown: Vec<_> = loaded.iter().map(|w| (w.sid.as_str(), w.owner.as_str(), w.version, &*w.spec.note)).collect();
    assert_eq!(shown, [("x", "ga", 1, ""), ("y", "ga", 2, "new")]);
    assert!(store.0.load_workers(&[]).await.expect("answers").is_empty());
}

/// Who gave up is seen by the owner until there is a new version, and by whoever asks what happened since.
pub async fn the_settled_are_seen(store: Store) {
    for (sid, owner) in [("x", "ga"), ("y", "ga"), ("z", "gb")] {
        worker(&store, sid, owner, true).await;
    }
    let settled = |sid: &str, node: Option<&str>, reason| Settled {
        sid: sid.into(),
        node: node.map(Into::into),
        version: 1,
        reason,
    };
    let later = |n: u64| AT.plus(Duration::from_secs(n));
    for (n, of) in
        [settled("x", Some("a"), Reason::Errors), settled("y", None, Reason::Done), settled("z", None, Reason::Errors)]
            .into_iter()
            .enumerate()
    {
        store.0.settle(&of, None, later(n as u64)).await.expect("answers");
    }
    let seen = |of: Settled, owner: &str, n: u64| SettledSeen { settled: of, owner: owner.into(), at: later(n) };
    let x = seen(settled("x", Some("a"), Reason::Errors), "ga", 0);
    let y = seen(settled("y", None, Reason::Done), "ga", 1);
    let z = seen(settled("z", None, Reason::Errors), "gb", 2);
    assert_eq!(store.0.settled_of("ga").await.expect("answers"), [x.clone(), y.clone()]);
    let before = Timestamp::from_secs(1_699_999_999);
    assert_eq!(store.0.given_up_after(before, 9).await.expect("answers"), [x.clone(), z.clone()]);
    assert_eq!(store.0.given_up_after(before, 1).await.expect("answers"), [x]);
    assert_eq!(store.0.given_up_after(AT, 9).await.expect("answers"), [z]);
    let spec = Spec::new(Draft { active: Some(true), ..Draft::default() }).expect("good");
    store.1.change_worker("ga", "x", &spec, None, 9, AT).await.expect("answers");
    assert_eq!(store.0.settled_of("ga").await.expect("answers"), [y]);
}

/// Active workers are due until their version is settled, on a node or on all.
pub async fn the_settled_are_not_due(store: Store) {
    for (sid, active) in [("x", true), ("y", true), ("z", false)] {
        worker(&store, sid, "ga", active).await;
    }
    store.0.beat(&beat("a/1")).await.expect("answers");
    let due = async |node: &str| store.0.due_workers(node, 9).await.expect("answers");
    assert_eq!(due("a").await, [("x".to_owned(), 1), ("y".to_owned(), 1)]);
    let settled = |sid: &str, node: Option<&str>, version| Settled {
        sid: sid.into(),
        node: node.map(Into::into),
        version,
        reason: Reason::Errors,
    };
    assert!(store.0.settle(&settled("x", Some("a"), 1), None, AT).await.expect("answers"));
    assert_eq!(due("a").await, [("y".to_owned(), 1)]);
    assert_eq!(due("b").await.len(), 2);
    take(&store, "a/1", &["y"], LONG, LONG).await;
    let fence = |epoch| Lease { key: "y".into(), holder: "a/1".into(), epoch };
    assert!(!store.0.settle(&settled("y", None, 1), Some(&fence(2)), AT).await.expect("answers"));
    assert_eq!(due("b").await.len(), 2);
    assert!(store.0.settle(&settled("y", None, 1), Some(&fence(1)), AT).await.expect("answers"));
    assert_eq!(due("b").await, [("x".to_owned(), 1)]);
    assert!(store.0.settle(&settled("x", Some("a"), 0), None, AT).await.expect("answers"));
    assert!(due("a").await.is_empty(), "an older version changes nothing");
    let spec = Spec::new(Draft { active: Some(true), ..Draft::default() }).expect("good");
    store.1.change_worker("ga", "y", &spec, None, 9, AT).await.expect("answers");
    assert_eq!(due("a").await, [("y".to_owned(), 2)], "a new version is due");
    assert_eq!(store.0.due_workers("b", 1).await.expect("answers").len(), 1);
}

fn intent(id: &str, seconds: u64) -> Intent {
    Intent {
        client_order_id: id.into(),
        sid: "x".into(),
        epoch: 1,
        venue: "bybit".into(),
        account: Some("acc".into()),
        body: "{\"side\":\"buy\"}".into(),
        state: IntentState::Open,
        order_id: None,
        at: AT.plus(Duration::from_secs(seconds)),
    }
}

/// An order is meant once and under a lease that is held; what is open is the next leader's to find.
pub async fn intents_are_fenced(store: Store) {
    store.0.beat(&beat("a/1")).await.expect("answers");
    take(&store, "a/1", &["x"], LONG, LONG).await;
    let fence = Lease { key: "x".into(), holder: "a/1".into(), epoch: 1 };
    let intend = async |intent: &Intent, fence| store.0.intend(intent, fence).await.expect("answers");
    assert_eq!(intend(&intent("o2", 2), Some(&fence)).await, Intended::Done);
    assert_eq!(intend(&intent("o1", 1), Some(&fence)).await, Intended::Done);
    assert_eq!(intend(&intent("o1", 3), Some(&fence)).await, Intended::Known(IntentState::Open));
    assert_eq!(store.0.open_intents("x", 9).await.expect("answers"), [intent("o1", 1), intent("o2", 2)]);
    assert!(store.0.resolve("o1", IntentState::Placed, Some("v-7"), Some(&fence)).await.expect("answers"));
    assert!(!store.0.resolve("o9", IntentState::Refused, None, None).await.expect("answers"));
    assert_eq!(intend(&intent("o1", 3), Some(&fence)).await, Intended::Known(IntentState::Placed));
    assert_eq!(store.0.open_intents("x", 9).await.expect("answers"), [intent("o2", 2)]);
    store.0.give_leases("a/1", &[("x".into(), 1)]).await.expect("answers");
    assert_eq!(intend(&intent("o3", 3), Some(&fence)).await, Intended::Fenced, "it was given back");
    take(&store, "b/1", &["x"], LONG, LONG).await;
    let resolve = async |state, fence| store.0.resolve("o2", state, None, fence).await.expect("answers");
    assert!(!resolve(IntentState::Refused, Some(&fence)).await, "who was before says nothing of it any more");
    assert_eq!(store.0.open_intents("x", 9).await.expect("answers"), [intent("o2", 2)]);
    assert!(resolve(IntentState::Placed, None).await);
    assert_eq!(intend(&intent("o3", 3), Some(&fence)).await, Intended::Fenced, "it is another's");
    assert_eq!(intend(&intent("o3", 3), None).await, Intended::Done, "without a lease there is no fence");
}

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! fleet_contract {
    ($make:expr) => {
        $crate::fleet_contract!(@each $make; leases_in_batches leases_run_out
            the_settled_are_seen the_silent_are_replaced
            a_race_has_one_winner nodes_are_seen runs_are_kept totals_are_kept the_settled_are_not_due
            workers_are_loaded_together intents_are_fenced);
    };
    (@each $make:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::fleet::$name($make.await).await;
            }
        )*
    };
}
