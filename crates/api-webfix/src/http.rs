//! WebFix over HTTP: one route, a method in the body.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};
use orrery_crypto::json::{Duplicates, JsValue, parse};
use orrery_http_kit::layers::Facts;
use orrery_http_kit::{Fail, RequestMeta, read_body};
use orrery_kernel::{Error, ErrorCode, Result};

use crate::call::{Call, SESSION_HEADER};
use crate::methods;
use crate::reply::{PlainShape, Reply, Shape};
use crate::{BODY_BYTES_MAX, Shared};

const VERSION: &str = "1.0";
const METHOD_CHARS_MAX: usize = 64;
const PARAMS_MAX: usize = 16;
/// Seconds that a browser may remember a preflight.
const PREFLIGHT_AGE: &str = "86400";

/// May pages of any origin call? They may: the session is the proof, and cookies count for nothing.
pub(crate) fn allow(response: &mut Response) {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type, stels-session, authorization, last-event-id"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "retry-after, x-request-id"),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Answers `POST` and `OPTIONS`.
pub(crate) async fn answer(shared: &Arc<Shared>, request: Request) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        call(shared, request).await
    };
    allow(&mut response);
    response
}

async fn call(shared: &Arc<Shared>, request: Request) -> Response {
    let mut plain = false;
    match handle(shared, request, &mut plain).await {
        Ok(reply) => (reply.status, axum::Json(reply.body)).into_response(),
        Err(error) if plain => Fail::<PlainShape>::from(error).into_response(),
        Err(error) => Fail::<Shape>::from(error).into_response(),
    }
}

async fn handle(shared: &Arc<Shared>, request: Request, plain: &mut bool) -> Result<Reply> {
    let (parts, body) = request.into_parts();
    let meta = parts.extensions.get::<RequestMeta>().cloned();
    let meta = meta.ok_or_else(|| Error::internal("the request-id layer is not mounted"))?;
    shared.app.limits.address(meta.address, meta.now).await?;
    let headers = parts.headers.clone();
    let facts = parts.extensions.get::<Facts>().cloned();
    let bytes = read_body(Request::from_parts(parts, body), BODY_BYTES_MAX).await?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|e| Error::new(ErrorCode::Invalid, "The request body is not UTF-8").because(e))?;
    let value = parse(text, Duplicates::Refused)
        .map_err(|e| Error::new(ErrorCode::Invalid, format!("The request body {e}")))?;
    if value.as_object().is_none() {
        return Err(Error::new(ErrorCode::Invalid, "The request body has to be a JSON object"));
    }
    if value.get("webfix").and_then(JsValue::as_str) != Some(VERSION) {
        return Err(Error::invalid("webfix", "webfix has to be \"1.0\", the only version there is"));
    }
    let name =
        value.get("method").and_then(JsValue::as_str).filter(|name| (1..=METHOD_CHARS_MAX).contains(&name.len()));
    let name = name.ok_or_else(|| Error::invalid("method", "method has to be the name of a method"))?;
    *plain = methods::is_plain(name);
    let params = params(&value)?;
    let none = JsValue::from([]);
    let body = match value.get("body") {
        None | Some(JsValue::Null) => &none,
        Some(body @ JsValue::Object(_)) => body,
        Some(_) => return Err(Error::invalid("body", "body has to be an object")),
    };
    if let Some(facts) = facts {
        facts.set_principal(if headers.contains_key(SESSION_HEADER) { "wallet" } else { "anonymous" });
    }
    let call = Call { shared, ctx: meta.ctx(None), headers: &headers, body, params };
    methods::dispatch(name, &call).await
}

fn params(request: &JsValue) -> Result<Vec<String>> {
    let wrong = || Error::invalid("params", format!("params has to be a list of at most {PARAMS_MAX} texts"));
    match request.get("params") {
        None | Some(JsValue::Null) => Ok(Vec::new()),
        Some(JsValue::Array(items)) if items.len() <= PARAMS_MAX => {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>().ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}
