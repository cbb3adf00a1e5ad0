//! What a new order asks for: "Create Order", "Preview Order" and "Close Position".

use crate::exchange::{NewOrder, Result, not_supported, required};
use crate::unified::{Market, MarketKind, Side};
use crate::{ErrorClass, Exchange, Fields, Number, Value, Venue, VenueError};

/// Parameters of CCXT that are not sent on as they are. It does not take a name of the account's either: the
/// exchange's own `client_order_id` gives one.
const UNIFIED: [&str; 13] = [
    "timeInForce",
    "triggerPrice",
    "stopLossPrice",
    "takeProfitPrice",
    "stopPrice",
    "stop_price",
    "stopDirection",
    "stop_direction",
    "clientOrderId",
    "postOnly",
    "post_only",
    "end_time",
    "marginMode",
];

/// Where a new order goes, and what it says.
pub(super) struct Ask {
    pub path: &'static str,
    pub fields: Fields,
}

fn error(class: ErrorClass, message: &str) -> VenueError {
    VenueError::new(class, &format!("coinbase createOrder() {message}"))
}

pub(super) fn ask(exchange: &Exchange, market: &Market, order: &NewOrder) -> Result<Ask> {
    let client = format!("ccxt-{}", exchange.uuid());
    if order.params.flag("reduceOnly") {
        let amount = order.amount.map(|amount| Value::Digits(amount.to_string()));
        return close(market, order.params.clone().without(&["reduceOnly"]).with_some("amount", amount));
    }
    let (form, of_form) = match order.order_type.to_lowercase().as_str() {
        "limit" => at_limit(market, order)?,
        "market" => ("market_market_ioc", at_market(market, order)?),
        other => return Err(error(ErrorClass::InvalidOrder, &format!("knows no order type {other:?}"))),
    };
    let fields = Fields::new()
        .with("client_order_id", client)
        .with("product_id", market.id.as_str())
        .with("side", if order.side == Side::Buy { "BUY" } else { "SELL" })
        .with("order_configuration", Fields::new().with(form, of_form));
    let margin = match order.params.text(&["marginMode"]) {
        Some("isolated") => Some("ISOLATED"),
        Some("cross") => Some("CROSS"),
        _ => None,
    };
    let mut rest = order.params.clone().without(&UNIFIED);
    if form == "market_market_ioc" && market.kind == MarketKind::Spot && order.side == Side::Buy {
        rest = rest.without(&["cost", "createMarketBuyOrderRequiresPrice"]);
    }
    let fields = fields.with_some("margin_type", margin).and(rest);
    if order.params.flag("preview") || order.params.flag("test") {
        let fields = fields.without(&["preview", "test", "client_order_id"]);
        return Ok(Ask { path: "orders/preview", fields });
    }
    Ok(Ask { path: "orders", fields })
}

/// The form of a limit order, and its fields.
fn at_limit(market: &Market, order: &NewOrder) -> Result<(&'static str, Fields)> {
    let params = &order.params;
    let amount = order.amount.map(|amount| market.amount(amount)).transpose()?;
    let price = order.price.map(|price| market.price(price)).transpose()?;
    let fields = Fields::new().with_some("base_size", amount).with_some("limit_price", price);
    let time_in_force = params.text(&["timeInForce"]).unwrap_or_default();
    let ends = params.text(&["end_time"]);
    let dated = time_in_force == "GTD" || ends.is_some();
    let ends =
        || ends.ok_or_else(|| error(ErrorClass::ExchangeError, "requires an end_time parameter for a GTD order"));
    let post_only = time_in_force == "PO" || params.flag("postOnly") || params.flag("post_only");

    let trigger = params.number(&["stopPrice", "stop_price", "triggerPrice"]);
    let (loss, profit) = (params.number(&["stopLossPrice"]), params.number(&["takeProfitPrice"]));
    // an order of a trigger or a profit waits for the price to come its way: down for who buys
    let falls = (order.side == Side::Buy) != (trigger.is_none() && loss.is_some());
    if let Some(stop) = trigger.or(loss).or(profit) {
        let usual = if falls { "STOP_DIRECTION_STOP_DOWN" } else { "STOP_DIRECTION_STOP_UP" };
        let direction = params.text(&["stop_direction"]).unwrap_or(usual);
        let fields = fields.with("stop_price", market.price(stop)?).with("stop_direction", direction);
        return match dated && trigger.is_some() {
            true => Ok(("stop_limit_stop_limit_gtd", fields.with("end_time", ends()?))),
            false => Ok(("stop_limit_stop_limit_gtc", fields)),
        };
    }
    match time_in_force {
        _ if dated => Ok(("limit_limit_gtd", fields.with("end_time", ends()?).with("post_only", post_only))),
        "IOC" => Ok(("sor_limit_ioc", fields)),
        "FOK" => Ok(("limit_limit_fok", fields)),
        _ => Ok(("limit_limit_gtc", fields.with("post_only", post_only))),
    }
}

/// What a market order takes, or what it may cost: a purchase on the spot market is by cost.
fn at_market(market: &Market, order: &NewOrder) -> Result<Fields> {
    let params = &order.params;
    let waits = ["stopPrice", "stop_price", "triggerPrice", "stopLossPrice", "takeProfitPrice"];
    if params.number(&waits).is_some() {
        return Err(not_supported(Venue::Coinbase, "createOrder() of market orders that wait for a price"));
    }
    let cost = params.number(&["cost"]);
    let amount = order.amount.ok_or_else(|| required(Venue::Coinbase, "createOrder", "amount"));
    if order.side == Side::Sell || market.kind != MarketKind::Spot {
        if cost.is_some() {
            return Err(not_supported(Venue::Coinbase, "createOrder() by cost, but for purchases on the spot market"));
        }
        return Ok(Fields::new().with("base_size", market.amount(amount?)?));
    }
    let by_price = params.get("createMarketBuyOrderRequiresPrice") != Some(&Value::Flag(false));
    let cost = match (cost, order.price) {
        (Some(cost), _) => Some(cost),
        (None, Some(price)) if by_price => amount?.times(price),
        (None, None) if by_price => {
            let message = "requires a price argument for market buy orders on spot markets, to tell what to spend; or \
                           set the param createMarketBuyOrderRequiresPrice to false and pass what to spend as the amount";
            return Err(error(ErrorClass::InvalidOrder, message));
        }
        (None, _) => Some(amount?),
    };
    let cut = cost.and_then(|cost| market.precision.price.map_or(Some(cost), |step| cost.cut_to(step)));
    let least = || error(ErrorClass::InvalidOrder, "costs less than one step of the price");
    Ok(Fields::new().with("quote_size", cut.and_then(Number::nonzero).ok_or_else(least)?))
}

/// The end of a position.
///
/// Errors: [`ErrorClass::ArgumentsRequired`] without a name for the order that ends it.
pub(super) fn close(market: &Market, params: Fields) -> Result<Ask> {
    let name = params.text(&["client_order_id", "clientOrderId"]).map(str::to_owned);
    let name = name.ok_or_else(|| {
        let message = "coinbase closePosition() requires a clientOrderId parameter";
        VenueError::new(ErrorClass::ArgumentsRequired, message)
    })?;
    let fields = Fields::new().with("product_id", market.id.as_str()).with("client_order_id", name);
    Ok(Ask { path: "orders/close_position", fields: fields.and(params.without(&["clientOrderId"])) })
}
