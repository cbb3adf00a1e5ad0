//! What a new order asks for: "Add Order" and "Add Stop Order" of the spot market and of contracts.

use super::params::{client_id, high_frequency, margin_mode, take, take_flag};
use crate::exchange::{NewOrder, Result};
use crate::json::{self, Access as _};
use crate::unified::{Market, Side};
use crate::{ErrorClass, Exchange, Fields, Number, Value, VenueError};

/// Parameters of CCXT that say at which price an order is set off.
const TRIGGERS: [&str; 4] = ["stopLossPrice", "takeProfitPrice", "triggerPrice", "stopPrice"];

fn error(class: ErrorClass, message: &str) -> VenueError {
    VenueError::new(class, &format!("kucoin createOrder() {message}"))
}

/// The price that sets an order off, and what for.
#[derive(Clone, Copy)]
enum Trigger {
    Price(Number),
    StopLoss(Number),
    TakeProfit(Number),
}

fn trigger(params: &Fields) -> Result<Option<Trigger>> {
    let price = params.number(&["triggerPrice", "stopPrice"]).map(Trigger::Price);
    let stop = params.number(&["stopLossPrice"]).map(Trigger::StopLoss);
    let profit = params.number(&["takeProfitPrice"]).map(Trigger::TakeProfit);
    let mut given = [price, stop, profit].into_iter().flatten();
    let first = given.next();
    if given.next().is_some() {
        let message = "takes one of triggerPrice, stopLossPrice and takeProfitPrice";
        return Err(error(ErrorClass::ExchangeError, message));
    }
    Ok(first)
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

/// Whether an order may only be there; CCXT's words for it are left out of the parameters then.
fn post_only(params: &mut Fields, at_market: bool) -> Result<bool> {
    let time = params.text(&["timeInForce"]).map(str::to_uppercase);
    let by_time = time.as_deref() == Some("PO");
    if !by_time && !params.flag("postOnly") {
        return Ok(false);
    }
    if let Some(time @ ("IOC" | "FOK")) = time.as_deref() {
        return Err(error(ErrorClass::InvalidOrder, &format!("a post-only order cannot be {time}")));
    }
    if at_market {
        return Err(error(ErrorClass::InvalidOrder, "a market order cannot be post-only"));
    }
    take_flag(params, &["postOnly"]);
    if by_time {
        take(params, &["timeInForce"]);
    }
    Ok(true)
}

/// Where a new order of the spot market goes to, and what it says.
pub(super) fn of_spot(exchange: &Exchange, market: &Market, order: &NewOrder) -> Result<(&'static str, Fields)> {
    let mut params = order.params.clone();
    let test = take_flag(&mut params, &["test"]);
    let fast = high_frequency(exchange, &mut params);
    let waits_for_it = take_flag(&mut params, &["sync"]);
    let borrows = params.text(&["tradeType"]) == Some("MARGIN_TRADE")
        || params.text(&["marginMode", "defaultMarginMode"]).is_some();
    let path = match (trigger(&params)?.is_some(), borrows) {
        (_, true) if test && fast => "v3/hf/margin/order/test",
        (_, true) if test => "v1/margin/order/test",
        _ if test && fast => "v1/hf/orders/test",
        _ if test => "v1/orders/test",
        (true, true) => "v3/hf/margin/stop-order",
        (true, false) => "v1/stop-order",
        (false, true) if fast => "v3/hf/margin/order",
        (false, true) => "v1/margin/order",
        (false, false) if waits_for_it => "v1/hf/orders/sync",
        (false, false) if fast => "v1/hf/orders",
        (false, false) => "v1/orders",
    };
    Ok((path, spot_fields(exchange, market, &NewOrder { params, ..order.clone() })?))
}

/// What a new order of the spot market says.
pub(super) fn spot_fields(exchange: &Exchange, market: &Market, order: &NewOrder) -> Result<Fields> {
    let mut params = order.params.clone();
    let at_market = order.order_type == "market";
    let unique = exchange.uuid();
    let client = client_id(&params).map_or(unique, str::to_owned);
    params = params.without(&["clientOid", "clientOrderId"]);
    let mut fields = Fields::new()
        .with("clientOid", client)
        .with("side", side(order.side))
        .with("symbol", market.id.as_str())
        .with("type", order.order_type.as_str());
    let margin_mode = margin_mode(&mut params);
    match params.number(&["cost", "funds"]).filter(|_| at_market) {
        Some(funds) => {
            fields.set("funds", paid(market, funds)?);
            params = params.without(&["cost", "funds"]);
        }
        None => {
            fields = fields.with_some("size", order.amount.map(|amount| market.amount(amount)).transpose()?);
            let price = order.price.filter(|_| !at_market);
            fields = fields.with_some("price", price.map(|price| market.price(price)).transpose()?);
        }
    }
    let trigger = trigger(&params)?;
    params = params.without(&TRIGGERS);
    if let Some(trigger) = trigger {
        // an "entry" waits for the price to rise, a "loss" for it to fall
        let (rises, price) = match trigger {
            Trigger::Price(price) => (None, price),
            Trigger::StopLoss(price) => (Some(order.side == Side::Buy), price),
            Trigger::TakeProfit(price) => (Some(order.side == Side::Sell), price),
        };
        fields = fields.with_some("stop", rises.map(|rises| if rises { "entry" } else { "loss" }));
        fields.set("stopPrice", market.price(price)?);
        match margin_mode.as_deref() {
            Some("isolated") => {
                return Err(error(ErrorClass::BadRequest, "has no stop orders with an isolated margin"));
            }
            Some("cross") => fields.set("tradeType", "MARGIN_TRADE"),
            _ => {}
        }
    } else if margin_mode.as_deref() == Some("isolated") {
        fields.set("marginModel", "isolated");
    }
    if post_only(&mut params, at_market)? {
        fields.set("postOnly", true);
    }
    Ok(fields.and(params))
}

/// A sum as the market takes it.
fn paid(market: &Market, funds: Number) -> Result<Number> {
    let info = json::parse(market.info.as_str());
    let step = info.as_ref().and_then(|info| info.number_of(&["quoteIncrement"]));
    let least = || error(ErrorClass::InvalidOrder, &format!("costs less than one step of {}", market.symbol));
    step.map_or(Some(funds), |step| funds.cut_to(step)).and_then(Number::nonzero).ok_or_else(least)
}

/// Where a new order of contracts goes to, and what it says.
pub(super) fn of_contracts(exchange: &Exchange, market: &Market, order: &NewOrder) -> Result<(&'static str, Fields)> {
    let mut params = order.params.clone();
    let test = take_flag(&mut params, &["test"]);
    let guarded = params.get("stopLoss").is_some() || params.get("takeProfit").is_some();
    let path = match (test, guarded) {
        (true, _) => "v1/orders/test",
        (_, true) => "v1/st-orders",
        _ => "v1/orders",
    };
    Ok((path, contract_fields(exchange, market, &NewOrder { params, ..order.clone() })?))
}

/// What a new order of contracts says.
pub(super) fn contract_fields(exchange: &Exchange, market: &Market, order: &NewOrder) -> Result<Fields> {
    let mut params = order.params.clone();
    let unique = exchange.uuid();
    let client = client_id(&params).map_or(unique, str::to_owned);
    params = params.without(&["clientOid", "clientOrderId"]);
    let mut fields = Fields::new()
        .with("clientOid", client)
        .with("side", side(order.side))
        .with("symbol", market.id.as_str())
        .with("type", order.order_type.as_str())
        .with("leverage", 1)
        .with_some("marginMode", take(&mut params, &["marginMode"]).map(|mode| mode.to_uppercase()));
    match params.number(&["cost"]) {
        Some(cost) => {
            let cut = market.precision.price.map_or(Some(cost), |step| cost.cut_to(step)).unwrap_or_default();
            fields.set("valueQty", cut);
        }
        None => fields.set("size", Value::Digits(contracts(market, order.amount)?.to_string())),
    }
    params = params.without(&["cost"]);
    set_off(&mut fields, &mut params, market, order)?;
    let time = params.text(&["timeInForce"]).map(str::to_uppercase);
    if order.order_type.eq_ignore_ascii_case("limit") {
        let none = || error(ErrorClass::ArgumentsRequired, "requires a price argument for limit orders");
        fields.set("price", market.price(order.price.ok_or_else(none)?)?);
        fields = fields.with_some("timeInForce", time);
    }
    if post_only(&mut params, order.order_type == "market")? {
        fields.set("postOnly", true);
        if params.get("hidden").is_some() {
            return Err(error(ErrorClass::BadRequest, "does not take postOnly and hidden together"));
        }
    }
    let in_parts = params.get("iceberg").is_some_and(|value| !matches!(value, Value::Null | Value::Flag(false)));
    if in_parts && params.get("visibleSize").is_none() {
        return Err(error(ErrorClass::ArgumentsRequired, "requires a visibleSize parameter for iceberg orders"));
    }
    let reduces = params.flag("reduceOnly");
    if reduces {
        fields.set("reduceOnly", true);
    }
    if params.flag("hedged") {
        // whoever closes a long position sells
        let long = (order.side == Side::Buy) != reduces;
        fields.set("positionSide", if long { "LONG" } else { "SHORT" });
    }
    Ok(fields.and(params.without(&["timeInForce", "reduceOnly", "hedged"])))
}

/// A whole number of contracts.
fn contracts(market: &Market, amount: Option<Number>) -> Result<Number> {
    let none = || error(ErrorClass::ArgumentsRequired, "requires an amount argument");
    let amount = amount.ok_or_else(none)?;
    if amount < Number::from(1) {
        return Err(error(ErrorClass::InvalidOrder, "has no orders of less than one contract"));
    }
    let cut = market.amount(amount)?;
    Ok(cut.cut(0).unwrap_or(cut))
}

/// At which price an order of contracts is set off, and at which prices its position is closed.
fn set_off(fields: &mut Fields, params: &mut Fields, market: &Market, order: &NewOrder) -> Result<()> {
    let of = |params: &Fields| price_type(params.text(&["triggerPriceType"]).unwrap_or("mark"));
    let own_type = of(params);
    let trigger = trigger(params)?;
    let guard = |name: &str| match params.get(name) {
        Some(Value::Object(guard)) => Some(guard.clone()),
        _ => None,
    };
    let (stop, profit) = (guard("stopLoss"), guard("takeProfit"));
    *params = std::mem::take(params).without(&TRIGGERS).without(&["takeProfit", "stopLoss"]);
    let buys = order.side == Side::Buy;
    let word = |rises: bool| if rises { "up" } else { "down" };
    if let Some(Trigger::Price(price)) = trigger {
        fields.set("stop", word(buys));
        fields.set("stopPrice", market.price(price)?);
        fields.set("stopPriceType", own_type);
    } else if stop.is_some() || profit.is_some() {
        let mut kind = own_type;
        let guards = [
            (stop, "triggerStopDownPrice", ["triggerPrice", "stopPrice"]),
            (profit, "triggerStopUpPrice", ["triggerPrice", "takeProfitPrice"]),
        ];
        for (guard, field, names) in guards {
            let Some(guard) = guard else { continue };
            *fields = std::mem::take(fields)
                .with_some(field, guard.number(&names).map(|price| market.price(price)).transpose()?);
            kind = of(&guard);
        }
        fields.set("stopPriceType", kind);
    } else if let Some((rises, price)) = trigger.and_then(|trigger| match trigger {
        Trigger::StopLoss(price) => Some((buys, price)),
        Trigger::TakeProfit(price) => Some((!buys, price)),
        Trigger::Price(_) => None,
    }) {
        fields.set("stop", word(rises));
        fields.set("stopPrice", market.price(price)?);
        fields.set("reduceOnly", true);
        fields.set("stopPriceType", own_type);
    }
    Ok(())
}

/// Which price sets an order off: mark price, last price or index price.
fn price_type(word: &str) -> String {
    match word {
        "mark" => "MP",
        "last" => "TP",
        "index" => "IP",
        other => other,
    }
    .to_owned()
}
