//! The contract of the scripts' store.

use std::sync::Arc;
use std::time::Duration;

use orrery_storage::Lease;
use orrery_workers::fleet::FleetStore;
use orrery_workers::kv::{Commit, Committed, Key, KvStore, Mutation, Part, Quota, Range, Space, Versionstamp};

/// A store under test, and the fleet whose leases fence it.
pub type Store = (Arc<dyn KvStore>, Arc<dyn FleetStore>);

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn key(parts: &[Part]) -> Key {
    Key::new(parts).expect("a key")
}

fn set(key: &Key, value: &str) -> Mutation {
    Mutation::Set { key: key.clone(), value: value.into(), expire_in: None }
}

fn space() -> Space {
    Space::net("ga")
}

async fn commit(store: &Store, commit: Commit) -> Committed {
    store.0.commit(&space(), &commit).await.expect("the store answers")
}

async fn put(store: &Store, key: &Key, value: &str) -> Versionstamp {
    match commit(store, Commit { mutations: vec![set(key, value)], ..Commit::default() }).await {
        Committed::Done(stamp) => stamp,
        other => panic!("{other:?}"),
    }
}

async fn value(store: &Store, key: &Key) -> Option<String> {
    let found = store.0.get(&space(), std::slice::from_ref(key)).await.expect("the store answers");
    found.into_iter().next().flatten().map(|entry| entry.value)
}

