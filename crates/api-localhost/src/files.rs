//! `/api/files`: upload, list, deletion, room.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use orrery_app::{App, Ctx};
use orrery_http_kit::multipart::Form;
use orrery_http_kit::{Fail, Known, Segment};
use orrery_identity::Action;
use orrery_kernel::{Error, ErrorCode, Result};
use orrery_storage::files::{FileRecord, Usage};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::Localhost;
use crate::reply::{Failure, Reply};

type Answer<T> = std::result::Result<T, Fail<Localhost>>;

/// Bytes of a form beside its files.
pub const FORM_BYTES: u64 = 1_048_576;
/// Files of one form.
const FILES_MAX: usize = 100;

/// A kept file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FileBody {
    /// The name it is asked for by.
    pub(crate) filename: String,
    /// What its owner calls it.
    pub(crate) original_name: String,
    size: u64,
    size_mb: f64,
    uploaded_at: String,
    mime_type: String,
    /// SHA-256 of its bytes, in hex.
    hash: String,
    /// Where it is downloaded.
    url: String,
}

/// `POST /api/files/upload`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadedBody {
    message: String,
    /// The first file.
    filename: String,
    original_name: String,
    size: u64,
    url: String,
    /// All files.
    files: Vec<FileBody>,
    /// Those that were not kept, and why; null without.
    errors: Option<Vec<String>>,
}

/// `GET /api/files/list`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListBody {
    /// Newest first.
    files: Vec<FileBody>,
    count: usize,
    storage_info: StorageBody,
}

/// What files take, and may.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StorageBody {
    used_bytes: u64,
    used_mb: f64,
    used_gb: f64,
    max_bytes: u64,
    max_gb: f64,
    available_bytes: u64,
    usage_percent: f64,
    file_count: u64,
    total_files: u64,
    total_size_mb: f64,
}

/// `GET /api/files/storage-info`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StorageReply {
    storage: StorageBody,
}

/// `DELETE /api/files/delete/{filename}`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedBody {
    message: String,
    filename: String,
}

/// A form with a file.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "for the description only; forms are read as they arrive")]
pub(crate) struct UploadForm {
    /// The file; `files` is taken too, also several times.
    #[schema(value_type = String, format = Binary)]
    file: String,
}

/// `bytes` in units of `unit` bytes, rounded to `digits` decimals.
pub(crate) fn rounded(bytes: u64, unit: u64, digits: u32) -> f64 {
    let scale = 10_u128.pow(digits);
    let units = (u128::from(bytes) * scale * 2 / u128::from(unit)).div_ceil(2);
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let value = units as f64 / scale as f64;
    value
}

pub(crate) const MB: u64 = 1_048_576;
const GB: u64 = 1_073_741_824;

impl FileBody {
    pub(crate) fn of(file: &FileRecord) -> Self {
        Self {
            filename: file.name.clone(),
            original_name: file.original.clone(),
            size: file.size,
            size_mb: rounded(file.size, MB, 2),
            uploaded_at: file.at.iso(),
            mime_type: file.media_type.clone(),
            hash: file.sha256.clone(),
            url: format!("/api/files/download/{}", file.name),
        }
    }
}

impl StorageBody {
    fn of(usage: Usage, max: u64) -> Self {
        Self {
            used_bytes: usage.bytes,
            used_mb: rounded(usage.bytes, MB, 2),
            used_gb: rounded(usage.bytes, GB, 3),
            max_bytes: max,
            max_gb: rounded(max, GB, 1),
            available_bytes: max.saturating_sub(usage.bytes + usage.held),
            usage_percent: if max == 0 { 100.0 } else { rounded(usage.bytes.saturating_mul(100), max, 2) },
            file_count: usage.count,
            total_files: usage.count,
            total_size_mb: rounded(usage.bytes, MB, 2),
        }
    }
}

/// Refuses what says itself that it is too large, before any of it is read.
pub(crate) fn bounded(headers: &HeaderMap, file_bytes: u64) -> Result<()> {
    let declared = headers.get(http::header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|bytes| bytes > file_bytes.saturating_add(FORM_BYTES)) {
        let text = format!("File too large: at most {file_bytes} bytes are taken");
        return Err(Error::new(ErrorCode::TooLarge, text));
    }
    Ok(())
}

