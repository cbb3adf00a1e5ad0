//! What is heard of the simulated exchange: tickers, books, trades and candles around a price that is a function of
//! time, so that everything agrees and goes on where it was after a restart.

use orrery_kernel::Timestamp;
use orrery_venues::Number;
use orrery_venues::stream::{Heard, Want, What};
use orrery_venues::unified::{Candle, OrderBook, Side, Ticker, Time, Trade};

use crate::Simulated;

/// Markets, where their prices begin their walk, and digits of a price after the point.
const MARKETS: [(&str, u32, u32); 6] = [
    ("BTC/USDT", 90_000, 2),
    ("ETH/USDT", 3_200, 2),
    ("SOL/USDT", 160, 2),
    ("BNB/USDT", 620, 2),
    ("XRP/USDT", 2, 5),
    ("DOGE/USDT", 1, 6),
];
/// Levels of a side of a book.
const LEVELS: u32 = 20;
/// Between two trades of a market, milliseconds.
const TRADE_PERIOD_MS: i64 = 700;
/// Most trades that are told at once: after a pause, the last ones.
const TRADES_MAX: i64 = 50;
/// Candles that are told.
const CANDLES: i64 = 200;
const DAY_MS: i64 = 86_400_000;
/// Looks at the price for the day's highest and lowest.
const DAY_LOOKS: i64 = 96;
/// Looks at the price for a candle's.
const CANDLE_LOOKS: i64 = 5;
/// What is traded of a market in a day, in the quote currency.
const DAY_VOLUME: u32 = 40_000_000;

/// The price of a market at a moment; none for a market that is not simulated.
pub type PriceAt = Box<dyn Fn(&str, Timestamp) -> Option<Number> + Send + Sync>;

/// The simulated exchange's markets.
pub struct SimulatedMarkets {
    price: PriceAt,
}

impl SimulatedMarkets {
    /// Markets around prices from elsewhere.
    pub fn new(price: PriceAt) -> Self {
        Self { price }
    }

    /// Markets whose prices walk by themselves: the same seed gives the same prices.
    pub fn walking(seed: u64) -> Self {
        Self::new(Box::new(move |symbol, at| {
            let (place, (_, level, digits)) = MARKETS.iter().enumerate().find(|(_, (name, ..))| *name == symbol)?;
            // the first is the price that the rest of the demo shows
            let walk = Simulated::new(seed.wrapping_add(place as u64), *level);
            rounded(walk.usd(at), *digits)
        }))
    }

    /// Names of the markets that walk by themselves.
    pub fn symbols() -> impl Iterator<Item = &'static str> {
        MARKETS.iter().map(|(symbol, ..)| *symbol)
    }

    /// What is heard of `want` at `now`; of trades, those after `since`. None for a market that is not simulated, and
    /// where there was no trade.
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
                let candles = self.candles(symbol, timeframe, now)?;
                Some(Heard::Candles(timeframe.clone(), candles))
            }
        }
    }

    fn at(&self, symbol: &str, ms: i64) -> Option<Number> {
        (self.price)(symbol, Timestamp::from_millis(ms))
    }

    /// First, highest, lowest and last price of a time, by so many looks.
    fn over(&self, symbol: &str, from: i64, until: i64, looks: i64) -> Option<[Number; 4]> {
        let seen = (0..=looks).map(|n| self.at(symbol, from + (until - from) * n / looks));
        let seen = seen.collect::<Option<Vec<_>>>()?;
        Some([*seen.first()?, *seen.iter().max()?, *seen.iter().min()?, *seen.last()?])
    }

    fn ticker(&self, symbol: &str, now: Timestamp) -> Option<Ticker> {
        let ms = now.millis();
        let [open, high, low, last] = self.over(symbol, ms - DAY_MS, ms, DAY_LOOKS)?;
        let (bid, ask) = best(last);
        let volume = Number::from(DAY_VOLUME);
        let change = last.minus(open)?;
        Some(Ticker {
            symbol: Some(symbol.to_owned()),
            time: Time(Some(ms)),
            high: Some(high),
            low: Some(low),
            bid: Some(bid),
            ask: Some(ask),
            open: Some(open),
            close: Some(last),
            last: Some(last),
            change: Some(change),
            percentage: change.times(Number::from(100))?.over_to(open, 4),
            base_volume: volume.over_to(last, 8),
            quote_volume: Some(volume),
            ..Ticker::default()
        })
    }

    /// A ladder: each level is one step further away, with an amount that changes each second.
    fn book(&self, symbol: &str, now: Timestamp) -> Option<OrderBook> {
        let last = self.at(symbol, now.millis())?;
        let (bid, ask) = best(last);
        let tick = step(last);
        let levels = |first: Number, up: bool| -> Vec<(Number, Number)> {
            let level = |n: u32| {
                let away = tick.times(Number::from(n))?;
                let price = if up { first.plus(away) } else { first.minus(away) }?;
                let worth = Number::from(500 + drawn(symbol, now.secs(), n * 2 + u32::from(up)) % 9_500);
                Some((price, worth.over_to(last, 6)?))
            };
            (0..LEVELS).filter_map(level).filter(|(price, _)| *price > Number::default()).collect()
        };
        Some(OrderBook {
            symbol: Some(symbol.to_owned()),
            bids: levels(bid, false),
            asks: levels(ask, true),
            time: Time(Some(now.millis())),
            nonce: Some(now.millis()),
        })
    }

    fn trades(&self, symbol: &str, since: Timestamp, now: Timestamp) -> Vec<Trade> {
        let (last, end) = (now.millis() / TRADE_PERIOD_MS, since.millis() / TRADE_PERIOD_MS);
        let trade = |number: i64| {
            let ms = number * TRADE_PERIOD_MS;
            let price = self.at(symbol, ms)?;
            let (bid, ask) = best(price);
            let draw = drawn(symbol, number, 0);
            let (side, price) = if draw.is_multiple_of(2) { (Side::Buy, ask) } else { (Side::Sell, bid) };
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
        (end.max(last - TRADES_MAX) + 1..=last).filter_map(trade).collect()
    }

    fn candles(&self, symbol: &str, timeframe: &str, now: Timestamp) -> Option<Vec<Candle>> {
        let length = length_ms(timeframe)?;
        let ms = now.millis();
        let volume = i64::from(DAY_VOLUME).saturating_mul(length) / DAY_MS;
        let candle = |begin: i64| {
            let until = (begin + length).min(ms);
            let [open, high, low, close] = self.over(symbol, begin, until, CANDLE_LOOKS)?;
            let traded = volume.saturating_mul(until - begin) / length;
            let traded = Number::from(u32::try_from(traded).unwrap_or(u32::MAX)).over_to(close, 6);
            Some(Candle(Some(begin), Some(open), Some(high), Some(low), Some(close), traded))
        };
        (0..CANDLES).rev().map(|n| candle((ms / length - n) * length)).collect()
    }
}

