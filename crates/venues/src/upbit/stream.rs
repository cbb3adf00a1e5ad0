//! Streams: "WebSocket".

use std::time::Duration;

use async_trait::async_trait;

use super::{Dialect, heard, sign};
use crate::exchange::{Result, required};
use crate::query::Query;
use crate::stream::{Event, Follows, Heartbeat, Rule, Streams, Subscription, Topic};
use crate::unified::{Market, Markets};
use crate::{ErrorClass, Exchange, Fields, Value};

const PUBLIC: &str = "wss://api.upbit.com/websocket/v1";
const PRIVATE: &str = "wss://api.upbit.com/websocket/v1/private";
/// The one length of candles that there is a stream of.
const CANDLES: &str = "1s";

/// The exchange's name of a topic.
fn named(topic: Topic, q: &Query<'_>) -> Result<&'static str> {
    Ok(match topic {
        Topic::Ticker | Topic::Tickers => "ticker",
        Topic::Trades => "trade",
        Topic::OrderBook => "orderbook",
        Topic::Ohlcv if q.timeframe.is_empty() || q.timeframe == CANDLES => "candle.1s",
        Topic::Ohlcv => return Err(q.error(ErrorClass::NotSupported, "has candles of one second only")),
        Topic::Orders | Topic::MyTrades => "myOrder",
        Topic::Balance => "myAsset",
        Topic::BidsAsks | Topic::Positions => return Err(q.not_supported()),
    })
}

/// A topic of markets, or of all.
fn part(name: &str, markets: &[&Market]) -> Fields {
    let codes: Vec<Value> = markets.iter().map(|market| Value::from(market.id.as_str())).collect();
    Fields::new().with("type", name).with_some("codes", (!codes.is_empty()).then_some(Value::List(codes)))
}

/// A frame that asks for these, and for nothing else that was asked for before.
fn frame(exchange: &Exchange, parts: impl IntoIterator<Item = Fields>) -> String {
    let ticket = Fields::new().with("ticket", exchange.uuid());
    let parts: Vec<String> = std::iter::once(ticket).chain(parts).map(|part| part.json()).collect();
    format!("[{}]", parts.join(","))
}

#[async_trait]
impl Streams for Dialect {
    async fn watch(&self, topic: Topic, q: Query<'_>) -> Result<Subscription> {
        let markets = q.markets().await?;
        let name = named(topic, &q)?;
        let mut asked = q.listed(&markets)?;
        asked.extend(q.market_if_any(&markets)?);
        if topic.private() {
            // a key that signs nothing is refused here, and not by a connection
            self.handshake(q.exchange, PRIVATE)?;
            let subscribe = Some(frame(q.exchange, [part(name, &asked)]));
            return Ok(Subscription { url: PRIVATE.to_owned(), login: None, subscribe });
        }
        if topic == Topic::Tickers && q.symbols.is_none() {
            asked.extend(markets.all());
            asked.sort_by(|one, other| one.symbol.cmp(&other.symbol));
        } else if asked.is_empty() {
            return Err(required(q.exchange.venue(), q.method, "symbol"));
        }
        let subscribe = Some(frame(q.exchange, asked.iter().map(|market| part(name, &[market]))));
        Ok(Subscription { url: PUBLIC.to_owned(), login: None, subscribe })
    }

    fn heard(&self, _url: &str, message: &str, markets: &Markets) -> Vec<Event> {
        heard::events(message, markets)
    }

    /// The account is told by the token of a request.
    fn handshake(&self, exchange: &Exchange, url: &str) -> Result<Vec<(&'static str, String)>> {
        if !url.ends_with("/private") {
            return Ok(Vec::new());
        }
        Ok(vec![("Authorization", format!("Bearer {}", sign::token(exchange, "")?))])
    }

    /// A request says all that the connection is to carry: the first ticket, and what each asks for.
    fn joined(&self, frames: &[String]) -> Option<String> {
        let parts = |frame: &String| serde_json::from_str::<Vec<serde_json::Value>>(frame).unwrap_or_default();
        let mut all = frames.iter().map(parts);
        let mut joined = all.next()?;
        joined.extend(all.flat_map(|parts| parts.into_iter().skip(1)));
        Some(serde_json::Value::Array(joined).to_string())
    }

    /// Every message is the whole book.
    fn rule(&self, _market: &Market) -> Rule {
        Rule { follows: Follows::Unsaid, asked: false, checksum: None, depth: None }
    }

    /// "Connection": closed after two minutes without a word.
    fn heartbeat(&self, _url: &str) -> Heartbeat {
        Heartbeat { every: Duration::from_secs(30), ping: None, silence: Duration::from_secs(120) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_carries_all() {
        let frames =
            [r#"[{"ticket":"a"},{"type":"ticker","codes":["KRW-BTC"]}]"#, r#"[{"ticket":"b"},{"type":"trade"}]"#];
        let joined = Dialect.joined(&frames.map(str::to_owned)).unwrap();
        let expected =
            serde_json::json!([{"ticket": "a"}, {"type": "ticker", "codes": ["KRW-BTC"]}, {"type": "trade"}]);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&joined).unwrap(), expected);
        assert_eq!(Dialect.joined(&[]), None);
    }
}
