//! What a new order asks for: "Place Order" of spot, margin and contract markets, and the plan orders of each.

use super::part;
use crate::exchange::{NewOrder, Result};
use crate::query::Query;
use crate::unified::{Market, Side};
use crate::{ErrorClass, Fields, Number, Value, VenueError};

/// Parameters of CCXT that are not sent on as they are. The price that sets an order off is, where it is named so.
const UNIFIED: [&str; 14] = [
    "hedged",
    "oneWayMode",
    "timeInForce",
    "stopPrice",
    "triggerType",
    "stopLossPrice",
    "takeProfitPrice",
    "stopLoss",
    "takeProfit",
    "postOnly",
    "reduceOnly",
    "clientOrderId",
    "trailingPercent",
    "trailingTriggerPrice",
];

fn error(class: ErrorClass, message: &str) -> VenueError {
    VenueError::new(class, &format!("bitget createOrder() {message}"))
}

/// What sets an order off; at most one does.
pub(super) struct Waits {
    pub trigger: Option<Number>,
    pub stop: Option<Number>,
    pub profit: Option<Number>,
    pub trailing: Option<String>,
}

impl Waits {
    /// `ratio` is the exchange's name of the hundredths that a trailing order stays behind.
    pub(super) fn of(params: &Fields, ratio: &str) -> Result<Self> {
        let waits = Self {
            trigger: params.number(&["stopPrice", "triggerPrice"]),
            stop: params.number(&["stopLossPrice"]),
            profit: params.number(&["takeProfitPrice"]),
            trailing: params.text(&["trailingPercent", ratio]).map(str::to_owned),
        };
        let said = [waits.trigger.is_some(), waits.stop.is_some(), waits.profit.is_some(), waits.trailing.is_some()];
        if said.into_iter().filter(|said| *said).count() > 1 {
            let message = "takes one of triggerPrice, stopLossPrice, takeProfitPrice and trailingPercent only";
            return Err(error(ErrorClass::ExchangeError, message));
        }
        Ok(waits)
    }

    fn at_position(&self) -> Option<Number> {
        self.stop.or(self.profit)
    }
}

/// An order that is made with another and closes it: `stopLoss` or `takeProfit`.
pub(super) struct Attached<'p>(&'p Fields);

impl<'p> Attached<'p> {
    pub(super) fn of(params: &'p Fields, name: &str) -> Option<Self> {
        match params.get(name)? {
            Value::Object(fields) => Some(Self(fields)),
            _ => None,
        }
    }

    /// The price that sets it off.
    pub(super) fn trigger(&self, market: &Market) -> Result<Option<Number>> {
        price(market, self.0.number(&["triggerPrice", "stopPrice"]))
    }

    /// The price it is made at then.
    pub(super) fn price(&self, market: &Market) -> Result<Option<Number>> {
        price(market, self.0.number(&["price"]))
    }

    /// Which price sets it off.
    pub(super) fn by(&self) -> &str {
        self.0.text(&["type"]).unwrap_or("mark_price")
    }
}

/// A price, if there is one, as the market takes it.
pub(super) fn price(market: &Market, price: Option<Number>) -> Result<Option<Number>> {
    price.map(|price| market.price(price)).transpose()
}

/// An amount, if there is one, as the market takes it.
pub(super) fn amount(market: &Market, amount: Option<Number>) -> Result<Option<Number>> {
    amount.map(|amount| market.amount(amount)).transpose()
}

/// Where an order is made, and what it says.
pub(super) fn order(market: &Market, order: &NewOrder) -> Result<(&'static str, Fields)> {
    let waits = Waits::of(&order.params, "callbackRatio")?;
    let mode = part::margin_mode(order.params.clone()).0;
    let path = match (market.contract(), mode.as_deref()) {
        (true, _) if waits.trigger.is_some() || waits.trailing.is_some() => "v2/mix/order/place-plan-order",
        (true, _) if waits.at_position().is_some() => "v2/mix/order/place-tpsl-order",
        (true, _) => "v2/mix/order/place-order",
        (false, _) if waits.trigger.is_some() => "v2/spot/trade/place-plan-order",
        (false, Some("isolated")) => "v2/margin/isolated/place-order",
        (false, Some("cross")) => "v2/margin/crossed/place-order",
        (false, _) => "v2/spot/trade/place-order",
    };
    Ok((path, fields(market, order)?))
}

