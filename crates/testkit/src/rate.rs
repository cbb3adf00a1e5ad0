//! The contract of the rate windows' port: the arithmetic of `orrery_identity::rate`, kept by key.

use std::sync::Arc;
use std::time::Duration;

use orrery_identity::RateStore;
use orrery_identity::rate::{Policy, State, peek, take};
use orrery_kernel::Timestamp;

/// A store under test.
pub type Store = Arc<dyn RateStore>;

const SECOND: Duration = Duration::from_secs(1);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + ms)
}

/// A store answers as the arithmetic does, event by event.
pub async fn same_arithmetic(store: Store) {
    for (k, policy) in
        [("refuse", Policy::refuse(3, 10 * SECOND)), ("delay", Policy::delay(2, 60 * SECOND, SECOND, 8 * SECOND))]
    {
        let mut state = State::default();
        for step in 0..200 {
            let now = at(step * 371 % 50_000 + step * 400);
            assert_eq!(store.peek(k, &policy, now).await.expect("an answer"), peek(state, &policy, now));
            let (next, verdict) = take(state, &policy, now);
            assert_eq!(store.take(k, &policy, now).await.expect("an answer"), verdict, "{k} {step}");
            state = next;
        }
    }
}

/// Keys do not touch each other; a cleared one begins anew; looking counts nothing.
pub async fn keys_are_apart(store: Store) {
    let policy = Policy::refuse(2, 60 * SECOND);
    for _ in 0..50 {
        assert!(store.peek("a", &policy, at(0)).await.expect("an answer").allowed);
    }
    let mut allowed = 0;
    for _ in 0..5 {
        allowed += u32::from(store.take("a", &policy, at(0)).await.expect("an answer").allowed);
    }
    assert_eq!(allowed, 2);
    assert!(store.take("b", &policy, at(0)).await.expect("an answer").allowed);
    store.clear("a").await.expect("cleared");
    store.clear("never seen").await.expect("absent is fine");
    assert!(store.take("a", &policy, at(0)).await.expect("an answer").allowed);
}

/// Of many at the same moment, no more pass than the bound.
pub async fn a_crowd_is_bounded(store: Store) {
    let policy = Policy::refuse(10, 60 * SECOND);
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let store = store.clone();
        crowd.spawn(async move { store.take("crowd", &policy, at(0)).await.expect("an answer").allowed });
    }
    assert_eq!(crowd.join_all().await.into_iter().filter(|a| *a).count(), 10);
}

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! rate_contract {
    ($make:expr) => {
        $crate::rate_contract!(@each $make; same_arithmetic keys_are_apart a_crowd_is_bounded);
    };
    (@each $make:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::rate::$name($make.await).await;
            }
        )*
    };
}
