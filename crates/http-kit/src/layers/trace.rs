//! What is learnt about a request on its way in, told once when it is answered: one log event, one
//! count, one latency.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, StatusCode};

/// Facts that inner layers add to while the request passes them; lives in the extensions.
#[derive(Clone, Debug, Default)]
pub struct Facts(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    route: OnceLock<Arc<str>>,
    principal: OnceLock<&'static str>,
}

impl Facts {
    /// The template of the route that matched; the first word counts.
    pub fn set_route(&self, template: &str) {
        let _ = self.0.route.set(template.into());
    }

    /// The kind of caller: `session`, `api-key`; the first word counts.
    pub fn set_principal(&self, kind: &'static str) {
        let _ = self.0.principal.set(kind);
    }

    /// `unmatched` for paths that are no route, so that what clients make up adds no series.
    pub fn route(&self) -> &str {
        self.0.route.get().map_or("unmatched", AsRef::as_ref)
    }

    fn principal(&self) -> &'static str {
        self.0.principal.get().copied().unwrap_or("anonymous")
    }
}

/// Middleware for `Router::layer`: notes which route matched.
pub async fn note_route(request: Request, next: Next) -> Response {
    if let (Some(facts), Some(path)) = (request.extensions().get::<Facts>(), request.extensions().get::<MatchedPath>())
    {
        facts.set_route(path.as_str());
    }
    next.run(request).await
}

/// A method of the standard, or `OTHER`.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

/// One answered request.
pub(crate) struct Answered<'a> {
    pub method: &'a Method,
    pub facts: &'a Facts,
    pub status: StatusCode,
    pub latency: Duration,
    /// Of the answer's body where it is known before it is sent.
    pub bytes: Option<u64>,
    pub request_id: &'a str,
    pub address: std::net::IpAddr,
}

impl Answered<'_> {
    /// Logs and counts. Neither query strings nor header values nor raw paths appear.
    pub(crate) fn record(&self) {
        let (method, route) = (method_label(self.method), self.facts.route());
        let status = self.status.as_u16();
        metrics::counter!(
            "http_requests_total",
            "method" => method, "endpoint" => route.to_owned(), "status" => status_label(self.status)
        )
        .increment(1);
        metrics::histogram!(
            "http_request_latency_seconds",
            "method" => method, "endpoint" => route.to_owned()
        )
        .record(self.latency.as_secs_f64());
        tracing::info!(
            target: "orrery::access",
            method,
            route,
            status,
            latency_us = u64::try_from(self.latency.as_micros()).unwrap_or(u64::MAX),
            bytes = self.bytes,
            principal = self.facts.principal(),
            address = %self.address,
            request_id = self.request_id,
            "request"
        );
    }
}

fn status_label(status: StatusCode) -> String {
    status.as_str().to_owned()
}
