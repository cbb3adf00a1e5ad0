//! `/api/programs/execute` and `execute-terminal`: runs of what users keep here.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use orrery_app::exec::{Done, Exec, Line, Placed, ProgramRun};
use orrery_app::programs::{NoMainFile, Runnable};
use orrery_app::{App, Ctx};
use orrery_http_kit::{ErrorShape as _, Fail, Json, Known, Refused, Segment};
use orrery_kernel::{Error, Result, Secret};
use orrery_storage::programs::{Program, Run};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::Localhost;
use crate::execute::{RunBody, exec, needed, timeout};
use crate::programs::FileBody;
use crate::reply::{Failure, Reply};

type Answered = std::result::Result<Response, Fail<Localhost>>;

/// `POST /api/programs/execute/{id}`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = ProgramExecuteRequest)]
pub(crate) struct ExecuteRequest {
    /// In one text, split by a shell's quoting rules without a shell.
    arguments: Option<String>,
    /// One by one; instead of `arguments`.
    args: Option<Vec<String>>,
    /// Only where `exec.allow_sudo` is on. Never kept.
    #[schema(value_type = Option<String>, format = Password)]
    sudo_password: Option<Secret<String>>,
    /// Seconds.
    timeout: Option<f64>,
    /// Start a session instead.
    #[serde(default)]
    interactive: bool,
    /// A file of a project instead of its main file.
    specific_file: Option<String>,
}

/// `POST /api/programs/execute-terminal/{id}`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProjectLineRequest {
    /// For `/bin/sh -c`, in the project's folder.
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

/// A project without a main file, and what may be it: the page asks.
fn no_main_file(missing: &NoMainFile) -> Response {
    let error = Error::invalid("specific_file", "The project has no main file");
    let mut body = Localhost::body(&error);
    body["need_main_file"] = json!(true);
    body["project_id"] = json!(missing.program.id);
    body["candidates"] = json!(missing.candidates.iter().map(FileBody::of).collect::<Vec<_>>());
    let mut response = Fail::<Localhost>::from(error).into_response();
    response.extensions_mut().insert(Refused(body));
    response
}

fn placed(runnable: &Runnable) -> Placed {
    Placed {
        folder: runnable.folder.clone(),
        file: runnable.file.clone(),
        interpreter: runnable.language.interpreter(),
    }
}

/// Counts a run, however it ended; one that was not begun is none.
async fn counted(app: &App, ctx: &Ctx, program: &Program, shown: &str, done: &Result<Done>) -> Result<()> {
    let (return_code, micros) = match done {
        Ok(done) => (Some(done.return_code), u64::try_from(done.took.as_micros()).unwrap_or(u64::MAX)),
        Err(error) if error.code == orrery_kernel::ErrorCode::Timeout => (None, 0),
        Err(_) => return Ok(()),
    };
    let command = done.as_ref().map_or_else(|_| shown.to_owned(), |done| done.command.clone());
    app.programs.count_run(ctx, program, Run { at: ctx.now, command, return_code, micros }).await
}

/// Run a program
#[utoipa::path(post, path = "/programs/execute/{program_id}", tag = "programs", request_body = ExecuteRequest,
    params(("program_id" = String, Path, description = "Its id, or its file's name")), responses(
    (status = 200, body = Reply<RunBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 404, body = Failure), (status = 408, body = Failure),
    (status = 413, body = Failure), (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn execute(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Segment(id, _): Segment<Localhost>,
    Json(body, _): Json<Localhost, ExecuteRequest>,
) -> Answered {
    let exec = exec(&app)?;
    let arguments = match (body.args, body.arguments) {
        (Some(args), _) => args,
        (None, Some(text)) => Exec::arguments(&text)?,
        (None, None) => Vec::new(),
    };
    let asked = ProgramRun { arguments, timeout: timeout(body.timeout)?, sudo_password: body.sudo_password };
    let runnable = match app.programs.runnable(&ctx, &id, body.specific_file.as_deref()).await? {
        Ok(runnable) => runnable,
        Err(missing) => return Ok(no_main_file(&missing)),
    };
    let (placed, program_type) = (placed(&runnable), Some(runnable.language.name()));
    if body.interactive {
        let answer = exec.start_program(&ctx, &placed, &asked).await?;
        let run = Run { at: ctx.now, command: answer.command.clone(), return_code: answer.return_code, micros: 0 };
        app.programs.count_run(&ctx, &runnable.program, run).await?;
        return Ok(Reply::new(&ctx, RunBody { program_type, ..RunBody::session(answer) }).into_response());
    }
    let done = exec.run_program(&ctx, &placed, asked).await;
    counted(&app, &ctx, &runnable.program, &runnable.file, &done).await?;
    Ok(Reply::new(&ctx, RunBody { program_type, ..RunBody::done(done?) }).into_response())
}

/// Run a command in a project's folder
#[utoipa::path(post, path = "/programs/execute-terminal/{project_id}", tag = "programs",
    request_body = ProjectLineRequest, params(("project_id" = String, Path, description = "The project")), responses(
    (status = 200, body = Reply<RunBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 404, body = Failure), (status = 408, body = Failure),
    (status = 413, body = Failure), (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn execute_terminal(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Segment(id, _): Segment<Localhost>,
    Json(body, _): Json<Localhost, ProjectLineRequest>,
) -> Answered {
    let exec = exec(&app)?;
    let line = needed("command", body.command)?;
    let (program, folder) = app.programs.folder(&ctx, &id).await?;
    let run = if body.interactive {
        RunBody::session(exec.start_in_project(&ctx, folder, &line, body.sudo_password.as_ref()).await?)
    } else {
        let asked = Line { line, timeout: timeout(body.timeout)?, sudo_password: body.sudo_password };
        RunBody::done(exec.run_in_project(&ctx, folder, asked).await?)
    };
    // below the server's data, wherever that is
    let directory = format!("data/programs/{}", program.id);
    let run = RunBody { working_directory: Some(directory.clone()), cwd: Some(directory), ..run };
    Ok(Reply::new(&ctx, run).into_response())
}
