//! What orders ask for: V5 "Place Order", "Set Trading Stop" and "Amend Order".

use super::part;
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
    "trailingTriggerPrice",
    "hedged",
];
/// Words for a price that is reached from below.
const RISING: [&str; 3] = ["ascending", "above", "1"];
/// CCXT's name of the method that sets the stops of a position.
const OF_POSITION: &str = "privatePostV5PositionTradingStop";

fn error(class: ErrorClass, message: &str) -> VenueError {
    VenueError::new(class, &format!("bybit createOrder() {message}"))
}

fn invalid(message: &str) -> VenueError {
    error(ErrorClass::InvalidOrder, message)
}

/// A new order, as far as it is read once.
struct Asked<'o> {
    market: &'o Market,
    order: &'o NewOrder,
    params: &'o Fields,
    at_market: bool,
    buys: bool,
    amount: Option<Number>,
    price: Option<Number>,
    stop: Option<Number>,
    profit: Option<Number>,
    trigger: Option<Number>,
    trailing: Option<&'o str>,
}

/// Where a new order goes, and what is said there.
pub(super) fn create(market: &Market, order: &NewOrder) -> Result<(&'static str, Fields)> {
    let asked = Asked::of(market, order)?;
    if !of_position(&order.params) {
        return Ok(("v5/order/create", asked.order()?));
    }
    Ok(("v5/position/trading-stop", asked.stops()?))
}

/// Whether a position's stops are set, and no order is made.
fn of_position(params: &Fields) -> bool {
    let said = |name: &str| params.text(&[name]).is_some();
    let both = said("stopLossPrice") && said("takeProfitPrice");
    match params.text(&["method", "defaultMethod"]) {
        Some(method) => method == OF_POSITION,
        None => said("trailingAmount") || said("trailingStop") || both || params.flag("tradingStopEndpoint"),
    }
}

fn is_limit(order: &NewOrder) -> bool {
    order.order_type.eq_ignore_ascii_case("limit")
}

impl<'o> Asked<'o> {
    fn of(market: &'o Market, order: &'o NewOrder) -> Result<Self> {
        let params = &order.params;
        if order.price.is_none() && is_limit(order) && !of_position(params) {
            return Err(error(ErrorClass::ArgumentsRequired, "requires a price for a limit order"));
        }
        let amount = order.amount.filter(|amount| *amount > Number::default());
        Ok(Self {
            market,
            order,
            params,
            at_market: order.order_type.eq_ignore_ascii_case("market"),
            buys: order.side == Side::Buy,
            amount: amount.map(|amount| market.amount(amount)).transpose()?,
            price: order.price.map(|price| market.price(price)).transpose()?,
            stop: params.number(&["stopLossPrice"]),
            profit: params.number(&["takeProfitPrice"]),
            trigger: params.number(&["triggerPrice", "stopPrice"]),
            trailing: params.text(&["trailingAmount", "trailingStop"]),
        })
    }

    fn spot(&self) -> bool {
        !self.market.contract()
    }

    fn order(&self) -> Result<Fields> {
        if !self.spot() && self.at_market && self.cost().is_some() && self.cost() == self.order.amount {
            // it would count as so many contracts
            return Err(error(ErrorClass::NotSupported, "takes a cost in the spot market only"));
        }
        let filter = match (self.spot(), self.trigger) {
            (true, Some(_)) => Some("StopOrder"),
            (true, None) => self.stop.or(self.profit).map(|_| "tpslOrder"),
            _ => None,
        };
        let (part, params) = part::asked(Some(self.market), self.params.clone());
        let mut fields = Fields::new()
            .with("symbol", self.market.id.as_str())
            .with("side", if self.buys { "Buy" } else { "Sell" })
            .with("orderType", capitalized(&self.order.order_type))
            .with_some("timeInForce", self.time_in_force()?)
            .with_some("orderFilter", filter)
            .with_some("orderLinkId", self.params.text(&["clientOrderId"]))
            .with_some("price", self.price.filter(|_| is_limit(self.order)))
            .with("category", part);
        self.set_quantity(&mut fields)?;
        let mut params = params.without(&["cost", "method", "defaultMethod"]);
        if self.pays_by_price() {
            params = params.without(&["createMarketBuyOrderRequiresPrice"]);
        }
        if let Some(trigger) = self.trigger {
            self.set_trigger(&mut fields, trigger)?;
            params = params.without(&["triggerDirection"]);
        } else if let Some(price) = self.stop.or(self.profit) {
            // 1: when the price rises to it, 2: when it falls
            let rises = self.buys == self.stop.is_some();
            fields.set("triggerDirection", if rises { 1 } else { 2_i64 });
            fields.set("triggerPrice", self.market.price(price)?);
            fields.set("reduceOnly", true);
        }
        for (name, short) in [("stopLoss", "sl"), ("takeProfit", "tp")] {
            if let Some(attached) = self.params.get(name).filter(|value| **value != Value::Null) {
                self.attach(&mut fields, name, short, attached)?;
            }
        }
        Ok(self.hedged(fields, params))
    }

