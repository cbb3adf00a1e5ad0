//! Prices that are made up, for `demo` and for tests.

use std::time::Duration;

use orrery_kernel::Timestamp;
use rust_decimal::Decimal;

use super::{PaperMarket, PaperPrices, Reference, markets};
use crate::unified::Candle;
use crate::{Number, Page};

/// Periods double from four seconds to 97 days; the price stays within half of its level.
const OCTAVES: u32 = 22;
const SHORTEST_S: f64 = 4.0;
/// A random walk's spread over four seconds, of some 55 % a year.
const FIRST_WEIGHT: f64 = 0.000_137;
/// Of a period that is twice as long.
const GROWTH: f64 = std::f64::consts::SQRT_2;
/// Hundredths of a percent between the middle and each best price.
const HALF_SPREAD_BPS: i64 = 1;
/// How often the price moves.
const TICK_MS: i64 = 1_000;
/// Prices of a candle that are looked at, beside its last.
const SAMPLES: i64 = 8;
/// Candles of one answer.
const CANDLES: i64 = 500;

/// What a coin is worth in dollars, more or less.
const LEVELS: [(&str, f64); 24] = [
    ("BTC", 95_000.0),
    ("ETH", 3_300.0),
    ("SOL", 180.0),
    ("BNB", 650.0),
    ("XRP", 2.2),
    ("DOGE", 0.32),
    ("ADA", 0.9),
    ("TRX", 0.25),
    ("AVAX", 36.0),
    ("LINK", 21.0),
    ("LTC", 105.0),
    ("BCH", 440.0),
    ("DOT", 6.8),
    ("UNI", 13.0),
    ("ATOM", 6.5),
    ("XLM", 0.4),
    ("SUI", 4.1),
    ("TON", 5.4),
    ("NEAR", 5.0),
    ("SHIB", 0.000_022),
    ("USDT", 1.0),
    ("USDC", 1.0),
    ("USD", 1.0),
    ("EUR", 1.08),
];

/// A pure function of seed, market and time, so that a restart goes on where it was and candles agree with prices. Only
/// sums and products, which are the same on every machine.
#[derive(Debug, Clone, Copy)]
pub struct Walk {
    seed: u64,
}

fn level(ticker: &str) -> Option<f64> {
    LEVELS.iter().find(|(name, _)| *name == ticker).map(|(_, level)| *level)
}

