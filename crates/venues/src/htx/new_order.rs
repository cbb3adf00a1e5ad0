//! What a new order asks for: "Place a New Order" of the spot market, "Place an Order" of the contract markets.

use super::orders::whole;
use crate::exchange::{NewOrder, Result, not_supported};
use crate::unified::{Market, Side};
use crate::{ErrorClass, Exchange, Fields, Number, Value, Venue, VenueError};

/// Parameters of CCXT that orders of the spot market are not sent with.
const UNIFIED_SPOT: [&str; 11] = [
    "triggerPrice",
    "stopPrice",
    "stop-price",
    "clientOrderId",
    "client-order-id",
    "operator",
    "timeInForce",
    "marginMode",
    "defaultMarginMode",
    "cost",
    "createMarketBuyOrderRequiresPrice",
];
/// Parameters of CCXT that orders of contracts are not sent with.
const UNIFIED: [&str; 17] = [
    "reduceOnly",
    "triggerPrice",
    "stopPrice",
    "stopLossPrice",
    "takeProfitPrice",
    "triggerType",
    "leverRate",
    "timeInForce",
    "leverage",
    "trailingPercent",
    "trailingTriggerPrice",
    "hedged",
    "stopLoss",
    "takeProfit",
    "marginMode",
    "defaultMarginMode",
    "subType",
];
/// What stands before the names of orders that have none of their own, where CCXT sends no broker's name.
const NAMED_BY: &str = "undefined";
/// Types of orders of the spot market that have a price.
const PRICED: [&str; 6] = ["limit", "ioc", "limit-maker", "stop-limit", "limit-fok", "stop-limit-fok"];

fn refused(class: ErrorClass, message: &str) -> VenueError {
    VenueError::new(class, &format!("htx createOrder() {message}"))
}

const fn word(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

/// An amount as it is sent; one that is missing is not.
fn amount(market: &Market, amount: Option<Number>) -> Result<Option<Number>> {
    amount.map(|amount| market.amount(amount)).transpose()
}

fn price(market: &Market, price: Option<Number>) -> Result<Option<Number>> {
    price.map(|price| market.price(price)).transpose()
}

/// Whether an order may only be there; and its parameters without what said so.
fn post_only(at_market: bool, by_type: bool, params: Fields) -> Result<(bool, Fields)> {
    let time = params.text(&["timeInForce"]).map(str::to_uppercase);
    let by_time = time.as_deref() == Some("PO");
    if !(params.flag("postOnly") || by_time || by_type) {
        return Ok((false, params));
    }
    if at_market {
        return Err(refused(ErrorClass::InvalidOrder, "a market order cannot be post-only"));
    }
    if matches!(time.as_deref(), Some("IOC" | "FOK")) {
        return Err(refused(ErrorClass::InvalidOrder, "an order that is post-only stays until it is filled"));
    }
    let params = params.without(&["postOnly"]);
    Ok((true, if by_time { params.without(&["timeInForce"]) } else { params }))
}

/// An order of the spot market; `account` is the number of the account that it is made for.
pub(super) fn spot(exchange: &Exchange, market: &Market, order: &NewOrder, account: Option<&str>) -> Result<Fields> {
    let params = order.params.clone();
    let said = order.order_type.replace("buy-", "").replace("sell-", "");
    let mut kind = said.clone();
    let mut fields = Fields::new().with_some("account-id", account).with("symbol", market.id.as_str());
    if let Some(trigger) = params.number(&["triggerPrice", "stopPrice", "stop-price"]) {
        let operator = if order.side == Side::Sell { "lte" } else { "gte" };
        fields.set("stop-price", market.price(trigger)?);
        fields.set("operator", params.text(&["operator"]).unwrap_or(operator));
        kind = match said.as_str() {
            "limit" | "limit-fok" => format!("stop-{said}"),
            "stop-limit" | "stop-limit-fok" => said,
            other => return Err(not_supported(Venue::Htx, &format!("createOrder() of {other} orders that wait"))),
        };
    } else if matches!(said.as_str(), "stop-limit" | "stop-limit-fok") {
        return Err(refused(ErrorClass::ArgumentsRequired, "requires a triggerPrice for an order that waits"));
    }
    let (stays, params) = post_only(kind == "market", kind == "limit-maker", params)?;
    if stays {
        "limit-maker".clone_into(&mut kind);
    }
    match params.text(&["timeInForce"]) {
        Some("FOK") => kind.push_str("-fok"),
        Some("IOC") => "ioc".clone_into(&mut kind),
        _ => {}
    }
    fields.set("type", format!("{}-{kind}", word(order.side)));
    let named = params.text(&["clientOrderId", "client-order-id"]).map(str::to_owned);
    fields.set("client-order-id", named.unwrap_or_else(|| format!("{NAMED_BY}{}", exchange.uuid())));
    let source = match params.text(&["marginMode", "defaultMarginMode"]) {
        Some("cross") => Some("super-margin-api"),
        Some("isolated") => Some("margin-api"),
        Some("c2c") => Some("c2c-margin-api"),
        _ => None,
    };
    let of_amount = if kind == "market" { paid_or_sold(order)? } else { order.amount };
    let mut fields = fields.with_some("source", source).with_some("amount", amount(market, of_amount)?);
    if PRICED.contains(&kind.as_str())
        && let Some(price) = price(market, order.price)?
    {
        fields.set("price", price);
    }
    Ok(fields.and(params.without(&UNIFIED_SPOT)))
}

/// The amount of a market order: what it may cost if it buys.
fn paid_or_sold(order: &NewOrder) -> Result<Option<Number>> {
    let params = &order.params;
    let cost = params.number(&["cost"]);
    if order.side == Side::Sell {
        let by_cost = || not_supported(Venue::Htx, "market orders that sell by cost");
        return cost.map_or(Ok(order.amount), |_| Err(by_cost()));
    }
    if cost.is_some() {
        return Ok(cost);
    }
    if params.get("createMarketBuyOrderRequiresPrice") == Some(&Value::Flag(false)) {
        return Ok(order.amount);
    }
    let message = "requires a price for a market order that buys, to know what it may cost; or the cost instead of \
                   the amount, with createMarketBuyOrderRequiresPrice of false";
    let price = order.price.ok_or_else(|| refused(ErrorClass::InvalidOrder, message))?;
    Ok(order.amount.and_then(|amount| amount.times(price)))
}

/// What sets an order of a contract off, if it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Trigger(Number),
    StopLoss(Number),
    TakeProfit(Number),
    /// How far behind the best price, in hundredths of it.
    Trailing(Number),
}

