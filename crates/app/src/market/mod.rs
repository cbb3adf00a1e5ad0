//! Prices, charts and sentiment: fetched on schedule, kept, cached, told.

mod cached;
mod poll;
pub(crate) mod quote;
mod settings;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use orrery_kernel::{Clock, Error, Result, Timestamp};
use orrery_ledger::LedgerStore;
use orrery_market::{Chart, MarketStore, Multipliers, PriceFeed, PriceRow, Sentiment, SentimentFeed, Timeframe};
use orrery_storage::{Cache, CacheKey};
pub use poll::PollError;
pub use quote::Quote;

use crate::events::{Event, Events};

/// Market data's configuration.
#[derive(Clone, Debug)]
pub struct MarketSettings {
    /// Rupees a dollar.
    pub multipliers: Multipliers,
    /// A price older than this refuses trades.
    pub max_age: Duration,
}

/// How a feed is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedStatus {
    /// `price`, `chart_1d` …, `sentiment`.
    pub name: String,
    /// Where it comes from.
    pub source: &'static str,
    /// When it last answered.
    pub last_ok: Option<Timestamp>,
    /// Why the last call failed, if it did: `rate limited`, `unavailable`, `bad answer`, `store`.
    pub last_error: Option<&'static str>,
    /// Older than it should be (never answered counts).
    pub stale: bool,
}

/// Market data's use cases.
pub struct Market {
    store: Arc<dyn MarketStore>,
    ledger: Arc<dyn LedgerStore>,
    cache: Arc<dyn Cache>,
    prices: Arc<dyn PriceFeed>,
    sentiments: Arc<dyn SentimentFeed>,
    clock: Arc<dyn Clock>,
    events: Events,
    settings: MarketSettings,
    in_force: ArcSwap<settings::InForce>,
    quote: ArcSwapOption<Quote>,
    feeds: Mutex<Vec<FeedStatus>>,
}

impl Market {
    /// Largest answer of [`Market::history`].
    pub const HISTORY_MAX: u32 = 1_000;

    /// Assembles the use cases.
    #[expect(clippy::too_many_arguments, reason = "called once, with one port each")]
    pub fn new(
        store: Arc<dyn MarketStore>,
        ledger: Arc<dyn LedgerStore>,
        cache: Arc<dyn Cache>,
        prices: Arc<dyn PriceFeed>,
        sentiments: Arc<dyn SentimentFeed>,
        clock: Arc<dyn Clock>,
        events: Events,
        settings: MarketSettings,
    ) -> Self {
        let status = |name: String, source| FeedStatus { name, source, last_ok: None, last_error: None, stale: true };
        let mut feeds = vec![status("price".into(), prices.source())];
        feeds.extend(Timeframe::ALL.map(|t| status(format!("chart_{}", t.name()), prices.source())));
        feeds.push(status("sentiment".into(), sentiments.source()));
        Self {
            store,
            ledger,
            cache,
            prices,
            sentiments,
            clock,
            events,
            in_force: ArcSwap::from_pointee(settings::InForce::new(settings.multipliers)),
            settings,
            quote: ArcSwapOption::empty(),
            feeds: Mutex::new(feeds),
        }
    }

    /// Takes up the newest stored price, if it is from the configured source: a simulated price must
    /// never stand in for a real one, nor the other way round.
    pub async fn restore(&self) -> Result<()> {
        self.read_settings().await?;
        let (rows, snapshot) = (self.store.prices(1).await?, self.ledger.latest_snapshot().await?);
        let (Some(row), Some(snapshot)) = (rows.into_iter().next(), snapshot) else { return Ok(()) };
        let source = self.prices.source();
        if row.price.source == source
            && snapshot.price.source == source
            && row.price.usd_cents == snapshot.price.btc_usd_cents
        {
            let newer = self.quote().is_none_or(|quote| quote.snapshot.id < snapshot.id);
            if newer {
                self.adopt(Arc::new(Quote { row, snapshot }), false).await;
            }
        }
        Ok(())
    }

    /// Takes up what another process fetched or set; tells listeners if it changed.
    pub async fn follow(&self) -> Result<()> {
        if self.read_settings().await? {
            self.events.relay(Event::Settings);
        }
        self.restore().await
    }

    /// Makes `quote` the price; tells listeners if it shows, those of other processes too if it began
    /// here.
    pub(crate) async fn adopt(&self, quote: Arc<Quote>, ours: bool) {
        let before = self.quote.swap(Some(quote.clone()));
        self.cache_price(&quote, self.clock.now()).await;
        let shown = |q: &Quote| {
            let p = &q.snapshot.price;
            (p.btc_usd_cents, p.buy_rate, p.sell_rate)
        };
        if before.is_none_or(|before| shown(&before) != shown(&quote)) {
            tracing::debug!(usd_cents = quote.snapshot.price.btc_usd_cents, source = self.source(), "price changed");
            let event = Event::Price(quote);
            if ours { self.events.send(event) } else { self.events.relay(event) }
        }
    }

    /// A price older than this refuses trades.
    pub fn max_age(&self) -> Duration {
        self.settings.max_age
    }

