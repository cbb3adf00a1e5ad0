//! One look at an account: balances, positions, orders.

use std::collections::BTreeMap;

use orrery_venues::stream::Part;
use orrery_venues::{Desk, ErrorClass, Number, Venue, VenueError};
use orrery_wallets::Account;
use serde_json::{Value, json};

use super::follow::{Parts, together};
use super::snapshot::{Coin, Digits, Holdings, Snapshot};
use super::{Venues, open};

/// Exchanges whose account is one for spot and contracts.
const UNIFIED: [Venue; 2] = [Venue::Bybit, Venue::Okx];
/// Exchanges whose balances are without the profit of open positions.
const PROFIT_APART: [Venue; 2] = [Venue::Bybit, Venue::Gate];
/// Currencies of one account; those beyond are left out.
pub(super) const COINS_MAX: usize = 500;
/// Positions of one account.
pub(super) const POSITIONS_MAX: usize = 200;
/// Open orders of one account.
const OPEN_MAX: usize = 200;
/// Markets whose past orders are asked for.
const SYMBOLS_MAX: usize = 5;
/// Past orders of one market.
const PAST_MAX: usize = 20;
/// Currencies whose markets are asked for although nothing is known of orders in them.
const HELD_MAX: usize = 3;

/// A number of a structure: of its text, or of the shortest digits of its double.
pub(super) fn number(of: &Value, name: &str) -> Option<Number> {
    match of.get(name)? {
        Value::String(text) => Number::parse(text),
        Value::Number(double) => Number::parse(&double.to_string()),
        _ => None,
    }
}

/// Sums that take what cannot be added for nothing: numbers beyond 28 digits.
fn add(sum: &mut Digits, more: Option<Number>) {
    sum.0 = more.and_then(|more| sum.0.plus(more)).unwrap_or(sum.0);
}

fn of_contract(symbol: &str) -> bool {
    symbol.contains(':')
}

/// Adds the currencies of a balance in CCXT's structure; those of which there is nothing are left out.
fn add_coins(coins: &mut BTreeMap<String, Coin>, balance: &Value) {
    const OTHER: [&str; 7] = ["info", "timestamp", "datetime", "free", "used", "total", "debt"];
    let Some(members) = balance.as_object() else { return };
    for (code, of) in members.iter().filter(|(code, of)| of.is_object() && !OTHER.contains(&code.as_str())) {
        let (total, debt) = (number(of, "total"), number(of, "debt"));
        let something = [total, debt, number(of, "free")].into_iter().flatten().any(|n| n.nonzero().is_some());
        if !something || (coins.len() >= COINS_MAX && !coins.contains_key(code)) {
            continue;
        }
        let coin = coins.entry(code.clone()).or_insert_with(|| Coin { code: code.clone(), ..Coin::default() });
        add(&mut coin.balance, total);
        add(&mut coin.free, number(of, "free"));
        add(&mut coin.used, number(of, "used"));
        add(&mut coin.debt, debt);
    }
}

/// A structure without the exchange's own words and what hangs on it.
pub(super) fn trimmed(mut structure: Value) -> Value {
    if let Value::Object(members) = &mut structure {
        for name in ["info", "trades", "fees"] {
            members.remove(name);
        }
    }
    structure
}

fn list(value: Value, most: usize) -> Vec<Value> {
    match value {
        Value::Array(items) => items.into_iter().take(most).map(trimmed).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn text<'v>(of: &'v Value, name: &str) -> &'v str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// What is looked at, and what is known of it before.
pub(super) struct Looking<'a> {
    pub account: &'a Account,
    pub desk: &'a dyn Desk,
    /// Markets that orders are known of, the newest last.
    pub symbols: Vec<String>,
    /// Is there hope that the account may see contracts?
    pub contracts: bool,
}

/// What was seen, and what that says for the next look.
pub(super) struct Looked {
    pub snapshot: Snapshot,
    pub symbols: Vec<String>,
    /// What of it each part of the account has.
    pub parts: Parts,
    /// Did the exchange refuse to tell of contracts?
    pub no_contracts: bool,
}

impl Looking<'_> {
    fn venue(&self) -> Option<Venue> {
        self.desk.id().parse().ok()
    }

    /// May there be contracts?
    fn has_contracts(&self) -> bool {
        self.contracts && self.venue().is_some_and(|venue| venue.description().has("fetchPositions"))
    }

    /// Are they a part of their own?
    fn has_part(&self) -> bool {
        self.has_contracts() && self.venue().is_some_and(|venue| !UNIFIED.contains(&venue))
    }
}

