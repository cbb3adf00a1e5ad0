//! `/api/user/loan/*`.

use std::sync::Arc;

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use orrery_app::desk::{Done, Posting};
use orrery_app::loans::LoanStatus;
use orrery_app::{App, Ctx};
use orrery_http_kit::{Auth, Fail, Json};
use orrery_kernel::{Asset, ErrorCode};
use orrery_ledger::MAX_LTV_BPS;
use orrery_protocol::Rupees;
use orrery_protocol::bittrade::ErrorBody;
use orrery_protocol::desk::{
    CollateralRequest, LoanAmountRequest, LoanBody, LoanHistoryReply, LoanReply, RiskBody, RisksReply,
};

use crate::trading::{idempotency_key, refused, replayed};
use crate::{BitTrade, fields, render};

fn percent(bps: i64) -> f64 {
    bps as f64 / 100.0
}

fn body(status: &LoanStatus) -> LoanBody {
    let (position, rate) = (&status.position, status.sell_rate);
    let (debt, allowed) = (position.debt(), position.allowed(rate));
    LoanBody {
        loan_id: status.loan.opened,
        collateral_amount: position.collateral,
        borrowed_amount: Rupees(debt),
        interest_accrued: Rupees(position.interest),
        borrowed_amount_paise: debt,
        interest_accrued_paise: position.interest,
        interest_rate: percent(status.loan.rate_bps),
        ltv_ratio: percent(MAX_LTV_BPS),
        // whole rupees, as documented
        liquidation_price: Rupees(position.liquidation_rate() / 100 * 100),
        max_borrowable: Rupees(allowed),
        available_capacity: Rupees((allowed - debt).max(0)),
        current_ltv: position.ltv_bps(rate).map_or(0.0, percent),
        current_btc_price: Rupees(rate),
        risk_status: status.risk.name().into(),
        minimum_interest_due: 0,
        status: "ACTIVE".into(),
    }
}

/// The loan as it is after `posting`, in both forms.
async fn reply(app: &App, ctx: &Ctx, message: &str, posting: Posting) -> Result<Response, Fail<BitTrade>> {
    let Done { receipt, replay } = match posting {
        Ok(done) => done,
        Err(e) => return Ok(refused(e)),
    };
    let loan = match app.loans.status(ctx).await {
        Ok(status) => Some(body(&status)),
        Err(e) if e.code == ErrorCode::NotFound => None,
        Err(e) => return Err(e.into()),
    };
    let over = if loan.is_none() { "; the loan is over" } else { "" };
    let reply = LoanReply {
        success: true,
        message: format!("{message}{over}"),
        transaction_id: Some(receipt.seq),
        inr: (receipt.inr > 0).then_some(Rupees(receipt.inr)),
        btc: (receipt.btc > 0).then_some(receipt.btc),
        data: loan.clone(),
        loan,
    };
    Ok(replayed(Reply(reply).into_response(), replay))
}

/// Lock bitcoin against a loan
///
/// Satoshis. The first lock opens the loan, at the interest set at that moment; further ones add to it.
#[utoipa::path(post, path = "/api/user/loan/deposit-collateral", tag = "loans", security(("bearer" = [])),
    request_body = CollateralRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    responses((status = 200, body = LoanReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody)))]
pub(crate) async fn deposit_collateral(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    headers: HeaderMap,
    Json(request, _): Json<BitTrade, CollateralRequest>,
) -> Result<Response, Fail<BitTrade>> {
    let text = "collateralAmount must be a whole number of satoshis above zero";
    let amount = fields::positive("collateralAmount", request.collateral_amount.as_ref(), 0, text)?;
    let posting = app.loans.lock(&ctx, amount, idempotency_key(&headers)?).await;
    reply(&app, &ctx, "Collateral deposited successfully", posting).await
}

/// Lock more bitcoin
///
/// In bitcoin, not satoshis.
#[utoipa::path(post, path = "/api/user/loan/add-collateral", tag = "loans", security(("bearer" = [])),
    request_body = CollateralRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    responses((status = 200, body = LoanReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 413, body = ErrorBody)))]
pub(crate) async fn add_collateral(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    headers: HeaderMap,
    Json(request, _): Json<BitTrade, CollateralRequest>,
) -> Result<Response, Fail<BitTrade>> {
    let posting = app.loans.add(&ctx, bitcoin(&request)?, idempotency_key(&headers)?).await;
    reply(&app, &ctx, "Collateral added successfully", posting).await
}

