//! The broker in process.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use orrery_kernel::{Entropy, StoreError, Timestamp};
use orrery_realtime::{
    Appended, Broker, COUNTED_MAX, ChannelConfig, History, Keep, Live, Position, Publication, SEATS_HELD, Seats, Sink,
    Tail,
};

/// How long a repeated publication is known.
const KNOWN_FOR: Duration = Duration::from_secs(300);
/// Publications of a channel that are known again, at most; of more, the oldest are forgotten.
const KNOWN_MAX: usize = 10_000;

/// Channels that nobody uses any more are looked for once in so many calls.
const LOOK_EVERY: u32 = 1_024;

/// Channels of one process. Its [`Self::node`]s share them, each with its own sink; one is enough for a
/// server.
pub struct MemoryBroker {
    shared: Arc<Shared>,
    node: Arc<Node>,
}

struct Shared {
    /// Calls until channels that nobody uses are looked for.
    calls: AtomicU32,
    entropy: Arc<dyn Entropy>,
    channels: RwLock<HashMap<Arc<str>, Arc<Mutex<Entry>>>>,
    /// Who is in which channel, and when that was last said.
    seats: Mutex<HashMap<String, Vec<(Timestamp, Seats)>>>,
}

#[derive(Default)]
struct Node {
    sink: OnceLock<Sink>,
}

struct Entry {
    history: History,
    known: HashMap<String, (Timestamp, u64)>,
    /// Keys of `known`, oldest first.
    order: VecDeque<(Timestamp, String)>,
    followers: Vec<Weak<Node>>,
    /// When it was last used, and how long it is kept after that.
    used: Timestamp,
    ttl: Duration,
}

fn lock(entry: &Mutex<Entry>) -> MutexGuard<'_, Entry> {
    entry.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Entry {
    fn tell(&mut self, live: &Live) {
        self.followers.retain(|node| match node.upgrade() {
            Some(node) => {
                if let Some(sink) = node.sink.get() {
                    sink(live.clone());
                }
                true
            }
            None => false,
        });
    }

    fn seen(&mut self, key: &str, now: Timestamp) -> Option<u64> {
        while self.order.front().is_some_and(|(at, _)| now.since(*at) > KNOWN_FOR) || self.order.len() >= KNOWN_MAX {
            let (at, key) = self.order.pop_front()?;
            if self.known.get(&key).is_some_and(|(known, _)| *known == at) {
                self.known.remove(&key);
            }
        }
        self.known.get(key).map(|(_, offset)| *offset)
    }
}

impl MemoryBroker {
    /// An empty one; `entropy` names epochs.
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self {
            shared: Arc::new(Shared {
                calls: AtomicU32::new(0),
                entropy,
                channels: RwLock::default(),
                seats: Mutex::default(),
            }),
            node: Arc::default(),
        }
    }

    /// Another node on the same channels.
    #[must_use]
    pub fn node(&self) -> Self {
        Self { shared: self.shared.clone(), node: Arc::default() }
    }

    /// Forgets channels that nobody follows and whose history has run out.
    fn look(&self, now: Timestamp) {
        if self.shared.calls.fetch_add(1, Ordering::Relaxed) % LOOK_EVERY != LOOK_EVERY - 1 {
            return;
        }
        let mut channels = self.shared.channels.write().unwrap_or_else(PoisonError::into_inner);
        channels.retain(|_, entry| {
            // whoever has the entry in hand is using it
            let Some(entry) = Arc::get_mut(entry) else { return true };
            let entry = entry.get_mut().unwrap_or_else(PoisonError::into_inner);
            entry.followers.retain(|node| node.strong_count() > 0);
            !entry.followers.is_empty() || now.since(entry.used) <= entry.ttl
        });
    }

    fn entry(&self, channel: &str) -> Arc<Mutex<Entry>> {
        let known = self.shared.channels.read().unwrap_or_else(PoisonError::into_inner).get(channel).cloned();
        if let Some(entry) = known {
            return entry;
        }
        let mut channels = self.shared.channels.write().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let mut bits = [0; 8];
            self.shared.entropy.fill(&mut bits);
            let epoch = bits.iter().map(|b| format!("{b:02x}")).collect::<String>().into();
            let history = History::new(Position { epoch, offset: 0 });
            Arc::new(Mutex::new(Entry {
                history,
                known: HashMap::new(),
                order: VecDeque::new(),
                followers: Vec::new(),
                used: Timestamp::default(),
                ttl: Duration::ZERO,
            }))
        };
        channels.entry(channel.into()).or_insert_with(new).clone()
    }
}

#[async_trait]
impl Broker for MemoryBroker {
    fn attach(&self, sink: Sink) {
        // a second sink would be a second owner of the node
        let _ = self.node.sink.set(sink);
    }

