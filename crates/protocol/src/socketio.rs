//! Events of the BitTrade document's Socket.IO server.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::bittrade::{BalanceBody, TransactionBody};

/// Sent to every socket right after it connects.
pub const CONNECTION_ESTABLISHED: &str = "connection_established";
/// From the client: a bare token.
pub const AUTHENTICATE: &str = "authenticate";
/// The token was good; comes after the first balance and transactions.
pub const AUTHENTICATION_SUCCESS: &str = "authentication_success";
/// The token was not good, or no longer is.
pub const AUTHENTICATION_ERROR: &str = "authentication_error";
/// To everybody, when the price changes.
pub const BTC_PRICE_UPDATE: &str = "btc_price_update";
/// To the user.
pub const USER_BALANCE_UPDATE: &str = "user_balance_update";
/// To the user.
pub const USER_TRANSACTION_UPDATE: &str = "user_transaction_update";

/// To the user: their plans.
pub const USER_DCA_PLANS_UPDATE: &str = "user_dca_plans_update";
/// To the owner of a limit order that was executed, and to nobody else.
pub const ORDER_EXECUTED: &str = "order_executed";
/// To administrators: users and what they hold.
pub const ADMIN_USER_UPDATE: &str = "admin_user_update";
/// To administrators: the newest transactions.
pub const ADMIN_TRANSACTION_UPDATE: &str = "admin_transaction_update";
/// To administrators: all plans.
pub const ADMIN_DCA_PLANS_UPDATE: &str = "admin_dca_plans_update";
/// To administrators: the settings.
pub const ADMIN_SETTINGS_UPDATE: &str = "admin_settings_update";
/// To administrators: figures of the house.
pub const ADMIN_METRICS_UPDATE: &str = "admin_metrics_update";

/// From the client: topics to hear (Localhost Web Server document, "WebSocket API").
pub const SUBSCRIBE: &str = "subscribe";
/// From the client: topics to hear no more.
pub const UNSUBSCRIBE: &str = "unsubscribe";
/// From the client: `{echo}`.
pub const PING: &str = "ping";
/// To every socket right after it connects.
pub const CONNECTED: &str = "connected";
/// One for each topic.
pub const SUBSCRIBED: &str = "subscribed";
/// One for each topic.
pub const UNSUBSCRIBED: &str = "unsubscribed";
/// The answer to a ping.
pub const PONG: &str = "pong";
/// Something of a topic.
pub const TOPIC_MESSAGE: &str = "topic_message";
/// What is said on the topic `notifications`, by itself.
pub const NOTIFICATION: &str = "notification";
/// A subscription that cannot be.
pub const ERROR: &str = "error";

/// Topics, as the document lists them.
pub const TOPICS: [&str; 8] = [
    "system_status",
    "file_operations",
    "command_output",
    "tunnel_status",
    "performance_metrics",
    "security_alerts",
    "backup_progress",
    "notifications",
];

/// What [`CONNECTED`] says that there is.
pub const FEATURES: [&str; 5] = [
    "real_time_notifications",
    "file_upload_progress",
    "command_streaming",
    "system_monitoring",
    "tunnel_status_updates",
];

/// Payload of [`CONNECTED`].
#[derive(Clone, Debug, Serialize)]
pub struct Connected {
    /// The socket's id.
    pub client_id: String,
    /// ISO 8601.
    pub server_time: String,
    /// What there is.
    pub features: [&'static str; 5],
}

/// Payload of [`SUBSCRIBED`] and [`UNSUBSCRIBED`].
#[derive(Clone, Debug, Serialize)]
pub struct TopicName<'a> {
    /// Which.
    pub topic: &'a str,
}

/// Payload of [`PONG`].
#[derive(Clone, Debug, Serialize)]
pub struct Pong {
    /// ISO 8601.
    pub timestamp: String,
    /// As it was sent; `{}` without.
    pub echo: serde_json::Value,
}

/// Payload of [`ERROR`].
#[derive(Clone, Debug, Serialize)]
pub struct TopicError {
    /// Words.
    pub message: String,
}

