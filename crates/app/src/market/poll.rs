//! Fetching: called by the schedules.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use orrery_kernel::{Error, Timestamp};
use orrery_ledger::{NewSnapshot, Snapshot};
use orrery_market::{FeedError, SpotPrice, Timeframe};
use orrery_storage::CacheKey;

use super::{Market, Quote, cached};

/// Why a fetch led to nothing.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// The source failed.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// What it gave could not be kept or used.
    #[error("{0}")]
    Keep(Error),
}

impl PollError {
    /// The source asked us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Feed(FeedError::RateLimited { retry_after }) => Some(retry_after.unwrap_or(Duration::from_secs(60))),
            _ => None,
        }
    }

    fn class(&self) -> &'static str {
        match self {
            Self::Feed(FeedError::RateLimited { .. }) => "rate limited",
            Self::Feed(FeedError::Unavailable(_)) => "unavailable",
            Self::Feed(FeedError::Bad(_)) => "bad answer",
            Self::Keep(_) => "store",
        }
    }
}

impl From<Error> for PollError {
    fn from(error: Error) -> Self {
        Self::Keep(error)
    }
}

impl From<orrery_kernel::StoreError> for PollError {
    fn from(error: orrery_kernel::StoreError) -> Self {
        Self::Keep(error.into())
    }
}

impl Market {
    /// Fetches the price; makes it the quote; tells listeners if it changed.
    pub async fn poll_price(&self) -> Result<(), PollError> {
        let done = self.fetch_price().await;
        self.note("price", &done);
        done
    }

    async fn fetch_price(&self) -> Result<(), PollError> {
        let before = self.quote();
        let fetched = self.prices.latest(self.clock.now()).await?;
        let now = self.clock.now();
        let row = match (fetched, &before) {
            (Some(price), _) => self.store.append_price(&price).await?,
            // the source says that its last answer still holds
            (None, Some(quote)) => {
                let held = SpotPrice { observed_at: now, ..quote.row.price.clone() };
                self.store.append_price(&held).await?
            }
            (None, None) => {
                let text = "the source says that nothing changed, but there is nothing yet";
                return Err(FeedError::Bad(text.into()).into());
            }
        };
        let multipliers = self.multipliers();
        let rates = multipliers.rates(row.price.usd_cents).map_err(|e| FeedError::Bad(e.to_string()))?;
        let price = NewSnapshot {
            source: row.price.source.clone(),
            btc_usd_cents: row.price.usd_cents,
            buy_mult_e4: multipliers.buy_e4(),
            sell_mult_e4: multipliers.sell_e4(),
            buy_rate: rates.buy,
            sell_rate: rates.sell,
            observed_at: row.price.observed_at,
            received_at: now,
        };
        let id = self.ledger.put_snapshot(&price).await?;
        self.adopt(Arc::new(Quote { row, snapshot: Snapshot { id, price } }), true).await;
        Ok(())
    }

    /// Fetches a chart.
    pub async fn poll_chart(&self, timeframe: Timeframe) -> Result<(), PollError> {
        let done = self.fetch_chart(timeframe).await;
        self.note(&format!("chart_{}", timeframe.name()), &done);
        done
    }

    async fn fetch_chart(&self, timeframe: Timeframe) -> Result<(), PollError> {
        let now = self.clock.now();
        let Some(chart) = self.prices.chart(timeframe, now).await? else { return Ok(()) };
        if chart.points.is_empty() {
            return Err(FeedError::Bad("a chart without points".into()).into());
        }
        let id = self.store.put_chart(&chart).await?;
        let key = CacheKey::chart_data(timeframe.name(), timeframe.ttl());
        self.cache_put(&key, cached::write_chart(id, &chart), now).await;
        Ok(())
    }

    /// Fetches the sentiment.
    pub async fn poll_sentiment(&self) -> Result<(), PollError> {
        let done = self.fetch_sentiment().await;
        self.note("sentiment", &done);
        done
    }

    async fn fetch_sentiment(&self) -> Result<(), PollError> {
        let now = self.clock.now();
        let Some(sentiment) = self.sentiments.latest(now).await? else { return Ok(()) };
        let id = self.store.put_sentiment(&sentiment).await?;
        self.cache_put(&CacheKey::sentiment(), cached::write_sentiment(id, &sentiment), now).await;
        Ok(())
    }

    /// Remembers how a fetch went.
    fn note(&self, name: &str, done: &Result<(), PollError>) {
        let now: Timestamp = self.clock.now();
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(feed) = feeds.iter_mut().find(|f| f.name == name) else { return };
        match done {
            Ok(()) => (feed.last_ok, feed.last_error) = (Some(now), None),
            Err(error) => {
                // a failure every 30 s is one line when it starts, not one each time
                if feed.last_error.replace(error.class()) != Some(error.class()) {
                    tracing::warn!(feed = name, %error, "feed failed");
                }
            }
        }
    }
}
