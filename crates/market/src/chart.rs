//! Charts of the five documented timeframes.

use std::time::Duration;

use orrery_kernel::Timestamp;
use rust_decimal::Decimal;

/// BitTrade document, "GET /api/bitcoin/chart/:timeframe".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timeframe {
    /// Five-minute points of a day.
    D1,
    /// Hourly points of a week.
    D7,
    /// Hourly points of 30 days.
    D30,
    /// Hourly points of 90 days.
    D90,
    /// Daily points of a year.
    D365,
}

/// One point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChartPoint {
    /// When.
    pub at: Timestamp,
    /// US cents per bitcoin.
    pub usd_cents: i64,
}

/// A chart as observed. Points rise in time; never empty, at most [`Chart::POINTS_MAX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// Which.
    pub timeframe: Timeframe,
    /// Where it comes from.
    pub source: String,
    /// The points.
    pub points: Vec<ChartPoint>,
    /// When we received it.
    pub observed_at: Timestamp,
}

impl Timeframe {
    /// All of them, shortest first.
    pub const ALL: [Self; 5] = [Self::D1, Self::D7, Self::D30, Self::D90, Self::D365];

    /// The path segment: `1d`.
    pub fn name(self) -> &'static str {
        match self {
            Self::D1 => "1d",
            Self::D7 => "7d",
            Self::D30 => "30d",
            Self::D90 => "90d",
            Self::D365 => "365d",
        }
    }

    /// The timeframe of that path segment.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }

    /// Its length in days.
    pub fn days(self) -> u32 {
        match self {
            Self::D1 => 1,
            Self::D7 => 7,
            Self::D30 => 30,
            Self::D90 => 90,
            Self::D365 => 365,
        }
    }

    /// How long a cached chart lives (BitTrade document, "Cache TTL").
    pub fn ttl(self) -> Duration {
        Duration::from_secs(match self {
            Self::D1 => 3_600,
            Self::D7 => 21_600,
            Self::D30 => 43_200,
            Self::D90 => 64_800,
            Self::D365 => 86_400,
        })
    }
}

impl Chart {
    /// Bound on the points of a chart; a source's longer answer is thinned evenly.
    pub const POINTS_MAX: usize = 3_000;

    /// `(last − first) / first × 100`, rounded to two decimals.
    pub fn change_pct(&self) -> Option<Decimal> {
        let (first, last) = (self.points.first()?.usd_cents, self.points.last()?.usd_cents);
        let (first, last) = (Decimal::from(first), Decimal::from(last));
        (last - first).checked_mul(Decimal::ONE_HUNDRED)?.checked_div(first).map(|d| d.round_dp(2))
    }
}
