//! Positions and what they stand on: "Get positions", "Get leverage", "Set leverage", "Set position mode".

use super::http::{missing, part};
use super::parse::data;
use super::sign::{get, post};
use crate::dialect::Context;
use crate::exchange::Result;
use crate::json::{Access as _, Json};
use crate::query::Query;
use crate::unified::{Leverage, Market, Position, Raw, Time};
use crate::{ErrorClass, Fields, Number, Value};

/// Whether positions share the account's margin, or have their own.
const MODES: [&str; 2] = ["cross", "isolated"];
/// Least and most leverage.
const LEVERAGE: (u32, u32) = (1, 125);

/// Digits of shares that are told in hundredths of a hundredth.
const SHARE_DIGITS: u32 = 4;

pub(super) fn position(raw: &Json<'_>, context: Context<'_>) -> Position {
    let number = |names: &[&str]| raw.number_of(names);
    let (market, symbol) = context.symbol(raw.text_of(&["instId"]), true);
    let held = number(&["pos"]);
    let contracts = held.map(Number::abs);
    let said = raw.text_of(&["posSide", "direction"]);
    let size = market.and_then(|market| market.contract_size);
    let in_base = || contracts.and_then(|contracts| contracts.times(size?));
    let (mark, entry) = (number(&["markPx"]), number(&["avgPx", "openAvgPx"]));
    let inverse = market.is_some_and(|market| market.linear == Some(false));
    let notional = if inverse { in_base().and_then(|of| of.over(mark?)) } else { number(&["notionalUsd"]) };
    let leverage = number(&["lever"]);
    let profit = number(&["upl"]);
    let mode = raw.string_of(&["mgnMode"]);
    let shared = number(&["imr"]).filter(|_| mode.as_deref() == Some("cross"));
    let own_share = leverage.filter(|_| mode.as_deref() == Some("isolated"));
    let own_share = own_share.and_then(|leverage| Number::from(1).over(leverage));
    let (margin, share) = match own_share {
        Some(share) if market.is_some_and(|market| market.linear == Some(true)) => {
            (notional.and_then(|notional| notional.times(share)), Some(share))
        }
        Some(share) => (in_base().and_then(|of| of.over(entry?)?.over(leverage?)), Some(share)),
        None => (shared, shared.and_then(|margin| margin.over_to(notional?, SHARE_DIGITS))),
    };
    let collateral = match mode.as_deref() {
        Some("cross") => shared.and_then(|margin| margin.plus(profit?)),
        Some("isolated") => number(&["margin"]),
        _ => None,
    };
    let kept = number(&["mmr"]);
    let gained = number(&["uplRatio"]).or_else(|| profit.and_then(|profit| profit.over_to(margin?, SHARE_DIGITS)));
    let half = Number::parse("0.00005");
    Position {
        info: Raw::of(raw),
        id: raw.string_of(&["posId"]),
        symbol,
        contracts,
        contract_size: size,
        unrealized_pnl: profit,
        realized_pnl: number(&["realizedPnl"]),
        leverage,
        liquidation_price: number(&["liqPx"]),
        collateral,
        notional,
        mark_price: mark,
        last_price: number(&["closeAvgPx"]),
        entry_price: entry,
        time: Time::parse(raw.get("cTime").text()),
        last_update: Time::parse(raw.get("uTime").text()).0,
        initial_margin: margin,
        initial_margin_percentage: share,
        maintenance_margin: kept,
        maintenance_margin_percentage: kept.and_then(|kept| kept.over(notional?)?.plus(half?)?.cut(SHARE_DIGITS)),
        margin_ratio: kept.and_then(|kept| kept.over_to(collateral?, SHARE_DIGITS)),
        margin_mode: mode,
        margin_type: None,
        side: side(raw, said, held, market),
        hedged: Some(said != Some("net")),
        percentage: gained.and_then(|share| share.times(100.into())),
        stop_loss_price: None,
        take_profit_price: None,
    }
}