fn wait(params: &Fields) -> Option<Wait> {
    let trigger = || params.number(&["triggerPrice", "stopPrice", "trigger_price"]).map(Wait::Trigger);
    let stop = || params.number(&["stopLossPrice", "sl_trigger_price"]).map(Wait::StopLoss);
    let profit = || params.number(&["takeProfitPrice", "tp_trigger_price"]).map(Wait::TakeProfit);
    let trailing = || params.number(&["trailingPercent", "callback_rate"]).map(Wait::Trailing);
    trigger().or_else(stop).or_else(profit).or_else(trailing)
}

/// Whether an order of a contract waits: such orders have a path of their own.
pub(super) fn waits(order: &NewOrder) -> bool {
    wait(&order.params).is_some()
}

/// An order of a contract.
pub(super) fn contract(market: &Market, order: &NewOrder) -> Result<Fields> {
    if market.linear != Some(true) {
        return Err(not_supported(Venue::Htx, "contracts settled in coins"));
    }
    if order.params.number(&["cost"]).is_some() {
        return Err(not_supported(Venue::Htx, "orders of contracts by cost"));
    }
    let params = order.params.clone();
    let (stays, params) = post_only(order.order_type == "market", order.order_type == "post_only", params)?;
    let kind = if stays { "post_only" } else { order.order_type.as_str() };
    let mode = params.text(&["marginMode", "defaultMarginMode"]).unwrap_or("cross");
    let time = params.text(&["timeInForce", "time_in_force"]).unwrap_or("gtc").to_lowercase();
    let mut fields = Fields::new()
        .with("contract_code", market.id.as_str())
        .with_some("volume", amount(market, order.amount)?)
        .with("margin_mode", mode)
        .with("side", word(order.side))
        .with("time_in_force", time);
    for (name, short) in [("stopLoss", "sl"), ("takeProfit", "tp")] {
        fields = fields.and(attached(market, &params, name, short)?);
    }
    let waits = wait(&params);
    let client = whole(&params, &["client_order_id", "clientOrderId", "algo_client_order_id"]);
    let mut named: &[&str] = &[];
    if let Some(client) = client {
        let (name, names): (_, &[&str]) = match waits {
            Some(_) => ("algo_client_order_id", &["clientOrderId", "client_order_id"]),
            None => ("client_order_id", &["clientOrderId"]),
        };
        fields.set(name, client);
        named = names;
    }
    let reduces = params.flag("reduceOnly") || params.flag("reduce_only");
    let reduces = reduces && !matches!(waits, Some(Wait::StopLoss(_) | Wait::TakeProfit(_)));
    let fields = fields.and(what_waits(market, order, waits, kind)?);
    let fields = fields.with_some("reduce_only", reduces.then_some(1));
    Ok(fields.and(params.without(named).without(&UNIFIED)))
}

/// Type, price and what sets the order off.
fn what_waits(market: &Market, order: &NewOrder, waits: Option<Wait>, kind: &str) -> Result<Fields> {
    let own = || price(market, order.price);
    let fields = Fields::new();
    Ok(match waits {
        Some(Wait::Trigger(trigger)) => {
            fields.with("trigger_price", market.price(trigger)?).with("type", kind).with_some("price", own()?)
        }
        Some(Wait::StopLoss(stop)) => {
            fields.with("type", "sl").with("sl_trigger_price", market.price(stop)?).with_some("sl_order_price", own()?)
        }
        Some(Wait::TakeProfit(profit)) => fields
            .with("type", "tp")
            .with("tp_trigger_price", market.price(profit)?)
            .with_some("tp_order_price", own()?),
        Some(Wait::Trailing(percent)) => {
            let rate = percent.over(100.into()).unwrap_or_default();
            let active = order.params.number(&["trailingTriggerPrice"]).or(order.price);
            fields
                .with("callback_rate", Value::Digits(rate.to_string()))
                .with("order_price_type", "formula_price")
                .with_some("active_price", active.map(|active| Value::Digits(active.to_string())))
                .with("type", "trailing_stop")
        }
        None => {
            let priced = matches!(kind, "limit" | "ioc" | "fok" | "post_only");
            fields.with_some("price", if priced { own()? } else { None }).with("type", kind)
        }
    })
}

/// An order that is to be made when this one is filled: `{"triggerPrice":…,"price":…,"type":"market"}`.
fn attached(market: &Market, params: &Fields, name: &str, short: &str) -> Result<Fields> {
    let Some(Value::Object(of)) = params.get(name) else { return Ok(Fields::new()) };
    Ok(Fields::new()
        .with_some(&format!("{short}_trigger_price"), price(market, of.number(&["triggerPrice"]))?)
        .with_some(&format!("{short}_order_price"), price(market, of.number(&["price"]))?)
        .with_some(&format!("{short}_type"), of.text(&["type"])))
}
