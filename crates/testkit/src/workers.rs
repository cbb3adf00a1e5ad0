//! The contract of the port of workers.

use std::sync::Arc;

use orrery_kernel::Timestamp;
use orrery_workers::{Changed, Draft, Spec, Worker, WorkerStore};

/// A store under test.
pub type Store = Arc<dyn WorkerStore>;

fn worker(sid: &str, owner: &str) -> Worker {
    let at = Timestamp::from_secs(1_700_000_000);
    let spec = Spec::new(Draft { note: Some(format!("note ä of {sid}")), ..Draft::default() }).expect("good");
    Worker { sid: sid.into(), nid: "s-1".into(), owner: owner.into(), spec, version: 1, created_at: at, updated_at: at }
}

/// Workers are their owner's, newest first, a bounded number.
pub async fn kept_by_owner(store: Store) {
    let add = async |w: &Worker| store.add_worker(w, 2).await.expect("the store answers");
    assert!(add(&worker("a", "ga")).await);
    assert!(add(&worker("b", "gb")).await);
    assert!(add(&worker("c", "ga")).await);
    assert!(!add(&worker("d", "ga")).await);
    assert_eq!(store.worker("a").await.expect("answers"), Some(worker("a", "ga")));
    assert_eq!(store.worker("d").await.expect("answers"), None);
    let own = store.workers_of("ga", 10).await.expect("answers");
    assert_eq!(own, [worker("c", "ga"), worker("a", "ga")]);
    assert_eq!(store.workers_of("ga", 1).await.expect("answers").len(), 1);
    assert_eq!(store.count_workers().await.expect("answers"), (0, 3));
}

/// A change needs the owner and, where it says what it has seen, that version; what was stays to be read.
pub async fn changed_by_version(store: Store) {
    store.add_worker(&worker("a", "ga"), 9).await.expect("the store answers");
    let at = Timestamp::from_secs(1_700_000_100);
    let spec = |note: &str, node: Option<&str>| {
        let draft = Draft {
            active: Some(true),
            note: Some(note.into()),
            execution_mode: node.map(|_| "exclusive".into()),
            assigned_node: node.map(Into::into),
            account_id: Some("acc".into()),
            schedule: Some("0 9 * * MON".into()),
            dry_run: Some(true),
            isolation: Some("process".into()),
            ..Draft::default()
        };
        Spec::new(draft).expect("good")
    };
    let change = async |owner: &str, sid: &str, spec: &Spec, seen| {
        store.change_worker(owner, sid, spec, seen, 3, at).await.expect("the store answers")
    };
    assert_eq!(change("gb", "a", &spec("x", None), None).await, Changed::Missing);
    assert_eq!(change("ga", "z", &spec("x", None), None).await, Changed::Missing);
    let Changed::Done(two) = change("ga", "a", &spec("two", Some("s-2")), Some(1)).await else {
        panic!("the version is right");
    };
    assert_eq!((two.version, two.updated_at, two.created_at), (2, at, worker("a", "ga").created_at));
    assert_eq!(two.spec, spec("two", Some("s-2")));
    assert_eq!(change("ga", "a", &spec("x", None), Some(1)).await, Changed::Outdated);
    assert_eq!(store.worker("a").await.expect("answers"), Some(*two));
    assert_eq!(store.count_workers().await.expect("answers"), (1, 0));
    for note in ["three", "four"] {
        change("ga", "a", &spec(note, None), None).await;
    }
    let versions = store.versions("a").await.expect("answers");
    assert_eq!(
        versions.iter().map(|v| (v.version, v.spec.note.as_str())).collect::<Vec<_>>(),
        [(4, "four"), (3, "three"), (2, "two")]
    );
    assert!(store.versions("z").await.expect("answers").is_empty());
}

/// Of two changes on the same version, one is made.
pub async fn one_of_two_changes(store: Store) {
    store.add_worker(&worker("a", "ga"), 9).await.expect("the store answers");
    let at = Timestamp::from_secs(1_700_000_100);
    let spec = worker("a", "ga").spec;
    for seen in 1..20 {
        let (a, b) = tokio::join!(
            store.change_worker("ga", "a", &spec, Some(seen), 9, at),
            store.change_worker("ga", "a", &spec, Some(seen), 9, at)
        );
        let outdated = [a.expect("answers"), b.expect("answers")].iter().filter(|c| **c == Changed::Outdated).count();
        assert_eq!(outdated, 1);
    }
}

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! workers_contract {
    ($make:expr) => {
        $crate::workers_contract!($make; kept_by_owner, changed_by_version, one_of_two_changes);
    };
    ($make:expr; $($name:ident),*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::workers::$name($make.await).await;
            }
        )*
    };
}
