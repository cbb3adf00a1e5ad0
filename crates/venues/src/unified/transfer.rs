//! Money that an account moves between its own parts of an exchange.

use serde::Serialize;

use super::{Raw, Time};
use crate::Number;

/// A movement between parts of an exchange.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// As the exchange said it.
    pub info: Raw,
    /// The exchange's name of it.
    pub id: Option<String>,
    /// When.
    #[serde(flatten)]
    pub time: Time,
    /// What is moved.
    pub currency: Option<String>,
    /// How much.
    pub amount: Option<Number>,
    /// Where from: `spot`.
    pub from_account: Option<String>,
    /// Where to: `swap`.
    pub to_account: Option<String>,
    /// `ok`, `pending`, `canceled` or `failed`.
    pub status: Option<String>,
}
