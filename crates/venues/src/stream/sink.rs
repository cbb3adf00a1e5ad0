//! Market data for those who want it: what can be wanted, and what is heard.

use crate::unified::{Candle, OrderBook, Ticker, Trade};

/// What is wanted of a market.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// The last day.
    Ticker,
    /// The book.
    Book,
    /// What is traded.
    Trades,
    /// Candles of this length: `1m`.
    Candles(String),
}

/// Something that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Want {
    /// The market: `BTC/USDT`.
    pub symbol: String,
    /// What of it.
    pub what: What,
}

/// What was heard of a market.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "each is told at once and kept nowhere; tickers are most of them")]
pub enum Heard {
    /// Its last day, with the best prices of its book where the exchange's own lacks them.
    Ticker(Ticker),
    /// Its book, whole and in order.
    Book(OrderBook),
    /// What was traded since the last time, oldest first; none is told twice.
    Trades(Vec<Trade>),
    /// The last candles, oldest first; the last one is not over.
    Candles(String, Vec<Candle>),
}

/// Takes what is heard. It must not wait: feeds have no one to wait for them.
pub trait Sink: Send + Sync {
    /// Something of a market at `exchange`, which is named as channels name it: `binance`, and `paper` for the one
    /// that is simulated. `latency` is how old it was by the exchange's clock, in milliseconds, where it said when.
    fn heard(&self, exchange: &str, symbol: &str, heard: Heard, latency: Option<i64>);
}
