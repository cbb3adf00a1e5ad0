//! Workers of wallets: kept, changed under their version, stopped together.

use std::sync::Arc;

use orrery_kernel::{Clock, Entropy, Error, ErrorCode, Result};
use orrery_wallets::Session;
use orrery_workers::{Changed, Draft, Spec, SpecError, Version, Worker, WorkerStore};

use crate::Ctx;

/// Workers of one wallet.
pub const WORKERS_MAX: u32 = 10_000;
/// Workers in one answer.
const LISTED_MAX: u32 = 10_000;
/// Versions kept of each.
const VERSIONS_KEPT: u32 = 100;

/// How stopping one of many went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It was active.
    Now,
    /// It was not.
    Already,
    /// It could not be told.
    Failed,
}

/// The use cases of workers.
pub struct Workers {
    store: Arc<dyn WorkerStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    node: String,
}

fn invalid(error: &SpecError) -> Error {
    Error::invalid(error.field, format!("{} {}", error.field, error.problem))
}

fn missing() -> Error {
    Error::new(ErrorCode::NotFound, "Worker not found")
}

impl Workers {
    pub(crate) fn new(
        store: Arc<dyn WorkerStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        node: String,
    ) -> Self {
        Self { store, clock, entropy, node }
    }

    /// Makes a worker.
    ///
    /// # Errors
    /// `Invalid` names the field; `Conflict` when there are too many.
    pub async fn create(&self, ctx: &Ctx, session: &Session, draft: Draft) -> Result<Worker> {
        let spec = Spec::new(draft).map_err(|e| invalid(&e))?;
        let worker = Worker {
            sid: self.uuid(),
            nid: self.node.clone(),
            owner: session.address.clone(),
            spec,
            version: 1,
            created_at: ctx.now,
            updated_at: ctx.now,
        };
        if !self.store.add_worker(&worker, WORKERS_MAX).await? {
            return Err(Error::new(ErrorCode::Conflict, format!("A wallet may have {WORKERS_MAX} workers")));
        }
        Ok(worker)
    }

    /// Tells a worker to be something else; with `seen`, only if that is still its version.
    ///
    /// # Errors
    /// `Invalid` names the field; `NotFound`; `Forbidden` for another wallet's; `Conflict` when it is outdated.
    pub async fn update(
        &self,
        ctx: &Ctx,
        session: &Session,
        sid: &str,
        draft: Draft,
        seen: Option<i64>,
    ) -> Result<Worker> {
        let spec = Spec::complete(draft).map_err(|e| invalid(&e))?;
        let owner = &session.address;
        match self.store.change_worker(owner, sid, &spec, seen, VERSIONS_KEPT, ctx.now).await? {
            Changed::Done(worker) => Ok(*worker),
            Changed::Outdated => Err(Error::new(ErrorCode::Conflict, "The worker has changed since it was read")),
            Changed::Missing if self.store.worker(sid).await?.is_some() => {
                Err(Error::new(ErrorCode::Forbidden, "The worker is another wallet's"))
            }
            Changed::Missing => Err(missing()),
        }
    }

    /// The wallet's workers, newest first.
    pub async fn list(&self, session: &Session) -> Result<Vec<Worker>> {
        Ok(self.store.workers_of(&session.address, LISTED_MAX).await?)
    }

    /// One of the wallet's workers.
    ///
    /// # Errors
    /// `NotFound`, also for another wallet's.
    pub async fn get(&self, session: &Session, sid: &str) -> Result<Worker> {
        let found = self.store.worker(sid).await?;
        found.filter(|worker| worker.owner == session.address).ok_or_else(missing)
    }

    /// A worker's versions, newest first.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn versions(&self, session: &Session, sid: &str) -> Result<Vec<Version>> {
        self.get(session, sid).await?;
        Ok(self.store.versions(sid).await?)
    }

    /// Tells all of the wallet's workers to stop.
    pub async fn stop_all(&self, ctx: &Ctx, session: &Session) -> Result<Vec<(Worker, Stopped)>> {
        let mut done = Vec::new();
        for worker in self.list(session).await? {
            if !worker.spec.active {
                done.push((worker, Stopped::Already));
                continue;
            }
            let stopped = self.stop(ctx, &worker).await;
            done.push((worker, stopped));
        }
        Ok(done)
    }

    async fn stop(&self, ctx: &Ctx, worker: &Worker) -> Stopped {
        let spec = Spec { active: false, ..worker.spec.clone() };
        let (owner, sid, seen) = (&worker.owner, &worker.sid, Some(worker.version));
        match self.store.change_worker(owner, sid, &spec, seen, VERSIONS_KEPT, ctx.now).await {
            Ok(Changed::Done(_)) => Stopped::Now,
            Ok(Changed::Outdated | Changed::Missing) => Stopped::Failed,
            Err(error) => {
                tracing::warn!(%error, sid, "a worker was not stopped");
                Stopped::Failed
            }
        }
    }

    /// How many workers there are, active and not.
    pub async fn count(&self) -> Result<(u64, u64)> {
        Ok(self.store.count_workers().await?)
    }

    /// Time of this process.
    pub fn now(&self) -> orrery_kernel::Timestamp {
        self.clock.now()
    }

    /// A random UUID (RFC 9562, version 4).
    fn uuid(&self) -> String {
        crate::uuid::uuid(&*self.entropy)
    }
}
