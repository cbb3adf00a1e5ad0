//! The cache port. Never a source of truth: dropping or losing any entry changes no answer, only
//! how long it takes (`cached` flags excepted).

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use orrery_kernel::{StoreError, Timestamp};

/// A key with its lifetime: of the BitTrade document, "Caching Strategy", or of accounts at exchanges.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    name: String,
    ttl: Duration,
}

impl CacheKey {
    /// `latest_btc_price`, 60 s.
    pub fn latest_btc_price() -> Self {
        Self { name: "latest_btc_price".into(), ttl: Duration::from_secs(60) }
    }

    /// `chart_data_<timeframe>`; `ttl` is the timeframe's (1 h, 6 h, 12 h, 18 h, 24 h).
    pub fn chart_data(timeframe: &str, ttl: Duration) -> Self {
        Self { name: format!("chart_data_{timeframe}"), ttl }
    }

    /// `bitcoin_sentiment`, 1 h (the document names no key for it).
    pub fn sentiment() -> Self {
        Self { name: "bitcoin_sentiment".into(), ttl: Duration::from_secs(3_600) }
    }

    /// What an account at an exchange held when it was looked at last, 1 h. Neither name has a slash.
    pub fn account(owner: &str, nid: &str) -> Self {
        Self { name: format!("account/{owner}/{nid}"), ttl: Duration::from_secs(3_600) }
    }

    /// That it is not known what became of an order, by the account's name of it, 20 min.
    pub fn unknown_order(owner: &str, nid: &str, client_order_id: &str) -> Self {
        Self { name: format!("unknown_order/{owner}/{nid}/{client_order_id}"), ttl: Duration::from_secs(1_200) }
    }

    /// The text under which a shared cache files it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long an entry lives.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }
}

/// A bounded cache of bytes. When full it drops the entry that expires first.
#[async_trait]
pub trait Cache: Send + Sync {
    /// The live value, if there is one at `now`.
    async fn get(&self, key: &CacheKey, now: Timestamp) -> Result<Option<Bytes>, StoreError>;

    /// Stores `value` until `now` plus the key's lifetime.
    async fn put(&self, key: &CacheKey, value: Bytes, now: Timestamp) -> Result<(), StoreError>;

    /// Drops the value; absent is fine.
    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError>;
}
