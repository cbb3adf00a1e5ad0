//! A book that is kept by what an exchange says of its changes.

use super::fixed::{Fixed, ten};
use crate::Number;
use crate::unified::{OrderBook, Time};

/// Most levels of one side; beyond, those furthest from the market are forgotten.
pub const LEVELS_MAX: usize = 5_000;

/// One side of a level that changed: its price, and how much is there now; zero for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// In the quote currency.
    pub price: Fixed,
    /// In the base currency, or in contracts.
    pub amount: Fixed,
}

impl Change {
    /// Of digits as the exchange wrote them.
    pub fn parse(price: &str, amount: &str) -> Option<Self> {
        Some(Self { price: Fixed::parse(price)?, amount: Fixed::parse(amount)? })
    }
}

/// A price that somebody stands at. Both numbers have the book's digits; `written` is how many the exchange wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Level {
    price: i64,
    amount: i64,
    written: (u8, u8),
}

/// One side, the best level last, so that what changes most is moved least.
#[derive(Debug, Clone, Default)]
struct Ladder {
    levels: Vec<Level>,
}

impl Ladder {
    fn set(&mut self, level: Level, rising: bool) {
        let before = |other: &Level| if rising { other.price < level.price } else { other.price > level.price };
        let place = self.levels.partition_point(before);
        let there = self.levels.get_mut(place).filter(|other| other.price == level.price);
        match (there, level.amount) {
            (Some(_), 0) => {
                self.levels.remove(place);
            }
            (Some(other), _) => *other = level,
            (None, 0) => {}
            (None, _) => self.levels.insert(place, level),
        }
    }

    fn keep(&mut self, depth: usize) {
        let beyond = self.levels.len().saturating_sub(depth);
        self.levels.drain(..beyond);
    }

    fn best_first(&self) -> impl Iterator<Item = &Level> {
        self.levels.iter().rev()
    }
}

/// A number in a book was beyond 18 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a number of the book has more than 18 digits")]
pub struct TooLong;

/// A market's book. Bids fall, asks rise, no level is empty, and no price stands twice on a side.
///
/// ```
/// use orrery_venues::stream::{Book, Change};
///
/// let mut book = Book::default();
/// let level = |price, amount| Change::parse(price, amount).unwrap();
/// book.change(&[level("100.5", "2"), level("100", "1")], &[level("101", "3")]).unwrap();
/// book.change(&[level("100.50", "0")], &[]).unwrap();
/// let seen = book.unified(None, 10);
/// assert_eq!(seen.bids.len(), 1);
/// assert_eq!(seen.bids[0].0.to_string(), "100");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Book {
    bids: Ladder,
    asks: Ladder,
    price_digits: u8,
    amount_digits: u8,
    /// The exchange's number of this state.
    pub sequence: Option<u64>,
    /// When it was so, in milliseconds since 1970, by the exchange's clock.
    pub time: Option<i64>,
}

impl Book {
    /// Takes changes of both sides, in their order.
    ///
    /// Errors: [`TooLong`]; what stood before the number that is too long was taken.
    pub fn change(&mut self, bids: &[Change], asks: &[Change]) -> Result<(), TooLong> {
        for (changes, rising) in [(bids, true), (asks, false)] {
            for change in changes {
                let level = self.level(*change)?;
                let side = if rising { &mut self.bids } else { &mut self.asks };
                side.set(level, rising);
            }
        }
        self.keep(LEVELS_MAX);
        Ok(())
    }

    /// Forgets everything, and takes these levels.
    ///
    /// Errors: [`TooLong`].
    pub fn replace(&mut self, bids: &[Change], asks: &[Change]) -> Result<(), TooLong> {
        *self = Self::default();
        self.change(bids, asks)
    }

    /// Forgets what stands further than so many levels from the market.
    pub fn keep(&mut self, depth: usize) {
        self.bids.keep(depth);
        self.asks.keep(depth);
    }

    /// Levels of each side.
    pub fn depth(&self) -> (usize, usize) {
        (self.bids.levels.len(), self.asks.levels.len())
    }

    /// Whether somebody would buy at a price that somebody sells at: a state no exchange is in for long.
    pub fn crossed(&self) -> bool {
        match (self.bids.levels.last(), self.asks.levels.last()) {
            (Some(bid), Some(ask)) => bid.price >= ask.price,
            _ => false,
        }
    }

    /// The best level of each side, price and amount: who wants to buy, and who wants to sell.
    pub fn best(&self) -> [Option<(Number, Number)>; 2] {
        [&self.bids, &self.asks].map(|side| side.levels.last().map(|level| self.seen(level)))
    }

    /// The book as everybody knows it, so many levels of each side.
    pub fn unified(&self, symbol: Option<String>, depth: usize) -> OrderBook {
        let side = |side: &Ladder| side.best_first().take(depth).map(|level| self.seen(level)).collect();
        OrderBook {
            symbol,
            bids: side(&self.bids),
            asks: side(&self.asks),
            time: Time(self.time),
            nonce: self.sequence.and_then(|sequence| i64::try_from(sequence).ok()),
            ..OrderBook::default()
        }
    }

    /// The first so many levels as the exchange wrote their digits: bids, and asks; each price and amount.
    pub(super) fn written(&self, depth: usize) -> [Vec<(String, String)>; 2] {
        let side = |side: &Ladder| {
            let digits = |level: &Level| {
                let (price, amount) = level.written;
                let price = written(level.price, self.price_digits, price);
                (price, written(level.amount, self.amount_digits, amount))
            };
            side.best_first().take(depth).map(digits).collect()
        };
        [side(&self.bids), side(&self.asks)]
    }

    fn seen(&self, level: &Level) -> (Number, Number) {
        let number = |mantissa, digits| Fixed { mantissa, digits }.number();
        (number(level.price, self.price_digits), number(level.amount, self.amount_digits))
    }

    fn level(&mut self, change: Change) -> Result<Level, TooLong> {
        if change.price.digits > self.price_digits || change.amount.digits > self.amount_digits {
            self.widen(change.price.digits.max(self.price_digits), change.amount.digits.max(self.amount_digits))?;
        }
        let price = change.price.scaled(self.price_digits).ok_or(TooLong)?;
        let amount = change.amount.scaled(self.amount_digits).ok_or(TooLong)?;
        Ok(Level { price, amount, written: (change.price.digits, change.amount.digits) })
    }

    /// Gives all numbers more digits after the point.
    fn widen(&mut self, price: u8, amount: u8) -> Result<(), TooLong> {
        let by = |more: u8| ten(more).ok_or(TooLong);
        let (prices, amounts) = (by(price - self.price_digits)?, by(amount - self.amount_digits)?);
        for level in self.bids.levels.iter_mut().chain(&mut self.asks.levels) {
            level.price = level.price.checked_mul(prices).ok_or(TooLong)?;
            level.amount = level.amount.checked_mul(amounts).ok_or(TooLong)?;
        }
        (self.price_digits, self.amount_digits) = (price, amount);
        Ok(())
    }
}

/// A number that has `digits` after the point, with `shown` of them: the rest is zeros.
fn written(mantissa: i64, digits: u8, shown: u8) -> String {
    let mantissa = mantissa / ten(digits.saturating_sub(shown)).unwrap_or(1);
    let shown = usize::from(shown);
    let text = format!("{mantissa:0>width$}", width = shown + 1);
    match text.split_at_checked(text.len() - shown) {
        Some((whole, part)) if !part.is_empty() => format!("{whole}.{part}"),
        _ => text,
    }
}
