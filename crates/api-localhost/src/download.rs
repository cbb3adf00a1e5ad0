//! `GET /api/files/download/{filename}`: conditional, in ranges, and never shown as a page of this server
//! (RFC 9110, sections 13 and 14).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use orrery_app::App;
use orrery_http_kit::{Fail, Known, Segment};
use orrery_storage::files::{BlobError, FileRecord, Outgoing};

use crate::Localhost;
use crate::files::tell;
use crate::http_date::http_date;
use crate::reply::Failure;

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 262_144;
/// What a browser may do with a file that somebody uploaded: nothing but save it.
const SANDBOX: &str = "sandbox; default-src 'none'";

/// Download a file
#[utoipa::path(get, path = "/files/download/{filename}", tag = "files",
    params(("filename" = String, Path, description = "Its name")), responses(
    (status = 200, description = "The whole file, of the type that its name says", content_type = "*/*"),
    (status = 206, description = "The range that was asked for", content_type = "*/*"),
    (status = 304, description = "It is the one that the client has"), (status = 401, body = Failure),
    (status = 404, body = Failure), (status = 416, description = "There is no such range"),
    (status = 429, body = Failure)), security(("bearer" = []), ("session" = [])))]
pub(crate) async fn download(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    method: Method,
    headers: HeaderMap,
    Segment(filename, _): Segment<Localhost>,
) -> Result<Response, Fail<Localhost>> {
    let file = app.files.about(&ctx, &filename).await?;
    let tag = format!("\"{}\"", file.sha256);
    let modified = http_date(file.at.secs());
    let choice = choose(&headers, file.size, &tag, &modified);
    let (status, from, length) = match choice {
        Choice::Unchanged => (StatusCode::NOT_MODIFIED, 0, 0),
        Choice::Failed => (StatusCode::PRECONDITION_FAILED, 0, 0),
        Choice::NoRange => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
        Choice::Whole => (StatusCode::OK, 0, file.size),
        Choice::Range(from, length) => (StatusCode::PARTIAL_CONTENT, from, length),
    };
    let mut response = if method == Method::HEAD || length == 0 {
        Body::empty().into_response()
    } else {
        body(app.files.open(&file).await?, from, length).into_response()
    };
    *response.status_mut() = status;
    describe(response.headers_mut(), &file, &tag, &modified, status, from, length);
    // one that goes on where another was cut is no further one
    if method == Method::GET && status.is_success() && from == 0 {
        tell(&app, &ctx, "download", &file.name, Some(file.size)).await;
    }
    Ok(response)
}

fn describe(
    headers: &mut HeaderMap,
    file: &FileRecord,
    tag: &str,
    modified: &str,
    status: StatusCode,
    from: u64,
    length: u64,
) {
    let mut set = |name, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    set(header::ETAG, tag);
    set(header::LAST_MODIFIED, modified);
    set(header::ACCEPT_RANGES, "bytes");
    set(header::CACHE_CONTROL, "private, no-cache");
    set(header::CONTENT_SECURITY_POLICY, SANDBOX);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if status == StatusCode::RANGE_NOT_SATISFIABLE {
        set(header::CONTENT_RANGE, &format!("bytes */{}", file.size));
    }
    if status.is_success() {
        set(header::CONTENT_TYPE, &file.media_type);
        set(header::CONTENT_LENGTH, &length.to_string());
        set(header::CONTENT_DISPOSITION, &disposition(&file.original));
    }
    if status == StatusCode::PARTIAL_CONTENT {
        set(header::CONTENT_RANGE, &format!("bytes {from}-{}/{}", from + length - 1, file.size));
    }
}

/// `attachment` with the name in both spellings (RFC 6266): one that every client reads, one that is exact.
fn disposition(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') { c } else { '_' }).collect();
    let exact = name.bytes().fold(String::new(), |mut text, b| {
        if b.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&b) {
            text.push(char::from(b));
        } else {
            text.push_str(&format!("%{b:02X}"));
        }
        text
    });
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

