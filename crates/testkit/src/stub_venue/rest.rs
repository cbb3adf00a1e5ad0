//! The side that is asked.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{Fault, Inner, Seen, binance};

/// The connection is cut.
#[derive(Debug)]
pub(super) struct CutHere;

impl std::fmt::Display for CutHere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut")
    }
}

impl std::error::Error for CutHere {}

pub(super) async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    while let Ok((stream, _)) = listener.accept().await {
        let inner = inner.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, inner.clone()));
            // clients and faults cut connections as they like
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Said of a request that comes too late, or whose clock is wrong.
const LATE: &str = r#"{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}"#;

async fn answer(request: Request<Incoming>, inner: Arc<Inner>) -> Result<Response<Full<Bytes>>, CutHere> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| CutHere)?.to_bytes();
    let seen = Seen {
        verb: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    if inner.venue == orrery_venues::Venue::Binance && binance::is_late(&seen, now()) {
        inner.state().seen.push(seen);
        return Ok(reply(400, None, LATE.to_owned()));
    }
    answered(seen, &inner).await
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Waits as long as a request is told to wait before it is sent.
pub(super) async fn before_it_is_sent(seen: &Seen, inner: &Inner) {
    let pause = {
        let mut state = inner.state();
        let late = |(path, fault): &(String, Fault)| match fault {
            Fault::Late(pause) if seen.path.ends_with(path) => Some(*pause),
            _ => None,
        };
        let found = state.faults.iter().enumerate().find_map(|(place, fault)| Some((place, late(fault)?)));
        found.map(|(place, pause)| (state.faults.remove(place), pause).1)
    };
    if let Some(pause) = pause {
        tokio::time::sleep(pause).await;
    }
}

/// What becomes of a request, however it came.
pub(super) async fn answered(seen: Seen, inner: &Inner) -> Result<Response<Full<Bytes>>, CutHere> {
    let fault = {
        let mut state = inner.state();
        state.seen.push(seen.clone());
        let place = state.faults.iter().position(|(path, _)| seen.path.ends_with(path));
        place.and_then(|place| state.faults.remove(place)).map(|(_, fault)| fault)
    };
    let good = if fault.is_none_or(Fault::done) { Some(done(inner, &seen)) } else { None };
    let plain = |status: u16, body: &str| reply(status, None, body.to_owned());
    match fault {
        None | Some(Fault::Late(_)) => good.ok_or(CutHere),
        Some(Fault::Status(status, after)) => {
            Ok(reply(status, after, r#"{"code":-1003,"msg":"Too much request weight"}"#.into()))
        }
        Some(Fault::DoneThenStatus(status)) => Ok(plain(status, "<html>Bad gateway</html>")),
        Some(Fault::Cut | Fault::DoneThenCut) => Err(CutHere),
        Some(Fault::OnTheWire(pause)) => {
            tokio::time::sleep(pause).await;
            Ok(done(inner, &seen))
        }
        Some(Fault::DoneThenSlow(pause)) => {
            tokio::time::sleep(pause).await;
            good.ok_or(CutHere)
        }
        Some(Fault::Html) => Ok(plain(200, "<!doctype html><title>Please wait</title>")),
        Some(Fault::HugeNumbers) => {
            Ok(plain(200, &format!(r#"{{"lastPrice":"1{}","closeTime":9e999}}"#, "0".repeat(400))))
        }
        Some(Fault::ClockSkew) => Ok(plain(400, LATE)),
    }
}

/// What the exchange does, and says.
fn done(inner: &Inner, seen: &Seen) -> Response<Full<Bytes>> {
    let mut state = inner.state();
    if inner.venue == orrery_venues::Venue::Binance
        && let Some((status, body)) = binance::order(&mut state.orders, seen)
    {
        return reply(status, None, body);
    }
    match state.answers.iter().find(|answer| answer.asked.is(seen)) {
        Some(answer) => reply(answer.status, None, answer.body.clone()),
        None => reply(404, None, r#"{"code":-1,"msg":"nothing was recorded for this"}"#.to_owned()),
    }
}

fn reply(status: u16, after: Option<u32>, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    if let Some(after) = after {
        headers.insert(header::RETRY_AFTER, after.into());
    }
    response
}