/// Payload of [`TOPIC_MESSAGE`].
#[derive(Clone, Debug, Serialize)]
pub struct TopicMessage<'a> {
    /// Which.
    pub topic: &'a str,
    /// What.
    pub data: &'a RawValue,
    /// ISO 8601.
    pub timestamp: String,
    /// Unique.
    pub message_id: &'a str,
}

/// Payload of [`NOTIFICATION`], and `data` of a [`TOPIC_MESSAGE`] of `notifications`.
#[derive(Clone, Debug, Serialize)]
pub struct Notification<'a> {
    /// `system`.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// Few words.
    pub title: &'a str,
    /// Words.
    pub message: &'a str,
    /// `info`, `warning` or `error`.
    pub severity: &'a str,
}

/// Transactions in an [`ADMIN_TRANSACTION_UPDATE`].
pub const TRANSACTIONS_IN_ADMIN_UPDATE: u32 = 100;

/// Any content with the moment it is of.
#[derive(Clone, Debug, Serialize)]
pub struct Stamped<T> {
    /// Content.
    #[serde(flatten)]
    pub content: T,
    /// ISO 8601.
    pub timestamp: String,
}

/// Payload of [`ORDER_EXECUTED`].
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderExecuted {
    /// The order's transaction.
    pub order_id: i64,
    /// Whose.
    pub user_id: i64,
    /// `LIMIT_BUY` or `LIMIT_SELL`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The order as it is now.
    #[serde(flatten)]
    pub amounts: OrderAmounts,
}

/// What an executed order came to.
#[derive(Clone, Debug, Serialize)]
pub struct OrderAmounts {
    /// Satoshis.
    pub btc_amount: i64,
    /// Rupees.
    pub inr_amount: crate::Rupees,
    /// Rupees per bitcoin.
    pub execution_price: crate::Rupees,
    /// ISO 8601.
    pub timestamp: String,
}

/// Transactions in a [`USER_TRANSACTION_UPDATE`].
pub const TRANSACTIONS_IN_UPDATE: u32 = 15;

/// Payload of [`CONNECTION_ESTABLISHED`].
#[derive(Clone, Debug, Serialize)]
pub struct ConnectionEstablished {
    /// For people.
    pub message: &'static str,
    /// ISO 8601.
    pub timestamp: String,
}

/// Payload of [`AUTHENTICATION_SUCCESS`].
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationSuccess {
    /// For people.
    pub message: &'static str,
    /// Who.
    pub user_id: i64,
    /// Who.
    pub email: String,
}

/// Payload of [`AUTHENTICATION_ERROR`].
#[derive(Clone, Debug, Serialize)]
pub struct AuthenticationError {
    /// For people.
    pub message: &'static str,
    /// What was wrong with the token.
    pub error: String,
}

/// Payload of [`BTC_PRICE_UPDATE`].
#[derive(Clone, Debug, Serialize)]
pub struct PriceUpdate {
    /// Whole dollars.
    pub btc_usd_price: i64,
    /// Rupees per bitcoin for buyers.
    pub buy_rate_inr: i64,
    /// Rupees per bitcoin for sellers.
    pub sell_rate_inr: i64,
    /// ISO 8601.
    pub timestamp: String,
    /// `coingecko` or `simulated` (added).
    pub source: String,
}

/// Payload of [`USER_BALANCE_UPDATE`].
#[derive(Clone, Debug, Serialize)]
pub struct BalanceUpdate {
    /// Balances.
    #[serde(flatten)]
    pub balance: BalanceBody,
    /// ISO 8601.
    pub timestamp: String,
}

/// Payload of [`USER_TRANSACTION_UPDATE`].
#[derive(Clone, Debug, Serialize)]
pub struct TransactionUpdate {
    /// The newest [`TRANSACTIONS_IN_UPDATE`].
    pub transactions: Vec<TransactionBody>,
    /// ISO 8601.
    pub timestamp: String,
}
