//! `/api/v1/health`, `/api/v1/dashboard`, `POST /api/v1/backup`.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Plain};
use http::StatusCode;
use orrery_app::App;
use orrery_app::topics::Notice;
use orrery_http_kit::layers::{Recent, Seen};
use orrery_http_kit::{Fail, Known, RequestMeta};
use orrery_identity::{Action, authorize};
use orrery_kernel::Result;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Localhost;
use crate::programs::{ProgramBody, StorageBody};
use crate::reply::{Data, Failure, Reply};

/// Programs and requests that the dashboard shows.
const PROGRAMS_SHOWN: usize = 10;
const REQUESTS_SHOWN: usize = 50;

/// What of the system only the program around this surface knows.
#[async_trait]
pub trait System: Send + Sync {
    /// The program's version.
    fn version(&self) -> &'static str;
    /// Makes a consistent copy of the database and of what users keep, wherever copies are kept; one at a time.
    ///
    /// # Errors
    /// `Unavailable` when the machine lacks what it takes, which the text says.
    async fn backup(&self, steps: &dyn Steps) -> Result<Backup>;
}

/// Hears how far a copy is.
#[async_trait]
pub trait Steps: Send + Sync {
    /// `step` begins when about `percent` of the work is done.
    async fn step(&self, step: &'static str, percent: u8);
}

/// A copy that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its name; where it is, only the operator of the machine knows.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
    /// Entries of the journal in it.
    pub entries: i64,
    /// Files in it, those of programs too.
    pub files: u64,
}

/// What the handlers of this file share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) system: Arc<dyn System>,
    pub(crate) recent: Recent,
}

/// Each is `operational` or `unavailable`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServicesBody {
    data_store: &'static str,
    file_store: &'static str,
    program_store: &'static str,
}

/// In the `data` of `/api/v1/health`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthBody {
    /// `healthy` or `unhealthy`.
    status: &'static str,
    timestamp: String,
    version: &'static str,
    services: ServicesBody,
    /// What holds commands and programs in, by layer: `active`, or `missing: ` and why. Null: none are run here.
    sandbox: Option<BTreeMap<&'static str, String>>,
}

/// How the parts are
#[utoipa::path(get, path = "/health", tag = "system", responses(
    (status = 200, body = Reply<Data<HealthBody>>), (status = 429, body = Failure),
    (status = 503, description = "A part does not work", body = Reply<Data<HealthBody>>)))]
pub(crate) async fn health(
    State(app): State<Arc<App>>,
    Extension(shared): Extension<Shared>,
    Extension(meta): Extension<RequestMeta>,
) -> Response {
    let word = |good: bool| if good { "operational" } else { "unavailable" };
    let (data, files, programs) = (app.data.works().await, app.files.works().await, app.programs.works().await);
    let good = data && files && programs;
    let sandbox = match &app.exec {
        None => None,
        Some(exec) => {
            let layers = exec.layers().await;
            let word = |missing: Option<&str>| missing.map_or_else(|| "active".into(), |why| format!("missing: {why}"));
            Some(layers.report().map(|(layer, missing)| (layer.name(), word(missing))).collect())
        }
    };
    let body = HealthBody {
        sandbox,
        status: if good { "healthy" } else { "unhealthy" },
        timestamp: meta.now.iso(),
        version: shared.system.version(),
        services: ServicesBody { data_store: word(data), file_store: word(files), program_store: word(programs) },
    };
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Plain(Reply::new(&meta.ctx(None), Data { data: body }))).into_response()
}

/// Numbers of the caller's own.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TotalsBody {
    programs: usize,
    projects: usize,
    files: u64,
    /// Of files and programs.
    size_bytes: u64,
}

/// A request that was answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RequestBody {
    request_id: String,
    method: &'static str,
    /// Template of its route.
    path: String,
    status: u16,
    latency_ms: f64,
    timestamp: String,
}

impl RequestBody {
    fn of(seen: &Seen) -> Self {
        Self {
            request_id: seen.request_id.to_string(),
            method: seen.method,
            path: seen.route.to_string(),
            status: seen.status,
            latency_ms: crate::files::rounded(seen.micros, 1_000, 3),
            timestamp: seen.at.iso(),
        }
    }
}

/// How often a route was asked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndpointBody {
    endpoint: String,
    count: u64,
}