fn rounded(price: f64, digits: u32) -> Option<Number> {
    Number::parse(&format!("{price:.*}", digits as usize))
}

/// The least difference of prices that are as large as this one: some ten thousandth of it.
fn step(price: Number) -> Number {
    let digits = (0..8).find(|digits| Number::step(*digits).is_some_and(|step| price > step_times(step, 10_000)));
    Number::step(digits.unwrap_or(8)).unwrap_or_default()
}

fn step_times(step: Number, n: u32) -> Number {
    step.times(Number::from(n)).unwrap_or_default()
}

/// Best prices around the last one.
fn best(last: Number) -> (Number, Number) {
    (last, last.plus(step(last)).unwrap_or(last))
}

/// A number for a market, a time and a place: FNV-1a, which is enough for amounts that nobody pays.
fn drawn(symbol: &str, time: i64, place: u32) -> u32 {
    let bytes = symbol.bytes().chain(time.to_le_bytes()).chain(place.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    (hash >> 32) as u32
}

/// Milliseconds of `1m`, `4h`, `1d`, `1w`.
fn length_ms(timeframe: &str) -> Option<i64> {
    let (count, unit) = timeframe.split_at_checked(timeframe.len().checked_sub(1)?)?;
    let unit = match unit {
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_MS,
        "w" => 7 * DAY_MS,
        _ => return None,
    };
    count.parse::<i64>().ok().filter(|count| (1..=60).contains(count)).map(|count| count * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_518_600_123);

    fn hear(what: What, since: i64, now: i64) -> Option<Heard> {
        let want = Want { symbol: "BTC/USDT".into(), what };
        let at = |ms: i64| Timestamp::from_millis(NOW.millis() + ms);
        SimulatedMarkets::walking(1).heard(&want, at(since), at(now))
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
        assert!(candles.windows(2).all(|two| two[1].0.unwrap() - two[0].0.unwrap() == 60_000));
        assert!(candles.iter().all(|c| c.3 <= c.1 && c.1 <= c.2 && c.3 <= c.4 && c.4 <= c.2));
        assert_eq!(hear(What::Candles("7x".into()), 0, 0), None);
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
    fn it_moves() {
        let last = |ms| match hear(What::Ticker, ms, ms) {
            Some(Heard::Ticker(ticker)) => ticker.last,
            _ => None,
        };
        let changes = (0..60).filter(|n| last(n * 1_000) != last((n + 1) * 1_000)).count();
        assert!(changes > 50, "{changes} of 60");
        assert_eq!(last(0), last(0));
        for symbol in SimulatedMarkets::symbols() {
            let want = Want { symbol: symbol.into(), what: What::Ticker };
            assert!(SimulatedMarkets::walking(1).heard(&want, NOW, NOW).is_some(), "{symbol}");
        }
    }
}
