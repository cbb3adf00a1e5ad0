//! The token against forged requests.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use http::header;
use orrery_app::App;
use orrery_http_kit::{Fail, RequestMeta, browser};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Localhost;
use crate::reply::{Failure, Reply};

/// `GET /api/csrf`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct CsrfBody {
    /// For the header `X-CSRF-Token` of writes.
    csrf_token: String,
}

/// The token against forged requests
///
/// It belongs to the session that comes with the call, or else to the cookie that comes with the answer.
#[utoipa::path(get, path = "/csrf", tag = "access", responses(
    (status = 200, body = Reply<CsrfBody>), (status = 401, body = Failure), (status = 429, body = Failure)))]
pub(crate) async fn csrf(
    State(app): State<Arc<App>>,
    Extension(meta): Extension<RequestMeta>,
    parts: Parts,
) -> Result<Response, Fail<Localhost>> {
    let (anchor, new) = browser::anchor(&parts, &app, &meta).await?;
    let body = CsrfBody { csrf_token: app.auth.csrf_token(&anchor) };
    let mut response = Reply::new(&meta.ctx(None), body).into_response();
    if let Some(cookie) = browser::guest_cookie(&app, &meta, &anchor).filter(|_| new) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
