//! `/api/execute`: commands and interactive sessions.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use orrery_app::App;
use orrery_app::exec::{Answer, Done, Exec, Line};
use orrery_http_kit::{Fail, Json, Known};
use orrery_kernel::{Error, ErrorCode, Secret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Localhost;
use crate::reply::{Failure, Reply};

/// Seconds that no timeout reaches.
const SECONDS_MAX: f64 = 1e9;

type Answered = std::result::Result<Reply<RunBody>, Fail<Localhost>>;

/// `POST /api/execute`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ExecuteRequest {
    /// For `/bin/sh -c`.
    command: Option<String>,
    /// Only where `exec.allow_sudo` is on. Never kept.
    #[schema(value_type = Option<String>, format = Password)]
    sudo_password: Option<Secret<String>>,
    /// Seconds.
    timeout: Option<f64>,
    /// Start a session instead.
    #[serde(default)]
    interactive: bool,
}

/// `POST /api/execute/interactive`: with a command it starts a session, with a session and a response it answers.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct InteractiveRequest {
    /// What to start.
    command: Option<String>,
    /// Only where `exec.allow_sudo` is on. Never kept.
    #[schema(value_type = Option<String>, format = Password)]
    sudo_password: Option<Secret<String>>,
    /// What to answer to.
    session_id: Option<String>,
    /// The answer; a line break is added.
    response: Option<String>,
}

/// `POST /api/execute/send-input`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct InputRequest {
    session_id: Option<String>,
    /// Sent as it is.
    input: Option<String>,
}

/// Names a session.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SessionRequest {
    pub(crate) session_id: Option<String>,
}

/// What was ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndedBody {
    pub(crate) message: &'static str,
    pub(crate) session_id: String,
}

/// A run that is over, or a session and what it says. Fields that do not apply are left out.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = CommandBody)]
pub(crate) struct RunBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<&'static str>,
    /// As it was asked for.
    pub(crate) command: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Both, or what a session wrote since the last answer.
    pub(crate) output: String,
    /// Is something missing in the middle (of a session: at the beginning)?
    pub(crate) truncated: bool,
    /// Is it over?
    pub(crate) completed: bool,
    /// 128 and the number of the signal, when one ended it.
    pub(crate) return_code: Option<i32>,
    /// The same.
    pub(crate) exit_code: Option<i32>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) execution_time: Option<f64>,
    /// Of a session that goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_id: Option<String>,
    /// Does it wait for input?
    pub(crate) waiting_for_input: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) program_type: Option<&'static str>,
    /// Of commands in a project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) working_directory: Option<String>,
    /// The same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cwd: Option<String>,
}

impl RunBody {
    pub(crate) fn done(done: Done) -> Self {
        let Done { command, stdout, stderr, truncated, return_code, took } = done;
        Self {
            output: format!("{stdout}{stderr}"),
            command,
            stdout,
            stderr,
            truncated,
            completed: true,
            return_code: Some(return_code),
            exit_code: Some(return_code),
            execution_time: Some(took.as_secs_f64()),
            ..Self::default()
        }
    }

    pub(crate) fn session(answer: Answer) -> Self {
        Self {
            command: answer.command,
            stdout: answer.output.clone(),
            output: answer.output,
            truncated: answer.truncated,
            completed: answer.return_code.is_some(),
            return_code: answer.return_code,
            exit_code: answer.return_code,
            session_id: Some(answer.session),
            waiting_for_input: answer.waiting,
            ..Self::default()
        }
    }
}

/// The use cases, where they are switched on.
pub(crate) fn exec(app: &App) -> Result<&Arc<Exec>, Error> {
    let off = || Error::new(ErrorCode::Unavailable, "Commands are switched off on this server (exec.enabled)");
    app.exec.as_ref().ok_or_else(off)
}

/// A number of seconds.
pub(crate) fn timeout(seconds: Option<f64>) -> Result<Option<Duration>, Error> {
    let good = |s: &f64| s.is_finite() && *s > 0.0 && *s < SECONDS_MAX;
    match seconds {
        None => Ok(None),
        Some(s) if good(&s) => Ok(Some(Duration::from_secs_f64(s))),
        Some(_) => Err(Error::invalid("timeout", "timeout must be a number of seconds above 0")),
    }
}

pub(crate) fn needed(field: &'static str, text: Option<String>) -> Result<String, Error> {
    text.ok_or_else(|| Error::invalid(field, format!("{field} is required")))
}

fn command(text: Option<String>) -> Result<String, Error> {
    text.ok_or_else(|| Error::invalid("command", "Command is required"))
}

/// Run a command
///
/// It runs to its end, in the caller's directory. Dangerous commands are refused as slips; what it can reach is the
/// sandbox's matter.
#[utoipa::path(post, path = "/execute", tag = "commands", request_body = ExecuteRequest, responses(
    (status = 200, body = Reply<RunBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 408, body = Failure), (status = 413, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn execute(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Json(body, _): Json<Localhost, ExecuteRequest>,
) -> Answered {
    let exec = exec(&app)?;
    let line = command(body.command)?;
    if body.interactive {
        let answer = exec.start_session(&ctx, &line, body.sudo_password.as_ref()).await?;
        return Ok(Reply::new(&ctx, RunBody::session(answer)));
    }
    let asked = Line { line, timeout: timeout(body.timeout)?, sudo_password: body.sudo_password };
    let done = exec.execute(&ctx, asked).await?;
    Ok(Reply::new(&ctx, RunBody::done(done)))
}

/// Start a session, or answer one
#[utoipa::path(post, path = "/execute/interactive", tag = "commands", request_body = InteractiveRequest, responses(
    (status = 200, body = Reply<RunBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 404, body = Failure), (status = 413, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn interactive(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Json(body, _): Json<Localhost, InteractiveRequest>,
) -> Answered {
    let exec = exec(&app)?;
    let answer = match (body.session_id, body.response) {
        (None, None) => {
            let line = command(body.command)?;
            let answer = exec.start_session(&ctx, &line, body.sudo_password.as_ref()).await?;
            let message = Some("Interactive session started");
            return Ok(Reply::new(&ctx, RunBody { message, ..RunBody::session(answer) }));
        }
        (Some(session), Some(response)) => exec.send_input(&ctx, &session, &format!("{response}\n")).await?,
        _ => return Err(Error::new(ErrorCode::Invalid, "Session ID and response are required").into()),
    };
    Ok(Reply::new(&ctx, RunBody::session(answer)))
}

/// Type into a session
#[utoipa::path(post, path = "/execute/send-input", tag = "commands", request_body = InputRequest, responses(
    (status = 200, body = Reply<RunBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 404, body = Failure), (status = 408, body = Failure),
    (status = 413, body = Failure), (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn send_input(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Json(body, _): Json<Localhost, InputRequest>,
) -> Answered {
    let (session, input) = (needed("session_id", body.session_id)?, needed("input", body.input)?);
    let answer = exec(&app)?.send_input(&ctx, &session, &input).await?;
    Ok(Reply::new(&ctx, RunBody::session(answer)))
}

/// End a session
#[utoipa::path(post, path = "/execute/terminate-session", tag = "commands", request_body = SessionRequest, responses(
    (status = 200, body = Reply<EndedBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 404, body = Failure), (status = 413, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn terminate(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Json(body, _): Json<Localhost, SessionRequest>,
) -> std::result::Result<Reply<EndedBody>, Fail<Localhost>> {
    let session_id = needed("session_id", body.session_id)?;
    exec(&app)?.terminate_session(&ctx, &session_id).await?;
    Ok(Reply::new(&ctx, EndedBody { message: "Session terminated", session_id }))
}
