//! `/health`, `/api/health` and `/metrics`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use orrery_app::App;
use orrery_app::market::FeedStatus;
use orrery_kernel::{StoreError, Timestamp};
use orrery_store_redis::Redis;
use serde::Serialize;
use tokio::sync::watch;
use tracing_appender::non_blocking::ErrorCounter;

use crate::telemetry;

/// Longest time that the database may take to say that it is there.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Something whose absence makes the server useless.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Is it there?
    async fn health(&self) -> Result<(), StoreError>;
}

/// What the health routes look at.
pub struct Health {
    /// Use cases, for the feeds' freshness.
    pub app: Arc<App>,
    /// The database.
    pub database: Arc<dyn Probe>,
    /// What is shared beside it, where there is one.
    pub redis: Option<Redis>,
    /// Is the server ending?
    pub draining: watch::Receiver<bool>,
    /// When the server started.
    pub started: Timestamp,
    /// Serve `/metrics`?
    pub metrics: bool,
    /// Log lines dropped so far.
    pub dropped: Vec<ErrorCounter>,
}

impl Health {
    /// The word for how the server is, and whether the database is there.
    pub async fn word(&self) -> (&'static str, bool) {
        let report = look(self).await;
        (report.status(), report.database)
    }
}

struct Report {
    draining: bool,
    database: bool,
    /// `None`: there is none to be had.
    redis: Option<bool>,
    feeds: Vec<FeedStatus>,
    now: Timestamp,
}

impl Report {
    fn status(&self) -> &'static str {
        match (self.draining, self.database) {
            (true, _) => "draining",
            (_, false) => "unhealthy",
            _ if self.redis == Some(false) => "degraded",
            _ if self.feeds.iter().any(|f| f.stale) => "degraded",
            _ => "healthy",
        }
    }

    fn code(&self) -> StatusCode {
        if self.draining || !self.database { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    }
}

async fn look(health: &Health) -> Report {
    let now = health.app.clock.now();
    let database = match tokio::time::timeout(PROBE_TIMEOUT, health.database.health()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!(%error, "the database is gone");
            false
        }
        Err(_) => {
            tracing::error!("the database does not answer");
            false
        }
    };
    let redis = match &health.redis {
        Some(redis) => Some(redis.health().await.is_ok()),
        None => None,
    };
    if database {
        // what cannot be learned stays stale
        let _ = tokio::time::timeout(PROBE_TIMEOUT, health.app.market.follow_feeds(now)).await;
    }
    let feeds = health.app.market.freshness(now);
    Report { draining: *health.draining.borrow(), database, redis, feeds, now }
}

#[derive(Serialize)]
struct Full {
    status: &'static str,
    timestamp: String,
    version: &'static str,
    uptime_s: u64,
    database: &'static str,
    redis: &'static str,
    market_source: &'static str,
    price: Price,
    feeds: BTreeMap<String, Feed>,
}

/// How trustworthy the price is; `available` is false before the first.
#[derive(Serialize)]
struct Price {
    available: bool,
    /// Too old to trade at.
    stale: bool,
    age_s: Option<u64>,
    max_age_s: u64,
    observed_at: Option<String>,
}

#[derive(Serialize)]
struct Feed {
    source: &'static str,
    stale: bool,
    last_ok: Option<String>,
    last_error: Option<&'static str>,
}

/// The superset of what the documents show: `status`, `timestamp`, `version`, and what there is to
/// know about each part. A missing price is shown, not failed: the server can work without.
async fn full(State(health): State<Arc<Health>>) -> Response {
    let report = look(&health).await;
    let feed = |f: &FeedStatus| Feed {
        source: f.source,
        stale: f.stale,
        last_ok: f.last_ok.map(Timestamp::iso),
        last_error: f.last_error,
    };
    let max_age = health.app.market.max_age();
    let seen = health.app.market.quote().map(|q| q.snapshot.price.observed_at);
    let age = seen.map(|at| report.now.since(at));
    let body = Full {
        status: report.status(),
        timestamp: report.now.iso(),
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: report.now.since(health.started).as_secs(),
        database: if report.database { "connected" } else { "unavailable" },
        redis: redis(&report),
        market_source: health.app.market.source(),
        price: Price {
            available: seen.is_some(),
            stale: age.is_none_or(|age| age > max_age),
            age_s: age.map(|age| age.as_secs()),
            max_age_s: max_age.as_secs(),
            observed_at: seen.map(Timestamp::iso),
        },
        feeds: report.feeds.iter().map(|f| (f.name.clone(), feed(f))).collect(),
    };
    (report.code(), axum::Json(body)).into_response()
}

fn redis(report: &Report) -> &'static str {
    match report.redis {
        None => "not configured",
        Some(true) => "connected",
        Some(false) => "disconnected",
    }
}

/// BitTrade document, "GET /api/health", with what its section on monitoring shows.
#[derive(Serialize)]
struct BitTrade {
    status: &'static str,
    timestamp: String,
    server: &'static str,
    database: &'static str,
    redis: &'static str,
    external_apis: &'static str,
}

async fn bittrade(State(health): State<Arc<Health>>) -> Response {
    let report = look(&health).await;
    let stale = report.feeds.iter().filter(|f| f.stale).count();
    let body = BitTrade {
        status: if report.code() == StatusCode::OK { "OK" } else { "UNAVAILABLE" },
        timestamp: report.now.iso(),
        server: "BitTrade API Server",
        database: if report.database { "connected" } else { "disconnected" },
        redis: redis(&report),
        external_apis: match stale {
            0 => "operational",
            n if n == report.feeds.len() => "unavailable",
            _ => "degraded",
        },
    };
    (report.code(), axum::Json(body)).into_response()
}

async fn figures(State(health): State<Arc<Health>>) -> Response {
    let recorder = telemetry::figures();
    telemetry::update_process_figures(&health.dropped);
    let text = recorder.render();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Figures for a listener of their own.
pub fn figures_alone(health: &Arc<Health>) -> Router {
    Router::new().route("/metrics", get(figures)).with_state(health.clone())
}

/// The routes.
pub fn router(health: Arc<Health>) -> Router {
    let mut router = Router::new().route("/health", get(full)).route("/api/health", get(bittrade));
    if health.metrics {
        router = router.route("/metrics", get(figures));
    }
    router.with_state(health)
}
