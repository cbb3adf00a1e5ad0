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
use super::body::IdleBody;
use super::headers::{REQUEST_ID, secure};
use super::host::{HostFault, HostPolicy};
use super::trace::{Answered, Facts};
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
        Self(Arc::new(Inner { router, options, clock, entropy, draining, body_of: S::body }))
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

        // a client that asked first has not sent its body
        let asked = parts.version > Version::HTTP_11 || parts.headers.contains_key(header::EXPECT);
        let refusal = this.refuse(&parts.method, &parts.uri, &parts.headers);
        let waits = method == Method::GET && this.options.waiting_paths.iter().any(|p| parts.uri.path().starts_with(p));
        let (body, remains) = IdleBody::new(Body::new(body), this.options.body_timeout);
        let mut response = match refusal {
            Some(refusal) => {
                drop(body);
                refusal
            }
            None => {
                parts.extensions.insert(RequestMeta {
                    request_id: request_id.clone(),
                    address,
                    agent: agent(&parts.headers),
                    now: this.clock.now(),
                });
                parts.extensions.insert(facts.clone());
                let request = Request::from_parts(parts, Body::new(body));
                // of the highest level, so that no filter takes the id away from an error
                let span =
                    tracing::error_span!(target: "orrery::request", "request", request_id = &*request_id, %method);
                let routed = this.route(request, &facts).instrument(span);
                if waits {
                    let mut draining = this.draining.clone();
                    tokio::select! {
                        response = routed => response,
                        _ = draining.wait_for(|draining| *draining) => this.shutting_down(),
                    }
                } else {
                    routed.await
                }
            }
        };
        if remains.expired() {
            response = this.refusal(StatusCode::REQUEST_TIMEOUT, ErrorCode::Timeout, "The request body took too long");
        } else if !asked {
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
    }

    /// Runs the route. A panic in it is this request's 500 and nobody else's.
    async fn route(&self, request: Request<Body>, facts: &Facts) -> Response {
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
                self.refusal(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, "Internal server error")
            }
        }
    }

    /// The answer to a request that no route should see.
    fn refuse(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Response> {
        let options = &self.options;
        let target = uri.path_and_query().map_or(0, |p| p.as_str().len());
        if target > options.uri_bytes_max {
            return Some(self.refusal(StatusCode::URI_TOO_LONG, ErrorCode::TooLarge, URI_TOO_LONG));
        }
        let bytes: usize = headers.iter().map(|(n, v)| n.as_str().len() + v.len()).sum();
        if headers.len() > options.headers_max || bytes > options.header_bytes_max {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Some(self.refusal(status, ErrorCode::TooLarge, FIELDS_TOO_LARGE));
        }
        match options.hosts.check(uri, headers) {
            Ok(()) => {}
            Err(HostFault::Malformed) => {
                let text = "The request needs exactly one valid Host";
                return Some(self.refusal(StatusCode::BAD_REQUEST, ErrorCode::Invalid, text));
            }
            Err(HostFault::Foreign) => {
                let text = "This server does not answer to that host name; the operator can add it to \
                            server.allowed_hosts";
                return Some(self.refusal(StatusCode::MISDIRECTED_REQUEST, ErrorCode::Invalid, text));
            }
        }
        if method == Method::CONNECT {
            let text = "This server is no proxy";
            return Some(self.refusal(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Invalid, text));
        }
        if *self.draining.borrow() && !matches!(uri.path(), "/health" | "/api/health") {
            return Some(self.shutting_down());
        }
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|bytes| bytes > options.body_bytes_max) {
            let text = "The request body is too large";
            return Some(self.refusal(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge, text));
        }
        None
    }

    fn shutting_down(&self) -> Response {
        let text = "The server is shutting down";
        let mut refusal = self.refusal(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, text);
        refusal.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        refusal
    }

    fn refusal(&self, status: StatusCode, code: ErrorCode, text: &'static str) -> Response {
        (status, axum::Json((self.body_of)(&Error::new(code, text)))).into_response()
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
