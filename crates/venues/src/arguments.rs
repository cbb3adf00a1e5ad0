//! What a method is called with, read in one place for every exchange, real or simulated.

use crate::exchange::{NewOrder, Result, required};
use crate::json::{Access as _, Json};
use crate::query::Page;
use crate::unified::Side;
use crate::{ErrorClass, Fields, Number, VenueError};

/// Positional arguments of a method, in CCXT's order; those that are missing are `null`.
#[derive(Debug, Clone, Copy)]
pub struct Arguments<'v, 't> {
    exchange: &'v str,
    method: &'v str,
    given: &'v [Json<'t>],
}

impl<'v, 't> Arguments<'v, 't> {
    /// Of a call of `exchange`, whose name stands in errors.
    pub const fn new(exchange: &'v str, method: &'v str, given: &'v [Json<'t>]) -> Self {
        Self { exchange, method, given }
    }

    /// A text or a number's digits, if there are any.
    pub fn text(&self, place: usize) -> Option<&'v str> {
        self.given.get(place).text().filter(|text| !text.is_empty())
    }

    /// The same, of an argument that has to be there.
    ///
    /// Errors: [`ErrorClass::ArgumentsRequired`].
    pub fn needed(&self, place: usize, name: &str) -> Result<&'v str> {
        self.text(place).ok_or_else(|| required(self.exchange, self.method, name))
    }

    /// A number, if there is one.
    ///
    /// Errors: [`ErrorClass::BadRequest`] for what is none.
    pub fn number(&self, place: usize, name: &str) -> Result<Option<Number>> {
        let Some(digits) = self.text(place) else { return Ok(None) };
        let bad = || {
            let message = format!("{} {}() {name} is no number", self.exchange, self.method);
            VenueError::new(ErrorClass::BadRequest, &message)
        };
        Number::parse(digits).map(Some).ok_or_else(bad)
    }

    /// A whole number, if there is one.
    pub fn whole(&self, place: usize) -> Option<i64> {
        self.text(place)?.parse().ok()
    }

    /// Since when, and after that how many.
    pub fn page(&self, since: usize) -> Page {
        Page { since: self.whole(since), limit: self.whole(since + 1) }
    }

    /// A list of texts, if there is one.
    pub fn texts(&self, place: usize) -> Option<Vec<String>> {
        let texts = self.given.get(place).list()?.iter();
        Some(texts.filter_map(|text| text.text().map(str::to_owned)).collect())
    }

    /// Further parameters, or none.
    pub fn params(&self, place: usize) -> Fields {
        match self.given.get(place).map(crate::Value::of) {
            Some(crate::Value::Object(fields)) => fields,
            _ => Fields::new(),
        }
    }

    /// Which way an order goes.
    ///
    /// Errors: [`ErrorClass::ArgumentsRequired`], [`ErrorClass::InvalidOrder`].
    pub fn side(&self, place: usize) -> Result<Side> {
        let word = self.needed(place, "side")?;
        let bad = || {
            let message = format!("{} {}() side is buy or sell", self.exchange, self.method);
            VenueError::new(ErrorClass::InvalidOrder, &message)
        };
        Side::parse(word).ok_or_else(bad)
    }

    /// The order of `createOrder` and its short forms; none for another method.
    ///
    /// Errors: those of its parts.
    pub fn order(&self) -> Result<Option<NewOrder>> {
        let Some(form) = self.method.strip_prefix("create").and_then(|form| form.strip_suffix("Order")) else {
            return self.order_by_cost();
        };
        let mut place = 1;
        let mut next = || {
            place += 1;
            place - 1
        };
        let order_type = match form {
            "" => self.needed(next(), "type")?,
            "Limit" | "LimitBuy" | "LimitSell" => "limit",
            "Market" | "MarketBuy" | "MarketSell" => "market",
            _ => return Ok(None),
        };
        let side = match form {
            "LimitBuy" | "MarketBuy" => Side::Buy,
            "LimitSell" | "MarketSell" => Side::Sell,
            _ => self.side(next())?,
        };
        let amount = self.number(next(), "amount")?;
        let price = if matches!(form, "MarketBuy" | "MarketSell") { None } else { self.number(next(), "price")? };
        let (symbol, params) = (self.needed(0, "symbol")?.to_owned(), self.params(next()));
        Ok(Some(NewOrder { symbol, order_type: order_type.to_owned(), side, amount, price, params }))
    }

    /// A market order that says what it may cost.
    fn order_by_cost(&self) -> Result<Option<NewOrder>> {
        let (side, place) = match self.method {
            "createMarketBuyOrderWithCost" => (Side::Buy, 1),
            "createMarketSellOrderWithCost" => (Side::Sell, 1),
            "createMarketOrderWithCost" => (self.side(1)?, 2),
            _ => return Ok(None),
        };
        let cost = self.number(place, "cost")?;
        let cost = cost.ok_or_else(|| required(self.exchange, self.method, "cost"))?;
        let params = self.params(place + 1).with("cost", cost);
        let symbol = self.needed(0, "symbol")?.to_owned();
        Ok(Some(NewOrder { symbol, order_type: "market".to_owned(), side, amount: Some(cost), price: None, params }))
    }

    /// A list of orders.
    ///
    /// Errors: [`ErrorClass::ArgumentsRequired`] for a part that one of them lacks.
    pub fn orders(&self, place: usize) -> Result<Vec<NewOrder>> {
        self.given.get(place).list().unwrap_or_default().iter().map(|one| self.listed(one)).collect()
    }

    /// One order of a list of them.
    fn listed(&self, one: &Json<'_>) -> Result<NewOrder> {
        let missing = |name: &str| required(self.exchange, self.method, name);
        let text = |name: &str| one.text_of(&[name]).ok_or_else(|| missing(name));
        Ok(NewOrder {
            symbol: text("symbol")?.to_owned(),
            order_type: text("type")?.to_owned(),
            side: Side::parse(text("side")?).ok_or_else(|| missing("side of buy or sell"))?,
            amount: one.number_of(&["amount"]),
            price: one.number_of(&["price"]),
            params: match one.get("params").map(crate::Value::of) {
                Some(crate::Value::Object(fields)) => fields,
                _ => Fields::new(),
            },
        })
    }
}