/// Take collateral back
///
/// In bitcoin; as far as the debt stays within 60 % of what is left.
#[utoipa::path(post, path = "/api/user/loan/release-collateral", tag = "loans", security(("bearer" = [])),
    request_body = CollateralRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    responses((status = 200, body = LoanReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn release_collateral(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    headers: HeaderMap,
    Json(request, _): Json<BitTrade, CollateralRequest>,
) -> Result<Response, Fail<BitTrade>> {
    let posting = app.loans.release(&ctx, bitcoin(&request)?, idempotency_key(&headers)?).await;
    reply(&app, &ctx, "Collateral released successfully", posting).await
}

fn bitcoin(request: &CollateralRequest) -> Result<i64, orrery_kernel::Error> {
    let text = "collateralAmount must be an amount of bitcoin above zero";
    fields::positive("collateralAmount", request.collateral_amount.as_ref(), Asset::BTC.decimals(), text)
}

fn rupees(request: &LoanAmountRequest) -> Result<i64, orrery_kernel::Error> {
    fields::positive("amount", request.amount.as_ref(), Asset::INR.decimals(), "Invalid amount")
}

/// Borrow rupees
///
/// Up to 60 % of the collateral's value at the sell rate, debt included.
#[utoipa::path(post, path = "/api/user/loan/borrow", tag = "loans", security(("bearer" = [])),
    request_body = LoanAmountRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    responses((status = 200, body = LoanReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn borrow(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    headers: HeaderMap,
    Json(request, _): Json<BitTrade, LoanAmountRequest>,
) -> Result<Response, Fail<BitTrade>> {
    let posting = app.loans.borrow(&ctx, rupees(&request)?, idempotency_key(&headers)?).await;
    reply(&app, &ctx, "Loan amount borrowed successfully", posting).await
}

/// Pay back
///
/// Interest first. At most the debt is taken; with the last paisa the collateral is free again.
#[utoipa::path(post, path = "/api/user/loan/repay", tag = "loans", security(("bearer" = [])),
    request_body = LoanAmountRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    responses((status = 200, body = LoanReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 413, body = ErrorBody)))]
pub(crate) async fn repay(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    headers: HeaderMap,
    Json(request, _): Json<BitTrade, LoanAmountRequest>,
) -> Result<Response, Fail<BitTrade>> {
    let posting = app.loans.repay(&ctx, rupees(&request)?, idempotency_key(&headers)?).await;
    reply(&app, &ctx, "Loan repaid successfully", posting).await
}

/// Sell collateral down to the target
///
/// Only a loan whose debt is at least 90 % of its collateral's value; sells exactly what leads back to
/// 60 %.
#[utoipa::path(post, path = "/api/user/loan/partial-liquidation", tag = "loans", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    responses((status = 200, body = LoanReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn partial_liquidation(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    headers: HeaderMap,
) -> Result<Response, Fail<BitTrade>> {
    let posting = app.loans.liquidate(&ctx, false, idempotency_key(&headers)?).await;
    reply(&app, &ctx, "Partial liquidation completed", posting).await
}

/// Sell collateral for the whole debt
///
/// Only a loan whose debt is at least 90 % of its collateral's value. What is left is free again.
#[utoipa::path(post, path = "/api/user/loan/full-liquidation", tag = "loans", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    responses((status = 200, body = LoanReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn full_liquidation(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    headers: HeaderMap,
) -> Result<Response, Fail<BitTrade>> {
    let posting = app.loans.liquidate(&ctx, true, idempotency_key(&headers)?).await;
    reply(&app, &ctx, "Full liquidation completed", posting).await
}

/// Own loan
#[utoipa::path(get, path = "/api/user/loan/status", tag = "loans", security(("bearer" = [])), responses(
    (status = 200, body = LoanReply), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
pub(crate) async fn status(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
) -> Result<Reply<LoanReply>, Fail<BitTrade>> {
    let loan = body(&app.loans.status(&ctx).await?);
    Ok(Reply(LoanReply {
        success: true,
        message: "Loan status retrieved successfully".into(),
        transaction_id: None,
        inr: None,
        btc: None,
        data: Some(loan.clone()),
        loan: Some(loan),
    }))
}

/// Own transactions that concern loans
#[utoipa::path(get, path = "/api/user/loan/history", tag = "loans", security(("bearer" = [])), responses(
    (status = 200, body = LoanHistoryReply), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn history(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
) -> Result<Reply<LoanHistoryReply>, Fail<BitTrade>> {
    let history: Vec<_> = app.loans.history(&ctx).await?.iter().map(render::transaction).collect();
    Ok(Reply(LoanHistoryReply { success: true, data: history.clone(), history }))
}

/// Loans in danger, for operators
#[utoipa::path(get, path = "/api/user/loan/liquidation-risk", tag = "loans", security(("bearer" = [])), responses(
    (status = 200, body = RisksReply), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn risk(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
) -> Result<Reply<RisksReply>, Fail<BitTrade>> {
    let loans = app.loans.at_risk(&ctx).await?;
    let risk = |status: &LoanStatus| RiskBody { user_id: status.loan.user.0, loan: body(status) };
    Ok(Reply(RisksReply { loans: loans.iter().map(risk).collect() }))
}
