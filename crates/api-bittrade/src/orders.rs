//! `/api/orders` and cancelling.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use orrery_app::App;
use orrery_app::orders::Ask;
use orrery_http_kit::{Auth, Fail, Json, Segment};
use orrery_kernel::{Error, ErrorCode};
use orrery_ledger::Side;
use orrery_protocol::Rupees;
use orrery_protocol::bittrade::ErrorBody;
use orrery_protocol::desk::{CancelReply, OrderReply, OrderRequest, Released};

use crate::trading::{idempotency_key, refused, replayed};
use crate::{BitTrade, fields, render};

fn ask(request: &OrderRequest) -> Result<Ask, Error> {
    let side = match request.kind.as_deref() {
        Some("LIMIT_BUY") => Side::Buy,
        Some("LIMIT_SELL") => Side::Sell,
        _ => return Err(Error::invalid("type", "Invalid order type. Must be LIMIT_BUY or LIMIT_SELL")),
    };
    let inr = fields::decimal("inr_amount", request.inr_amount.as_ref(), 2)?;
    let btc = fields::decimal("btc_amount", request.btc_amount.as_ref(), 0)?;
    for (field, amount) in [("inr_amount", inr), ("btc_amount", btc)] {
        if amount == Some(0) {
            return Err(Error::invalid(field, format!("{field} must be more than zero")));
        }
    }
    let price = request.execution_price.as_ref();
    let limit = fields::positive("execution_price", price, 2, "Invalid execution_price")?;
    Ok(Ask { side, inr, btc, limit, life: request.expires_in_s.map(Duration::from_secs) })
}

/// Place a limit order
///
/// What it can cost is reserved until it is filled, cancelled or runs out. A buy is exact in rupees and
/// a sell in bitcoin; amount, price and total must agree to within a rupee. It is filled whole, once,
/// at the market's rate when that is no worse than the limit.
#[utoipa::path(post, path = "/api/orders", tag = "trading", security(("bearer" = [])), request_body = OrderRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    responses((status = 201, body = OrderReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn place(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    headers: HeaderMap,
    Json(request, _): Json<BitTrade, OrderRequest>,
) -> Result<Response, Fail<BitTrade>> {
    let ask = ask(&request)?;
    match app.orders.place(&ctx, ask, idempotency_key(&headers)?).await {
        Err(e) => Ok(refused(e)),
        Ok(done) => {
            let reply = OrderReply {
                transaction_id: done.receipt.seq,
                status: "PENDING".into(),
                updated_balance: render::balance(&done.receipt.sheet),
            };
            Ok(replayed((StatusCode::CREATED, Reply(reply)).into_response(), done.replay))
        }
    }
}

/// Cancel a pending limit order or withdrawal
#[utoipa::path(delete, path = "/api/transactions/{id}/cancel", tag = "trading", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Transaction"),
    ("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    responses((status = 200, body = CancelReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Segment(id, _): Segment<BitTrade>,
    headers: HeaderMap,
) -> Result<Response, Fail<BitTrade>> {
    let missing = || Error::new(ErrorCode::NotFound, "Transaction not found or unauthorized");
    let seq = fields::number(&id).ok_or_else(missing)?;
    match app.orders.cancel(&ctx, seq, idempotency_key(&headers)?).await {
        Err(e) => Ok(refused(e)),
        Ok(cancelled) => {
            let receipt = cancelled.done.receipt;
            let order = cancelled.kind.starts_with("LIMIT");
            let message =
                if order { "Limit order cancelled successfully" } else { "Withdrawal cancelled successfully" };
            let reply = CancelReply {
                message: message.into(),
                transaction_id: seq.to_string(),
                kind: cancelled.kind.into(),
                funds_released: Released {
                    inr_amount: (receipt.inr > 0).then_some(Rupees(receipt.inr)),
                    btc_amount: (receipt.btc > 0).then_some(receipt.btc),
                },
            };
            Ok(replayed(Reply(reply).into_response(), cancelled.done.replay))
        }
    }
}
