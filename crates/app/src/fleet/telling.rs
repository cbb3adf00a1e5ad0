//! Workers that tell the bus when one was saved.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use orrery_kernel::{StoreError, Timestamp};
use orrery_storage::Bus;
use orrery_workers::{Changed, Spec, Version, Worker, WorkerStore};

/// On the bus: a worker was saved.
pub const WORKERS_TOPIC: &str = "workers";

/// A store that says on the bus that something was saved, so that nodes look at once.
pub struct TellingWorkers {
    store: Arc<dyn WorkerStore>,
    bus: Arc<dyn Bus>,
}

impl TellingWorkers {
    /// The store, and who is told.
    pub fn new(store: Arc<dyn WorkerStore>, bus: Arc<dyn Bus>) -> Self {
        Self { store, bus }
    }

    async fn tell(&self) {
        if let Err(error) = self.bus.publish(WORKERS_TOPIC, Bytes::new()).await {
            tracing::debug!(%error, "nodes learn of the worker by looking");
        }
    }
}

#[async_trait]
impl WorkerStore for TellingWorkers {
    async fn add_worker(&self, worker: &Worker, most: u32) -> Result<bool, StoreError> {
        let added = self.store.add_worker(worker, most).await?;
        if added && worker.spec.active {
            self.tell().await;
        }
        Ok(added)
    }

    async fn change_worker(
        &self,
        owner: &str,
        sid: &str,
        spec: &Spec,
        seen: Option<i64>,
        keep: u32,
        at: Timestamp,
    ) -> Result<Changed, StoreError> {
        let changed = self.store.change_worker(owner, sid, spec, seen, keep, at).await?;
        if matches!(changed, Changed::Done(_)) {
            self.tell().await;
        }
        Ok(changed)
    }

    async fn worker(&self, sid: &str) -> Result<Option<Worker>, StoreError> {
        self.store.worker(sid).await
    }

    async fn workers_of(&self, owner: &str, limit: u32) -> Result<Vec<Worker>, StoreError> {
        self.store.workers_of(owner, limit).await
    }

    async fn count_workers(&self) -> Result<(u64, u64), StoreError> {
        self.store.count_workers().await
    }

    async fn versions(&self, sid: &str) -> Result<Vec<Version>, StoreError> {
        self.store.versions(sid).await
    }
}