/// Where several orders of one market are made, and what they say.
pub(super) fn orders(q: &Query<'_>, market: &Market, orders: &[NewOrder]) -> Result<(&'static str, Fields)> {
    let mut modes = orders.iter().filter_map(|order| part::margin_mode(order.params.clone()).0);
    let mode = modes.next();
    if modes.any(|other| Some(other) != mode) {
        return Err(q.error(ErrorClass::BadRequest, "takes orders of one margin mode only, isolated or cross"));
    }
    if orders.iter().any(|order| order.symbol != market.symbol) {
        return Err(q.error(ErrorClass::BadRequest, "takes orders of one market only"));
    }
    let list = orders.iter().map(|order| fields(market, order).map(Value::from)).collect::<Result<_>>()?;
    let fields = Fields::new().with("symbol", market.id.as_str()).with("orderList", Value::List(list));
    if market.contract() {
        let fields = fields
            .with("marginMode", margin_word(mode.as_deref()))
            .with_some("marginCoin", market.settle_id.as_deref())
            .with("productType", part::product(Some(market), q.params.clone()).0);
        return Ok(("v2/mix/order/batch-place-order", fields));
    }
    let path = match mode.as_deref() {
        Some("isolated") => "v2/margin/isolated/batch-place-order",
        Some("cross") => "v2/margin/crossed/batch-place-order",
        _ => "v2/spot/trade/batch-orders",
    };
    Ok((path, fields))
}

/// The exchange's word for a margin that is shared or not; it is, if nothing is said.
fn margin_word(mode: Option<&str>) -> &'static str {
    if mode.is_none_or(|mode| mode == "cross") { "crossed" } else { "isolated" }
}

/// What an order says.
pub(super) fn fields(market: &Market, order: &NewOrder) -> Result<Fields> {
    let waits = Waits::of(&order.params, "callbackRatio")?;
    let (kind, params) = part::kind(Some(market), order.params.clone());
    let (mode, params) = part::margin_mode(params);
    let at_market = order.order_type == "market";
    let mut fields = Fields::new().with("symbol", market.id.as_str()).with("orderType", order.order_type.as_str());
    // what closes a position says its price by another name
    if order.order_type == "limit" && (kind == "spot" || waits.at_position().is_none()) {
        fields = fields.with_some("price", price(market, order.price)?);
    }
    let fields = fields.with_some("force", force(&params, at_market)?);
    match kind.as_str() {
        "spot" => {
            let fields = spot(market, order, fields, mode.is_some(), waits.at_position().is_some())?;
            let by_cost = at_market && order.side == Side::Buy;
            let params = params.without(&UNIFIED).without(&["createMarketBuyOrderRequiresPrice"]);
            Ok(fields.and(if by_cost { params.without(&["cost"]) } else { params }))
        }
        // whoever says what an order may cost does not mean so many contracts
        "swap" | "future" if at_market && params.number(&["cost"]).is_some() => {
            Err(error(ErrorClass::NotSupported, "takes what an order may cost in spot markets only"))
        }
        "swap" | "future" => {
            let fields = contract(market, order, fields, mode.as_deref(), &waits)?;
            Ok(fields.and(part::product(Some(market), params.without(&UNIFIED)).1))
        }
        other => Err(error(ErrorClass::NotSupported, &format!("does not support {other} orders"))),
    }
}

/// How long an order stays, in the exchange's words.
fn force(params: &Fields, at_market: bool) -> Result<Option<&'static str>> {
    let time = params.text(&["timeInForce"]).map(str::to_uppercase);
    let own = params.text(&["force", "timeInForce"]) == Some("post_only");
    let post_only = params.flag("postOnly") || time.as_deref() == Some("PO") || own;
    match time.as_deref() {
        Some("IOC" | "FOK") if post_only => {
            Err(error(ErrorClass::InvalidOrder, "a post-only order cannot be IOC or FOK"))
        }
        _ if post_only && at_market => Err(error(ErrorClass::InvalidOrder, "a market order cannot be post-only")),
        _ if post_only => Ok(Some("post_only")),
        None | Some("GTC") => Ok(Some("GTC")),
        Some("FOK") => Ok(Some("FOK")),
        Some("IOC") => Ok(Some("IOC")),
        Some(_) => Ok(None),
    }
}

