//! Positions: "List Perpetuals Positions" and "List Futures Positions".

use super::parse::NOTHING;
use super::sign::{signed, v3};
use crate::dialect::Context;
use crate::exchange::{Result, required};
use crate::json::{Access as _, Json};
use crate::query::Query;
use crate::unified::{MarketKind, Position, Raw};
use crate::{Verb, encoded};

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

/// The portfolio that perpetuals are held in.
fn portfolio(q: &Query<'_>) -> Result<String> {
    let none = || required(q.exchange.venue(), q.method, "portfolio");
    q.params.text(&["portfolio"]).map(encoded).ok_or_else(none)
}

pub(super) async fn of_market(q: Query<'_>) -> Result<Position> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    let id = encoded(&market.id);
    let path = match market.kind {
        MarketKind::Future => format!("cfm/positions/{id}"),
        _ => format!("intx/positions/{}/{id}", portfolio(&q)?),
    };
    let request = signed(q.exchange, Verb::Get, &v3(&path), &q.params.without(&["portfolio"]))?;
    let read = |body: &Json<'_>| {
        let said = body.get("position").unwrap_or(&NOTHING);
        position(said, market.context(&markets))
    };
    q.exchange.ask(request, read).await
}

pub(super) async fn positions(q: Query<'_>) -> Result<Vec<Position>> {
    let markets = q.markets().await?;
    let asked = q.listed(&markets)?;
    let futures = match q.params.text(&["defaultType", "type"]) {
        Some(kind) => kind == "future",
        None => asked.first().is_some_and(|market| market.kind == MarketKind::Future),
    };
    let path = match futures {
        true => "cfm/positions".to_owned(),
        false => format!("intx/positions/{}", portfolio(&q)?),
    };
    let fields = q.params.without(&["defaultType", "type", "portfolio"]);
    let none = Context { markets: &markets, asked: None };
    let read = |body: &Json<'_>| body.get("positions").each(|one| position(one, none));
    let mut positions = q.exchange.ask(signed(q.exchange, Verb::Get, &v3(&path), &fields)?, read).await?;
    let wanted = |symbol: &str| asked.iter().any(|market| market.symbol == symbol);
    positions.retain(|position| asked.is_empty() || position.symbol.as_deref().is_some_and(wanted));
    Ok(positions)
}
