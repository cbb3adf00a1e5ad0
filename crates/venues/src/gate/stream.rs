//! Streams: "WebSocket API v4" of the spot market, of perpetual contracts and of those with an end.

use std::time::Duration;

use async_trait::async_trait;

use super::part::{Part, Scope};
use super::{Dialect, heard};
use crate::exchange::Result;
use crate::query::Query;
use crate::stream::{Event, Follows, Heartbeat, Rule, Streams, Subscription, Topic};
use crate::unified::{Market, Markets};
use crate::{ErrorClass, Fields, Value, mac};

const SPOT: &str = "wss://api.gateio.ws/ws/v4/";
const CONTRACTS: &str = "wss://fx-ws.gateio.ws/v4/ws";
/// Levels of a spot market's book: each number is a stream of its own.
const SPOT_LEVELS: [&str; 2] = ["50", "400"];
/// How often a contract's book is told, and how many levels of it.
const CONTRACT_BOOK: (&str, i64) = ("100ms", 100);
/// Stands for all markets.
const ALL: &str = "!all";

fn address(part: Part, inverse: bool) -> String {
    let settle = if inverse { "btc" } else { "usdt" };
    match part {
        Part::Spot => SPOT.to_owned(),
        Part::Swap => format!("{CONTRACTS}/{settle}"),
        Part::Future => format!("{CONTRACTS}/delivery/{settle}"),
    }
}

const fn root(part: Part) -> &'static str {
    match part {
        Part::Spot => "spot",
        Part::Swap | Part::Future => "futures",
    }
}

fn list<T: Into<Value>>(texts: impl IntoIterator<Item = T>) -> Value {
    Value::List(texts.into_iter().map(Into::into).collect())
}

/// A frame that asks for a channel, and with it the parameters.
fn frame(q: &Query<'_>, channel: &str) -> Fields {
    Fields::new()
        .with("id", i64::try_from(q.exchange.next_request()).unwrap_or(i64::MAX))
        .with("time", q.exchange.now().div_euclid(1000))
        .with("channel", channel)
        .with("event", "subscribe")
}

/// What everybody may hear of these markets.
fn public(topic: Topic, q: &Query<'_>, asked: &[&Market]) -> Result<Subscription> {
    let first = *asked.first().ok_or_else(|| q.error(ErrorClass::ArgumentsRequired, "requires a symbol"))?;
    let part = Part::of(first);
    let names = || list(asked.iter().map(|market| market.id.as_str()));
    let (channel, payload, rest) = match topic {
        Topic::Ticker | Topic::Tickers | Topic::BidsAsks => {
            let usual = if topic == Topic::BidsAsks { "book_ticker" } else { "tickers" };
            (q.params.text(&["method"]).unwrap_or(usual), names(), q.params.clone().without(&["method"]))
        }
        Topic::Trades => ("trades", names(), q.params.clone()),
        Topic::Ohlcv => {
            let length = match q.timeframe {
                "" => "1m",
                "1w" => "7d",
                other => other,
            };
            ("candlesticks", list([length, first.id.as_str()]), q.params.clone())
        }
        Topic::OrderBook => {
            let (channel, payload) = book(q, first);
            (channel, payload, q.params.clone().without(&["interval"]))
        }
        _ => return Err(q.not_supported()),
    };
    let frame = frame(q, &format!("{}.{channel}", root(part))).with("payload", payload).and(rest);
    let url = address(part, first.linear == Some(false));
    Ok(Subscription { url, login: None, subscribe: Some(frame.json()) })
}

/// The channel of a market's book, and what it is asked with.
fn book(q: &Query<'_>, market: &Market) -> (&'static str, Value) {
    let interval = q.params.text(&["interval"]);
    let id = market.id.as_str();
    if market.contract() {
        let (often, depth) = CONTRACT_BOOK;
        let depth = q.depth.unwrap_or(depth).to_string();
        return ("order_book_update", list([id, interval.unwrap_or(often), &depth]));
    }
    let [usual, deep] = SPOT_LEVELS;
    let levels = if q.depth == Some(400) { deep } else { interval.unwrap_or(usual) };
    ("obu", list([format!("ob.{id}.{levels}")]))
}

