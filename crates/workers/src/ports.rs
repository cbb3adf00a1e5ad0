//! The port that keeps workers.

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp};

use crate::Spec;

/// A worker as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Its id, a UUID.
    pub sid: String,
    /// The node that made it.
    pub nid: String,
    /// The wallet whose it is.
    pub owner: String,
    /// What it is told to be.
    pub spec: Spec,
    /// 1, 2, 3 …: rises with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What a worker was told to be at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number.
    pub version: i64,
    /// What it was.
    pub spec: Spec,
    /// Since when.
    pub at: Timestamp,
}

/// How a change went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is so now.
    Done(Box<Worker>),
    /// It has another version by now; nothing changed.
    Outdated,
    /// There is no such worker of that owner.
    Missing,
}

/// Keeps workers and every version of them. Passes the contract suite in `orrery-testkit`.
#[async_trait]
pub trait WorkerStore: Send + Sync {
    /// Stores a new worker at its version; at most `most` an owner. `false`: there is no room.
    async fn add_worker(&self, worker: &Worker, most: u32) -> Result<bool, StoreError>;
    /// Tells the owner's worker to be `spec`, under the next version. With `seen`, only if that is still its
    /// version. The last `keep` versions are kept.
    async fn change_worker(
        &self,
        owner: &str,
        sid: &str,
        spec: &Spec,
        seen: Option<i64>,
        keep: u32,
        at: Timestamp,
    ) -> Result<Changed, StoreError>;
    /// A worker by its id.
    async fn worker(&self, sid: &str) -> Result<Option<Worker>, StoreError>;
    /// An owner's workers, newest first, at most `limit`.
    async fn workers_of(&self, owner: &str, limit: u32) -> Result<Vec<Worker>, StoreError>;
    /// How many workers there are in all, active and not.
    async fn count_workers(&self) -> Result<(u64, u64), StoreError>;
    /// A worker's versions, newest first.
    async fn versions(&self, sid: &str) -> Result<Vec<Version>, StoreError>;
}
