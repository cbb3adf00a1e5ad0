//! A node of the fleet in this process: the engine of scripts, what they reach, and the driver.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use orrery_app::App;
use orrery_app::fleet::host::{HostPorts, HostSettings, Publisher, WorkerHosts};
use orrery_app::fleet::{Driver, FleetPorts, FleetSettings};
use orrery_app::tasks::Tasks;
use orrery_egress::{NetEgress, NetIngress, ServeTimes, SystemResolver, Times};
use orrery_kernel::Entropy;
use orrery_script::{Engine, Folder, Launcher, NoModules};
use orrery_workers::fleet::{FleetStore, Timing};
use orrery_workers::logs::LogBounds;
use orrery_workers::script::{Limits, Modules, ScriptRuntime};
use tokio::sync::oneshot;

use crate::config::Config;
use crate::database::Database;
use crate::master_keys::node_id;
use crate::system::MonotonicClock;
use crate::wire;

/// Connections to a shared database that only the leases use.
const LEASE_CONNECTIONS: u32 = 2;
/// Before a database that could not be opened for the leases is tried again.
const OPEN_AGAIN: Duration = Duration::from_secs(2);

/// What checks scripts, and runs them where this process runs workers.
///
/// # Errors
/// When threads cannot be made, or the folder of modules cannot be read.
pub fn engine(config: &Config, entropy: &Arc<dyn Entropy>, runs: bool) -> Result<Arc<dyn ScriptRuntime>> {
    let modules: Arc<dyn Modules> = match &config.workers.modules {
        Some(folder) => Arc::new(Folder::read(folder).context("workers.modules")?),
        None => Arc::new(NoModules),
    };
    let threads = match (runs, config.workers.threads) {
        (false, _) => 1,
        (true, 0) => std::thread::available_parallelism().map_or(1, NonZero::get),
        (true, threads) => threads,
    };
    let handle = tokio::runtime::Handle::current();
    let engine = Engine::new(threads, handle, entropy.clone(), modules).context("no threads for scripts")?;
    let program = std::env::current_exe().context("this program cannot be found")?;
    Ok(Arc::new(engine.with_processes(Launcher::new(program))))
}

/// Runs workers here until `tasks` stop and everything is handed over.
///
/// # Errors
/// When the way out for scripts or the driver's thread cannot be made.
pub fn start(
    config: &Config,
    parts: &wire::Parts,
    app: &App,
    publisher: Arc<dyn Publisher>,
    tasks: &Tasks,
) -> Result<()> {
    let node = node_id(&config.node.id, &config.server.data_dir, &*parts.entropy)?;
    let (database, clock) = (&parts.database, Arc::new(MonotonicClock::new()));
    let egress = NetEgress::new(config.workers.egress.clone(), Arc::new(SystemResolver), Times::default())?;
    let host_ports = HostPorts {
        kv: database.kv(),
        fleet: database.fleet(),
        bus: parts.bus.clone(),
        venues: app.venues.clone(),
        egress: Arc::new(egress),
        ingress: Arc::new(ingress(config)),
        publisher,
        clock: clock.clone(),
        wall: parts.clock.clone(),
        entropy: parts.entropy.clone(),
    };
    let timing = Timing::new(config.workers.lease, config.workers.renew);
    let host_settings = HostSettings { order_window: timing.settle, ..HostSettings::default() };
    let hosts = WorkerHosts::new(host_ports, host_settings, tasks);
    let ports = FleetPorts {
        store: database.fleet(),
        logs: database.worker_logs(),
        bus: parts.bus.clone(),
        runtime: parts.scripts.clone(),
        hosts: Arc::new(hosts),
        clock,
        wall: parts.clock.clone(),
        entropy: parts.entropy.clone(),
    };
    let settings = FleetSettings {
        holder: format!("{node}/{}", wire::holder(&*parts.entropy)),
        node,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        capacity: config.workers.capacity,
        timing,
        network: config.stels.network.clone(),
        limits: Limits::default(),
        log_bounds: LogBounds::default(),
    };
    let driver = orrery_app::fleet::start(&ports, settings, tasks);
    drive(config.clone(), database.clone(), driver, tasks)
}

/// Where scripts listen: nowhere that this server or what it stands on needs, now or after a restart.
pub fn ingress(config: &Config) -> NetIngress {
    let ports = config.workers.serve_ports.clone().without(config.own_ports());
    NetIngress::new(config.workers.serve_host, ports, ServeTimes::default())
}

/// Runs the driver on a thread of its own: neither requests nor scripts nor a pool without a free connection delay
/// what keeps a lease.
fn drive(config: Config, database: Database, driver: Driver, tasks: &Tasks) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("the fleet's thread")?;
    let (over, ended) = oneshot::channel();
    let stopping = tasks.stopping();
    let work = async move {
        let open = store(&config, &database);
        let store = tokio::select! {
            store = open => store,
            () = stopping.cancelled() => database.fleet(),
        };
        driver.run(store).await;
    };
    let thread = std::thread::Builder::new().name("fleet".into());
    let body = move || {
        runtime.block_on(work);
        // nobody may wait any more
        let _ = over.send(());
    };
    thread.spawn(body).context("the fleet's thread")?;
    let failing = tasks.clone();
    tasks.spawn("fleet-driver", async move {
        if ended.await.is_err() {
            tracing::error!("the driver of workers failed; stopping");
            failing.fail();
        }
    });
    Ok(())
}

/// A way to the leases that nothing else uses, where there can be one.
async fn store(config: &Config, database: &Database) -> Arc<dyn FleetStore> {
    loop {
        match database.apart(config, LEASE_CONNECTIONS).await {
            Ok(apart) => return apart.fleet(),
            Err(error) => tracing::warn!(%error, "the leases' own connection cannot be opened; trying again"),
        }
        tokio::time::sleep(OPEN_AGAIN).await;
    }
}
