//! What a new order asks for: "Add Order", "Add Order Batch", "Amend Order".

use crate::exchange::{NewOrder, Result};
use crate::unified::{Market, Side};
use crate::{ErrorClass, Fields, Number, Value, VenueError};

/// Parameters of CCXT that are not sent on as they are.
const UNIFIED: [&str; 12] = [
    "clientOrderId",
    "cost",
    "oflags",
    "timeInForce",
    "reduceOnly",
    "stopLossPrice",
    "takeProfitPrice",
    "trailingAmount",
    "trailingPercent",
    "trailingLimitAmount",
    "trailingLimitPercent",
    "offset",
];

/// Prices that set an order off, in the order that the first of them counts.
const TRIGGERS: [&str; 6] = [
    "stopLossPrice",
    "takeProfitPrice",
    "trailingAmount",
    "trailingPercent",
    "trailingLimitAmount",
    "trailingLimitPercent",
];

/// Says that the volume is in the quote currency.
const BY_COST: &str = "viqc";

fn invalid(message: &str) -> VenueError {
    VenueError::new(ErrorClass::InvalidOrder, &format!("kraken {message}"))
}

/// A new order: what is asked for, and what stays of its parameters.
pub(super) struct Asked {
    pub fields: Fields,
    pub rest: Fields,
}

impl Asked {
    /// Whether it says what it may cost instead of how much it is.
    pub fn by_cost(&self) -> bool {
        self.fields.text(&["oflags"]).is_some_and(|flags| flags.contains(BY_COST))
    }
}

/// What a market order may cost is cut to the step of prices.
fn cost(market: &Market, cost: Number) -> Option<Number> {
    market.precision.cost.or(market.precision.price).map_or(Some(cost), |step| cost.cut_to(step))
}

/// The digits of a parameter, as short as they can be; a text as it is.
fn digits(params: &Fields, name: &str) -> Option<String> {
    match params.get(name) {
        Some(Value::Digits(digits)) => {
            Some(Number::parse(digits).map_or_else(|| digits.clone(), |number| number.to_string()))
        }
        _ => params.text(&[name]).map(str::to_owned),
    }
}

/// A price of the parameters, as the market takes it.
fn price_of(market: &Market, params: &Fields, name: &str) -> Result<Option<Number>> {
    let Some(text) = params.text(&[name]) else { return Ok(None) };
    let number = Number::parse(text).ok_or_else(|| invalid(&format!("{name} is no number")))?;
    market.price(number).map(Some)
}

/// Whether it may only be there; if so, without the parameters that said it.
///
/// Errors: [`ErrorClass::InvalidOrder`] for an order that is to be filled at once.
fn post_only(at_market: bool, params: Fields) -> Result<(bool, Fields)> {
    let lasting = params.text(&["timeInForce"]).map(str::to_uppercase);
    let lasting = lasting.as_deref();
    if !params.flag("postOnly") && lasting != Some("PO") {
        return Ok((false, params));
    }
    if let Some(word @ ("IOC" | "FOK")) = lasting {
        return Err(invalid(&format!("post-only orders cannot have timeInForce {word}")));
    }
    if at_market {
        return Err(invalid("market orders cannot be post-only"));
    }
    let said: &[&str] = if lasting == Some("PO") { &["postOnly", "timeInForce"] } else { &["postOnly"] };
    Ok((true, params.without(said)))
}

pub(super) fn fields(market: &Market, order: &NewOrder) -> Result<Asked> {
    let params = &order.params;
    let at_market = order.order_type == "market";
    let flags = digits(params, "oflags");
    let paid = params.number(&["cost"]);
    let in_quote = at_market && (paid.is_some() || flags.as_ref().is_some_and(|flags| flags.contains(BY_COST)));
    let mut fields = Fields::new()
        .with("type", if order.side == Side::Buy { "buy" } else { "sell" })
        .with("ordertype", order.order_type.as_str())
        .with_some("volume", order.amount.map(|amount| market.amount(amount)).transpose()?)
        .with_some("cl_ord_id", digits(params, "clientOrderId"));
    if in_quote {
        if let Some(paid) = paid.or(order.amount).and_then(|paid| cost(market, paid)) {
            fields.set("volume", paid);
        }
        let flags = flags.as_ref().map_or_else(|| BY_COST.to_owned(), |flags| format!("{flags},{BY_COST}"));
        fields.set("oflags", flags);
    }
    let mut fields = conditions(fields, market, order)?;
    if params.flag("reduceOnly") || (params.get("reduceOnly").is_none() && params.flag("reduce_only")) {
        fields.set("reduce_only", "true");
    }
    if let Some(Value::Object(close)) = params.get("close") {
        let mut close = close.clone();
        for name in ["price", "price2"] {
            if let Some(price) = price_of(market, &close, name)? {
                close.set(name, price);
            }
        }
        fields.set("close", close);
    }
    let mut fields =
        fields.with_some("timeinforce", digits(params, "timeInForce").or_else(|| digits(params, "timeinforce")));
    let (post_only, rest) = post_only(at_market, params.clone())?;
    if post_only {
        fields.set("oflags", flags.as_ref().map_or_else(|| "post".to_owned(), |flags| format!("{flags},post")));
    } else if !in_quote {
        fields = fields.with_some("oflags", flags);
    }
    Ok(Asked { fields, rest: rest.without(&UNIFIED) })
}

