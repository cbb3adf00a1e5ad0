//! Bodies of the BitTrade document's HTTP API. Fields beyond the document are marked "added".

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AmountText, Rupees};

/// `{"error": text}`: every failure.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong, for people.
    pub error: String,
}

/// `POST /api/auth/register`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct RegisterRequest {
    /// Address.
    pub email: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// 6 characters to 72 bytes.
    pub password: Option<String>,
    /// Checked against `password` when present.
    #[serde(rename = "confirmPassword")]
    pub confirm_password: Option<String>,
}

/// `POST /api/setup` (added): the first administrator.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct SetupRequest {
    /// The one-time token that the server printed.
    pub token: Option<String>,
    /// Address.
    pub email: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// 6 characters to 72 bytes.
    pub password: Option<String>,
}

/// `POST /api/auth/login`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct LoginRequest {
    /// Address.
    pub email: Option<String>,
    /// Password.
    pub password: Option<String>,
}

/// A user as shown to themselves.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserBody {
    /// Id.
    pub id: i64,
    /// Address.
    pub email: String,
    /// Display name.
    pub name: String,
    /// 1 for administrators; the documented client tests it for truth.
    pub is_admin: u8,
    /// `viewer`, `trader`, `operator`, `admin` (added).
    pub role: String,
}

/// Answer to register, login and setup.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionReply {
    /// `User registered successfully`, `Login successful`.
    pub message: String,
    /// JWT for `Authorization: Bearer`.
    pub token: String,
    /// The session for `X-Session-ID` (added); only of a login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Who.
    pub user: UserBody,
}

/// `GET /api/auth/verify`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VerifyReply {
    /// Always true; a bad token is an error.
    pub valid: bool,
    /// Who.
    pub user: UserBody,
}

/// An answer that only says so.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MessageReply {
    /// For people.
    pub message: String,
}

/// `GET /api/user/profile` and its `PUT`s.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProfileReply {
    /// For people; absent on `GET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Who.
    pub user: UserBody,
}

/// `PUT /api/user/profile/name`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct NameRequest {
    /// New display name, 2 to 100 characters.
    pub name: Option<String>,
    /// Current password.
    #[serde(rename = "currentPassword")]
    pub current_password: Option<String>,
}

/// `PUT /api/user/profile/email`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct EmailRequest {
    /// New address; stored in lower case.
    pub email: Option<String>,
    /// Current password.
    #[serde(rename = "currentPassword")]
    pub current_password: Option<String>,
}

/// `PUT /api/user/profile/password`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct PasswordRequest {
    /// Current password.
    #[serde(rename = "currentPassword")]
    pub current_password: Option<String>,
    /// New password, 6 characters to 72 bytes.
    #[serde(rename = "newPassword")]
    pub new_password: Option<String>,
    /// Must equal `newPassword` where present.
    #[serde(rename = "confirmPassword")]
    pub confirm_password: Option<String>,
}

/// `POST /api/user/api-keys` (added).
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ApiKeyRequest {
    /// Label, 1 to 100 characters.
    pub name: Option<String>,
    /// `read`, `trade`, `admin`; default `["read"]`.
    pub scopes: Option<Vec<String>>,
    /// Lifetime in days, 1 to 3650; absent is for ever.
    pub expires_in_days: Option<u32>,
}

/// An API key as listed (added).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiKeyBody {
    /// Number.
    pub id: i64,
    /// Label.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// ISO 8601.
    pub created_at: String,
    /// ISO 8601; null is never.
    pub expires_at: Option<String>,
}

/// Answer to the creation of an API key (added): the only time the key is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiKeyCreated {
    /// The key: `ok_…`.
    pub key: String,
    /// As listed from now on.
    pub api_key: ApiKeyBody,
}

/// `GET /api/user/api-keys` (added).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiKeyList {
    /// Unrevoked keys, newest first.
    pub api_keys: Vec<ApiKeyBody>,
}

