//! `/api/auth/*` and the first administrator's `/api/setup`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Reply};
use http::{StatusCode, header};
use orrery_app::App;
use orrery_app::auth::{LoggedIn, Registration};
use orrery_http_kit::{Anonymous, Fail, Json, Own, RequestMeta, browser};
use orrery_kernel::{Error, ErrorCode, Secret};
use orrery_protocol::bittrade::{
    ErrorBody, LoginRequest, MessageReply, RegisterRequest, SessionReply, SetupRequest, VerifyReply,
};

use crate::BitTrade;
use crate::render;

fn session(message: &str, logged_in: &LoggedIn) -> SessionReply {
    SessionReply {
        message: message.into(),
        token: logged_in.token.expose().clone(),
        session_id: None,
        user: render::user(&logged_in.user),
    }
}

/// Register
///
/// The order of the checks is the documented server's.
#[utoipa::path(post, path = "/api/auth/register", tag = "auth", request_body = RegisterRequest, responses(
    (status = 201, body = SessionReply), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 429, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn register(
    State(app): State<Arc<App>>,
    Anonymous(ctx, _): Anonymous<BitTrade>,
    Json(body, _): Json<BitTrade, RegisterRequest>,
) -> Result<Response, Fail<BitTrade>> {
    let registration = Registration {
        email: body.email.unwrap_or_default(),
        name: body.name.unwrap_or_default(),
        password: Secret::new(body.password.unwrap_or_default()),
        confirm_password: body.confirm_password.map(Secret::new),
    };
    let logged_in = app.auth.register(&ctx, registration).await?;
    app.trading.welcome(logged_in.user.id).await?;
    Ok((StatusCode::CREATED, Reply(session("User registered successfully", &logged_in))).into_response())
}

/// Log in
///
/// The session has two names: a token for `Authorization`, and `session_id` for `X-Session-ID`, which is also set as a
/// cookie.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", request_body = LoginRequest, responses(
    (status = 200, body = SessionReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn login(
    State(app): State<Arc<App>>,
    Extension(meta): Extension<RequestMeta>,
    parts: Parts,
    Anonymous(ctx, _): Anonymous<BitTrade>,
    Json(body, _): Json<BitTrade, LoginRequest>,
) -> Result<Response, Fail<BitTrade>> {
    let (email, password) = (body.email.unwrap_or_default(), Secret::new(body.password.unwrap_or_default()));
    let logged_in = app.auth.login(&ctx, &email, &password).await?;
    let mut reply = session("Login successful", &logged_in);
    reply.session_id = Some(logged_in.session.expose().clone());
    let mut response = Reply(reply).into_response();
    // a page of another site must not log a browser in, least of all as somebody else
    if let Some(cookie) = browser::login_cookie(&meta, &logged_in).filter(|_| browser::same_site(&parts).is_ok()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Is the token good?
///
/// Unlike every other route, answers 401 to a bad token too.
#[utoipa::path(get, path = "/api/auth/verify", tag = "auth", security(("bearer" = [])), responses(
    (status = 200, body = VerifyReply), (status = 401, body = ErrorBody)))]
pub(crate) async fn verify(
    State(app): State<Arc<App>>,
    request: axum::extract::Request,
) -> Result<Reply<VerifyReply>, Fail<BitTrade>> {
    let (parts, _) = request.into_parts();
    let meta = parts.extensions.get::<RequestMeta>().ok_or_else(|| Error::internal("no request facts"))?;
    let text = |e: Error| match e.code {
        ErrorCode::UnauthenticatedMissing => Error::new(e.code, "No token provided"),
        ErrorCode::UnauthenticatedInvalid | ErrorCode::UnauthenticatedExpired => {
            Error::new(ErrorCode::UnauthenticatedMissing, "Invalid token")
        }
        _ => e,
    };
    let token = orrery_http_kit::bearer(&parts).map_err(text)?;
    let caller = app.auth.authenticate(token, meta.now).await.map_err(text)?;
    let user = app.auth.me(&meta.ctx(Some(caller))).await?;
    Ok(Reply(VerifyReply { valid: true, user: render::user(&user) }))
}

/// Log out
///
/// Ends the session of the token, the `X-Session-ID` or the cookie that comes with the call, and no other.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", security(("bearer" = [])), responses(
    (status = 200, body = MessageReply), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn logout(
    State(app): State<Arc<App>>,
    Extension(meta): Extension<RequestMeta>,
    Own(ctx, _): Own<BitTrade>,
) -> Result<Response, Fail<BitTrade>> {
    app.auth.logout(&ctx).await?;
    let mut response = Reply(MessageReply { message: "Logged out successfully".into() }).into_response();
    if let Some(cookie) = browser::no_cookie(&meta) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Create the first administrator
///
/// Works once, with the one-time token that the server prints while there is no administrator.
#[utoipa::path(post, path = "/api/setup", tag = "auth", request_body = SetupRequest, responses(
    (status = 201, body = SessionReply), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub(crate) async fn setup(
    State(app): State<Arc<App>>,
    Anonymous(ctx, _): Anonymous<BitTrade>,
    Json(body, _): Json<BitTrade, SetupRequest>,
) -> Result<Response, Fail<BitTrade>> {
    let registration = Registration {
        email: body.email.unwrap_or_default(),
        name: body.name.unwrap_or_default(),
        password: Secret::new(body.password.unwrap_or_default()),
        confirm_password: None,
    };
    let logged_in = app.auth.setup(&ctx, &body.token.unwrap_or_default(), registration).await?;
    app.trading.welcome(logged_in.user.id).await?;
    Ok((StatusCode::CREATED, Reply(session("Administrator created", &logged_in))).into_response())
}
