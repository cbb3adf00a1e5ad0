//! `Stels.runtime.cex`: the methods of exchanges, by the worker's account, by keys that the script has, or as nobody.

mod effect;
mod intent;
mod order;
mod paper;
mod read;
mod reconcile;
mod seat;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use orrery_venues::json::{self, Access as _};
use orrery_venues::{Arguments, Desk, Permit, VenueError};
use orrery_workers::script::HostError;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{Result, Shared, WorkerHost, read as read_arguments};
use crate::fleet::Running;
use seat::{Config, Seat};

/// What a run keeps of its trading.
#[derive(Default)]
pub(super) struct Trading {
    /// Exchanges by the script's own keys, by a digest of these.
    own: Mutex<HashMap<String, Arc<dyn Desk>>>,
    /// It is known what became of the orders of runs before.
    reconciled: tokio::sync::Mutex<bool>,
    /// When something was last looked at by `watch…`.
    watched: Mutex<HashMap<String, Instant>>,
}

/// A call as the script made it.
#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(default)]
    config: Option<Config>,
    #[serde(borrow)]
    arguments: &'a RawValue,
}

/// What a method does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It makes an order.
    Order,
    /// It makes several.
    Orders,
    /// It changes something else.
    Effect,
    /// It asks for what everybody may know.
    Public,
    /// It asks for what is the account's.
    Private,
    /// It waits for news of what everybody may know.
    Watch,
    /// It ends such waiting, which needs nothing.
    Unwatch,
}

/// What everybody may know.
const PUBLIC: [&str; 16] = [
    "fetchBidsAsks",
    "fetchCurrencies",
    "fetchFundingRate",
    "fetchFundingRateHistory",
    "fetchFundingRates",
    "fetchMarkets",
    "fetchOHLCV",
    "fetchOpenInterest",
    "fetchOrderBook",
    "fetchStatus",
    "fetchTicker",
    "fetchTickers",
    "fetchTime",
    "fetchTrades",
    "has",
    "loadMarkets",
];

impl Kind {
    fn of(method: &str) -> Self {
        let made = method.strip_prefix("create");
        match method {
            "createOrders" => Self::Orders,
            _ if made.is_some_and(|form| form.ends_with("Order") || form.ends_with("OrderWithCost")) => Self::Order,
            _ if PUBLIC.contains(&method) => Self::Public,
            _ if method.starts_with("unWatch") => Self::Unwatch,
            _ if method.starts_with("watch") => Self::Watch,
            _ if method.starts_with("fetch") => Self::Private,
            _ => Self::Effect,
        }
    }
}

/// CCXT's class of it, and what the exchange said.
fn refused(error: &VenueError) -> HostError {
    HostError::new(error.class().name(), error.to_string())
}

/// A run's right to have effects, as desks ask for it.
fn permit(shared: &Arc<Shared>, running: &Running) -> Permit {
    let (clock, right) = (shared.ports.clock.clone(), running.right.clone());
    Permit::during(move || right.lives(clock.now()))
}

impl WorkerHost {
    /// `VENUE.METHOD {config, arguments}`
    pub(super) async fn trade(&self, called: &str, arguments: &str) -> Result<String> {
        let (venue, method) = called
            .split_once('.')
            .ok_or_else(|| HostError::new("NotSupported", format!("there is no exchange's method {called:?}")))?;
        let asked: Asked<'_> = read_arguments(method, arguments)?;
        let config = asked.config.unwrap_or_default();
        config.secrets().for_each(|secret| self.running.secrets.hide(secret));
        let kind = Kind::of(method);
        if kind == Kind::Unwatch {
            return Ok("null".into());
        }
        let open = matches!(kind, Kind::Public | Kind::Watch);
        let seat = self.seat(venue, &config, open).await?;
        let text = asked.arguments.get();
        let value = match kind {
            Kind::Order => self.make_order(seat, method, text).await?,
            Kind::Orders => self.make_orders(seat, method, text).await?,
            Kind::Effect => self.change(seat, method, text).await?,
            Kind::Public | Kind::Private => self.ask(&seat, venue, method, text).await?,
            Kind::Watch => self.wait_for_news(&seat, method, text).await?,
            Kind::Unwatch => Value::Null,
        };
        Ok(value.to_string())
    }

    async fn make_order(&self, seat: Seat, method: &str, text: &str) -> Result<Value> {
        let order = {
            let parsed = json::parse(text);
            let given = parsed.as_ref().list().unwrap_or_default();
            let order = Arguments::new(seat.desk.id(), method, given).order().map_err(|error| refused(&error))?;
            order.ok_or_else(|| HostError::new("NotSupported", format!("{} {method}()", seat.desk.id())))?
        };
        if method.ends_with("WithCost") {
            seat.takes_costs(method)?;
        }
        self.may_order(&seat).await?;
        self.place(seat, order).await
    }

    /// One after the other: what became of each is known by itself. One that is refused is `rejected` in the list.
    async fn make_orders(&self, seat: Seat, method: &str, text: &str) -> Result<Value> {
        let orders = {
            let parsed = json::parse(text);
            let given = parsed.as_ref().list().unwrap_or_default();
            Arguments::new(seat.desk.id(), method, given).orders(0).map_err(|error| refused(&error))?
        };
        if orders.len() > ORDERS_MAX {
            return Err(HostError::new("BadRequest", format!("createOrders() takes at most {ORDERS_MAX} orders")));
        }
        self.may_order(&seat).await?;
        let mut made = Vec::new();
        for order in orders {
            let symbol = order.symbol.clone();
            made.push(match self.place(seat.clone(), order).await {
                Ok(order) => order,
                Err(error) if self.gate().is_err() => return Err(error),
                Err(error) => serde_json::json!({
                    "id": null,
                    "symbol": symbol,
                    "status": "rejected",
                    "info": { "class": error.class, "message": error.message },
                }),
            });
        }
        Ok(Value::Array(made))
    }
}

/// Most orders of one `createOrders`.
const ORDERS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_methods_do() {
        for (method, kind) in [
            ("createOrder", Kind::Order),
            ("createLimitBuyOrder", Kind::Order),
            ("createMarketOrderWithCost", Kind::Order),
            ("createOrders", Kind::Orders),
            ("createDepositAddress", Kind::Effect),
            ("cancelOrder", Kind::Effect),
            ("editOrder", Kind::Effect),
            ("setLeverage", Kind::Effect),
            ("withdraw", Kind::Effect),
            ("fetchBalance", Kind::Private),
            ("fetchTicker", Kind::Public),
            ("watchOrderBook", Kind::Watch),
            ("unWatchTicker", Kind::Unwatch),
        ] {
            assert_eq!(Kind::of(method), kind, "{method}");
        }
    }
}
