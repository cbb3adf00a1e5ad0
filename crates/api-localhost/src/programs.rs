//! `/api/programs`: upload, list, main files, deletion.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use orrery_app::programs::{NewProgram, Receiving};
use orrery_app::{App, Ctx};
use orrery_http_kit::multipart::{Form, Part};
use orrery_http_kit::{Fail, Json, Known, Segment};
use orrery_identity::Action;
use orrery_kernel::{Error, Result, Timestamp};
use orrery_storage::programs::{Kind, Program, ProgramFile, Run};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Localhost;
use crate::files::{MB, bounded, rounded, tell};
use crate::reply::{Failure, Reply};

/// Bytes of a form's texts.
const TEXT_BYTES_MAX: usize = 8_192;

type Answer<T> = std::result::Result<Reply<T>, Fail<Localhost>>;

/// A program, with the names of the document and those of the pages of its time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ProgramBody {
    /// Of a single file and of a project.
    program_id: String,
    /// Of a project.
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_name: Option<String>,
    /// A single file's name, or a project's.
    filename: String,
    original_name: String,
    original_filename: String,
    description: String,
    /// `single` or `project`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What runs it: `python`, `bash`, `javascript`, `perl`, `ruby`, `binary`, `unknown`.
    program_type: &'static str,
    size: u64,
    total_size: u64,
    file_count: u64,
    main_file: Option<String>,
    upload_time: String,
    execution_count: u64,
    last_executed: Option<String>,
}

impl ProgramBody {
    pub(crate) fn of(program: &Program) -> Self {
        let project = |text: &str| (program.kind == Kind::Project).then(|| text.to_owned());
        Self {
            program_id: program.id.clone(),
            project_id: project(&program.id),
            project_name: project(&program.name),
            filename: program.name.clone(),
            original_name: program.original.clone(),
            original_filename: program.original.clone(),
            description: program.description.clone(),
            kind: program.kind.name(),
            program_type: program.language.name(),
            size: program.size,
            total_size: program.size,
            file_count: program.file_count,
            main_file: program.main_file.clone(),
            upload_time: program.at.iso(),
            execution_count: program.executions,
            last_executed: program.last_executed.map(Timestamp::iso),
        }
    }
}

/// A file of a program.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ProgramFileBody)]
pub(crate) struct FileBody {
    filename: String,
    /// Below the program's folder.
    pub(crate) relative_path: String,
    pub(crate) program_type: &'static str,
    pub(crate) size: u64,
    pub(crate) is_executable: bool,
}

impl FileBody {
    pub(crate) fn of(file: &ProgramFile) -> Self {
        Self {
            filename: file.path.rsplit('/').next().unwrap_or_default().to_owned(),
            relative_path: file.path.clone(),
            program_type: file.language.name(),
            size: file.size,
            is_executable: file.language.runs(),
        }
    }
}

/// `POST /api/programs/upload`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProgramUploadedBody)]
pub(crate) struct UploadedBody {
    message: String,
    program_id: String,
    filename: String,
    original_name: String,
    size: u64,
    /// Below the server's data, wherever that is.
    storage_path: String,
    program: ProgramBody,
}

/// `POST /api/programs/upload-zip` and `upload-multiple`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProjectUploadedBody {
    message: String,
    project_id: String,
    project_name: String,
    /// Paths below the project's folder.
    files: Vec<String>,
    file_count: u64,
    main_file: Option<String>,
    storage_path: String,
    project: ProgramBody,
}

/// A form with a program.
#[derive(Debug, ToSchema)]
#[schema(as = ProgramUploadForm)]
#[expect(dead_code, reason = "for the description only; forms are read as they arrive")]
pub(crate) struct UploadForm {
    /// The program, or the archive.
    #[schema(value_type = String, format = Binary)]
    file: String,
    /// A project's name.
    project_name: Option<String>,
    /// In its owner's words.
    description: Option<String>,
}

/// A form with the files of a project.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "for the description only; forms are read as they arrive")]
pub(crate) struct ProjectForm {
    /// The files. Where each belongs says `path_<name>`, or its own name.
    #[schema(value_type = Vec<String>, format = Binary)]
    files: Vec<String>,
    /// The project's name.
    project_name: Option<String>,
    /// In its owner's words.
    description: Option<String>,
}

/// What of a form is no file.
#[derive(Default)]
struct Texts {
    project_name: Option<String>,
    description: String,
    /// By the file's name.
    paths: BTreeMap<String, String>,
}

