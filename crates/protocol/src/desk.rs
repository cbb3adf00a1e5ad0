//! Bodies of the trading desk beyond the BitTrade document: what its real client sends and reads
//! (BitTrade contract, sections 5 to 7 and 10). Fields beyond that are marked "added".

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bittrade::{BalanceBody, TransactionBody};
use crate::{AmountText, Rupees};

/// `POST /api/orders`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct OrderRequest {
    /// `LIMIT_BUY` or `LIMIT_SELL`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Satoshis.
    #[schema(value_type = Option<i64>)]
    pub btc_amount: Option<AmountText>,
    /// Rupees.
    #[schema(value_type = Option<f64>)]
    pub inr_amount: Option<AmountText>,
    /// Limit, rupees per bitcoin.
    #[schema(value_type = Option<f64>)]
    pub execution_price: Option<AmountText>,
    /// Seconds the order lives (added); absent: until filled or cancelled.
    pub expires_in_s: Option<u64>,
}

/// Answer to `POST /api/orders`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrderReply {
    /// Transaction.
    #[serde(rename = "transactionId")]
    pub transaction_id: i64,
    /// `PENDING`.
    pub status: String,
    /// Balances right after (added).
    pub updated_balance: BalanceBody,
}

/// What a cancellation gave back; one of the two.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Released {
    /// Rupees.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub inr_amount: Option<Rupees>,
    /// Satoshis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub btc_amount: Option<i64>,
}

/// Answer to `DELETE /api/transactions/:id/cancel`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CancelReply {
    /// For people.
    pub message: String,
    /// Transaction, as text.
    #[serde(rename = "transactionId")]
    pub transaction_id: String,
    /// `LIMIT_BUY`, `LIMIT_SELL`, `WITHDRAW_INR`, `WITHDRAW_BTC`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is free again.
    pub funds_released: Released,
}

/// `POST /api/send-transaction`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendRequest {
    /// Address of the receiver.
    pub recipient_email: Option<String>,
    /// Rupees or bitcoin.
    #[schema(value_type = Option<f64>)]
    pub amount: Option<AmountText>,
    /// `inr` or `btc`.
    pub currency: Option<String>,
}

/// Somebody else, as far as they are shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Party {
    /// Display name.
    pub name: String,
    /// Address.
    pub email: String,
}

/// Answer to `POST /api/send-transaction`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SendReply {
    /// For people.
    pub message: String,
    /// To whom.
    pub recipient: Party,
    /// As asked: rupees or bitcoin.
    pub amount: serde_json::Value,
    /// `inr` or `btc`.
    pub currency: String,
    /// The sender's transaction.
    #[serde(rename = "senderTransactionId")]
    pub sender_transaction_id: i64,
    /// The receiver's transaction (the same entry).
    #[serde(rename = "recipientTransactionId")]
    pub recipient_transaction_id: i64,
    /// ISO 8601.
    pub timestamp: String,
}

/// `POST /api/withdrawals` (added).
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct WithdrawalRequest {
    /// Rupees or bitcoin.
    #[schema(value_type = Option<String>)]
    pub amount: Option<AmountText>,
    /// `inr` or `btc`.
    pub currency: Option<String>,
}

/// Answer to `POST /api/withdrawals` (added).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WithdrawalReply {
    /// For people.
    pub message: String,
    /// Transaction.
    #[serde(rename = "transactionId")]
    pub transaction_id: i64,
    /// `PENDING`, `EXECUTED`, `CANCELLED`.
    pub status: String,
    /// The user's balances right after.
    pub updated_balance: BalanceBody,
}

/// A withdrawal that waits (added).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WithdrawalBody {
    /// Transaction.
    pub id: i64,
    /// Whose.
    pub user_id: i64,
    /// `INR` or `BTC`.
    pub asset: String,
    /// Paise or satoshis.
    pub amount: i64,
    /// ISO 8601.
    pub expires_at: Option<String>,
}

/// `GET /api/admin/withdrawals` (added).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WithdrawalsReply {
    /// Oldest first.
    pub withdrawals: Vec<WithdrawalBody>,
}

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