    /// Where prices come from.
    pub fn source(&self) -> &'static str {
        self.prices.source()
    }

    /// The last price, however old.
    pub fn quote(&self) -> Option<Arc<Quote>> {
        self.quote.load_full()
    }

    /// The price to trade at.
    ///
    /// # Errors
    /// `Unavailable` when there is none, or it is older than `max_age`.
    pub fn fresh_quote(&self, now: Timestamp) -> Result<Arc<Quote>> {
        let wait = Duration::from_secs(5);
        let quote = self.quote().ok_or_else(|| Error::unavailable("Unable to fetch current Bitcoin price", wait))?;
        if now.since(quote.snapshot.price.observed_at) > self.settings.max_age {
            return Err(Error::unavailable("The Bitcoin price is out of date; trading is paused", wait));
        }
        Ok(quote)
    }

    /// The last price and whether it came from the cache.
    pub async fn current(&self, now: Timestamp) -> Result<Option<(Arc<Quote>, bool)>> {
        let Some(quote) = self.quote() else { return Ok(None) };
        let cached = match self.cache_get(&CacheKey::latest_btc_price(), now).await {
            Some(bytes) => bytes.as_ref() == quote.snapshot.id.0.to_string().as_bytes(),
            None => false,
        };
        if !cached {
            self.cache_price(&quote, now).await;
        }
        Ok(Some((quote, cached)))
    }

    /// The newest chart with its id, and whether it came from the cache.
    pub async fn chart(&self, timeframe: Timeframe, now: Timestamp) -> Result<Option<(i64, Chart, bool)>> {
        let key = CacheKey::chart_data(timeframe.name(), timeframe.ttl());
        if let Some(bytes) = self.cache_get(&key, now).await
            && let Some((id, chart)) = cached::read_chart(&bytes)
        {
            return Ok(Some((id, chart, true)));
        }
        let Some((id, chart)) = self.store.chart(timeframe).await?.filter(|(_, c)| c.source == self.source()) else {
            return Ok(None);
        };
        self.cache_put(&key, cached::write_chart(id, &chart), now).await;
        Ok(Some((id, chart, false)))
    }

    /// The newest sentiment with its id, and whether it came from the cache.
    pub async fn sentiment(&self, now: Timestamp) -> Result<Option<(i64, Sentiment, bool)>> {
        let key = CacheKey::sentiment();
        if let Some(bytes) = self.cache_get(&key, now).await
            && let Some((id, sentiment)) = cached::read_sentiment(&bytes)
        {
            return Ok(Some((id, sentiment, true)));
        }
        let found = self.store.sentiment().await?.filter(|(_, s)| s.source == self.sentiments.source());
        let Some((id, sentiment)) = found else { return Ok(None) };
        self.cache_put(&key, cached::write_sentiment(id, &sentiment), now).await;
        Ok(Some((id, sentiment, false)))
    }

    /// The newest prices of the configured source first; `limit` from 1 to [`Market::HISTORY_MAX`].
    pub async fn history(&self, limit: u32) -> Result<Vec<PriceRow>> {
        if !(1..=Self::HISTORY_MAX).contains(&limit) {
            return Err(Error::invalid("limit", format!("limit must be between 1 and {}", Self::HISTORY_MAX)));
        }
        let mut rows = self.store.prices(limit).await?;
        rows.retain(|row| row.price.source == self.source());
        Ok(rows)
    }

    /// How each feed is doing, as this process knows it.
    pub fn freshness(&self, now: Timestamp) -> Vec<FeedStatus> {
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for feed in &mut feeds {
            feed.stale = feed.last_ok.is_none_or(|ok| now.since(ok) > self.longest(&feed.name));
        }
        feeds
    }

    /// Learns when another process last fetched what looks stale here.
    ///
    /// # Errors
    /// What the store says.
    pub async fn follow_feeds(&self, now: Timestamp) -> Result<()> {
        for feed in self.freshness(now).into_iter().filter(|feed| feed.stale) {
            let fetched = match feed.name.strip_prefix("chart_").and_then(Timeframe::parse) {
                Some(timeframe) => self.chart(timeframe, now).await?.map(|(_, chart, _)| chart.observed_at),
                None if feed.name == "price" => self.quote().map(|quote| quote.snapshot.price.received_at),
                None => self.sentiment(now).await?.map(|(_, sentiment, _)| sentiment.observed_at),
            };
            let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = feeds.iter_mut().find(|known| known.name == feed.name) {
                known.last_ok = known.last_ok.max(fetched);
            }
        }
        Ok(())
    }

    /// A feed that last answered longer ago is stale.
    fn longest(&self, feed: &str) -> Duration {
        match feed.strip_prefix("chart_").and_then(Timeframe::parse) {
            // one missed run is no cause for alarm
            Some(timeframe) => timeframe.ttl() * 2,
            None if feed == "price" => self.settings.max_age,
            None => Duration::from_secs(2 * 86_400),
        }
    }

    async fn cache_get(&self, key: &CacheKey, now: Timestamp) -> Option<bytes::Bytes> {
        let found = match self.cache.get(key, now).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, key = key.name(), "cache unavailable");
                None
            }
        };
        let outcome = if found.is_some() { "hit" } else { "miss" };
        metrics::counter!("cache_requests_total", "outcome" => outcome).increment(1);
        found
    }

    async fn cache_put(&self, key: &CacheKey, value: bytes::Bytes, now: Timestamp) {
        if let Err(error) = self.cache.put(key, value, now).await {
            tracing::warn!(%error, key = key.name(), "cache unavailable");
        }
    }

    /// The cache holds which snapshot is the newest; its content is in process already.
    async fn cache_price(&self, quote: &Quote, now: Timestamp) {
        let id = bytes::Bytes::from(quote.snapshot.id.0.to_string());
        self.cache_put(&CacheKey::latest_btc_price(), id, now).await;
    }
}