impl Texts {
    async fn read(&mut self, form: &mut Form, part: &Part) -> Result<()> {
        let text = form.text(TEXT_BYTES_MAX).await?;
        match part.name.as_str() {
            "project_name" => self.project_name = Some(text).filter(|t| !t.trim().is_empty()),
            "description" => self.description = text,
            name => {
                if let Some(file) = name.strip_prefix("path_") {
                    self.paths.insert(file.to_owned(), text);
                }
            }
        }
        Ok(())
    }
}

/// Where a program is kept, as far as clients are told.
fn storage_path(id: &str) -> String {
    format!("data/programs/{id}/")
}

async fn copy(form: &mut Form, receiving: &mut Receiving<'_>) -> Result<()> {
    while let Some(chunk) = form.chunk().await? {
        receiving.write(chunk).await?;
    }
    Ok(())
}

/// The first file of a form, as a program or an archive, and what else the form says.
async fn one_file(app: &App, ctx: &Ctx, request: Request, kind: Kind) -> Result<(Program, Vec<ProgramFile>)> {
    ctx.authorize(Action::Store)?;
    let (parts, body) = request.into_parts();
    bounded(&parts.headers, app.files.settings().file_bytes)?;
    let mut form = Form::new(&parts.headers, body)?;
    let (mut texts, mut received) = (Texts::default(), None);
    while let Some(part) = form.next().await? {
        let Some(given) = part.filename.as_ref().filter(|_| received.is_none()) else {
            texts.read(&mut form, &part).await?;
            continue;
        };
        if given.is_empty() {
            return Err(Error::invalid("file", "No file selected"));
        }
        let expected = form.length_if_last().filter(|bytes| *bytes <= app.files.settings().file_bytes);
        let mut receiving = app.programs.receive(ctx, expected).await?;
        match kind {
            Kind::Single => receiving.begin_single(given).await?,
            Kind::Project => receiving.begin_archive().await?,
        }
        copy(&mut form, &mut receiving).await?;
        if kind == Kind::Project {
            receiving.unpack().await?;
        }
        received = Some((receiving, given.clone()));
    }
    let (receiving, original) = received.ok_or_else(|| Error::invalid("file", "No file provided"))?;
    let about = NewProgram { original, project_name: texts.project_name, description: texts.description };
    receiving.finish(kind, about).await
}

