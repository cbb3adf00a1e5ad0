//! A market that is made up, for `demo` and for tests. Always says so: its source is `simulated`.
//!
//! The price is a pure function of seed and time, so a restart goes on where it was and charts agree
//! with the live price: a sum of smooth noise on periods from 4 seconds to a year, each with the
//! weight that a random walk of some 55 % a year has on it.

use async_trait::async_trait;
use orrery_kernel::Timestamp;
use orrery_market::{Chart, ChartPoint, FeedError, PriceFeed, Sentiment, SentimentFeed, SpotPrice, Timeframe};
use rust_decimal::Decimal;

/// Volatility of a year.
const VOLATILITY: f64 = 0.55;
const YEAR_S: f64 = 31_557_600.0;
/// Periods double from 4 s; the last is 2.1 years.
const OCTAVES: u32 = 25;
const SHORTEST_S: f64 = 4.0;
/// Coins that a market capitalisation is reckoned with.
const COINS: i64 = 19_700_000;

/// A simulated market.
#[derive(Clone, Copy, Debug)]
pub struct Simulated {
    seed: u64,
    /// Dollars around which the price moves.
    level: f64,
}

impl Simulated {
    /// The market of a seed, around `level_usd`.
    pub fn new(seed: u64, level_usd: u32) -> Self {
        Self { seed, level: f64::from(level_usd.max(1)) }
    }

    /// Whole dollars in cents at a moment; at least 100.
    pub fn usd_cents(&self, at: Timestamp) -> i64 {
        let seconds = at.micros() as f64 / 1e6;
        let mut log = 0.0;
        for octave in 0..OCTAVES {
            let period = SHORTEST_S * f64::from(octave).exp2();
            // a random walk's spread over a period, shared among the octaves below it
            let weight = VOLATILITY * (period / YEAR_S).sqrt() * 0.7;
            log += weight * self.noise(octave, seconds / period);
        }
        let usd = (self.level * log.exp()).round().clamp(1.0, 1e9);
        usd as i64 * 100
    }

    /// Smooth noise of one octave, within ±1 or so.
    fn noise(&self, octave: u32, x: f64) -> f64 {
        let (whole, part) = (x.floor(), x - x.floor());
        let (a, b) = (self.lattice(octave, whole as i64), self.lattice(octave, whole as i64 + 1));
        let smooth = part * part * (3.0 - 2.0 * part);
        a + (b - a) * smooth
    }

    /// A value within ±1 for a whole number: SplitMix64's finaliser over seed, octave and number.
    fn lattice(&self, octave: u32, n: i64) -> f64 {
        let mut z = self
            .seed
            .wrapping_add(u64::from(octave).wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_add((n as u64).wrapping_mul(0xd1b5_4a32_d192_ed03));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn points(&self, timeframe: Timeframe, now: Timestamp) -> Vec<ChartPoint> {
        // as many as CoinGecko gives: five minutes within a day, hours within 90 days, then days
        let step_s = match timeframe {
            Timeframe::D1 => 300,
            Timeframe::D7 | Timeframe::D30 | Timeframe::D90 => 3_600,
            Timeframe::D365 => 86_400,
        };
        let count = i64::from(timeframe.days()) * 86_400 / step_s;
        let point = |at: Timestamp| ChartPoint { at, usd_cents: self.usd_cents(at) };
        let mut points: Vec<_> = (1..=count)
            .rev()
            .map(|i| point(Timestamp::from_secs((now.secs() / step_s - i + 1) * step_s)))
            .filter(|p| p.at < now)
            .collect();
        points.push(point(now));
        points
    }
}

#[async_trait]
impl PriceFeed for Simulated {
    fn source(&self) -> &'static str {
        "simulated"
    }

    async fn latest(&self, now: Timestamp) -> Result<Option<SpotPrice>, FeedError> {
        let usd_cents = self.usd_cents(now);
        let highest = |points: Vec<ChartPoint>| points.into_iter().map(|p| p.usd_cents).max().unwrap_or(usd_cents);
        let high = highest(self.points(Timeframe::D1, now));
        let year = self.points(Timeframe::D365, now);
        let top = year.iter().max_by_key(|p| p.usd_cents).copied().filter(|p| p.usd_cents >= high);
        let (ath, ath_at) = top.map_or((high, now), |p| (p.usd_cents, p.at));
        let usd = |cents: i64| Decimal::new(cents, 2);
        Ok(Some(SpotPrice {
            source: "simulated".into(),
            usd_cents,
            market_cap_usd: usd(usd_cents).checked_mul(Decimal::from(COINS)),
            volume_24h_usd: usd(usd_cents).checked_mul(Decimal::from(COINS / 50)),
            high_24h_usd: Some(usd(high)),
            ath_usd: Some(usd(ath)),
            ath_date: Some(ath_at.date()),
            ath_change_pct: Some(Decimal::from((usd_cents - ath) * 10_000 / ath) / Decimal::ONE_HUNDRED),
            source_updated_at: Some(now),
            observed_at: now,
        }))
    }

    async fn chart(&self, timeframe: Timeframe, now: Timestamp) -> Result<Option<Chart>, FeedError> {
        let points = self.points(timeframe, now);
        Ok(Some(Chart { timeframe, source: "simulated".into(), points, observed_at: now }))
    }
}

#[async_trait]
impl SentimentFeed for Simulated {
    fn source(&self) -> &'static str {
        "simulated"
    }

