//! Where prices come from and where they are kept.

use std::time::Duration;

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp};

use crate::{Chart, PriceRow, Sentiment, SpotPrice, Timeframe};

/// Why a feed gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The source asks for fewer calls.
    #[error("rate limited by the source")]
    RateLimited {
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// Not reached, or a 5xx: worth another try.
    #[error("source unavailable: {0}")]
    Unavailable(String),
    /// An answer that makes no sense, or a 4xx: another try at once is of no use.
    #[error("source gave a bad answer: {0}")]
    Bad(String),
}

/// A source of bitcoin's price and charts.
#[async_trait]
pub trait PriceFeed: Send + Sync {
    /// Its name, shown as `source`.
    fn source(&self) -> &'static str;

    /// The price now; `Ok(None)` when the source says nothing changed since the last call (the last
    /// answer then still holds and counts as seen at `now`).
    async fn latest(&self, now: Timestamp) -> Result<Option<SpotPrice>, FeedError>;

    /// A chart now; `Ok(None)` when unchanged since the last call for it.
    async fn chart(&self, timeframe: Timeframe, now: Timestamp) -> Result<Option<Chart>, FeedError>;
}

/// A source of the Fear & Greed index.
#[async_trait]
pub trait SentimentFeed: Send + Sync {
    /// Its name, shown as `source`.
    fn source(&self) -> &'static str;

    /// The newest value; `Ok(None)` when unchanged since the last call.
    async fn latest(&self, now: Timestamp) -> Result<Option<Sentiment>, FeedError>;
}

/// Something an administrator set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// `buy_multiplier`, `sell_multiplier`, `loan_interest_rate`.
    pub name: String,
    /// Value × 10⁴.
    pub value_e4: i64,
    /// When.
    pub updated_at: Timestamp,
}

/// Keeps market data. Passes the contract suite in `orrery-testkit`.
#[async_trait]
pub trait MarketStore: Send + Sync {
    /// Appends an observation and gives its row; keeps the newest 100,000 rows.
    async fn append_price(&self, price: &SpotPrice) -> Result<PriceRow, StoreError>;

    /// The newest observations first, at most `limit`.
    async fn prices(&self, limit: u32) -> Result<Vec<PriceRow>, StoreError>;

    /// Stores a chart and gives its id; keeps the newest two per timeframe.
    async fn put_chart(&self, chart: &Chart) -> Result<i64, StoreError>;

    /// The newest chart of the timeframe with its id.
    async fn chart(&self, timeframe: Timeframe) -> Result<Option<(i64, Chart)>, StoreError>;

    /// Stores the value of its day, replacing that day's and keeping its id, which it gives; keeps
    /// 1,000 days.
    async fn put_sentiment(&self, sentiment: &Sentiment) -> Result<i64, StoreError>;

    /// What an administrator set, by name.
    async fn settings(&self) -> Result<Vec<Setting>, StoreError>;

    /// Keeps settings, all or none, replacing those of the same name.
    async fn put_settings(&self, settings: &[Setting]) -> Result<(), StoreError>;

    /// The newest value with its id.
    async fn sentiment(&self) -> Result<Option<(i64, Sentiment)>, StoreError>;
}
