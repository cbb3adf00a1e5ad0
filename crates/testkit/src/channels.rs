//! The contract of the port of configured channels.

use std::sync::Arc;
use std::time::Duration;

use orrery_realtime::{ChannelConfig, ChannelStore, Mode, Put};

/// A store under test.
pub type Store = Arc<dyn ChannelStore>;

fn latest() -> ChannelConfig {
    ChannelConfig {
        max_connections: 0,
        message_rate_limit: 1_000_000,
        require_auth: false,
        history_size: 10_000,
        history_ttl: Duration::from_secs(604_800),
        mode: Mode::Latest,
        conflate: Duration::from_millis(10_000),
        presence: true,
    }
}

/// Channels are kept by name, the last configuration of each.
pub async fn replaced_by_name(store: Store) {
    assert!(store.channels().await.expect("the store answers").is_empty());
    let put =
        async |name: &str, config: &ChannelConfig| store.put_channel(name, config).await.expect("the store answers");
    assert_eq!(put("b/ä\u{1f600}", &ChannelConfig::default()).await, Put::Created);
    assert_eq!(put("a", &ChannelConfig::default()).await, Put::Created);
    assert_eq!(put("a", &latest()).await, Put::Updated);
    let found = store.channels().await.expect("the store answers");
    assert_eq!(found, [("a".to_owned(), latest()), ("b/ä\u{1f600}".to_owned(), ChannelConfig::default())]);
    assert!(store.remove_channel("a").await.expect("the store answers"));
    assert!(!store.remove_channel("a").await.expect("the store answers"));
    assert_eq!(store.channels().await.expect("the store answers").len(), 1);
}

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! channels_contract {
    ($make:expr) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn replaced_by_name() {
            $crate::channels::replaced_by_name($make.await).await;
        }
    };
}
