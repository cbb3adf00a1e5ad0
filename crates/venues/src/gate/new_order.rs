//! What a new order asks for: "Create an order" and "Create a price-triggered order" of the spot market, "Create a
//! futures order" and "Create a price-triggered order" of the others.

use super::part::account;
use crate::exchange::{NewOrder, Result};
use crate::unified::{Market, Side};
use crate::{ErrorClass, Exchange, Fields, Number, Value, VenueError};

/// Parameters of CCXT that are not sent on as they are.
const UNIFIED: [&str; 8] = [
    "recvWindow",
    "stopPrice",
    "triggerPrice",
    "stopLossPrice",
    "takeProfitPrice",
    "reduceOnly",
    "postOnly",
    "clientOrderId",
];
/// Seconds that an order of the spot market waits for its price if nobody says otherwise.
const WAITS: i64 = 86_400;
/// Longest name that an account can give an order, without what it is made to begin with.
const NAME_MAX: usize = 28;

/// An order as the exchange takes it.
pub(super) struct Asked {
    /// What is said of it; of a contract also what it is settled in.
    pub fields: Fields,
    /// Whether it waits for a price.
    pub waits: bool,
}

fn refused(class: ErrorClass, message: &str) -> VenueError {
    VenueError::new(class, &format!("gate createOrder() {message}"))
}

fn invalid(message: &str) -> VenueError {
    refused(ErrorClass::InvalidOrder, message)
}

/// The price an order waits for, and whether it takes a profit there.
fn trigger(params: &Fields) -> Result<Option<(Number, bool)>> {
    let stop = params.number(&["stopLossPrice", "triggerPrice", "stopPrice"]);
    match (stop, params.number(&["takeProfitPrice"])) {
        (Some(_), Some(_)) => Err(refused(ErrorClass::ExchangeError, "takes one of stopLossPrice and takeProfitPrice")),
        (stop, profit) => Ok(stop.map(|price| (price, false)).or(profit.map(|price| (price, true)))),
    }
}

/// How long an order stays.
fn time_in_force(params: &Fields, at_market: bool) -> Result<Option<&'static str>> {
    let word = params.text(&["timeInForce"]).map(str::to_uppercase);
    let said = params.text(&["timeInForce", "tif", "time_in_force"]);
    let by_word = said.is_some_and(|said| said.eq_ignore_ascii_case("poc"));
    let post_only = params.flag("postOnly") || word.as_deref() == Some("PO") || by_word;
    if post_only && at_market {
        return Err(invalid("a market order cannot be post-only"));
    }
    let time = match word.as_deref() {
        Some("IOC" | "FOK") if post_only => return Err(invalid("a post-only order stays")),
        None => None,
        Some("GTC") => Some("gtc"),
        Some("IOC") => Some("ioc"),
        Some("FOK") => Some("fok"),
        Some("PO" | "POC") => Some("poc"),
        Some(_) => return Err(refused(ErrorClass::ExchangeError, "knows no such timeInForce")),
    };
    match time {
        _ if post_only => Ok(Some("poc")),
        Some("gtc") if at_market => Err(refused(ErrorClass::ExchangeError, "a market order does not stay")),
        None if at_market => Ok(Some("ioc")),
        time => Ok(time),
    }
}

/// One order of the market.
///
/// Errors: [`ErrorClass::InvalidOrder`], [`ErrorClass::ArgumentsRequired`], [`ErrorClass::BadRequest`] and
/// [`ErrorClass::ExchangeError`] for what the exchange would not take.
pub(super) fn asked(exchange: &Exchange, market: &Market, order: &NewOrder) -> Result<Asked> {
    let params = &order.params;
    let trigger = trigger(params)?;
    let order_type = order.order_type.to_lowercase();
    let at_market = order_type == "market";
    let time = time_in_force(params, at_market)?;
    if order_type == "limit" && order.price.is_none() {
        return Err(refused(ErrorClass::ArgumentsRequired, "requires a price for a limit order"));
    }
    let by_cost = !market.contract() && order.side == Side::Buy;
    if at_market && !by_cost && params.get("cost").is_some() {
        // else what it may cost would be taken for its amount
        return Err(refused(ErrorClass::NotSupported, "knows a cost of spot orders that buy at the market only"));
    }
    let terms = Terms { exchange, market, order, order_type, time, rest: params.clone().without(&UNIFIED) };
    let waits = trigger.is_some() || params.get("trigger").is_some();
    let fields = match (market.contract(), waits) {
        (true, false) => terms.contract()?,
        (true, true) => terms.waiting_contract(trigger)?,
        (false, false) => terms.spot()?,
        (false, true) => terms.waiting_spot(trigger)?,
    };
    Ok(Asked { fields, waits })
}