/// Upload files
///
/// A form with `file` or any number of `files`.
#[utoipa::path(post, path = "/files/upload", tag = "files",
    request_body(content = UploadForm, content_type = "multipart/form-data"), responses(
    (status = 200, body = Reply<UploadedBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 413, body = Failure), (status = 429, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn upload(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    request: Request,
) -> Answer<Response> {
    let (parts, body) = request.into_parts();
    let kept = receive_all(&app, &ctx, &parts, body).await?;
    for file in &kept.files {
        tell(&app, &ctx, "upload", &file.filename, Some(file.size)).await;
    }
    Ok(Reply::new(&ctx, kept).into_response())
}

/// Tells the user on the topic what was done with a file of theirs.
pub(crate) async fn tell(app: &App, ctx: &Ctx, operation: &'static str, filename: &str, size: Option<u64>) {
    let Some(caller) = &ctx.caller else { return };
    let mut data = json!({ "operation": operation, "filename": filename });
    if let Some(size) = size {
        data["size"] = json!(size);
    }
    app.topics.tell_user(caller.user, "file_operations", data).await;
}

async fn receive_all(app: &App, ctx: &Ctx, parts: &Parts, body: Body) -> Result<UploadedBody> {
    ctx.authorize(Action::Store)?;
    bounded(&parts.headers, app.files.settings().file_bytes)?;
    let mut form = Form::new(&parts.headers, body)?;
    let (mut files, mut faults): (Vec<FileBody>, Vec<Error>) = (Vec::new(), Vec::new());
    while let Some(part) = form.next().await? {
        let Some(given) = part.filename.filter(|_| matches!(part.name.as_str(), "file" | "files" | "files[]")) else {
            continue;
        };
        if files.len() + faults.len() >= FILES_MAX {
            return Err(Error::new(ErrorCode::TooLarge, format!("At most {FILES_MAX} files are taken at a time")));
        }
        match receive(app, ctx, &mut form, &given).await {
            Ok(file) => files.push(FileBody::of(&file)),
            Err(e) if matches!(e.code, ErrorCode::Invalid | ErrorCode::TooLarge) => faults.push(e),
            Err(e) => return Err(e),
        }
    }
    let Some(first) = files.first().cloned() else {
        // one that was too large says more than that there was none
        let worst = faults.into_iter().max_by_key(|e| e.code == ErrorCode::TooLarge);
        return Err(worst.unwrap_or_else(|| Error::invalid("file", "No file provided")));
    };
    let message = match files.len() {
        1 => "File uploaded successfully".to_owned(),
        n => format!("{n} files uploaded successfully"),
    };
    let errors = (!faults.is_empty()).then(|| faults.iter().map(ToString::to_string).collect());
    let FileBody { filename, original_name, size, url, .. } = first;
    Ok(UploadedBody { message, filename, original_name, size, url, files, errors })
}

async fn receive(app: &App, ctx: &Ctx, form: &mut Form, given: &str) -> Result<FileRecord> {
    if given.is_empty() {
        return Err(Error::invalid("file", "No file selected"));
    }
    // only what fits is worth keeping room for; more is found out by counting
    let expected = form.length_if_last().filter(|bytes| *bytes <= app.files.settings().file_bytes);
    let mut receiving = app.files.receive(ctx, given, expected).await?;
    while let Some(chunk) = form.chunk().await.transpose() {
        let written = match chunk {
            Ok(chunk) => receiving.write(chunk).await,
            Err(e) => Err(e),
        };
        if let Err(e) = written {
            receiving.abandon().await;
            return Err(e);
        }
    }
    receiving.finish().await
}

/// All files
#[utoipa::path(get, path = "/files/list", tag = "files", responses((status = 200, body = Reply<ListBody>),
    (status = 401, body = Failure), (status = 429, body = Failure)), security(("bearer" = []), ("session" = [])))]
pub(crate) async fn list(State(app): State<Arc<App>>, Known(ctx, _): Known<Localhost>) -> Answer<Reply<ListBody>> {
    let files: Vec<_> = app.files.list(&ctx).await?.iter().map(FileBody::of).collect();
    let storage_info = StorageBody::of(app.files.usage(&ctx).await?, app.files.settings().quota);
    Ok(Reply::new(&ctx, ListBody { count: files.len(), files, storage_info }))
}

/// Room for files
#[utoipa::path(get, path = "/files/storage-info", tag = "files", responses((status = 200, body = Reply<StorageReply>),
    (status = 401, body = Failure), (status = 429, body = Failure)), security(("bearer" = []), ("session" = [])))]
pub(crate) async fn storage_info(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
) -> Answer<Reply<StorageReply>> {
    let storage = StorageBody::of(app.files.usage(&ctx).await?, app.files.settings().quota);
    Ok(Reply::new(&ctx, StorageReply { storage }))
}

/// Room for files, as it was called before
#[utoipa::path(get, path = "/files/storage", tag = "files", responses((status = 200, body = Reply<StorageReply>),
    (status = 401, body = Failure), (status = 429, body = Failure)), security(("bearer" = []), ("session" = [])))]
pub(crate) async fn storage(state: State<Arc<App>>, known: Known<Localhost>) -> Answer<Reply<StorageReply>> {
    storage_info(state, known).await
}

/// Delete a file
#[utoipa::path(delete, path = "/files/delete/{filename}", tag = "files",
    params(("filename" = String, Path, description = "Its name")), responses(
    (status = 200, body = Reply<DeletedBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 404, body = Failure), (status = 429, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Segment(filename, _): Segment<Localhost>,
) -> Answer<Reply<DeletedBody>> {
    app.files.remove(&ctx, &filename).await?;
    tell(&app, &ctx, "delete", &filename, None).await;
    Ok(Reply::new(&ctx, DeletedBody { message: "File deleted successfully".into(), filename }))
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn numbers_for_people() {
        assert_eq!(rounded(52_428_800, 1_048_576, 2), 50.0);
        assert_eq!(rounded(52_428_800, 1_073_741_824, 3), 0.049);
        assert_eq!(rounded(52_428_800 * 100, 5_368_709_120, 2), 0.98);
        assert_eq!(rounded(1, 1_048_576, 2), 0.0);
        assert_eq!(rounded(u64::MAX, 1, 2), 18_446_744_073_709_551_615.0);
    }
}
