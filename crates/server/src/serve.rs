//! `serve` and `demo`: from a checked configuration to a listening server, and to its end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use orrery_api_webfix::ScriptNews;
use orrery_app::tasks::Tasks;
use orrery_app::{App, Ports};
use orrery_kernel::Clock;
use tokio::sync::watch;

use crate::cli::output::say;
use crate::config::{Config, ListenSpec, Loaded, Surface};
use crate::health::Health;
use crate::lifecycle::{self, Ended, Signals};
use crate::listen::{self, Bound, Bounds, Serving};
use crate::router::Surfaces;
use crate::system::{SystemClock, SystemEntropy};
use crate::tls::Tls;
use crate::tunnels::{self, LoopbackDoors};
use crate::{fleet, poller, secret, status, streams, telemetry, wire};

/// Marks a data directory whose ledger holds the demo's gifts.
const DEMO_MARK: &str = "DEMO";
/// How often histograms are folded, so that a server nobody asks for figures does not grow.
const FIGURES_PERIOD: Duration = Duration::from_secs(5);

/// Runs the server until it is told to end.
///
/// # Errors
/// Whatever keeps it from starting.
pub async fn run(loaded: Loaded, demo: bool) -> Result<Ended> {
    let Loaded { config, notes, .. } = loaded;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let started = clock.now();
    secret::prepare_data_dir(&config.server.data_dir)?;
    let log = telemetry::start_log(&config.log, &config.server.data_dir.join("logs"), &clock)?;
    telemetry::figures();
    for note in &notes {
        tracing::warn!("{note}");
    }
    if let Some(advice) = secret::shared_key_advice(&config) {
        tracing::warn!("{advice}");
    }
    let files = open_files();
    if files < config.server.connections_max as u64 {
        tracing::warn!(
            files,
            "fewer open files than server.connections_max; raise the limit (ulimit -n) for more clients"
        );
    }
    let signals = Signals::new().context("signals cannot be handled")?;
    let tls = config.tls.clone().map(Tls::load).transpose()?.map(Arc::new);
    let ui = config.ui_dir.as_deref().map(crate::ui::read).transpose()?;
    let mut specs = config.server.listen.clone();
    specs.extend(config.metrics_port.map(|port| ListenSpec {
        host: "127.0.0.1".into(),
        port,
        surface: Surface::Figures,
    }));
    crate::exec::require_layers(&config).await?;
    let bound = listen::bind(&specs).await?;
    let addresses: Vec<SocketAddr> = bound.iter().map(|b| b.address).collect();

    let tasks = Tasks::new();
    let bounds = Bounds {
        connections: config.server.connections_max,
        header_timeout: config.server.header_timeout,
        write_timeout: config.server.body_timeout,
    };
    let doors = LoopbackDoors::new(bounds, &tasks);
    let ports: Vec<u16> = addresses.iter().map(SocketAddr::port).collect();
    let (app, parts) = start_app(&config, demo, (doors.clone(), &ports), &tasks).await?;
    let database = parts.database.clone();
    let (draining_sender, draining) = watch::channel(false);
    let health = Arc::new(Health {
        app: app.clone(),
        database: Arc::new(database.clone()),
        redis: parts.redis.clone(),
        draining: draining.clone(),
        started,
        metrics: config.metrics,
        dropped: log.dropped(),
    });
    tasks.spawn("venues", app.venues.clone().run(tasks.stopping()));
    tasks.spawn("status", status::tell(health.clone(), tasks.clone()));
    let surfaces = Surfaces::new(&config, &app, health, &tasks, &draining, &doors, ui);
    tasks.spawn("figures", fold_figures(tasks.clone()));
    announce(&bound, tls.is_some());
    let serving = Serving::start(bound, |surface| surfaces.edge(surface), bounds, tls.clone(), &tasks);
    let scheme = if tls.is_some() { "https" } else { "http" };
    if let Some(link) = setup_link(&app, &addresses, scheme).await? {
        say(&format!("no administrator yet; open this link once to become it: {link}"));
    }
    if demo {
        say(&format!(
            "demo: prices are simulated, new users start funded; data in {}",
            config.server.data_dir.display()
        ));
    }
    tracing::info!(listeners = addresses.len(), version = env!("CARGO_PKG_VERSION"), "started");

    let reload = || match tls.as_ref().map(|t| t.reload()) {
        None => tracing::info!("SIGHUP: nothing to reload without TLS"),
        Some(Ok(())) => tracing::info!("certificate reloaded"),
        Some(Err(error)) => tracing::error!(%error, "certificate not reloaded; the old one stays"),
    };
    let grace = config.server.shutdown_grace;
    let ended = lifecycle::run(signals, &serving, &tasks, &draining_sender, grace, reload).await;
    if ended == Ended::Clean {
        database.close().await;
    }
    Ok(ended)
}

