//! Orders: "Get Order Details" of the spot market, "Query Order" of the contract markets, conditional ones too.

use super::parse::currency;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Fee, Order, OrderStatus, Raw, Side, Time, Trade};
use crate::{Dialect as _, Number};

pub(super) fn order(dialect: &super::Dialect, raw: &Json<'_>, context: Context<'_>) -> Order {
    let number = |names: &[&str]| raw.number_of(names);
    let contract = raw.get("contract_code").is_some();
    let (market, symbol) = context.symbol(raw.text_of(&["contract_code", "symbol"]), contract);
    let of_contract = contract && market.is_some_and(|market| market.linear == Some(true));
    let (side, order_type) = if of_contract { (None, contract_type(raw)) } else { spot_type(raw) };
    let side = side.or_else(|| raw.text_of(&["direction", "side"]));
    let refused = raw.text_of(&["err_code", "err-code"]).map(|_| OrderStatus::Rejected);
    // a market order of the spot market says its amount in the quote currency if it buys
    let by_cost = !of_contract && order_type.is_some_and(|word| word.contains("market"));
    let fee = raw.get("fee").filter(|fee| fee.text().is_some_and(|text| !text.is_empty()));
    let fee = fee.or_else(|| ["filled-fees", "field-fees"].iter().find_map(|name| raw.get(name)));
    let fee_digits = fee.and_then(digits).filter(|cost| !matches!(cost.as_str(), "" | "0" | "0.0"));
    let paid_in = || {
        let market = market?;
        Some(if side == Some("sell") { market.quote.clone() } else { market.base.clone() })
    };
    let fee = fee_digits.as_ref().map(|cost| Fee {
        cost: Number::parse(cost),
        currency: currency(raw, &["fee_asset", "fee_currency"]).or_else(paid_in),
        rate: None,
    });
    let fills = raw.get("trades").list().unwrap_or_default();
    let trades: Vec<Trade> =
        fills.iter().map(|fill| dialect.trade(fill, Context { asked: market, ..context })).collect();
    let reduces = || number(&["reduce_only"]).map(|flag| flag.nonzero().is_some());
    Order {
        info: Raw::of(raw),
        id: raw.string_of(&["algo_id", "id", "order_id_str", "order-id", "order_id"]),
        client_order_id: raw.string_of(&["client_order_id", "client-order-id", "algo_client_order_id"]),
        time: Time::parse(raw.text_of(&["created_at", "created-at", "create_date", "created_time"])),
        symbol,
        order_type: order_type.map(str::to_owned),
        time_in_force: raw.text_of(&["time_in_force"]).map(str::to_uppercase),
        reduce_only: if of_contract { raw.get("reduce_only").flag() } else { reduces() },
        side: side.and_then(Side::parse),
        price: number(&["price", "order_price"]),
        trigger_price: number(&["stop-price", "trigger_price"]),
        stop_loss_price: number(&["sl_trigger_price", "sl_order_price"]),
        take_profit_price: number(&["tp_trigger_price", "tp_order_price"]),
        amount: number(&["volume", "amount"]).filter(|_| !by_cost),
        cost: if by_cost {
            number(&["field-cash-amount"])
        } else {
            number(&["filled-cash-amount", "field-cash-amount", "trade_turnover"])
        },
        average: number(&["trade_avg_price"]),
        filled: number(&["filled-amount", "field-amount", "trade_volume"]),
        status: refused.or_else(|| raw.text_of(&["state", "status"]).and_then(status)),
        fee,
        fee_digits,
        trades,
        ..Order::default()
    }
    .completed(market)
}

/// Side and type of one word, `buy-limit`, or the type alone.
fn spot_type<'v>(raw: &'v Json<'_>) -> (Option<&'v str>, Option<&'v str>) {
    let priced = raw.text_of(&["order_price_type"]);
    match raw.text_of(&["type"]) {
        Some(word) => match word.split_once('-') {
            Some((side, rest)) => (Some(side), rest.split('-').next()),
            None => (None, priced.or(Some(word))),
        },
        None => (None, priced),
    }
}

/// The type of an order that takes a profit or stops a loss is the one of what it sets off.
fn contract_type<'v>(raw: &'v Json<'_>) -> Option<&'v str> {
    let own = raw.text_of(&["type"]).filter(|word| !matches!(*word, "tp" | "sl" | "tpsl"));
    own.or_else(|| raw.text_of(&["tp_type", "sl_type"])).filter(|word| *word != "0")
}

/// A text as it is, a number without an exponent.
fn digits(value: &Json<'_>) -> Option<String> {
    match value {
        Json::Number((digits, _)) => Number::parse(digits).map(|number| number.to_string()),
        other => Some(other).text().map(str::to_owned),
    }
}

pub(super) fn status(word: &str) -> Option<OrderStatus> {
    match word {
        "partial-filled" | "submitted" | "created" | "1" | "2" | "3" | "4" | "active" | "new" | "partially_filled"
        | "pre-submitted" => Some(OrderStatus::Open),
        "filled" | "6" | "effective" => Some(OrderStatus::Closed),
        "partial-canceled" | "canceled" | "5" | "7" | "partially_canceled" => Some(OrderStatus::Canceled),
        "11" => Some(OrderStatus::Canceling),
        "rejected" => Some(OrderStatus::Rejected),
        "failed" => Some(OrderStatus::Failed),
        "expired" => Some(OrderStatus::Expired),
        _ => None,
    }
}