impl Venues {
    /// Looks at the balances first, so that they are known soon; `soon` is told of them.
    ///
    /// Errors: those of the balance; what else cannot be seen is left out.
    pub(super) async fn gather(
        &self,
        looking: &Looking<'_>,
        soon: impl AsyncFnOnce(&Snapshot),
    ) -> Result<Looked, VenueError> {
        let (desk, mut parts) = (looking.desk, Parts::new());
        let balance = self.read(desk, "fetchBalance", &json!([])).await?;
        add_coins(parts.entry(Part::Main).or_default(), &balance);
        let now = self.ports.clock.now().millis();
        let version = open::version(looking.account);
        let seen = |holdings, positions, orders| Snapshot {
            version: version.clone(),
            at: now,
            tried: now,
            error: None,
            holdings,
            positions,
            orders,
        };
        soon(&seen(self.valued(looking, together(&parts), &[]).await, Vec::new(), Vec::new())).await;

        let (mut positions, mut no_contracts) = (Vec::new(), false);
        if looking.has_contracts() {
            match self.read(desk, "fetchPositions", &json!([])).await {
                Ok(found) => positions = list(found, POSITIONS_MAX),
                Err(error) => no_contracts = refused(looking, &error),
            }
        }
        if looking.has_part() && !no_contracts {
            match self.read(desk, "fetchBalance", &json!([{"type": "swap"}])).await {
                Ok(part) => add_coins(parts.entry(Part::Contracts).or_default(), &part),
                Err(error) => no_contracts = refused(looking, &error),
            }
        }
        let holdings = self.valued(looking, together(&parts), &positions).await;
        let (orders, symbols) = self.orders_of(looking, &holdings, looking.has_part() && !no_contracts).await;
        Ok(Looked { snapshot: seen(holdings, positions, orders), symbols, parts, no_contracts })
    }

    pub(super) async fn valued(
        &self,
        looking: &Looking<'_>,
        coins: BTreeMap<String, Coin>,
        positions: &[Value],
    ) -> Holdings {
        let settled = positions.iter().filter_map(|position| text(position, "symbol").split_once(':'));
        let settled = settled.map(|(_, settled)| settled.to_owned());
        let rates = self.rates(looking.desk, coins.keys().cloned().chain(settled)).await;
        let apart = looking.venue().is_some_and(|venue| PROFIT_APART.contains(&venue));
        hold(coins, positions, apart, |code| rates.rate(code, &self.settings.equity))
    }

    /// Open orders of all markets and past ones of some, and the markets to look at next time.
    async fn orders_of(&self, looking: &Looking<'_>, holdings: &Holdings, part: bool) -> (Vec<Value>, Vec<String>) {
        let desk = looking.desk;
        let mut orders: Vec<Value> = Vec::new();
        let mut needs_symbol = false;
        let parts = if part { vec![json!({}), json!({"type": "swap"})] } else { vec![json!({})] };
        for params in parts {
            match self.read(desk, "fetchOpenOrders", &json!([null, null, null, params])).await {
                Ok(open) => orders.extend(list(open, OPEN_MAX)),
                Err(error) => {
                    needs_symbol |= matches!(error.class(), ErrorClass::ArgumentsRequired | ErrorClass::NotSupported);
                    tracing::debug!(%error, "open orders were not told");
                }
            }
        }
        let mut symbols = looking.symbols.clone();
        for open in &orders {
            note(&mut symbols, text(open, "symbol"));
        }
        let mut asked: Vec<String> = symbols.iter().rev().take(SYMBOLS_MAX).cloned().collect();
        for coin in holdings.coins.iter().filter(|coin| coin.code != self.settings.equity).take(HELD_MAX) {
            let symbol = format!("{}/{}", coin.code, self.settings.equity);
            if asked.len() < SYMBOLS_MAX && !asked.contains(&symbol) && self.is_market(desk, &symbol) {
                asked.push(symbol);
            }
        }
        for symbol in &asked {
            if needs_symbol && let Ok(open) = self.read(desk, "fetchOpenOrders", &json!([symbol])).await {
                orders.extend(list(open, OPEN_MAX));
            }
            orders.extend(self.past(desk, symbol).await);
        }
        let mut seen = std::collections::HashSet::new();
        orders.retain(|order| seen.insert((text(order, "symbol").to_owned(), text(order, "id").to_owned())));
        (orders, symbols)
    }

    fn is_market(&self, desk: &dyn Desk, symbol: &str) -> bool {
        let venue = desk.id().parse::<Venue>().ok();
        let nobody = venue.and_then(|venue| self.ports.exchanges.open(venue, None).ok());
        nobody.and_then(|nobody| nobody.known_markets()).is_none_or(|markets| markets.of(symbol).is_ok())
    }

    async fn past(&self, desk: &dyn Desk, symbol: &str) -> Vec<Value> {
        match self.read(desk, "fetchOrders", &json!([symbol, null, PAST_MAX])).await {
            Ok(past) => return list(past, PAST_MAX),
            Err(error) if error.class() == ErrorClass::NotSupported => {}
            Err(error) => {
                tracing::debug!(%error, "past orders were not told");
                return Vec::new();
            }
        }
        let mut past = Vec::new();
        for method in ["fetchClosedOrders", "fetchCanceledOrders"] {
            if let Ok(found) = self.read(desk, method, &json!([symbol, null, PAST_MAX])).await {
                past.extend(list(found, PAST_MAX));
            }
        }
        past
    }
}

