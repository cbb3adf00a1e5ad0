//! What waits for one connection: an ordered lane, and the newest of each key.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use orrery_kernel::Timestamp;

/// Bounds of an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most bytes of the ordered lane; beyond them the connection is closed.
    pub bytes: usize,
    /// Most frames of it.
    pub frames: usize,
    /// Up to so many waiting bytes a connection counts as quick: newest-wins frames queue in order.
    pub quick_bytes: usize,
}

impl Default for Bounds {
    /// 1 MiB, 16,384 frames, 64 KiB.
    fn default() -> Self {
        Self { bytes: 1 << 20, frames: 16_384, quick_bytes: 65_536 }
    }
}

/// A frame and where it stands.
#[derive(Clone, Debug)]
pub struct Item {
    /// Header included; shared with every other connection.
    pub frame: Bytes,
    /// The channel's number; 0: of none.
    pub channel: u32,
    /// Its offset there.
    pub offset: u64,
}

impl Item {
    /// A frame of no channel.
    pub fn loose(frame: Bytes) -> Self {
        Self { frame, channel: 0, offset: 0 }
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits.
    Queued,
    /// It waits, and half of the bound is reached for the first time since the lane was empty: warn the
    /// client.
    Slow,
    /// It took the place of an older one of its key.
    Conflated,
    /// It did not fit, and nothing else will: the client has everything of the channel up to this offset.
    Full(u64),
    /// The connection closes; nothing is taken any more.
    Closed,
}

/// Frames in order. The first lies in place: a client that keeps up never has more, and reading it fetches no other
/// memory.
#[derive(Debug, Default)]
#[repr(C)]
struct Lane {
    /// None: the lane is empty.
    first: Option<Item>,
    rest: VecDeque<Item>,
}

impl Lane {
    fn len(&self) -> usize {
        if self.first.is_some() { 1 + self.rest.len() } else { 0 }
    }

    fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    fn iter(&self) -> impl Iterator<Item = &Item> {
        self.first.iter().chain(&self.rest)
    }

    fn push_back(&mut self, item: Item) {
        if self.first.is_none() {
            self.first = Some(item);
        } else {
            self.rest.push_back(item);
        }
    }

    fn pop_front(&mut self) -> Option<Item> {
        let first = self.first.take();
        if !self.rest.is_empty() {
            self.first = self.rest.pop_front();
        }
        first
    }
}

/// The newest of each key. Few connections ever have any.
#[derive(Debug, Default)]
struct Newest {
    values: HashMap<u64, Bytes>,
    /// Their keys, in the order they became due.
    due: VecDeque<u64>,
}

impl Newest {
    fn pop_front(&mut self) -> Option<Bytes> {
        let key = self.due.pop_front()?;
        self.values.remove(&key)
    }
}

/// At most [`Bounds::bytes`] and one frame for each key. What every frame touches lies together: a thousand outboxes
/// are in no cache when their turn comes.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Outbox {
    closed: bool,
    warned: bool,
    bytes: usize,
    moved: Timestamp,
    newest: Option<Box<Newest>>,
    ordered: Lane,
    last: Option<Bytes>,
}

