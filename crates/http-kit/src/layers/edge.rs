//! The outermost service: nothing reaches a route, and nothing leaves, but through here.

use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use http_body::Body as _;
use orrery_kernel::{Clock, Entropy, Error, ErrorCode};
use tokio::sync::watch;
use tokio::time::Instant;
use tower::Service;
use tracing::Instrument;

use super::address::{Network, client_address};
use super::body::{DISCARD_BYTES_MAX, IdleBody};
use super::headers::{REQUEST_ID, secure};
use super::host::{HostFault, HostPolicy, is_loopback_host};
use super::recent::{Recent, Seen};
use super::trace::{Answered, Facts, method_label};
use crate::{ErrorShape, RequestMeta};

/// Bounds and policies.
#[derive(Clone, Debug)]
pub struct Options {
    /// Longest request target; beyond it 414.
    pub uri_bytes_max: usize,
    /// Most header fields; beyond it 431.
    pub headers_max: usize,
    /// Most bytes of header fields; beyond it 431.
    pub header_bytes_max: usize,
    /// Largest declared body of any route; beyond it 413.
    pub body_bytes_max: u64,
    /// Paths below which requests wait for news (long polls); a drain ends them with 503.
    pub waiting_paths: Vec<&'static str>,
    /// Longest pause within a body; then 408.
    pub body_timeout: Duration,
    /// Names answered to; others 421.
    pub hosts: HostPolicy,
    /// Proxies whose word about addresses counts.
    pub trusted_proxies: Vec<Network>,
    /// Does this server speak TLS itself?
    pub tls: bool,
    /// Is this what a tunnel leads to? Nothing that comes through it counts as local.
    pub tunnel: bool,
    /// Where answered requests are remembered.
    pub recent: Recent,
}

/// How refusals look on paths of a surface that is not the edge's own.
#[derive(Clone, Copy)]
pub struct Elsewhere {
    /// Is the path the surface's?
    pub owns: fn(&str) -> bool,
    /// The body, given chance as a number.
    pub body: fn(&Error, &RequestMeta, u32) -> serde_json::Value,
}

/// Longest request id that is taken from a client.
const REQUEST_ID_CHARS_MAX: usize = 64;
/// Most characters kept of `User-Agent`.
const AGENT_CHARS_MAX: usize = 200;

/// A router behind all that every route shares. Cheap to clone.
#[derive(Clone)]
pub struct Edge(Arc<Inner>);

struct Inner {
    router: Router,
    options: Options,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    draining: watch::Receiver<bool>,
    body_of: fn(&Error) -> serde_json::Value,
    elsewhere: Option<Elsewhere>,
}

impl Edge {
    /// Wraps `router`. Its own refusals leave in the shape `S`. Once `draining` is true, only health
    /// checks are answered; the rest is 503.
    pub fn new<S: ErrorShape>(
        router: Router,
        options: Options,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        draining: watch::Receiver<bool>,
    ) -> Self {
        Self(Arc::new(Inner { router, options, clock, entropy, draining, body_of: S::body, elsewhere: None }))
    }