/// In the `data` of `/api/v1/dashboard`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DashboardBody {
    storage: StorageBody,
    totals: TotalsBody,
    /// Newest first.
    recent_programs: Vec<ProgramBody>,
    /// Newest first, of everybody; only operators see them.
    recent_requests: Vec<RequestBody>,
    /// Since the start; only operators see them.
    endpoint_breakdown: Vec<EndpointBody>,
    server_time: String,
}

/// Numbers for a page
#[utoipa::path(get, path = "/dashboard", tag = "system", responses(
    (status = 200, body = Reply<Data<DashboardBody>>), (status = 401, body = Failure), (status = 429, body = Failure)),
    security(("bearer" = []), ("session" = [])))]
pub(crate) async fn dashboard(
    State(app): State<Arc<App>>,
    Extension(shared): Extension<Shared>,
    Known(ctx, _): Known<Localhost>,
) -> std::result::Result<Reply<Data<DashboardBody>>, Fail<Localhost>> {
    let programs = app.programs.list(&ctx).await?;
    let files = app.files.usage(&ctx).await?;
    let storage = StorageBody::of(&programs);
    let totals = TotalsBody {
        programs: storage.total_programs,
        projects: storage.total_projects,
        files: files.count,
        size_bytes: files.bytes + storage.total_size,
    };
    let operates = ctx.caller.as_ref().is_some_and(|caller| authorize(caller, Action::ReadHouse).is_ok());
    let (requests, counts) = match operates {
        true => (shared.recent.last(REQUESTS_SHOWN), shared.recent.counts()),
        false => (Vec::new(), Vec::new()),
    };
    let endpoint = |(route, count): (Arc<str>, u64)| EndpointBody { endpoint: route.to_string(), count };
    let data = DashboardBody {
        storage,
        totals,
        recent_programs: programs.iter().take(PROGRAMS_SHOWN).map(ProgramBody::of).collect(),
        recent_requests: requests.iter().map(RequestBody::of).collect(),
        endpoint_breakdown: counts.into_iter().take(REQUESTS_SHOWN).map(endpoint).collect(),
        server_time: ctx.now.iso(),
    };
    Ok(Reply::new(&ctx, Data { data }))
}

/// In the `data` of `POST /api/v1/backup`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupBody {
    message: String,
    /// Where it is, only the operator of the machine knows.
    backup: String,
    /// Of the database and of the files.
    size_bytes: u64,
    journal_entries: i64,
    /// Files of users, those of programs too.
    file_count: u64,
}

/// Tells the topic.
struct Progress<'a>(&'a App);

impl Progress<'_> {
    async fn tell(&self, status: &'static str, step: &'static str, progress: u8) {
        let told = serde_json::json!({ "status": status, "step": step, "progress": progress });
        self.0.topics.tell("backup_progress", told).await;
    }
}

#[async_trait]
impl Steps for Progress<'_> {
    async fn step(&self, step: &'static str, percent: u8) {
        self.tell("running", step, percent).await;
    }
}

/// Copy the database, files and programs
///
/// Progress is told on the topic `backup_progress`.
#[utoipa::path(post, path = "/backup", tag = "system", responses(
    (status = 200, body = Reply<Data<BackupBody>>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn backup(
    State(app): State<Arc<App>>,
    Extension(shared): Extension<Shared>,
    Known(ctx, _): Known<Localhost>,
) -> std::result::Result<Reply<Data<BackupBody>>, Fail<Localhost>> {
    ctx.authorize(Action::ReadHouse)?;
    let progress = Progress(&app);
    let notify = async |message: &str, severity: &str| {
        if let Some(caller) = &ctx.caller {
            let notice = Notice { kind: "backup", title: "Backup", message, severity };
            app.topics.notify(caller.user, notice).await;
        }
    };
    progress.tell("started", "waiting", 0).await;
    let made = match shared.system.backup(&progress).await {
        Ok(made) => made,
        Err(e) => {
            progress.tell("failed", "failed", 0).await;
            notify("The backup failed", "error").await;
            return Err(e.into());
        }
    };
    progress.tell("completed", "completed", 100).await;
    notify("The backup is completed", "success").await;
    app.auth.record_act(&ctx, "backup", format!("backup:{}", made.name)).await;
    let data = BackupBody {
        message: "Backup completed".into(),
        backup: made.name,
        size_bytes: made.bytes,
        journal_entries: made.entries,
        file_count: made.files,
    };
    Ok(Reply::new(&ctx, Data { data }))
}
