//! Orders: V5 "Get Open & Closed Orders" and "Get Order History".

use super::parse::named;
use crate::Number;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Fee, Market, MarketKind, Order, OrderStatus, Raw, Side, Time};

pub(super) fn order(raw: &Json<'_>, context: Context<'_>) -> Order {
    let number = |name: &str| raw.number_of(&[name]);
    let nonzero = |name: &str| number(name).and_then(Number::nonzero);
    let text = |name: &str| raw.string_of(&[name]);
    if raw.text_of(&["code"]).is_some_and(|code| code != "0") {
        return refused(raw, context);
    }
    let contract = context.asked.map_or(raw.get("tpslMode").is_some(), Market::contract);
    let (market, symbol) = named(context, raw.text_of(&["symbol"]), contract);
    let touched = Time::parse(raw.text_of(&["updatedTime", "updatedAt"])).0;
    let side = raw.get("side").text().and_then(Side::parse);
    let order_type = raw.text_of(&["orderType"]).map(str::to_lowercase);
    let trigger = nonzero("triggerPrice");
    let reduces = raw.get("reduceOnly").flag();
    // an order that waits and only closes is what stops a loss or takes a profit
    let closes = trigger.filter(|_| reduces == Some(true));
    let rising = raw.get("triggerDirection").text() == Some("1");
    let stops = side.is_some_and(|side| rising == (side == Side::Buy));
    let unit = raw.text_of(&["marketUnit"]);
    let of_spot = market.is_some_and(|market| market.kind == MarketKind::Spot);
    let by_cost = unit == Some("quoteCoin") || (unit.is_none() && side == Some(Side::Buy));
    let in_quote = of_spot && order_type.as_deref() == Some("market") && by_cost;
    Order {
        info: Raw::of(raw),
        id: text("orderId"),
        client_order_id: text("orderLinkId"),
        time: Time::parse(raw.text_of(&["createdTime", "createdAt"])),
        last_trade: touched,
        last_update: touched,
        symbol,
        order_type,
        time_in_force: raw.text_of(&["timeInForce"]).map(|word| time_in_force(word).to_owned()),
        reduce_only: reduces,
        side,
        price: number("price"),
        trigger_price: trigger,
        take_profit_price: nonzero("takeProfit").or(closes.filter(|_| side.is_some() && !stops)),
        stop_loss_price: nonzero("stopLoss").or(closes.filter(|_| stops)),
        amount: number("qty").filter(|_| !in_quote),
        cost: number("cumExecValue"),
        average: number("avgPrice"),
        filled: number("cumExecQty"),
        remaining: number("leavesQty"),
        status: raw.get("orderStatus").text().and_then(status),
        fee: fee(raw),
        ..Order::default()
    }
    .completed(market)
}

/// An order of a batch that the exchange did not take.
fn refused(raw: &Json<'_>, context: Context<'_>) -> Order {
    let contract = raw.text_of(&["category"]) != Some("spot");
    let nobody = Context { asked: None, ..context };
    Order {
        info: Raw::of(raw),
        id: raw.string_of(&["orderId"]),
        client_order_id: raw.string_of(&["orderLinkId"]),
        symbol: named(nobody, raw.text_of(&["symbol"]), contract).1,
        status: Some(OrderStatus::Rejected),
        ..Order::default()
    }
    .completed(None)
}

/// The first of its costs by currency.
fn fee(raw: &Json<'_>) -> Option<Fee> {
    let Some(Json::Object(of)) = raw.get("cumFeeDetail") else { return None };
    let (currency, cost) = of.first()?;
    Some(Fee { cost: cost.text().and_then(Number::parse), currency: Some(currency.to_string()), rate: None })
}

fn time_in_force(word: &str) -> &str {
    match word {
        "GoodTillCancel" => "GTC",
        "ImmediateOrCancel" => "IOC",
        "FillOrKill" => "FOK",
        "PostOnly" => "PO",
        other => other,
    }
}

fn status(word: &str) -> Option<OrderStatus> {
    match word {
        "New" | "Created" | "Active" | "PartiallyFilled" | "Untriggered" | "Triggered" | "PendingCancel" | "NEW"
        | "PARTIALLY_FILLED" | "PENDING_CANCEL" | "PENDING_NEW" => Some(OrderStatus::Open),
        "Filled" | "PartiallyFilledCanceled" | "FILLED" | "PARTIALLY_FILLED_CANCELLED" => Some(OrderStatus::Closed),
        "Cancelled" | "Deactivated" | "CANCELED" => Some(OrderStatus::Canceled),
        "Rejected" | "REJECTED" => Some(OrderStatus::Rejected),
        _ => None,
    }
}
