//! Resumable uploads: tus 1.0.0 with creation, creation-with-upload, checksum, expiration and termination.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use orrery_app::files::{CHECKSUM_FIELD, Checksum, Progress};
use orrery_app::{App, Ctx};
use orrery_http_kit::{Fail, Known, Segment};
use orrery_identity::Action;
use orrery_kernel::{Error, ErrorCode, Result};

use crate::Localhost;
use crate::files::tell;
use crate::http_date::http_date;
use crate::reply::Failure;

const VERSION: &str = "1.0.0";
const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
/// The protocol's own: what came is not what the checksum says.
const CHECKSUM_MISMATCH: u16 = 460;
const PART: &str = "application/offset+octet-stream";
/// Most bytes of a client's own words about an upload.
const METADATA_BYTES_MAX: usize = 4_096;

type Answer = std::result::Result<Response, Fail<Localhost>>;

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn bare(status: StatusCode) -> Response {
    let mut response = status.into_response();
    set(&mut response, RESUMABLE, VERSION);
    response
}

/// A request of another version is answered with ours.
fn other_version(headers: &HeaderMap) -> Option<Response> {
    if headers.get(RESUMABLE).is_some_and(|v| v == VERSION) {
        return None;
    }
    let mut response = bare(StatusCode::PRECONDITION_FAILED);
    set(&mut response, HeaderName::from_static("tus-version"), VERSION);
    Some(response)
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// `filename` of `filename d29ybGQ=,other …`.
fn file_name(metadata: &str) -> Option<String> {
    let pairs = metadata.split(',').filter_map(|pair| pair.trim().split_once(' '));
    let value = pairs.into_iter().find(|(key, _)| *key == "filename" || *key == "name")?.1;
    String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()
}

/// The checksum of the part that comes, if the client sent one: `sha1 Lve95gjOVATpfV8EL5X4nxwjKHE=`.
fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>> {
    let Some(given) = headers.get(CHECKSUM) else { return Ok(None) };
    let awaited = || {
        let (algorithm, sum) = given.to_str().ok()?.trim().split_once(' ')?;
        Checksum::awaited(algorithm, STANDARD.decode(sum.trim()).ok()?)
    };
    let known = Checksum::ALGORITHMS.join(" or ");
    let bad = || Error::invalid(CHECKSUM_FIELD, format!("{CHECKSUM_FIELD} must be {known} and the sum in Base64"));
    awaited().map(Some).ok_or_else(bad)
}

/// What a client said of a file, in the protocol's words.
fn described(progress: &Progress) -> String {
    match &progress.file {
        Some(file) => format!("filename {}", STANDARD.encode(&file.original)),
        None => progress.upload.metadata.clone(),
    }
}

fn told(mut response: Response, progress: &Progress) -> Response {
    set(&mut response, OFFSET, &progress.offset.to_string());
    match &progress.file {
        // where the file is that the upload became
        Some(file) => set(&mut response, header::CONTENT_LOCATION, &format!("/api/files/download/{}", file.name)),
        None => set(&mut response, EXPIRES, &http_date(progress.upload.until.secs())),
    }
    response
}

/// What resumable uploads there are
#[utoipa::path(options, path = "/files/tus", tag = "files", responses(
    (status = 204, description = "Version and extensions, in headers"), (status = 429, body = Failure)))]
pub(crate) async fn options(State(app): State<Arc<App>>) -> Response {
    let mut response = bare(StatusCode::NO_CONTENT);
    set(&mut response, HeaderName::from_static("tus-version"), VERSION);
    let extensions = "creation,creation-with-upload,checksum,expiration,termination";
    set(&mut response, HeaderName::from_static("tus-extension"), extensions);
    set(&mut response, HeaderName::from_static("tus-checksum-algorithm"), &Checksum::ALGORITHMS.join(","));
    let most = app.files.settings().file_bytes.to_string();
    set(&mut response, HeaderName::from_static("tus-max-size"), &most);
    response
}