/// Raises this process's bound on open files as far as the system lets it; gives what it is then.
pub fn open_files() -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(%error, "the bound on open files stays");
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

async fn start_app(
    config: &Config,
    demo: bool,
    (doors, ports): (Arc<LoopbackDoors>, &[u16]),
    tasks: &Tasks,
) -> Result<(Arc<App>, wire::Parts)> {
    let settings = wire::settings(config, &SystemEntropy)?;
    let parts = wire::open_for(config, true, config.runs_workers()).await?;
    keep_demo_apart(&config.server.data_dir, &parts, demo).await?;
    let exec = config.exec.enabled.then(|| crate::exec::parts(config, &parts.clock, &parts.entropy, ports));
    let ports = Ports { tunnels: tunnels::parts(config, doors)?, exec, ..wire::ports(config, &parts, tasks)? };
    let app = App::start(ports, settings, tasks).await?;
    poller::bridge(&app, &parts, tasks);
    streams::watch(config, &parts, &app, tasks);
    if config.polls() {
        poller::start(config, &parts, &app, tasks).await?;
    } else {
        tracing::info!("this server leaves fetching and the jobs to orrery-poller");
        poller::follow(&app, tasks);
    }
    if config.runs_workers() {
        fleet::start(config, &parts, &app, Arc::new(ScriptNews::new(app.hub.clone(), &config.stels.network)), tasks)?;
    }
    Ok((app, parts))
}

/// The demo gives money away, which must never reach a ledger that means it.
async fn keep_demo_apart(data_dir: &Path, parts: &wire::Parts, demo: bool) -> Result<()> {
    let mark = data_dir.join(DEMO_MARK);
    match (demo, mark.exists()) {
        (true, false) => {
            if parts.database.ledger().head().await?.seq > 0 {
                bail!(
                    "{} holds a real ledger, and the demo would give money away in it; choose another directory with \
                     --data-dir",
                    data_dir.display()
                );
            }
            let text = "The demo ran here: its users' money was a gift. Do not use this directory for a real server.\n";
            std::fs::write(&mark, text).with_context(|| mark.display().to_string())
        }
        (false, true) => {
            tracing::warn!("this data directory was made by the demo; its users' money was a gift");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The one line that programs which start the server wait for.
fn announce(bound: &[Bound], tls: bool) {
    let scheme = if tls { "https" } else { "http" };
    let urls: Vec<String> = bound.iter().map(|b| format!("{scheme}://{}", b.address)).collect();
    say(&format!("orrery-gateway {} listening on {}", env!("CARGO_PKG_VERSION"), urls.join(" ")));
}

/// The link that makes its first opener the administrator. The token is in the fragment, which
/// browsers do not send, so it reaches no log.
async fn setup_link(app: &App, addresses: &[SocketAddr], scheme: &str) -> Result<Option<String>> {
    let Some(token) = app.auth.issue_setup_token(app.clock.now()).await? else { return Ok(None) };
    let Some(address) = addresses.first() else { return Ok(None) };
    // 0.0.0.0 is an address to listen on, not one to open
    let host = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    let host = SocketAddr::new(host, address.port());
    Ok(Some(format!("{scheme}://{host}/setup#token={}", token.expose())))
}

async fn fold_figures(tasks: Tasks) {
    let stopping = tasks.stopping();
    while !stopping.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(FIGURES_PERIOD) => telemetry::figures().run_upkeep(),
            () = stopping.cancelled() => {}
        }
    }
}