/// Which price sets an order off.
fn triggered_by(params: &Fields) -> &str {
    params.text(&["triggerPriceType", "triggerType"]).unwrap_or("mark_price")
}

fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

fn spot(market: &Market, order: &NewOrder, fields: Fields, borrowed: bool, at_position: bool) -> Result<Fields> {
    let params = &order.params;
    let attached = Attached::of(params, "stopLoss").or_else(|| Attached::of(params, "takeProfit"));
    if at_position || attached.is_some() {
        let message = "stops losses and takes profits of contracts only, not in spot markets";
        return Err(error(ErrorClass::InvalidOrder, message));
    }
    let fields = fields.with("side", side_word(order.side));
    let by_cost = order.order_type == "market" && order.side == Side::Buy;
    let quantity = if by_cost { cost(market, order)? } else { amount(market, order.amount)? };
    let fields = fields.with_some("clientOid", params.text(&["clientOid", "clientOrderId"]));
    if borrowed {
        let name = if by_cost { "quoteSize" } else { "baseSize" };
        return Ok(fields.with("loanType", "normal").with_some(name, quantity));
    }
    let fields = fields.with_some("size", quantity);
    match params.number(&["stopPrice", "triggerPrice"]) {
        None => Ok(fields),
        Some(trigger) => Ok(fields
            .with("planType", if by_cost { "total" } else { "amount" })
            .with("triggerType", triggered_by(params))
            .with("triggerPrice", market.price(trigger)?)
            .with_some("executePrice", price(market, order.price)?)),
    }
}

/// What an order to buy at the market's price may cost.
fn cost(market: &Market, order: &NewOrder) -> Result<Option<Number>> {
    let cut = |cost: Number| market.precision.price.map_or(Some(cost), |step| cost.cut_to(step));
    if let Some(cost) = order.params.number(&["cost"]) {
        return Ok(cut(cost));
    }
    if order.params.get("createMarketBuyOrderRequiresPrice") == Some(&Value::Flag(false)) {
        return Ok(order.amount.and_then(cut));
    }
    let unpriced = || {
        let message = "requires the price of an order to buy at the market's price, since it says what it may cost; or \
                       params.cost; or params.createMarketBuyOrderRequiresPrice as false, and the cost as the amount";
        error(ErrorClass::InvalidOrder, message)
    };
    let price = order.price.ok_or_else(unpriced)?;
    Ok(order.amount.and_then(|amount| amount.times(price)).and_then(cut))
}

fn contract(market: &Market, order: &NewOrder, fields: Fields, mode: Option<&str>, waits: &Waits) -> Result<Fields> {
    let params = &order.params;
    let one_way = match params.get("oneWayMode") {
        Some(Value::Flag(flag)) => Some(*flag),
        _ => None,
    };
    let hedged = one_way.map_or(params.flag("hedged"), |one_way| !one_way);
    let waiting = waits.trigger.is_some() || waits.trailing.is_some() || waits.at_position().is_some();
    let fields = fields
        .with_some("marginCoin", market.settle_id.as_deref())
        .with_some("size", amount(market, order.amount)?)
        .with("productType", part::product(Some(market), params.clone()).0)
        .with_some("clientOid", params.text(&["clientOid", "clientOrderId"]))
        .with_some("triggerType", waiting.then(|| triggered_by(params)));
    if let Some(at) = waits.at_position() {
        // of a position that is held both ways, the side that is closed; else the way it goes
        let side = match (order.side, hedged) {
            (Side::Sell, true) => "long",
            (Side::Buy, true) => "short",
            (Side::Sell, false) => "buy",
            (Side::Buy, false) => "sell",
        };
        return Ok(fields
            .with_some("executePrice", price(market, order.price)?)
            .with("holdSide", side)
            .with("triggerPrice", market.price(at)?)
            .with("planType", if waits.stop.is_some() { "pos_loss" } else { "pos_profit" }));
    }
    let fields = match (&waits.trailing, waits.trigger) {
        (Some(behind), _) => trailing(market, order, fields, behind)?,
        (None, Some(trigger)) => triggered(market, order, fields, trigger)?,
        (None, None) => preset(market, params, fields)?,
    };
    let fields = fields.with("marginMode", margin_word(mode));
    Ok(match (params.flag("reduceOnly"), hedged) {
        (true, false) => fields.with("reduceOnly", "YES").with("side", side_word(order.side)),
        // of a position that is held both ways, orders name the side they are of
        (true, true) => {
            let of = if order.side == Side::Buy { Side::Sell } else { Side::Buy };
            fields.with("tradeSide", "Close").with("side", side_word(of))
        }
        (false, true) => fields.with("tradeSide", "Open").with("side", side_word(order.side)),
        (false, false) => fields.with("side", side_word(order.side)),
    })
}

