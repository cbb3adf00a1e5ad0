//! What workers write (document of their logs): how much there is, and a stream of it.
//!
//! `GET /api/worker/logs[?sid=]` and `GET /api/worker/logs/stream?sid=&follow=`, with the header `stels-session`.

mod seats;
mod stream;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use orrery_crypto::json::JsValue;
use orrery_http_kit::{ErrorShape, Fail, RequestMeta};
use orrery_kernel::{Error, ErrorCode, Result, Timestamp};
use orrery_wallets::Session;
use orrery_workers::logs::LogSize;
use serde_json::{Value, json};

use crate::Shared;
use crate::call::Call;
use crate::http::allow;
use crate::reply::PlainShape;

pub(crate) use seats::{Seat, Seats};

/// How much there is.
pub(crate) const SIZES: &str = "/api/worker/logs";
/// A stream of one.
pub(crate) const STREAM: &str = "/api/worker/logs/stream";
/// Lines from before that one who follows gets, unless they say otherwise.
const TAIL: u32 = 1_000;
/// Most of these that can be asked for.
const TAIL_MAX: u32 = 10_000;
/// Header of who comes back, as browsers send it.
const LAST_EVENT_ID: &str = "last-event-id";

/// What a query asks for.
struct Asked {
    sid: Option<String>,
    follow: bool,
    after: Option<i64>,
    tail: Option<u32>,
}

fn wrong(field: &'static str, what: &str) -> Error {
    Error::invalid(field, format!("{field} has to be {what}"))
}

impl Asked {
    fn of(query: &str, headers: &HeaderMap) -> Result<Self> {
        let value = |name: &str| {
            let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            found.filter(|value| !value.is_empty())
        };
        let sid = value("sid").map(str::to_owned);
        let plain = |sid: &str| sid.len() <= 64 && sid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if sid.as_deref().is_some_and(|sid| !plain(sid)) {
            return Err(wrong("sid", "the id of a worker"));
        }
        let follow = match value("follow") {
            None | Some("true") => true,
            Some("false") => false,
            Some(_) => return Err(wrong("follow", "true or false")),
        };
        let header = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
        let after = header.or_else(|| value("lastEventId")).map(|text| text.parse::<i64>().ok().filter(|n| *n >= 0));
        let after = after.map(|id| id.ok_or_else(|| wrong("lastEventId", "the id of an event"))).transpose()?;
        let tail = value("tail").map(|text| text.parse::<u32>().ok().filter(|n| *n <= TAIL_MAX));
        let tail = tail.map(|n| n.ok_or_else(|| wrong("tail", "a number of lines, at most 10000"))).transpose()?;
        Ok(Self { sid, follow, after, tail: tail.or(follow.then_some(TAIL)) })
    }
}

/// Answers `GET` on both paths.
pub(crate) async fn answer(shared: &Arc<Shared>, request: Request) -> Response {
    let mut sid = None;
    let (parts, _) = request.into_parts();
    let mut response = match handle(shared, &parts, &mut sid).await {
        Ok(response) => response,
        Err(error) => refusal(error, sid),
    };
    allow(&mut response);
    response
}

/// The document's `{error, sid}`.
fn refusal(error: Error, sid: Option<String>) -> Response {
    match sid.filter(|_| error.code == ErrorCode::NotFound) {
        Some(sid) => {
            let body = json!({ "error": error.public, "sid": sid });
            (PlainShape::status(error.code), axum::Json(body)).into_response()
        }
        None => Fail::<PlainShape>::from(error).into_response(),
    }
}

async fn handle(shared: &Arc<Shared>, request: &Parts, sid: &mut Option<String>) -> Result<Response> {
    let meta = request.extensions.get::<RequestMeta>().cloned();
    let meta = meta.ok_or_else(|| Error::internal("the request-id layer is not mounted"))?;
    shared.app.limits.address(meta.address, meta.now).await?;
    let none = JsValue::from([]);
    let call = Call { shared, ctx: meta.ctx(None), headers: &request.headers, body: &none, params: Vec::new() };
    let session = call.session().await?;
    let asked = Asked::of(request.uri.query().unwrap_or_default(), &request.headers)?;
    sid.clone_from(&asked.sid);
    match request.uri.path() {
        STREAM => stream(shared, session, asked).await,
        _ => sizes(shared, &session, asked.sid.as_deref()).await,
    }
}

async fn stream(shared: &Arc<Shared>, session: Session, asked: Asked) -> Result<Response> {
    let sid = asked.sid.ok_or_else(|| wrong("sid", "the id of a worker"))?;
    let follower = shared.app.workers.follow(&session, &sid, asked.after, asked.tail).await?;
    let seat = shared.log_seats.take(&session.token)?;
    let events = stream::events(shared.clone(), session, sid, follower, asked.follow, seat);
    let mut response = (StatusCode::OK, Body::from_stream(events)).into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        // a proxy that collects answers would hold lines back
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

async fn sizes(shared: &Arc<Shared>, session: &Session, sid: Option<&str>) -> Result<Response> {
    let sizes = shared.app.workers.log_sizes(session, sid).await?;
    let line = |(sid, size): &(String, LogSize)| -> Value {
        json!({
            "sid": sid,
            "exists": size.lines > 0,
            "size": size.bytes,
            "sizeFormatted": formatted(size.bytes),
            "modified": size.modified.map(Timestamp::iso),
            "lines": size.lines,
        })
    };
    let logs: Vec<Value> = sizes.iter().map(line).collect();
    Ok(axum::Json(json!({ "total": logs.len(), "logs": logs })).into_response())
}

/// `1.50 KB`.
fn formatted(bytes: u64) -> String {
    let hundredths = |unit: u64| (u128::from(bytes) * 100 + u128::from(unit) / 2) / u128::from(unit);
    let shown = |unit: u64, name: &str| format!("{}.{:02} {name}", hundredths(unit) / 100, hundredths(unit) % 100);
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => shown(1_024, "KB"),
        _ => shown(1_048_576, "MB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown() {
        for (bytes, text) in [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.50 KB"), (10_485_760, "10.00 MB")] {
            assert_eq!(formatted(bytes), text);
        }
    }

    #[test]
    fn queries_are_read() {
        let none = HeaderMap::new();
        let asked = Asked::of("sid=a-1&follow=false", &none).unwrap();
        assert_eq!((asked.sid.as_deref(), asked.follow, asked.after, asked.tail), (Some("a-1"), false, None, None));
        assert_eq!(Asked::of("", &none).unwrap().tail, Some(TAIL));
        assert_eq!(Asked::of("lastEventId=7", &none).unwrap().after, Some(7));
        let mut back = HeaderMap::new();
        back.insert(LAST_EVENT_ID, HeaderValue::from_static("9"));
        assert_eq!(Asked::of("lastEventId=7", &back).unwrap().after, Some(9));
        for (query, field) in
            [("sid=a/b", "sid"), ("follow=1", "follow"), ("lastEventId=-1", "lastEventId"), ("tail=x", "tail")]
        {
            assert_eq!(Asked::of(query, &none).err().and_then(|error| error.field), Some(field), "{query}");
        }
    }
}
