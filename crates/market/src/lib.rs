//! Prices, rates, charts and sentiment as data, and the ports they come and go through.
//!
//! Invariants: no I/O, no clock. Prices are decimals at the feed's edge and integers inside.

mod chart;
mod ports;
mod price;
mod rates;

pub use chart::{Chart, ChartPoint, Timeframe};
pub use ports::{FeedError, MarketStore, PriceFeed, SentimentFeed, Setting};
pub use price::{PriceRow, Sentiment, SpotPrice};
pub use rates::{Multipliers, RateError, Rates};
