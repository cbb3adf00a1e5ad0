//! Positions: "Get Position List" of contracts and of unified accounts, and positions that are closed.

use super::parse::doubles;
use crate::Number;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Position, Raw, Time};

/// Digits of the profit as a share.
const SHARE_DIGITS: u32 = 4;

pub(super) fn position(raw: &Json<'_>, context: Context<'_>) -> Position {
    let number = |names: &[&str]| raw.number_of(names);
    let (market, symbol) = context.symbol(raw.text_of(&["symbol"]), true);
    let size = number(&["currentQty", "size", "maxSize", "closeSize"]);
    let notional = number(&["posCost", "positionValue"]).map(Number::abs);
    let margin = number(&["posInit", "initialMargin"]);
    let profit = number(&["unrealisedPnl", "unrealizedPnL"]);
    let opened = Time::parse(raw.text_of(&["currentTimestamp"]));
    let time = if opened.0.is_some() { opened } else { doubles(raw.text_of(&["creationTime"])) };
    let shared = raw.get("crossMode").flag().map(|cross| if cross { "cross" } else { "isolated" }.to_owned());
    let closed = Time::parse(raw.text_of(&["closeTime"])).0;
    Position {
        info: Raw::of(raw),
        id: raw.string_of(&["id", "positionId", "closeId"]),
        symbol,
        contracts: size.map(Number::abs),
        contract_size: market.and_then(|market| market.contract_size),
        unrealized_pnl: profit,
        realized_pnl: number(&["realisedPnl", "pnl", "realizedPnL"]),
        leverage: number(&["realLeverage", "leverage"]),
        liquidation_price: number(&["liquidationPrice"]),
        collateral: number(&["maintMargin"]),
        notional,
        mark_price: number(&["markPrice"]),
        last_price: number(&["closePrice"]),
        entry_price: number(&["avgEntryPrice", "openPrice", "entryPrice"]),
        time,
        last_update: closed.or_else(|| doubles(raw.text_of(&["closingTime", "updateTime"])).0),
        initial_margin: margin,
        initial_margin_percentage: margin.and_then(|margin| margin.over(notional?)),
        maintenance_margin: number(&["posMaint", "maintenanceMargin"]),
        maintenance_margin_percentage: number(&["maintMarginReq", "mmr"]),
        margin_mode: shared.or_else(|| raw.text_of(&["marginMode"]).map(str::to_lowercase)),
        side: side(raw, size),
        percentage: profit.and_then(|profit| profit.over_to(margin?, SHARE_DIGITS)?.times(100.into())),
        ..Position::default()
    }
}

/// As it is said, else as the sign of the size or the way it was closed has it.
fn side(raw: &Json<'_>, size: Option<Number>) -> Option<&'static str> {
    let of = |long: bool| if long { "long" } else { "short" };
    if let Some(word) = raw.text_of(&["side"]) {
        return Some(of(word.eq_ignore_ascii_case("long")));
    }
    match size {
        Some(size) => size.nonzero().map(|size| of(size > Number::default())),
        None => raw.text_of(&["type"]).map(|word| of(word.to_lowercase().contains("long"))),
    }
}
