//! What a new order asks for: "Place Order".

use super::http::category;
use crate::exchange::{NewOrder, Result};
use crate::unified::{Market, Side};
use crate::{ErrorClass, Fields, Number, Value, VenueError};

/// Parameters of CCXT that are not sent on as they are.
const UNIFIED: [&str; 12] = [
    "stopPrice",
    "timeInForce",
    "stopLossPrice",
    "takeProfitPrice",
    "postOnly",
    "clientOrderId",
    "triggerPrice",
    "stopLoss",
    "takeProfit",
    "trailingAmount",
    "cost",
    "type",
];

fn invalid(message: &str) -> VenueError {
    VenueError::new(ErrorClass::InvalidOrder, &format!("bybit createOrder() {message}"))
}

pub(super) fn fields(market: &Market, order: &NewOrder) -> Result<Fields> {
    let params = &order.params;
    let at_market = order.order_type.eq_ignore_ascii_case("market");
    let (side, buys) = if order.side == Side::Buy { ("Buy", true) } else { ("Sell", false) };
    let trigger = params.number(&["triggerPrice", "stopPrice"]);
    let (stop, profit) = (params.number(&["stopLossPrice"]), params.number(&["takeProfitPrice"]));
    let waits = trigger.or(stop).or(profit);
    let spot = !market.contract();
    let mut fields = Fields::new()
        .with("symbol", market.id.as_str())
        .with("side", side)
        .with("orderType", if at_market { "Market" } else { "Limit" })
        .with_some("orderLinkId", params.text(&["clientOrderId"]));
    if spot && waits.is_some() {
        fields.set("orderFilter", "tpslOrder");
    }
    if !at_market {
        let price = order.price.ok_or_else(|| invalid("requires a price for a limit order"))?;
        fields.set("price", market.price(price)?);
    }
    fields.set("category", category(market));
    let time = params.text(&["timeInForce"]).map(str::to_uppercase);
    let post_only = params.flag("postOnly") || matches!(time.as_deref(), Some("PO" | "POSTONLY"));
    if post_only && at_market {
        return Err(invalid("a market order cannot be post-only"));
    }
    if post_only {
        fields.set("timeInForce", "PostOnly");
    } else if let Some(time) = time.filter(|time| matches!(time.as_str(), "GTC" | "IOC" | "FOK")) {
        fields.set("timeInForce", time);
    }
    let priced = || order.amount?.times(order.price?);
    let cost = params.number(&["cost"]).or_else(|| priced().filter(|_| buys)).filter(|_| spot && at_market);
    let amount = || order.amount.ok_or_else(|| invalid("requires an amount"));
    match cost {
        Some(cost) => {
            let cut = market.precision.price.map_or(Some(cost), |step| cost.cut_to(step)).and_then(Number::nonzero);
            fields.set("qty", cut.ok_or_else(|| invalid("costs less than one step of the price"))?);
        }
        None => {
            if spot && at_market {
                fields.set("marketUnit", "baseCoin");
            }
            fields.set("qty", market.amount(amount()?)?);
        }
    }
    if let Some(price) = waits {
        // 1: when the price rises to it, 2: when it falls
        let rises = match params.text(&["triggerDirection"]) {
            Some(word) => matches!(word, "1" | "ascending" | "above"),
            None if trigger.is_some() => {
                let message = "requires a triggerDirection, ascending or descending, with a triggerPrice";
                if market.contract() {
                    return Err(VenueError::new(
                        ErrorClass::ArgumentsRequired,
                        &format!("bybit createOrder() {message}"),
                    ));
                }
                buys
            }
            None => buys == stop.is_some(),
        };
        let closes = trigger.is_none();
        fields.set("triggerDirection", Value::from(if rises { 1 } else { 2 }));
        fields.set("triggerPrice", market.price(price)?);
        if closes {
            fields.set("reduceOnly", true);
        }
    }
    Ok(fields.and(params.clone().without(&UNIFIED).without(&["triggerDirection"])))
}