impl Outbox {
    /// Is there nothing to write?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ordered.is_empty() && !self.has_newest() && (!self.closed || self.last.is_none())
    }

    fn has_newest(&self) -> bool {
        self.newest.as_ref().is_some_and(|newest| !newest.due.is_empty())
    }

    /// Bytes of the ordered lane.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Up to which offset the client has everything of the channel whose frame waits first; 0: none does.
    pub fn has(&self) -> u64 {
        self.ordered.iter().find(|i| i.channel != 0).map_or(0, |i| i.offset.saturating_sub(1))
    }

    /// Keys with a waiting value.
    pub fn keys(&self) -> usize {
        self.newest.as_ref().map_or(0, |newest| newest.due.len())
    }

    /// Was [`Self::close`] called?
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// A frame that must come after all before it.
    #[inline]
    pub fn push(&mut self, item: Item, bounds: &Bounds) -> Pushed {
        if self.closed {
            return Pushed::Closed;
        }
        if self.bytes + item.frame.len() > bounds.bytes || self.ordered.len() >= bounds.frames {
            let unsent = self.ordered.iter().find(|i| i.channel == item.channel).map_or(item.offset, |i| i.offset);
            return Pushed::Full(unsent.saturating_sub(1));
        }
        self.bytes += item.frame.len();
        self.ordered.push_back(item);
        if !self.warned && (self.bytes > bounds.bytes / 2 || self.ordered.len() > bounds.frames / 2) {
            self.warned = true;
            return Pushed::Slow;
        }
        Pushed::Queued
    }

    /// Is the client taking what it is sent, so that newest-wins frames need no place of their own?
    #[inline]
    pub fn is_quick(&self, bounds: &Bounds) -> bool {
        !self.has_newest() && self.bytes < bounds.quick_bytes && self.ordered.len() < bounds.frames / 2
    }

    /// A frame that makes an older one under `key` needless.
    pub fn push_latest(&mut self, key: u64, frame: Bytes) -> Pushed {
        if self.closed {
            return Pushed::Closed;
        }
        let newest = self.newest.get_or_insert_default();
        match newest.values.insert(key, frame) {
            Some(_) => Pushed::Conflated,
            None => {
                newest.due.push_back(key);
                Pushed::Queued
            }
        }
    }

    /// Nothing but `frame` is written any more. With `flush`, what waits goes before it.
    pub fn close(&mut self, frame: Bytes, flush: bool) {
        if self.closed {
            return;
        }
        self.closed = true;
        if !flush {
            self.ordered = Lane::default();
            self.bytes = 0;
            self.newest = None;
        }
        self.last = Some(frame);
    }

    /// Takes the one frame of the ordered lane where nothing else waits.
    #[inline]
    pub fn take_only(&mut self) -> Option<Bytes> {
        if self.has_newest() || self.closed || !self.ordered.rest.is_empty() {
            return None;
        }
        let item = self.ordered.first.take()?;
        (self.bytes, self.warned) = (0, false);
        Some(item.frame)
    }

    /// Moves what is to be written next to `batch`: the ordered lane, then the newest of each key, then the
    /// close frame; up to `frames` and about `bytes`.
    pub fn take(&mut self, batch: &mut Vec<Bytes>, frames: usize, bytes: usize) {
        let mut taken = 0;
        while batch.len() < frames && taken < bytes {
            let frame = if let Some(item) = self.ordered.pop_front() {
                self.bytes -= item.frame.len();
                item.frame
            } else if let Some(frame) = self.newest.as_mut().and_then(|newest| newest.pop_front()) {
                frame
            } else if let Some(frame) = self.last.take() {
                frame
            } else {
                break;
            };
            taken += frame.len();
            batch.push(frame);
        }
        if self.ordered.is_empty() {
            self.warned = false;
            // a burst's memory is not kept for good
            if self.ordered.rest.capacity() > 64 {
                self.ordered.rest = VecDeque::new();
            }
        }
        if self.newest.as_ref().is_some_and(|newest| newest.due.is_empty() && newest.due.capacity() > 64) {
            self.newest = None;
        }
    }

    /// Something was written, or there was nothing to write.
    #[inline]
    pub fn moved(&mut self, now: Timestamp) {
        self.moved = now;
    }

    /// Since when the client has taken nothing of what waits.
    pub fn stuck_since(&self) -> Option<Timestamp> {
        (!self.is_empty()).then_some(self.moved)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(offset: u64, len: usize) -> Item {
        Item { frame: Bytes::from(vec![b'x'; len]), channel: 1, offset }
    }

    #[test]
    fn a_slow_client_is_warned_once_and_then_told_what_it_has() {
        let bounds = Bounds { bytes: 100, frames: 1_000, quick_bytes: 10 };
        let mut outbox = Outbox::default();
        let pushed: Vec<_> = (5..16).map(|n| outbox.push(item(n, 10), &bounds)).collect();
        let warned = pushed.iter().filter(|p| **p == Pushed::Slow).count();
        assert_eq!((warned, pushed[10]), (1, Pushed::Full(4)));
        let mut batch = Vec::new();
        outbox.take(&mut batch, 3, 1_000);
        assert_eq!((batch.len(), outbox.bytes()), (3, 70));
        assert!(!outbox.is_quick(&bounds));
        outbox.close(Bytes::from_static(b"bye"), false);
        assert_eq!(outbox.push(item(99, 1), &bounds), Pushed::Closed);
        batch.clear();
        outbox.take(&mut batch, 64, 1_000);
        assert_eq!(batch, ["bye"]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_drain_loses_nothing() {
        let bounds = Bounds::default();
        let mut outbox = Outbox::default();
        outbox.push_latest(7, Bytes::from_static(b"old"));
        outbox.push(item(1, 1), &bounds);
        assert_eq!(outbox.push_latest(7, Bytes::from_static(b"new")), Pushed::Conflated);
        outbox.close(Bytes::from_static(b"bye"), true);
        let mut batch = Vec::new();
        outbox.take(&mut batch, 64, 1_000);
        assert_eq!(batch, ["x", "new", "bye"]);
    }

    proptest! {
        /// Whatever a client does, its outbox stays within its bounds, the ordered lane keeps its order
        /// without a hole, and of each key the newest value comes last.
        #[test]
        fn bounded_ordered_newest(steps in proptest::collection::vec((0_u8..4, 0_u64..5, 1_usize..30), 1..300)) {
            let bounds = Bounds { bytes: 200, frames: 12, quick_bytes: 50 };
            let mut outbox = Outbox::default();
            let (mut next, mut seen, mut newest, mut shown) = (1, 0, [0_u64; 5], [0_u64; 5]);
            let mut version = 0;
            for (step, key, n) in steps {
                match step {
                    0 => {
                        let frame = Bytes::from(format!("{next:<n$}"));
                        match outbox.push(Item { frame, channel: 1, offset: next }, &bounds) {
                            Pushed::Full(has) => {
                                prop_assert_eq!(has, seen);
                                return Ok(());
                            }
                            _ => next += 1,
                        }
                    }
                    1 => {
                        version += 1;
                        newest[key as usize] = version;
                        outbox.push_latest(key, Bytes::from(format!("k{key}:{version}")));
                    }
                    step => {
                        let mut batch = Vec::new();
                        if step == 2 {
                            outbox.take(&mut batch, n, 100);
                        } else if let Some(only) = outbox.take_only() {
                            prop_assert!(outbox.is_empty() && outbox.bytes() == 0);
                            batch.push(only);
                        }
                        for frame in batch {
                            let text = String::from_utf8(frame.to_vec()).unwrap();
                            match text.strip_prefix('k').and_then(|t| t.split_once(':')) {
                                Some((key, version)) => shown[key.parse::<usize>().unwrap()] = version.parse().unwrap(),
                                None => {
                                    let n: u64 = text.trim().parse().unwrap();
                                    prop_assert_eq!(n, seen + 1);
                                    seen = n;
                                }
                            }
                        }
                    }
                }
                prop_assert!(outbox.bytes() <= bounds.bytes && outbox.keys() <= 5);
            }
            let mut batch = Vec::new();
            outbox.take(&mut batch, usize::MAX, usize::MAX);
            for frame in batch {
                let text = String::from_utf8(frame.to_vec()).unwrap();
                if let Some((key, version)) = text.strip_prefix('k').and_then(|t| t.split_once(':')) {
                    shown[key.parse::<usize>().unwrap()] = version.parse().unwrap();
                }
            }
            prop_assert_eq!(shown, newest);
        }
    }
}
