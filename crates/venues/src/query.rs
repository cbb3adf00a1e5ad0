//! What a method is asked for, as a connector sees it.

use std::sync::Arc;

use crate::exchange::{Result, not_supported, required};
use crate::unified::{Market, Markets};
use crate::{ErrorClass, Exchange, Fields, VenueError};

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Page {
    /// Nothing before this time, in milliseconds.
    pub since: Option<i64>,
    /// At most so many.
    pub limit: Option<i64>,
}

/// One call of a method: whose, and what is asked for. What a method does not take is none.
pub(crate) struct Query<'q> {
    /// The exchange, as the account that asks.
    pub exchange: &'q Exchange,
    /// The method, by CCXT's name.
    pub method: &'static str,
    /// An order's name.
    pub id: &'q str,
    /// A market.
    pub symbol: Option<&'q str>,
    /// Several markets.
    pub symbols: Option<&'q [String]>,
    /// A length of candles: `5m`.
    pub timeframe: &'q str,
    /// Which way: `buy`, `long`.
    pub side: Option<&'q str>,
    /// How many levels of a book.
    pub depth: Option<i64>,
    /// Which part of a list.
    pub page: Page,
    /// CCXT's further parameters, and the exchange's own.
    pub params: Fields,
}

impl<'q> Query<'q> {
    pub(crate) fn new(exchange: &'q Exchange, method: &'static str) -> Self {
        Self {
            exchange,
            method,
            id: "",
            symbol: None,
            symbols: None,
            timeframe: "",
            side: None,
            depth: None,
            page: Page::default(),
            params: Fields::new(),
        }
    }

    /// The exchange's markets.
    pub(crate) async fn markets(&self) -> Result<Arc<Markets>> {
        self.exchange.load_markets().await
    }

    /// The market that is asked for.
    ///
    /// Errors: [`ErrorClass::ArgumentsRequired`] if none is; [`ErrorClass::BadSymbol`].
    pub(crate) fn market<'m>(&self, markets: &'m Markets) -> Result<&'m Market> {
        markets.of(self.symbol.ok_or_else(|| required(self.exchange.venue(), self.method, "symbol"))?)
    }

    /// The market that is asked for, if one is.
    ///
    /// Errors: [`ErrorClass::BadSymbol`].
    pub(crate) fn market_if_any<'m>(&self, markets: &'m Markets) -> Result<Option<&'m Market>> {
        self.symbol.map(|symbol| markets.of(symbol)).transpose()
    }

    /// The markets that are asked for; none stand for all.
    ///
    /// Errors: [`ErrorClass::BadSymbol`].
    pub(crate) fn listed<'m>(&self, markets: &'m Markets) -> Result<Vec<&'m Market>> {
        self.symbols.unwrap_or_default().iter().map(|symbol| markets.of(symbol)).collect()
    }

    /// The exchange's name of a currency.
    ///
    /// Errors: [`ErrorClass::ExchangeError`] for one that nothing is traded in.
    pub(crate) fn currency<'m>(&self, markets: &'m Markets, code: &str) -> Result<&'m str> {
        let unknown = || self.error(ErrorClass::ExchangeError, &format!("knows no currency {code}"));
        markets.currency_id(code).ok_or_else(unknown)
    }

    /// A length of candles, in milliseconds.
    ///
    /// Errors: [`ErrorClass::NotSupported`] for what is none.
    pub(crate) fn candle_length(&self) -> Result<i64> {
        let unknown = || self.error(ErrorClass::NotSupported, &format!("has no candles of {:?}", self.timeframe));
        length(self.timeframe).ok_or_else(unknown)
    }

    /// What is said of a method that the exchange does not have.
    pub(crate) fn not_supported(&self) -> VenueError {
        not_supported(self.exchange.venue(), &format!("{}()", self.method))
    }

    /// An error of this call: `okx setLeverage() …`.
    pub(crate) fn error(&self, class: ErrorClass, message: &str) -> VenueError {
        VenueError::new(class, &format!("{} {}() {message}", self.exchange.venue(), self.method))
    }
}

/// Of a number and a unit: `15m`, `1M`.
fn length(timeframe: &str) -> Option<i64> {
    let (count, unit) = timeframe.split_at_checked(timeframe.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        "M" => 2_592_000,
        "y" => 31_536_000,
        _ => return None,
    };
    count.parse::<i64>().ok()?.checked_mul(seconds * 1000).filter(|length| *length > 0)
}

impl Page {
    /// Of a list that is sorted by time: nothing before `since`, and of the rest the first if `since` is given, else
    /// the last.
    pub(crate) fn of<T>(self, mut list: Vec<T>, time: impl Fn(&T) -> Option<i64>) -> Vec<T> {
        if let Some(since) = self.since {
            list.retain(|one| time(one).is_some_and(|time| time >= since));
        }
        if let Some(limit) = self.limit.and_then(|limit| usize::try_from(limit).ok())
            && list.len() > limit
        {
            if self.since.is_some() {
                list.truncate(limit);
            } else {
                list.drain(..list.len() - limit);
            }
        }
        list
    }
}
