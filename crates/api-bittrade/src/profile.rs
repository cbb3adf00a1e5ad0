//! `/api/user/profile` and its parts.

use std::sync::Arc;

use axum::Json as Reply;
use axum::extract::State;
use orrery_app::App;
use orrery_http_kit::{Auth, Fail, Json};
use orrery_kernel::Secret;
use orrery_protocol::bittrade::{EmailRequest, ErrorBody, MessageReply, NameRequest, PasswordRequest, ProfileReply};

use crate::BitTrade;
use crate::render;

/// Own profile
#[utoipa::path(get, path = "/api/user/profile", tag = "user", security(("bearer" = [])), responses(
    (status = 200, body = ProfileReply), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
) -> Result<Reply<ProfileReply>, Fail<BitTrade>> {
    let user = app.auth.me(&ctx).await?;
    Ok(Reply(ProfileReply { message: None, user: render::user(&user) }))
}

/// Change the display name
#[utoipa::path(put, path = "/api/user/profile/name", tag = "user", security(("bearer" = [])), request_body = NameRequest,
    responses((status = 200, body = ProfileReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 413, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub(crate) async fn name(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Json(body, _): Json<BitTrade, NameRequest>,
) -> Result<Reply<ProfileReply>, Fail<BitTrade>> {
    let current = Secret::new(body.current_password.unwrap_or_default());
    let user = app.auth.change_name(&ctx, &body.name.unwrap_or_default(), &current).await?;
    Ok(Reply(ProfileReply { message: Some("Name updated successfully".into()), user: render::user(&user) }))
}

/// Change the address
#[utoipa::path(put, path = "/api/user/profile/email", tag = "user", security(("bearer" = [])), request_body = EmailRequest,
    responses((status = 200, body = ProfileReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 429, body = ErrorBody)))]
pub(crate) async fn email(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Json(body, _): Json<BitTrade, EmailRequest>,
) -> Result<Reply<ProfileReply>, Fail<BitTrade>> {
    let current = Secret::new(body.current_password.unwrap_or_default());
    let user = app.auth.change_email(&ctx, &body.email.unwrap_or_default(), &current).await?;
    Ok(Reply(ProfileReply { message: Some("Email updated successfully".into()), user: render::user(&user) }))
}

/// Change the password
///
/// Ends every other session and every API key of the user at once.
#[utoipa::path(put, path = "/api/user/profile/password", tag = "user", security(("bearer" = [])),
    request_body = PasswordRequest, responses((status = 200, body = MessageReply), (status = 400, body = ErrorBody),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 429, body = ErrorBody)))]
pub(crate) async fn password(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Json(body, _): Json<BitTrade, PasswordRequest>,
) -> Result<Reply<MessageReply>, Fail<BitTrade>> {
    let current = Secret::new(body.current_password.unwrap_or_default());
    let new = Secret::new(body.new_password.unwrap_or_default());
    app.auth.change_password(&ctx, &current, &new, body.confirm_password.map(Secret::new).as_ref()).await?;
    Ok(Reply(MessageReply { message: "Password updated successfully".into() }))
}