/// Begin a resumable upload
///
/// tus 1.0.0: `Upload-Length` and, in `Upload-Metadata`, `filename`.
#[utoipa::path(post, path = "/files/tus", tag = "files", params(
    ("Tus-Resumable" = String, Header, description = "1.0.0"),
    ("Upload-Length" = u64, Header, description = "Bytes of the whole file"),
    ("Upload-Metadata" = Option<String>, Header, description = "`filename` and its name in Base64"),
    ("Upload-Checksum" = Option<String>, Header, description = "Of the part that comes along, as of any part")),
    responses((status = 201, description = "Begun; `Location` says where to send parts"),
    (status = 400, body = Failure), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 412, description = "Another version"), (status = 413, body = Failure), (status = 429, body = Failure),
    (status = 460, description = "The part is not what its checksum says, and nothing was begun", body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn create(State(app): State<Arc<App>>, Known(ctx, _): Known<Localhost>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    ctx.authorize(Action::Store)?;
    if let Some(refusal) = other_version(&parts.headers) {
        return Ok(refusal);
    }
    let checksum = checksum(&parts.headers)?;
    let progress = match begin(&app, &ctx, &parts, checksum, body).await {
        Err(e) if is_mismatch(&e) => return Ok(mismatch(e)),
        begun => begun?,
    };
    tell_if_whole(&app, &ctx, &progress).await;
    let mut response = told(bare(StatusCode::CREATED), &progress);
    // relative to where it was asked for, with its version
    let place = format!("{}/{}", parts_path(&parts), progress.upload.id);
    set(&mut response, header::LOCATION, &place);
    Ok(response)
}

async fn tell_if_whole(app: &App, ctx: &Ctx, progress: &Progress) {
    if let Some(file) = &progress.file {
        tell(app, ctx, "upload", &file.name, Some(file.size)).await;
    }
}

/// The path as the client asked for it.
fn parts_path(parts: &Parts) -> &str {
    let asked = parts.extensions.get::<axum::extract::OriginalUri>().map_or(parts.uri.path(), |uri| uri.0.path());
    asked.trim_end_matches('/')
}

async fn begin(app: &App, ctx: &Ctx, parts: &Parts, checksum: Option<Checksum>, body: Body) -> Result<Progress> {
    let headers = &parts.headers;
    let missing = || Error::invalid("Upload-Length", "Upload-Length must be the bytes of the whole file");
    let length = number(headers, &LENGTH).ok_or_else(missing)?;
    let metadata = headers.get(METADATA).map_or(Ok(""), |v| v.to_str()).unwrap_or_default().to_owned();
    if metadata.len() > METADATA_BYTES_MAX {
        return Err(Error::invalid("Upload-Metadata", "Upload-Metadata is too long"));
    }
    let given = file_name(&metadata).unwrap_or_else(|| "upload".into());
    let progress = app.files.begin_upload(ctx, &given, length, metadata).await?;
    let with_part = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == PART);
    if !with_part || progress.file.is_some() {
        return Ok(progress);
    }
    let id = progress.upload.id;
    let appended = append(app, ctx, &id, 0, checksum, body).await;
    if appended.as_ref().is_err_and(is_mismatch) {
        // the client does not know where it would send the part again
        app.files.abandon_upload(ctx, &id).await?;
    }
    appended
}

fn is_mismatch(error: &Error) -> bool {
    error.code == ErrorCode::Invalid && error.field == Some(CHECKSUM_FIELD)
}

/// The answer to a part that is not what its checksum says.
fn mismatch(error: Error) -> Response {
    with_status(error, StatusCode::from_u16(CHECKSUM_MISMATCH).unwrap_or(StatusCode::BAD_REQUEST))
}

/// Adds what comes. What came before the client went away stays, unless a checksum should tell whether it is whole.
async fn append(
    app: &App,
    ctx: &Ctx,
    id: &str,
    offset: u64,
    checksum: Option<Checksum>,
    mut body: Body,
) -> Result<Progress> {
    let mut part = app.files.next_part(ctx, id, offset, checksum).await?;
    while let Some(frame) = body.frame().await {
        let written = match frame.map(http_body::Frame::into_data) {
            Ok(Ok(bytes)) => part.write(bytes).await,
            Ok(Err(_)) => Ok(()),
            Err(_) => break,
        };
        if let Err(e) = written {
            // what is wrong with the part says more than that it is not whole
            return Err(part.finish().await.err().filter(|fault| !is_mismatch(fault)).unwrap_or(e));
        }
    }
    part.finish().await
}

/// How far a resumable upload is
#[utoipa::path(head, path = "/files/tus/{id}", tag = "files",
    params(("id" = String, Path, description = "From `Location`")), responses(
    (status = 200, description = "`Upload-Offset` and `Upload-Length`; of one that is whole they are the same"),
    (status = 401, description = "Not known"),
    (status = 404, description = "No such upload, or over"), (status = 412, description = "Another version"),
    (status = 429, description = "Too many")), security(("bearer" = []), ("session" = [])))]
pub(crate) async fn look(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    headers: HeaderMap,
    Segment(id, _): Segment<Localhost>,
) -> Answer {
    ctx.authorize(Action::Store)?;
    if let Some(refusal) = other_version(&headers) {
        return Ok(refusal);
    }
    let progress = app.files.upload(&ctx, &id).await?;
    let mut response = told(bare(StatusCode::OK), &progress);
    set(&mut response, LENGTH, &progress.upload.length.to_string());
    let metadata = described(&progress);
    if !metadata.is_empty() {
        set(&mut response, METADATA, &metadata);
    }
    set(&mut response, header::CACHE_CONTROL, "no-store");
    Ok(response)
}

