//! Workers in process.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp};
use orrery_workers::{Changed, Spec, Version, Worker, WorkerStore};

/// Workers in the order they were made, each with its versions, newest last; lost with the process.
#[derive(Debug, Default)]
pub struct MemoryWorkers(Mutex<Vec<(Worker, Vec<Version>)>>);

impl MemoryWorkers {
    fn all(&self) -> std::sync::MutexGuard<'_, Vec<(Worker, Vec<Version>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Active workers with their versions, by id.
    pub(crate) fn active(&self) -> Vec<(String, i64)> {
        let all = self.all();
        let active = all.iter().filter(|(w, _)| w.spec.active);
        let mut active: Vec<_> = active.map(|(w, _)| (w.sid.clone(), w.version)).collect();
        active.sort();
        active
    }
}

#[async_trait]
impl WorkerStore for MemoryWorkers {
    async fn add_worker(&self, worker: &Worker, most: u32) -> Result<bool, StoreError> {
        let mut all = self.all();
        if all.iter().filter(|(w, _)| w.owner == worker.owner).count() >= most as usize {
            return Ok(false);
        }
        let first = Version { version: worker.version, spec: worker.spec.clone(), at: worker.updated_at };
        all.push((worker.clone(), vec![first]));
        Ok(true)
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
        let mut all = self.all();
        let Some((worker, versions)) = all.iter_mut().find(|(w, _)| w.sid == sid && w.owner == owner) else {
            return Ok(Changed::Missing);
        };
        if seen.is_some_and(|seen| seen != worker.version) {
            return Ok(Changed::Outdated);
        }
        *worker = Worker { spec: spec.clone(), version: worker.version + 1, updated_at: at, ..worker.clone() };
        versions.push(Version { version: worker.version, spec: spec.clone(), at });
        let oldest = worker.version - i64::from(keep);
        versions.retain(|v| v.version > oldest);
        Ok(Changed::Done(Box::new(worker.clone())))
    }

    async fn worker(&self, sid: &str) -> Result<Option<Worker>, StoreError> {
        Ok(self.all().iter().find(|(w, _)| w.sid == sid).map(|(w, _)| w.clone()))
    }

    async fn workers_of(&self, owner: &str, limit: u32) -> Result<Vec<Worker>, StoreError> {
        let all = self.all();
        let own = all.iter().rev().filter(|(w, _)| w.owner == owner);
        Ok(own.take(limit as usize).map(|(w, _)| w.clone()).collect())
    }

    async fn count_workers(&self) -> Result<(u64, u64), StoreError> {
        let all = self.all();
        let active = all.iter().filter(|(w, _)| w.spec.active).count();
        Ok((active as u64, (all.len() - active) as u64))
    }

    async fn versions(&self, sid: &str) -> Result<Vec<Version>, StoreError> {
        let all = self.all();
        let found =
            all.iter().find(|(w, _)| w.sid == sid).map(|(_, versions)| versions.iter().rev().cloned().collect());
        Ok(found.unwrap_or_default())
    }
}