/// What only the account may hear. Contracts want its number too, which no key tells.
fn private(topic: Topic, q: &Query<'_>, market: Option<&Market>) -> Result<Subscription> {
    let credentials = q.exchange.credentials()?;
    let scope = Scope::new(q, market)?;
    let part = if topic == Topic::Positions && scope.part == Part::Spot { Part::Swap } else { scope.part };
    let waits = topic == Topic::Orders && (scope.params.flag("trigger") || scope.params.flag("stop"));
    let name = match (topic, part) {
        (Topic::Balance, _) => "balances",
        (Topic::MyTrades, _) => "usertrades",
        (Topic::Positions, _) => "positions",
        (_, Part::Spot) if waits => "priceorders",
        _ if waits => "autoorders",
        _ => "orders",
    };
    let channel = format!("{}.{name}", root(part));
    let mut payload = Vec::new();
    if part != Part::Spot {
        let missing = || q.error(ErrorClass::ArgumentsRequired, "requires the account's number as params[\"uid\"]");
        payload.push(scope.params.text(&["uid"]).ok_or_else(missing)?);
    }
    match topic {
        Topic::Balance => {}
        Topic::Positions => payload.push(ALL),
        _ => payload.push(market.map_or(ALL, |market| &market.id)),
    }
    let words = scope.params.text(&["subType", "defaultSubType"]);
    let inverse = words.map_or(market.is_some_and(|market| market.linear == Some(false)), |word| word == "inverse");
    let time = q.exchange.now().div_euclid(1000);
    let signed = format!("channel={channel}&event=subscribe&time={time}");
    let signature = mac::sha512(credentials.secret.expose().as_bytes(), &[signed.as_bytes()])?;
    let auth = Fields::new()
        .with("method", "api_key")
        .with("KEY", credentials.api_key.expose().as_str())
        .with("SIGN", mac::hex(signature));
    let payload = (!payload.is_empty()).then(|| list(payload));
    let rest = scope.params.clone().without(&["uid", "trigger", "stop", "subType", "defaultSubType"]);
    let frame = frame(q, &channel).with("auth", Value::Object(auth)).with_some("payload", payload).and(rest);
    Ok(Subscription { url: address(part, inverse), login: None, subscribe: Some(frame.json()) })
}

#[async_trait]
impl Streams for Dialect {
    async fn watch(&self, topic: Topic, q: Query<'_>) -> Result<Subscription> {
        let markets = q.markets().await?;
        let mut asked = q.listed(&markets)?;
        asked.extend(q.market_if_any(&markets)?);
        if topic.private() { private(topic, &q, asked.first().copied()) } else { public(topic, &q, &asked) }
    }

    fn heard(&self, _url: &str, message: &str, markets: &Markets) -> Vec<Event> {
        heard::events(message, markets)
    }

    /// "Order Book V2 API" of the spot market begins with the whole book; "Order book update" of contracts goes on
    /// from one that is asked for. Both number their changes.
    fn rule(&self, market: &Market) -> Rule {
        Rule { follows: Follows::Range, asked: market.contract(), checksum: None, depth: None }
    }

    /// Ten levels are given unasked, and changes reach 100 deep.
    fn snapshot_depth(&self, market: &Market) -> Option<i64> {
        market.contract().then_some(100)
    }

    /// The exchange answers pings of the protocol, and sends its own.
    fn heartbeat(&self, _url: &str) -> Heartbeat {
        Heartbeat { every: Duration::from_secs(15), ping: None, silence: Duration::from_secs(45) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Outcome, Synced};

    fn book(message: &str) -> crate::stream::Delta {
        match heard::events(message, &Markets::default()).pop() {
            Some(Event::Book(delta)) => delta,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_spot_book_begins_with_all_of_it_and_goes_on_without_a_gap() {
        let mut synced = Synced::new(Rule { follows: Follows::Range, asked: false, checksum: None, depth: None });
        let message = |result: &str| format!(r#"{{"channel":"spot.obu","result":{{{result}}},"event":"update"}}"#);
        let whole = r#""t":1,"full":true,"s":"ob.XRP_USDT.50","u":10,"b":[["1.4","5"]],"a":[["1.5","6"]]"#;
        let next = r#""t":2,"s":"ob.XRP_USDT.50","U":11,"u":12,"b":[["1.4","0"],["1.3","2"]]"#;
        let late = r#""t":3,"s":"ob.XRP_USDT.50","U":14,"u":15,"a":[["1.5","0"]]"#;
        assert_eq!(synced.apply(&book(&message(whole))), Outcome::Changed);
        assert_eq!(synced.apply(&book(&message(next))), Outcome::Changed);
        let seen = synced.book().unwrap().unified(None, 5);
        assert_eq!((seen.bids.len(), seen.asks.len(), seen.nonce), (1, 1, Some(12)));
        assert_eq!(synced.apply(&book(&message(late))), Outcome::Gap);
    }

    #[test]
    fn a_contract_s_levels_are_objects_whose_amounts_may_be_numbers_or_texts() {
        let message = r#"{"id":null,"time":1,"channel":"futures.order_book_update","event":"update","error":null,
            "result":{"t":9,"s":"GMT_USDT","U":5,"u":7,"b":[{"p":"2.5","s":0}],"a":[{"p":"2.6","s":"1.5"}]}}"#;
        let delta = book(message);
        assert_eq!((delta.symbol.as_str(), delta.snapshot), ("GMT/USDT", false));
        assert_eq!((delta.first, delta.last, delta.time), (Some(5), Some(7), Some(9)));
        let digits =
            |change: &crate::stream::Change| (change.price.number().to_string(), change.amount.number().to_string());
        assert_eq!(digits(&delta.bids[0]), ("2.5".to_owned(), "0".to_owned()));
        assert_eq!(digits(&delta.asks[0]), ("2.6".to_owned(), "1.5".to_owned()));
    }

    #[test]
    fn a_level_that_is_no_number_is_told() {
        let message = r#"{"channel":"spot.obu","result":{"s":"ob.A_B.50","u":1,"b":[["x","1"]]},"event":"update"}"#;
        let events = heard::events(message, &Markets::default());
        assert!(matches!(events.as_slice(), [Event::Refused(_)]), "{events:?}");
    }
}
