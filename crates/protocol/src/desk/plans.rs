//! DCA plans.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AmountText, Rupees};

/// `POST /api/dca-plans`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct PlanRequest {
    /// `DCA_BUY` or `DCA_SELL`.
    pub plan_type: Option<String>,
    /// `HOURLY`, `DAILY`, `WEEKLY`, `MONTHLY`.
    pub frequency: Option<String>,
    /// Rupees each run trades; this or the next.
    #[schema(value_type = Option<f64>)]
    pub amount_per_execution_inr: Option<AmountText>,
    /// Satoshis each run trades.
    #[schema(value_type = Option<i64>)]
    pub amount_per_execution_btc: Option<AmountText>,
    /// Trades to be made; absent: without end.
    #[schema(value_type = Option<i64>)]
    pub remaining_executions: Option<AmountText>,
    /// Rupees per bitcoin; a run above is skipped.
    #[schema(value_type = Option<f64>)]
    pub max_price: Option<AmountText>,
    /// Rupees per bitcoin; a run below is skipped.
    #[schema(value_type = Option<f64>)]
    pub min_price: Option<AmountText>,
}

/// Answer to `POST /api/dca-plans`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlanCreated {
    /// Number.
    #[serde(rename = "planId")]
    pub plan_id: i64,
    /// For people.
    pub message: String,
}

/// `PATCH /api/dca-plans/:id/status`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct PlanStatusRequest {
    /// `ACTIVE` or `PAUSED`.
    pub status: Option<String>,
}

/// Answer to `DELETE /api/dca-plans/:id`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanDeleted {
    /// For people.
    pub message: String,
    /// Number, as text.
    pub plan_id: String,
    /// `DCA_BUY` or `DCA_SELL`.
    pub plan_type: String,
    /// Always 0: trades stay.
    pub related_transactions_deleted: u64,
}

/// A run that traded.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunBody {
    /// Transaction.
    pub id: i64,
    /// Satoshis.
    pub btc_amount: i64,
    /// Rupees.
    #[schema(value_type = f64)]
    pub inr_amount: Rupees,
    /// Rupees per bitcoin.
    #[schema(value_type = f64)]
    pub execution_price: Rupees,
    /// `EXECUTED`.
    pub status: String,
    /// ISO 8601.
    pub executed_at: String,
}

/// What a plan's trades came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Performance {
    /// Trades made.
    pub total_executed: i64,
    /// The same, under the name that events use.
    pub total_executions: i64,
    /// Rupees.
    #[schema(value_type = f64)]
    pub total_invested: Rupees,
    /// Satoshis.
    pub total_btc: i64,
    /// Rupees per bitcoin; 0 without a trade.
    #[schema(value_type = f64)]
    pub avg_price: Rupees,
}

/// A plan.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlanBody {
    /// Number.
    pub id: i64,
    /// `DCA_BUY` or `DCA_SELL`.
    pub plan_type: String,
    /// `ACTIVE`, `PAUSED`, `COMPLETED`.
    pub status: String,
    /// `HOURLY`, `DAILY`, `WEEKLY`, `MONTHLY`.
    pub frequency: String,
    /// Rupees.
    #[schema(value_type = Option<f64>)]
    pub amount_per_execution_inr: Option<Rupees>,
    /// Satoshis.
    pub amount_per_execution_btc: Option<i64>,
    /// ISO 8601; null when there is none.
    pub next_execution_at: Option<String>,
    /// Trades made.
    pub total_executions: i64,
    /// Null: without end.
    pub remaining_executions: Option<i64>,
    /// Rupees per bitcoin.
    #[schema(value_type = Option<f64>)]
    pub max_price: Option<Rupees>,
    /// Rupees per bitcoin.
    #[schema(value_type = Option<f64>)]
    pub min_price: Option<Rupees>,
    /// ISO 8601.
    pub created_at: String,
    /// ISO 8601.
    pub completed_at: Option<String>,
    /// Why it was paused, if not by its owner (added).
    pub notice: Option<String>,
    /// Its last trades, newest first, at most 10.
    pub recent_executions: Vec<RunBody>,
    /// What its trades came to.
    pub performance: Performance,
}

/// `GET /api/dca-plans`, and the event of the same content.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlansReply {
    /// Active, paused, completed; the newest of each first.
    pub plans: Vec<PlanBody>,
    /// All.
    pub total_plans: usize,
    /// Active.
    pub active_plans: usize,
    /// Paused.
    pub paused_plans: usize,
}
