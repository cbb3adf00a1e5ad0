//! Orders: "Get Order Details" of the spot market, of contracts, and of unified accounts.

use super::parse::{currency, doubles, place, time_in_force};
use crate::Number;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Fee, Market, Order, OrderStatus, Raw, Side, Time};

/// What orders of unified accounts are traded as.
const UNIFIED: [&str; 4] = ["SPOT", "CROSS", "ISOLATED", "FUTURES"];

pub(super) fn order(raw: &Json<'_>, context: Context<'_>) -> Order {
    let market = context.market(raw.text_of(&["symbol"]), true);
    let context = Context { asked: market, ..context };
    let unified = raw.text_of(&["tradeType"]).is_some_and(|word| UNIFIED.contains(&word));
    if unified || raw.get("sizeUnit").is_some() {
        return of_unified(raw, context);
    }
    if market.is_some_and(Market::contract) { of_contracts(raw, context) } else { of_spot(raw, context) }
}

fn of_contracts(raw: &Json<'_>, context: Context<'_>) -> Order {
    let number = |name: &str| raw.number_of(&[name]);
    let active = raw.get("isActive").flag();
    let status = active.map(|active| if active { OrderStatus::Open } else { OrderStatus::Closed });
    let canceled = raw.get("cancelExist").flag() == Some(true);
    Order {
        id: raw.string_of(&["id", "orderId"]),
        fee: number("fee").map(|cost| fee(raw, Some(cost))),
        status: if canceled { Some(OrderStatus::Canceled) } else { status },
        cost: number("filledValue"),
        filled: number("filledSize"),
        reduce_only: raw.get("reduceOnly").flag(),
        last_update: Time::parse(raw.text_of(&["updatedAt"])).0,
        symbol: context.asked.map(|market| market.symbol.clone()),
        ..common(raw)
    }
    .completed(context.asked)
}

fn of_spot(raw: &Json<'_>, context: Context<'_>) -> Order {
    let number = |name: &str| raw.number_of(&[name]);
    let flag = |name: &str| raw.get(name).flag();
    let (_, symbol) = place(raw, context);
    let active = flag("isActive").or_else(|| flag("active"));
    let said = raw.text_of(&["status"]);
    let mut status = active.map(|active| if active { OrderStatus::Open } else { OrderStatus::Closed });
    if raw.text_of(&["stop"]).is_some() {
        if said == Some("NEW") {
            status = Some(OrderStatus::Open);
        } else if active != Some(true) && flag("stopTriggered") != Some(true) {
            // it waited for its price and was not set off
            status = Some(OrderStatus::Canceled);
        }
    }
    if flag("cancelExist") == Some(true) {
        status = Some(OrderStatus::Canceled);
    }
    if said == Some("fail") {
        status = Some(OrderStatus::Rejected);
    }
    Order {
        id: raw.string_of(&["id", "orderId", "newOrderId", "cancelledOrderId"]),
        fee: Some(fee(raw, number("fee"))),
        status,
        cost: number("dealFunds"),
        filled: number("dealSize"),
        symbol,
        ..common(raw)
    }
    .completed(context.asked)
}

/// What the spot market and contracts say alike.
fn common(raw: &Json<'_>) -> Order {
    let number = |name: &str| raw.number_of(&[name]);
    Order {
        info: Raw::of(raw),
        client_order_id: raw.string_of(&["clientOid"]),
        time: Time::parse(raw.text_of(&["createdAt"])),
        order_type: raw.string_of(&["type"]),
        time_in_force: raw.string_of(&["timeInForce"]),
        post_only: raw.get("postOnly").flag(),
        side: raw.text_of(&["side"]).and_then(Side::parse),
        amount: number("size"),
        price: number("price"),
        trigger_price: number("stopPrice"),
        average: number("avgDealPrice"),
        ..Order::default()
    }
}

fn fee(raw: &Json<'_>, cost: Option<Number>) -> Fee {
    Fee { cost, currency: currency(raw.text_of(&["feeCurrency"])), rate: None }
}

fn of_unified(raw: &Json<'_>, context: Context<'_>) -> Order {
    let number = |names: &[&str]| raw.number_of(names);
    let market = context.asked;
    let (size, average) = (number(&["size"]), number(&["avgPrice"]));
    let said = number(&["filledSize"]);
    let in_base = matches!(raw.text_of(&["sizeUnit"]), Some("BASECCY" | "UNIT"));
    // what is bought for a sum is told in the quote currency
    let bought = || {
        let bought = said?.over(average?)?;
        market.and_then(|market| market.precision.amount).map_or(Some(bought), |step| bought.cut_to(step))
    };
    let (amount, cost, filled) = if in_base { (size, None, said) } else { (None, said, bought()) };
    let symbol = market.map(|market| market.symbol.clone());
    Order {
        info: Raw::of(raw),
        id: raw.string_of(&["orderId"]),
        client_order_id: raw.string_of(&["clientOid"]),
        time: doubles(raw.text_of(&["orderTime", "ts"])),
        last_update: doubles(raw.text_of(&["updatedTime"])).0,
        symbol: symbol.or_else(|| raw.string_of(&["symbol"])),
        order_type: raw.text_of(&["orderType"]).map(str::to_lowercase),
        time_in_force: raw.text_of(&["timeInForce"]).map(time_in_force),
        post_only: raw.get("postOnly").flag(),
        reduce_only: raw.get("reduceOnly").flag(),
        side: raw.text_of(&["side"]).and_then(Side::parse),
        price: number(&["price"]),
        trigger_price: number(&["stopPrice", "triggerPrice"]),
        take_profit_price: number(&["tpTriggerPrice"]),
        stop_loss_price: number(&["slTriggerPrice"]),
        amount,
        cost,
        average,
        filled,
        status: raw.text_of(&["status"]).and_then(unified_status),
        fee: Some(fee(raw, number(&["fee"]))),
        fee_digits: raw.string_of(&["fee"]),
        ..Order::default()
    }
    .completed(market)
}

pub(super) fn unified_status(digit: &str) -> Option<OrderStatus> {
    match digit {
        // waits for its price, was set off, is there, is filled in part
        "0" | "1" | "2" | "4" => Some(OrderStatus::Open),
        "3" | "6" => Some(OrderStatus::Closed),
        "5" => Some(OrderStatus::Canceled),
        _ => None,
    }
}
