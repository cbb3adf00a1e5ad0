//! What a request costs of an exchange's rate, as CCXT's tables of endpoints have it.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::{Venue, Verb};

/// Dearer than any single request is; a table that says more is not believed.
const COST_MAX: f64 = 1_000.0;

/// How often an exchange may be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The pause that a request of cost 1 needs.
    pub pause: Duration,
    /// The time over which the exchange counts; what was saved up over it can be used at once.
    pub window: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rates {
    rate_limit: f64,
    #[serde(default)]
    rolling_window_size: f64,
    api: Value,
}

/// Parts of paths and what they cost, by verb and by the last part that is no parameter.
type Costs = BTreeMap<(&'static str, String), Vec<(Vec<String>, f64)>>;

struct Table {
    rate: Rate,
    costs: Costs,
}

fn millis(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1_000.0).unwrap_or_default()
}

fn table(venue: Venue) -> &'static Table {
    static TABLES: [OnceLock<Table>; Venue::ALL.len()] = [const { OnceLock::new() }; Venue::ALL.len()];
    let place = Venue::ALL.iter().position(|other| *other == venue).unwrap_or_default();
    // the array has a place for every exchange
    TABLES.get(place).unwrap_or(&TABLES[0]).get_or_init(|| {
        let none = || Rates { rate_limit: 1_000.0, rolling_window_size: 0.0, api: Value::Null };
        let rates: Rates = serde_json::from_str(venue.describe()).unwrap_or_else(|_| none());
        let mut costs = BTreeMap::new();
        gather(&rates.api, None, &mut costs);
        Table { rate: Rate { pause: millis(rates.rate_limit), window: millis(rates.rolling_window_size) }, costs }
    })
}

fn verb(word: &str) -> Option<&'static str> {
    let all = [Verb::Get, Verb::Post, Verb::Put, Verb::Patch, Verb::Delete];
    all.into_iter().map(Verb::name).find(|name| name.eq_ignore_ascii_case(word))
}

/// Tables are nested by part of the exchange, then by verb, then by path.
fn gather(of: &Value, under: Option<&'static str>, costs: &mut Costs) {
    let Value::Object(members) = of else { return };
    for (name, value) in members {
        match under {
            None => gather(value, verb(name), costs),
            Some(verb) => {
                let cost = value.get("cost").unwrap_or(value).as_f64().unwrap_or(1.0).min(COST_MAX);
                let parts: Vec<String> = name.split('/').map(str::to_owned).collect();
                costs.entry((verb, key(parts.iter().map(String::as_str)))).or_default().push((parts, cost));
            }
        }
    }
}

fn parameter(part: &str) -> bool {
    part.starts_with('{')
}

/// The last part of a path that is the same for all.
fn key<'p>(parts: impl DoubleEndedIterator<Item = &'p str>) -> String {
    parts.rev().find(|part| !parameter(part)).unwrap_or_default().to_owned()
}

impl Venue {
    /// How often it may be asked.
    pub fn rate(self) -> Rate {
        table(self).rate
    }

    /// What a request costs, in requests of cost 1. Of endpoints of one name in several parts of the exchange it is the
    /// dearest; of one that no table has it is 1.
    ///
    /// ```
    /// use orrery_venues::{Venue, Verb};
    ///
    /// assert_eq!(Venue::Binance.cost(Verb::Get, "https://api.binance.com/sapi/v1/system/status"), 0.1);
    /// assert!(Venue::Binance.cost(Verb::Get, "https://api.binance.com/api/v3/exchangeInfo?x=1") >= 1.0);
    /// ```
    pub fn cost(self, verb: Verb, url: &str) -> f64 {
        let path = url.split('?').next().unwrap_or_default();
        let asked: Vec<&str> = path.split('/').collect();
        let costs = &table(self).costs;
        let fits = |parts: &[String]| {
            let tail = asked.len().checked_sub(parts.len()).and_then(|from| asked.get(from..));
            tail.is_some_and(|tail| parts.iter().zip(tail).all(|(part, found)| parameter(part) || part == found))
        };
        let named = asked.iter().rev().filter_map(|part| costs.get(&(verb.name(), (*part).to_owned())));
        let all = named.flatten().filter(|(parts, _)| fits(parts)).map(|(_, cost)| *cost);
        all.fold(None, |most: Option<f64>, cost| Some(most.map_or(cost, |most| most.max(cost)))).unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exchange_says_how_often_it_may_be_asked() {
        for venue in Venue::ALL {
            let rate = venue.rate();
            assert!(rate.pause > Duration::ZERO && rate.pause <= Duration::from_secs(1), "{venue} {rate:?}");
            assert!(table(venue).costs.len() > 20, "{venue}");
        }
    }

    #[test]
    fn parameters_of_a_path_stand_for_anything() {
        assert_eq!(Venue::Upbit.cost(Verb::Get, "https://api.upbit.com/v1/candles/minutes/5?count=1"), 2.0);
        assert_eq!(Venue::Upbit.cost(Verb::Post, "https://api.upbit.com/v1/nowhere"), 1.0);
        assert_eq!(Venue::Kucoin.cost(Verb::Get, "https://api.kucoin.com/api/v1/market/orderbook/level1"), 2.0);
    }
}
