//! The administrators' pages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Party, PlanBody};
use crate::bittrade::TransactionBody;
use crate::{AmountText, Rupees};

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
