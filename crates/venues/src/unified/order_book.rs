//! Who wants to buy and to sell, and at which prices.

use serde::Serialize;

use super::Time;
use crate::Number;
use crate::json::{Access as _, Json};

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

/// One side of a book whose levels are lists of price and amount; what is no level is left out.
pub(crate) fn levels(side: Option<&Json<'_>>) -> Vec<(Number, Number)> {
    let number = |level: &Json<'_>, place: usize| level.at(place).text().and_then(Number::parse);
    let all = side.list().unwrap_or_default().iter();
    all.filter_map(|level| Some((number(level, 0)?, number(level, 1)?))).collect()
}

impl OrderBook {
    /// The book with its levels in order.
    pub(crate) fn sorted(mut self) -> Self {
        self.bids.sort_by_key(|(price, _)| std::cmp::Reverse(*price));
        self.asks.sort_by_key(|(price, _)| *price);
        self
    }
}
