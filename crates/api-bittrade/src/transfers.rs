//! `/api/send-transaction` and `/api/withdrawals`.

use std::sync::Arc;

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use orrery_app::App;
use orrery_http_kit::{Auth, Fail, Json};
use orrery_kernel::{Error, format_minor};
use orrery_protocol::bittrade::ErrorBody;
use orrery_protocol::desk::{Party, SendReply, SendRequest, WithdrawalReply, WithdrawalRequest};

use crate::trading::{idempotency_key, refused, replayed};
use crate::{BitTrade, fields, render};

/// Send money to another user
#[utoipa::path(post, path = "/api/send-transaction", tag = "trading", security(("bearer" = [])),
    request_body = SendRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    responses((status = 200, body = SendReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn send(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    headers: HeaderMap,
    Json(request, _): Json<BitTrade, SendRequest>,
) -> Result<Response, Fail<BitTrade>> {
    let recipient = request.recipient_email.as_deref().unwrap_or_default().trim();
    if recipient.is_empty() || request.amount.is_none() || request.currency.is_none() {
        return Err(Error::invalid("recipientEmail", "Recipient email, amount and currency are required").into());
    }
    let asset = fields::currency(request.currency.as_deref())?;
    let amount = fields::positive("amount", request.amount.as_ref(), asset.decimals(), "Invalid amount")?;
    match app.transfers.send(&ctx, recipient, asset, amount, idempotency_key(&headers)?).await {
        Err(e) => Ok(refused(e)),
        Ok(sent) => {
            let (receipt, number) = (sent.done.receipt, format_minor(amount, asset.decimals()));
            let reply = SendReply {
                message: "Transaction sent successfully".into(),
                recipient: Party { name: sent.recipient.name, email: sent.recipient.email },
                amount: number.parse::<f64>().map_or(serde_json::Value::Null, Into::into),
                currency: asset.code().to_lowercase(),
                sender_transaction_id: receipt.seq,
                recipient_transaction_id: receipt.seq,
                timestamp: receipt.at.iso(),
            };
            Ok(replayed(Reply(reply).into_response(), sent.done.replay))
        }
    }
}

/// Ask for a withdrawal
///
/// The money is reserved until an administrator pays it out or calls it off, at most 30 days. Cancel it
/// as a pending order is cancelled.
#[utoipa::path(post, path = "/api/withdrawals", tag = "trading", security(("bearer" = [])),
    request_body = WithdrawalRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    responses((status = 201, body = WithdrawalReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn withdraw(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    headers: HeaderMap,
    Json(request, _): Json<BitTrade, WithdrawalRequest>,
) -> Result<Response, Fail<BitTrade>> {
    let asset = fields::currency(request.currency.as_deref())?;
    let amount = fields::positive("amount", request.amount.as_ref(), asset.decimals(), "Invalid amount")?;
    match app.transfers.request(&ctx, asset, amount, idempotency_key(&headers)?).await {
        Err(e) => Ok(refused(e)),
        Ok(done) => {
            let reply = WithdrawalReply {
                message: "Withdrawal requested".into(),
                transaction_id: done.receipt.seq,
                status: "PENDING".into(),
                updated_balance: render::balance(&done.receipt.sheet),
            };
            Ok(replayed((StatusCode::CREATED, Reply(reply)).into_response(), done.replay))
        }
    }
}
