//! When a book that is kept by changes is whole: where it begins, what must follow what, and when it is to be begun anew.

use std::collections::VecDeque;

use super::{Book, Change, Checksum};
use crate::unified::OrderBook;

/// Most changes that wait for a snapshot; with one more, all are forgotten, and the snapshot must be a newer one.
pub const WAITING_MAX: usize = 1_000;

/// What an exchange says of a book: all of it, or what changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delta {
    /// The market: `BTC/USDT`.
    pub symbol: String,
    /// Whether it is all of it.
    pub snapshot: bool,
    /// The number of the first change in it.
    pub first: Option<u64>,
    /// The number of the last.
    pub last: Option<u64>,
    /// The number of the one it follows.
    pub previous: Option<u64>,
    /// When it was so, in milliseconds since 1970.
    pub time: Option<i64>,
    /// Who wants to buy.
    pub bids: Vec<Change>,
    /// Who wants to sell.
    pub asks: Vec<Change>,
    /// What the exchange computed over its own book.
    pub checksum: Option<u32>,
}

/// What must follow what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// `first` is one more than the `last` before (Binance's spot market: `U` and `u`).
    Range,
    /// `previous` is the `last` before (Binance's contracts: `pu`; OKX: `prevSeqId`).
    Link,
    /// The same; the whole book is asked for over the stream, and may come behind changes that follow it (HTX:
    /// `prevSeqNum`).
    LateLink,
    /// `last` is one more than the `last` before (Bybit: `u`).
    Step,
    /// Nothing is said; what is older than the book is passed over.
    Unsaid,
}

/// How an exchange's book is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// What must follow what.
    pub follows: Follows,
    /// Whether a book begins with a snapshot that is asked for over HTTP; else the stream sends it.
    pub asked: bool,
    /// What can be compared.
    pub checksum: Option<Checksum>,
    /// How many levels are kept, where the exchange does not say that one fell out; as many as its snapshot had, if
    /// that had more.
    pub depth: Option<usize>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The book is another one.
    Changed,
    /// The book has it already.
    Old,
    /// It waits for a snapshot.
    Waits,
    /// Something is missing: the book is to be begun anew.
    Gap,
    /// The book is not the exchange's: it is to be begun anew.
    Wrong,
}

/// A market's book, and whether it is whole.
#[derive(Debug, Clone)]
pub struct Synced {
    rule: Rule,
    book: Book,
    whole: bool,
    waiting: VecDeque<Delta>,
    depth: Option<usize>,
}

impl Synced {
    /// Nothing is known yet.
    pub fn new(rule: Rule) -> Self {
        Self { rule, book: Book::default(), whole: false, waiting: VecDeque::new(), depth: rule.depth }
    }

    /// The book, if it is whole.
    pub fn book(&self) -> Option<&Book> {
        self.whole.then_some(&self.book)
    }

    /// Whether a snapshot has to be asked for.
    pub fn wants_snapshot(&self) -> bool {
        self.rule.asked && !self.whole
    }

    /// Forgets everything.
    pub fn begin_anew(&mut self) {
        *self = Self::new(self.rule);
    }

    /// Takes what the stream says.
    pub fn apply(&mut self, delta: &Delta) -> Outcome {
        let late = self.rule.follows == Follows::LateLink;
        if delta.snapshot {
            let waiting = if late { std::mem::take(&mut self.waiting) } else { VecDeque::new() };
            let mut outcome = self.take(delta, true);
            for next in &waiting {
                if matches!(outcome, Outcome::Gap | Outcome::Wrong) {
                    break;
                }
                let follows = self.apply(next);
                outcome = if follows == Outcome::Old { outcome } else { follows };
            }
            return outcome;
        }
        if !self.whole {
            if self.rule.asked || late {
                if self.waiting.len() == WAITING_MAX {
                    self.waiting.clear();
                }
                self.waiting.push_back(delta.clone());
            }
            return Outcome::Waits;
        }
        let last = self.book.sequence;
        // numbers that begin anew are smaller than the one they are linked to
        let anew = self.rule.follows == Follows::Link && delta.previous == last && delta.last != last;
        if let (Some(last), Some(new)) = (last, delta.last)
            && new <= last
            && !anew
        {
            return Outcome::Old;
        }
        if self.follows(delta) { self.take(delta, false) } else { self.broken(Outcome::Gap) }
    }

    /// Takes a snapshot that was asked for; of what waited, what is not in it follows at once. `Waits` means that the
    /// snapshot is older than what waited: ask again.
    pub fn begin(&mut self, snapshot: &OrderBook) -> Outcome {
        let side = |levels: &[(crate::Number, crate::Number)]| {
            let change = |(price, amount): &(crate::Number, crate::Number)| {
                Some(Change { price: super::Fixed::of(*price)?, amount: super::Fixed::of(*amount)? })
            };
            levels.iter().map(change).collect::<Option<Vec<_>>>()
        };
        let (Some(bids), Some(asks)) = (side(&snapshot.bids), side(&snapshot.asks)) else {
            return self.broken(Outcome::Wrong);
        };
        let sequence = snapshot.nonce.and_then(|nonce| u64::try_from(nonce).ok());
        let mut waiting = std::mem::take(&mut self.waiting);
        let known = |delta: &Delta| matches!((delta.last, sequence), (Some(last), Some(sequence)) if last <= sequence);
        while waiting.front().is_some_and(known) {
            waiting.pop_front();
        }
        if let (Some(first), Some(sequence)) = (waiting.front().and_then(|delta| delta.first), sequence)
            && first > sequence + 1
        {
            self.waiting = waiting;
            return Outcome::Waits;
        }
        if self.book.replace(&bids, &asks).is_err() {
            return self.broken(Outcome::Wrong);
        }
        (self.book.sequence, self.book.time, self.whole) = (sequence, snapshot.time.0, true);
        for (place, delta) in waiting.iter().enumerate() {
            // the first was sent before the snapshot was made, and holds what follows it
            let outcome = if place == 0 { self.take(delta, false) } else { self.apply(delta) };
            if matches!(outcome, Outcome::Gap | Outcome::Wrong) {
                return outcome;
            }
        }
        Outcome::Changed
    }

    fn follows(&self, delta: &Delta) -> bool {
        let Some(last) = self.book.sequence else { return true };
        match self.rule.follows {
            Follows::Range => delta.first.is_some_and(|first| first <= last + 1),
            Follows::Link | Follows::LateLink => delta.previous.is_some_and(|previous| previous == last),
            Follows::Step => delta.last == Some(last + 1),
            Follows::Unsaid => true,
        }
    }

    fn take(&mut self, delta: &Delta, anew: bool) -> Outcome {
        let taken =
            if anew { self.book.replace(&delta.bids, &delta.asks) } else { self.book.change(&delta.bids, &delta.asks) };
        if taken.is_err() {
            return self.broken(Outcome::Wrong);
        }
        if anew {
            self.depth = self.rule.depth.map(|depth| depth.max(delta.bids.len()).max(delta.asks.len()));
        }
        if let Some(depth) = self.depth {
            self.book.keep(depth);
        }
        self.book.sequence = delta.last.or(self.book.sequence);
        self.book.time = delta.time.or(self.book.time);
        let expected = delta.checksum.zip(self.rule.checksum);
        if expected.is_some_and(|(sum, how)| how.of(&self.book) != sum) {
            return self.broken(Outcome::Wrong);
        }
        self.whole = true;
        Outcome::Changed
    }

    fn broken(&mut self, outcome: Outcome) -> Outcome {
        self.begin_anew();
        outcome
    }
}
