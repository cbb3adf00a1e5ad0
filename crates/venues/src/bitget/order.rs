//! Orders: "Get Order Info", "Get Order Detail", their lists and those of plan orders.

use super::parse::{currency, negative};
use crate::Number;
use crate::dialect::Context;
use crate::json::{self, Access as _, Json};
use crate::unified::{Fee, Market, MarketKind, Order, OrderStatus, Raw, Side, Time};

pub(super) fn order(raw: &Json<'_>, context: Context<'_>) -> Order {
    let text = |names: &[&str]| raw.string_of(names);
    let number = |names: &[&str]| raw.number_of(names);
    let client_order_id = text(&["clientOrderId", "clientOid"]);
    if raw.text_of(&["errorMsg"]).is_some() {
        let (info, id, status) = (Raw::of(raw), text(&["orderId"]), Some(OrderStatus::Rejected));
        return Order { info, id, client_order_id, status, ..Order::default() }.completed(context.asked);
    }
    let contract = context.asked.map_or(raw.text_of(&["posSide"]).is_some(), Market::contract);
    let (market, symbol) = context.symbol(raw.text_of(&["symbol"]), contract);
    let touched = Time::parse(raw.text_of(&["uTime", "updatedTime"])).0;
    let lasts = raw.text_of(&["force", "timeInForce"]).map(str::to_uppercase);
    let post_only = lasts.as_deref() == Some("POST_ONLY");
    let reduce_only = raw.get("reduceOnly").flag().or_else(|| raw.text_of(&["reduceOnly"]).map(|word| word != "NO"));
    // "Get Unfilled Orders" of the spot market tells the order's price where others tell the average
    let (price, average) = match number(&["basePrice"]) {
        Some(average) => (number(&["priceAvg"]), Some(average)),
        None => (number(&["price", "executePrice", "slLimitPrice", "tpLimitPrice"]), number(&["priceAvg"])),
    };
    // and orders with borrowed money tell what was filled where others tell the amount
    let (amount, filled) = match number(&["baseSize"]) {
        Some(amount) => (Some(amount), number(&["size"])),
        None => (number(&["size", "qty"]), number(&["baseVolume", "cumExecQty"])),
    };
    let side = side(raw, reduce_only);
    let order_type = text(&["orderType"]);
    let spot = market.is_some_and(|market| market.kind == MarketKind::Spot);
    let by_cost = spot && side == Some(Side::Buy) && order_type.as_deref() == Some("market");
    Order {
        info: Raw::of(raw),
        id: text(&["orderId", "data"]),
        client_order_id,
        time: Time::parse(raw.text_of(&["cTime", "ctime", "createdTime"])),
        last_trade: touched,
        last_update: touched,
        symbol,
        order_type,
        time_in_force: if post_only { Some("PO".to_owned()) } else { lasts },
        post_only: post_only.then_some(true),
        reduce_only,
        side,
        price,
        trigger_price: number(&["triggerPrice"]),
        take_profit_price: number(&["presetStopSurplusPrice", "stopSurplusTriggerPrice", "takeProfit"]),
        stop_loss_price: number(&["presetStopLossPrice", "stopLossTriggerPrice", "stopLoss"]),
        // the size of an order to buy at the market's price is what it may cost
        amount: if by_cost { number(&["baseVolume"]) } else { amount },
        cost: number(&["quoteVolume", "quoteSize"]),
        average,
        filled,
        status: raw.text_of(&["status", "state", "orderStatus", "planStatus"]).and_then(status),
        fee: fee(raw, market),
        ..Order::default()
    }
    .completed(market)
}

/// Which way an order goes; one that closes a position of two is told by the position's side.
fn side(raw: &Json<'_>, reduce_only: Option<bool>) -> Option<Side> {
    let side = raw.get("side").text().and_then(Side::parse)?;
    let of_position = raw.get("posMode").text() == Some("hedge_mode") && reduce_only == Some(true);
    Some(match side {
        Side::Buy if of_position => Side::Sell,
        Side::Sell if of_position => Side::Buy,
        side => side,
    })
}

/// What an order cost, which is told as what it changes: less than nothing is paid.
fn fee(raw: &Json<'_>, market: Option<&Market>) -> Option<Fee> {
    let settle = market.and_then(|market| market.settle.clone());
    let of = |cost: Option<Number>, currency| Fee { cost: cost.and_then(negative), currency, rate: None };
    let detail = raw.get("feeDetail");
    if raw.text_of(&["category"]).is_some() {
        return Some(of(detail.at(0).number_of(&["fee"]), settle));
    }
    // JSON in a text: a fee for each coin, and a sum
    if let Some(text) = raw.text_of(&["feeDetail"]) {
        let detail = json::parse(text);
        let fees = match &detail {
            Some(Json::Object(fees)) => fees.as_slice(),
            _ => &[],
        };
        let coin = fees.iter().map(|(_, fee)| fee).find(|fee| fee.text_of(&["feeCoinCode"]).is_some());
        return Some(of(coin.number_of(&["totalFee"]), coin.and_then(|coin| currency(coin, &["feeCoinCode"]))));
    }
    raw.number_of(&["fee"]).map(|cost| of(Some(cost), settle))
}

pub(super) fn status(word: &str) -> Option<OrderStatus> {
    match word {
        "new" | "init" | "live" | "not_trigger" | "partial_fill" | "partially_fill" | "partially_filled" => {
            Some(OrderStatus::Open)
        }
        "triggered" | "full_fill" | "filled" | "executed" => Some(OrderStatus::Closed),
        "cancel" | "cancelled" | "canceled" => Some(OrderStatus::Canceled),
        "fail_trigger" | "fail_execute" => Some(OrderStatus::Rejected),
        _ => None,
    }
}
