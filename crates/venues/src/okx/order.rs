//! Orders: "Get order", "Get algo order details", and what is said when one is made or taken back.

use super::parse::{fee, named};
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Market, Order, OrderStatus, Raw, Side, Time};

/// What is said of an order that was taken.
const ACCEPTED: &str = "0";

pub(super) fn order(raw: &Json<'_>, context: Context<'_>) -> Order {
    let text = |names: &[&str]| raw.string_of(names);
    let number = |names: &[&str]| raw.number_of(names);
    if raw.text_of(&["sCode"]).is_some_and(|code| code != ACCEPTED) {
        let (id, client_order_id, status) = (text(&["ordId"]), text(&["clOrdId"]), Some(OrderStatus::Rejected));
        return Order { info: Raw::of(raw), id, client_order_id, status, ..Order::default() }.completed(None);
    }
    let (known, symbol) = named(context, raw.text_of(&["instId"]));
    let side = raw.get("side").text().and_then(Side::parse);
    let said = raw.text_of(&["ordType"]);
    let (order_type, time_in_force, post_only) = match said {
        Some("post_only" | "rpi") => (Some("limit"), None, Some(true)),
        Some("fok") => (Some("limit"), Some("FOK"), None),
        Some("ioc") => (Some("limit"), Some("IOC"), None),
        other => (other, None, None),
    };
    // who buys at the market of spot may have said what to spend
    let spends = side == Some(Side::Buy)
        && said == Some("market")
        && raw.get("instType").text() == Some("SPOT")
        && raw.get("tgtCcy").text() == Some("quote_ccy");
    let size = number(&["sz"]);
    Order {
        info: Raw::of(raw),
        id: text(&["algoId", "ordId"]),
        client_order_id: text(&["clOrdId"]),
        time: Time::parse(raw.get("cTime").text()),
        last_trade: Time::parse(raw.get("fillTime").text()).0,
        last_update: Time::parse(raw.get("uTime").text()).0,
        symbol,
        order_type: order_type.map(str::to_owned),
        time_in_force: time_in_force.map(str::to_owned),
        post_only,
        reduce_only: Some(raw.get("reduceOnly").text() == Some("true") || raw.get("reduceOnly").flag() == Some(true)),
        side,
        price: number(&["px", "ordPx"]),
        trigger_price: number(&["triggerPx", "moveTriggerPx"]),
        take_profit_price: number(&["tpTriggerPx", "tpOrdPx"]),
        stop_loss_price: number(&["slTriggerPx", "slOrdPx"]),
        amount: size.filter(|_| !spends),
        cost: size.filter(|_| spends),
        average: number(&["avgPx"]),
        filled: number(&["accFillSz"]),
        status: raw.text_of(&["state"]).and_then(status),
        fee: fee(raw, "feeCcy"),
        ..Order::default()
    }
    .completed(known.or(context.asked))
}

/// Orders by time, those of the market that was asked for.
pub(super) fn sorted(mut orders: Vec<Order>, market: Option<&Market>) -> Vec<Order> {
    orders.retain(|order| market.is_none_or(|market| order.symbol.as_ref() == Some(&market.symbol)));
    orders.sort_by_key(|order| order.time.0);
    orders
}

fn status(word: &str) -> Option<OrderStatus> {
    match word {
        "live" | "partially_filled" | "partially_effective" => Some(OrderStatus::Open),
        "filled" | "effective" => Some(OrderStatus::Closed),
        "canceled" | "order_failed" | "mmp_canceled" => Some(OrderStatus::Canceled),
        _ => None,
    }
}
