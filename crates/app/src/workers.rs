//! Workers of wallets: kept, changed under their version, stopped together; what their nodes tell of them.

mod check;
mod figures;
mod history;
mod logs;
mod moving;

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use orrery_kernel::{Clock, Entropy, Error, ErrorCode, Result};
use orrery_storage::Bus;
use orrery_wallets::{Session, WalletStore};
use orrery_workers::fleet::FleetStore;
use orrery_workers::logs::LogStore;
use orrery_workers::script::ScriptRuntime;
use orrery_workers::{Changed, Draft, Spec, SpecError, Worker, WorkerStore};

pub use figures::{GivenUp, Network, Stats};
pub use logs::Follower;
pub use moving::{Exported, IMPORTED_MAX};

use crate::Ctx;
use crate::tasks::Tasks;

/// Workers of one wallet.
pub const WORKERS_MAX: u32 = 10_000;
/// Workers in one answer.
const LISTED_MAX: u32 = 10_000;
/// Versions kept of each.
const VERSIONS_KEPT: u32 = 100;
/// Workers that are told to stop at once.
const STOPPED_AT_ONCE: usize = 8;
/// How often one is told to stop that somebody changes at the same time.
const STOP_TRIES: usize = 4;

/// How stopping one of many went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It was active.
    Now,
    /// It was not.
    Already,
    /// It could not be told, for this reason.
    Failed(&'static str),
}

/// Everything outside that the use cases of workers reach.
pub(crate) struct WorkerPorts {
    pub store: Arc<dyn WorkerStore>,
    pub wallets: Arc<dyn WalletStore>,
    pub fleet: Arc<dyn FleetStore>,
    pub logs: Arc<dyn LogStore>,
    pub scripts: Arc<dyn ScriptRuntime>,
    pub bus: Arc<dyn Bus>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// The use cases of workers.
pub struct Workers {
    store: Arc<dyn WorkerStore>,
    wallets: Arc<dyn WalletStore>,
    fleet: Arc<dyn FleetStore>,
    logs: Arc<dyn LogStore>,
    checking: check::Checking,
    written: logs::Written,
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
    pub(crate) fn new(ports: WorkerPorts, node: String, tasks: &Tasks) -> Self {
        let WorkerPorts { store, wallets, fleet, logs, scripts, bus, clock, entropy } = ports;
        let written = logs::Written::default();
        tasks.spawn("workers-logs", written.clone().hear(bus, tasks.stopping()));
        Self { store, wallets, fleet, logs, checking: check::Checking::new(scripts), written, clock, entropy, node }
    }

    /// Makes a worker.
    ///
    /// # Errors
    /// `Invalid` names the field, and the place in the script; `Conflict` when there are too many.
    pub async fn create(&self, ctx: &Ctx, session: &Session, draft: Draft) -> Result<Worker> {
        let spec = Spec::new(draft).map_err(|e| invalid(&e))?;
        self.has_account(session, None, &spec).await?;
        self.checking.check(&spec, "scriptContent").await?;
        self.add(ctx, session, spec).await
    }

    async fn add(&self, ctx: &Ctx, session: &Session, spec: Spec) -> Result<Worker> {
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
    /// `Invalid` names the field, and the place in the script; `NotFound`; `Forbidden` for another wallet's;
    /// `Conflict` when it is outdated.
    pub async fn update(
        &self,
        ctx: &Ctx,
        session: &Session,
        sid: &str,
        draft: Draft,
        seen: Option<i64>,
    ) -> Result<Worker> {
        let spec = Spec::complete(draft).map_err(|e| invalid(&e))?;
        let there = self.own(session, sid).await?;
        self.has_account(session, Some(&there.spec), &spec).await?;
        // one that is as it was has to be stoppable whatever the nodes know by now
        if !check::same_program(&there.spec, &spec) {
            self.checking.check(&spec, "raw.script").await?;
        }
        self.change(ctx, session, sid, &spec, seen).await
    }

    /// A worker that is to run has its account; one that does not run yet may name one that is still to come.
    async fn has_account(&self, session: &Session, before: Option<&Spec>, spec: &Spec) -> Result<()> {
        let Some(nid) = spec.account_id.as_deref().filter(|_| spec.active && !spec.dry_run) else { return Ok(()) };
        // whatever became of its account, what runs already can be changed
        if before.is_some_and(|before| before.active && before.account_id == spec.account_id) {
            return Ok(());
        }
        match self.wallets.account(&session.address, nid).await? {
            Some(_) => Ok(()),
            None => Err(Error::invalid("accountId", format!("accountId {nid:?} is no account of this wallet"))),
        }
    }

    async fn change(&self, ctx: &Ctx, session: &Session, sid: &str, spec: &Spec, seen: Option<i64>) -> Result<Worker> {
        match self.store.change_worker(&session.address, sid, spec, seen, VERSIONS_KEPT, ctx.now).await? {
            Changed::Done(worker) => Ok(*worker),
            Changed::Outdated => Err(Error::new(ErrorCode::Conflict, "The worker has changed since it was read")),
            Changed::Missing => Err(missing()),
        }
    }

    /// One of the wallet's workers, to change it: another wallet's is known by its refusal.
    async fn own(&self, session: &Session, sid: &str) -> Result<Worker> {
        let there = self.store.worker(sid).await?.ok_or_else(missing)?;
        if there.owner != session.address {
            return Err(Error::new(ErrorCode::Forbidden, "The worker is another wallet's"));
        }
        Ok(there)
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

    /// Tells all of the wallet's workers to stop. What fails keeps the others from nothing.
    pub async fn stop_all(&self, ctx: &Ctx, session: &Session) -> Result<Vec<(Worker, Stopped)>> {
        let all = stream::iter(self.list(session).await?);
        let told = all.map(async |worker| {
            let stopped = self.stop(ctx, &worker).await;
            (worker, stopped)
        });
        Ok(told.buffered(STOPPED_AT_ONCE).collect().await)
    }

    async fn stop(&self, ctx: &Ctx, worker: &Worker) -> Stopped {
        let mut worker = worker.clone();
        for _ in 0..STOP_TRIES {
            if !worker.spec.active {
                return Stopped::Already;
            }
            let spec = Spec { active: false, ..worker.spec.clone() };
            let (owner, sid, seen) = (&worker.owner, &worker.sid, Some(worker.version));
            let changed = self.store.change_worker(owner, sid, &spec, seen, VERSIONS_KEPT, ctx.now).await;
            let again = match changed {
                Ok(Changed::Done(_)) => return Stopped::Now,
                Ok(Changed::Outdated) => self.store.worker(sid).await,
                Ok(Changed::Missing) => Ok(None),
                Err(error) => Err(error),
            };
            worker = match again {
                Ok(Some(worker)) => worker,
                Ok(None) => return Stopped::Failed("there is no such worker any more"),
                Err(error) => {
                    tracing::warn!(%error, sid, "a worker was not stopped");
                    return Stopped::Failed("the database is not available");
                }
            };
        }
        Stopped::Failed("it is changed again and again")
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
