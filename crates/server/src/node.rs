//! `orrery-node`: runs workers beside gateways on one Postgres.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use orrery_api_webfix::ScriptNews;
use orrery_app::App;
use orrery_app::tasks::Tasks;
use tokio::sync::watch;

use crate::cli::output::say;
use crate::config::Loaded;
use crate::lifecycle::{Ended, Signals, run_tasks};
use crate::system::SystemEntropy;
use crate::{fleet, poller, secret, telemetry, wire};

/// Runs workers until it is told to end, and hands them over then.
///
/// # Errors
/// Whatever keeps it from starting.
pub async fn run(loaded: Loaded) -> Result<Ended> {
    let Loaded { config, notes, .. } = loaded;
    if config.database.file().is_some() {
        bail!(
            "orrery-node works beside gateways on a Postgres: set DATABASE_URL=postgres://…; on SQLite the gateway \
             itself runs workers"
        );
    }
    secret::prepare_data_dir(&config.server.data_dir)?;
    let parts = wire::open_for(&config, false, true).await?;
    let _log = telemetry::start_log(&config.log, &config.server.data_dir.join("logs"), &parts.clock)?;
    telemetry::figures();
    for note in &notes {
        tracing::warn!("{note}");
    }
    if parts.redis.is_none() {
        tracing::warn!("without REDIS_URL clients of gateways don't hear what scripts say, and changes are seen late");
    }
    let signals = Signals::new().context("signals cannot be handled")?;
    let tasks = Tasks::new();
    let settings = wire::settings(&config, &SystemEntropy)?;
    let node = settings.wallets.node.clone();
    let app = App::start(wire::ports(&config, &parts, &tasks)?, settings, &tasks).await?;
    poller::bridge(&app, &parts, &tasks);
    poller::follow(&app, &tasks);
    fleet::start(&config, &parts, &app, Arc::new(ScriptNews::new(app.hub.clone(), &config.stels.network)), &tasks)?;
    say(&format!("orrery-node {} is running as {node}", env!("CARGO_PKG_VERSION")));
    let (draining, _) = watch::channel(false);
    let ended = run_tasks(signals, &tasks, &draining, config.server.shutdown_grace).await;
    if ended == Ended::Clean {
        parts.database.close().await;
    }
    Ok(ended)
}
