//! The last day of a market.

use serde::{Serialize, Serializer};

use super::{Market, Raw, Time};
use crate::Number;

/// Prices, change and volumes over the last 24 hours.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ticker {
    /// The market: `BTC/USDT`.
    pub symbol: Option<String>,
    /// When the exchange made it.
    pub time: Time,
    /// When, as the exchange wrote it, if that says more than milliseconds do.
    pub datetime: Option<String>,
    /// Highest price.
    pub high: Option<Number>,
    /// Lowest price.
    pub low: Option<Number>,
    /// Best price that somebody buys at.
    pub bid: Option<Number>,
    /// How much is wanted at it.
    pub bid_volume: Option<Number>,
    /// Best price that somebody sells at.
    pub ask: Option<Number>,
    /// How much is offered at it.
    pub ask_volume: Option<Number>,
    /// Average price, weighted by volume.
    pub vwap: Option<Number>,
    /// First price.
    pub open: Option<Number>,
    /// Last price.
    pub close: Option<Number>,
    /// Last price too.
    pub last: Option<Number>,
    /// Last price of the day before.
    pub previous_close: Option<Number>,
    /// Last price less the first.
    pub change: Option<Number>,
    /// The change in hundredths of the first price.
    pub percentage: Option<Number>,
    /// Middle between first and last price, cut to the market's digits.
    pub average: Option<Number>,
    /// Volume in the base currency.
    pub base_volume: Option<Number>,
    /// Volume in the quote currency.
    pub quote_volume: Option<Number>,
    /// What positions are valued at.
    pub mark_price: Option<Number>,
    /// What the index says.
    pub index_price: Option<Number>,
    /// As the exchange said it.
    pub info: Raw,
}

impl Ticker {
    /// What is said now, over what was said before: exchanges leave out of a stream what did not change.
    #[must_use]
    pub fn over(self, before: &Self) -> Self {
        Self {
            symbol: self.symbol.or_else(|| before.symbol.clone()),
            datetime: if self.time.0.is_some() { self.datetime } else { before.datetime.clone() },
            time: Time(self.time.0.or(before.time.0)),
            high: self.high.or(before.high),
            low: self.low.or(before.low),
            bid: self.bid.or(before.bid),
            bid_volume: self.bid_volume.or(before.bid_volume),
            ask: self.ask.or(before.ask),
            ask_volume: self.ask_volume.or(before.ask_volume),
            vwap: self.vwap.or(before.vwap),
            open: self.open.or(before.open),
            close: self.close.or(before.close),
            last: self.last.or(before.last),
            previous_close: self.previous_close.or(before.previous_close),
            change: self.change.or(before.change),
            percentage: self.percentage.or(before.percentage),
            average: self.average.or(before.average),
            base_volume: self.base_volume.or(before.base_volume),
            quote_volume: self.quote_volume.or(before.quote_volume),
            mark_price: self.mark_price.or(before.mark_price),
            index_price: self.index_price.or(before.index_price),
            info: self.info,
        }
    }

    /// The ticker with what follows from the rest: a price, change or percentage that is missing, the average, the
    /// weighted price. Prices of zero are none.
    pub(crate) fn completed(mut self, market: Option<&Market>) -> Self {
        let price = |price: Option<Number>| price.and_then(Number::nonzero);
        for field in [&mut self.open, &mut self.high, &mut self.low, &mut self.bid, &mut self.ask] {
            *field = price(*field);
        }
        let mut close = price(self.close.or(self.last));
        let (mut open, mut change, mut percentage) = (self.open, price(self.change), price(self.percentage));
        let mut average = price(self.average);
        let hundred = Number::from(100);
        // quotients are made where they are needed only: they are most of what a ticker costs
        let share = || percentage?.over(hundred);
        let grown = || share()?.plus(Number::from(1));
        if let Some(change) = change {
            let half = || change.over(Number::from(2));
            close = close.or_else(|| average?.plus(half()?));
            open = open.or_else(|| close?.minus(change));
        } else if percentage.is_some() {
            close = close.or_else(|| {
                let first = open.or_else(|| {
                    let both = average?.times(Number::from(2))?;
                    both.over(share()?.plus(Number::from(2))?)
                });
                first?.times(grown()?)
            });
            open = open.or_else(|| close?.over(grown()?));
        }
        change = change.or_else(|| match (open, close) {
            (Some(open), Some(close)) => close.minus(open),
            (None, Some(close)) => share()?.times(close)?.over(grown()?),
            (Some(open), None) => open.times(share()?),
            (None, None) => None,
        });
        close = close.or_else(|| open?.plus(change?));
        percentage = percentage.or_else(|| change?.over(open?)?.times(hundred));
        average = average.or_else(|| {
            let digits = market.and_then(|market| market.precision.price).map_or(18, Number::digits);
            open?.plus(close?)?.halved_to(digits)
        });
        self.vwap = self.vwap.or_else(|| price(self.quote_volume)?.over(self.base_volume?));
        Self { open, close, last: close, change, percentage, average, ..self }
    }
}

impl Serialize for Ticker {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("symbol", &self.symbol)?;
        self.time.entries(self.datetime.as_deref(), &mut map)?;
        map.serialize_entry("high", &self.high)?;
        map.serialize_entry("low", &self.low)?;
        map.serialize_entry("bid", &self.bid)?;
        map.serialize_entry("bidVolume", &self.bid_volume)?;
        map.serialize_entry("ask", &self.ask)?;
        map.serialize_entry("askVolume", &self.ask_volume)?;
        map.serialize_entry("vwap", &self.vwap)?;
        map.serialize_entry("open", &self.open)?;
        map.serialize_entry("close", &self.close)?;
        map.serialize_entry("last", &self.last)?;
        map.serialize_entry("previousClose", &self.previous_close)?;
        map.serialize_entry("change", &self.change)?;
        map.serialize_entry("percentage", &self.percentage)?;
        map.serialize_entry("average", &self.average)?;
        map.serialize_entry("baseVolume", &self.base_volume)?;
        map.serialize_entry("quoteVolume", &self.quote_volume)?;
        map.serialize_entry("markPrice", &self.mark_price)?;
        map.serialize_entry("indexPrice", &self.index_price)?;
        map.serialize_entry("info", &self.info)?;
        map.end()
    }
}