/// A value within ±1: SplitMix64's finaliser.
fn lattice(seed: u64, n: i64) -> f64 {
    let mut z = seed.wrapping_add((n as u64).wrapping_mul(0xd1b5_4a32_d192_ed03));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

impl Walk {
    /// The walk of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    fn of(self, market: &PaperMarket) -> u64 {
        // FNV-1a
        let name = market.symbol.bytes();
        name.fold(self.seed ^ 0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    }

    /// The middle of the market in ticks, from 2.
    fn ticks(self, market: &PaperMarket, ms: i64) -> Option<i64> {
        let level = level(market.base.ticker())? / level(market.quote.ticker())?;
        let seed = self.of(market);
        let (mut period, mut weight, mut change) = (SHORTEST_S * 1_000.0, FIRST_WEIGHT, 0.0);
        for octave in 0..OCTAVES {
            let x = ms as f64 / period;
            let (whole, part) = (x.floor(), x - x.floor());
            let seed = seed.wrapping_add(u64::from(octave).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let (a, b) = (lattice(seed, whole as i64), lattice(seed, whole as i64 + 1));
            change += weight * (a + (b - a) * part * part * (3.0 - 2.0 * part));
            (period, weight) = (period * 2.0, weight * GROWTH);
        }
        let scale = (0..market.price_digits).fold(1.0, |scale, _| scale * 10.0);
        Some(((level * (1.0 + change.clamp(-0.9, 9.0)) * scale).round() as i64).max(2))
    }

    fn candle(self, market: &PaperMarket, open: i64, length: i64, now: i64) -> Option<Candle> {
        let end = (open + length).min(now);
        let moments = (0..SAMPLES).map(|i| open + length * i / SAMPLES).filter(|at| *at < end).chain([end]);
        // as the price moves: by ticks of time
        let prices: Vec<_> = moments.filter_map(|at| self.ticks(market, at.div_euclid(TICK_MS) * TICK_MS)).collect();
        let price = |ticks: Option<&i64>| ticks.map(|ticks| market.price_number(*ticks));
        let close = *prices.last()?;
        // some hundred thousand dollars a minute
        let share = (lattice(self.of(market) ^ 1, open / length.max(1)) + 1.5) * length as f64 / 60_000.0;
        let lots = market.affordable(close, 10_000_000_000_000) as f64 * share;
        let volume = Number(Decimal::new(lots as i64, market.amount_digits).normalize());
        Some(Candle(
            Some(open),
            price(prices.first()),
            price(prices.iter().max()),
            price(prices.iter().min()),
            price(Some(&close)),
            Some(volume),
        ))
    }
}

fn named(symbol: &str) -> Option<&'static PaperMarket> {
    markets().iter().find(|market| market.symbol == symbol).map(std::sync::Arc::as_ref)
}

impl PaperPrices for Walk {
    fn reference(&self, symbol: &str, now: Timestamp) -> Option<Reference> {
        let market = named(symbol)?;
        let at = now.millis().div_euclid(TICK_MS) * TICK_MS;
        let middle = self.ticks(market, at)?;
        let half = (middle * HALF_SPREAD_BPS / 10_000).max(1);
        Some(Reference {
            bid: market.price_number(middle - half),
            ask: market.price_number(middle + half),
            last: Some(market.price_number(middle)),
            depth: None,
            at: Timestamp::from_millis(at),
        })
    }

    fn candles(&self, symbol: &str, timeframe: Duration, page: Page, now: Timestamp) -> Option<Vec<Candle>> {
        let market = named(symbol)?;
        let (length, now) = (i64::try_from(timeframe.as_millis()).ok().filter(|ms| *ms > 0)?, now.millis());
        let most = page.limit.unwrap_or(CANDLES).clamp(0, CANDLES);
        let last = now.div_euclid(length);
        let first = page.since.map_or(last - most + 1, |since| -(-since).div_euclid(length));
        let opens = (first..=last).take(usize::try_from(most).unwrap_or(0));
        Some(opens.filter_map(|i| self.candle(market, i * length, length, now)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_500);

    #[test]
    fn every_market_has_a_price_near_its_level() {
        for market in markets() {
            let at = Walk::new(1).reference(&market.symbol, NOW).unwrap();
            assert!(at.bid < at.ask && at.at == Timestamp::from_millis(1_760_000_000_000), "{at:?}");
            let wanted = level(market.base.ticker()).unwrap() / level(market.quote.ticker()).unwrap();
            let ratio = at.bid.as_f64() / wanted;
            assert!((0.4..1.6).contains(&ratio), "{} is at {ratio} of its level", market.symbol);
        }
        assert_eq!(Walk::new(1).reference("BTC/INR", NOW), None);
    }

    #[test]
    fn the_same_seed_walks_the_same_way() {
        let at = |seed, now| Walk::new(seed).reference("BTC/USDT", now).unwrap().bid;
        assert_eq!(at(1, NOW), at(1, NOW));
        assert_ne!(at(1, NOW), at(2, NOW));
        assert_ne!(at(1, NOW), at(1, NOW.plus(Duration::from_secs(60))));
        // a change to the arithmetic would change charts that people have seen
        assert_eq!(at(1, NOW).to_string(), "86394.68");
    }

    #[test]
    fn candles_agree_with_prices() {
        let (walk, page) = (Walk::new(1), Page { since: None, limit: Some(3) });
        let candles = walk.candles("ETH/USDT", Duration::from_secs(60), page, NOW).unwrap();
        let opens: Vec<_> = candles.iter().filter_map(|candle| candle.0).collect();
        assert_eq!(opens, [1_759_999_860_000, 1_759_999_920_000, 1_759_999_980_000]);
        let last = candles.last().unwrap();
        assert_eq!(last.4, walk.reference("ETH/USDT", NOW).unwrap().last);
        for Candle(_, open, high, low, close, volume) in &candles {
            assert!(low <= open && open <= high && low <= close && close <= high && *volume > Some(0.into()));
        }
        let since = Page { since: Some(1_759_999_860_001), limit: Some(1) };
        let one = walk.candles("ETH/USDT", Duration::from_secs(60), since, NOW).unwrap();
        assert_eq!(one, candles.get(1..2).unwrap());
    }
}
