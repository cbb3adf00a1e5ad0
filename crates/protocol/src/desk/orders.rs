//! Limit orders.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bittrade::BalanceBody;
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