fn body(file: Box<dyn Outgoing>, from: u64, length: u64) -> Body {
    let pieces = stream::try_unfold((file, from, length), |(mut file, at, left)| async move {
        if left == 0 {
            return Ok::<_, BlobError>(None);
        }
        let most = usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let bytes: Bytes = file.read(at, most).await?;
        if bytes.is_empty() {
            let cause = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            return Err(BlobError { doing: "reading a file", cause });
        }
        let n = bytes.len() as u64;
        Ok(Some((bytes, (file, at + n, left - n))))
    });
    Body::from_stream(Ahead { pieces: Box::pin(pieces), next: None })
}

/// Asks for the next piece as soon as one is given out, so that the disk works while the former is on its way.
///
/// In memory of one download: what the connection holds of it (less than 512 KiB and a piece more), and one piece here.
struct Ahead<S: Stream> {
    pieces: Pin<Box<S>>,
    /// What came of asking early, if it was there at once.
    next: Option<Option<S::Item>>,
}

impl<S: Stream> Unpin for Ahead<S> {}

impl<S: Stream> Stream for Ahead<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let now = match self.next.take() {
            Some(next) => next,
            None => ready!(self.pieces.as_mut().poll_next(cx)),
        };
        if now.is_some()
            && let Poll::Ready(next) = self.pieces.as_mut().poll_next(cx)
        {
            self.next = Some(next);
        }
        Poll::Ready(now)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Whole,
    /// From, and how many.
    Range(u64, u64),
    NoRange,
    Unchanged,
    Failed,
}

/// Do the tags of a header name this one?
fn names(headers: &HeaderMap, name: header::HeaderName, tag: &str, weakly: bool) -> Option<bool> {
    let mut values = headers.get_all(name).iter().peekable();
    values.peek()?;
    let mut tags = values.filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).map(str::trim);
    Some(tags.any(|t| t == "*" || t == tag || (weakly && t.strip_prefix("W/") == Some(tag))))
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim)
}

/// In the order of RFC 9110, 13.2.2. Dates count when they are the very text that was sent.
fn choose(headers: &HeaderMap, size: u64, tag: &str, modified: &str) -> Choice {
    if names(headers, header::IF_MATCH, tag, false) == Some(false) {
        return Choice::Failed;
    }
    match names(headers, header::IF_NONE_MATCH, tag, true) {
        Some(true) => return Choice::Unchanged,
        Some(false) => {}
        None if text(headers, header::IF_MODIFIED_SINCE) == Some(modified) => return Choice::Unchanged,
        None => {}
    }
    let current = text(headers, header::IF_RANGE).is_none_or(|known| known == tag || known == modified);
    match text(headers, header::RANGE).filter(|_| current) {
        Some(range) => range_of(range, size),
        None => Choice::Whole,
    }
}