/// Upload a program
///
/// A form with `file`, and perhaps `description`.
#[utoipa::path(post, path = "/programs/upload", tag = "programs",
    request_body(content = UploadForm, content_type = "multipart/form-data"), responses(
    (status = 200, body = Reply<UploadedBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 413, body = Failure), (status = 429, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn upload(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    request: Request,
) -> Answer<UploadedBody> {
    let (program, _) = one_file(&app, &ctx, request, Kind::Single).await?;
    tell(&app, &ctx, "upload", &program.name, Some(program.size)).await;
    let body = UploadedBody {
        message: "Program uploaded successfully".into(),
        program_id: program.id.clone(),
        filename: program.name.clone(),
        original_name: program.original.clone(),
        size: program.size,
        storage_path: storage_path(&program.id),
        program: ProgramBody::of(&program),
    };
    Ok(Reply::new(&ctx, body))
}

fn project_body(project: &Program, files: &[ProgramFile]) -> ProjectUploadedBody {
    ProjectUploadedBody {
        message: "Project uploaded successfully".into(),
        project_id: project.id.clone(),
        project_name: project.name.clone(),
        files: files.iter().map(|file| file.path.clone()).collect(),
        file_count: project.file_count,
        main_file: project.main_file.clone(),
        storage_path: storage_path(&project.id),
        project: ProgramBody::of(project),
    }
}

/// Upload a project as a ZIP archive
///
/// A form with `file`, and perhaps `project_name` and `description`.
#[utoipa::path(post, path = "/programs/upload-zip", tag = "programs",
    request_body(content = UploadForm, content_type = "multipart/form-data"), responses(
    (status = 200, body = Reply<ProjectUploadedBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 413, body = Failure), (status = 429, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn upload_zip(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    request: Request,
) -> Answer<ProjectUploadedBody> {
    let (project, files) = one_file(&app, &ctx, request, Kind::Project).await?;
    tell(&app, &ctx, "upload", &project.name, Some(project.size)).await;
    Ok(Reply::new(&ctx, project_body(&project, &files)))
}

/// Upload a project file by file
///
/// A form with `files`; `path_<name>` before a file, or its own name, says where it belongs.
#[utoipa::path(post, path = "/programs/upload-multiple", tag = "programs",
    request_body(content = ProjectForm, content_type = "multipart/form-data"), responses(
    (status = 200, body = Reply<ProjectUploadedBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 413, body = Failure), (status = 429, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn upload_multiple(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    request: Request,
) -> Answer<ProjectUploadedBody> {
    let (project, files) = many_files(&app, &ctx, request).await?;
    tell(&app, &ctx, "upload", &project.name, Some(project.size)).await;
    Ok(Reply::new(&ctx, project_body(&project, &files)))
}

async fn many_files(app: &App, ctx: &Ctx, request: Request) -> Result<(Program, Vec<ProgramFile>)> {
    ctx.authorize(Action::Store)?;
    let (parts, body) = request.into_parts();
    bounded(&parts.headers, app.files.settings().file_bytes)?;
    let mut form = Form::new(&parts.headers, body)?;
    let mut receiving = app.programs.receive(ctx, None).await?;
    let (mut texts, mut first) = (Texts::default(), None);
    while let Some(part) = form.next().await? {
        let Some(given) = part.filename.as_ref().filter(|given| !given.is_empty()) else {
            texts.read(&mut form, &part).await?;
            continue;
        };
        let path = texts.paths.get(given).unwrap_or(given);
        receiving.begin_at(path).await?;
        copy(&mut form, &mut receiving).await?;
        first.get_or_insert_with(|| given.clone());
    }
    let original = first.ok_or_else(|| Error::invalid("files", "No files provided"))?;
    let about = NewProgram { original, project_name: texts.project_name, description: texts.description };
    receiving.finish(Kind::Project, about).await
}

/// `GET /api/programs/list`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProgramListBody)]
pub(crate) struct ListBody {
    /// Newest first.
    programs: Vec<ProgramBody>,
    count: usize,
}

/// All programs
#[utoipa::path(get, path = "/programs/list", tag = "programs", responses((status = 200, body = Reply<ListBody>),
    (status = 401, body = Failure), (status = 429, body = Failure)), security(("bearer" = []), ("session" = [])))]
pub(crate) async fn list(State(app): State<Arc<App>>, Known(ctx, _): Known<Localhost>) -> Answer<ListBody> {
    let programs: Vec<_> = app.programs.list(&ctx).await?.iter().map(ProgramBody::of).collect();
    Ok(Reply::new(&ctx, ListBody { count: programs.len(), programs }))
}

/// A run that is over.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProgramRunBody)]
pub(crate) struct RunBody {
    executed_at: String,
    command: String,
    /// Null when it was ended.
    return_code: Option<i32>,
    /// Seconds.
    execution_time: f64,
}

impl RunBody {
    fn of(run: &Run) -> Self {
        Self {
            executed_at: run.at.iso(),
            command: run.command.clone(),
            return_code: run.return_code,
            execution_time: rounded(run.micros, 1_000_000, 3),
        }
    }
}

/// A program with its files and runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WholeBody {
    #[serde(flatten)]
    program: ProgramBody,
    files: Vec<FileBody>,
    /// Newest first, at most 50.
    history: Vec<RunBody>,
}

/// `GET /api/programs/info/{id}`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InfoBody {
    program: WholeBody,
}

/// One program
#[utoipa::path(get, path = "/programs/info/{id}", tag = "programs",
    params(("id" = String, Path, description = "Its id, or its file's name")), responses(
    (status = 200, body = Reply<InfoBody>), (status = 401, body = Failure), (status = 404, body = Failure),
    (status = 429, body = Failure)), security(("bearer" = []), ("session" = [])))]
pub(crate) async fn info(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Segment(id, _): Segment<Localhost>,
) -> Answer<InfoBody> {
    let program = app.programs.find(&ctx, &id).await?;
    let files = app.programs.files(&ctx, &program).await?.iter().map(FileBody::of).collect();
    let history = app.programs.history(&ctx, &program.id).await?.iter().map(RunBody::of).collect();
    let program = WholeBody { program: ProgramBody::of(&program), files, history };
    Ok(Reply::new(&ctx, InfoBody { program }))
}

/// `GET /api/programs/project/{id}/files`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FilesBody {
    project_id: String,
    project: ProgramBody,
    files: Vec<FileBody>,
    count: usize,
}

/// The files of a project
#[utoipa::path(get, path = "/programs/project/{id}/files", tag = "programs",
    params(("id" = String, Path, description = "Its id")), responses(
    (status = 200, body = Reply<FilesBody>), (status = 401, body = Failure), (status = 404, body = Failure),
    (status = 429, body = Failure)), security(("bearer" = []), ("session" = [])))]
