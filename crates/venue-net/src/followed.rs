//! Prices of a real exchange for one that only plays: of the markets that somebody asked for, as long as they do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orrery_kernel::{Clock, Timestamp};
use orrery_venues::paper::{PaperPrices, Reference};
use orrery_venues::{Exchange, Fields};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Between two looks at a market.
const LOOK: Duration = Duration::from_secs(3);
/// How long a market is followed after it was asked for last.
const FOLLOWED: Duration = Duration::from_secs(300);
/// Most markets that are followed; beyond, more have no price.
const MARKETS_MAX: usize = 64;

struct Followed {
    asked: Timestamp,
    price: Option<Reference>,
    /// Whether it was looked at, with or without an answer.
    looked: bool,
}

/// The newest best prices of markets, asked for over HTTP while they are wanted. The first question about a market
/// finds none yet, and makes it followed.
pub struct FollowedPrices {
    exchange: Arc<Exchange>,
    clock: Arc<dyn Clock>,
    markets: Mutex<HashMap<String, Followed>>,
    more: Notify,
}

impl FollowedPrices {
    /// Follows nothing yet.
    pub fn new(exchange: Arc<Exchange>, clock: Arc<dyn Clock>) -> Self {
        Self { exchange, clock, markets: Mutex::default(), more: Notify::new() }
    }

    /// How many markets are followed.
    pub fn knows(&self) -> usize {
        self.markets().len()
    }

    fn markets(&self) -> MutexGuard<'_, HashMap<String, Followed>> {
        self.markets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows what is wanted until it is to stop.
    pub async fn run(self: Arc<Self>, stopping: CancellationToken) {
        loop {
            let now = self.clock.now();
            self.markets().retain(|_, market| now.since(market.asked) <= FOLLOWED);
            // those whose price somebody waits for come first
            let mut symbols: Vec<(bool, String)> =
                self.markets().iter().map(|(symbol, market)| (market.looked, symbol.clone())).collect();
            symbols.sort();
            for (_, symbol) in symbols {
                if stopping.is_cancelled() {
                    return;
                }
                let price = self.look(&symbol).await;
                if let Some(market) = self.markets().get_mut(&symbol) {
                    market.looked = true;
                    market.price = price.or(market.price.take());
                }
            }
            tokio::select! {
                () = stopping.cancelled() => return,
                () = self.more.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn look(&self, symbol: &str) -> Option<Reference> {
        let book = match self.exchange.fetch_order_book(symbol, None, Fields::new()).await {
            Ok(book) => book,
            Err(error) => {
                tracing::debug!(venue = %self.exchange.venue(), symbol, %error, "no price for play money");
                return None;
            }
        };
        let best = |side: &[(orrery_venues::Number, orrery_venues::Number)]| side.first().map(|(price, _)| *price);
        let (bid, ask) = (best(&book.bids)?, best(&book.asks)?);
        Some(Reference { bid, ask, last: None, depth: Some(book), at: self.clock.now() })
    }
}

impl PaperPrices for FollowedPrices {
    fn reference(&self, symbol: &str, now: Timestamp) -> Option<Reference> {
        let mut markets = self.markets();
        if let Some(market) = markets.get_mut(symbol) {
            market.asked = now;
            return market.price.clone();
        }
        if markets.len() < MARKETS_MAX {
            markets.insert(symbol.to_owned(), Followed { asked: now, price: None, looked: false });
            self.more.notify_one();
        }
        None
    }

    fn is_coming(&self, symbol: &str) -> bool {
        self.markets().get(symbol).is_some_and(|market| !market.looked)
    }
}
