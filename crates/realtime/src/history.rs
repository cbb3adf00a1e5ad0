//! A channel's history: offset and epoch, recovery that is whole or says that it is not.

use std::collections::VecDeque;

use orrery_kernel::Timestamp;

use crate::{ChannelConfig, Mode, Position, Publication};

/// What a client that was away gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Everything after its position, in order; maybe nothing.
    Whole(Vec<Publication>),
    /// Some of it is no longer kept, or it is of another epoch: the newest, as a picture of now.
    Snapshot(Vec<Publication>),
}

/// Publications in the order of their offsets, without a hole in stream mode. Bounded by the channel's
/// `history_size` and `history_ttl_s`.
#[derive(Clone, Debug)]
pub struct History {
    position: Position,
    kept: VecDeque<Publication>,
    bytes: usize,
}

/// Most bytes of what is kept of a channel, whatever its `history_size`: beyond them the oldest go.
pub const HISTORY_BYTES_MAX: usize = 16 << 20;

impl History {
    /// An empty one that goes on from `position`.
    pub fn new(position: Position) -> Self {
        Self { position, kept: VecDeque::new(), bytes: 0 }
    }

    /// Epoch and newest offset.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// What is kept, oldest first.
    pub fn kept(&self) -> impl DoubleEndedIterator<Item = &Publication> {
        self.kept.iter()
    }

    /// Adds the next one. The caller has seen to it that its offset is the next.
    pub fn append(&mut self, publication: Publication, config: &ChannelConfig) {
        self.position.offset = publication.offset;
        if config.mode == Mode::Latest {
            self.retain(|kept| kept.key != publication.key);
        }
        self.prune(publication.at, config);
        self.bytes += publication.body.len();
        self.kept.push_back(publication);
        while self.kept.len() > config.history_size as usize || self.bytes > HISTORY_BYTES_MAX {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        self.bytes -= self.kept.pop_front().map_or(0, |p| p.body.len());
    }

    fn retain(&mut self, keep: impl Fn(&Publication) -> bool) {
        self.kept.retain(keep);
        self.bytes = self.kept.iter().map(|p| p.body.len()).sum();
    }

    /// The count is further than what is kept: what lies between was replaced by newer values.
    pub fn advance(&mut self, offset: u64) {
        self.position.offset = self.position.offset.max(offset);
    }

    /// Forgets what is too old.
    pub fn prune(&mut self, now: Timestamp, config: &ChannelConfig) {
        match config.mode {
            Mode::Stream => {
                while self.kept.front().is_some_and(|p| now.since(p.at) > config.history_ttl) {
                    self.forget_oldest();
                }
            }
            // a key told again moves to the end, so that the oldest come first here too
            Mode::Latest if self.kept.front().is_some_and(|p| now.since(p.at) > config.history_ttl) => {
                self.retain(|p| now.since(p.at) <= config.history_ttl);
            }
            Mode::Latest => {}
        }
    }

    /// What a client at `since` gets; with `None` a newcomer's picture. At most `most` publications.
    pub fn recover(&self, since: Option<&Position>, mode: Mode, most: usize) -> Recovery {
        let newest = |n: usize| self.kept.iter().skip(self.kept.len().saturating_sub(n)).cloned().collect();
        if mode == Mode::Latest {
            return Recovery::Snapshot(newest(usize::MAX));
        }
        let Some(since) = since else { return Recovery::Whole(Vec::new()) };
        let missed = match self.position.offset.checked_sub(since.offset) {
            Some(missed) if since.epoch == self.position.epoch => usize::try_from(missed).unwrap_or(usize::MAX),
            _ => return Recovery::Snapshot(newest(SNAPSHOT_MAX)),
        };
        if missed > self.kept.len() || missed > most {
            return Recovery::Snapshot(newest(SNAPSHOT_MAX));
        }
        Recovery::Whole(newest(missed))
    }
}

/// Publications in a picture of a stream.
const SNAPSHOT_MAX: usize = 50;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn publication(offset: u64, key: &str) -> Publication {
        let at = Timestamp::from_secs(offset as i64);
        Publication { offset, at, key: Some(key.into()), body: Bytes::from(offset.to_string()) }
    }

    #[test]
    fn large_messages_do_not_stay_for_their_number() {
        let config = ChannelConfig { history_size: 10_000, ..ChannelConfig::default() };
        let mut history = History::new(Position { epoch: "e".into(), offset: 0 });
        for n in 1..=40 {
            let body = Bytes::from(vec![b'x'; 1 << 20]);
            history.append(Publication { body, ..publication(n, "k") }, &config);
        }
        let offsets: Vec<u64> = history.kept().map(|p| p.offset).collect();
        assert_eq!(offsets, (25..=40).collect::<Vec<_>>());
        let since = Position { epoch: "e".into(), offset: 20 };
        assert!(matches!(history.recover(Some(&since), Mode::Stream, 300), Recovery::Snapshot(_)));
    }

    proptest! {
        /// A client that was at any offset gets exactly what came after it, or is told that it does not.
        #[test]
        fn whole_or_not(
            count in 0_u64..60, size in 0_u32..30, ttl in 1_u64..80, since in 0_u64..70, most in 0_usize..40,
            other_epoch in any::<bool>(),
        ) {
            let config = ChannelConfig {
                history_size: size, history_ttl: Duration::from_secs(ttl), ..ChannelConfig::default()
            };
            let epoch = Position { epoch: "e".into(), offset: 0 };
            let mut history = History::new(epoch.clone());
            for n in 1..=count {
                history.append(publication(n, "k"), &config);
            }
            let at = Position { epoch: if other_epoch { "f".into() } else { "e".into() }, offset: since };
            match history.recover(Some(&at), Mode::Stream, most) {
                Recovery::Whole(missed) => {
                    let offsets: Vec<u64> = missed.iter().map(|p| p.offset).collect();
                    prop_assert!(!other_epoch && since <= count);
                    prop_assert_eq!(offsets, (since + 1..=count).collect::<Vec<_>>());
                }
                Recovery::Snapshot(newest) => {
                    let lost = other_epoch || since > count || count - since > most as u64
                        || count - since > u64::from(size).min(ttl + 1);
                    prop_assert!(lost);
                    prop_assert!(newest.len() <= SNAPSHOT_MAX);
                    prop_assert!(newest.last().is_none_or(|p| p.offset == count));
                }
            }
        }

        #[test]
        fn the_newest_of_each_key(keys in proptest::collection::vec(0_u8..6, 0..60), size in 1_u32..10) {
            let config = ChannelConfig { history_size: size, mode: Mode::Latest, ..ChannelConfig::default() };
            let mut history = History::new(Position { epoch: "e".into(), offset: 0 });
            let mut newest = Vec::new();
            for (n, key) in (1..).zip(&keys) {
                history.append(publication(n, &key.to_string()), &config);
                newest.retain(|(k, _)| k != key);
                newest.push((*key, n));
            }
            let Recovery::Snapshot(all) = history.recover(None, Mode::Latest, 1_000) else { unreachable!() };
            let offsets: Vec<u64> = all.iter().map(|p| p.offset).collect();
            let expected: Vec<u64> =
                newest.iter().skip(newest.len().saturating_sub(size as usize)).map(|(_, n)| *n).collect();
            prop_assert_eq!(offsets, expected);
        }
    }
}