    fn time_in_force(&self) -> Result<Option<&'static str>> {
        let time = self.params.text(&["timeInForce"]).map(str::to_uppercase);
        let post_only = self.params.flag("postOnly") || matches!(time.as_deref(), Some("PO" | "POSTONLY"));
        match time.as_deref() {
            Some("IOC" | "FOK") if post_only => Err(invalid("a post-only order stays until it is filled")),
            _ if post_only && self.at_market => Err(invalid("a market order cannot be post-only")),
            _ if post_only => Ok(Some("PostOnly")),
            Some("GTC") => Ok(Some("GTC")),
            Some("FOK") => Ok(Some("FOK")),
            Some("IOC") => Ok(Some("IOC")),
            _ => Ok(None),
        }
    }

    /// Whether a market order of the spot market buys for a cost that is said or follows from a price.
    fn pays_by_price(&self) -> bool {
        self.spot() && self.at_market && self.buys && (self.price.is_some() || self.cost().is_some())
    }

    fn cost(&self) -> Option<Number> {
        self.params.number(&["cost"])
    }

    fn set_quantity(&self, fields: &mut Fields) -> Result<()> {
        let quantity = if !self.spot() || !self.at_market {
            self.amount
        } else if self.price.is_none() && self.cost().is_none() {
            fields.set("marketUnit", "baseCoin");
            self.amount
        } else {
            if !self.buys {
                fields.set("marketUnit", "quoteCoin");
            }
            let whole = self.pays_by_price() && self.params.flag("createMarketBuyOrderRequiresPrice");
            let amount = if whole { self.order.amount } else { self.amount };
            self.cost().or_else(|| amount?.times(self.price?)).map(|cost| self.cut(cost)).transpose()?
        };
        if let Some(quantity) = quantity {
            fields.set("qty", quantity);
        }
        Ok(())
    }

    /// A cost as the market takes it.
    fn cut(&self, cost: Number) -> Result<Number> {
        let precision = &self.market.precision;
        let cut = precision.cost.or(precision.price).map_or(Some(cost), |step| cost.cut_to(step));
        cut.ok_or_else(|| invalid("has a cost that is too large"))
    }

    fn set_trigger(&self, fields: &mut Fields, trigger: Number) -> Result<()> {
        let direction = self.params.text(&["triggerDirection"]);
        match direction {
            Some(_) if self.spot() => {
                return Err(error(ErrorClass::NotSupported, "takes no triggerDirection in the spot market"));
            }
            None if !self.spot() => {
                let message = "requires a triggerDirection, ascending or descending, with a triggerPrice";
                return Err(error(ErrorClass::ArgumentsRequired, message));
            }
            Some(word) => fields.set("triggerDirection", if RISING.contains(&word) { 1 } else { 2_i64 }),
            None => {}
        }
        fields.set("triggerPrice", self.market.price(trigger)?);
        Ok(())
    }

    /// A stop that comes with the order: a price, or an object that says when and at which price.
    fn attach(&self, fields: &mut Fields, name: &str, short: &str, attached: &Value) -> Result<()> {
        let (trigger, limit) = stop_of(attached);
        let trigger = trigger.ok_or_else(|| invalid(&format!("requires a triggerPrice in {name}")))?;
        fields.set(name, self.market.price(trigger)?);
        if let Some(limit) = limit {
            fields.set("tpslMode", "Partial");
            fields.set(&format!("{short}OrderType"), "Limit");
            fields.set(&format!("{short}LimitPrice"), self.market.price(limit)?);
        } else if self.spot() {
            fields.set(&format!("{short}OrderType"), "Market");
        }
        if self.spot() && self.at_market {
            return Err(invalid(&format!("a market order of the spot market takes no {name}")));
        }
        Ok(())
    }

    /// The stops of a position.
    fn stops(&self) -> Result<Fields> {
        let others = ["stopLoss", "takeProfit"].iter().any(|name| self.params.get(name).is_some());
        if others || self.trigger.is_some() || self.spot() {
            let message = "sets a position's trailingAmount, stopLossPrice and takeProfitPrice in contracts only";
            return Err(invalid(message));
        }
        let mut fields = Fields::new().with("symbol", self.market.id.as_str());
        let (part, params) = part::asked(Some(self.market), self.params.clone());
        let mut params = params.without(&["cost", "method", "defaultMethod"]);
        if self.stop.is_some() || self.profit.is_some() {
            let modes = [
                self.stop_of_position(&mut fields, self.stop, "stopLoss", "sl")?,
                self.stop_of_position(&mut fields, self.profit, "takeProfit", "tp")?,
            ];
            match modes {
                [Some(stop), Some(profit)] if stop != profit => {
                    return Err(invalid("requires stops that are both for the whole position or both for a part"));
                }
                [stop, profit] => {
                    if let Some(mode) = stop.or(profit) {
                        fields.set("tpslMode", mode);
                    }
                }
            }
            params = params.without(&["stopLossLimitPrice", "takeProfitLimitPrice", "tradingStopEndpoint"]);
        }
        fields.set("category", part);
        if let Some(trailing) = self.trailing {
            let active = self.params.number(&["trailingTriggerPrice", "activePrice"]).or(self.order.price);
            if let Some(active) = active {
                fields.set("activePrice", self.market.price(active)?);
            }
            fields.set("trailingStop", trailing);
        }
        Ok(self.hedged(fields, params))
    }

    /// One of the two stops, and whether it is for the whole position.
    fn stop_of_position(
        &self,
        fields: &mut Fields,
        at: Option<Number>,
        name: &str,
        short: &str,
    ) -> Result<Option<&'static str>> {
        let Some(at) = at else { return Ok(None) };
        fields.set(name, self.market.price(at)?);
        let limit = self.params.text(&[&format!("{name}LimitPrice"), &format!("{short}LimitPrice")]);
        fields.set(&format!("{short}OrderType"), if limit.is_some() { "Limit" } else { "Market" });
        if let Some(limit) = limit {
            fields.set(&format!("{short}LimitPrice"), limit);
        }
        if let Some(amount) = self.amount {
            fields.set(&format!("{short}Size"), amount);
        }
        Ok(Some(if limit.is_some() || self.amount.is_some() { "Partial" } else { "Full" }))
    }

    /// All that is said, with the position that is meant where there is one of each side.
    fn hedged(&self, mut fields: Fields, mut params: Fields) -> Fields {
        if !self.spot() && self.params.flag("hedged") {
            // who closes a long position sells
            let closes = self.params.flag("reduceOnly");
            if closes {
                params = params.without(&["reduceOnly"]);
            }
            fields.set("positionIdx", if self.buys == closes { 2_i64 } else { 1 });
        }
        fields.and(params.without(&UNIFIED))
    }
}

