//! Pages of other origins: named ones may call, others may not read, and may not open sockets.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, Uri, header};

use super::host::is_loopback_host;

/// Which origins.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// As browsers send them: `https://trade.example.org`.
    pub named: Vec<String>,
    /// Every port of loopback names too.
    pub localhost: bool,
}

/// State of the [`cors`] middleware.
pub type Cors = Arc<Origins>;

const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
const REQUEST_HEADERS: &str = "authorization, content-type, idempotency-key, x-request-id";
const EXPOSED: &str = "x-request-id, idempotent-replay, retry-after";
/// Seconds that a browser may remember a preflight.
const MAX_AGE: &str = "600";

impl Origins {
    /// May pages of `origin` call?
    pub fn allow(&self, origin: &str) -> bool {
        self.named.iter().any(|o| o == origin) || (self.localhost && is_loopback(origin))
    }
}

fn is_loopback(origin: &str) -> bool {
    let Some(authority) = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) else {
        return false;
    };
    is_loopback_host(authority)
}

/// Is the request from a page of the host that it is sent to? The scheme is not compared: a proxy
/// may have taken TLS off.
pub(crate) fn same_host(origin: &str, host: Option<&str>, uri: &Uri) -> bool {
    let authority = origin.split_once("://").map(|(_, a)| a);
    let host = host.or_else(|| uri.authority().map(http::uri::Authority::as_str));
    match (authority, host) {
        (Some(a), Some(h)) => a.eq_ignore_ascii_case(h),
        _ => false,
    }
}

/// Middleware for the routes that named origins may use. Credentials in cookies are never allowed;
/// the bearer token is the proof.
pub async fn cors(State(origins): State<Cors>, request: Request, next: Next) -> Response {
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
        return next.run(request).await;
    };
    let text = origin.to_str().unwrap_or_default();
    let allowed = origins.allow(text);
    let preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok());
    let upgrade = request.headers().contains_key(header::UPGRADE);
    if upgrade && !allowed && !same_host(text, host, request.uri()) {
        // browsers do not keep foreign pages from opening sockets, so the server has to
        let body = axum::Json(serde_json::json!({ "error": "This origin may not open sockets here" }));
        return (StatusCode::FORBIDDEN, body).into_response();
    }
    let mut response = if preflight {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        answer
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        if preflight {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_origins() {
        let demo = Origins { named: vec!["https://a.example".into()], localhost: true };
        for good in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5173", "https://a.example"] {
            assert!(demo.allow(good), "{good}");
        }
        for bad in ["null", "http://localhost.evil.example", "https://b.example", "ftp://localhost", "http://a.example"]
        {
            assert!(!demo.allow(bad), "{bad}");
        }
        assert!(!Origins::default().allow("http://localhost:3000"));
    }

    #[test]
    fn same_host_ignores_the_scheme_only() {
        let uri = Uri::from_static("/");
        assert!(same_host("https://a.example", Some("a.example"), &uri));
        assert!(!same_host("https://a.example:8443", Some("a.example"), &uri));
        assert!(!same_host("null", Some("a.example"), &uri));
    }
}