struct Terms<'o> {
    exchange: &'o Exchange,
    market: &'o Market,
    order: &'o NewOrder,
    order_type: String,
    time: Option<&'static str>,
    /// Parameters that are sent on.
    rest: Fields,
}

impl Terms<'_> {
    fn at_market(&self) -> bool {
        self.order_type == "market"
    }

    /// Parameters that are sent on as they are.
    fn rest(self) -> Fields {
        self.rest.without(&["timeInForce"])
    }

    fn client(&self) -> Option<&str> {
        self.order.params.text(&["text", "clientOrderId"])
    }

    fn amount(&self) -> Result<Number> {
        let missing = || refused(ErrorClass::ArgumentsRequired, "requires an amount");
        self.order.amount.ok_or_else(missing).and_then(|amount| self.market.amount(amount))
    }

    fn price(&self) -> Result<Option<Number>> {
        self.order.price.map(|price| self.market.price(price)).transpose()
    }

    /// How many contracts: fewer than none of one that sells.
    fn size(&self) -> Result<Value> {
        if self.rest.flag("close") {
            return Ok(digits(Number::default()));
        }
        let amount = self.amount()?;
        let sells = self.order.side == Side::Sell;
        Ok(digits(if sells { Number(-amount.0) } else { amount }))
    }

    /// What a contract costs; at the market, nothing.
    fn price_of_contract(&self) -> Result<Option<Value>> {
        let free = self.at_market() || self.order.price == Some(Number::default());
        if free { Ok(Some("0".into())) } else { Ok(self.price()?.map(Value::from)) }
    }

    fn settle(&self) -> Option<&str> {
        self.market.settle_id.as_deref()
    }

    fn reduces(&self) -> Option<Value> {
        self.order.params.get("reduceOnly").cloned()
    }

    /// With the account's name of it, or one of its own where the exchange wants one.
    fn called(mut self, fields: Fields) -> Result<Fields> {
        let Some(client) = self.client() else {
            let wanted = self.rest.flag("textIsRequired");
            let fields = fields.with_some("text", wanted.then(|| format!("t-{}", self.exchange.unique(16))));
            return Ok(fields.and(self.rest()));
        };
        if client.chars().count() > NAME_MAX {
            let message = format!("takes a clientOrderId of up to {NAME_MAX} characters");
            return Err(refused(ErrorClass::BadRequest, &message));
        }
        let fields = fields.with("text", named(client));
        self.rest = self.rest.without(&["textIsRequired"]);
        Ok(fields.and(self.rest()))
    }

    fn contract(self) -> Result<Fields> {
        let fields = Fields::new()
            .with("contract", self.market.id.as_str())
            .with("size", self.size()?)
            .with_some("settle", self.settle())
            .with_some("price", self.price_of_contract()?)
            .with_some("reduce_only", self.reduces())
            .with_some("tif", self.time);
        self.called(fields)
    }

    fn waiting_contract(mut self, trigger: Option<(Number, bool)>) -> Result<Fields> {
        let initial = Fields::new()
            .with("contract", self.market.id.as_str())
            .with("size", self.size()?)
            .with_some("price", self.price_of_contract()?)
            .with_some("reduce_only", self.reduces())
            .with_some("tif", self.time)
            .with_some("text", self.client());
        let mut fields = Fields::new().with("initial", Value::Object(initial)).with_some("settle", self.settle());
        if let Some((price, takes)) = trigger.filter(|_| self.rest.get("trigger").is_none()) {
            // the last price, the mark price or the index
            let of = self.rest.text(&["price_type"]).unwrap_or("0").to_owned();
            if !matches!(of.as_str(), "0" | "1" | "2") {
                return Err(refused(ErrorClass::BadRequest, "takes a price_type of 0, 1 or 2"));
            }
            self.rest = self.rest.without(&["price_type"]);
            let trigger = Fields::new()
                .with("price_type", Value::Digits(of))
                .with("price", self.market.price(price)?)
                .with("rule", if self.rises(takes) { 1 } else { 2 });
            fields.set("trigger", Value::Object(trigger));
        }
        Ok(fields.and(self.rest()))
    }

    /// Whether the price that is waited for is above the market's: so it is where a sale takes a profit, and where a
    /// purchase stops a loss.
    fn rises(&self, takes: bool) -> bool {
        (self.order.side == Side::Buy) != takes
    }

    fn spot(mut self) -> Result<Fields> {
        let (account, rest) = account(false, std::mem::take(&mut self.rest))?;
        self.rest = rest;
        let buys = self.order.side == Side::Buy;
        let amount = if self.at_market() && buys { self.cost()? } else { self.amount()? };
        let price = if self.order_type == "limit" { self.price()? } else { None };
        let fields = Fields::new()
            .with("currency_pair", self.market.id.as_str())
            .with("type", self.order_type.as_str())
            .with("account", account)
            .with("side", if buys { "buy" } else { "sell" })
            .with("amount", amount)
            .with_some("price", price)
            .with_some("time_in_force", self.time);
        self.called(fields)
    }

    /// What an order that buys at the market may cost: the exchange takes no other amount of it.
    fn cost(&mut self) -> Result<Number> {
        let params = &self.order.params;
        let by_amount = params.get("createMarketBuyOrderRequiresPrice") != Some(&Value::Flag(false));
        self.rest = std::mem::take(&mut self.rest).without(&["cost", "createMarketBuyOrderRequiresPrice"]);
        let missing = || invalid("requires a price or a cost for an order that buys at the market");
        let paid = match params.number(&["cost"]) {
            None if by_amount => self.order.amount.and_then(|amount| amount.times(self.order.price?)),
            None => self.order.amount,
            cost => cost,
        };
        let paid = paid.ok_or_else(missing)?;
        let step = self.market.precision.cost.or(self.market.precision.price);
        step.map_or(Some(paid), |step| paid.cut_to(step)).ok_or_else(missing)
    }

    fn waiting_spot(mut self, trigger: Option<(Number, bool)>) -> Result<Fields> {
        let (account, rest) = account(true, std::mem::take(&mut self.rest))?;
        self.rest = rest;
        let buys = self.order.side == Side::Buy;
        let put = Fields::new()
            .with("type", self.order_type.as_str())
            .with("side", if buys { "buy" } else { "sell" })
            .with_some("price", self.price()?)
            .with("amount", self.amount()?)
            .with("account", account)
            .with("time_in_force", self.time.unwrap_or("gtc"));
        let mut fields = Fields::new().with("put", Value::Object(put)).with("market", self.market.id.as_str());
        if let Some((price, takes)) = trigger.filter(|_| self.rest.get("trigger").is_none()) {
            let seconds = self.rest.text(&["expiration"]).and_then(|digits| digits.parse().ok()).unwrap_or(WAITS);
            let trigger = Fields::new()
                .with("price", self.market.price(price)?)
                .with("rule", if self.rises(takes) { ">=" } else { "<=" })
                .with("expiration", seconds)
                .with_some("text", self.client());
            fields.set("trigger", Value::Object(trigger));
        }
        Ok(fields.and(self.rest()))
    }
}

