//! The books of a line.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use orrery_venues::Venue;
use orrery_venues::stream::{Delta, Outcome, Synced};
use orrery_venues::unified::{Markets, OrderBook};
use tokio::time::Instant;

/// Least time between two attempts to begin a book anew.
const ANEW_EVERY: Duration = Duration::from_secs(2);

/// What has to be done for a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing.
    Nothing,
    /// A snapshot has to be asked for.
    Snapshot,
    /// The stream has to be asked for again.
    Subscription,
}

struct Kept {
    synced: Synced,
    asked: bool,
    begun: Option<Instant>,
    asking: bool,
}

/// The books of a line, and which of them changed since they were told last.
#[derive(Default)]
pub(super) struct Books {
    of: HashMap<String, Kept>,
    changed: BTreeSet<String>,
}

impl Books {
    pub(super) fn forget(&mut self, symbol: &str) {
        self.of.remove(symbol);
        self.changed.remove(symbol);
    }

    /// All is to be begun anew, after a connection was lost.
    pub(super) fn begin_anew(&mut self) {
        self.of.clear();
        self.changed.clear();
    }

    /// Takes what the stream says.
    pub(super) fn take(&mut self, venue: Venue, delta: &Delta, markets: &Markets, now: Instant) -> Need {
        let Some(kept) = self.kept(venue, &delta.symbol, markets) else { return Need::Nothing };
        match kept.synced.apply(delta) {
            Outcome::Changed => {
                self.changed.insert(delta.symbol.clone());
                Need::Nothing
            }
            Outcome::Old => Need::Nothing,
            Outcome::Waits => kept.snapshot(now),
            outcome @ (Outcome::Gap | Outcome::Wrong) => {
                let why = if outcome == Outcome::Gap { "gap" } else { "wrong" };
                metrics::counter!("venue_book_resyncs_total", "venue" => venue.id(), "why" => why).increment(1);
                tracing::debug!(%venue, symbol = delta.symbol, why, "the book is begun anew");
                if kept.asked { kept.snapshot(now) } else { kept.subscription(now) }
            }
        }
    }

    /// Takes a snapshot that was asked for, or that it could not be had.
    pub(super) fn begin(&mut self, symbol: &str, snapshot: Option<&OrderBook>) {
        let Some(kept) = self.of.get_mut(symbol) else { return };
        kept.asking = false;
        if snapshot.is_some_and(|snapshot| kept.synced.begin(snapshot) == Outcome::Changed) {
            self.changed.insert(symbol.to_owned());
        }
    }

    /// The books that changed since the last time, so many levels of each.
    pub(super) fn changed(&mut self, depth: usize) -> Vec<(String, OrderBook)> {
        let changed = std::mem::take(&mut self.changed);
        let book = |symbol: String| {
            let book = self.of.get(&symbol)?.synced.book().filter(|book| !book.crossed())?;
            Some((symbol.clone(), book.unified(Some(symbol), depth)))
        };
        changed.into_iter().filter_map(book).collect()
    }

    /// Books that wait for a snapshot which it is time to ask for again.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<String> {
        let due = |(symbol, kept): (&String, &mut Kept)| {
            (kept.synced.wants_snapshot() && kept.snapshot(now) == Need::Snapshot).then(|| symbol.clone())
        };
        self.of.iter_mut().filter_map(due).collect()
    }

    fn kept(&mut self, venue: Venue, symbol: &str, markets: &Markets) -> Option<&mut Kept> {
        if !self.of.contains_key(symbol) {
            let rule = venue.rule(markets.of(symbol).ok()?);
            let kept = Kept { synced: Synced::new(rule), asked: rule.asked, begun: None, asking: false };
            self.of.insert(symbol.to_owned(), kept);
        }
        self.of.get_mut(symbol)
    }
}

impl Kept {
    fn due(&mut self, now: Instant) -> bool {
        let due = self.begun.is_none_or(|begun| now.saturating_duration_since(begun) >= ANEW_EVERY);
        if due {
            self.begun = Some(now);
        }
        due
    }

    fn snapshot(&mut self, now: Instant) -> Need {
        if self.synced.wants_snapshot() && !self.asking && self.due(now) {
            self.asking = true;
            return Need::Snapshot;
        }
        Need::Nothing
    }

    fn subscription(&mut self, now: Instant) -> Need {
        if self.due(now) { Need::Subscription } else { Need::Nothing }
    }
}
