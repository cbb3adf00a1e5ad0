//! The last requests, for those who look after the server.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use orrery_kernel::Timestamp;

/// Requests that are remembered; older ones are forgotten.
const REMEMBERED_MAX: usize = 200;
/// Routes that are counted; beyond it they count together. Templates are few, but nobody else says so.
const ROUTES_MAX: usize = 1_000;

/// A request that was answered. Its route is a template: nothing a client made up is kept.
#[derive(Clone, Debug)]
pub struct Seen {
    /// As in `X-Request-ID`.
    pub request_id: Arc<str>,
    /// Method.
    pub method: &'static str,
    /// Template of its route.
    pub route: Arc<str>,
    /// Status of the answer.
    pub status: u16,
    /// Time to the answer, microseconds.
    pub micros: u64,
    /// When it came in.
    pub at: Timestamp,
}

#[derive(Debug, Default)]
struct Inner {
    last: VecDeque<Seen>,
    counts: BTreeMap<Arc<str>, u64>,
}

/// What is remembered of requests. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Recent(Arc<Mutex<Inner>>);

impl Recent {
    pub(crate) fn note(&self, seen: Seen) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = inner.counts.len() < ROUTES_MAX;
        let name = if room || inner.counts.contains_key(&seen.route) { seen.route.clone() } else { "others".into() };
        *inner.counts.entry(name).or_default() += 1;
        if inner.last.len() >= REMEMBERED_MAX {
            inner.last.pop_front();
        }
        inner.last.push_back(seen);
    }

    /// The last requests, newest first, at most `most`.
    pub fn last(&self, most: usize) -> Vec<Seen> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.last.iter().rev().take(most).cloned().collect()
    }

    /// How often each route was asked, most often first.
    pub fn counts(&self) -> Vec<(Arc<str>, u64)> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts: Vec<_> = inner.counts.iter().map(|(route, n)| (route.clone(), *n)).collect();
        counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_ones_are_forgotten_and_counts_stay() {
        let recent = Recent::default();
        for i in 0..500_u16 {
            recent.note(Seen {
                request_id: i.to_string().into(),
                method: "GET",
                route: if i % 5 == 0 { "/b".into() } else { "/a".into() },
                status: 200,
                micros: 1,
                at: Timestamp::from_secs(i.into()),
            });
        }
        assert_eq!(recent.last(1_000).len(), REMEMBERED_MAX);
        assert_eq!(&*recent.last(1)[0].request_id, "499");
        assert_eq!(recent.counts(), [("/a".into(), 400), ("/b".into(), 100)]);
    }
}
