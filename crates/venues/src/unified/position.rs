//! What an account holds of a contract.

use serde::Serialize;

use super::{Raw, Time};
use crate::Number;

/// A position in a contract.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// As the exchange said it.
    pub info: Raw,
    /// The exchange's name of it.
    pub id: Option<String>,
    /// The market: `BTC/USDT:USDT`.
    pub symbol: Option<String>,
    /// How many contracts, never negative.
    pub contracts: Option<Number>,
    /// How much of the base currency one contract is.
    pub contract_size: Option<Number>,
    /// Profit if it were closed now.
    pub unrealized_pnl: Option<Number>,
    /// Profit of what was closed of it.
    pub realized_pnl: Option<Number>,
    /// How often its margin it is.
    pub leverage: Option<Number>,
    /// The price it is closed at by force.
    pub liquidation_price: Option<Number>,
    /// What stands for it.
    pub collateral: Option<Number>,
    /// What it is worth.
    pub notional: Option<Number>,
    /// The price it is valued at.
    pub mark_price: Option<Number>,
    /// The price of the last trade.
    pub last_price: Option<Number>,
    /// The price it was made at.
    pub entry_price: Option<Number>,
    /// Since when it is there, or when it changed last if the exchange says no more.
    #[serde(flatten)]
    pub time: Time,
    /// When it changed last.
    #[serde(rename = "lastUpdateTimestamp")]
    pub last_update: Option<i64>,
    /// What it takes to make it.
    pub initial_margin: Option<Number>,
    /// That as a share of its worth.
    pub initial_margin_percentage: Option<Number>,
    /// What it takes to keep it.
    pub maintenance_margin: Option<Number>,
    /// That as a share of its worth.
    pub maintenance_margin_percentage: Option<Number>,
    /// What it takes to keep it, as a share of what stands for it.
    pub margin_ratio: Option<Number>,
    /// `cross` or `isolated`.
    pub margin_mode: Option<String>,
    /// The same, by its older name.
    pub margin_type: Option<String>,
    /// `long` or `short`.
    pub side: Option<&'static str>,
    /// Whether there may be one of each side.
    pub hedged: Option<bool>,
    /// The profit in hundredths of the margin it took.
    pub percentage: Option<Number>,
    /// The price that stops a loss.
    pub stop_loss_price: Option<Number>,
    /// The price that takes a profit.
    pub take_profit_price: Option<Number>,
}
