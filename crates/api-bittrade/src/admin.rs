//! `/api/admin/*`: the operator's views and corrections.

use std::sync::Arc;

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use orrery_app::trading::Exposure;
use orrery_app::{App, Ctx};
use orrery_http_kit::{Auth, Fail, Segment};
use orrery_identity::Action;
use orrery_kernel::{Asset, Error, ErrorCode};
use orrery_ledger::Bucket;
use orrery_protocol::Rupees;
use orrery_protocol::bittrade::{ErrorBody, HouseBalance, ReconcileReply, TransactionBody};
use serde::Serialize;
use utoipa::ToSchema;

use crate::trading::{idempotency_key, refused, replayed};
use crate::{BitTrade, render};

/// Answer to a reversal.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReverseReply {
    success: bool,
    message: String,
    /// The transaction undone, as it is now; null for one of the house's own.
    #[serde(rename = "reversedTransaction")]
    reversed: Option<TransactionBody>,
    /// The new entry that undid it.
    #[serde(rename = "reversalTransaction")]
    reversal: i64,
    #[serde(rename = "balanceAdjustment")]
    adjustment: Adjustment,
}

/// What the reversal gave the user; less than 0 for what it took.
#[derive(Serialize, ToSchema)]
pub(crate) struct Adjustment {
    /// Satoshis.
    btc: i64,
    /// Rupees.
    #[schema(value_type = f64)]
    inr: Rupees,
    /// Exact.
    inr_paise: i64,
}

/// Undo a transaction
///
/// By a new journal entry; nothing is deleted. Refused when a balance would fall below its bound.
#[utoipa::path(post, path = "/api/admin/transactions/{id}/reverse", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Transaction"),
    ("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    responses((status = 200, body = ReverseReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn reverse(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Segment(id, _): Segment<BitTrade>,
    headers: HeaderMap,
) -> Result<Response, Fail<BitTrade>> {
    only(&ctx, Action::Administer)?;
    let seq =
        id.parse().ok().filter(|s| *s > 0).ok_or_else(|| Error::new(ErrorCode::NotFound, "Transaction not found"))?;
    match app.trading.reverse(&ctx, seq, idempotency_key(&headers)?).await {
        Err(e) => Ok(refused(e)),
        Ok(done) => {
            let undone = app.trading.undone(&ctx, seq).await?;
            let (btc, inr) = undone.as_ref().map_or((0, 0), |u| (u.btc, u.inr));
            let reply = ReverseReply {
                success: true,
                message: "Transaction reversed".into(),
                reversed: undone.map(|u| render::transaction(&u.line)),
                reversal: done.receipt.seq,
                adjustment: Adjustment { btc, inr: Rupees(inr), inr_paise: inr },
            };
            Ok(replayed(Reply(reply).into_response(), done.replay))
        }
    }
}

/// Replay the whole journal against what is stored
///
/// Also reports the house's exposure. Takes time in proportion to the journal.
#[utoipa::path(get, path = "/api/admin/reconcile", tag = "admin", security(("bearer" = [])), responses(
    (status = 200, body = ReconcileReply), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn reconcile(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
) -> Result<Reply<ReconcileReply>, Fail<BitTrade>> {
    only(&ctx, Action::ReadHouse)?;
    let (house, users) = exposure(&app.trading.exposure(&ctx).await?);
    let report = app.trading.reconcile(&ctx).await?;
    Ok(Reply(ReconcileReply {
        ok: report.is_ok(),
        entries: report.head.seq,
        head: report.head.hash.iter().map(|b| format!("{b:02x}")).collect(),
        faults: report.faults.iter().map(ToString::to_string).collect(),
        fault_count: report.fault_count,
        house,
        users,
    }))
}

/// Lets administrators (or operators, for what they read) through, with the documented refusal.
pub(crate) fn only(ctx: &Ctx, action: Action) -> Result<(), Error> {
    ctx.authorize(action).map(|_| ()).map_err(|e| match e.code {
        ErrorCode::Forbidden => Error::new(e.code, "Access denied. Admin privileges required."),
        _ => e,
    })
}

/// The house's balances, and the sums over all users.
pub(crate) fn exposure(exposure: &Exposure) -> (Vec<HouseBalance>, Vec<HouseBalance>) {
    let row = |asset: Asset, bucket: Bucket, balance: i64| HouseBalance {
        asset: asset.code().into(),
        bucket: bucket.name().into(),
        balance,
    };
    let house = exposure.house.iter().map(|(account, balance)| row(account.asset, account.bucket, *balance));
    let users = exposure.users.iter().map(|(asset, bucket, balance)| row(*asset, *bucket, *balance));
    (house.collect(), users.collect())
}