/// `GET /api/bitcoin/current`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CurrentReply {
    /// Number of the observation.
    pub id: i64,
    /// Whole dollars.
    pub btc_usd_price: i64,
    /// Dollars.
    pub market_cap_usd: Option<f64>,
    /// Dollars.
    pub volume_24h_usd: Option<f64>,
    /// Dollars.
    pub high_24h_usd: Option<f64>,
    /// Dollars.
    pub ath_usd: Option<f64>,
    /// `2021-11-10`.
    pub ath_date: Option<String>,
    /// Per cent.
    pub ath_change_pct: Option<f64>,
    /// ISO 8601.
    pub last_updated: String,
    /// Rupees per bitcoin for buyers.
    pub buy_rate_inr: i64,
    /// Rupees per bitcoin for sellers.
    pub sell_rate_inr: i64,
    /// From the cache?
    pub cached: bool,
    /// `coingecko` or `simulated` (added).
    pub source: String,
    /// Too old to trade at (added)?
    pub stale: bool,
}

/// `GET /api/market-rates`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RatesReply {
    /// Whole dollars.
    pub btc_usd_price: i64,
    /// Rupees per bitcoin for buyers.
    pub buy_rate_inr: i64,
    /// Rupees per bitcoin for sellers.
    pub sell_rate_inr: i64,
    /// When this was asked, ISO 8601.
    pub timestamp: String,
    /// From the cache?
    pub cached: bool,
    /// `coingecko` or `simulated` (added).
    pub source: String,
    /// When the price was last seen to hold, ISO 8601 (added).
    pub observed_at: String,
    /// Too old to trade at (added)?
    pub stale: bool,
}

/// A chart's point.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PointBody {
    /// ISO 8601.
    pub timestamp: String,
    /// Whole dollars.
    pub price: i64,
}

/// `GET /api/bitcoin/chart/:timeframe`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChartReply {
    /// Number of the stored chart.
    pub id: i64,
    /// `1d` … `365d`.
    pub timeframe: String,
    /// Oldest first.
    pub price_data: Vec<PointBody>,
    /// How many.
    pub data_points_count: usize,
    /// Last against first, per cent.
    pub price_change_pct: Option<f64>,
    /// First point, without zone (UTC), as documented.
    pub date_from: String,
    /// Last point, without zone (UTC), as documented.
    pub date_to: String,
    /// ISO 8601.
    pub last_updated: String,
    /// From the cache?
    pub cached: bool,
    /// `coingecko` or `simulated` (added).
    pub source: String,
}

/// `GET /api/bitcoin/sentiment`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SentimentReply {
    /// Number of the stored value.
    pub id: i64,
    /// 0 to 100.
    pub fear_greed_value: u8,
    /// `Extreme Fear` … `Extreme Greed`.
    pub fear_greed_classification: String,
    /// `2024-07-20`.
    pub data_date: String,
    /// ISO 8601.
    pub last_updated: String,
    /// From the cache (added)?
    pub cached: bool,
    /// `alternative.me` or `simulated` (added).
    pub source: String,
}

/// An element of `GET /api/bitcoin/history`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HistoryItem {
    /// Number of the observation.
    pub id: i64,
    /// Whole dollars.
    pub btc_usd_price: i64,
    /// Dollars.
    pub market_cap_usd: Option<f64>,
    /// ISO 8601.
    pub created_at: String,
}

/// `POST /api/trade`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct TradeRequest {
    /// `buy` or `sell`.
    pub action: Option<String>,
    /// `market`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// A plain decimal in `currency`: up to 2 decimals of rupees, 8 of bitcoin.
    #[schema(value_type = Option<String>)]
    pub amount: Option<AmountText>,
    /// `inr` or `btc`.
    pub currency: Option<String>,
}

