//! Positions: "Query Current Position" of the contract markets.

use crate::Number;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Position, Raw, Time};

pub(super) fn position(raw: &Json<'_>, context: Context<'_>) -> Position {
    let number = |names: &[&str]| raw.number_of(names);
    // a position names its market, whichever was asked for
    let (market, symbol) = Context { asked: None, ..context }.symbol(raw.text_of(&["contract_code"]), true);
    let size = market.and_then(|market| market.contract_size);
    let (contracts, last, leverage) = (number(&["volume"]), number(&["last_price"]), number(&["lever_rate"]));
    let worth = contracts.and_then(|contracts| contracts.times(size?));
    let linear = market.is_some_and(|market| market.linear == Some(true));
    let notional = if linear { worth.and_then(|worth| worth.times(last?)) } else { worth.and_then(|w| w.over(last?)) };
    let margin = number(&["position_margin", "initial_margin"]);
    let collateral = number(&["margin_balance", "margin"]);
    let share = number(&["adjust_factor"]).and_then(|factor| factor.over(leverage?));
    let (kept, kept_share) = match number(&["maintenance_margin"]) {
        Some(kept) => (Some(kept), None),
        None => (share.and_then(|share| share.times(notional?)), share),
    };
    let profit = number(&["profit_unreal"]);
    let hundred = Number::from(100);
    let side = raw.text_of(&["position_side"]).filter(|side| matches!(*side, "long" | "short"));
    let long = side.map_or(raw.text_of(&["direction"]) == Some("buy"), |side| side == "long");
    Position {
        info: Raw::of(raw),
        symbol,
        contracts,
        contract_size: size,
        unrealized_pnl: profit,
        leverage,
        liquidation_price: number(&["liquidation_price"]),
        collateral,
        notional,
        mark_price: number(&["mark_price"]),
        last_price: last,
        entry_price: number(&["cost_open", "open_avg_price"]),
        time: Time::parse(raw.text_of(&["created_time"])),
        last_update: Time::parse(raw.text_of(&["updated_time"])).0,
        initial_margin: margin,
        initial_margin_percentage: margin.and_then(|margin| margin.over(notional?)),
        maintenance_margin: kept,
        maintenance_margin_percentage: kept_share,
        margin_ratio: number(&["margin_rate"]).or_else(|| kept?.over(collateral?)),
        margin_mode: if linear { raw.string_of(&["margin_mode"]) } else { Some("cross".to_owned()) },
        side: Some(if long { "long" } else { "short" }),
        percentage: match number(&["profit_rate"]) {
            Some(rate) => rate.times(hundred),
            None => profit.and_then(|profit| profit.over_to(margin?, 4)?.times(hundred)),
        },
        ..Position::default()
    }
}
