//! Leases in process, by its own clock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orrery_kernel::{Clock, StoreError, Timestamp};
use orrery_storage::{LIVE_MAX, Lease, LeaseStore};

/// Leases in memory. The store's clock is the one it was made with.
pub struct MemoryLeases {
    clock: Arc<dyn Clock>,
    leases: Mutex<HashMap<String, (Lease, Timestamp)>>,
}

impl MemoryLeases {
    /// No leases yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, leases: Mutex::default() }
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<String, (Lease, Timestamp)>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl LeaseStore for MemoryLeases {
    async fn acquire(&self, key: &str, holder: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let (now, mut leases) = (self.clock.now(), self.leases());
        let epoch = match leases.get(key) {
            None => 1,
            Some((lease, end)) if *end > now && lease.holder == holder => lease.epoch,
            Some((_, end)) if *end > now => return Ok(None),
            Some((lease, _)) => lease.epoch + 1,
        };
        let lease = Lease { key: key.to_owned(), holder: holder.to_owned(), epoch };
        leases.insert(key.to_owned(), (lease.clone(), now.plus(ttl)));
        Ok(Some(lease))
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool, StoreError> {
        let (now, mut leases) = (self.clock.now(), self.leases());
        match leases.get_mut(&lease.key).filter(|(held, end)| held == lease && *end > now) {
            Some((_, end)) => {
                *end = now.plus(ttl);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        if let Some((_, end)) = self.leases().get_mut(&lease.key).filter(|(held, _)| held == lease) {
            *end = Timestamp::from_micros(0);
        }
        Ok(())
    }

    async fn holder(&self, key: &str) -> Result<Option<Lease>, StoreError> {
        let now = self.clock.now();
        Ok(self.leases().get(key).filter(|(_, end)| *end > now).map(|(lease, _)| lease.clone()))
    }

    async fn live(&self, prefix: &str) -> Result<Vec<Lease>, StoreError> {
        let now = self.clock.now();
        let leases = self.leases();
        let live = leases.iter().filter(|(key, (_, end))| key.starts_with(prefix) && *end > now);
        let mut live: Vec<Lease> = live.map(|(_, (lease, _))| lease.clone()).collect();
        live.sort_by(|a, b| a.key.cmp(&b.key));
        live.truncate(LIVE_MAX);
        Ok(live)
    }
}
