//! Prices from elsewhere.

use std::time::Duration;

use orrery_kernel::Timestamp;

use crate::unified::{Candle, OrderBook};
use crate::{Number, Page};

/// What a market is worth elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Best price that somebody buys at.
    pub bid: Number,
    /// Best price that somebody sells at; not below.
    pub ask: Number,
    /// Last price.
    pub last: Option<Number>,
    /// What stands at which price, if that is known; else it is made up around bid and ask.
    pub depth: Option<OrderBook>,
    /// When it was so. A later one renews what users took.
    pub at: Timestamp,
}

/// Where prices come from: live tickers, or a [`super::Walk`].
pub trait PaperPrices: Send + Sync {
    /// The newest price of a market, of whatever age; none for one that is not followed.
    fn reference(&self, symbol: &str, now: Timestamp) -> Option<Reference>;

    /// Whether a price of that market, where there is none yet, has been asked for and may be there in a moment.
    fn is_coming(&self, symbol: &str) -> bool {
        let _ = symbol;
        false
    }

    /// What the price did, oldest first; none where that is not known.
    fn candles(&self, symbol: &str, timeframe: Duration, page: Page, now: Timestamp) -> Option<Vec<Candle>> {
        let _ = (symbol, timeframe, page, now);
        None
    }
}
