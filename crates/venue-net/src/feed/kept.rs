//! What a feed remembers of markets, so that what it tells is whole and said once.

use std::collections::{HashMap, HashSet, VecDeque};

use orrery_venues::stream::{Want, What};
use orrery_venues::unified::{Candle, Ticker, Trade};
use orrery_venues::{Number, unified};

/// Names of trades that are remembered of a market, so that none is told twice.
const TRADES_KEPT: usize = 1_000;

/// Best prices of a market.
type Best = (Option<(Number, Number)>, Option<(Number, Number)>);

/// What is remembered of each market.
#[derive(Default)]
pub(super) struct Kept {
    tickers: HashMap<String, Ticker>,
    /// Markets whose tickers say their best prices themselves.
    priced: HashSet<String>,
    /// Best prices of books.
    best: HashMap<String, [(Number, Number); 2]>,
    trades: HashMap<String, Told>,
    candles: HashMap<(String, String), Vec<Candle>>,
}

#[derive(Default)]
struct Told {
    order: VecDeque<String>,
    names: HashSet<String>,
    last: Option<i64>,
}

impl Kept {
    pub(super) fn forget(&mut self, want: &Want) {
        match &want.what {
            What::Ticker => {
                self.tickers.remove(&want.symbol);
                self.priced.remove(&want.symbol);
            }
            What::Trades => {
                self.trades.remove(&want.symbol);
            }
            What::Candles(timeframe) => {
                self.candles.remove(&(want.symbol.clone(), timeframe.clone()));
            }
            What::Book => {
                self.best.remove(&want.symbol);
            }
        }
    }

    /// The ticker with what was said before.
    pub(super) fn ticker(&mut self, symbol: &str, said: Ticker) -> Ticker {
        if said.bid.is_some() && said.ask.is_some() {
            self.priced.insert(symbol.to_owned());
        }
        let mut whole = match self.tickers.get(symbol) {
            Some(before) => said.over(before),
            None => said,
        };
        if let Some([bid, ask]) = self.best.get(symbol).filter(|_| !self.priced.contains(symbol)) {
            (whole.bid, whole.bid_volume) = (Some(bid.0), Some(bid.1));
            (whole.ask, whole.ask_volume) = (Some(ask.0), Some(ask.1));
        }
        self.tickers.insert(symbol.to_owned(), whole.clone());
        whole
    }

    /// The ticker with the best prices of the market's book, if it has none of its own and they are other ones.
    pub(super) fn best(&mut self, symbol: &str, (bid, ask): Best, time: unified::Time) -> Option<Ticker> {
        let (bid, ask) = (bid?, ask?);
        self.best.insert(symbol.to_owned(), [bid, ask]);
        let before = self.tickers.get_mut(symbol).filter(|_| !self.priced.contains(symbol))?;
        if before.bid == Some(bid.0) && before.ask == Some(ask.0) {
            return None;
        }
        (before.bid, before.bid_volume) = (Some(bid.0), Some(bid.1));
        (before.ask, before.ask_volume) = (Some(ask.0), Some(ask.1));
        before.time = if time.0.is_some() { time } else { before.time };
        Some(before.clone())
    }

    /// Those of the trades that were not told yet, oldest first.
    pub(super) fn untold(&mut self, symbol: &str, trades: Vec<Trade>) -> Vec<Trade> {
        let told = self.trades.entry(symbol.to_owned()).or_default();
        let mut untold: Vec<Trade> = trades.into_iter().filter(|trade| told.is_new(trade)).collect();
        untold.sort_by_key(|trade| trade.time.0);
        untold
    }

    /// When the last trade was that was told.
    pub(super) fn last_trade(&self, symbol: &str) -> Option<i64> {
        self.trades.get(symbol)?.last
    }

    /// The last candles, with these in place of those that begin at the same time.
    pub(super) fn candles(&mut self, symbol: &str, timeframe: &str, said: &[Candle], most: usize) -> Vec<Candle> {
        let kept = self.candles.entry((symbol.to_owned(), timeframe.to_owned())).or_default();
        for candle in said.iter().filter(|candle| candle.0.is_some()) {
            match kept.binary_search_by_key(&candle.0, |other| other.0) {
                Ok(place) => {
                    if let Some(other) = kept.get_mut(place) {
                        *other = *candle;
                    }
                }
                Err(place) => kept.insert(place, *candle),
            }
        }
        let beyond = kept.len().saturating_sub(most);
        kept.drain(..beyond);
        kept.clone()
    }
}

impl Told {
    fn is_new(&mut self, trade: &Trade) -> bool {
        self.last = self.last.max(trade.time.0);
        let Some(name) = &trade.id else { return true };
        if !self.names.insert(name.clone()) {
            return false;
        }
        self.order.push_back(name.clone());
        if self.order.len() > TRADES_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.names.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_trade_is_told_twice() {
        let mut kept = Kept::default();
        let trade =
            |id: &str, ms: i64| Trade { id: Some(id.to_owned()), time: unified::Time(Some(ms)), ..Trade::default() };
        let names = |trades: Vec<Trade>| trades.into_iter().filter_map(|trade| trade.id).collect::<Vec<_>>();
        assert_eq!(names(kept.untold("A/B", vec![trade("2", 20), trade("1", 10)])), ["1", "2"]);
        assert_eq!(names(kept.untold("A/B", vec![trade("2", 20), trade("3", 30)])), ["3"]);
        assert_eq!(names(kept.untold("C/D", vec![trade("2", 20)])), ["2"]);
        assert_eq!(kept.last_trade("A/B"), Some(30));
    }

    #[test]
    fn candles_take_the_place_of_their_like() {
        let mut kept = Kept::default();
        let candle = |ms: i64, close: u32| Candle(Some(ms), None, None, None, Some(close.into()), None);
        kept.candles("A/B", "1m", &[candle(60, 1), candle(120, 2)], 3);
        let seen = kept.candles("A/B", "1m", &[candle(120, 3), candle(240, 5), candle(180, 4)], 3);
        assert_eq!(seen, [candle(120, 3), candle(180, 4), candle(240, 5)]);
    }

    #[test]
    fn a_ticker_is_whole() {
        let mut kept = Kept::default();
        let number = |n: u32| Some(Number::from(n));
        kept.ticker("A/B", Ticker { last: number(5), high: number(9), ..Ticker::default() });
        let whole = kept.ticker("A/B", Ticker { last: number(6), ..Ticker::default() });
        assert_eq!((whole.last, whole.high), (number(6), number(9)));
        let level = |price: u32| Some((Number::from(price), Number::from(1)));
        let best = kept.best("A/B", (level(5), level(7)), unified::Time::default()).unwrap();
        assert_eq!((best.bid, best.ask), (number(5), number(7)));
        assert_eq!(kept.best("A/B", (level(5), level(7)), unified::Time::default()), None);
        kept.best("C/D", (level(1), level(2)), unified::Time::default());
        let later = kept.ticker("C/D", Ticker { last: number(2), ..Ticker::default() });
        assert_eq!((later.bid, later.ask), (number(1), number(2)));
    }
}
