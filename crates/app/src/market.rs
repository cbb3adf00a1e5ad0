//! Prices, charts and sentiment: fetched on schedule, kept, cached, told.

use std::time::Duration;

use orrery_ledger::Snapshot;
use orrery_market::{Multipliers, PriceRow};

/// Market data's configuration.
#[derive(Clone, Debug)]
pub struct MarketSettings {
    /// Rupees a dollar.
    pub multipliers: Multipliers,
    /// A price older than this refuses trades.
    pub max_age: Duration,
}

/// The price now: what was observed, and the stored snapshot that trades name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The observation.
    pub row: PriceRow,
    /// The stored rates; `snapshot.price.observed_at` is when it was last seen to hold.
    pub snapshot: Snapshot,
}

/// Market data's use cases.
pub struct Market {}
