//! Orders: "Get Order" and the lists of them.

use super::Dialect;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Fee, Order, OrderStatus, Raw, Side, Time, Trade};
use crate::{Dialect as _, Number};

pub(super) fn order(dialect: &Dialect, raw: &Json<'_>, context: Context<'_>) -> Order {
    let number = |name: &str| raw.number_of(&[name]);
    let (market, symbol) = context.symbol(raw.text_of(&["market"]), false);
    let said = raw.text_of(&["ord_type"]);
    // an order of the type "price" buys for a sum
    let by_cost = said == Some("price");
    let order_type = if by_cost { Some("market") } else { said };
    let id = raw.string_of(&["uuid"]);
    let of_order = |raw: &Json<'_>| {
        let trade = dialect.trade(raw, Context { asked: market, ..context });
        Trade { order: id.clone(), order_type: order_type.map(str::to_owned), ..trade }
    };
    let mut trades: Vec<Trade> = raw.get("trades").each(of_order);
    trades.retain(|trade| trade.symbol == symbol);
    trades.sort_by(|one, other| (one.time.0, &one.id).cmp(&(other.time.0, &other.id)));
    let sum = |of: fn(&Trade) -> Option<Number>| trades.iter().filter_map(of).try_fold(Number::default(), Number::plus);
    let filled = number("executed_volume");
    let paid = raw.string_of(&["paid_fee"]);
    let (cost, average, fee) = if trades.is_empty() {
        (number("price").filter(|_| by_cost), None, paid)
    } else {
        let cost = sum(|trade| trade.cost);
        let average = cost.and_then(|cost| cost.over(filled?));
        let summed = || sum(|trade| trade.fee.as_ref()?.cost).map(|fee| fee.to_string());
        (cost, average, paid.or_else(summed))
    };
    Order {
        info: Raw::of(raw),
        client_order_id: raw.string_of(&["identifier"]),
        time: Time::of_iso(raw.text_of(&["created_at"])),
        last_trade: trades.last().and_then(|trade| trade.time.0),
        symbol,
        order_type: order_type.map(str::to_owned),
        time_in_force: raw.text_of(&["time_in_force"]).map(str::to_uppercase),
        side: raw.text_of(&["side"]).and_then(side),
        price: number("price").filter(|_| !by_cost),
        amount: number("volume"),
        cost,
        average,
        filled,
        remaining: number("remaining_volume"),
        status: raw.text_of(&["state"]).and_then(status),
        fee: fee.as_deref().map(|fee| Fee {
            cost: Number::parse(fee),
            currency: market.map(|market| market.quote.clone()),
            rate: None,
        }),
        fee_digits: fee,
        trades,
        id,
        ..Order::default()
    }
    .completed(None)
}

/// Who bids buys, who asks sells.
pub(super) fn side(word: &str) -> Option<Side> {
    match word {
        _ if word.eq_ignore_ascii_case("bid") => Some(Side::Buy),
        _ if word.eq_ignore_ascii_case("ask") => Some(Side::Sell),
        other => Side::parse(other),
    }
}

fn status(word: &str) -> Option<OrderStatus> {
    match word {
        // one that is watched waits for a price
        "wait" | "watch" => Some(OrderStatus::Open),
        "done" => Some(OrderStatus::Closed),
        "cancel" => Some(OrderStatus::Canceled),
        _ => None,
    }
}