/// What another order is made of one with: whatever is said; parameters go before what follows from them.
pub(super) fn edit(id: &str, market: &Market, order: &NewOrder) -> Result<Fields> {
    let params = &order.params;
    let fields = Fields::new().with("symbol", market.id.as_str());
    let fields = match params.text(&["orderLinkId", "clientOrderId"]) {
        Some(client) => fields.with("orderLinkId", client),
        None => fields.with("orderId", id),
    };
    let (part, _) = part::asked(Some(market), params.clone());
    // zero takes a stop away
    let price = |price: Number| if price.nonzero().is_none() { Ok(price) } else { market.price(price) };
    let amount = |amount: Number| if amount.nonzero().is_none() { Ok(amount) } else { market.amount(amount) };
    let mut fields = fields
        .with("category", part)
        .with_some("qty", order.amount.map(amount).transpose()?)
        .with_some("price", order.price.map(|price| market.price(price)).transpose()?);
    let word = |name: &str| params.text(&[name]).unwrap_or("LastPrice");
    let stops = params.number(&["stopLossPrice"]).or(params.number(&["takeProfitPrice"]));
    if let Some(trigger) = stops.or(params.number(&["triggerPrice", "stopPrice"])) {
        fields.set("triggerPrice", price(trigger)?);
        fields.set("triggerBy", word("triggerBy"));
    }
    for (name, by) in [("stopLoss", "slTriggerBy"), ("takeProfit", "tpTriggerBy")] {
        if let Some(trigger) = params.get(name).and_then(|attached| stop_of(attached).0) {
            fields.set(name, price(trigger)?);
            fields.set(by, word(by));
        }
    }
    Ok(fields.and(params.clone()))
}

/// When a stop is set off, and the price it is for then.
fn stop_of(attached: &Value) -> (Option<Number>, Option<Number>) {
    match attached {
        Value::Object(stop) => (stop.number(&["triggerPrice", "stopPrice"]), stop.number(&["price"])),
        Value::Digits(digits) | Value::Text(digits) => (Number::parse(digits), None),
        _ => (None, None),
    }
}

fn capitalized(word: &str) -> String {
    let lower = word.to_lowercase();
    let mut letters = lower.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
