//! What is sent to other users, and withdrawals.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::AmountText;
use crate::bittrade::BalanceBody;

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
