//! Positions: V5 "Get Position Info" and "Get Closed PnL".

use super::parse::named;
use crate::Number;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Market, Position, Raw, Time};

/// Digits of ratios.
const RATIO_DIGITS: u32 = 4;

/// What a position's margins follow from.
struct Margins {
    initial: Option<Number>,
    maintenance: Option<Number>,
    collateral: Option<Number>,
}

pub(super) fn position(raw: &Json<'_>, context: Context<'_>) -> Position {
    let number = |names: &[&str]| raw.number_of(names);
    let nonzero = |names: &[&str]| raw.number_of(names).and_then(Number::nonzero);
    let (market, symbol) = named(context, raw.text_of(&["symbol"]), true);
    let inverse = market.is_some_and(|market| market.linear == Some(false));
    let contract_size = market.and_then(|market| market.contract_size);
    let size = number(&["size", "qty"]).map(Number::abs);
    let mark_price = number(&["markPrice"]);
    let notional = if inverse {
        size.and_then(|size| size.times(contract_size?)?.over(mark_price?))
    } else {
        number(&["positionValue", "cumExitValue"])
    };
    let entry = nonzero(&["entryPrice", "avgPrice", "avgEntryPrice"]);
    let liquidation = nonzero(&["liqPrice"]);
    let margins = margins(raw, market, size, entry, liquidation);
    let profit = nonzero(&["unrealisedPnl"]);
    let share = |of: Option<Number>| of.and_then(|of| of.over(notional?));
    let place = raw.text_of(&["positionIdx"]);
    Position {
        info: Raw::of(raw),
        symbol,
        contracts: size,
        contract_size,
        unrealized_pnl: profit,
        realized_pnl: number(&["curRealisedPnl", "closedPnl"]),
        leverage: number(&["leverage"]),
        liquidation_price: liquidation,
        collateral: margins.collateral,
        notional,
        mark_price,
        last_price: number(&["avgExitPrice"]),
        entry_price: entry,
        time: Time::parse(raw.text_of(&["createdTime", "createdAt"])),
        last_update: Time::parse(raw.text_of(&["updatedTime", "updatedAt"])).0,
        initial_margin: margins.initial,
        initial_margin_percentage: share(margins.initial),
        maintenance_margin: margins.maintenance,
        maintenance_margin_percentage: share(margins.maintenance),
        margin_ratio: margins.maintenance.and_then(|kept| kept.over_to(margins.collateral?, RATIO_DIGITS)),
        side: side(raw, place),
        hedged: place.map(|place| place != "0"),
        percentage: profit.and_then(|profit| profit.over_to(margins.initial?, RATIO_DIGITS)?.times(100.into())),
        stop_loss_price: number(&["stop_loss", "stopLoss"]),
        take_profit_price: number(&["take_profit", "takeProfit"]),
        ..Position::default()
    }
}

/// Which way it goes. A closed position is told by the order that closed it, which went the other way.
fn side(raw: &Json<'_>, place: Option<&str>) -> Option<&'static str> {
    let closed = raw.text_of(&["closedSize"]).is_some();
    match (place, raw.text_of(&["side"])) {
        (Some("1"), _) => Some("long"),
        (Some(other), _) if other != "0" => Some("short"),
        (_, Some("Buy")) => Some(if closed { "short" } else { "long" }),
        (_, Some("Sell")) => Some(if closed { "long" } else { "short" }),
        _ => None,
    }
}

/// Margins as they are said or as they follow from the price of liquidation. A position without a market counts as
/// one settled in coins.
fn margins(
    raw: &Json<'_>,
    market: Option<&Market>,
    size: Option<Number>,
    entry: Option<Number>,
    liquidation: Option<Number>,
) -> Margins {
    let number = |name: &str| raw.number_of(&[name]);
    let mut margins = Margins {
        initial: raw.number_of(&["positionIM", "cumEntryValue"]),
        maintenance: number("positionMM"),
        collateral: number("positionBalance"),
    };
    let Some(liquidation) = liquidation else { return margins };
    let apart = |price: Option<Number>| price.and_then(|price| price.minus(liquidation)).map(Number::abs);
    let bust = number("bustPrice");
    let leverage = number("leverage");
    if market.is_some_and(|market| market.settle.as_deref() == Some("USDC")) {
        let left = apart(entry).and_then(|apart| apart.times(size?));
        let profit = number("unrealisedPnl").and_then(Number::nonzero);
        margins.collateral = sum(sum(left, margins.maintenance), profit);
    } else if market.is_some_and(|market| market.linear == Some(true)) {
        margins.maintenance = apart(bust).and_then(|apart| apart.times(size?));
        margins.initial = margins.initial.or_else(|| size?.times(entry?)?.over(leverage?));
    } else {
        margins.maintenance = apart(bust).and_then(|apart| size?.times(apart)?.over(bust?.times(liquidation)?));
        margins.initial = margins.initial.or_else(|| size?.over(entry?.times(leverage?)?));
    }
    margins
}

/// The sum of those that are there.
fn sum(one: Option<Number>, other: Option<Number>) -> Option<Number> {
    match (one, other) {
        (Some(one), Some(other)) => one.plus(other),
        (one, other) => one.or(other),
    }
}
