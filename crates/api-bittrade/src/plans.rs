//! `/api/dca-plans`.

use std::sync::Arc;

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use orrery_app::App;
use orrery_app::plans::PlanForm;
use orrery_http_kit::{Auth, Fail, Json, Segment};
use orrery_kernel::{Error, ErrorCode};
use orrery_ledger::{Frequency, PlanId, Side, Size};
use orrery_protocol::bittrade::{ErrorBody, MessageReply};
use orrery_protocol::desk::{PlanCreated, PlanDeleted, PlanRequest, PlanStatusRequest, PlansReply};

use crate::{BitTrade, fields, render};

fn form(request: &PlanRequest) -> Result<PlanForm, Error> {
    let bad = |field| Error::invalid(field, "Invalid plan type or frequency");
    let side = match request.plan_type.as_deref() {
        Some("DCA_BUY") => Side::Buy,
        Some("DCA_SELL") => Side::Sell,
        _ => return Err(bad("plan_type")),
    };
    let frequency = request.frequency.as_deref().and_then(Frequency::parse).ok_or_else(|| bad("frequency"))?;
    let inr = fields::decimal("amount_per_execution_inr", request.amount_per_execution_inr.as_ref(), 2)?;
    let btc = fields::decimal("amount_per_execution_btc", request.amount_per_execution_btc.as_ref(), 0)?;
    let size = match (inr, btc) {
        (Some(paise), None) => Size::Inr(paise),
        (None, Some(sat)) => Size::Btc(sat),
        (None, None) => {
            let text = "Either amount_per_execution_inr or amount_per_execution_btc must be provided";
            return Err(Error::invalid("amount_per_execution_inr", text));
        }
        (Some(_), Some(_)) => {
            let text = "Only one amount field may be provided: amount_per_execution_inr or amount_per_execution_btc";
            return Err(Error::invalid("amount_per_execution_inr", text));
        }
    };
    Ok(PlanForm {
        side,
        size,
        frequency,
        min_rate: fields::decimal("min_price", request.min_price.as_ref(), 2)?,
        max_rate: fields::decimal("max_price", request.max_price.as_ref(), 2)?,
        remaining: fields::decimal("remaining_executions", request.remaining_executions.as_ref(), 0)?,
    })
}

fn id(segment: &str) -> Result<PlanId, Error> {
    let missing = || Error::new(ErrorCode::NotFound, "Plan not found or unauthorized");
    fields::number(segment).map(PlanId).ok_or_else(missing)
}

/// Own plans
#[utoipa::path(get, path = "/api/dca-plans", tag = "plans", security(("bearer" = [])), responses(
    (status = 200, body = PlansReply), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
) -> Result<Reply<PlansReply>, Fail<BitTrade>> {
    Ok(Reply(render::plans(&app.plans.list(&ctx).await?)))
}

/// Make a plan
///
/// It trades its amount once a period; the first time one period from now. A run outside its price
/// range is left out. Without the money for a run it is paused, with a notice.
#[utoipa::path(post, path = "/api/dca-plans", tag = "plans", security(("bearer" = [])), request_body = PlanRequest,
    responses((status = 201, body = PlanCreated), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Json(request, _): Json<BitTrade, PlanRequest>,
) -> Result<Response, Fail<BitTrade>> {
    let plan = app.plans.create(&ctx, form(&request)?).await?;
    let reply = PlanCreated { plan_id: plan.id.0, message: "DCA plan created successfully".into() };
    Ok((StatusCode::CREATED, Reply(reply)).into_response())
}

/// Pause or resume a plan
#[utoipa::path(patch, path = "/api/dca-plans/{id}/status", tag = "plans", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Number of the plan")), request_body = PlanStatusRequest,
    responses((status = 200, body = MessageReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 413, body = ErrorBody)))]
pub(crate) async fn status(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Segment(segment, _): Segment<BitTrade>,
    Json(request, _): Json<BitTrade, PlanStatusRequest>,
) -> Result<Reply<MessageReply>, Fail<BitTrade>> {
    let active = match request.status.as_deref() {
        Some("ACTIVE") => true,
        Some("PAUSED") => false,
        _ => return Err(Error::invalid("status", "Invalid status. Must be ACTIVE or PAUSED").into()),
    };
    app.plans.set_active(&ctx, id(&segment)?, active).await?;
    let message = if active { "Plan active successfully" } else { "Plan paused successfully" };
    Ok(Reply(MessageReply { message: message.into() }))
}

/// Drop a plan; its trades stay
#[utoipa::path(delete, path = "/api/dca-plans/{id}", tag = "plans", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Number of the plan")), responses((status = 200, body = PlanDeleted),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Segment(segment, _): Segment<BitTrade>,
) -> Result<Reply<PlanDeleted>, Fail<BitTrade>> {
    let plan = app.plans.delete(&ctx, id(&segment)?).await?;
    Ok(Reply(PlanDeleted {
        message: "DCA plan deleted successfully".into(),
        plan_id: plan.id.0.to_string(),
        plan_type: render::plan_type(plan.plan.side).into(),
        related_transactions_deleted: 0,
    }))
}