    /// The same with another shape of refusals for some paths. Before the edge is shared.
    #[must_use]
    pub fn with_elsewhere(mut self, elsewhere: Elsewhere) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.elsewhere = Some(elsewhere);
        }
        self
    }

    /// Answers one request from `peer`.
    pub async fn call<B>(&self, request: Request<B>, peer: IpAddr) -> Result<Response, Infallible>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let this = &*self.0;
        let started = Instant::now();
        let (mut parts, body) = request.into_parts();
        let address = client_address(peer, &parts.headers, &this.options.trusted_proxies);
        let request_id = this.request_id(&parts.headers);
        let method = parts.method.clone();
        let facts = Facts::default();
        let trusted = this.options.trusted_proxies.iter().any(|proxy| proxy.contains(peer));
        let meta = RequestMeta {
            request_id: request_id.clone(),
            address,
            agent: agent(&parts.headers),
            now: this.clock.now(),
            local: !this.options.tunnel && !trusted && is_local(peer, &parts.uri, &parts.headers),
            tls: this.options.tls,
        };
        let path = parts.uri.path().to_owned();
        let at = At { path: &path, meta: &meta };

        // what is not going to be read whole is not begun: the answer is worth more while the client still sends
        let declared = declared(&parts.headers);
        let vast = declared.is_some_and(|bytes| bytes > DISCARD_BYTES_MAX as u64);
        // a client that asked first has not sent its body
        let asked = parts.version > Version::HTTP_11 || parts.headers.contains_key(header::EXPECT);
        let refusal = this.refuse(&at, &parts.method, &parts.uri, &parts.headers);
        let waits = method == Method::GET && this.options.waiting_paths.iter().any(|p| parts.uri.path().starts_with(p));
        let (body, remains) = IdleBody::new(Body::new(body), this.options.body_timeout);
        let mut response = match refusal {
            Some(refusal) => {
                drop(body);
                refusal
            }
            None => {
                parts.extensions.insert(meta.clone());
                parts.extensions.insert(facts.clone());
                let request = Request::from_parts(parts, Body::new(body));
                // of the highest level, so that no filter takes the id away from an error
                let span =
                    tracing::error_span!(target: "orrery::request", "request", request_id = &*request_id, %method);
                let routed = this.route(&at, request, &facts).instrument(span);
                if waits {
                    let mut draining = this.draining.clone();
                    tokio::select! {
                        response = routed => response,
                        _ = draining.wait_for(|draining| *draining) => this.shutting_down(&at),
                    }
                } else {
                    routed.await
                }
            }
        };
        if remains.expired() {
            response =
                this.refusal(&at, StatusCode::REQUEST_TIMEOUT, ErrorCode::Timeout, "The request body took too long");
        } else if !asked && !vast {
            remains.discard().await;
        }

        this.finish(&mut response, &method, &facts, started.elapsed(), &request_id, address);
        Ok(response)
    }

    /// The answer to bytes from `peer` that are no request, or one too large to be read: `status` in
    /// the surface's shape, logged and counted like others. The body is small and ready.
    pub fn unreadable(&self, status: StatusCode, peer: IpAddr) -> (http::response::Parts, Vec<u8>) {
        let this = &*self.0;
        let code = if status == StatusCode::BAD_REQUEST { ErrorCode::Invalid } else { ErrorCode::TooLarge };
        let text = match status {
            StatusCode::URI_TOO_LONG => URI_TOO_LONG,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => FIELDS_TOO_LARGE,
            _ => "The request is not valid HTTP",
        };
        let body = (this.body_of)(&Error::new(code, text)).to_string().into_bytes();
        let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body.clone()).into_response();
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        let request_id = this.request_id(&HeaderMap::new());
        let facts = Facts::default();
        // the method was not understood either; any that is not in the standard counts as OTHER
        let method = Method::TRACE;
        this.finish(&mut response, &method, &facts, Duration::ZERO, &request_id, peer);
        (response.into_parts().0, body)
    }
}

const URI_TOO_LONG: &str = "The request target is too long";
const FIELDS_TOO_LARGE: &str = "The request has too many or too large header fields";

/// The request that is refused.
struct At<'a> {
    path: &'a str,
    meta: &'a RequestMeta,
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok())
}

/// What proxies add, ours or anybody's.
const FORWARDED: [&str; 9] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "cf-connecting-ip",
    "cf-ray",
    "x-localtunnel-agent-ips",
];

/// From a program or a browser on this machine that asked this machine by its own name?
fn is_local(peer: IpAddr, uri: &Uri, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let named = [host, uri.authority().map(http::uri::Authority::as_str)].into_iter().flatten();
    peer.to_canonical().is_loopback()
        && named.clone().next().is_some()
        && named.into_iter().all(is_loopback_host)
        && !FORWARDED.iter().any(|name| headers.contains_key(*name))
}

