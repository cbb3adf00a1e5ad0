//! Workers on a node: the driver of what `orrery_workers::fleet` decides, and what running scripts reach.
//!
//! [`start`] begins everything that looks, runs and writes down; the [`Driver`] that it gives keeps the leases and is
//! to be run apart from it, on a thread and a connection of its own, so that nothing else delays them.

pub mod host;

mod book;
mod driver;
mod hearing;
mod logs;
mod look;
mod programs;
mod redact;
mod runner;
mod running;
mod runs;
mod telling;

use std::sync::Arc;

use orrery_kernel::{Clock, Entropy};
use orrery_storage::Bus;
use orrery_workers::Worker;
use orrery_workers::fleet::{FleetStore, RunEnd, Timing};
use orrery_workers::logs::{LogBounds, LogStore};
use orrery_workers::script::{Limits, ScriptRuntime};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

pub use driver::Driver;
pub use logs::LOGS_TOPIC;
pub use redact::Secrets;
pub use running::{Hosts, LogSink, Right, Running};
pub use telling::{TellingWorkers, WORKERS_TOPIC};

use crate::tasks::Tasks;

/// On the bus: leases were given back; by a process that hands everything over, its name.
pub const LEASES_TOPIC: &str = "worker-leases";
/// Messages to the driver that wait; who has more waits too.
const MESSAGES: usize = 4_096;

/// Everything outside that a node of the fleet reaches.
#[derive(Clone)]
pub struct FleetPorts {
    /// What nodes share, for everything but the leases: [`Driver::run`] has its own.
    pub store: Arc<dyn FleetStore>,
    /// Logs.
    pub logs: Arc<dyn LogStore>,
    /// What wakes nodes; nothing depends on it.
    pub bus: Arc<dyn Bus>,
    /// Runs scripts.
    pub runtime: Arc<dyn ScriptRuntime>,
    /// What scripts reach. Looks at rights by the same `clock`.
    pub hosts: Arc<dyn Hosts>,
    /// The node's own clock: never goes back, and goes on while the machine sleeps.
    pub clock: Arc<dyn Clock>,
    /// What the time is.
    pub wall: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// What a node of the fleet is told.
#[derive(Clone, Debug)]
pub struct FleetSettings {
    /// Its name.
    pub node: String,
    /// This process: the node's name, a slash, and what no other process ever had.
    pub holder: String,
    /// The program's version.
    pub version: String,
    /// Most workers that run here.
    pub capacity: usize,
    /// Spans of time.
    pub timing: Timing,
    /// The network's name.
    pub network: String,
    /// What a script may use up.
    pub limits: Limits,
    /// What is kept of a log.
    pub log_bounds: LogBounds,
}

/// What the driver is told by the others.
#[derive(Debug)]
enum Told {
    /// A worker is active, as this.
    Want(Box<Worker>),
    /// One is not any more, or it is settled.
    Unwant(String),
    /// Somebody gave leases back; named, if it hands everything over.
    Free(Option<String>),
    /// A run has begun.
    Began(String, u64),
    /// A run has ended.
    Ended(Over),
    /// That a version is not to run again is written down.
    Settled(String, i64),
}

/// How a run ended.
#[derive(Debug)]
struct Over {
    sid: String,
    run: u64,
    end: RunEnd,
    error: Option<String>,
}

/// Starts what looks for workers, runs scripts and writes down how that went. The driver, which the caller has to run,
/// ends it all once `tasks` stop and everything is handed over; `tasks` wait for that, but not for the driver itself.
pub fn start(ports: &FleetPorts, settings: FleetSettings, tasks: &Tasks) -> Driver {
    let over = CancellationToken::new();
    let (told, messages) = mpsc::channel(MESSAGES);
    // at most one start of each worker waits
    let (begin, begins) = mpsc::unbounded_channel();
    let runs = Arc::new(runs::Runs::default());
    let book = Arc::new(book::Book::new(ports.store.clone(), ports.wall.clone()));
    let logs = logs::Logs::new(ports.logs.clone(), ports.wall.clone(), settings.log_bounds);
    let wake = Arc::new(Notify::new());

    let look = look::Look::new(ports.store.clone(), settings.node.clone(), told.clone());
    tasks.spawn("fleet-look", look.run(wake.clone(), tasks.stopping()));
    let hearing = hearing::Hearing { bus: ports.bus.clone(), stopping: tasks.stopping() };
    let look_again = wake.clone();
    tasks.spawn("fleet-hear", hearing.clone().hear(WORKERS_TOPIC, move |_| look_again.notify_one()));
    let free = told.clone();
    // a driver that has much to do looks by itself soon
    let tell_free = move |heard| drop(free.try_send(Told::Free(hearing::leaver(&heard))));
    tasks.spawn("fleet-hear", hearing.hear(LEASES_TOPIC, tell_free));
    tasks.spawn("fleet-logs", logs.clone().keep(ports.bus.clone(), over.clone()));
    tasks.spawn("fleet-book", book.clone().keep(told.clone(), over.clone()));
    let runner = runner::Runner::new(ports, &settings, logs, book.clone(), runs.clone(), told);
    let over = over.drop_guard();
    tasks.spawn("fleet-runs", async move {
        runner.run(begins).await;
        // only now nothing comes any more that has to be written down
        drop(over);
    });
    let links = driver::Links { messages, begin, runs, book, stopping: tasks.stopping() };
    Driver::new(ports, settings, links)
}
