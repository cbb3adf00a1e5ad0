//! The cache in process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use orrery_kernel::{StoreError, Timestamp};
use orrery_storage::{Cache, CacheKey};

/// Most entries; beyond that the one that expires first goes.
const ENTRIES_MAX: usize = 10_000;
/// Most bytes of all values together; beyond that those that expire first go.
const BYTES_MAX: usize = 64 << 20;

/// A cache of up to 10,000 entries and 64 MiB.
#[derive(Debug, Default)]
pub struct MemoryCache {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<String, (Bytes, Timestamp)>,
    bytes: usize,
}

impl State {
    fn drop_entry(&mut self, name: &str) {
        if let Some((value, _)) = self.entries.remove(name) {
            self.bytes -= value.len();
        }
    }
}

impl MemoryCache {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &CacheKey, now: Timestamp) -> Result<Option<Bytes>, StoreError> {
        let mut state = self.state();
        match state.entries.get(key.name()) {
            Some((value, expires)) if now < *expires => Ok(Some(value.clone())),
            Some(_) => {
                state.drop_entry(key.name());
                Ok(None)
            }
            None => Ok(None),
        }
    }

    async fn put(&self, key: &CacheKey, value: Bytes, now: Timestamp) -> Result<(), StoreError> {
        let mut state = self.state();
        state.drop_entry(key.name());
        if value.len() > BYTES_MAX {
            return Ok(());
        }
        while state.entries.len() >= ENTRIES_MAX || state.bytes + value.len() > BYTES_MAX {
            let first = state.entries.iter().min_by_key(|(_, (_, expires))| *expires).map(|(name, _)| name.clone());
            let Some(first) = first else { break };
            state.drop_entry(&first);
        }
        state.bytes += value.len();
        state.entries.insert(key.name().to_owned(), (value, now.plus(key.ttl())));
        Ok(())
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.state().drop_entry(key.name());
        Ok(())
    }
}
