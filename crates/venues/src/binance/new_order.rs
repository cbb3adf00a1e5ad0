//! What a new order asks for: "New Order" of the spot and of the contract markets.

use crate::exchange::{NewOrder, Result};
use crate::unified::Market;
use crate::{ErrorClass, Exchange, Fields, Number, VenueError};

/// Parameters of CCXT that are not sent on as they are.
const UNIFIED: [&str; 15] = [
    "type",
    "newClientOrderId",
    "clientOrderId",
    "postOnly",
    "stopLossPrice",
    "takeProfitPrice",
    "stopPrice",
    "triggerPrice",
    "trailingTriggerPrice",
    "trailingPercent",
    "quoteOrderQty",
    "cost",
    "test",
    "hedged",
    "icebergAmount",
];

fn invalid(message: &str) -> VenueError {
    VenueError::new(ErrorClass::InvalidOrder, &format!("binance createOrder() {message}"))
}

pub(super) fn fields(exchange: &Exchange, market: &Market, order: &NewOrder) -> Result<Fields> {
    let params = &order.params;
    let contract = market.contract();
    let (at_market, at_limit) = (is(&order.order_type, "market"), is(&order.order_type, "limit"));
    let stop = params.number(&["stopLossPrice", "triggerPrice", "stopPrice"]);
    let profit = params.number(&["takeProfitPrice"]);
    let word = match (stop, profit, contract) {
        (Some(_), _, true) if at_market => "STOP_MARKET",
        (Some(_), _, true) if at_limit => "STOP",
        (Some(_), _, false) if at_market => "STOP_LOSS",
        (Some(_), _, false) if at_limit => "STOP_LOSS_LIMIT",
        (None, Some(_), true) if at_market => "TAKE_PROFIT_MARKET",
        (None, Some(_), true) if at_limit => "TAKE_PROFIT",
        (None, Some(_), false) if at_market => "TAKE_PROFIT",
        (None, Some(_), false) if at_limit => "TAKE_PROFIT_LIMIT",
        _ => &order.order_type.to_uppercase(),
    };
    let post_only =
        word == "LIMIT_MAKER" || params.flag("postOnly") || params.text(&["timeInForce"]).is_some_and(|t| is(t, "PO"));
    if post_only && at_market {
        return Err(invalid("a market order cannot be post-only"));
    }
    let word = if post_only && !contract { "LIMIT_MAKER" } else { word };
    let client = params.text(&["newClientOrderId", "clientOrderId"]).map(str::to_owned);
    let fields = Fields::new()
        .with("symbol", market.id.as_str())
        .with("side", if order.side == crate::unified::Side::Buy { "BUY" } else { "SELL" })
        .with("newClientOrderId", client.unwrap_or_else(|| format!("x-{}", exchange.unique(22))))
        .with("newOrderRespType", if contract { "RESULT" } else { "FULL" })
        .with("type", word);

    let amount = || order.amount.ok_or_else(|| invalid("requires an amount")).and_then(|amount| market.amount(amount));
    let paid = params.number(&["quoteOrderQty", "cost"]).or_else(|| order.amount?.times(order.price?));
    let by_cost = paid.filter(|_| word == "MARKET" && !contract);
    let closes = params.flag("closePosition") && word.ends_with("MARKET") && word != "MARKET";
    let mut fields = match by_cost {
        Some(paid) => {
            let step = market.precision.price;
            let cut = step.map_or(Some(paid), |step| paid.cut_to(step)).and_then(Number::nonzero);
            fields.with("quoteOrderQty", cut.ok_or_else(|| invalid("costs less than one step of the price"))?)
        }
        None if closes => fields,
        None => fields.with("quantity", amount()?),
    };
    let priced = matches!(word, "LIMIT" | "LIMIT_MAKER" | "STOP" | "STOP_LOSS_LIMIT" | "TAKE_PROFIT_LIMIT")
        || (contract && word == "TAKE_PROFIT");
    if priced && params.text(&["priceMatch"]).is_none() {
        let price = order.price.ok_or_else(|| invalid(&format!("requires a price for a {word} order")))?;
        fields.set("price", market.price(price)?);
    }
    if word.starts_with("STOP") || word.starts_with("TAKE_PROFIT") {
        let trigger = stop.or(profit);
        if trigger.is_none() && (contract || params.number(&["trailingDelta"]).is_none()) {
            return Err(invalid(&format!("requires a triggerPrice for a {word} order")));
        }
        if let Some(trigger) = trigger {
            fields.set("stopPrice", market.price(trigger)?);
        }
    }
    let lasts = matches!(word, "LIMIT" | "STOP_LOSS_LIMIT" | "TAKE_PROFIT_LIMIT");
    if lasts && params.text(&["timeInForce"]).is_none() {
        fields.set("timeInForce", "GTC");
    }
    if contract && post_only {
        fields.set("timeInForce", "GTX");
    }
    let mut rest = params.clone().without(&UNIFIED);
    if rest.text(&["timeInForce"]).is_some_and(|time| is(time, "PO")) {
        rest = rest.without(&["timeInForce"]);
    }
    if contract && params.flag("hedged") {
        // whoever closes a long position sells
        let long = (order.side == crate::unified::Side::Buy) != rest.flag("reduceOnly");
        rest = rest.without(&["reduceOnly"]);
        fields.set("positionSide", if long { "LONG" } else { "SHORT" });
    }
    Ok(fields.and(rest))
}

fn is(word: &str, other: &str) -> bool {
    word.eq_ignore_ascii_case(other)
}