impl Inner {
    /// What every answer gets on its way out.
    fn finish(
        &self,
        response: &mut Response,
        method: &Method,
        facts: &Facts,
        latency: Duration,
        request_id: &str,
        address: IpAddr,
    ) {
        secure(response.headers_mut());
        if let Ok(value) = HeaderValue::from_str(request_id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let (status, bytes) = (response.status(), response.body().size_hint().exact());
        Answered { method, facts, status, latency, bytes, request_id, address }.record();
        self.options.recent.note(Seen {
            request_id: request_id.into(),
            method: method_label(method),
            route: facts.route().into(),
            status: status.as_u16(),
            micros: u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
            at: self.clock.now(),
        });
    }

    /// Runs the route. A panic in it is this request's 500 and nobody else's.
    async fn route(&self, at: &At<'_>, request: Request<Body>, facts: &Facts) -> Response {
        let mut router = self.router.clone();
        match AssertUnwindSafe(async move { router.call(request).await }).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(panic) => {
                let text = panic
                    .downcast_ref::<&str>()
                    .map(ToString::to_string)
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_default();
                tracing::error!(route = facts.route(), panic = text, "handler panicked");
                self.refusal(at, StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, "Internal server error")
            }
        }
    }

    /// The answer to a request that no route should see.
    fn refuse(&self, at: &At<'_>, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Response> {
        let options = &self.options;
        let target = uri.path_and_query().map_or(0, |p| p.as_str().len());
        if target > options.uri_bytes_max {
            return Some(self.refusal(at, StatusCode::URI_TOO_LONG, ErrorCode::TooLarge, URI_TOO_LONG));
        }
        let bytes: usize = headers.iter().map(|(n, v)| n.as_str().len() + v.len()).sum();
        if headers.len() > options.headers_max || bytes > options.header_bytes_max {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Some(self.refusal(at, status, ErrorCode::TooLarge, FIELDS_TOO_LARGE));
        }
        match options.hosts.check(uri, headers) {
            Ok(()) => {}
            Err(HostFault::Malformed) => {
                let text = "The request needs exactly one valid Host";
                return Some(self.refusal(at, StatusCode::BAD_REQUEST, ErrorCode::Invalid, text));
            }
            Err(HostFault::Foreign) => {
                let text = "This server does not answer to that host name; the operator can add it to \
                            server.allowed_hosts";
                return Some(self.refusal(at, StatusCode::MISDIRECTED_REQUEST, ErrorCode::Invalid, text));
            }
        }
        if method == Method::CONNECT {
            let text = "This server is no proxy";
            return Some(self.refusal(at, StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Invalid, text));
        }
        if *self.draining.borrow() && !matches!(uri.path(), "/health" | "/api/health") {
            return Some(self.shutting_down(at));
        }
        if declared(headers).is_some_and(|bytes| bytes > options.body_bytes_max) {
            let text = "The request body is too large";
            return Some(self.refusal(at, StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge, text));
        }
        None
    }

    fn shutting_down(&self, at: &At<'_>) -> Response {
        let text = "The server is shutting down";
        let mut refusal = self.refusal(at, StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, text);
        refusal.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        refusal
    }

    fn refusal(&self, at: &At<'_>, status: StatusCode, code: ErrorCode, text: &'static str) -> Response {
        let error = Error::new(code, text);
        let body = match &self.elsewhere {
            Some(elsewhere) if (elsewhere.owns)(at.path) => {
                let mut chance = [0; 4];
                self.entropy.fill(&mut chance);
                (elsewhere.body)(&error, at.meta, u32::from_be_bytes(chance))
            }
            _ => (self.body_of)(&error),
        };
        (status, axum::Json(body)).into_response()
    }

    /// The client's id when it is short and plain, else a new one.
    fn request_id(&self, headers: &HeaderMap) -> Arc<str> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let given = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok());
        if let Some(id) = given.filter(|id| (1..=REQUEST_ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(plain)) {
            return id.into();
        }
        let mut bits = [0; 16];
        self.entropy.fill(&mut bits);
        format!("{:032x}", u128::from_be_bytes(bits)).into()
    }
}

fn agent(headers: &HeaderMap) -> Arc<str> {
    let text = headers.get(header::USER_AGENT).map(|v| String::from_utf8_lossy(v.as_bytes())).unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(AGENT_CHARS_MAX).collect::<String>().into()
}
