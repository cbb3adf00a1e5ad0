//! The scripts' store in process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orrery_kernel::{Clock, StoreError, Timestamp};
use orrery_workers::kv::{Commit, Committed, Entry, Key, KvStore, Mutation, Range, Space, Versionstamp};

use crate::MemoryFleet;

type Keys = BTreeMap<Vec<u8>, (Entry, Option<Timestamp>)>;

#[derive(Clone, Default)]
struct Kept {
    stamp: i64,
    keys: Keys,
}

fn live(kept: &(Entry, Option<Timestamp>), now: Timestamp) -> bool {
    kept.1.is_none_or(|until| until > now)
}

fn size(keys: &Keys) -> u64 {
    keys.iter().map(|(key, (entry, _))| (key.len() + entry.value.len()) as u64).sum()
}

/// Ordered keys in memory; lost with the process. Its fence is the fleet that it was made with.
pub struct MemoryKv {
    clock: Arc<dyn Clock>,
    fleet: Arc<MemoryFleet>,
    spaces: Mutex<BTreeMap<String, Kept>>,
}

impl MemoryKv {
    /// Nothing yet.
    pub fn new(clock: Arc<dyn Clock>, fleet: Arc<MemoryFleet>) -> Self {
        Self { clock, fleet, spaces: Mutex::default() }
    }

    fn spaces(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.spaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn change(keys: &mut Keys, mutation: &Mutation, stamp: i64, now: Timestamp) {
    match mutation {
        Mutation::Set { key, value, expire_in } => {
            let entry = Entry { key: key.clone(), value: value.clone(), stamp: Versionstamp(stamp) };
            keys.insert(key.as_bytes().to_vec(), (entry, expire_in.map(|span| now.plus(span))));
        }
        Mutation::Delete(key) => {
            keys.remove(key.as_bytes());
        }
    }
}

#[async_trait]
impl KvStore for MemoryKv {
    async fn get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        let (now, spaces) = (self.clock.now(), self.spaces());
        let kept = spaces.get(space.as_str());
        let entry = |key: &Key| kept?.keys.get(key.as_bytes()).filter(|kept| live(kept, now)).map(|(e, _)| e.clone());
        Ok(keys.iter().map(entry).collect())
    }

    async fn list(&self, space: &Space, range: &Range) -> Result<Vec<Entry>, StoreError> {
        let (now, spaces) = (self.clock.now(), self.spaces());
        let all = spaces.get(space.as_str()).into_iter().flat_map(|kept| &kept.keys);
        let within = all.filter(|(key, kept)| **key >= range.start && **key < range.end && live(kept, now));
        let mut found: Vec<Entry> = within.map(|(_, (entry, _))| entry.clone()).collect();
        if range.reverse {
            found.reverse();
        }
        found.truncate(range.limit as usize);
        Ok(found)
    }

    async fn commit(&self, space: &Space, commit: &Commit) -> Result<Committed, StoreError> {
        let (now, mut spaces) = (self.clock.now(), self.spaces());
        if commit.fence.as_ref().is_some_and(|fence| !self.fleet.held(fence)) {
            return Ok(Committed::Fenced);
        }
        let kept = spaces.entry(space.as_str().to_owned()).or_default();
        for (key, stamp) in &commit.checks {
            let found = kept.keys.get(key.as_bytes()).filter(|kept| live(kept, now)).map(|(entry, _)| entry.stamp);
            if found != *stamp {
                return Ok(Committed::Conflict);
            }
        }
        let mut after = kept.keys.clone();
        let stamp = kept.stamp + 1;
        commit.mutations.iter().for_each(|mutation| change(&mut after, mutation, stamp, now));
        let over = |after: &Keys| {
            (after.len() > kept.keys.len() || size(after) > size(&kept.keys))
                && (after.len() as u64 > commit.quota.keys || size(after) > commit.quota.bytes)
        };
        if over(&after) {
            after.retain(|_, kept| live(kept, now));
        }
        if over(&after) {
            return Ok(Committed::Full);
        }
        *kept = Kept { stamp, keys: after };
        Ok(Committed::Done(Versionstamp(stamp)))
    }

    async fn prune(&self, limit: u32) -> Result<u64, StoreError> {
        let (now, mut spaces) = (self.clock.now(), self.spaces());
        let mut pruned = 0;
        for kept in spaces.values_mut() {
            kept.keys.retain(|_, kept| {
                let gone = !live(kept, now) && pruned < u64::from(limit);
                pruned += u64::from(gone);
                !gone
            });
        }
        Ok(pruned)
    }
}
