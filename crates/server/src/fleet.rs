//! Running workers: within a gateway, and `orrery-node`, which does nothing else.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use orrery_api_webfix::ScriptNews;
use orrery_app::App;
use orrery_app::fleet::host::{HostPorts, HostSettings, WorkerHosts};
use orrery_app::fleet::{Driver, FleetPorts, FleetSettings};
use orrery_app::tasks::Tasks;
use orrery_egress::{NetEgress, SystemResolver, Times};
use orrery_kernel::Clock;
use orrery_script::{Engine, Folder, Launcher, NoModules};
use orrery_workers::logs::LogBounds;
use orrery_workers::script::{Limits, Modules, ScriptRuntime};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use crate::cli::output::say;
use crate::config::{Config, Loaded};
use crate::database::Database;
use crate::lifecycle::{self, Ended, Signals};
use crate::master_keys::node_id;
use crate::system::{NodeClock, SystemEntropy};
use crate::{poller, secret, telemetry, wire};

/// Connections for leases alone.
const CONNECTIONS: u32 = 2;
/// How long it may take to close them.
const CLOSE_MAX: Duration = Duration::from_millis(300);
/// This very program, also after another took its place on the disk.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// What runs scripts, with the modules that the operator put there.
///
/// # Errors
/// When the modules cannot be read or threads cannot be made.
pub fn runtime(config: &Config) -> Result<Arc<dyn ScriptRuntime>> {
    let modules: Arc<dyn Modules> = match &config.workers.modules {
        Some(folder) => Arc::new(Folder::read(folder).context("workers.modules")?),
        None => Arc::new(NoModules),
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let engine = Engine::new(threads, Handle::current(), Arc::new(SystemEntropy), modules)?;
    Ok(Arc::new(engine.with_processes(Launcher::new(THIS_PROGRAM))))
}

/// Runs workers here until `tasks` stop, and then hands them over.
///
/// # Errors
/// When what scripts need cannot be made.
pub async fn start(config: &Config, parts: &wire::Parts, app: &Arc<App>, tasks: &Tasks) -> Result<()> {
    let node = node_id(&config.node.id, &config.server.data_dir, &*parts.entropy)?;
    let clock: Arc<dyn Clock> = Arc::new(NodeClock::new());
    let egress = NetEgress::new(config.workers.egress.clone(), Arc::new(SystemResolver), Times::default())?;
    let host = HostPorts {
        kv: parts.database.kv(),
        fleet: parts.database.fleet(),
        bus: parts.bus.clone(),
        venues: app.venues.clone(),
        egress: Arc::new(egress),
        publisher: Arc::new(ScriptNews::new(app.hub.clone(), &config.stels.network)),
        clock: clock.clone(),
        entropy: parts.entropy.clone(),
    };
    let ports = FleetPorts {
        store: parts.database.fleet(),
        logs: parts.database.worker_logs(),
        bus: parts.bus.clone(),
        runtime: runtime(config)?,
        hosts: Arc::new(WorkerHosts::new(host, HostSettings::default(), tasks)),
        clock,
        wall: parts.clock.clone(),
        entropy: parts.entropy.clone(),
    };
    let settings = FleetSettings {
        holder: format!("{node}/{}", wire::holder(&*parts.entropy)),
        node,
        version: env!("CARGO_PKG_VERSION").into(),
        capacity: config.workers.capacity,
        timing: config.workers.timing,
        network: config.stels.network.clone(),
        limits: Limits::default(),
        log_bounds: LogBounds::default(),
    };
    tracing::info!(node = settings.node, capacity = settings.capacity, "workers run here");
    let driver = orrery_app::fleet::start(ports, settings, tasks);
    apart(config.clone(), driver, tasks).await
}

/// Drives on a thread of its own, with a runtime and connections that serve nothing else, so that leases are
/// prolonged however busy the rest is.
async fn apart(config: Config, driver: Driver, tasks: &Tasks) -> Result<()> {
    let (ready, is_ready) = oneshot::channel();
    let (over, is_over) = oneshot::channel();
    let drive = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(error.into()))),
        };
        runtime.block_on(async move {
            let database = match Database::open_beside(&config, CONNECTIONS).await {
                Ok(database) => database,
                Err(error) => return drop(ready.send(Err(error))),
            };
            // who does not wait for it does not get it either
            let _ = ready.send(Ok(()));
            driver.run(database.fleet()).await;
            // a database that is away must not keep the process
            let _ = tokio::time::timeout(CLOSE_MAX, database.close()).await;
        });
        let _ = over.send(());
    };
    std::thread::Builder::new().name("fleet".into()).spawn(drive).context("no thread for the fleet")?;
    is_ready.await.context("the fleet's thread ended")??;
    let stopping = tasks.stopping();
    tasks.spawn("fleet-driver", async move {
        if is_over.await.is_err() {
            tracing::error!("the fleet's thread broke off; stopping");
            stopping.cancel();
        }
    });
    Ok(())
}

/// Runs `orrery-node`: nothing but this, until it is told to end.
///
/// # Errors
/// Whatever keeps it from starting.
pub async fn run(loaded: Loaded) -> Result<Ended> {
    let Loaded { config, notes, .. } = loaded;
    secret::prepare_data_dir(&config.server.data_dir)?;
    let parts = wire::open(&config, config.database.file().is_some()).await?;
    let _log = telemetry::start_log(&config.log, &config.server.data_dir.join("logs"), &parts.clock)?;
    telemetry::figures();
    for note in &notes {
        tracing::warn!("{note}");
    }
    let signals = Signals::new().context("signals cannot be handled")?;
    let tasks = Tasks::new();
    let settings = wire::settings(&config, &SystemEntropy)?;
    let node = settings.wallets.node.clone();
    let app = App::start(wire::ports(&config, &parts, &tasks)?, settings, &tasks).await?;
    poller::bridge(&app, &parts, &tasks);
    poller::follow(&app, &tasks);
    start(&config, &parts, &app, &tasks).await?;
    say(&format!("orrery-node {} is running as {node}", env!("CARGO_PKG_VERSION")));
    let (draining, _) = watch::channel(false);
    let ended = lifecycle::run_tasks(signals, &tasks, &draining, config.server.shutdown_grace).await;
    if ended == Ended::Clean {
        parts.database.close().await;
    }
    Ok(ended)
}
