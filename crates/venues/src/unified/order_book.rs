//! Who wants to buy and to sell, and at which prices.

use serde::Serialize;

use super::Time;
use crate::Number;

/// A book at one moment. Bids fall and asks rise; each level is price and amount.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OrderBook {
    /// The market: `BTC/USDT`.
    pub symbol: Option<String>,
    /// Who wants to buy, the best price first.
    pub bids: Vec<(Number, Number)>,
    /// Who wants to sell, the best price first.
    pub asks: Vec<(Number, Number)>,
    /// When it was so.
    #[serde(flatten)]
    pub time: Time,
    /// The exchange's number of this state.
    pub nonce: Option<i64>,
}

impl OrderBook {
    /// The book with its levels in order.
    pub(crate) fn sorted(mut self) -> Self {
        self.bids.sort_by_key(|(price, _)| std::cmp::Reverse(*price));
        self.asks.sort_by_key(|(price, _)| *price);
        self
    }
}
