//! Orders: "Query Order" and "New Order" of the spot and of the contract markets, conditional ones too.

use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Order, OrderStatus, Raw, Side, Time, Trade};
use crate::{Dialect as _, Number};

/// Post-only at the contract markets ("good till crossing").
const POST_ONLY: &str = "GTX";

pub(super) fn order(dialect: &super::Dialect, raw: &Json<'_>, context: Context<'_>) -> Order {
    if raw.get("code").text().is_some_and(|code| code != "200") {
        let info = Raw::of(raw);
        return Order { info, status: Some(OrderStatus::Rejected), ..Order::default() }.completed(None);
    }
    let number = |names: &[&str]| raw.number_of(names);
    let text = |names: &[&str]| raw.text_of(names).map(str::to_owned);
    let time = |names: &[&str]| Time::parse(raw.text_of(names));
    let contract = raw.get("positionSide").is_some() || raw.get("cumQuote").is_some();
    let (_, symbol) = context.symbol(raw.get("symbol").text(), contract);
    let status = raw.text_of(&["status", "strategyStatus", "algoStatus"]).and_then(status);
    let filled = number(&["executedQty"]).unwrap_or_default();
    let touched = match status {
        Some(OrderStatus::Open) => filled > Number::default(),
        Some(OrderStatus::Closed) => true,
        _ => false,
    };
    let said = raw.text_of(&["type"]).map(str::to_lowercase);
    let time_in_force = text(&["timeInForce"]).map(|word| if word == POST_ONLY { "PO".to_owned() } else { word });
    let post_only = said.as_deref() == Some("limit_maker") || time_in_force.as_deref() == Some("PO");
    let order_type = match said {
        Some(word) if word == "limit_maker" => Some("limit".to_owned()),
        Some(word) => Some(word),
        None => raw.text_of(&["orderType"]).map(of_conditional),
    };
    let fills = raw.get("fills").list().unwrap_or_default();
    // what filled an order does not name its market again: it is known if it was asked for
    let trades: Vec<Trade> = fills.iter().map(|fill| dialect.trade(fill, context)).collect();
    Order {
        info: Raw::of(raw),
        id: text(&["orderId", "strategyId", "algoId"]),
        client_order_id: text(&["clientOrderId", "newClientStrategyId", "clientAlgoId"]),
        time: time(&["time", "createTime", "workingTime", "transactTime", "updateTime"]),
        last_trade: time(&["updateTime", "transactTime"]).0.filter(|_| touched),
        last_update: time(&["transactTime", "updateTime"]).0,
        symbol,
        order_type,
        time_in_force,
        post_only: Some(post_only),
        reduce_only: raw.get("reduceOnly").flag(),
        side: raw.get("side").text().and_then(Side::parse),
        price: number(&["price"]),
        trigger_price: number(&["stopPrice", "triggerPrice"]).and_then(Number::nonzero),
        amount: number(&["origQty", "quantity"]),
        cost: number(&["cumBase", "cummulativeQuoteQty", "cumQuote"]),
        average: number(&["avgPrice"]),
        filled: Some(filled),
        status,
        trades,
        ..Order::default()
    }
    .completed(context.asked)
}

pub(super) fn status(word: &str) -> Option<OrderStatus> {
    match word {
        "NEW" | "PARTIALLY_FILLED" | "ACCEPTED" | "PENDING_NEW" => Some(OrderStatus::Open),
        "FILLED" | "FINISHED" => Some(OrderStatus::Closed),
        "CANCELED" | "CANCELLED" => Some(OrderStatus::Canceled),
        "PENDING_CANCEL" => Some(OrderStatus::Canceling),
        "REJECTED" => Some(OrderStatus::Rejected),
        "EXPIRED" | "EXPIRED_IN_MATCH" => Some(OrderStatus::Expired),
        _ => None,
    }
}

/// What a conditional order of the contract markets becomes when it is set off.
fn of_conditional(word: &str) -> String {
    match word {
        "STOP" | "TAKE_PROFIT" => "limit".to_owned(),
        "STOP_MARKET" | "TAKE_PROFIT_MARKET" | "TRAILING_STOP_MARKET" => "market".to_owned(),
        other => other.to_lowercase(),
    }
}
