//! CCXT's structure of an order as the port's.

use ccxt::Value;
use orrery_venues::json::{self, Access as _, Json};
use orrery_venues::unified::{Fee, Order, OrderStatus, Raw, Side, Time};

fn status(word: &str) -> Option<OrderStatus> {
    Some(match word {
        "open" => OrderStatus::Open,
        "closed" => OrderStatus::Closed,
        "canceled" => OrderStatus::Canceled,
        "canceling" => OrderStatus::Canceling,
        "expired" => OrderStatus::Expired,
        "rejected" => OrderStatus::Rejected,
        "failed" => OrderStatus::Failed,
        _ => return None,
    })
}

/// An order of CCXT's; none for what is no object.
pub(crate) fn of(value: &Value) -> Option<Order> {
    let text = value.to_json().to_string();
    let parsed = json::parse(&text)?;
    matches!(parsed, Json::Object(_)).then(|| read(&parsed))
}

fn read(order: &Json<'_>) -> Order {
    let text = |name: &str| order.string_of(&[name]);
    let number = |name: &str| order.number_of(&[name]);
    let whole = |name: &str| order.get(name).text().and_then(|digits| digits.parse().ok());
    let fee = order.get("fee");
    let fee = fee.text_of(&["cost"]).is_some().then(|| Fee {
        cost: fee.number_of(&["cost"]),
        currency: fee.string_of(&["currency"]),
        rate: fee.number_of(&["rate"]),
    });
    Order {
        info: order.get("info").map(Raw::of).unwrap_or_default(),
        id: text("id"),
        client_order_id: text("clientOrderId"),
        time: Time(whole("timestamp")),
        last_trade: whole("lastTradeTimestamp"),
        last_update: whole("lastUpdateTimestamp"),
        symbol: text("symbol"),
        order_type: text("type"),
        time_in_force: text("timeInForce"),
        post_only: order.get("postOnly").flag(),
        reduce_only: order.get("reduceOnly").flag(),
        side: order.text_of(&["side"]).and_then(Side::parse),
        price: number("price"),
        trigger_price: number("triggerPrice"),
        take_profit_price: number("takeProfitPrice"),
        stop_loss_price: number("stopLossPrice"),
        amount: number("amount"),
        cost: number("cost"),
        average: number("average"),
        filled: number("filled"),
        remaining: number("remaining"),
        status: order.text_of(&["status"]).and_then(status),
        fees: fee.iter().cloned().collect(),
        fee,
        ..Order::default()
    }
}
