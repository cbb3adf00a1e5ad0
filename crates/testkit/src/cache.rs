//! The contract of the cache port.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use orrery_kernel::Timestamp;
use orrery_storage::{Cache, CacheKey};

/// A cache under test.
pub type Store = Arc<dyn Cache>;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn key(n: u64) -> CacheKey {
    CacheKey::chart_data(&n.to_string(), Duration::from_secs(60))
}

/// A value lives as long as its key says, and not a moment longer.
pub async fn lifetime(cache: Store) {
    assert_eq!(cache.get(&key(1), NOW).await.expect("an answer"), None);
    cache.put(&key(1), Bytes::from_static(b"a"), NOW).await.expect("stored");
    let just_before = NOW.plus(Duration::from_micros(59_999_999));
    assert_eq!(cache.get(&key(1), just_before).await.expect("an answer").as_deref(), Some(&b"a"[..]));
    assert_eq!(cache.get(&key(1), NOW.plus(Duration::from_secs(60))).await.expect("an answer"), None);
}

/// The last value counts, with a lifetime of its own; a removed one is gone.
pub async fn replacing_and_removing(cache: Store) {
    cache.put(&key(1), Bytes::from_static(b"a"), NOW).await.expect("stored");
    let later = NOW.plus(Duration::from_secs(30));
    cache.put(&key(1), Bytes::from_static(b"b"), later).await.expect("stored");
    cache.put(&key(2), Bytes::from_static(b"c"), later).await.expect("stored");
    let end = NOW.plus(Duration::from_secs(89));
    assert_eq!(cache.get(&key(1), end).await.expect("an answer").as_deref(), Some(&b"b"[..]));
    cache.remove(&key(1)).await.expect("removed");
    cache.remove(&key(1)).await.expect("absent is fine");
    assert_eq!(cache.get(&key(1), later).await.expect("an answer"), None);
    assert_eq!(cache.get(&key(2), later).await.expect("an answer").as_deref(), Some(&b"c"[..]));
}

/// When full, what expires first goes; what was stored last stays.
pub async fn bounds(cache: Store) {
    for n in 0..10_050 {
        let at = NOW.plus(Duration::from_millis(n));
        cache.put(&key(n), Bytes::from_static(b"x"), at).await.expect("stored");
    }
    let now = NOW.plus(Duration::from_secs(11));
    assert_eq!(cache.get(&key(0), now).await.expect("an answer"), None);
    assert!(cache.get(&key(10_049), now).await.expect("an answer").is_some());
}

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! cache_contract {
    ($make:expr) => {
        $crate::cache_contract!(@each $make; lifetime replacing_and_removing bounds);
    };
    (@each $make:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::cache::$name($make.await).await;
            }
        )*
    };
}
