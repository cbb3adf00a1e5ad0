//! The port that the nodes of a fleet share: who is there, who leads, what ran, which orders were meant.

use std::time::Duration;

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp};
use orrery_storage::Lease;

use super::supervisor::Reason;
use crate::Worker;

/// What a node says of itself each second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The process: the node's name, a slash, and what tells it from the node's other lives.
    pub holder: String,
    /// The node's name.
    pub node: String,
    /// The program's version.
    pub version: String,
    /// Most workers it takes.
    pub capacity: u32,
    /// Workers it has now.
    pub running: u32,
    /// It takes no more and hands over what it has.
    pub draining: bool,
}

/// A node as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSeen {
    /// What it said last.
    pub beat: Beat,
    /// How long ago, by the store's clock.
    pub ago: Duration,
}

/// A worker's lease that was had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The worker.
    pub sid: String,
    /// Of two holders, the one with the higher is the later.
    pub epoch: i64,
    /// Nobody had it before, or they gave it back: their run is over, and what it sent and has no answer to is written
    /// down.
    pub clean: bool,
}

/// A lease as others see it; times by the store's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSeen {
    /// Who has it, or had it last.
    pub lease: Lease,
    /// Since when.
    pub acquired_at: Timestamp,
    /// When it was last prolonged.
    pub renewed_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// What the store's clock shows.
    pub now: Timestamp,
}

impl LeaseSeen {
    /// Does anybody have it?
    pub fn held(&self) -> bool {
        self.expires_at > self.now
    }

    /// The name of the holder's node.
    pub fn node(&self) -> &str {
        self.lease.holder.rsplit_once('/').map_or(&self.lease.holder, |(node, _)| node)
    }
}

/// A run, under way or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// Its id, a UUID.
    pub id: String,
    /// The worker.
    pub sid: String,
    /// The worker's version.
    pub version: i64,
    /// The node.
    pub node: String,
    /// The lease's epoch; 0 without one.
    pub epoch: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; none while it is under way, or when its node died with it.
    pub ended_at: Option<Timestamp>,
    /// How it ended: `good`, `failed`, `network`, `stopped`.
    pub outcome: Option<String>,
    /// The error, cut at 2 kB.
    pub error: Option<String>,
    /// Calls of the host.
    pub calls: i64,
    /// Computing time in milliseconds.
    pub cpu_ms: i64,
}

/// What a node counted of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    /// The worker.
    pub sid: String,
    /// The node.
    pub node: String,
    /// Runs that ended by themselves.
    pub executions: i64,
    /// Of these, failed.
    pub errors: i64,
    /// Of these, by the network.
    pub network_errors: i64,
    /// Since the last good one.
    pub consecutive: i64,
    /// It runs, or waits to run again.
    pub running: bool,
    /// Since when the node has it.
    pub started_at: Timestamp,
    /// When the last run began.
    pub last_run: Option<Timestamp>,
    /// The last error.
    pub last_error: Option<String>,
    /// The last error was the network's.
    pub last_network: bool,
}

/// A version that is not to run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The worker.
    pub sid: String,
    /// The node; none: on all.
    pub node: Option<String>,
    /// The version.
    pub version: i64,
    /// Why.
    pub reason: Reason,
}

/// A version that was settled, as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledSeen {
    /// What was written down.
    pub settled: Settled,
    /// Whose the worker is.
    pub owner: String,
    /// When, by the clock of the node that settled it.
    pub at: Timestamp,
}

/// What a node counted of all workers together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeTotals {
    /// The node.
    pub node: String,
    /// Runs that ended by themselves.
    pub executions: i64,
    /// Of these, failed.
    pub errors: i64,
    /// Of these, by the network.
    pub network_errors: i64,
    /// Workers that run, or wait to run again.
    pub running: i64,
}

/// How far an order came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntentState {
    /// It was meant; whether the venue has it is not known.
    Open,
    /// The venue has it.
    Placed,
    /// The venue refused it, or does not have it.
    Refused,
}

impl IntentState {
    /// As stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Placed => "placed",
            Self::Refused => "refused",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Open, Self::Placed, Self::Refused].into_iter().find(|state| state.name() == name)
    }
}

/// An order that a script is about to place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The order's id at the client; once in the fleet.
    pub client_order_id: String,
    /// The worker.
    pub sid: String,
    /// The lease's epoch; 0 without one.
    pub epoch: i64,
    /// The venue.
    pub venue: String,
    /// The account, where the worker has one.
    pub account: Option<String>,
    /// What was asked for, as JSON without secrets.
    pub body: String,
    /// How far it came.
    pub state: IntentState,
    /// The order's id at the venue.
    pub order_id: Option<String>,
    /// When it was meant.
    pub at: Timestamp,
}

