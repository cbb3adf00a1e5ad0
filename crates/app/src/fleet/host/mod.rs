//! What running scripts reach: their store, their clients, exchanges, and the network as far as it is allowed.
//!
//! Every call passes one gate: the run's right to have effects, then its pace. What changes anything is checked
//! against the lease once more where it happens: in the store's transaction, or before an order is sent.

mod changes;
mod kv;
mod network;
mod pace;
mod parts;
mod serve;
mod venue;
mod webfix;

use std::collections::HashSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use orrery_kernel::{Clock, Entropy, StoreError, Timestamp};
use orrery_storage::Bus;
use orrery_workers::egress::Egress;
use orrery_workers::fleet::{FleetStore, Timing};
use orrery_workers::ingress::Ingress;
use orrery_workers::kv::{KvStore, Quota};
use orrery_workers::script::{Host, HostError, Level};
use serde::Deserialize;

use super::running::{Hosts, Running};
use crate::tasks::Tasks;
use crate::venues::Venues;

pub use webfix::{NoPublisher, Publisher, Said};

/// What scripts stand on.
#[derive(Clone)]
pub struct HostPorts {
    /// Their store.
    pub kv: Arc<dyn KvStore>,
    /// Orders that were meant, and who leads.
    pub fleet: Arc<dyn FleetStore>,
    /// Wakes those who watch keys on other nodes.
    pub bus: Arc<dyn Bus>,
    /// Accounts at exchanges.
    pub venues: Arc<Venues>,
    /// The way out.
    pub egress: Arc<dyn Egress>,
    /// Where they listen.
    pub ingress: Arc<dyn Ingress>,
    /// Tells clients what scripts say.
    pub publisher: Arc<dyn Publisher>,
    /// The node's own clock, by which rights end.
    pub clock: Arc<dyn Clock>,
    /// What the time is.
    pub wall: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// How much scripts may do.
#[derive(Clone, Copy, Debug)]
pub struct HostSettings {
    /// What an owner may keep, on the network and on each node.
    pub quota: Quota,
    /// Calls of one run a second, over some time; faster ones wait.
    pub calls_per_second: u32,
    /// Between two looks at keys that are watched; what changes on this node or is heard of is seen at once.
    pub watch_period: Duration,
    /// How long after its time an exchange may take an order, where that can be said: as long as a new leader waits
    /// for what the one before it sent (`Timing::settle`), and as long as an order may be on its way.
    pub order_window: Duration,
}

impl Default for HostSettings {
    fn default() -> Self {
        Self {
            quota: Quota::default(),
            calls_per_second: 1_000,
            watch_period: Duration::from_secs(2),
            order_window: Timing::default().settle,
        }
    }
}

/// Makes the hosts of this process's runs.
pub struct WorkerHosts {
    shared: Arc<Shared>,
}

/// What all runs of the process share.
struct Shared {
    ports: HostPorts,
    settings: HostSettings,
    tasks: Tasks,
    changes: changes::Changes,
    /// Tells this process's names of orders from those of any other.
    life: [u8; 16],
    orders: AtomicU64,
    /// Orders that are on their way, by their intents.
    sending: Mutex<HashSet<String>>,
}

impl WorkerHosts {
    /// Starts to listen to what other nodes change. Orders that are on their way when `tasks` stop are waited for.
    pub fn new(ports: HostPorts, settings: HostSettings, tasks: &Tasks) -> Self {
        let mut life = [0; 16];
        ports.entropy.fill(&mut life);
        let changes = changes::Changes::new(ports.bus.clone());
        tasks.spawn("kv-changes", changes.clone().listen(tasks.stopping()));
        let shared = Shared {
            ports,
            settings,
            tasks: tasks.clone(),
            changes,
            life,
            orders: AtomicU64::new(0),
            sending: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }
}

#[async_trait]
impl Hosts for WorkerHosts {
    fn host(&self, running: Running) -> Arc<dyn Host> {
        Arc::new(WorkerHost::new(self.shared.clone(), running))
    }

