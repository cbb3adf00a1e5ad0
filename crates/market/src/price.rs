//! Spot price and sentiment, as observed.

use orrery_kernel::Timestamp;
use rust_decimal::Decimal;

/// One observation of bitcoin against the US dollar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpotPrice {
    /// Where it comes from: `coingecko`, `simulated`.
    pub source: String,
    /// US cents per bitcoin, rounded half up to whole dollars (what the documented server keeps);
    /// always > 0.
    pub usd_cents: i64,
    /// US dollars.
    pub market_cap_usd: Option<Decimal>,
    /// US dollars.
    pub volume_24h_usd: Option<Decimal>,
    /// US dollars.
    pub high_24h_usd: Option<Decimal>,
    /// All-time high, US dollars.
    pub ath_usd: Option<Decimal>,
    /// Date of the all-time high, `2021-11-10`.
    pub ath_date: Option<String>,
    /// Per cent.
    pub ath_change_pct: Option<Decimal>,
    /// When the source says it was made.
    pub source_updated_at: Option<Timestamp>,
    /// When we received it.
    pub observed_at: Timestamp,
}

/// A stored observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceRow {
    /// Rises by 1 an observation.
    pub id: i64,
    /// The observation.
    pub price: SpotPrice,
}

/// A day's Fear & Greed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentiment {
    /// Where it comes from: `alternative.me`, `simulated`.
    pub source: String,
    /// 0 (fear) to 100 (greed).
    pub value: u8,
    /// `Extreme Fear` to `Extreme Greed`.
    pub classification: String,
    /// The day it is for, `2024-07-20`.
    pub data_date: String,
    /// When we received it.
    pub observed_at: Timestamp,
}