/// A user in the administrators' list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AdminUserBody {
    /// Number.
    pub id: i64,
    /// Display name.
    pub name: String,
    /// Address.
    pub email: String,
    /// Rupees, available and reserved.
    #[serde(rename = "inrBalance")]
    #[schema(value_type = f64)]
    pub inr_balance: Rupees,
    /// Satoshis, available and reserved.
    #[serde(rename = "btcBalance")]
    pub btc_balance: i64,
    /// 1 for administrators.
    pub is_admin: u8,
    /// `viewer`, `trader`, `operator`, `admin` (added).
    pub role: String,
    /// ISO 8601.
    pub created_at: String,
}

/// `GET /api/admin/users`, and the event of the same content.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminUsersReply {
    /// By number.
    pub users: Vec<AdminUserBody>,
    /// How many.
    pub total_count: usize,
    /// Administrators among them.
    pub admin_count: usize,
    /// The others.
    pub regular_count: usize,
}

/// A transaction in the administrators' list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AdminTransactionBody {
    /// The transaction.
    #[serde(flatten)]
    pub transaction: TransactionBody,
    /// Whose.
    pub user_id: i64,
    /// Display name.
    pub user_name: String,
    /// Address.
    pub user_email: String,
}

/// `GET /api/admin/transactions`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AdminTransactionsReply {
    /// Newest first, at most 1,000.
    pub transactions: Vec<AdminTransactionBody>,
}

/// A plan in the administrators' list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AdminPlanBody {
    /// The plan.
    #[serde(flatten)]
    pub plan: PlanBody,
    /// Whose.
    pub user_id: i64,
    /// Display name.
    pub user_name: String,
    /// Address.
    pub user_email: String,
}

/// `GET /api/admin/dca-plans`, and the event of the same content.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminPlansReply {
    /// By number.
    pub plans: Vec<AdminPlanBody>,
    /// How many.
    pub total_count: usize,
    /// Active.
    pub active_count: usize,
    /// Paused.
    pub paused_count: usize,
    /// Completed.
    pub completed_count: usize,
}

/// `GET /api/admin/total-balance`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TotalBalanceReply {
    /// Rupees.
    #[schema(value_type = f64)]
    pub total_available_inr: Rupees,
    /// Satoshis.
    pub total_available_btc: i64,
    /// Rupees.
    #[schema(value_type = f64)]
    pub total_reserved_inr: Rupees,
    /// Satoshis.
    pub total_reserved_btc: i64,
}

/// `GET /api/admin/metrics`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MetricsReply {
    /// Trades, deposits and withdrawals.
    pub total_trades: i64,
    /// Rupees.
    #[schema(value_type = f64)]
    pub total_volume: Rupees,
    /// Rupees.
    #[schema(value_type = f64)]
    pub buy_volume: Rupees,
    /// Rupees.
    #[schema(value_type = f64)]
    pub sell_volume: Rupees,
    /// Plans that run.
    pub active_dca_plans: i64,
    /// Rupees a day.
    #[schema(value_type = f64)]
    pub avg_daily_dca_amount: Rupees,
    /// Rupees.
    #[schema(value_type = f64)]
    pub total_cash_deposits: Rupees,
    /// Rupees.
    #[schema(value_type = f64)]
    pub total_cash_withdrawals: Rupees,
    /// Satoshis.
    pub total_bitcoin_deposits: i64,
    /// Satoshis.
    pub total_bitcoin_withdrawals: i64,
    /// From the cache?
    pub cached: bool,
}

/// A setting.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SettingBody {
    /// Value.
    pub value: f64,
    /// ISO 8601; null when it was never set.
    pub updated_at: Option<String>,
}

/// The settings by name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SettingsBody {
    /// Rupees a dollar when users buy.
    pub buy_multiplier: SettingBody,
    /// Rupees a dollar when users sell.
    pub sell_multiplier: SettingBody,
    /// Per cent a year, for loans opened from now on.
    pub loan_interest_rate: SettingBody,
}

