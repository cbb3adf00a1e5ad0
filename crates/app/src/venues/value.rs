//! What currencies are worth, by the exchange's own prices.

use std::collections::{BTreeSet, HashMap};

use orrery_kernel::Timestamp;
use orrery_venues::{Desk, Number, Venue, VenueError};
use serde_json::{Value, json};

use super::gather::number;
use super::{Venues, lock};

/// Currencies through which others are valued that have no market with the one that is asked for.
const BRIDGES: [&str; 7] = ["USDT", "USDC", "USD", "BTC", "ETH", "EUR", "KRW"];
/// Markets asked for in one request.
const ASKED_MAX: usize = 100;
/// Markets asked for one by one, where they cannot be asked for together.
const SINGLE_MAX: usize = 20;
/// Prices kept of an exchange; beyond that all are fetched anew.
const PRICES_MAX: usize = 5_000;

/// Prices of an exchange's markets and when they were fetched.
pub(super) type Prices = HashMap<String, (Number, Timestamp)>;

/// Prices of markets, for one valuation.
#[derive(Default)]
pub(super) struct Rates(HashMap<String, Number>);

impl Rates {
    fn leg(&self, from: &str, to: &str) -> Option<Number> {
        if from == to {
            return Some(1.into());
        }
        let straight = self.0.get(&format!("{from}/{to}")).copied();
        straight.or_else(|| Number::from(1).over(*self.0.get(&format!("{to}/{from}"))?))
    }

    /// How much of `to` one of `from` is.
    pub(super) fn rate(&self, from: &str, to: &str) -> Option<Number> {
        let through = |bridge: &&str| self.leg(from, bridge)?.times(self.leg(bridge, to)?);
        self.leg(from, to).or_else(|| BRIDGES.iter().find_map(through))
    }
}

/// The markets whose prices say how much of `to` one of `from` is.
fn path(from: &str, to: &str, known: &impl Fn(&str) -> bool) -> Vec<String> {
    let leg = |from: &str, to: &str| {
        if from == to {
            return Some(Vec::new());
        }
        [format!("{from}/{to}"), format!("{to}/{from}")]
            .into_iter()
            .find(|symbol| known(symbol))
            .map(|found| vec![found])
    };
    let through = |bridge: &&str| Some([leg(from, bridge)?, leg(bridge, to)?].concat());
    leg(from, to).or_else(|| BRIDGES.iter().find_map(through)).unwrap_or_default()
}

fn price(ticker: &Value) -> Option<Number> {
    let of = |name: &str| number(ticker, name).and_then(Number::nonzero);
    let middle = || of("bid")?.plus(of("ask")?)?.over(2.into());
    of("last").or_else(|| of("close")).or_else(middle)
}

impl Venues {
    /// Prices for what `coins` are worth in the currency of the valuation; what has none is left out. They are as
    /// old as half the time between two looks at most.
    pub(super) async fn rates(&self, desk: &dyn Desk, coins: impl Iterator<Item = String>) -> Rates {
        let equity = &self.settings.equity;
        let markets = desk.id().parse::<Venue>().ok().and_then(|venue| {
            let nobody = self.ports.exchanges.open(venue, None).ok()?;
            nobody.known_markets()
        });
        let is_market = |symbol: &str| markets.as_ref().is_none_or(|markets| markets.of(symbol).is_ok());
        let wanted: BTreeSet<String> = coins.flat_map(|coin| path(&coin, equity, &is_market)).collect();
        let now = self.ports.clock.now();
        let fresh = |at: Timestamp| now.since(at) < self.settings.refresh / 2;
        let mut rates = Rates::default();
        if let Some(prices) = lock(&self.prices).get(desk.id()) {
            let kept = wanted.iter().filter_map(|symbol| Some((symbol, prices.get(symbol)?)));
            rates.0.extend(kept.filter(|(_, (_, at))| fresh(*at)).map(|(symbol, (price, _))| (symbol.clone(), *price)));
        }
        let missing: Vec<String> = wanted.into_iter().filter(|symbol| !rates.0.contains_key(symbol)).collect();
        for asked in missing.chunks(ASKED_MAX) {
            rates.0.extend(self.fetch_prices(desk, asked).await);
        }
        let mut all = lock(&self.prices);
        let prices = all.entry(desk.id().to_owned()).or_default();
        if prices.len() + missing.len() > PRICES_MAX {
            prices.clear();
        }
        prices.extend(missing.iter().filter_map(|symbol| Some((symbol.clone(), (*rates.0.get(symbol)?, now)))));
        drop(all);
        rates
    }

    async fn fetch_prices(&self, desk: &dyn Desk, symbols: &[String]) -> Vec<(String, Number)> {
        let known = |error: VenueError| tracing::debug!(%error, "prices were not told");
        if let [_, _, ..] = symbols {
            match self.read(desk, "fetchTickers", &json!([symbols])).await {
                Ok(tickers) => {
                    let one = |symbol: &String| Some((symbol.clone(), price(tickers.get(symbol)?)?));
                    return symbols.iter().filter_map(one).collect();
                }
                Err(error) => known(error),
            }
        }
        let mut found = Vec::new();
        for symbol in symbols.iter().take(SINGLE_MAX) {
            match self.read(desk, "fetchTicker", &json!([symbol])).await {
                Ok(ticker) => found.extend(price(&ticker).map(|price| (symbol.clone(), price))),
                Err(error) => known(error),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(digits: &str) -> Number {
        Number::parse(digits).unwrap()
    }

    #[test]
    fn a_currency_is_valued_by_the_shortest_way() {
        let markets = ["BTC/USDT", "USDT/EUR", "DOGE/BTC", "BTC/KRW"];
        let known = |symbol: &str| markets.contains(&symbol);
        assert_eq!(path("BTC", "USDT", &known), ["BTC/USDT"]);
        assert_eq!(path("EUR", "USDT", &known), ["USDT/EUR"]);
        assert_eq!(path("DOGE", "USDT", &known), ["DOGE/BTC", "BTC/USDT"]);
        assert_eq!(path("KRW", "USDT", &known), ["BTC/KRW", "BTC/USDT"]);
        assert!(path("USDT", "USDT", &known).is_empty() && path("NONE", "USDT", &known).is_empty());
        let prices = [("BTC/USDT", "50000"), ("USDT/EUR", "0.8"), ("DOGE/BTC", "0.000002"), ("BTC/KRW", "100000000")];
        let rates = Rates(prices.map(|(symbol, price)| (symbol.to_owned(), n(price))).into());
        for (coin, worth) in [("BTC", "50000"), ("EUR", "1.25"), ("DOGE", "0.1"), ("KRW", "0.0005"), ("USDT", "1")] {
            assert_eq!(rates.rate(coin, "USDT"), Some(n(worth)), "{coin}");
        }
        assert_eq!(rates.rate("NONE", "USDT"), None);
    }

    #[test]
    fn a_price_is_the_last_or_the_middle() {
        assert_eq!(price(&json!({"last": 2.5, "bid": 1})), Some(n("2.5")));
        assert_eq!(price(&json!({"last": 0, "bid": 1, "ask": 2})), Some(n("1.5")));
        assert_eq!(price(&json!({"last": null})), None);
    }
}
