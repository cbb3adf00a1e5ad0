//! The contract of the lease port. The store's clock runs by itself, so that these wait, shortly.

use std::sync::Arc;
use std::time::Duration;

use orrery_storage::{Lease, LeaseStore};

/// A store under test.
pub type Store = Arc<dyn LeaseStore>;

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(80);

async fn acquire(store: &Store, holder: &str, ttl: Duration) -> Option<Lease> {
    store.acquire("poller", holder, ttl).await.expect("the store answers")
}

async fn until_over() {
    tokio::time::sleep(SHORT + Duration::from_millis(60)).await;
}

/// One holder at a time; keys are apart; a holder that asks again keeps its epoch.
pub async fn one_holder_at_a_time(store: Store) {
    let a = acquire(&store, "a", LONG).await.expect("it is free");
    assert_eq!((a.holder.as_str(), a.epoch), ("a", 1));
    assert_eq!(acquire(&store, "b", LONG).await, None);
    assert_eq!(acquire(&store, "a", LONG).await, Some(a.clone()));
    assert_eq!(store.holder("poller").await.expect("the store answers"), Some(a.clone()));
    assert!(store.acquire("other", "b", LONG).await.expect("the store answers").is_some());
    assert!(store.renew(&a, LONG).await.expect("the store answers"));
    assert_eq!(store.holder("nobody").await.expect("the store answers"), None);
}

/// A lease that is given back or runs out goes to the next, whose epoch is higher; the former holder
/// can neither renew nor release it.
pub async fn the_next_holder_is_later(store: Store) {
    let a = acquire(&store, "a", LONG).await.expect("it is free");
    store.release(&a).await.expect("the store answers");
    assert_eq!(store.holder("poller").await.expect("the store answers"), None);
    let b = acquire(&store, "b", SHORT).await.expect("it is free again");
    assert!(b.epoch > a.epoch);
    assert!(!store.renew(&a, LONG).await.expect("the store answers"));
    until_over().await;
    assert!(!store.renew(&b, LONG).await.expect("the store answers"), "it is over");
    let c = acquire(&store, "c", LONG).await.expect("it is over");
    assert!(c.epoch > b.epoch);
    store.release(&b).await.expect("the store answers");
    assert_eq!(store.holder("poller").await.expect("the store answers"), Some(c.clone()), "b's is not c's");
    // somebody who lost it and takes it again is later than themselves
    store.release(&c).await.expect("the store answers");
    let again = acquire(&store, "c", LONG).await.expect("it is free");
    assert!(again.epoch > c.epoch);
}

/// What is held is listed by key, as far as it begins as asked; what was given back or is over is not.
pub async fn what_is_held_is_listed(store: Store) {
    let live = async |prefix: &str| store.live(prefix).await.expect("the store answers");
    assert_eq!(live("").await, []);
    let take = async |key: &str, holder: &str, ttl| store.acquire(key, holder, ttl).await.expect("the store answers");
    let two = take("streams/b_/2", "b", LONG).await.expect("it is free");
    let one = take("streams/b_/1", "a", LONG).await.expect("it is free");
    let short = take("streams/b_/3", "a", SHORT).await.expect("it is free");
    let other = take("streams/bc/1", "a", LONG).await.expect("it is free");
    // no character of a prefix stands for another one
    assert_eq!(live("streams/b_/").await, [one.clone(), two.clone(), short]);
    assert_eq!(live("streams/%").await, []);
    store.release(&two).await.expect("the store answers");
    until_over().await;
    assert_eq!(live("streams/").await, [one, other]);
}

/// Of many who ask at once, one gets it.
pub async fn a_race_has_one_winner(store: Store) {
    let mut racers = tokio::task::JoinSet::new();
    for n in 0..16 {
        let store = store.clone();
        racers.spawn(async move { acquire(&store, &format!("node-{n}"), LONG).await });
    }
    let won = racers.join_all().await.into_iter().flatten().count();
    assert_eq!(won, 1);
}

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! leases_contract {
    ($make:expr) => {
        $crate::leases_contract!(@each $make;
            one_holder_at_a_time the_next_holder_is_later what_is_held_is_listed a_race_has_one_winner);
    };
    (@each $make:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::leases::$name($make.await).await;
            }
        )*
    };
}