/// A number that stands without quotes.
pub(super) fn digits(number: Number) -> Value {
    Value::Digits(number.to_string())
}

/// The name of an order: those of accounts begin with a `t`.
pub(super) fn named(client: &str) -> String {
    if client.starts_with('t') { client.to_owned() } else { format!("t-{client}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(params: &Fields, at_market: bool) -> std::result::Result<Option<&'static str>, ErrorClass> {
        time_in_force(params, at_market).map_err(|error| error.class())
    }

    #[test]
    fn how_long_an_order_stays_is_said_in_many_ways() {
        let said = |word: &str| Fields::new().with("timeInForce", word);
        assert_eq!(time(&Fields::new(), false), Ok(None));
        assert_eq!(time(&Fields::new(), true), Ok(Some("ioc")));
        assert_eq!(time(&said("fok"), true), Ok(Some("fok")));
        for post_only in
            [said("PO"), said("poc"), Fields::new().with("postOnly", true), Fields::new().with("tif", "poc")]
        {
            assert_eq!(time(&post_only, false), Ok(Some("poc")));
            assert_eq!(time(&post_only, true), Err(ErrorClass::InvalidOrder));
        }
        assert_eq!(time(&said("IOC").with("postOnly", true), false), Err(ErrorClass::InvalidOrder));
        assert_eq!(time(&said("GTC"), true), Err(ErrorClass::ExchangeError));
        assert_eq!(time(&said("GTD"), false), Err(ErrorClass::ExchangeError));
    }

    #[test]
    fn one_price_is_waited_for() {
        let stop = Fields::new().with("stopPrice", "10");
        assert_eq!(trigger(&stop).ok(), Some(Number::parse("10").map(|price| (price, false))));
        assert_eq!(
            trigger(&stop.with("takeProfitPrice", "12")).err().map(|e| e.class()),
            Some(ErrorClass::ExchangeError)
        );
    }
}
