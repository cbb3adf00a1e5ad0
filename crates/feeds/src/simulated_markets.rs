//! What is heard of the simulated exchange: tickers, books, trades and candles around prices from elsewhere, so that
//! everything agrees, and goes on where it was after a restart as far as the prices do.

use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::Timestamp;
use orrery_venues::paper::{PaperPrices, Reference};
use orrery_venues::stream::{Heard, Want, What};
use orrery_venues::unified::{Candle, OrderBook, Side, Ticker, Time, Trade};
use orrery_venues::{Number, Page};

/// Levels of a side of a book.
const LEVELS: u32 = 20;
/// Between two trades of a market, milliseconds.
const TRADE_PERIOD_MS: i64 = 700;
/// Most trades that are told at once: after a pause, the last ones.
const TRADES_MAX: i64 = 50;
/// Candles that are told.
const CANDLES: i64 = 200;
const HOUR: Duration = Duration::from_secs(3_600);
const DAY_HOURS: i64 = 24;
const DAY_MS: i64 = 86_400_000;

/// The simulated exchange's markets.
pub struct SimulatedMarkets {
    prices: Arc<dyn PaperPrices>,
}

impl SimulatedMarkets {
    /// Markets around these prices.
    pub fn new(prices: Arc<dyn PaperPrices>) -> Self {
        Self { prices }
    }

    /// What is heard of `want` at `now`; of trades, those after `since`. None for a market that has no price, and where
    /// there was no trade.
    pub fn heard(&self, want: &Want, since: Timestamp, now: Timestamp) -> Option<Heard> {
        let symbol = want.symbol.as_str();
        match &want.what {
            What::Ticker => self.ticker(symbol, now).map(Heard::Ticker),
            What::Book => self.book(symbol, now).map(Heard::Book),
            What::Trades => {
                let trades = self.trades(symbol, since, now);
                (!trades.is_empty()).then_some(Heard::Trades(trades))
            }
            What::Candles(timeframe) => {
                let candles = self.candles(symbol, length(timeframe)?, CANDLES, now)?;
                Some(Heard::Candles(timeframe.clone(), candles))
            }
        }
    }

    fn candles(&self, symbol: &str, length: Duration, most: i64, now: Timestamp) -> Option<Vec<Candle>> {
        self.prices.candles(symbol, length, Page { since: None, limit: Some(most) }, now)
    }

    fn ticker(&self, symbol: &str, now: Timestamp) -> Option<Ticker> {
        let reference = self.prices.reference(symbol, now)?;
        let last = last(&reference)?;
        let hours = self.candles(symbol, HOUR, DAY_HOURS, now).unwrap_or_default();
        let open = hours.first().and_then(|candle| candle.1).unwrap_or(last);
        let worth = |candle: &Candle| candle.4?.times(candle.5?);
        let sum = |a: Number, b: Number| a.plus(b).unwrap_or(a);
        let change = last.minus(open)?;
        Some(Ticker {
            symbol: Some(symbol.to_owned()),
            time: Time(Some(reference.at.millis())),
            high: hours.iter().filter_map(|candle| candle.2).max(),
            low: hours.iter().filter_map(|candle| candle.3).min(),
            bid: Some(reference.bid),
            ask: Some(reference.ask),
            open: Some(open),
            close: Some(last),
            last: Some(last),
            change: Some(change),
            percentage: change.times(Number::from(100)).and_then(|change| change.over_to(open, 4)),
            base_volume: hours.iter().filter_map(|candle| candle.5).reduce(sum),
            quote_volume: hours.iter().filter_map(worth).reduce(sum),
            ..Ticker::default()
        })
    }

    /// What stands around the price, if that is known; else a ladder: each level is one step further away, with an
    /// amount that changes each second.
    fn book(&self, symbol: &str, now: Timestamp) -> Option<OrderBook> {
        let reference = self.prices.reference(symbol, now)?;
        if let Some(depth) = reference.depth {
            return Some(depth);
        }
        let tick = step(reference.bid);
        let levels = |first: Number, up: bool| -> Vec<(Number, Number)> {
            let level = |n: u32| {
                let away = tick.times(Number::from(n))?;
                let price = if up { first.plus(away) } else { first.minus(away) }?;
                let worth = Number::from(500 + drawn(symbol, now.secs(), n * 2 + u32::from(up)) % 9_500);
                Some((price, worth.over_to(first, 6)?))
            };
            (0..LEVELS).filter_map(level).filter(|(price, _)| *price > Number::default()).collect()
        };
        Some(OrderBook {
            symbol: Some(symbol.to_owned()),
            bids: levels(reference.bid, false),
            asks: levels(reference.ask, true),
            time: Time(Some(now.millis())),
            nonce: Some(now.millis()),
            ..OrderBook::default()
        })
    }