/// How writing down an intent went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intended {
    /// It is written down: the order may be placed.
    Done,
    /// The lease is over or somebody else's: nothing may be placed.
    Fenced,
    /// There is one of that id already, in this state; nothing changed.
    Known(IntentState),
}

/// What the nodes of a fleet share. Leases and heartbeats go by the store's clock, never by a node's. Passes the
/// contract suite in `orrery-testkit`.
#[async_trait]
pub trait FleetStore: Send + Sync {
    /// Takes note that a process lives.
    async fn beat(&self, beat: &Beat) -> Result<(), StoreError>;
    /// Forgets processes that have been silent for a day, and orders that came to their end 30 days ago.
    async fn forget(&self) -> Result<(), StoreError>;
    /// Everybody who was heard within `within`, at most `limit`, by name.
    async fn nodes(&self, within: Duration, limit: u32) -> Result<Vec<NodeSeen>, StoreError>;

    /// Takes, in one statement, those of the workers' leases for `ttl` that are free, over, already `holder`'s, or a
    /// process's whose last heartbeat is older than `late`. A new holder's epoch is higher than any before.
    async fn take_leases(
        &self,
        holder: &str,
        sids: &[String],
        ttl: Duration,
        late: Duration,
    ) -> Result<Vec<Grant>, StoreError>;
    /// Prolongs, in one statement, all that `holder` has to `ttl` from now; says which these are, with their epochs.
    /// What is over stays over.
    async fn renew_leases(&self, holder: &str, ttl: Duration) -> Result<Vec<(String, i64)>, StoreError>;
    /// Gives back those that are still `holder`'s under these epochs. No lease is ever deleted, so that no epoch
    /// comes twice.
    async fn give_leases(&self, holder: &str, leases: &[(String, i64)]) -> Result<(), StoreError>;
    /// A worker's lease, if it ever had one.
    async fn lease(&self, sid: &str) -> Result<Option<LeaseSeen>, StoreError>;

    /// Writes runs down, new or again; the newest `keep` of each worker stay.
    async fn save_runs(&self, runs: &[RunRecord], keep: u32) -> Result<(), StoreError>;
    /// A worker's runs, newest first.
    async fn runs(&self, sid: &str, limit: u32) -> Result<Vec<RunRecord>, StoreError>;
    /// Writes down what a node counted, over what it said before.
    async fn save_totals(&self, totals: &[Totals]) -> Result<(), StoreError>;
    /// What every node counted of an owner's workers.
    async fn totals_of(&self, owner: &str) -> Result<Vec<Totals>, StoreError>;

    /// What every node counted of everybody's workers together, by name.
    async fn totals_by_node(&self) -> Result<Vec<NodeTotals>, StoreError>;

    /// Writes down that a version is not to run again; with a fence, only while that is held. `false`: it is not.
    async fn settle(&self, settled: &Settled, fence: Option<&Lease>, at: Timestamp) -> Result<bool, StoreError>;
    /// An owner's workers whose newest version is settled, at most 100,000.
    async fn settled_of(&self, owner: &str) -> Result<Vec<SettledSeen>, StoreError>;
    /// Versions that were settled for their errors after `at`, oldest first.
    async fn given_up_after(&self, at: Timestamp, limit: u32) -> Result<Vec<SettledSeen>, StoreError>;
    /// Workers that are active, with their versions; without those whose version is settled on all nodes or on
    /// `node`. At most `limit`, by id.
    async fn due_workers(&self, node: &str, limit: u32) -> Result<Vec<(String, i64)>, StoreError>;
    /// These workers as they are now, by id; without those that there are not.
    async fn load_workers(&self, sids: &[String]) -> Result<Vec<Worker>, StoreError>;

    /// Writes down an order before it is placed; with a fence, only while that is held, checked in the same
    /// transaction.
    async fn intend(&self, intent: &Intent, fence: Option<&Lease>) -> Result<Intended, StoreError>;
    /// Takes note of how far an order came; with a fence, only while that is held, checked in the same transaction: who
    /// was paused does not say of an order that it was refused after the next leader placed it. `false`: there is no
    /// such intent, or the fence is not held.
    async fn resolve(
        &self,
        client_order_id: &str,
        state: IntentState,
        order_id: Option<&str>,
        fence: Option<&Lease>,
    ) -> Result<bool, StoreError>;
    /// A worker's intents that are open, oldest first: what the next leader has to ask the venue about.
    async fn open_intents(&self, sid: &str, limit: u32) -> Result<Vec<Intent>, StoreError>;
}