    async fn protocol(&self, owner: &str, account: &str) -> Result<Option<String>> {
        let found = self.shared.ports.venues.account_of(owner, account).await;
        let found = found.map_err(|error| HostError::new(error.class().name(), error.to_string()))?;
        Ok(found.and_then(|account| account.protocol()))
    }
}

/// What one run reaches.
struct WorkerHost {
    shared: Arc<Shared>,
    running: Arc<Running>,
    /// When the run began.
    begun: Timestamp,
    pace: pace::Pace,
    trading: venue::Trading,
    network: network::Network,
    serving: serve::Serving,
}

type Result<T, E = HostError> = std::result::Result<T, E>;

/// A store's failure, as scripts see it; the cause is for the operator's log.
fn unavailable(error: &StoreError) -> HostError {
    tracing::warn!(%error, "a script's call failed in a store");
    HostError::new("Unavailable", "the store does not answer; try again")
}

fn type_error(text: impl Into<String>) -> HostError {
    HostError::new("TypeError", text)
}

/// Arguments as the script's runtime writes them.
fn read<'a, T: Deserialize<'a>>(method: &str, arguments: &'a str) -> Result<T> {
    serde_json::from_str(arguments).map_err(|error| type_error(format!("{method}: {error}")))
}

/// Kinds of calls, for counters.
fn kind_of(method: &str) -> &'static str {
    let kinds = ["net", "local", "webfix", "cex", "fetch", "socket", "serve"];
    let first = method.split('.').next().unwrap_or_default();
    kinds.into_iter().find(|kind| *kind == first).unwrap_or("other")
}

impl WorkerHost {
    fn new(shared: Arc<Shared>, running: Running) -> Self {
        let pace = pace::Pace::new(shared.settings.calls_per_second);
        let begun = shared.ports.clock.now();
        Self {
            shared,
            running: Arc::new(running),
            begun,
            pace,
            trading: venue::Trading::default(),
            network: network::Network::default(),
            serving: serve::Serving::default(),
        }
    }

    /// The run may go on; else it ends here, and the script learns nothing.
    fn gate(&self) -> Result<()> {
        if self.running.right.lives(self.shared.ports.clock.now()) { Ok(()) } else { Err(lost(&self.running)) }
    }

    async fn answer(&self, method: &str, arguments: &str) -> Result<String> {
        self.gate()?;
        self.pace.turn().await;
        self.gate()?;
        match method.split_once('.') {
            Some(("net", act)) => self.keep(true, act, arguments).await,
            Some(("local", act)) => self.keep(false, act, arguments).await,
            Some(("cex", act)) => self.trade(act, arguments).await,
            Some(("socket", act)) => self.socket(act, arguments).await,
            Some(("serve", act)) => self.serve(act, arguments).await,
            None if method == "webfix" => self.webfix(arguments).await,
            None if method == "fetch" => self.fetch(arguments).await,
            _ => Err(HostError::new("NotSupported", format!("there is no call {method:?}"))),
        }
    }
}

/// The right is gone: the run ends.
fn lost(running: &Running) -> HostError {
    running.right.end();
    running.stop.now();
    metrics::counter!("worker_refused_total").increment(1);
    HostError::new("LeaseLost", "another node runs this worker now")
}

#[async_trait]
impl Host for WorkerHost {
    async fn call(&self, method: &str, arguments: &str) -> Result<String> {
        let answer = self.answer(method, arguments).await;
        let outcome = if answer.is_ok() { "ok" } else { "failed" };
        metrics::counter!("worker_calls_total", "kind" => kind_of(method), "outcome" => outcome).increment(1);
        answer.map_err(|error| HostError::new(error.class, self.running.secrets.without_known(&error.message)))
    }

    fn log(&self, level: Level, text: &str) {
        self.running.log.line(&self.running.sid, level, text);
    }
}