fn trailing(market: &Market, order: &NewOrder, fields: Fields, behind: &str) -> Result<Fields> {
    if order.order_type != "market" {
        return Err(error(ErrorClass::BadRequest, "trails at the market's price only"));
    }
    let from = order.params.number(&["trailingTriggerPrice"]).or(order.price);
    let from = from.ok_or_else(|| error(ErrorClass::ArgumentsRequired, "requires a trailingTriggerPrice"))?;
    Ok(fields.with("planType", "track_plan").with("triggerPrice", market.price(from)?).with("callbackRatio", behind))
}

fn triggered(market: &Market, order: &NewOrder, fields: Fields, trigger: Number) -> Result<Fields> {
    let mut fields = fields
        .with("planType", "normal_plan")
        .with("triggerPrice", market.price(trigger)?)
        .with_some("executePrice", price(market, order.price)?);
    for (name, prefix) in [("stopLoss", "stopLoss"), ("takeProfit", "stopSurplus")] {
        if let Some(attached) = Attached::of(&order.params, name) {
            fields = fields
                .with_some(&format!("{prefix}TriggerPrice"), attached.trigger(market)?)
                .with_some(&format!("{prefix}ExecutePrice"), attached.price(market)?)
                .with(&format!("{prefix}TriggerType"), attached.by());
        }
    }
    Ok(fields)
}

fn preset(market: &Market, params: &Fields, mut fields: Fields) -> Result<Fields> {
    for (name, prefix) in [("stopLoss", "presetStopLoss"), ("takeProfit", "presetStopSurplus")] {
        if let Some(attached) = Attached::of(params, name) {
            let none = || error(ErrorClass::ArgumentsRequired, &format!("requires a triggerPrice in {name}"));
            fields = fields
                .with(&format!("{prefix}Price"), attached.trigger(market)?.ok_or_else(none)?)
                .with_some(&format!("{prefix}ExecutePrice"), attached.price(market)?);
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unified::Markets;
    use crate::{Dialect as _, json};

    fn refused(symbol: &str, side: Side, params: Fields) -> Option<ErrorClass> {
        let text = r#"{"data":[{"symbol":"BTCUSDT","baseCoin":"BTC","quoteCoin":"USDT"},
            {"symbol":"BTCUSDT","baseCoin":"BTC","quoteCoin":"USDT","symbolType":"perpetual",
             "supportMarginCoins":["USDT"]}]}"#;
        let markets = Markets::new(super::super::Dialect.markets("", &json::parse(text).unwrap()));
        let new = NewOrder {
            symbol: symbol.to_owned(),
            order_type: "market".to_owned(),
            side,
            amount: Number::parse("50"),
            price: None,
            params,
        };
        order(markets.of(symbol).unwrap(), &new).err().map(|error| error.class())
    }

    #[test]
    fn what_would_mean_something_else_is_refused() {
        let number = |text: &str| Number::parse(text).unwrap();
        let cost = Fields::new().with("cost", number("50"));
        assert_eq!(refused("BTC/USDT", Side::Buy, cost.clone()), None);
        assert_eq!(refused("BTC/USDT:USDT", Side::Buy, cost), Some(ErrorClass::NotSupported));
        assert_eq!(refused("BTC/USDT", Side::Buy, Fields::new()), Some(ErrorClass::InvalidOrder));
        let both = Fields::new().with("stopLossPrice", number("1")).with("takeProfitPrice", number("2"));
        assert_eq!(refused("BTC/USDT:USDT", Side::Sell, both), Some(ErrorClass::ExchangeError));
        let post_only = Fields::new().with("postOnly", true);
        assert_eq!(refused("BTC/USDT:USDT", Side::Sell, post_only), Some(ErrorClass::InvalidOrder));
    }
}
