//! An order of the account.

use serde::{Serialize, Serializer};
use serde_json::json;

use super::{Fee, Market, Raw, Side, Time, Trade};
use crate::Number;

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderStatus {
    /// It can be filled still.
    Open,
    /// It is filled.
    Closed,
    /// The account took it back, or the exchange did.
    Canceled,
    /// The account wants it back.
    Canceling,
    /// Its time was over.
    Expired,
    /// The exchange did not take it.
    Rejected,
    /// It could not be taken back.
    Failed,
}

/// An order, as far as the exchange said it and as it follows from that.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Order {
    /// As the exchange said it.
    pub info: Raw,
    /// The exchange's name of it.
    pub id: Option<String>,
    /// The account's name of it.
    pub client_order_id: Option<String>,
    /// Since when it is there.
    pub time: Time,
    /// The same as the exchange wrote it, if that says more than milliseconds do.
    pub datetime: Option<String>,
    /// When it was filled last.
    pub last_trade: Option<i64>,
    /// When anything was last said of it.
    pub last_update: Option<i64>,
    /// The market: `BTC/USDT`.
    pub symbol: Option<String>,
    /// `limit`, `market`, or the exchange's own word in lower case.
    pub order_type: Option<String>,
    /// How long it stays: `GTC`, `IOC`, `FOK`, `PO`.
    pub time_in_force: Option<String>,
    /// Whether it may only be there and not meet another.
    pub post_only: Option<bool>,
    /// Whether it may only make a position smaller.
    pub reduce_only: Option<bool>,
    /// Which way it goes.
    pub side: Option<Side>,
    /// Its price; of a market order that is filled, the average.
    pub price: Option<Number>,
    /// The price that sets it off.
    pub trigger_price: Option<Number>,
    /// The price that sets it off, of one that takes a profit.
    pub take_profit_price: Option<Number>,
    /// The price that sets it off, of one that stops a loss.
    pub stop_loss_price: Option<Number>,
    /// In the base currency, or in contracts.
    pub amount: Option<Number>,
    /// What was filled, in the quote currency.
    pub cost: Option<Number>,
    /// Average price of what was filled.
    pub average: Option<Number>,
    /// How much was filled.
    pub filled: Option<Number>,
    /// How much was not.
    pub remaining: Option<Number>,
    /// What became of it.
    pub status: Option<OrderStatus>,
    /// What it cost, if there is one fee.
    pub fee: Option<Fee>,
    /// The fee's digits as the exchange wrote them, where scripts find them so in `fee.cost`.
    pub fee_digits: Option<String>,
    /// What filled it, if the exchange said so.
    pub trades: Vec<Trade>,
    /// Whether it is only what filled it once: then nothing is said of all it cost.
    pub bare: bool,
    /// All it cost, one for each currency.
    pub fees: Vec<Fee>,
}

impl Order {
    /// The order with what follows from the rest: amounts from each other and from the trades, average and cost, fees
    /// by currency. `market` is the one that was asked for.
    pub(crate) fn completed(mut self, market: Option<&Market>) -> Self {
        self.average = self.average.and_then(Number::nonzero);
        self.amount = self.amount.and_then(Number::nonzero);
        self.price = self.price.and_then(Number::nonzero);
        let cost_was_said = self.cost.is_some();
        if self.filled.is_none() || self.cost.is_none() || self.fee.is_none() || self.fees.is_empty() {
            self.take_from_trades();
        }
        self.gather_fees();
        self.fill_amounts();
        let size = market.and_then(|market| market.contract_size).unwrap_or(1.into());
        let inverse = market.is_some_and(|market| market.linear == Some(false));
        let contracts = self.filled.and_then(|filled| filled.times(size));
        let quotient = |of: Number, by: Number| if inverse { by.over(of) } else { of.over(by) };
        if self.average.is_none() && self.filled.is_some_and(|filled| filled > Number::default()) {
            self.average = self.cost.and_then(|cost| quotient(cost, contracts?));
        }
        if !cost_was_said && let (Some(contracts), Some(price)) = (contracts, self.average.or(self.price)) {
            self.cost = if inverse { contracts.over(price) } else { contracts.times(price) };
        }
        let of_market = self.order_type.as_deref() == Some("market");
        if of_market {
            self.price = self.price.or(self.average);
        }
        let waits = self.trigger_price.or(self.stop_loss_price).or(self.take_profit_price).is_some();
        if self.time_in_force.is_some() {
            self.post_only = self.post_only.or(Some(self.time_in_force.as_deref() == Some("PO")));
        } else if self.post_only == Some(true) {
            self.time_in_force = Some("PO".to_owned());
        } else if of_market && !waits {
            self.time_in_force = Some("IOC".to_owned());
        }
        self
    }

    fn take_from_trades(&mut self) {
        let Some(first) = self.trades.first() else { return };
        self.symbol = self.symbol.take().or_else(|| first.symbol.clone());
        self.side = self.side.or(first.side);
        self.order_type = self.order_type.take().or_else(|| first.order_type.clone());
        self.id = self.id.take().or_else(|| first.order.clone());
        let sum = |of: fn(&Trade) -> Option<Number>| {
            self.trades.iter().filter_map(of).try_fold(Number::default(), Number::plus)
        };
        self.filled = self.filled.or_else(|| sum(|trade| trade.amount));
        self.cost = self.cost.or_else(|| sum(|trade| trade.cost));
        self.last_trade = self.last_trade.or_else(|| self.trades.iter().filter_map(|trade| trade.time.0).max());
        self.fees.extend(self.trades.iter().flat_map(|trade| trade.fees.iter().cloned()));
    }

