//! Streams: V5 "WebSocket Stream".

use std::time::Duration;

use async_trait::async_trait;

use super::{Dialect, heard, part};
use crate::exchange::{Result, required};
use crate::query::Query;
use crate::stream::{Event, Follows, Heartbeat, Rule, Streams, Subscription, Topic};
use crate::unified::{Market, Markets};
use crate::{ErrorClass, Exchange, Fields, Value, mac};

const PUBLIC: &str = "wss://stream.bybit.com/v5/public";
const PRIVATE: &str = "wss://stream.bybit.com/v5/private";
/// How long a signed login holds, in milliseconds.
const LOGIN_HOLDS: i64 = 10_000;
/// Levels of a book if no number is asked for.
const DEPTH: i64 = 50;
/// Levels that a book can have.
const DEPTHS: [i64; 4] = [1, 50, 200, 1000];

/// "Authentication": the end of the login's time is signed.
fn login(exchange: &Exchange) -> Result<String> {
    let credentials = exchange.credentials()?;
    let ends = exchange.now().saturating_add(LOGIN_HOLDS).to_string();
    let signature = mac::sha256(credentials.secret.expose().as_bytes(), &[b"GET/realtime", ends.as_bytes()])?;
    let arguments = [credentials.api_key.expose().clone(), ends, mac::hex(signature)].map(Value::from);
    Ok(Fields::new().with("op", "auth").with("args", Value::List(arguments.to_vec())).json())
}

/// The frame that asks for these.
fn subscribe(q: &Query<'_>, topics: Vec<String>, params: Fields) -> String {
    let number = i64::try_from(q.exchange.next_request()).unwrap_or(i64::MAX);
    let topics = Value::List(topics.into_iter().map(Value::from).collect());
    let frame = Fields::new().with("op", "subscribe").with("req_id", number).with("args", topics);
    frame.and(params).json()
}

/// The account's topic, and the parameters that are no part of its name.
fn private(topic: Topic, q: &Query<'_>) -> (&'static str, Fields) {
    let params = q.params.clone();
    match topic {
        Topic::Balance => ("wallet", Fields::new()),
        Topic::Orders => ("order", params),
        Topic::Positions => ("position", params),
        _ => {
            let fast = params.flag("executionFast");
            let params = params.without(&["executionFast", "defaultExecutionFast"]);
            (if fast { "execution.fast" } else { "execution" }, params)
        }
    }
}

/// What a market's topic begins with.
fn public(topic: Topic, q: &Query<'_>) -> Result<String> {
    Ok(match topic {
        Topic::Ticker | Topic::Tickers => "tickers".to_owned(),
        Topic::BidsAsks => "orderbook.1".to_owned(),
        Topic::Trades => "publicTrade".to_owned(),
        Topic::Ohlcv => format!("kline.{}", super::data::interval(q.timeframe)),
        Topic::OrderBook => {
            let depth = q.depth.unwrap_or(DEPTH);
            if !DEPTHS.contains(&depth) {
                return Err(q.error(ErrorClass::BadRequest, &format!("has books of {DEPTHS:?} levels only")));
            }
            format!("orderbook.{depth}")
        }
        _ => return Err(q.not_supported()),
    })
}

#[async_trait]
impl Streams for Dialect {
    async fn watch(&self, topic: Topic, q: Query<'_>) -> Result<Subscription> {
        let markets = q.markets().await?;
        let mut asked = q.listed(&markets)?;
        asked.extend(q.market_if_any(&markets)?);
        if topic.private() {
            let login = login(q.exchange)?;
            let (name, params) = private(topic, &q);
            let subscribe = Some(subscribe(&q, vec![name.to_owned()], params));
            return Ok(Subscription { url: PRIVATE.to_owned(), login: Some(login), subscribe });
        }
        let first = *asked.first().ok_or_else(|| required(q.exchange.venue(), q.method, "symbol"))?;
        let name = public(topic, &q)?;
        let topics = asked.iter().map(|market| format!("{name}.{}", market.id)).collect();
        let part = match q.params.text(&["subType", "defaultSubType"]) {
            Some(part @ (part::LINEAR | part::INVERSE)) if first.contract() => part,
            _ => part::of(first),
        };
        let params = q.params.clone().without(&["type", "subType", "settle", "defaultSettle", "unifiedMargin"]);
        let subscribe = Some(subscribe(&q, topics, params));
        Ok(Subscription { url: format!("{PUBLIC}/{part}"), login: None, subscribe })
    }

    fn heard(&self, url: &str, message: &str, markets: &Markets) -> Vec<Event> {
        heard::events(url, message, markets)
    }

    /// "Orderbook": the stream sends a snapshot first, and again when its service began anew.
    fn rule(&self, _market: &Market) -> Rule {
        Rule { follows: Follows::Step, asked: false, checksum: None, depth: None }
    }

    /// "How to Send the Heartbeat Packet": a ping every 20 seconds.
    fn heartbeat(&self, _url: &str) -> Heartbeat {
        let ping = Some(r#"{"op":"ping"}"#.to_owned());
        Heartbeat { every: Duration::from_secs(20), ping, silence: Duration::from_secs(50) }
    }
}
