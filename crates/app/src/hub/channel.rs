//! One channel in this process: who has joined, and what they may have missed.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use orrery_kernel::Timestamp;
use orrery_realtime::{ChannelConfig, History, Item, Mode, Position, Publication, Recovery, Tail};

use super::conn::Conn;
use super::dialect::{DIALECTS, Dialect, Notice};
use super::message::Body;

/// Publications that came before one that is missing; of more, the missing one is given up.
const AHEAD_MAX: usize = 1_024;
/// Keys that wait for the end of a window; of more, all are told at once.
const PENDING_MAX: usize = 4_096;
/// Keys with a number of their own; then numbering begins anew, which only conflates less for a moment.
const KEYS_MAX: usize = 65_536;

/// A channel.
pub struct Channel {
    /// Its name.
    pub name: Arc<str>,
    /// Its number in this process.
    pub number: u32,
    pub(super) config: ArcSwap<ChannelConfig>,
    /// An administrator made it; else it goes when nobody uses it.
    pub(super) configured: std::sync::atomic::AtomicBool,
    /// It is filled because somebody is in it.
    pub(super) offered: bool,
    /// Making it ready, one at a time.
    pub(super) preparing: tokio::sync::Mutex<()>,
    /// Who comes in where places are counted over all nodes; one at a time.
    pub(super) seating: tokio::sync::Mutex<()>,
    /// Somebody came or left since the other nodes were told.
    pub(super) unsaid: AtomicBool,
    /// When the other nodes were last told; microseconds.
    pub(super) said: AtomicI64,
    state: Mutex<State>,
    /// When it was last joined or published to.
    used: AtomicI64,
}

#[derive(Default)]
struct State {
    /// `None` until the channel is followed and its history read.
    history: Option<History>,
    subscribers: Vec<Arc<Conn>>,
    /// Publications that came before one that is missing.
    ahead: BTreeMap<u64, Publication>,
    missing_since: Option<Timestamp>,
    keys: HashMap<Arc<str>, u32>,
    /// Newest-wins publications that wait for the end of the window.
    pending: Vec<Publication>,
    waiting: HashMap<u64, usize>,
}

/// What to do after a publication came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Nothing,
    /// The window of conflation has begun.
    Flush,
}

/// Somebody cannot join.
pub(super) enum Refused {
    Full,
    NotReady,
}