    /// One fee for each currency, in both places if it is one.
    fn gather_fees(&mut self) {
        let mut gathered: Vec<Fee> = Vec::new();
        for fee in self.fees.drain(..).filter(|fee| fee.cost.is_some()) {
            match gathered.iter_mut().find(|other| other.currency == fee.currency) {
                Some(other) => other.cost = other.cost.and_then(|cost| cost.plus(fee.cost?)),
                None => gathered.push(fee),
            }
        }
        if gathered.is_empty() {
            gathered.extend(self.fee.clone());
        } else if let (None, [one]) = (&self.fee, gathered.as_slice()) {
            self.fee = Some(one.clone());
        }
        self.fees = gathered;
    }

    fn fill_amounts(&mut self) {
        let closed = self.status == Some(OrderStatus::Closed);
        if self.amount.is_none() {
            self.amount = match (self.filled, self.remaining) {
                (Some(filled), Some(remaining)) => filled.plus(remaining),
                (filled, _) => filled.filter(|_| closed),
            };
        }
        if self.filled.is_none() {
            self.filled = match (self.amount, self.remaining) {
                (Some(amount), Some(remaining)) => amount.minus(remaining),
                (amount, _) => amount.filter(|_| closed),
            };
        }
        if self.remaining.is_none() {
            self.remaining = match (self.amount, self.filled) {
                (Some(amount), Some(filled)) => amount.minus(filled),
                _ => closed.then(Number::default),
            };
        }
    }
}

impl Serialize for Order {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("info", &self.info)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("clientOrderId", &self.client_order_id)?;
        self.time.entries(self.datetime.as_deref(), &mut map)?;
        map.serialize_entry("lastTradeTimestamp", &self.last_trade)?;
        map.serialize_entry("lastUpdateTimestamp", &self.last_update)?;
        map.serialize_entry("symbol", &self.symbol)?;
        map.serialize_entry("type", &self.order_type)?;
        map.serialize_entry("timeInForce", &self.time_in_force)?;
        map.serialize_entry("postOnly", &self.post_only)?;
        map.serialize_entry("reduceOnly", &self.reduce_only)?;
        map.serialize_entry("side", &self.side)?;
        map.serialize_entry("price", &self.price)?;
        map.serialize_entry("triggerPrice", &self.trigger_price)?;
        map.serialize_entry("stopPrice", &self.trigger_price)?;
        map.serialize_entry("takeProfitPrice", &self.take_profit_price)?;
        map.serialize_entry("stopLossPrice", &self.stop_loss_price)?;
        map.serialize_entry("amount", &self.amount)?;
        map.serialize_entry("cost", &self.cost)?;
        map.serialize_entry("average", &self.average)?;
        map.serialize_entry("filled", &self.filled)?;
        map.serialize_entry("remaining", &self.remaining)?;
        map.serialize_entry("status", &self.status)?;
        match (&self.fee, &self.fee_digits) {
            (Some(Fee { currency, rate, .. }), Some(cost)) => {
                map.serialize_entry("fee", &json!({ "cost": cost, "currency": currency, "rate": rate }))?;
            }
            (fee, _) => map.serialize_entry("fee", fee)?,
        }
        map.serialize_entry("trades", &self.trades)?;
        if !self.bare {
            map.serialize_entry("fees", &self.fees)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(digits: &str) -> Option<Number> {
        Number::parse(digits)
    }

    fn fill(amount: &str, price: &str, fee: &str, currency: &str) -> Trade {
        let fee = Fee { cost: n(fee), currency: Some(currency.to_owned()), rate: None };
        Trade { amount: n(amount), price: n(price), fee: Some(fee), ..Trade::default() }.completed(None)
    }

    #[test]
    fn an_order_is_what_its_trades_are() {
        let trades = vec![fill("1", "10", "0.1", "USDT"), fill("2", "13", "0.2", "USDT"), fill("1", "14", "1", "BNB")];
        let order = Order { trades, order_type: Some("market".to_owned()), ..Order::default() };
        let order = Order { status: Some(OrderStatus::Closed), ..order }.completed(None);
        assert_eq!((order.filled, order.cost, order.average), (n("4"), n("50"), n("12.5")));
        assert_eq!((order.amount, order.remaining, order.price), (n("4"), n("0"), n("12.5")));
        assert_eq!(order.time_in_force.as_deref(), Some("IOC"));
        let fees: Vec<_> = order.fees.iter().map(|fee| fee.cost).collect();
        assert_eq!((fees, order.fee), (vec![n("0.3"), n("1")], None));
    }

    #[test]
    fn amounts_follow_from_each_other() {
        let order = Order { filled: n("1"), remaining: n("2"), price: n("5"), ..Order::default() }.completed(None);
        assert_eq!((order.amount, order.cost), (n("3"), n("5")));
        let order = Order { amount: n("3"), remaining: n("2"), ..Order::default() }.completed(None);
        assert_eq!((order.filled, order.cost), (n("1"), None));
        let order = Order { post_only: Some(true), ..Order::default() }.completed(None);
        assert_eq!(order.time_in_force.as_deref(), Some("PO"));
    }
}