    async fn health(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn follow(&self, channel: &str) -> Result<(), StoreError> {
        let entry = self.entry(channel);
        let mut entry = lock(&entry);
        let me = Arc::downgrade(&self.node);
        if !entry.followers.iter().any(|node| node.ptr_eq(&me)) {
            entry.followers.push(me);
        }
        Ok(())
    }

    async fn unfollow(&self, channel: &str) -> Result<(), StoreError> {
        let me = Arc::downgrade(&self.node);
        lock(&self.entry(channel)).followers.retain(|node| !node.ptr_eq(&me));
        Ok(())
    }

    async fn publish(
        &self,
        channel: &str,
        keep: &Keep,
        key: Option<&str>,
        body: Bytes,
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        self.look(now);
        let entry = self.entry(channel);
        let mut entry = lock(&entry);
        (entry.used, entry.ttl) = (now, keep.config.history_ttl);
        let epoch = entry.history.position().epoch.clone();
        if let Some(idempotency) = &keep.idempotency
            && let Some(offset) = entry.seen(idempotency, now)
        {
            return Ok(Appended::Duplicate(Position { epoch, offset }));
        }
        let offset = entry.history.position().offset + 1;
        let publication = Publication { offset, at: now, key: key.map(Into::into), body };
        entry.history.append(publication.clone(), &keep.config);
        if let Some(idempotency) = &keep.idempotency {
            entry.known.insert(idempotency.clone(), (now, offset));
            entry.order.push_back((now, idempotency.clone()));
        }
        // under the channel's lock, so that everybody hears in the order of offsets
        entry.tell(&Live::Published { channel: channel.into(), epoch: epoch.clone(), publication });
        Ok(Appended::New(Position { epoch, offset }))
    }

    async fn signal(&self, channel: &str, body: Bytes) -> Result<(), StoreError> {
        lock(&self.entry(channel)).tell(&Live::Signal { channel: channel.into(), body });
        Ok(())
    }

    async fn tail(&self, channel: &str, config: &ChannelConfig, now: Timestamp) -> Result<Tail, StoreError> {
        self.look(now);
        let entry = self.entry(channel);
        let mut entry = lock(&entry);
        (entry.used, entry.ttl) = (now, config.history_ttl);
        entry.history.prune(now, config);
        Ok(Tail { position: entry.history.position().clone(), kept: entry.history.kept().cloned().collect() })
    }

    async fn restore(&self, _: &str, _: &ChannelConfig, _: &Tail) -> Result<(), StoreError> {
        // a process that lost its memory has no nodes either
        Ok(())
    }

    async fn take_seats(
        &self,
        channel: &str,
        seats: &Seats,
        most: Option<u32>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut all = self.shared.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let nodes = all.entry(channel.to_owned()).or_default();
        nodes.retain(|(at, node)| node.node == seats.node || now.since(*at) <= SEATS_HELD);
        let others = nodes.iter().filter(|(_, node)| node.node != seats.node);
        let sum = others.map(|(_, node)| node.connections).sum::<u32>().saturating_add(seats.connections);
        let taken = most.is_none_or(|most| sum <= most);
        if taken {
            let before = nodes.iter().position(|(_, node)| node.node == seats.node).map(|at| nodes.swap_remove(at).1);
            if seats.connections > 0 {
                let members = seats.members.clone().or(before.and_then(|before| before.members));
                nodes.push((now, Seats { members, ..seats.clone() }));
            }
        }
        if nodes.is_empty() {
            all.remove(channel);
        }
        Ok(taken)
    }

    async fn seats(&self, channel: &str, now: Timestamp) -> Result<Vec<Seats>, StoreError> {
        let all = self.shared.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let nodes = all.get(channel).into_iter().flatten().filter(|(at, _)| now.since(*at) <= SEATS_HELD);
        let whole = |node: &Seats| Seats { members: Some(node.members.clone().unwrap_or_default()), ..node.clone() };
        Ok(nodes.map(|(_, node)| whole(node)).collect())
    }

    async fn seats_beside(&self, node: u64, channels: &[Arc<str>], now: Timestamp) -> Result<Vec<u32>, StoreError> {
        let all = self.shared.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |channel: &Arc<str>| {
            let nodes = all.get(&**channel).into_iter().flatten();
            let others = nodes.filter(|(at, seats)| seats.node != node && now.since(*at) <= SEATS_HELD);
            others.map(|(_, seats)| seats.connections).sum()
        };
        Ok(channels.iter().take(COUNTED_MAX).map(count).collect())
    }

    async fn forget(&self, channel: &str) -> Result<(), StoreError> {
        self.shared.channels.write().unwrap_or_else(PoisonError::into_inner).remove(channel);
        Ok(())
    }
}