/// What is set is read, under rising versionstamps; spaces don't see each other.
pub async fn set_get_delete(store: Store) {
    let (a, b) = (key(&[text("a\0ä"), Part::Number(-1.5)]), key(&[Part::Bytes(vec![0, 255])]));
    let first = put(&store, &a, r#"{"x":"\u0000"}"#).await;
    let second = put(&store, &b, "1").await;
    assert!(second > first);
    let found = store.0.get(&space(), &[b.clone(), key(&[text("no")]), a.clone()]).await.expect("answers");
    let values: Vec<_> = found.iter().map(|e| e.as_ref().map(|e| (e.value.as_str(), e.stamp))).collect();
    assert_eq!(values, [Some(("1", second)), None, Some((r#"{"x":"\u0000"}"#, first))]);
    assert_eq!(found[2].as_ref().map(|e| e.key.clone()), Some(a.clone()));
    for other in [Space::net("gb"), Space::local("s-1", "ga")] {
        assert_eq!(store.0.get(&other, std::slice::from_ref(&a)).await.expect("answers"), [None]);
    }
    assert!(put(&store, &a, "2").await > second);
    commit(&store, Commit { mutations: vec![Mutation::Delete(a.clone())], ..Commit::default() }).await;
    assert_eq!((value(&store, &a).await, value(&store, &b).await), (None, Some("1".into())));
}

/// Lists go by the parts' order, from both ends, within their range.
pub async fn lists_in_order(store: Store) {
    let at = |n: f64| key(&[text("p"), Part::Number(n)]);
    for n in [10.0, 9.0, -3.0, 0.5, 100.0] {
        put(&store, &at(n), &n.to_string()).await;
    }
    put(&store, &key(&[text("p")]), "itself").await;
    put(&store, &key(&[text("p"), Part::Flag(true)]), "flag").await;
    put(&store, &key(&[text("pp")]), "other").await;
    let list = async |range: Range| {
        let found = store.0.list(&space(), &range).await.expect("answers");
        found.into_iter().map(|entry| entry.value).collect::<Vec<_>>()
    };
    let all = Range::of(&Key::prefix(&[text("p")]).expect("a prefix"), 100);
    assert_eq!(list(all.clone()).await, ["-3", "0.5", "9", "10", "100", "flag"]);
    assert_eq!(list(Range { limit: 2, reverse: true, ..all.clone() }).await, ["flag", "100"]);
    let some = Range { start: at(0.5).as_bytes().to_vec(), end: at(10.0).as_bytes().to_vec(), ..all.clone() };
    assert_eq!(list(some.clone()).await, ["0.5", "9"]);
    assert_eq!(list(Range { reverse: true, ..some }).await, ["9", "0.5"]);
    assert_eq!(list(Range::of(&Key::prefix(&[]).expect("of all"), 100)).await.len(), 8);
}

/// A commit is made whole, or not at all when a key is of another commit.
pub async fn checks_what_was_seen(store: Store) {
    let (a, b) = (key(&[text("a")]), key(&[text("b")]));
    let both = |stamp| Commit {
        checks: vec![(a.clone(), stamp)],
        mutations: vec![set(&a, "1"), set(&b, "2"), set(&a, "3")],
        ..Commit::default()
    };
    let Committed::Done(stamp) = commit(&store, both(None)).await else {
        panic!("there is none");
    };
    assert_eq!((value(&store, &a).await, value(&store, &b).await), (Some("3".into()), Some("2".into())));
    assert_eq!(commit(&store, both(None)).await, Committed::Conflict);
    put(&store, &b, "x").await;
    let Committed::Done(next) = commit(&store, both(Some(stamp))).await else {
        panic!("it is still that");
    };
    assert_eq!(commit(&store, both(Some(stamp))).await, Committed::Conflict);
    assert!(next > stamp);
}

/// Of those who change the same number at once none loses a change.
pub async fn no_change_is_lost(store: Store) {
    let counter = key(&[text("n")]);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (store, counter) = (store.clone(), counter.clone());
        tasks.spawn(async move {
            let mut made = 0;
            while made < 5 {
                let found = store.0.get(&space(), std::slice::from_ref(&counter)).await.expect("answers");
                let found = found.into_iter().next().flatten();
                let (n, stamp) =
                    found.map_or((0, None), |e| (e.value.parse::<u32>().expect("a number"), Some(e.stamp)));
                let change = Commit {
                    checks: vec![(counter.clone(), stamp)],
                    mutations: vec![set(&counter, &(n + 1).to_string())],
                    ..Commit::default()
                };
                made += u32::from(matches!(commit(&store, change).await, Committed::Done(_)));
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(value(&store, &counter).await, Some("20".into()));
}

/// What expires is not seen any more, and gives its room back.
pub async fn expires(store: Store) {
    let (brief, long) = (key(&[text("brief")]), key(&[text("long")]));
    let expiring = |key: &Key, ms| Mutation::Set {
        key: key.clone(),
        value: "1".into(),
        expire_in: Some(Duration::from_millis(ms)),
    };
    let quota = Quota { keys: 2, bytes: 1_000 };
    let mutations = vec![expiring(&brief, 60), expiring(&long, 600_000)];
    commit(&store, Commit { mutations, quota, ..Commit::default() }).await;
    assert_eq!(value(&store, &long).await, Some("1".into()));
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert_eq!(value(&store, &brief).await, None);
    let all = Range::of(&Key::prefix(&[]).expect("of all"), 100);
    assert_eq!(store.0.list(&space(), &all).await.expect("answers").len(), 1);
    let again = Commit {
        checks: vec![(brief.clone(), None)],
        mutations: vec![set(&key(&[text("other")]), "2")],
        quota,
        ..Commit::default()
    };
    assert!(matches!(commit(&store, again).await, Committed::Done(_)), "what expired takes no room");
    put(&store, &key(&[text("x")]), "1").await;
    commit(&store, Commit { mutations: vec![expiring(&brief, 1)], ..Commit::default() }).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(store.0.prune(10).await.expect("answers"), 1);
    assert_eq!(store.0.prune(10).await.expect("answers"), 0);
}

/// A space holds no more than it may; what makes it smaller is always possible.
pub async fn quotas(store: Store) {
    let at = |n: u8| key(&[Part::Number(f64::from(n))]);
    let quota = Quota { keys: 2, bytes: 60 };
    let with = |mutations| Commit { mutations, quota, ..Commit::default() };
    assert!(matches!(commit(&store, with(vec![set(&at(1), "1"), set(&at(2), "2")])).await, Committed::Done(_)));
    assert_eq!(commit(&store, with(vec![set(&at(3), "3")])).await, Committed::Full);
    assert_eq!(value(&store, &at(3)).await, None);
    let instead = vec![Mutation::Delete(at(1)), set(&at(3), "3")];
    assert!(matches!(commit(&store, with(instead)).await, Committed::Done(_)));
    let long = "9".repeat(50);
    assert_eq!(commit(&store, with(vec![set(&at(3), &long)])).await, Committed::Full);
    put(&store, &at(3), &long).await;
    assert!(matches!(commit(&store, with(vec![set(&at(3), "1")])).await, Committed::Done(_)), "it is smaller");
    assert!(matches!(commit(&store, with(vec![Mutation::Delete(at(9))])).await, Committed::Done(_)));
}

/// A write under a lease is made only while that is held.
pub async fn fenced(store: Store) {
    let (long, a) = (Duration::from_secs(600), key(&[text("a")]));
    let take = async |holder: &str| {
        let taken = store.1.take_leases(holder, &["w".to_owned()], long, Duration::ZERO).await;
        taken.expect("answers").into_iter().next().expect("nobody is heard").epoch
    };
    let first = take("n/1").await;
    let write = |holder: &str, epoch, value: &str| Commit {
        mutations: vec![set(&a, value)],
        fence: Some(Lease { key: "w".into(), holder: holder.into(), epoch }),
        ..Commit::default()
    };
    assert!(matches!(commit(&store, write("n/1", first, "1")).await, Committed::Done(_)));
    let second = take("m/1").await;
    assert_eq!(commit(&store, write("n/1", first, "old")).await, Committed::Fenced);
    assert_eq!(commit(&store, write("n/1", second, "forged")).await, Committed::Fenced);
    assert!(matches!(commit(&store, write("m/1", second, "2")).await, Committed::Done(_)));
    store.1.give_leases("m/1", &[("w".into(), second)]).await.expect("answers");
    assert_eq!(commit(&store, write("m/1", second, "late")).await, Committed::Fenced);
    assert_eq!(value(&store, &a).await, Some("2".into()));
}

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! kv_contract {
    ($make:expr) => {
        $crate::kv_contract!(@each $make; set_get_delete lists_in_order checks_what_was_seen no_change_is_lost expires
            quotas fenced);
    };
    (@each $make:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::kv::$name($make.await).await;
            }
        )*
    };
}
