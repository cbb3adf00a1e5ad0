//! Orders: "Get Order" and what "Create Order" says of the new one.

use super::parse::named;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Fee, Order, OrderStatus, Raw, Side, Time};

/// Forms of an order that have a price, and those that wait for one.
const LIMITS: [&str; 4] = ["limit_limit_gtc", "limit_limit_gtd", "sor_limit_ioc", "limit_limit_fok"];
const STOPS: [&str; 2] = ["stop_limit_stop_limit_gtc", "stop_limit_stop_limit_gtd"];

pub(super) fn order(raw: &Json<'_>, context: Context<'_>) -> Order {
    let (_, symbol, _) = named(context, raw.text_of(&["product_id"]));
    let form = raw.get("order_configuration");
    let first = |names: &[&str]| names.iter().find_map(|name| form.get(name));
    let stop = first(&STOPS).filter(|_| first(&LIMITS).is_none());
    let priced = first(&LIMITS).or(stop);
    let created = raw.string_of(&["created_time"]);
    let fee = raw.get("total_fees").text();
    Order {
        info: Raw::of(raw),
        id: raw.string_of(&["order_id"]),
        client_order_id: raw.string_of(&["client_order_id"]),
        time: Time::of_iso(created.as_deref()),
        datetime: created,
        symbol,
        order_type: raw.text_of(&["order_type"]).and_then(order_type).map(str::to_owned),
        time_in_force: raw.text_of(&["time_in_force"]).and_then(time_in_force).map(str::to_owned),
        post_only: priced.get("post_only").flag(),
        side: raw.get("side").text().and_then(Side::parse),
        price: priced.number_of(&["limit_price"]),
        trigger_price: stop.number_of(&["stop_price"]),
        amount: priced.or_else(|| form.get("market_market_ioc")).number_of(&["base_size"]),
        filled: raw.number_of(&["filled_size"]),
        average: raw.number_of(&["average_filled_price"]),
        status: raw.text_of(&["status"]).and_then(status),
        fee: Some(Fee {
            cost: raw.number_of(&["total_fees"]),
            currency: context.asked.filter(|_| fee.is_some()).map(|market| market.quote.clone()),
            rate: None,
        }),
        fee_digits: fee.map(str::to_owned),
        ..Order::default()
    }
    .completed(context.asked)
}

pub(super) fn status(word: &str) -> Option<OrderStatus> {
    match word {
        "PENDING" | "QUEUED" | "OPEN" => Some(OrderStatus::Open),
        "FILLED" => Some(OrderStatus::Closed),
        "CANCEL_QUEUED" => Some(OrderStatus::Canceling),
        "CANCELLED" | "EXPIRED" | "FAILED" => Some(OrderStatus::Canceled),
        _ => None,
    }
}

fn order_type(word: &str) -> Option<&str> {
    match word {
        "UNKNOWN_ORDER_TYPE" => None,
        "MARKET" => Some("market"),
        "LIMIT" | "STOP" | "STOP_LIMIT" => Some("limit"),
        other => Some(other),
    }
}

pub(super) fn time_in_force(word: &str) -> Option<&str> {
    match word {
        "UNKNOWN_TIME_IN_FORCE" => None,
        "GOOD_UNTIL_CANCELLED" => Some("GTC"),
        "GOOD_UNTIL_DATE_TIME" => Some("GTD"),
        "IMMEDIATE_OR_CANCEL" => Some("IOC"),
        "FILL_OR_KILL" => Some("FOK"),
        other => Some(other),
    }
}
