//! Positions: "List Perpetuals Positions" and "List Futures Positions".

use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Position, Raw};

pub(super) fn position(raw: &Json<'_>, context: Context<'_>) -> Position {
    let value = |name: &str| raw.get(name).number_of(&["value"]);
    // perpetuals have a product and a symbol, futures only a product
    let (market, symbol) = context.symbol(raw.text_of(&["symbol", "product_id"]), true);
    let long = raw.text_of(&["position_side", "side"]).is_some_and(|side| side.ends_with("LONG"));
    let mode = raw.get("margin_type").text().map(|word| if word.ends_with("CROSS") { "cross" } else { "isolated" });
    Position {
        info: Raw::of(raw),
        id: raw.string_of(&["product_id"]),
        symbol,
        contracts: raw.number_of(&["net_size", "number_of_contracts"]),
        contract_size: market.and_then(|market| market.contract_size),
        unrealized_pnl: value("unrealized_pnl").or_else(|| raw.number_of(&["unrealized_pnl"])),
        leverage: raw.number_of(&["leverage"]),
        liquidation_price: value("liquidation_price"),
        collateral: raw.get("portfolio_summary").number_of(&["collateral"]),
        notional: value("position_notional"),
        entry_price: value("vwap").or_else(|| raw.number_of(&["avg_entry_price"])),
        margin_mode: mode.map(str::to_owned),
        side: Some(if long { "long" } else { "short" }),
        ..Position::default()
    }
}
