//! An outside web UI: a folder of pages as they are, with what they need to make writes here.
//!
//! Such pages carry scripts and styles in themselves, so they have a policy of their own; they come from the operator,
//! and no name that a user chose is served among them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use orrery_app::App;
use orrery_http_kit::{Fail, RequestMeta, browser};
use orrery_kernel::{Error, ErrorCode};
use orrery_storage::names::media_type;

use crate::Localhost;

/// Files of a UI by their paths below its folder. Read once, when the server starts.
pub type Ui = BTreeMap<String, Bytes>;

const CSP: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; connect-src 'self'; font-src 'self' data:; object-src 'none'; base-uri 'self'; \
    form-action 'self'; frame-ancestors 'none'";

/// Adds the token to writes of this origin, however the page makes them.
const SCRIPT: &str = r#""use strict";
(() => {
  const token = document.querySelector('meta[name="csrf-token"]').content;
  sessionStorage.setItem("csrf_token", token);
  const writes = (method) => !["GET", "HEAD", "OPTIONS"].includes((method || "GET").toUpperCase());
  const ours = (address) => new URL(address, location.href).origin === location.origin;
  const ask = window.fetch;
  window.fetch = (input, init = {}) => {
    const request = new Request(input, init);
    if (!writes(request.method) || !ours(request.url)) return ask(input, init);
    const headers = new Headers(init.headers || request.headers);
    if (!headers.has("X-CSRF-Token")) headers.set("X-CSRF-Token", token);
    return ask(input, { ...init, headers });
  };
  const open = XMLHttpRequest.prototype.open;
  const send = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.open = function (method, address, ...rest) {
    this.needsToken = writes(method) && ours(address);
    return open.call(this, method, address, ...rest);
  };
  XMLHttpRequest.prototype.send = function (body) {
    if (this.needsToken) this.setRequestHeader("X-CSRF-Token", token);
    return send.call(this, body);
  };
})();
"#;

/// The routes of a UI: `/ui/`, its pages by name, and its files where pages of that time ask for them.
pub fn ui(app: &Arc<App>, files: Ui) -> Router {
    let shared = Shared { app: app.clone(), files: Arc::new(files) };
    let mut router = Router::new()
        .route("/ui", get(index))
        .route("/ui/", get(index))
        .route("/ui/{*path}", get(below))
        .route("/static/{*path}", get(asset));
    for page in ["dashboard", "voice-chat"] {
        if shared.page(&format!("{page}.html")).is_some() {
            let show = move |state: State<Shared>, meta: Extension<RequestMeta>, parts: Parts| async move {
                named(state, meta, parts, format!("{page}.html")).await
            };
            router = router.route(&format!("/{page}"), get(show));
        }
    }
    router.with_state(shared)
}

#[derive(Clone)]
struct Shared {
    app: Arc<App>,
    files: Arc<Ui>,
}

type Answer = Result<Response, Fail<Localhost>>;

fn not_found() -> Error {
    Error::new(ErrorCode::NotFound, "Endpoint not found")
}

impl Shared {
    /// A page, beside everything else or among the templates.
    fn page(&self, name: &str) -> Option<&Bytes> {
        self.files.get(name).or_else(|| self.files.get(&format!("templates/{name}")))
    }

    fn asset(&self, path: &str) -> Option<&Bytes> {
        self.files.get(&format!("static/{path}")).or_else(|| self.files.get(path))
    }
}

async fn index(state: State<Shared>, meta: Extension<RequestMeta>, parts: Parts) -> Answer {
    named(state, meta, parts, "index.html".into()).await
}

async fn below(state: State<Shared>, meta: Extension<RequestMeta>, parts: Parts, Path(path): Path<String>) -> Answer {
    if path == "orrery-csrf.js" {
        return Ok(answer("text/javascript; charset=utf-8", SCRIPT.into()));
    }
    if path.ends_with(".html") {
        return named(state, meta, parts, path).await;
    }
    asset(state, Path(path)).await
}

async fn asset(State(shared): State<Shared>, Path(path): Path<String>) -> Answer {
    let body = shared.asset(&path).ok_or_else(not_found)?;
    Ok(answer(media_type(&path), body.clone()))
}

async fn named(
    State(shared): State<Shared>,
    Extension(meta): Extension<RequestMeta>,
    parts: Parts,
    name: String,
) -> Answer {
    let page = shared.page(&name).ok_or_else(not_found)?;
    let (anchor, new) = browser::anchor(&parts, &shared.app, &meta).await?;
    let token = shared.app.auth.csrf_token(&anchor);
    let text = with_token(&rendered(&String::from_utf8_lossy(page)), &token);
    let mut response = answer("text/html; charset=utf-8", text.into());
    // the page holds a token of its reader's
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cookie) = browser::guest_cookie(&shared.app, &meta, &anchor).filter(|_| new) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn answer(kind: &str, body: Bytes) -> Response {
    let mut response = (StatusCode::OK, body).into_response();
    let kind = HeaderValue::from_str(kind).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Puts addresses in place of the one expression that such templates use: `{{ url_for('static', filename='x') }}`.
fn rendered(template: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((expression, next)) = after.split_once("}}") else {
            out.push_str("{{");
            rest = after;
            continue;
        };
        match static_file(expression) {
            Some(file) => {
                out.push_str("/static/");
                out.push_str(file);
            }
            None => {
                out.push_str("{{");
                out.push_str(expression);
                out.push_str("}}");
            }
        }
        rest = next;
    }
    out.push_str(rest);
    out
}

fn static_file(expression: &str) -> Option<&str> {
    let arguments = expression.trim().strip_prefix("url_for(")?.strip_suffix(')')?;
    let (place, file) = arguments.split_once(',')?;
    let bare = |text: &'static str| move |quoted: &str| quoted.trim().trim_matches(['\'', '"']) == text;
    let file = file.trim().strip_prefix("filename")?.trim_start().strip_prefix('=')?.trim().trim_matches(['\'', '"']);
    bare("static")(place).then_some(file)
}

/// The page with the token and the script that sends it, before anything of its own runs.
fn with_token(page: &str, token: &str) -> String {
    let added =
        format!("<meta name=\"csrf-token\" content=\"{token}\">\n<script src=\"/ui/orrery-csrf.js\"></script>\n");
    let lower = page.to_ascii_lowercase();
    let after_head = lower.find("<head").and_then(|at| Some(at + lower.get(at..)?.find('>')? + 1));
    let (before, after) = page.split_at(after_head.unwrap_or(0));
    format!("{before}\n{added}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        let page =
            r#"<html><HEAD lang="x"><link href="{{ url_for('static', filename='style.css') }}"></head>{{ other }} {{"#;
        let made = with_token(&rendered(page), "TOKEN");
        assert!(made.starts_with("<html><HEAD lang=\"x\">\n<meta name=\"csrf-token\" content=\"TOKEN\">"), "{made}");
        assert!(made.contains("href=\"/static/style.css\"") && made.ends_with("{{ other }} {{"), "{made}");
        assert!(with_token("<p>bare", "T").contains("<script src="));
    }
}