/// Send the next part of a resumable upload
#[utoipa::path(patch, path = "/files/tus/{id}", tag = "files", params(
    ("id" = String, Path, description = "From `Location`"),
    ("Tus-Resumable" = String, Header, description = "1.0.0"),
    ("Upload-Offset" = u64, Header, description = "Bytes that are there"),
    ("Upload-Checksum" = Option<String>, Header, description = "`sha1` or `sha256` and the part's sum in Base64")),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"), responses(
    (status = 204, description = "`Upload-Offset` says how many bytes are there now"), (status = 400, body = Failure),
    (status = 401, body = Failure), (status = 403, body = Failure), (status = 404, body = Failure),
    (status = 409, body = Failure), (status = 412, description = "Another version"), (status = 413, body = Failure),
    (status = 415, body = Failure), (status = 429, body = Failure),
    (status = 460, description = "The part is not what its checksum says, and is not kept", body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn part(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Segment(id, _): Segment<Localhost>,
    request: Request,
) -> Answer {
    next(&app, &ctx, &id, request).await
}

async fn next(app: &App, ctx: &Ctx, id: &str, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    ctx.authorize(Action::Store)?;
    if let Some(refusal) = other_version(&parts.headers) {
        return Ok(refusal);
    }
    if parts.headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != PART) {
        let error = Error::invalid("Content-Type", format!("Content-Type must be {PART}"));
        return Ok(with_status(error, StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let missing = || Error::invalid("Upload-Offset", "Upload-Offset must be the bytes that are there");
    let offset = number(&parts.headers, &OFFSET).ok_or_else(missing)?;
    let checksum = checksum(&parts.headers)?;
    match append(app, ctx, id, offset, checksum, body).await {
        Ok(progress) => {
            tell_if_whole(app, ctx, &progress).await;
            Ok(told(bare(StatusCode::NO_CONTENT), &progress))
        }
        Err(e) if is_mismatch(&e) => Ok(mismatch(e)),
        Err(e) if e.code == ErrorCode::Conflict => Ok(with_status(e, StatusCode::CONFLICT)),
        Err(e) => Err(e.into()),
    }
}

/// A refusal whose status the protocol prescribes.
fn with_status(error: Error, status: StatusCode) -> Response {
    let mut response = Fail::<Localhost>::from(error).into_response();
    *response.status_mut() = status;
    set(&mut response, RESUMABLE, VERSION);
    response
}

/// Drop a resumable upload
///
/// One that is whole goes with its file.
#[utoipa::path(delete, path = "/files/tus/{id}", tag = "files",
    params(("id" = String, Path, description = "From `Location`")), responses(
    (status = 204, description = "It is gone"), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 404, body = Failure), (status = 412, description = "Another version"), (status = 429, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn drop_upload(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    headers: HeaderMap,
    Segment(id, _): Segment<Localhost>,
) -> Answer {
    ctx.authorize(Action::Store)?;
    if let Some(refusal) = other_version(&headers) {
        return Ok(refusal);
    }
    app.files.abandon_upload(&ctx, &id).await?;
    Ok(bare(StatusCode::NO_CONTENT))
}

/// The same through proxies that know only two methods
///
/// `X-HTTP-Method-Override` says which is meant: PATCH or DELETE.
#[utoipa::path(post, path = "/files/tus/{id}", tag = "files", params(
    ("id" = String, Path, description = "From `Location`"),
    ("X-HTTP-Method-Override" = String, Header, description = "PATCH or DELETE")), responses(
    (status = 204, description = "As of the method that is meant"), (status = 400, body = Failure),
    (status = 401, body = Failure), (status = 403, body = Failure), (status = 404, body = Failure),
    (status = 409, body = Failure), (status = 412, description = "Another version"), (status = 413, body = Failure),
    (status = 415, body = Failure), (status = 429, body = Failure),
    (status = 460, description = "The part is not what its checksum says, and is not kept", body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn overridden(State(app): State<Arc<App>>, request: Request) -> Answer {
    let (mut parts, body) = request.into_parts();
    let Known(ctx, _) = Known::<Localhost>::from_request_parts(&mut parts, &app).await?;
    let Segment(id, _) = Segment::<Localhost>::from_request_parts(&mut parts, &app).await?;
    ctx.authorize(Action::Store)?;
    let meant = parts.headers.get("x-http-method-override").map(HeaderValue::as_bytes).map(Method::from_bytes);
    match meant {
        Some(Ok(Method::PATCH)) => next(&app, &ctx, &id, Request::from_parts(parts, body)).await,
        Some(Ok(Method::DELETE)) => {
            if let Some(refusal) = other_version(&parts.headers) {
                return Ok(refusal);
            }
            app.files.abandon_upload(&ctx, &id).await?;
            Ok(bare(StatusCode::NO_CONTENT))
        }
        _ => Err(Error::invalid("X-HTTP-Method-Override", "X-HTTP-Method-Override must be PATCH or DELETE").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_in_metadata() {
        assert_eq!(file_name("filename YS50eHQ=,filetype dGV4dA==").as_deref(), Some("a.txt"));
        assert_eq!(file_name("relativePath bnVsbA==, name w6kudHh0").as_deref(), Some("é.txt"));
        for none in ["", "filename", "filename !!", "other YQ=="] {
            assert_eq!(file_name(none), None, "{none}");
        }
    }
}