    fn trades(&self, symbol: &str, since: Timestamp, now: Timestamp) -> Vec<Trade> {
        let (newest, told) = (now.millis() / TRADE_PERIOD_MS, since.millis() / TRADE_PERIOD_MS);
        let trade = |number: i64| {
            let ms = number * TRADE_PERIOD_MS;
            let reference = self.prices.reference(symbol, Timestamp::from_millis(ms))?;
            let draw = drawn(symbol, number, 0);
            let buys = draw.is_multiple_of(2);
            let (side, price) = if buys { (Side::Buy, reference.ask) } else { (Side::Sell, reference.bid) };
            let amount = Number::from(10 + draw % 2_000).over_to(price, 6)?;
            Some(Trade {
                id: Some(number.to_string()),
                time: Time(Some(ms)),
                symbol: Some(symbol.to_owned()),
                side: Some(side),
                price: Some(price),
                amount: Some(amount),
                cost: price.times(amount),
                ..Trade::default()
            })
        };
        (told.max(newest - TRADES_MAX) + 1..=newest).filter_map(trade).collect()
    }
}

fn last(reference: &Reference) -> Option<Number> {
    reference.last.or_else(|| reference.bid.plus(reference.ask)?.over(Number::from(2)))
}

/// The least difference of prices that are as large as this one: some ten thousandth of it.
fn step(price: Number) -> Number {
    let digits = (0..8).find(|digits| Number::step(*digits).is_some_and(|step| price > step_times(step, 10_000)));
    Number::step(digits.unwrap_or(8)).unwrap_or_default()
}

fn step_times(step: Number, n: u32) -> Number {
    step.times(Number::from(n)).unwrap_or_default()
}

/// A number for a market, a time and a place: FNV-1a, which is enough for amounts that nobody pays.
fn drawn(symbol: &str, time: i64, place: u32) -> u32 {
    let bytes = symbol.bytes().chain(time.to_le_bytes()).chain(place.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    (hash >> 32) as u32
}

/// Of `1m`, `4h`, `1d`, `1w`.
fn length(timeframe: &str) -> Option<Duration> {
    let (count, unit) = timeframe.split_at_checked(timeframe.len().checked_sub(1)?)?;
    let unit = match unit {
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_MS,
        "w" => 7 * DAY_MS,
        _ => return None,
    };
    let count = count.parse::<i64>().ok().filter(|count| (1..=60).contains(count))?;
    u64::try_from(count * unit).ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use orrery_venues::paper::Walk;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_518_600_123);

    fn hear(what: What, since: i64, now: i64) -> Option<Heard> {
        let want = Want { symbol: "BTC/USDT".into(), what };
        let at = |ms: i64| Timestamp::from_millis(NOW.millis() + ms);
        SimulatedMarkets::new(Arc::new(Walk::new(1))).heard(&want, at(since), at(now))
    }

    #[test]
    fn everything_agrees_with_the_price() {
        let Some(Heard::Ticker(ticker)) = hear(What::Ticker, 0, 0) else { panic!("no ticker") };
        let Some(Heard::Book(book)) = hear(What::Book, 0, 0) else { panic!("no book") };
        let Some(Heard::Candles(_, candles)) = hear(What::Candles("1m".into()), 0, 0) else { panic!("no candles") };
        assert_eq!((ticker.bid, ticker.ask), (Some(book.bids[0].0), Some(book.asks[0].0)));
        assert!(ticker.bid < ticker.ask && ticker.low <= ticker.last && ticker.last <= ticker.high);
        assert!(book.bids.windows(2).all(|two| two[0].0 > two[1].0) && book.bids.len() == 20);
        assert!(book.asks.windows(2).all(|two| two[0].0 < two[1].0));
        assert_eq!(candles.len(), 200);
        assert_eq!(candles.last().unwrap().4, ticker.last);
        assert_eq!(hear(What::Candles("7x".into()), 0, 0), None);
        let nowhere = Want { symbol: "NO/SUCH".into(), what: What::Ticker };
        assert_eq!(SimulatedMarkets::new(Arc::new(Walk::new(1))).heard(&nowhere, NOW, NOW), None);
    }

    #[test]
    fn no_trade_is_told_twice_and_none_left_out() {
        let ids = |since, now| match hear(What::Trades, since, now) {
            Some(Heard::Trades(trades)) => trades.into_iter().filter_map(|trade| trade.id).collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        let parts: Vec<_> = (0..20).flat_map(|n| ids(n * 500, (n + 1) * 500)).collect();
        assert_eq!(parts, ids(0, 10_000));
        assert!((14..=15).contains(&parts.len()), "{}", parts.len());
        assert_eq!(ids(0, 10_000_000).len(), 50);
    }

    #[test]
    fn steps_suit_the_price() {
        let step = |digits: &str| step(Number::parse(digits).unwrap()).to_string();
        assert_eq!(["86394.68", "3.2", "0.000022"].map(step), ["1", "0.0001", "0.00000001"]);
    }
}
