//! Fetching prices and running orders, plans and loans: by one process at a time.
//!
//! With SQLite there is one process anyway. With Postgres, whoever has the lease does it; the others
//! wait for it and read what was fetched. Market data of exchanges is streamed by all of them, each its share.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use orrery_app::leadership::Leadership;
use orrery_app::tasks::Tasks;
use orrery_app::{App, bridge};
use orrery_store_redis::RedisBus;
use tokio::sync::watch;

use crate::cli::output::say;
use crate::config::{Config, Loaded};
use crate::database::Database;
use crate::indicators::Indicators;
use crate::lifecycle::{Ended, Signals};
use crate::system::SystemEntropy;
use crate::{jobs, secret, streams, telemetry, wire};

/// Between looks at what another process fetched.
const FOLLOW_PERIOD: Duration = Duration::from_secs(1);
/// Name of the lease.
const LEASE: &str = "poller";

/// Fetches and runs the jobs here: always on SQLite, on Postgres while this process has the lease. Market data of
/// exchanges is shared by all processes that call this.
///
/// # Errors
/// When the schedule cannot be started.
pub async fn start(config: &Config, parts: &wire::Parts, app: &Arc<App>, tasks: &Tasks) -> Result<()> {
    let holder = wire::holder(&*parts.entropy);
    streams::start(config, parts, app, holder.clone(), tasks);
    let Database::Postgres(database) = &parts.database else {
        return schedule(config, parts, app, tasks).await;
    };
    tracing::info!(holder, "waiting for the lease");
    let leadership = Leadership::start(database.leases(), LEASE, holder, tasks);
    // its prices are written under the lease; what gateways read is the same database
    let (config, held) = (config.clone(), leadership.clone());
    let fenced = wire::Parts {
        database: Database::Postgres(database.fenced(Arc::new(move || held.lease()))),
        redis: parts.redis.clone(),
        bus: parts.bus.clone(),
        exchanges: parts.exchanges.clone(),
        scripts: parts.scripts.clone(),
        clock: parts.clock.clone(),
        entropy: parts.entropy.clone(),
    };
    follow(app, tasks);
    tasks.spawn("poller", lead(config, fenced, leadership, tasks.clone()));
    Ok(())
}

async fn schedule(config: &Config, parts: &wire::Parts, app: &Arc<App>, tasks: &Tasks) -> Result<()> {
    let indicators = Indicators::new(&config.fred, &parts.entropy)?;
    let started = jobs::start(app, tasks, config.market.price_poll, indicators).await;
    started.context("the schedule cannot be started")
}

/// Works while this process leads, with use cases of its own on fenced stores.
async fn lead(config: Config, parts: wire::Parts, leadership: Leadership, tasks: Tasks) {
    let stopping = tasks.stopping();
    while !stopping.is_cancelled() {
        tokio::select! {
            () = leadership.changed_to(true) => {}
            () = stopping.cancelled() => return,
        }
        let work = Tasks::new();
        if let Err(error) = begin(&config, &parts, &work).await {
            tracing::error!(%error, "the work of the lease cannot begin");
            work.drain().await;
            tokio::time::sleep(FOLLOW_PERIOD).await;
            continue;
        }
        tokio::select! {
            () = leadership.changed_to(false) => tracing::warn!("no longer leading: the jobs end"),
            () = stopping.cancelled() => {}
        }
        work.drain().await;
    }
}

async fn begin(config: &Config, parts: &wire::Parts, work: &Tasks) -> Result<()> {
    let settings = wire::settings(config, &SystemEntropy)?;
    let app = App::start(wire::ports(config, parts, work)?, settings, work).await?;
    bridge(&app, parts, work);
    schedule(config, parts, &app, work).await
}

/// Reads what another process fetched or set, once a second.
pub fn follow(app: &Arc<App>, tasks: &Tasks) {
    let (app, stopping) = (app.clone(), tasks.stopping());
    tasks.spawn("follow", async move {
        let mut tick = tokio::time::interval(FOLLOW_PERIOD);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = stopping.cancelled() => return,
            }
            match app.market.follow().await {
                Ok(()) => failing = false,
                // once when it begins, not each second
                Err(error) if !std::mem::replace(&mut failing, true) => {
                    tracing::warn!(%error, "could not read what was fetched");
                }
                Err(_) => {}
            }
        }
    });
}

/// Carries events to and from other processes, where there is a Redis.
pub fn bridge(app: &Arc<App>, parts: &wire::Parts, tasks: &Tasks) {
    if let Some(redis) = &parts.redis {
        bridge::start(Arc::new(RedisBus::new(redis.clone())), app, tasks);
    }
}

/// Runs `orrery-poller`: nothing but this, until it is told to end.
///
/// # Errors
/// Whatever keeps it from starting.
pub async fn run(loaded: Loaded) -> Result<Ended> {
    let Loaded { config, notes, .. } = loaded;
    if config.database.file().is_some() {
        bail!(
            "orrery-poller works beside gateways on a Postgres: set DATABASE_URL=postgres://…; on SQLite the gateway \
             itself fetches prices"
        );
    }
    secret::prepare_data_dir(&config.server.data_dir)?;
    let parts = wire::open(&config, false).await?;
    let _log = telemetry::start_log(&config.log, &config.server.data_dir.join("logs"), &parts.clock)?;
    telemetry::figures();
    for note in &notes {
        tracing::warn!("{note}");
    }
    let signals = Signals::new().context("signals cannot be handled")?;
    let tasks = Tasks::new();
    let settings = wire::settings(&config, &SystemEntropy)?;
    let app = App::start(wire::ports(&config, &parts, &tasks)?, settings, &tasks).await?;
    bridge(&app, &parts, &tasks);
    start(&config, &parts, &app, &tasks).await?;
    say(&format!("orrery-poller {} is running", env!("CARGO_PKG_VERSION")));
    let (draining, _) = watch::channel(false);
    let ended = crate::lifecycle::run_tasks(signals, &tasks, &draining, config.server.shutdown_grace).await;
    if ended == Ended::Clean {
        parts.database.close().await;
    }
    Ok(ended)
}