    async fn latest(&self, now: Timestamp) -> Result<Option<Sentiment>, FeedError> {
        // greed is where the month went up
        let (before, after) = (self.usd_cents(Timestamp::from_secs(now.secs() - 30 * 86_400)), self.usd_cents(now));
        let value = (50 + (after - before) * 100 / before.max(1)).clamp(3, 97);
        let classification = match value {
            ..25 => "Extreme Fear",
            25..47 => "Fear",
            47..55 => "Neutral",
            55..76 => "Greed",
            _ => "Extreme Greed",
        };
        Ok(Some(Sentiment {
            source: "simulated".into(),
            value: u8::try_from(value).unwrap_or(50),
            classification: classification.into(),
            data_date: now.date(),
            observed_at: now,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_518_600);

    #[test]
    fn the_market_moves_like_one() {
        let market = Simulated::new(1, 65_000);
        let daily: Vec<f64> = (0..365)
            .map(|d| {
                let at = |d: i64| market.usd_cents(Timestamp::from_secs(NOW.secs() - d * 86_400)) as f64;
                (at(d) / at(d + 1)).ln()
            })
            .collect();
        let spread = (daily.iter().map(|r| r * r).sum::<f64>() / 365.0).sqrt() * 365_f64.sqrt();
        assert!((0.2..1.2).contains(&spread), "{spread} a year");
        let changes = (0..60)
            .filter(|i| {
                let at = |s: i64| market.usd_cents(Timestamp::from_secs(NOW.secs() + s));
                at(i * 2) != at(i * 2 + 2)
            })
            .count();
        assert!(changes > 30, "a price that moves every couple of seconds, not {changes} times of 60");
        assert_ne!(market.usd_cents(NOW), Simulated::new(2, 65_000).usd_cents(NOW));
    }

    #[tokio::test]
    async fn charts_end_at_the_price() {
        let market = Simulated::new(3, 65_000);
        let price = PriceFeed::latest(&market, NOW).await.unwrap().unwrap();
        for (timeframe, points) in [(Timeframe::D1, 288), (Timeframe::D30, 720), (Timeframe::D365, 365)] {
            let chart = market.chart(timeframe, NOW).await.unwrap().unwrap();
            assert_eq!(chart.points.last().unwrap().usd_cents, price.usd_cents);
            assert!(chart.points.len().abs_diff(points) <= 1, "{}", chart.points.len());
            assert!(chart.points.windows(2).all(|w| w[0].at < w[1].at));
        }
    }
}
