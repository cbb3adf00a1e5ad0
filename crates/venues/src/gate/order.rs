//! Orders, those that wait for a price too: "Order", "SpotPriceTriggeredOrder", "FuturesOrder" and
//! "FuturesPriceTriggeredOrder".

use super::parse::{fee, gathered, named, seconds};
use super::part::currency;
use crate::Number;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Order, OrderStatus, Raw, Side, Time};

pub(super) fn order(raw: &Json<'_>, context: Context<'_>) -> Order {
    if raw.get("succeeded").flag() == Some(false) {
        let (id, client_order_id) = (raw.string_of(&["id"]), raw.string_of(&["text"]));
        let status = Some(OrderStatus::Rejected);
        return Order { info: Raw::of(raw), id, client_order_id, status, ..Order::default() }.completed(None);
    }
    // what is made when the price is reached
    let inner = raw.get("put").or_else(|| raw.get("initial"));
    let text = |names: &[&str]| raw.text_of(names).or_else(|| inner.text_of(names));
    let number = |names: &[&str]| text(names).and_then(Number::parse);
    let trigger = raw.get("trigger").number_of(&["price"]);
    let contract = text(&["contract"]);
    let of_spot = raw.get("currency_pair").is_some() || raw.get("market").is_some();
    let id = raw.text_of(&["currency_pair", "market"]).or(contract);
    let (_, symbol) = named(context, id, !of_spot);
    let time_in_force = text(&["time_in_force", "tif"]).map(|word| match word {
        "poc" => "PO".to_owned(),
        other => other.to_uppercase(),
    });
    let post_only = time_in_force.as_deref() == Some("PO");
    let (amount, price) = (number(&["amount", "size"]), number(&["price"]));
    let (mut order_type, mut side) = (text(&["type"]), text(&["side"]).and_then(Side::parse));
    if contract.is_some() {
        let at_market = price == Some(Number::default()) && time_in_force.as_deref() == Some("IOC");
        order_type = Some(if at_market { "market" } else { "limit" });
        side = Some(if amount.is_some_and(|amount| amount > Number::default()) { Side::Buy } else { Side::Sell });
    }
    let waits = trigger.is_some_and(|price| price.nonzero().is_some());
    let (left, zero) = (raw.number_of(&["left"]), Number::default());
    let (left, cost) = if waits { (amount, Some(zero)) } else { (left, raw.number_of(&["filled_total"])) };
    let mut order = Order {
        info: Raw::of(raw),
        id: raw.string_of(&["id"]),
        client_order_id: client_order_id(raw),
        time: Time(time(raw, "create_time_ms", &["create_time", "ctime"])),
        last_trade: time(raw, "update_time_ms", &["update_time", "finish_time"]),
        symbol,
        order_type: order_type.map(str::to_owned),
        time_in_force,
        post_only: Some(post_only),
        reduce_only: raw.get("is_reduce_only").or_else(|| inner.get("is_reduce_only")).flag(),
        side,
        price,
        trigger_price: trigger,
        amount: amount.map(Number::abs),
        cost: cost.map(Number::abs),
        average: raw.number_of(&["avg_deal_price", "fill_price"]),
        remaining: left.map(Number::abs),
        status: raw.text_of(&["finish_as", "status", "open"]).and_then(status),
        ..Order::default()
    };
    if matches!(raw.get("account").text(), Some("spot" | "unified")) {
        // "fill_price" of the spot market is what was paid in all
        order.average = raw.number_of(&["avg_deal_price"]);
        if order_type == Some("market") && side == Some(Side::Buy) {
            order = by_cost(order, left);
        }
    }
    let fees = fees(raw);
    if fees.len() > 1 {
        order.fees = gathered(fees);
    } else {
        order.fee = fees.into_iter().next();
    }
    order.completed(context.asked)
}

/// An order that buys at the market: its amounts are in the quote currency.
fn by_cost(order: Order, left: Option<Number>) -> Order {
    let in_base = |amount: Option<Number>| amount?.over(order.average?);
    Order { remaining: in_base(left), amount: in_base(order.amount), cost: order.amount, price: None, ..order }
}

fn client_order_id(raw: &Json<'_>) -> Option<String> {
    let inner = raw.get("initial").or_else(|| raw.get("trigger"));
    raw.string_of(&["text"]).or_else(|| inner.string_of(&["text"]))
}

fn fees(raw: &Json<'_>) -> Vec<crate::unified::Fee> {
    let of = |name: &str| raw.text_of(&[name]).map(currency);
    let number = |name: &str| raw.number_of(&[name]);
    let rebate = number("rebated_fee").and_then(|rebate| Number::default().minus(rebate));
    let all = [
        fee(number("gt_fee"), Some("GT".to_owned())),
        fee(number("fee"), of("fee_currency")),
        fee(rebate, of("rebated_fee_currency")),
    ];
    all.into_iter().flatten().collect()
}

/// A time in milliseconds, else one in seconds or, of orders that waited, in microseconds.
fn time(raw: &Json<'_>, ms: &str, others: &[&str]) -> Option<i64> {
    if let Some(ms) = raw.text_of(&[ms]) {
        return Time::parse(Some(ms)).0;
    }
    let digits = raw.text_of(others)?;
    match digits.len() {
        10 => seconds(Some(digits)),
        _ if digits.contains('.') => seconds(Some(digits)),
        16 => Some(digits.parse::<i64>().ok()?.div_euclid(1000)),
        _ => Time::parse(Some(digits)).0,
    }
}

fn status(word: &str) -> Option<OrderStatus> {
    Some(match word {
        "open" | "_new" => OrderStatus::Open,
        "closed" | "filled" | "finished" | "finish" | "succeeded" | "liquidated" => OrderStatus::Closed,
        // why the rest of it was taken back
        "canceled"
        | "cancelled"
        | "ioc"
        | "failed"
        | "expired"
        | "poc"
        | "fok"
        | "stp"
        | "reduce_only"
        | "reduce_out"
        | "auto_deleveraged"
        | "position_closed"
        | "liquidate_cancelled"
        | "small"
        | "depth_not_enough"
        | "trader_not_enough" => OrderStatus::Canceled,
        _ => return None,
    })
}
