//! Positions: "Position Information V3" of the contract markets.

use std::collections::HashMap;

use crate::Number;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Market, Position, Raw, Time};

/// Shares of a position's worth that it takes to keep it, by the worth they begin at, by market.
pub(super) type Brackets = HashMap<String, Vec<(Number, Number)>>;

/// Digits of shares and margins.
const SHARE_DIGITS: u32 = 8;

/// "Notional and Leverage Brackets".
pub(super) fn brackets(body: &Json<'_>, context: Context<'_>) -> Brackets {
    let all = body.list().unwrap_or_default().iter();
    let of = |one: &Json<'_>| {
        let (_, symbol) = context.symbol(one.get("symbol").text(), true);
        let number = |bracket: &Json<'_>, name: &str| bracket.get(name).text().and_then(Number::parse);
        let steps = one.get("brackets").list().unwrap_or_default().iter();
        let steps = steps.filter_map(|step| Some((number(step, "notionalFloor")?, number(step, "maintMarginRatio")?)));
        Some((symbol?, steps.collect()))
    };
    all.filter_map(of).collect()
}

pub(super) fn position(raw: &Json<'_>, context: Context<'_>, brackets: &Brackets) -> Position {
    let number = |name: &str| raw.get(name).text().and_then(Number::parse);
    let (market, symbol) = context.symbol(raw.get("symbol").text(), true);
    let signed = number("notional").or_else(|| number("notionalValue"));
    let notional = signed.map(Number::abs);
    let contracts = number("positionAmt").map(Number::abs);
    let entry = number("entryPrice");
    let isolated = number("isolatedMargin");
    let mode = raw.get("marginType").text().map(str::to_owned).or_else(|| {
        let own = isolated?.nonzero().is_some();
        Some(if own { "isolated" } else { "cross" }.to_owned())
    });
    let zero = Number::default();
    let side = signed.and_then(|signed| {
        let short = (signed < zero).then_some("short");
        (signed > zero).then_some("long").or(short)
    });
    let steps = symbol.as_ref().and_then(|symbol| brackets.get(symbol)).map(Vec::as_slice).unwrap_or_default();
    let reached = steps.iter().take_while(|(floor, _)| notional.is_some_and(|notional| notional >= *floor));
    let kept_share = reached.last().map(|(_, share)| *share);
    let liquidation = number("liquidationPrice").and_then(Number::nonzero);
    let collateral = match mode.as_deref() {
        Some("cross") => shared(market, side, liquidation, kept_share, entry, contracts),
        _ => isolated,
    };
    let collateral = collateral.unwrap_or_default();
    let kept = kept_share.and_then(|share| share.times(notional?)).or_else(|| number("maintMargin"));
    let leverage = number("leverage");
    let (margin, share) = match leverage {
        Some(leverage) => {
            let share = share_of(leverage);
            (share.and_then(|share| share.times(notional?)).and_then(|margin| margin.cut(SHARE_DIGITS)), share)
        }
        None => {
            let margin = number("initialMargin");
            (margin, margin.and_then(|margin| margin.over_to(notional?, SHARE_DIGITS)))
        }
    };
    let profit = number("unRealizedProfit");
    let half = Number::parse("0.00005");
    Position {
        info: Raw::of(raw),
        symbol,
        contracts,
        contract_size: market.and_then(|market| market.contract_size),
        unrealized_pnl: profit,
        leverage,
        liquidation_price: liquidation,
        collateral: Some(collateral),
        notional,
        mark_price: number("markPrice").and_then(Number::nonzero),
        entry_price: entry,
        time: Time(Time::parse(raw.get("updateTime").text()).0.filter(|ms| *ms != 0)),
        initial_margin: margin,
        initial_margin_percentage: share,
        maintenance_margin: kept,
        maintenance_margin_percentage: kept_share,
        margin_ratio: kept.and_then(|kept| kept.over(collateral)?.plus(half?)?.cut(4)),
        margin_type: mode.clone(),
        margin_mode: mode,
        side,
        hedged: Some(raw.get("positionSide").text() != Some("BOTH")),
        percentage: profit.and_then(|profit| profit.over_to(margin?, 4)?.times(100.into())),
        ..Position::default()
    }
}

/// The share of its worth that a position of this leverage takes, rounded up.
fn share_of(leverage: Number) -> Option<Number> {
    let share = Number::from(1).over_to(leverage, SHARE_DIGITS)?;
    let exact = share.times(leverage)? == Number::from(1);
    if exact { Some(share) } else { share.plus(Number::step(SHARE_DIGITS)?) }
}

/// What stands for a position that shares the account's margin, by the price it would be closed at.
fn shared(
    market: Option<&Market>,
    side: Option<&str>,
    liquidation: Option<Number>,
    kept_share: Option<Number>,
    entry: Option<Number>,
    contracts: Option<Number>,
) -> Option<Number> {
    let digits = market?.precision.quote.or(market?.precision.price)?.digits();
    let one = Number::from(1);
    let left = if side == Some("short") {
        liquidation?.times(one.plus(kept_share?)?)?.minus(entry?)?
    } else {
        entry?.minus(liquidation?.times(one.minus(kept_share?)?)?)?
    };
    left.times(contracts?)?.cut(digits)
}