/// Accounts that hold one position of each market say its side by the sign, or by the currency that is held.
fn side(raw: &Json<'_>, said: Option<&str>, held: Option<Number>, market: Option<&Market>) -> Option<&'static str> {
    let zero = Number::default();
    match (said, market) {
        (Some("long"), _) => Some("long"),
        (Some("short"), _) => Some("short"),
        (Some("net"), Some(market)) if market.margin == Some(true) => {
            let Some(currency) = raw.text_of(&["posCcy"]) else { return Some("net") };
            Some(if crate::Venue::Okx.description().currency(currency) == market.base { "long" } else { "short" })
        }
        (Some("net"), _) => match held {
            Some(held) if held > zero => Some("long"),
            Some(held) if held < zero => Some("short"),
            Some(_) => None,
            None => Some("net"),
        },
        _ => None,
    }
}

pub(super) async fn fetch_position(q: Query<'_>) -> Result<Position> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    let (kind, rest) = part(q.params.clone(), Some(market));
    let fields = Fields::new().with("instId", market.id.as_str()).with("instType", kind).and(rest);
    let read = |body: &Json<'_>| data(body).first().map(|raw| position(raw, market.context(&markets)));
    q.exchange.ask(get(q.exchange, "account/positions", &fields)?, read).await?.ok_or_else(|| missing(&q))
}

pub(super) async fn fetch_positions(q: Query<'_>) -> Result<Vec<Position>> {
    let markets = q.markets().await?;
    let wanted = q.listed(&markets)?;
    let ids: Vec<_> = wanted.iter().map(|market| market.id.as_str()).collect();
    let fields = Fields::new().with_some("instId", (!ids.is_empty()).then(|| ids.join(","))).and(q.params);
    let none = Context { markets: &markets, asked: None };
    let read = |body: &Json<'_>| data(body).iter().map(|raw| position(raw, none)).collect::<Vec<_>>();
    let mut positions = q.exchange.ask(get(q.exchange, "account/positions", &fields)?, read).await?;
    let named = |position: &Position| wanted.iter().any(|market| position.symbol.as_ref() == Some(&market.symbol));
    positions.retain(|position| wanted.is_empty() || named(position));
    Ok(positions)
}

/// Whether positions share the account's margin, by the parameters; and what is left of them.
fn mode(q: &Query<'_>) -> Result<(String, Fields)> {
    let mode = q.params.text(&["marginMode", "mgnMode"]).unwrap_or("cross");
    if !MODES.contains(&mode) {
        return Err(q.error(ErrorClass::BadRequest, "takes the marginMode cross or isolated"));
    }
    Ok((mode.to_owned(), q.params.clone().without(&["marginMode"])))
}

pub(super) async fn fetch_leverage(q: Query<'_>) -> Result<Leverage> {
    let markets = q.markets().await?;
    let (mode, rest) = mode(&q)?;
    let market = q.market(&markets)?;
    let fields = Fields::new().with("instId", market.id.as_str()).with("mgnMode", mode).and(rest);
    let read = |body: &Json<'_>| leverage(body, market.context(&markets));
    q.exchange.ask(get(q.exchange, "account/leverage-info", &fields)?, read).await
}

/// One for both sides, or one for each.
fn leverage(body: &Json<'_>, context: Context<'_>) -> Leverage {
    let mut leverage = Leverage { info: body.get("data").map(Raw::of).unwrap_or_default(), ..Leverage::default() };
    let last = data(body).last();
    leverage.symbol = context.symbol(last.text_of(&["instId"]), true).1;
    leverage.margin_mode = last.text_of(&["mgnMode"]).map(str::to_lowercase);
    for one in data(body) {
        let often = one.number_of(&["lever"]).and_then(|often| often.cut(0));
        let side = one.text_of(&["posSide"]);
        if side != Some("short") {
            leverage.long_leverage = often;
        }
        if side != Some("long") {
            leverage.short_leverage = often;
        }
    }
    leverage
}

pub(super) async fn set_leverage(q: Query<'_>, leverage: Number) -> Result<Raw> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    if leverage < LEVERAGE.0.into() || leverage > LEVERAGE.1.into() {
        return Err(q.error(ErrorClass::BadRequest, "takes a leverage from 1 to 125"));
    }
    let (mode, rest) = mode(&q)?;
    let side = rest.text(&["posSide"]).unwrap_or("net");
    let own = mode == "isolated";
    if own && !matches!(side, "long" | "short" | "net") {
        return Err(q.error(ErrorClass::BadRequest, "takes the posSide long, short or net"));
    }
    let fields = Fields::new()
        .with("lever", Value::Digits(leverage.to_string()))
        .with("mgnMode", mode)
        .with("instId", market.id.as_str())
        .with_some("posSide", own.then_some(side))
        .and(rest.clone());
    q.exchange.ask(post(q.exchange, "account/set-leverage", fields.json())?, Raw::of).await
}

pub(super) async fn set_margin_mode(q: Query<'_>, mode: &str) -> Result<Raw> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    let mode = mode.to_lowercase();
    if !MODES.contains(&mode.as_str()) {
        return Err(q.error(ErrorClass::BadRequest, "takes the marginMode cross or isolated"));
    }
    // the exchange knows the mode as a part of the leverage
    let leverage = q.params.number(&["lever", "leverage"]).and_then(|leverage| leverage.cut(0));
    let leverage = leverage.filter(|leverage| *leverage >= LEVERAGE.0.into() && *leverage <= LEVERAGE.1.into());
    let leverage = leverage.ok_or_else(|| q.error(ErrorClass::BadRequest, "requires a lever from 1 to 125"))?;
    let fields = Fields::new()
        .with("lever", Value::Digits(leverage.to_string()))
        .with("mgnMode", mode)
        .with("instId", market.id.as_str())
        .and(q.params.without(&["leverage"]));
    q.exchange.ask(post(q.exchange, "account/set-leverage", fields.json())?, Raw::of).await
}

pub(super) async fn set_position_mode(q: Query<'_>, hedged: bool) -> Result<Raw> {
    let fields = Fields::new().with("posMode", if hedged { "long_short_mode" } else { "net_mode" }).and(q.params);
    q.exchange.ask(post(q.exchange, "account/set-position-mode", fields.json())?, Raw::of).await
}