/// `GET /api/admin/settings`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SettingsReply {
    /// By name.
    pub settings: SettingsBody,
    /// The same beside it, as the client reads them.
    #[serde(flatten)]
    pub flat: SettingsBody,
}

/// The settings to change; absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct SettingsChange {
    /// Rupees a dollar when users buy.
    #[schema(value_type = Option<f64>)]
    pub buy_multiplier: Option<AmountText>,
    /// Rupees a dollar when users sell; at most the other.
    #[schema(value_type = Option<f64>)]
    pub sell_multiplier: Option<AmountText>,
    /// Per cent a year.
    #[schema(value_type = Option<f64>)]
    pub loan_interest_rate: Option<AmountText>,
}

/// `PUT /api/admin/settings`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct SettingsRequest {
    /// What to change.
    pub settings: Option<SettingsChange>,
}

/// Answer to `PUT /api/admin/settings`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingsChanged {
    /// Always true.
    pub success: bool,
    /// For people.
    pub message: String,
    /// As they are now.
    pub updated_settings: SettingsBody,
}

/// `POST /api/admin/users/:id/{deposit,withdraw}-{cash,bitcoin}`, `POST /api/admin/treasury/fund`, and
/// the amount of a withdrawal to be paid.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct AdminAmountRequest {
    /// Rupees or satoshis.
    #[schema(value_type = Option<f64>)]
    pub amount: Option<AmountText>,
}

/// Answer to a booking.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdjustReply {
    /// Always true.
    pub success: bool,
    /// For people.
    pub message: String,
    /// Whose.
    pub user: Party,
    /// Rupees or satoshis, of a deposit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub deposited_amount: Option<serde_json::Value>,
    /// Rupees or satoshis, of a withdrawal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub withdrawn_amount: Option<serde_json::Value>,
    /// Rupees or satoshis available now.
    #[schema(value_type = f64)]
    pub new_balance: serde_json::Value,
    /// The transaction (added).
    pub transaction_id: i64,
}

/// Answer to `POST /api/admin/treasury/fund` (added).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FundReply {
    /// Always true.
    pub success: bool,
    /// For people.
    pub message: String,
    /// Rupees.
    #[schema(value_type = f64)]
    pub amount: Rupees,
    /// The transaction.
    pub transaction_id: i64,
}

/// `GET /api/admin/treasury` (added): what the house holds, owes and is owed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TreasuryReply {
    /// The house's balances, minor units.
    pub house: Vec<crate::bittrade::HouseBalance>,
    /// Sums over all users, minor units.
    pub users: Vec<crate::bittrade::HouseBalance>,
}

/// `PUT /api/admin/users/:id/password`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct AdminPasswordRequest {
    /// 6 characters to 72 bytes.
    pub password: Option<String>,
}

/// `PUT /api/admin/users/:id/role` (added).
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct AdminRoleRequest {
    /// `viewer`, `trader`, `operator`, `admin`.
    pub role: Option<String>,
}

/// An administrator's act that only says so.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DoneReply {
    /// Always true.
    pub success: bool,
    /// For people.
    pub message: String,
}

/// What was deleted with a user.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletedData {
    /// Plans dropped.
    pub plans: u64,
    /// Always 0: the journal keeps them.
    pub transactions: u64,
    /// `deleted`.
    pub user_action: String,
}

/// Answer to `DELETE /api/admin/users/:id`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserDeleted {
    /// Always true.
    pub success: bool,
    /// For people.
    pub message: String,
    /// What went with them.
    pub deleted_data: DeletedData,
}

/// An event of the audit log (added).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditBody {
    /// Place.
    pub id: i64,
    /// ISO 8601.
    pub at: String,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// On what.
    pub target: String,
    /// How it ended.
    pub outcome: String,
    /// From where.
    pub address: String,
    /// Hash that links it to the one before, 64 hex digits.
    pub hash: String,
}

/// `GET /api/admin/audit` (added).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditReply {
    /// In order, at most 1,000.
    pub events: Vec<AuditBody>,
    /// Does the chain of these hold?
    pub chain_ok: bool,
}
