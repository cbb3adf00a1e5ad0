//! Loans against collateral.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bittrade::TransactionBody;
use crate::{AmountText, Rupees};

/// `POST /api/user/loan/deposit-collateral` (satoshis), `…/add-collateral` and
/// `…/release-collateral` (bitcoin).
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CollateralRequest {
    /// How much.
    #[schema(value_type = Option<f64>)]
    pub collateral_amount: Option<AmountText>,
}

/// `POST /api/user/loan/borrow` and `…/repay`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct LoanAmountRequest {
    /// Rupees.
    #[schema(value_type = Option<f64>)]
    pub amount: Option<AmountText>,
}

/// `GET /api/user/loan/status`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoanBody {
    /// Number: the transaction that opened it.
    pub loan_id: i64,
    /// Satoshis.
    pub collateral_amount: i64,
    /// Rupees owed, interest included.
    #[schema(value_type = f64)]
    pub borrowed_amount: Rupees,
    /// Rupees of it that are interest (added).
    #[schema(value_type = f64)]
    pub interest_accrued: Rupees,
    /// Exact (added).
    #[serde(rename = "borrowedAmount_paise")]
    pub borrowed_amount_paise: i64,
    /// Exact (added).
    #[serde(rename = "interestAccrued_paise")]
    pub interest_accrued_paise: i64,
    /// Per cent a year.
    pub interest_rate: f64,
    /// Most that may be borrowed, per cent of the collateral's value.
    pub ltv_ratio: f64,
    /// Sell rate at which it is liquidated, rupees per bitcoin; 0 without debt.
    #[schema(value_type = f64)]
    pub liquidation_price: Rupees,
    /// Rupees that may be owed at most.
    #[schema(value_type = f64)]
    pub max_borrowable: Rupees,
    /// Rupees that may be borrowed on top.
    #[schema(value_type = f64)]
    pub available_capacity: Rupees,
    /// Debt against value, per cent; 0 without debt.
    pub current_ltv: f64,
    /// Sell rate, rupees per bitcoin.
    #[schema(value_type = f64)]
    pub current_btc_price: Rupees,
    /// `HEALTHY`, `WARNING`, `LIQUIDATE`.
    pub risk_status: String,
    /// Always 0: interest is exact from the first day.
    pub minimum_interest_due: i64,
    /// `ACTIVE`.
    pub status: String,
}

/// An answer about a loan: the older server's envelope, and the same fields beside it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LoanReply {
    /// Always true; a failure is an error.
    pub success: bool,
    /// For people.
    pub message: String,
    /// The transaction, where one was made (added).
    #[serde(rename = "transactionId", skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<i64>,
    /// Rupees or satoshis that the transaction moved (added).
    #[serde(rename = "inrAmount", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub inr: Option<Rupees>,
    /// Satoshis (added).
    #[serde(rename = "btcAmount", skip_serializing_if = "Option::is_none")]
    pub btc: Option<i64>,
    /// The loan; null when it is over.
    pub data: Option<LoanBody>,
    /// The loan's fields once more.
    #[serde(flatten)]
    pub loan: Option<LoanBody>,
}

/// `GET /api/user/loan/history`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LoanHistoryReply {
    /// Always true.
    pub success: bool,
    /// Newest first, at most 200.
    pub history: Vec<TransactionBody>,
    /// The same, in the older server's envelope.
    pub data: Vec<TransactionBody>,
}

/// A loan in danger.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RiskBody {
    /// Whose.
    #[serde(rename = "userId")]
    pub user_id: i64,
    /// The loan.
    #[serde(flatten)]
    pub loan: LoanBody,
}

/// `GET /api/user/loan/liquidation-risk`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RisksReply {
    /// Loans at their warning or beyond.
    pub loans: Vec<RiskBody>,
}
