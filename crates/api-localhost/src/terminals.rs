//! `/api/terminal` and `/api/programs-terminal`: shells that are told line by line, and terminals for screens.

use std::sync::Arc;

use axum::extract::State;
use orrery_app::App;
use orrery_app::exec::Listed;
use orrery_exec::Size;
use orrery_http_kit::{Fail, Json, Known, Segment};
use orrery_kernel::Error;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Localhost;
use crate::execute::{EndedBody, exec, needed};
use crate::reply::{Failure, Reply};

type Answer<T> = std::result::Result<Reply<T>, Fail<Localhost>>;

/// A shell that was opened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenedBody {
    message: &'static str,
    session_id: String,
    /// Where it is.
    cwd: String,
    /// The same.
    working_dir: String,
}

/// A line for a shell.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct LineRequest {
    command: Option<String>,
}

/// A line for the shell of `/api/programs-terminal`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SessionLineRequest {
    session_id: Option<String>,
    command: Option<String>,
}

/// What a line wrote.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineBody {
    output: String,
    /// Is some of it missing?
    truncated: bool,
    return_code: i32,
    /// Where the shell is.
    cwd: String,
    /// The same.
    working_dir: String,
}

/// A session in the list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionBody {
    session_id: String,
    command: String,
    created_at: String,
    /// Seconds since it was used.
    idle: u64,
    rows: u16,
    columns: u16,
    /// Has its program ended?
    completed: bool,
    return_code: Option<i32>,
    /// May others watch it?
    shared: bool,
}

/// The caller's sessions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionsBody {
    /// Newest first.
    sessions: Vec<SessionBody>,
    count: usize,
}

/// A size; 24 rows of 80 columns unless said.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct SizeRequest {
    /// 1 to 500.
    rows: Option<u16>,
    /// 1 to 1000.
    columns: Option<u16>,
}

/// A terminal that was opened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TerminalBody {
    session_id: String,
    /// Where its WebSocket is.
    url: String,
}

/// Who may watch.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ShareRequest {
    shared: bool,
}

/// Who may watch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SharedBody {
    session_id: String,
    shared: bool,
}

impl SessionBody {
    fn of(listed: Listed) -> Self {
        Self {
            session_id: listed.session,
            command: listed.command,
            created_at: listed.began.iso(),
            idle: listed.idle.as_secs(),
            rows: listed.size.rows,
            columns: listed.size.columns,
            completed: listed.return_code.is_some(),
            return_code: listed.return_code,
            shared: listed.shared,
        }
    }
}

pub(crate) fn size(rows: Option<u16>, columns: Option<u16>) -> Result<Size, Error> {
    let size = Size::new(rows.unwrap_or(Size::DEFAULT.rows), columns.unwrap_or(Size::DEFAULT.columns));
    size.ok_or_else(|| Error::invalid("rows", "rows must be 1 to 500, columns 1 to 1000"))
}

async fn opened(app: &App, ctx: &orrery_app::Ctx) -> Result<OpenedBody, Error> {
    let (session_id, cwd) = exec(app)?.open_shell(ctx).await?;
    Ok(OpenedBody { message: "Terminal session created", session_id, working_dir: cwd.clone(), cwd })
}

async fn line(app: &App, ctx: &orrery_app::Ctx, session: &str, command: Option<String>) -> Result<LineBody, Error> {
    let command = command.ok_or_else(|| Error::invalid("command", "Command is required"))?;
    let answer = exec(app)?.shell_line(ctx, session, &command).await?;
    Ok(LineBody {
        output: answer.output,
        truncated: answer.truncated,
        return_code: answer.return_code,
        working_dir: answer.directory.clone(),
        cwd: answer.directory,
    })
}