/// Balances, `GET /api/balance`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BalanceBody {
    /// Rupees.
    #[schema(value_type = f64)]
    pub available_inr: Rupees,
    /// Satoshis.
    pub available_btc: i64,
    /// Rupees.
    #[schema(value_type = f64)]
    pub reserved_inr: Rupees,
    /// Satoshis.
    pub reserved_btc: i64,
    /// Satoshis.
    pub collateral_btc: i64,
    /// Rupees owed.
    #[schema(value_type = f64)]
    pub borrowed_inr: Rupees,
    /// Rupees owed.
    #[schema(value_type = f64)]
    pub interest_accrued: Rupees,
    /// Exact (added).
    pub available_inr_paise: i64,
    /// Exact (added).
    pub reserved_inr_paise: i64,
    /// Exact (added).
    pub borrowed_inr_paise: i64,
    /// Exact (added).
    pub interest_accrued_paise: i64,
}

/// Answer to `POST /api/trade`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TradeReply {
    /// Transaction.
    pub id: i64,
    /// `MARKET_BUY` or `MARKET_SELL`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `buy` or `sell`.
    pub action: String,
    /// Satoshis.
    pub btc_amount: i64,
    /// Rupees.
    #[schema(value_type = f64)]
    pub inr_amount: Rupees,
    /// Exact (added).
    pub inr_amount_paise: i64,
    /// Rupees per bitcoin.
    #[schema(value_type = f64)]
    pub execution_price: Rupees,
    /// Exact (added).
    pub execution_price_paise: i64,
    /// `EXECUTED`.
    pub status: String,
    /// ISO 8601.
    pub timestamp: String,
    /// Balances right after.
    pub updated_balance: BalanceBody,
}

/// An element of `GET /api/transactions`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TransactionBody {
    /// Transaction.
    pub id: i64,
    /// `MARKET_BUY`, `MARKET_SELL`, `LIMIT_BUY`, `LIMIT_SELL`, `DCA_BUY`, `DCA_SELL`, `DEPOSIT_INR`,
    /// `DEPOSIT_BTC`, `WITHDRAW_INR`, `WITHDRAW_BTC`, `LOAN_…`, `REVERSAL`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `PENDING`, `EXECUTED`, `CANCELLED`, `EXPIRED`, `REVERSED`.
    pub status: String,
    /// Satoshis.
    pub btc_amount: i64,
    /// Rupees.
    #[schema(value_type = f64)]
    pub inr_amount: Rupees,
    /// Exact (added).
    pub inr_amount_paise: i64,
    /// Rupees per bitcoin, of a pending order its limit; 0 where there was no trade.
    #[schema(value_type = f64)]
    pub execution_price: Rupees,
    /// Exact (added).
    pub execution_price_paise: i64,
    /// ISO 8601.
    pub created_at: String,
    /// ISO 8601; null until it is.
    pub executed_at: Option<String>,
    /// When a pending order runs out, ISO 8601 (added).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// From the cache?
    pub cached: bool,
}

/// `GET /api/transactions`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TransactionsReply {
    /// Newest first.
    pub transactions: Vec<TransactionBody>,
    /// From 1.
    pub page: u32,
    /// Most a page.
    pub limit: u32,
    /// Is there a next page?
    #[serde(rename = "hasMore")]
    pub has_more: bool,
    /// `before` of the next page: a cursor that does not shift when transactions are added (added);
    /// null on the last page.
    pub next_before: Option<i64>,
}

/// One of the house's balances (added).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HouseBalance {
    /// `INR` or `BTC`.
    pub asset: String,
    /// `inventory`, `treasury`, …
    pub bucket: String,
    /// Minor units (paise, satoshis); negative when short.
    pub balance: i64,
}

/// `GET /api/admin/reconcile` (added): the whole journal replayed against the stored balances.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReconcileReply {
    /// No fault found.
    pub ok: bool,
    /// Entries replayed.
    pub entries: i64,
    /// Hash of the last entry, 64 hex digits.
    pub head: String,
    /// Faults found, at most 100.
    pub faults: Vec<String>,
    /// All faults counted.
    pub fault_count: u64,
    /// The house's balances.
    pub house: Vec<HouseBalance>,
    /// What the house owes users and is owed by them: sums over all users.
    pub users: Vec<HouseBalance>,
}