impl Channel {
    pub(super) fn new(
        name: Arc<str>,
        number: u32,
        config: ChannelConfig,
        (configured, offered): (bool, bool),
        now: Timestamp,
    ) -> Self {
        Self {
            name,
            number,
            config: ArcSwap::from_pointee(config),
            configured: configured.into(),
            offered,
            preparing: tokio::sync::Mutex::default(),
            seating: tokio::sync::Mutex::default(),
            unsaid: AtomicBool::new(false),
            said: AtomicI64::new(0),
            state: Mutex::default(),
            used: AtomicI64::new(now.micros()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // every change is whole before the next begins
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configuration as it is now.
    pub fn config(&self) -> Arc<ChannelConfig> {
        self.config.load_full()
    }

    /// Did an administrator make it?
    pub fn is_configured(&self) -> bool {
        self.configured.load(Ordering::Relaxed)
    }

    pub(super) fn touch(&self, now: Timestamp) {
        self.used.store(now.micros(), Ordering::Relaxed);
    }

    pub(super) fn unused_since(&self) -> Option<Timestamp> {
        self.state().subscribers.is_empty().then(|| Timestamp::from_micros(self.used.load(Ordering::Relaxed)))
    }

    /// Connections of this process.
    pub fn connections(&self) -> usize {
        self.state().subscribers.len()
    }

    /// Who is here, in this process.
    pub fn members(&self) -> Vec<(Option<i64>, Arc<str>)> {
        self.state().subscribers.iter().map(|c| (c.who.user.map(|u| u.0), c.who.client.clone())).collect()
    }

    /// Where the channel is, once it is ready.
    pub fn position(&self) -> Option<Position> {
        self.state().history.as_ref().map(|h| h.position().clone())
    }

    pub(super) fn tail(&self) -> Option<Tail> {
        let state = self.state();
        let history = state.history.as_ref()?;
        Some(Tail { position: history.position().clone(), kept: history.kept().cloned().collect() })
    }

    /// Where a message of this sender's number is, among those that are kept here.
    pub(super) fn find(&self, user: Option<i64>, client: &str, sequence: u64) -> Option<Position> {
        let state = self.state();
        let history = state.history.as_ref()?;
        let is_it = |body: &Body<'_>| body.sequence == Some(sequence) && body.user == user && body.client == *client;
        let found = history.kept().rev().find(|p| Body::parse(&p.body).is_some_and(|body| is_it(&body)))?;
        Some(Position { offset: found.offset, ..history.position().clone() })
    }

    /// Nobody is here any more: what it knew will be read again.
    pub(super) fn let_go(&self) -> bool {
        let mut state = self.state();
        let free = state.subscribers.is_empty();
        if free {
            *state = State::default();
        }
        free
    }

    /// Takes what the broker keeps: the first time as it is, later to fill what was missed. Publications that
    /// are gone are told of as a gap.
    pub(super) fn fill(&self, tail: Tail, now: Timestamp) -> After {
        let config = self.config();
        let mut state = self.state();
        let Some(history) = &state.history else {
            let first = tail.kept.first().map_or(tail.position.offset, |p| p.offset - 1);
            let mut history = History::new(Position { epoch: tail.position.epoch.clone(), offset: first });
            for publication in tail.kept {
                history.append(publication, &config);
            }
            // what is kept may end before the count does
            let kept = history.position().offset;
            if config.mode == Mode::Latest {
                history.advance(tail.position.offset);
            } else if kept < tail.position.offset {
                history = History::new(tail.position);
            }
            state.history = Some(history);
            return self.catch_up(&mut state, &config, now);
        };
        let at = history.position().clone();
        if at.epoch != tail.position.epoch {
            state.ahead.clear();
            state.history = Some(History::new(tail.position.clone()));
            self.tell_gap(&state, now);
            return After::Nothing;
        }
        let missed = tail.kept.into_iter().filter(|p| p.offset > at.offset);
        if config.mode == Mode::Latest {
            // what is missing was replaced by newer values
            let mut after = After::Nothing;
            for publication in missed {
                if self.accept(&mut state, &config, publication, now) == After::Flush {
                    after = After::Flush;
                }
            }
            if let Some(history) = &mut state.history {
                history.advance(tail.position.offset);
            }
            return match self.catch_up(&mut state, &config, now) {
                After::Flush => After::Flush,
                After::Nothing => after,
            };
        }
        state.ahead.extend(missed.map(|p| (p.offset, p)));
        let after = self.catch_up(&mut state, &config, now);
        let reached = state.history.as_ref().map_or(0, |h| h.position().offset);
        if reached < tail.position.offset {
            // what is missing is kept nowhere any more
            let first = state.ahead.keys().next().copied().unwrap_or(tail.position.offset + 1);
            state.history = Some(History::new(Position { offset: first - 1, ..at }));
            self.tell_gap(&state, now);
            return self.catch_up(&mut state, &config, now);
        }
        after
    }

    fn tell_gap(&self, state: &State, now: Timestamp) {
        let Some(history) = &state.history else { return };
        let Position { epoch, offset } = history.position();
        metrics::counter!("hub_gaps_total").increment(1);
        for conn in &state.subscribers {
            conn.tell(&Notice::Gap { channel: &self.name, epoch, offset: *offset }, now);
        }
    }

    /// A publication of this or another node; in any order, and more than once.
    pub(super) fn take(&self, epoch: &str, publication: Publication, now: Timestamp) -> After {
        let config = self.config();
        let mut state = self.state();
        let Some(history) = &state.history else {
            // the history that is being read has it, or what follows fills the hole
            state.ahead.insert(publication.offset, publication);
            return After::Nothing;
        };
        let at = history.position();
        if &*at.epoch != epoch {
            // a new count: the sweep reads it
            state.missing_since.get_or_insert(now);
            return After::Nothing;
        }
        if publication.offset <= at.offset {
            return After::Nothing;
        }
        if publication.offset == at.offset + 1 && state.ahead.is_empty() {
            return self.accept(&mut state, &config, publication, now);
        }
        state.ahead.insert(publication.offset, publication);
        self.catch_up(&mut state, &config, now)
    }

    /// Tells what no longer waits for an earlier one.
    fn catch_up(&self, state: &mut State, config: &ChannelConfig, now: Timestamp) -> After {
        let mut after = After::Nothing;
        while let Some(next) = state.history.as_ref().map(|h| h.position().offset + 1) {
            state.ahead = state.ahead.split_off(&next);
            let Some(publication) = state.ahead.remove(&next) else { break };
            if self.accept(state, config, publication, now) == After::Flush {
                after = After::Flush;
            }
        }
        match state.ahead.is_empty() {
            true => state.missing_since = None,
            false => {
                state.missing_since.get_or_insert(now);
                while state.ahead.len() > AHEAD_MAX {
                    // the sweep reads what is kept, and says what is not
                    state.ahead.pop_last();
                }
            }
        }
        after
    }

    /// Since when something is missing.
    pub(super) fn missing_since(&self) -> Option<Timestamp> {
        self.state().missing_since
    }

    /// Publications were missed, maybe: look.
    pub(super) fn suspect(&self, now: Timestamp) {
        let mut state = self.state();
        if state.history.is_some() {
            state.missing_since.get_or_insert(now);
        }
    }

    fn accept(&self, state: &mut State, config: &ChannelConfig, publication: Publication, now: Timestamp) -> After {
        if let Some(history) = &mut state.history {
            history.append(publication.clone(), config);
        }
        if state.subscribers.is_empty() {
            return After::Nothing;
        }
        if config.mode == Mode::Latest {
            let key = self.key(state, publication.key.as_deref());
            if !config.conflate.is_zero() {
                let first = state.pending.is_empty();
                match state.waiting.get(&key).copied() {
                    Some(i) => {
                        metrics::counter!("hub_conflated_total").increment(1);
                        state.pending[i] = publication;
                    }
                    None => {
                        state.waiting.insert(key, state.pending.len());
                        state.pending.push(publication);
                    }
                }
                if state.pending.len() >= PENDING_MAX {
                    self.tell_pending(state, now);
                    return After::Nothing;
                }
                return if first { After::Flush } else { After::Nothing };
            }
            self.fan_out_latest(state, &[(key, publication)], now);
        } else {
            self.fan_out(state, &publication, now);
        }
        After::Nothing
    }

    fn key(&self, state: &mut State, key: Option<&str>) -> u64 {
        let key = key.unwrap_or_default();
        let number = match state.keys.get(key) {
            Some(number) => *number,
            None => {
                if state.keys.len() >= KEYS_MAX {
                    state.keys.clear();
                }
                let number = u32::try_from(state.keys.len()).unwrap_or(u32::MAX);
                state.keys.insert(key.into(), number);
                number
            }
        };
        u64::from(self.number) << 32 | u64::from(number)
    }

    /// One frame a dialect; each connection queues a reference to it.
    fn fan_out(&self, state: &State, publication: &Publication, now: Timestamp) {
        let Some(body) = Body::parse(&publication.body) else { return };
        let epoch = self.epoch(state);
        let mut frames: [Option<Bytes>; DIALECTS] = Default::default();
        for conn in &state.subscribers {
            let frame = if body.is_from(conn) {
                conn.dialect.publication(&body.delivery(&self.name, &epoch, publication, true, false))
            } else {
                frames[conn.dialect.number()]
                    .get_or_insert_with(|| {
                        conn.dialect.publication(&body.delivery(&self.name, &epoch, publication, false, false))
                    })
                    .clone()
            };
            conn.push(Item { frame, channel: self.number, offset: publication.offset }, now);
        }
        metrics::counter!("hub_deliveries_total").increment(state.subscribers.len() as u64);
    }

    /// The newest of each key: all of a window in one piece for those who keep up.
    fn fan_out_latest(&self, state: &State, window: &[(u64, Publication)], now: Timestamp) {
        let epoch = self.epoch(state);
        let bodies: Vec<_> = window.iter().filter_map(|(key, p)| Some((*key, p, Body::parse(&p.body)?))).collect();
        let Some((_, newest, _)) = bodies.last() else { return };
        let mut made: [Option<Window>; DIALECTS] = Default::default();
        for conn in &state.subscribers {
            let dialect = &conn.dialect;
            let (block, each) = made[dialect.number()].get_or_insert_with(|| {
                let frames: Vec<(u64, Bytes)> = bodies
                    .iter()
                    .map(|(key, p, body)| {
                        (*key, dialect.publication(&body.delivery(&self.name, &epoch, p, false, false)))
                    })
                    .collect();
                let (block, each) = one_piece(dialect.as_ref(), frames);
                (Item { frame: block, channel: self.number, offset: newest.offset }, each)
            });
            match dialect.joins_frames() || each.len() == 1 {
                true => conn.push_latest(block, each, now),
                false => {
                    for one in each.iter() {
                        let item = Item { frame: one.1.clone(), channel: self.number, offset: newest.offset };
                        conn.push_latest(&item, std::slice::from_ref(one), now);
                    }
                }
            }
        }
        metrics::counter!("hub_deliveries_total").increment((state.subscribers.len() * bodies.len()) as u64);
    }

    /// The window of conflation ends.
    pub(super) fn flush(&self, now: Timestamp) {
        self.tell_pending(&mut self.state(), now);
    }

    fn tell_pending(&self, state: &mut State, now: Timestamp) {
        let pending = std::mem::take(&mut state.pending);
        state.waiting.clear();
        let window: Vec<(u64, Publication)> =
            pending.into_iter().map(|publication| (self.key(state, publication.key.as_deref()), publication)).collect();
        self.fan_out_latest(state, &window, now);
    }

    fn epoch(&self, state: &State) -> Arc<str> {
        state.history.as_ref().map(|h| h.position().epoch.clone()).unwrap_or_else(|| "".into())
    }

    /// Tells everybody here.
    pub(super) fn tell(&self, notice: &Notice<'_>, now: Timestamp) {
        let state = self.state();
        let mut frames: [Option<Option<Bytes>>; DIALECTS] = Default::default();
        for conn in &state.subscribers {
            let frame = frames[conn.dialect.number()].get_or_insert_with(|| conn.dialect.notice(notice));
            if let Some(frame) = frame {
                conn.push(Item::loose(frame.clone()), now);
            }
        }
    }

    /// Lets `conn` in: the answer, then what it missed, then what comes. A second time only tells it again
    /// what it missed. Gives whether it is new here.
    pub(super) fn join(
        self: &Arc<Self>,
        conn: &Arc<Conn>,
        since: Option<&Position>,
        most: usize,
        now: Timestamp,
    ) -> Result<bool, Refused> {
        let config = self.config();
        let mut state = self.state();
        let new = !state.subscribers.iter().any(|c| c.id == conn.id);
        if new && config.max_connections > 0 && state.subscribers.len() >= config.max_connections as usize {
            return Err(Refused::Full);
        }
        let Some(history) = &mut state.history else { return Err(Refused::NotReady) };
        history.prune(now, &config);
        let recovery = history.recover(since, config.mode, most);
        let Position { epoch, offset } = history.position().clone();
        let (missed, snapshot) = match recovery {
            Recovery::Whole(missed) => (missed, false),
            Recovery::Snapshot(newest) => (newest, true),
        };
        let recovered = since.is_some() && !snapshot;
        if since.is_some() {
            metrics::counter!("hub_recoveries_total", "recovered" => if recovered { "true" } else { "false" })
                .increment(1);
        }
        conn.tell(&Notice::Joined { who: &conn.who, channel: &self.name, epoch: &epoch, offset, recovered }, now);
        for publication in &missed {
            let Some(body) = Body::parse(&publication.body) else { continue };
            let own = body.is_of(conn);
            let frame = conn.dialect.publication(&body.delivery(&self.name, &epoch, publication, own, snapshot));
            conn.push(Item { frame, channel: self.number, offset: publication.offset }, now);
        }
        if new {
            self.unsaid.store(true, Ordering::Relaxed);
            state.subscribers.push(conn.clone());
            conn.joined.lock().unwrap_or_else(PoisonError::into_inner).insert(self.number, self.clone());
        }
        drop(state);
        self.touch(now);
        Ok(new)
    }

    /// `false`: it was not here.
    pub(super) fn leave(&self, conn: &Conn, now: Timestamp) -> bool {
        conn.joined.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
        let mut state = self.state();
        let Some(i) = state.subscribers.iter().position(|c| c.id == conn.id) else { return false };
        state.subscribers.swap_remove(i);
        self.unsaid.store(true, Ordering::Relaxed);
        drop(state);
        self.touch(now);
        true
    }

    pub(super) fn subscribers(&self) -> Vec<Arc<Conn>> {
        self.state().subscribers.clone()
    }
}

/// All frames in one, and each with its key.
type Window = (Item, Vec<(u64, Bytes)>);

/// Frames one after another in one piece of memory, and each as a part of it.
fn one_piece(dialect: &dyn Dialect, frames: Vec<(u64, Bytes)>) -> (Bytes, Vec<(u64, Bytes)>) {
    if let ([(_, only)], _) | ([(_, only), ..], false) = (frames.as_slice(), dialect.joins_frames()) {
        return (only.clone(), frames);
    }
    let mut block = BytesMut::with_capacity(frames.iter().map(|(_, f)| f.len()).sum());
    let mut ends = Vec::with_capacity(frames.len());
    for (key, frame) in &frames {
        block.extend_from_slice(frame);
        ends.push((*key, block.len()));
    }
    let block = block.freeze();
    let mut start = 0;
    let each = ends
        .into_iter()
        .map(|(key, end)| {
            let part = block.slice(start..end);
            start = end;
            (key, part)
        })
        .collect();
    (block, each)
}
