//! `/api/user/api-keys`: keys for programs.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use orrery_app::App;
use orrery_http_kit::{Auth, Fail, Json, Segment};
use orrery_identity::{ApiKey, ApiKeyId, Scope};
use orrery_kernel::{Error, ErrorCode};
use orrery_protocol::bittrade::{ApiKeyBody, ApiKeyCreated, ApiKeyList, ApiKeyRequest, ErrorBody, MessageReply};

use crate::BitTrade;

const DAY: Duration = Duration::from_secs(86_400);
const DAYS_MAX: u32 = 3_650;

fn body(key: &ApiKey) -> ApiKeyBody {
    ApiKeyBody {
        id: key.id.0,
        name: key.key.name.clone(),
        prefix: key.key.prefix.clone(),
        scopes: key.key.scopes.iter().map(|s| s.name().to_owned()).collect(),
        created_at: key.key.created_at.iso(),
        expires_at: key.key.expires_at.map(orrery_kernel::Timestamp::iso),
    }
}

/// Own API keys
#[utoipa::path(get, path = "/api/user/api-keys", tag = "user", security(("bearer" = [])), responses(
    (status = 200, body = ApiKeyList), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
) -> Result<Reply<ApiKeyList>, Fail<BitTrade>> {
    let keys = app.auth.api_keys(&ctx).await?;
    Ok(Reply(ApiKeyList { api_keys: keys.iter().map(body).collect() }))
}

/// Make an API key
///
/// The key is in this answer and never shown again. Needs a session: a key cannot make keys.
#[utoipa::path(post, path = "/api/user/api-keys", tag = "user", security(("bearer" = [])), request_body = ApiKeyRequest,
    responses((status = 201, body = ApiKeyCreated), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Json(request, _): Json<BitTrade, ApiKeyRequest>,
) -> Result<Response, Fail<BitTrade>> {
    let unknown = || Error::invalid("scopes", "scopes must be a list of read, trade, files, exec, admin");
    let names = request.scopes.unwrap_or_else(|| vec!["read".into()]);
    let scopes = names.iter().map(|n| Scope::parse(n).ok_or_else(unknown)).collect::<Result<Vec<_>, _>>()?;
    let lifetime = match request.expires_in_days {
        None => None,
        Some(days) if (1..=DAYS_MAX).contains(&days) => Some(DAY * days),
        Some(_) => {
            return Err(
                Error::invalid("expires_in_days", format!("expires_in_days must be between 1 and {DAYS_MAX}")).into()
            );
        }
    };
    let made = app.auth.create_api_key(&ctx, &request.name.unwrap_or_default(), scopes, lifetime).await?;
    let reply = ApiKeyCreated { key: made.secret.expose().clone(), api_key: body(&made.key) };
    Ok((StatusCode::CREATED, Reply(reply)).into_response())
}

/// Revoke an API key
#[utoipa::path(delete, path = "/api/user/api-keys/{id}", tag = "user", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Number of the key")), responses((status = 200, body = MessageReply),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Segment(id, _): Segment<BitTrade>,
) -> Result<Reply<MessageReply>, Fail<BitTrade>> {
    let id = id.parse().map_err(|_| Error::new(ErrorCode::NotFound, "API key not found"))?;
    app.auth.revoke_api_key(&ctx, ApiKeyId(id)).await?;
    Ok(Reply(MessageReply { message: "API key revoked".into() }))
}