/// Was it the exchange that refused, so that it will again? Keys often may not see contracts.
fn refused(looking: &Looking<'_>, error: &VenueError) -> bool {
    tracing::debug!(exchange = looking.desk.id(), %error, "contracts were not told");
    error.class().is_a(ErrorClass::ExchangeError)
}

/// Notes a market as the newest that there are orders of, of 20 at most.
pub(super) fn note(symbols: &mut Vec<String>, symbol: &str) {
    const NOTED_MAX: usize = 20;
    if symbol.is_empty() || symbols.last().is_some_and(|last| last == symbol) {
        return;
    }
    symbols.retain(|known| known != symbol);
    symbols.push(symbol.to_owned());
    if symbols.len() > NOTED_MAX {
        symbols.remove(0);
    }
}

/// What all of it is worth.
fn hold(
    mut coins: BTreeMap<String, Coin>,
    positions: &[Value],
    apart: bool,
    rate: impl Fn(&str) -> Option<Number>,
) -> Holdings {
    let mut holdings = Holdings::default();
    for position in positions {
        let symbol = text(position, "symbol");
        let Some((_, settled)) = symbol.split_once(':').filter(|_| of_contract(symbol)) else { continue };
        let worth = |name: &str| number(position, name).and_then(|n| n.times(rate(settled)?));
        add(&mut holdings.initial, worth("initialMargin"));
        add(&mut holdings.maintenance, worth("maintenanceMargin"));
        let coin = coins.entry(settled.to_owned()).or_insert_with(|| Coin { code: settled.into(), ..Coin::default() });
        add(&mut coin.profit, number(position, "unrealizedPnl"));
    }
    for coin in coins.values_mut() {
        coin.equity = coin.balance;
        if apart {
            add(&mut coin.equity, Some(coin.profit.0));
        } else {
            // the exchange counts it in
            coin.balance.0 = coin.balance.0.minus(coin.profit.0).unwrap_or(coin.balance.0);
        }
        let worth = |n: Digits| rate(&coin.code).and_then(|rate| n.0.times(rate));
        coin.value = worth(coin.equity).map(Digits);
        add(&mut holdings.equity, worth(coin.equity));
        add(&mut holdings.balance, worth(coin.balance));
        add(&mut holdings.available, worth(coin.free));
        add(&mut holdings.profit, worth(coin.profit));
        add(&mut holdings.debt, worth(coin.debt));
    }
    holdings.coins = coins.into_values().collect();
    holdings.coins.sort_by(|a, b| b.value.cmp(&a.value).then_with(|| a.code.cmp(&b.code)));
    holdings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(digits: &str) -> Digits {
        Digits(Number::parse(digits).unwrap())
    }

    #[test]
    fn parts_and_profits_are_added() {
        let mut coins = BTreeMap::new();
        let spot = json!({"info": {}, "BTC": {"free": 0.5, "used": 0.25, "total": 0.75}, "USDT": {"total": 100, "free": 100},
            "DUST": {"total": 0, "free": 0}, "free": {"BTC": 0.5}});
        add_coins(&mut coins, &spot);
        add_coins(&mut coins, &json!({"USDT": {"total": 60, "free": 50, "used": 10, "debt": 5}, "ODD": {"total": 7}}));
        assert_eq!(coins.keys().collect::<Vec<_>>(), ["BTC", "ODD", "USDT"]);
        let positions = [json!({"symbol": "BTC/USDT:USDT", "unrealizedPnl": 10.5, "initialMargin": 8,
            "maintenanceMargin": 0.4})];
        let rate = |code: &str| match code {
            "BTC" => Number::parse("40000"),
            "USDT" => Number::parse("1"),
            _ => None,
        };
        let counted = hold(coins.clone(), &positions, false, rate);
        assert_eq!((counted.equity, counted.balance, counted.profit), (d("30160"), d("30149.5"), d("10.5")));
        assert_eq!((counted.available, counted.debt), (d("20150"), d("5")));
        assert_eq!((counted.initial, counted.maintenance), (d("8"), d("0.4")));
        let codes: Vec<_> = counted.coins.iter().map(|coin| coin.code.as_str()).collect();
        assert_eq!(codes, ["BTC", "USDT", "ODD"], "what has no price comes last");
        assert_eq!(counted.coins[2].value, None);
        let apart = hold(coins, &positions, true, rate);
        assert_eq!((apart.equity, apart.balance), (d("30170.5"), d("30160")));
    }

    #[test]
    fn the_newest_markets_are_kept() {
        let mut symbols = Vec::new();
        for i in 0..30 {
            note(&mut symbols, &format!("C{i}/USDT"));
        }
        note(&mut symbols, "C15/USDT");
        assert_eq!((symbols.len(), symbols[0].as_str(), symbols[19].as_str()), (20, "C10/USDT", "C15/USDT"));
    }
}
