//! Questions, and waiting for news.

use std::sync::PoisonError;
use std::time::Duration;

use orrery_venues::Found;
use orrery_workers::script::HostError;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::{Result, WorkerHost};
use super::paper::dressed;
use super::{Seat, refused};
use crate::venues::{PAPER, as_value};

/// Between two looks at what is watched.
const NEWS_PERIOD: Duration = Duration::from_secs(1);
/// Things that one run watches; beyond that the oldest is forgotten, and its next look is at once.
const WATCHED_MAX: usize = 1_000;

/// What asks once for what a method waits for.
fn asks(method: &str) -> Option<&'static str> {
    Some(match method {
        "watchTicker" => "fetchTicker",
        "watchTickers" => "fetchTickers",
        "watchBidsAsks" => "fetchBidsAsks",
        "watchOrderBook" => "fetchOrderBook",
        "watchTrades" => "fetchTrades",
        "watchOHLCV" => "fetchOHLCV",
        _ => return None,
    })
}

impl WorkerHost {
    pub(super) async fn ask(&self, seat: &Seat, venue: &str, method: &str, text: &str) -> Result<Value> {
        let mut arguments: Value = serde_json::from_str(text).unwrap_or_default();
        let venues = &self.shared.ports.venues;
        let part = match method {
            "fetchFreeBalance" => Some("free"),
            "fetchUsedBalance" => Some("used"),
            "fetchTotalBalance" => Some("total"),
            _ => None,
        };
        if let Some(part) = part {
            let balance =
                venues.read(&*seat.desk, "fetchBalance", &arguments).await.map_err(|error| refused(&error))?;
            return Ok(balance.get(part).cloned().unwrap_or_default());
        }
        if method == "fetchOrderWithClientOrderId" {
            return self.named(seat, &arguments).await;
        }
        if seat.desk.id() == PAPER && method == "fetchPositions" {
            // it has spot markets alone
            return Ok(json!([]));
        }
        if arguments.is_null() {
            arguments = json!([]);
        }
        let answer = venues.read(&*seat.desk, method, &arguments).await.map_err(|error| refused(&error))?;
        let dress = seat.desk.id() == PAPER && method == "fetchBalance" && venue != PAPER;
        Ok(if dress { dressed(venues, &*seat.desk, answer).await } else { answer })
    }

    async fn named(&self, seat: &Seat, arguments: &Value) -> Result<Value> {
        let text = |place: usize| arguments.get(place).and_then(Value::as_str).unwrap_or_default();
        let found = self.shared.ports.venues.find(&*seat.desk, text(0), text(1)).await;
        match found.map_err(|error| refused(&error))? {
            Found::There(order) => Ok(as_value(&order)),
            Found::Nowhere => Err(HostError::new("OrderNotFound", format!("there is no order {}", text(0)))),
        }
    }

    /// The first time at once, then at most once a second: the newest there is.
    pub(super) async fn wait_for_news(&self, seat: &Seat, method: &str, text: &str) -> Result<Value> {
        let none = || HostError::new("NotSupported", format!("{} does not support {method}()", seat.desk.id()));
        let asked = asks(method).ok_or_else(none)?;
        let key = format!("{} {method} {text}", seat.name);
        let now = Instant::now();
        let at = {
            let mut watched = self.trading.watched.lock().unwrap_or_else(PoisonError::into_inner);
            if watched.len() >= WATCHED_MAX && !watched.contains_key(&key) {
                let oldest = watched.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone());
                oldest.map(|oldest| watched.remove(&oldest));
            }
            let at = watched.get(&key).map_or(now, |last| (*last + NEWS_PERIOD).max(now));
            watched.insert(key, at);
            at
        };
        tokio::time::sleep_until(at).await;
        self.gate()?;
        let arguments: Value = serde_json::from_str(text).unwrap_or_default();
        self.shared.ports.venues.read(&*seat.desk, asked, &arguments).await.map_err(|error| refused(&error))
    }
}