/// Open a shell
#[utoipa::path(post, path = "/terminal/create", tag = "terminals", responses(
    (status = 200, body = Reply<OpenedBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn create(State(app): State<Arc<App>>, Known(ctx, _): Known<Localhost>) -> Answer<OpenedBody> {
    let body = opened(&app, &ctx).await?;
    Ok(Reply::new(&ctx, body))
}

/// Have a shell do a line
#[utoipa::path(post, path = "/terminal/execute/{session_id}", tag = "terminals", request_body = LineRequest,
    params(("session_id" = String, Path, description = "From /api/terminal/create")), responses(
    (status = 200, body = Reply<LineBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 404, body = Failure), (status = 408, body = Failure),
    (status = 413, body = Failure), (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn execute(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Segment(session, _): Segment<Localhost>,
    Json(body, _): Json<Localhost, LineRequest>,
) -> Answer<LineBody> {
    let body = line(&app, &ctx, &session, body.command).await?;
    Ok(Reply::new(&ctx, body))
}

/// End a shell or a terminal
#[utoipa::path(post, path = "/terminal/close/{session_id}", tag = "terminals",
    params(("session_id" = String, Path, description = "From the list")), responses(
    (status = 200, body = Reply<EndedBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 404, body = Failure), (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn close(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Segment(session_id, _): Segment<Localhost>,
) -> Answer<EndedBody> {
    exec(&app)?.terminate_session(&ctx, &session_id).await?;
    Ok(Reply::new(&ctx, EndedBody { message: "Terminal session closed", session_id }))
}

/// The caller's sessions
#[utoipa::path(get, path = "/terminal/list", tag = "terminals", responses(
    (status = 200, body = Reply<SessionsBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = [])))]
pub(crate) async fn list(State(app): State<Arc<App>>, Known(ctx, _): Known<Localhost>) -> Answer<SessionsBody> {
    let sessions: Vec<_> = exec(&app)?.list_sessions(&ctx)?.into_iter().map(SessionBody::of).collect();
    Ok(Reply::new(&ctx, SessionsBody { count: sessions.len(), sessions }))
}

/// Open a terminal
///
/// It goes on when its WebSocket is lost; who comes back gets the screen first.
#[utoipa::path(post, path = "/terminal/open", tag = "terminals", request_body = SizeRequest, responses(
    (status = 200, body = Reply<TerminalBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 413, body = Failure), (status = 429, body = Failure),
    (status = 503, body = Failure)), security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn open(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Json(body, _): Json<Localhost, SizeRequest>,
) -> Answer<TerminalBody> {
    let session_id = exec(&app)?.open_terminal(&ctx, size(body.rows, body.columns)?).await?;
    let url = format!("/api/terminal/socket/{session_id}");
    Ok(Reply::new(&ctx, TerminalBody { session_id, url }))
}

/// Let others watch a session, or no longer
#[utoipa::path(post, path = "/terminal/share/{session_id}", tag = "terminals", request_body = ShareRequest,
    params(("session_id" = String, Path, description = "From the list")), responses(
    (status = 200, body = Reply<SharedBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 404, body = Failure), (status = 413, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn share(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Segment(session_id, _): Segment<Localhost>,
    Json(body, _): Json<Localhost, ShareRequest>,
) -> Answer<SharedBody> {
    exec(&app)?.share_session(&ctx, &session_id, body.shared).await?;
    Ok(Reply::new(&ctx, SharedBody { session_id, shared: body.shared }))
}

/// Open a shell of one's own
#[utoipa::path(post, path = "/programs-terminal/init", tag = "terminals", responses(
    (status = 200, body = Reply<OpenedBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn init(State(app): State<Arc<App>>, Known(ctx, _): Known<Localhost>) -> Answer<OpenedBody> {
    let body = opened(&app, &ctx).await?;
    Ok(Reply::new(&ctx, body))
}

/// Have it do a line
#[utoipa::path(post, path = "/programs-terminal/execute", tag = "terminals", request_body = SessionLineRequest, responses(
    (status = 200, body = Reply<LineBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 404, body = Failure), (status = 408, body = Failure),
    (status = 413, body = Failure), (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn execute_in(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Json(body, _): Json<Localhost, SessionLineRequest>,
) -> Answer<LineBody> {
    let session = needed("session_id", body.session_id)?;
    let body = line(&app, &ctx, &session, body.command).await?;
    Ok(Reply::new(&ctx, body))
}
