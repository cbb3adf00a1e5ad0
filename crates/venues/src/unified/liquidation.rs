//! A position that the exchange ended by force.

use serde::Serialize;

use super::{Raw, Side, Time};
use crate::Number;

/// The order by which a position was ended.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Liquidation {
    /// As the exchange said it.
    pub info: Raw,
    /// The market.
    pub symbol: Option<String>,
    /// How many contracts.
    pub contracts: Option<Number>,
    /// How much of the base currency one contract is.
    pub contract_size: Option<Number>,
    /// The price it was ended at.
    pub price: Option<Number>,
    /// Which way the order went.
    pub side: Option<Side>,
    /// What it was worth, in the base currency.
    pub base_value: Option<Number>,
    /// The same in the quote currency.
    pub quote_value: Option<Number>,
    /// When.
    #[serde(flatten)]
    pub time: Time,
}
