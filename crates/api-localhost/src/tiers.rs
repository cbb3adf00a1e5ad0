//! The document's five bounds on requests from an address, and what every answer of the surface gets.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use orrery_app::App;
use orrery_http_kit::{ErrorShape, Fail, Refused, RequestMeta};
use orrery_identity::rate::{Policy, Verdict};
use orrery_kernel::Error;

use crate::Localhost;
use crate::shape::complete;

/// Bounds on requests from one address.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Whatever is in none of the others.
    pub api: Policy,
    /// Uploads.
    pub upload: Policy,
    /// Commands and runs of programs.
    pub command: Policy,
    /// Failed logins.
    pub auth: Policy,
    /// Starts and stops of tunnels.
    pub tunnel: Policy,
}

/// What the layers of this surface work with.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) app: Arc<App>,
    pub(crate) limits: Limits,
}

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const LATER: &str = "Rate limit exceeded. Please try again later.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tier {
    Api,
    Upload,
    Command,
    Auth,
    Tunnel,
}

impl Tier {
    /// The tier of a path, with or without its version.
    fn of(method: &Method, path: &str) -> Self {
        let rest = path.strip_prefix("/api/v1").or_else(|| path.strip_prefix("/api")).unwrap_or(path);
        let mut parts = rest.split('/').filter(|part| !part.is_empty());
        if method != Method::POST {
            return Self::Api;
        }
        match (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) {
            // a resumable upload is one upload, however many parts it is sent in
            ("files", "upload" | "tus") | ("programs", "upload" | "upload-multiple" | "upload-zip") => Self::Upload,
            ("execute" | "terminal" | "programs-terminal", _) | ("programs", "execute" | "execute-terminal") => {
                Self::Command
            }
            ("ngrok" | "localtunnel" | "cloudflared" | "tunnels", _) | ("mobile", "tunnel") => Self::Tunnel,
            _ => Self::Api,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Upload => "upload",
            Self::Command => "command",
            Self::Auth => "auth",
            Self::Tunnel => "tunnel",
        }
    }

    fn policy(self, limits: &Limits) -> Policy {
        match self {
            Self::Api => limits.api,
            Self::Upload => limits.upload,
            Self::Command => limits.command,
            Self::Auth => limits.auth,
            Self::Tunnel => limits.tunnel,
        }
    }
}

impl Around {
    /// Counts one more request, or looks what counting one would say. A store of counts that fails lets pass.
    async fn ask(&self, tier: Tier, meta: &RequestMeta, count: bool) -> Option<Verdict> {
        let key = format!("tier:{}:{}", tier.name(), meta.address);
        let (store, policy) = (self.app.limits.store(), tier.policy(&self.limits));
        let asked =
            if count { store.take(&key, &policy, meta.now).await } else { store.peek(&key, &policy, meta.now).await };
        asked.map_err(|error| tracing::warn!(%error, "rate windows unavailable; letting the request pass")).ok()
    }
}

fn tell(response: &mut Response, verdict: &Verdict, meta: &RequestMeta) {
    let headers = response.headers_mut();
    headers.insert(LIMIT, verdict.limit.into());
    headers.insert(REMAINING, if verdict.allowed { verdict.remaining } else { 0 }.into());
    let whole = meta.now.plus(verdict.retry_after).micros();
    headers.insert(RESET, HeaderValue::from(whole.max(0).unsigned_abs().div_ceil(1_000_000)));
}

/// Middleware around every route of the surface: counts, bounds, and completes what failed.
pub(crate) async fn around(State(around): State<Around>, request: Request, next: Next) -> Response {
    let Some(meta) = request.extensions().get::<RequestMeta>().cloned() else {
        return Fail::<Localhost>::from(Error::internal("the request-id layer is not mounted")).into_response();
    };
    let verdict = around.ask(Tier::of(request.method(), request.uri().path()), &meta, true).await;
    let mut response = match &verdict {
        Some(verdict) if !verdict.allowed => {
            Fail::<Localhost>::from(Error::rate_limited(LATER, verdict.retry_after)).into_response()
        }
        _ => next.run(request).await,
    };
    if let Some(Refused(body)) = response.extensions_mut().remove() {
        response = completed(response, body, &around, &meta);
    }
    if let Some(verdict) = &verdict {
        tell(&mut response, verdict, &meta);
    }
    // other sites must not show or run what is kept here
    let own = HeaderValue::from_static("same-origin");
    response.headers_mut().entry("cross-origin-resource-policy").or_insert(own);
    response
}

fn completed(response: Response, body: serde_json::Value, around: &Around, meta: &RequestMeta) -> Response {
    let mut chance = [0; 4];
    around.app.entropy.fill(&mut chance);
    let body = complete(body, meta, u32::from_be_bytes(chance));
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    (parts.status, parts.headers, axum::Json(body)).into_response()
}

/// Middleware for the login route of surface `S`: failed logins from an address are counted, and beyond the bound
/// nothing is tried any more. Other routes pass.
pub(crate) async fn logins<S: ErrorShape>(State(around): State<Around>, request: Request, next: Next) -> Response {
    let login = request.method() == Method::POST && request.uri().path() == "/api/auth/login";
    let Some(meta) = request.extensions().get::<RequestMeta>().filter(|_| login).cloned() else {
        return next.run(request).await;
    };
    let seen = around.ask(Tier::Auth, &meta, false).await;
    let refused = seen.filter(|verdict| !verdict.allowed);
    let mut response = match &refused {
        Some(verdict) => Fail::<S>::from(Error::rate_limited(LATER, verdict.retry_after)).into_response(),
        None => next.run(request).await,
    };
    let failed = refused.is_none() && response.status() == StatusCode::UNAUTHORIZED;
    let verdict = if failed { around.ask(Tier::Auth, &meta, true).await } else { seen };
    if let Some(verdict) = &verdict {
        tell(&mut response, verdict, &meta);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_tiers() {
        for (method, path, tier) in [
            (Method::GET, "/api/data", Tier::Api),
            (Method::POST, "/api/data", Tier::Api),
            (Method::POST, "/api/files/upload", Tier::Upload),
            (Method::POST, "/api/v1/files/tus", Tier::Upload),
            (Method::PATCH, "/api/files/tus/1", Tier::Api),
            (Method::POST, "/api/programs/upload-zip", Tier::Upload),
            (Method::POST, "/api/v1/programs/execute/program_1", Tier::Command),
            (Method::POST, "/api/programs/project/project_1/set-main", Tier::Api),
            (Method::POST, "/api/execute", Tier::Command),
            (Method::POST, "/api/execute/send-input", Tier::Command),
            (Method::GET, "/api/ngrok/status", Tier::Api),
            (Method::POST, "/api/ngrok/stop", Tier::Tunnel),
            (Method::POST, "/api/tunnels/stop-all", Tier::Tunnel),
        ] {
            assert_eq!(Tier::of(&method, path), tier, "{method} {path}");
        }
    }
}
