//! Positions: "Position" of the contract markets, open ones and such as were closed.

use super::parse::{named, seconds};
use crate::Number;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Position, Raw, Time};

/// Digits of the profit as a share of the margin.
const SHARE_DIGITS: u32 = 4;

pub(super) fn position(raw: &Json<'_>, context: Context<'_>) -> Position {
    let number = |names: &[&str]| raw.number_of(names);
    let (market, symbol) = named(context, raw.text_of(&["contract"]), true);
    let size = number(&["size", "accum_size"]);
    let zero = Number::default();
    let side = match raw.text_of(&["side"]) {
        Some("long") => Some("long"),
        Some("short") => Some("short"),
        _ if size.is_some_and(|size| size > zero) => Some("long"),
        _ if size.is_some_and(|size| size < zero) => Some("short"),
        _ => None,
    };
    // no leverage of its own: the position shares the account's margin
    let mode = raw.text_of(&["leverage"]).map(|leverage| if leverage == "0" { "cross" } else { "isolated" });
    let worth = number(&["value"]);
    let share = |of: Option<Number>| of?.over(worth?);
    let initial = number(&["initial_margin"]).and_then(Number::nonzero);
    let kept = number(&["maintenance_margin"]).and_then(Number::nonzero);
    let profit = number(&["unrealised_pnl"]);
    // the margin is told without the profit, which can be lost as well
    let collateral = number(&["margin"]).and_then(|margin| profit.map_or(Some(margin), |profit| margin.plus(profit)));
    Position {
        info: Raw::of(raw),
        symbol,
        contracts: size.map(Number::abs),
        contract_size: market.and_then(|market| market.contract_size),
        unrealized_pnl: profit,
        realized_pnl: number(&["realised_pnl", "pnl"]),
        leverage: number(&["leverage"]),
        liquidation_price: number(&["liq_price"]),
        collateral,
        notional: worth,
        mark_price: number(&["mark_price"]),
        entry_price: number(&["entry_price"]),
        time: Time(seconds(raw.text_of(&["open_time", "first_open_time"])).filter(|time| *time != 0)),
        last_update: seconds(raw.text_of(&["update_time", "time"])),
        initial_margin: initial,
        initial_margin_percentage: share(initial),
        maintenance_margin: kept,
        maintenance_margin_percentage: share(kept),
        margin_mode: mode.map(str::to_owned),
        side,
        percentage: profit.and_then(|profit| profit.over_to(initial?, SHARE_DIGITS)?.times(100.into())),
        ..Position::default()
    }
}