/// One range of bytes. Several, other units and what is malformed are answered with the whole file.
fn range_of(range: &str, size: u64) -> Choice {
    let Some(spec) = range.strip_prefix("bytes=").filter(|spec| !spec.contains(',')) else { return Choice::Whole };
    let Some((first, last)) = spec.trim().split_once('-') else { return Choice::Whole };
    let digits = |text: &str| {
        let good = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        good.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (digits(first), digits(last)) {
        (None, Some(0)) if first.is_empty() => Choice::NoRange,
        (None, Some(_)) if first.is_empty() && size == 0 => Choice::NoRange,
        (None, Some(n)) if first.is_empty() => Choice::Range(size.saturating_sub(n), n.min(size)),
        (Some(from), _) if from >= size && (last.is_empty() || digits(last).is_some_and(|l| l >= from)) => {
            Choice::NoRange
        }
        (Some(from), None) if last.is_empty() => Choice::Range(from, size - from),
        (Some(from), Some(to)) if to >= from => Choice::Range(from, to.min(size - 1) - from + 1),
        _ => Choice::Whole,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn pieces_are_asked_for_ahead_and_come_in_order() {
        let asked = std::cell::Cell::new(0);
        let pieces = stream::unfold(0, |n| {
            asked.set(n + 1);
            async move {
                if n % 2 == 1 {
                    tokio::task::yield_now().await;
                }
                (n < 5).then_some((n, n + 1))
            }
        });
        let mut ahead = Ahead { pieces: Box::pin(pieces), next: None };
        for n in 0..5 {
            assert_eq!(ahead.next().await, Some(n));
            assert_eq!(asked.get(), n + 2, "one ahead, and no more");
        }
        assert_eq!(ahead.next().await, None);
    }

    #[test]
    fn ranges() {
        for (range, choice) in [
            ("bytes=0-0", Choice::Range(0, 1)),
            ("bytes=0-", Choice::Range(0, 10)),
            ("bytes=4-6", Choice::Range(4, 3)),
            ("bytes=4-600", Choice::Range(4, 6)),
            ("bytes=-3", Choice::Range(7, 3)),
            ("bytes=-30", Choice::Range(0, 10)),
            ("bytes=10-", Choice::NoRange),
            ("bytes=99999999999999999999-", Choice::NoRange),
            ("bytes=-0", Choice::NoRange),
            ("bytes=6-4", Choice::Whole),
            ("bytes=16-14", Choice::Whole),
            ("bytes=0-1,4-5", Choice::Whole),
            ("bytes=a-b", Choice::Whole),
            ("bytes=-", Choice::Whole),
            ("bytes=+1-2", Choice::Whole),
            ("lines=1-2", Choice::Whole),
            ("bytes", Choice::Whole),
        ] {
            assert_eq!(range_of(range, 10), choice, "{range}");
        }
        assert_eq!(range_of("bytes=0-", 0), Choice::NoRange);
    }

    #[test]
    fn conditions_come_in_their_order() {
        let check = |fields: &[(header::HeaderName, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(name, value.parse().unwrap());
            }
            choose(&headers, 10, "\"abc\"", "Mon, 01 Jan 2024 12:00:00 GMT")
        };
        let range = (header::RANGE, "bytes=1-2");
        assert_eq!(check(&[]), Choice::Whole);
        assert_eq!(check(&[(header::IF_NONE_MATCH, "\"x\", W/\"abc\"")]), Choice::Unchanged);
        assert_eq!(check(&[(header::IF_NONE_MATCH, "*"), range.clone()]), Choice::Unchanged);
        assert_eq!(check(&[(header::IF_NONE_MATCH, "\"x\""), range.clone()]), Choice::Range(1, 2));
        let date = "Mon, 01 Jan 2024 12:00:00 GMT";
        assert_eq!(check(&[(header::IF_MODIFIED_SINCE, date)]), Choice::Unchanged);
        assert_eq!(check(&[(header::IF_NONE_MATCH, "\"x\""), (header::IF_MODIFIED_SINCE, date)]), Choice::Whole);
        assert_eq!(check(&[(header::IF_MATCH, "\"x\"")]), Choice::Failed);
        assert_eq!(check(&[(header::IF_MATCH, "W/\"abc\"")]), Choice::Failed);
        assert_eq!(check(&[(header::IF_MATCH, "\"abc\""), range.clone()]), Choice::Range(1, 2));
        assert_eq!(check(&[(header::IF_RANGE, "\"abc\""), range.clone()]), Choice::Range(1, 2));
        assert_eq!(check(&[(header::IF_RANGE, "\"old\""), range.clone()]), Choice::Whole);
        assert_eq!(check(&[(header::IF_RANGE, "W/\"abc\""), range.clone()]), Choice::Whole);
        assert_eq!(check(&[(header::IF_RANGE, date), range]), Choice::Range(1, 2));
    }

    #[test]
    fn names_cannot_leave_their_header() {
        let told = disposition("a\"b\\é%; x.txt");
        assert_eq!(told, "attachment; filename=\"a_b___;_x.txt\"; filename*=UTF-8''a%22b%5C%C3%A9%25%3B%20x.txt");
        assert!(HeaderValue::from_str(&disposition("a\r\nSet-Cookie: b")).is_ok());
    }
}