pub(crate) async fn files(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Segment(id, _): Segment<Localhost>,
) -> Answer<FilesBody> {
    let project = app.programs.find(&ctx, &id).await?;
    let files: Vec<_> = app.programs.files(&ctx, &project).await?.iter().map(FileBody::of).collect();
    let (project_id, project) = (project.id.clone(), ProgramBody::of(&project));
    Ok(Reply::new(&ctx, FilesBody { project_id, project, count: files.len(), files }))
}

/// `POST /api/programs/project/{id}/set-main`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct MainRequest {
    /// The file's path below the project's folder.
    main_file: Option<String>,
    /// The same under its older name.
    relative_path: Option<String>,
}

/// What it answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MainBody {
    message: String,
    project_id: String,
    main_file: Option<String>,
    project: ProgramBody,
}

/// Say which file of a project is run
#[utoipa::path(post, path = "/programs/project/{id}/set-main", tag = "programs", request_body = MainRequest,
    params(("id" = String, Path, description = "Its id")), responses(
    (status = 200, body = Reply<MainBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 404, body = Failure), (status = 413, body = Failure),
    (status = 429, body = Failure)), security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn set_main(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Segment(id, _): Segment<Localhost>,
    Json(body, _): Json<Localhost, MainRequest>,
) -> Answer<MainBody> {
    let path = body.main_file.or(body.relative_path).filter(|path| !path.is_empty());
    let path = path.ok_or_else(|| Error::invalid("main_file", "main_file is required"))?;
    let project = app.programs.set_main(&ctx, &id, &path).await?;
    let body = MainBody {
        message: "Main file updated successfully".into(),
        project_id: project.id.clone(),
        main_file: project.main_file.clone(),
        project: ProgramBody::of(&project),
    };
    Ok(Reply::new(&ctx, body))
}

/// `DELETE /api/programs/delete/{id}`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProgramDeletedBody)]
pub(crate) struct DeletedBody {
    message: String,
    program_id: String,
}

/// Delete a program
#[utoipa::path(delete, path = "/programs/delete/{id}", tag = "programs",
    params(("id" = String, Path, description = "Its id, or its file's name")), responses(
    (status = 200, body = Reply<DeletedBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 404, body = Failure), (status = 429, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Segment(id, _): Segment<Localhost>,
) -> Answer<DeletedBody> {
    let program = app.programs.remove(&ctx, &id).await?;
    tell(&app, &ctx, "delete", &program.name, None).await;
    Ok(Reply::new(&ctx, DeletedBody { message: "Program deleted successfully".into(), program_id: program.id }))
}

/// What programs take.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProgramStorageBody)]
pub(crate) struct StorageBody {
    pub(crate) total_programs: usize,
    pub(crate) total_projects: usize,
    pub(crate) total_files: u64,
    pub(crate) total_size: u64,
    pub(crate) total_size_mb: f64,
    /// How many by what runs them.
    pub(crate) program_types: BTreeMap<&'static str, u64>,
}

/// `GET /api/programs/storage-info`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProgramStorageReply)]
pub(crate) struct StorageReply {
    storage: StorageBody,
}

impl StorageBody {
    pub(crate) fn of(programs: &[Program]) -> Self {
        let mut program_types = BTreeMap::new();
        for program in programs {
            *program_types.entry(program.language.name()).or_default() += 1;
        }
        let total_size = programs.iter().map(|p| p.size).sum();
        let projects = programs.iter().filter(|p| p.kind == Kind::Project).count();
        Self {
            total_programs: programs.len() - projects,
            total_projects: projects,
            total_files: programs.iter().map(|p| p.file_count).sum(),
            total_size,
            total_size_mb: rounded(total_size, MB, 2),
            program_types,
        }
    }
}

/// Room of programs
#[utoipa::path(get, path = "/programs/storage-info", tag = "programs", responses(
    (status = 200, body = Reply<StorageReply>), (status = 401, body = Failure), (status = 429, body = Failure)),
    security(("bearer" = []), ("session" = [])))]
pub(crate) async fn storage_info(State(app): State<Arc<App>>, Known(ctx, _): Known<Localhost>) -> Answer<StorageReply> {
    let programs = app.programs.list(&ctx).await?;
    Ok(Reply::new(&ctx, StorageReply { storage: StorageBody::of(&programs) }))
}