/// With its price, and with what it waits for.
fn conditions(fields: Fields, market: &Market, order: &NewOrder) -> Result<Fields> {
    let params = &order.params;
    let at_limit = order.order_type.ends_with("limit");
    let trailing = ["trailingAmount", "trailingPercent"].iter().any(|name| params.text(&[name]).is_some());
    let price = order.price.filter(|_| at_limit).map(|price| market.price(price)).transpose()?;
    let (stop, profit) = (price_of(market, params, "stopLossPrice")?, price_of(market, params, "takeProfitPrice")?);
    let word = match (stop, profit) {
        (Some(_), _) if at_limit => "stop-loss-limit",
        (Some(_), _) => "stop-loss",
        (None, Some(_)) if at_limit => "take-profit-limit",
        (None, Some(_)) => "take-profit",
        (None, None) if trailing => return Ok(following(fields, params, at_limit)),
        (None, None) => return Ok(fields.with_some("price", price)),
    };
    Ok(fields.with("ordertype", word).with_some("price", stop.or(profit)).with_some("price2", price))
}

/// Of an order that follows the market's price at a distance, an amount or a share of it.
fn following(fields: Fields, params: &Fields, at_limit: bool) -> Fields {
    let share = |text: String| if text.ends_with('%') { text } else { format!("{text}%") };
    let amount = digits(params, "trailingAmount").map(|text| format!("+{text}"));
    let percent = digits(params, "trailingPercent").map(|text| format!("+{}", share(text)));
    let offset = params.text(&["offset"]).unwrap_or("-");
    let limit_percent = digits(params, "trailingLimitPercent").map(|text| format!("{offset}{}", share(text)));
    let limit_amount = digits(params, "trailingLimitAmount").map(|text| format!("{offset}{text}"));
    let limited = at_limit || limit_percent.is_some() || limit_amount.is_some();
    let fields = fields
        .with("trigger", params.text(&["trigger"]).unwrap_or("last"))
        .with("ordertype", if limited { "trailing-stop-limit" } else { "trailing-stop" });
    let (price, limit) = match (limit_percent, limit_amount) {
        (Some(limit), _) => (percent, Some(limit)),
        (None, Some(limit)) => (amount, Some(limit)),
        (None, None) if limited => (None, None),
        (None, None) => (percent.or(amount), None),
    };
    fields.with_some("price", price).with_some("price2", limit)
}

/// What is asked of an order that is there.
pub(super) fn amended(market: &Market, id: &str, order: &NewOrder) -> Result<Fields> {
    let client = digits(&order.params, "clientOrderId").or_else(|| digits(&order.params, "cl_ord_id"));
    let params = order.params.clone();
    let (fields, params) = match client {
        Some(client) => (Fields::new().with("cl_ord_id", client), params.without(&["clientOrderId", "cl_ord_id"])),
        None => (Fields::new().with("txid", id), params),
    };
    let (post_only, params) = post_only(order.order_type == "market", params)?;
    let fields = fields
        .with_some("post_only", post_only.then_some("true"))
        .with_some("order_qty", order.amount.map(|amount| market.amount(amount)).transpose()?)
        .with_some("limit_price", order.price.map(|price| market.price(price)).transpose()?);
    let Some(name) = TRIGGERS.into_iter().find(|name| params.text(&[name]).is_some()) else {
        return Ok(fields.and(params));
    };
    let fields = match params.text(&["offset"]) {
        Some(offset) => {
            let trigger = digits(&params, name).unwrap_or_default();
            fields.with("trigger_price", format!("{offset}{trigger}"))
        }
        None => fields.with_some("trigger_price", price_of(market, &params, name)?),
    };
    Ok(fields.and(params.without(&TRIGGERS).without(&["offset"])))
}
