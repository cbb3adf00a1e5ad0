//! Streams: WebSocket API v2, "Subscribe" of each channel.

use std::time::Duration;

use async_trait::async_trait;

use super::http::minutes;
use super::parse::result;
use super::sign::private;
use super::{Dialect, heard};
use crate::exchange::{Result, required};
use crate::json::Access as _;
use crate::query::Query;
use crate::stream::{Checksum, Event, Follows, Heartbeat, Rule, Streams, Subscription, Topic};
use crate::unified::{Market, Markets};
use crate::{ErrorClass, Fields, Value, Venue};

const PUBLIC: &str = "wss://ws.kraken.com/v2";
const PRIVATE: &str = "wss://ws-auth.kraken.com/v2";
/// Depths of a book that can be asked for; without one it is the first.
const DEPTHS: [i64; 5] = [10, 25, 100, 500, 1000];

/// The name that streams know a market by: the exchange's own names of currencies, but for two that are read more
/// easily.
fn name(market: &Market) -> String {
    let readable = |id: &str| match id {
        "XBT" => "BTC".to_owned(),
        "XDG" => "DOGE".to_owned(),
        other => other.to_owned(),
    };
    let name = market.info.text_of("wsname");
    let parts = name.as_deref().and_then(|name| name.split_once('/'));
    parts.map_or_else(|| market.symbol.clone(), |(base, quote)| format!("{}/{}", readable(base), readable(quote)))
}

/// A frame, and what stands beside its parameters.
fn frame(q: &Query<'_>, params: Fields, beside: Fields) -> String {
    let id = i64::try_from(q.exchange.next_request()).unwrap_or_default();
    Fields::new().with("method", "subscribe").with("params", params).with("req_id", id).and(beside).json()
}

/// The right to listen to the account, good for 15 minutes until it is used ("Get Websockets Token").
async fn token(q: &Query<'_>) -> Result<String> {
    let request = private(q.exchange, "GetWebSocketsToken", Fields::new())?;
    let token = q.exchange.ask(request, |body| result(body).string_of(&["token"])).await?;
    token.ok_or_else(|| q.error(ErrorClass::AuthenticationError, "received no token"))
}

#[async_trait]
impl Streams for Dialect {
    async fn watch(&self, topic: Topic, q: Query<'_>) -> Result<Subscription> {
        let markets = q.markets().await?;
        let mut asked = q.listed(&markets)?;
        asked.extend(q.market_if_any(&markets)?);
        let channel = match topic {
            Topic::Ticker | Topic::Tickers | Topic::BidsAsks => "ticker",
            Topic::Trades => "trade",
            Topic::OrderBook => "book",
            Topic::Ohlcv => "ohlc",
            Topic::Balance => "balances",
            Topic::Orders | Topic::MyTrades => "executions",
            Topic::Positions => return Err(q.not_supported()),
        };
        if topic == Topic::OrderBook && q.depth.is_some_and(|depth| !DEPTHS.contains(&depth)) {
            return Err(q.error(ErrorClass::NotSupported, "takes a depth of 10, 25, 100, 500 or 1000"));
        }
        let params = Fields::new().with("channel", channel);
        if topic.private() {
            let params = params.with("token", token(&q).await?);
            let (params, beside) = match topic {
                Topic::Orders => (params.and(q.params.clone()).with("snap_orders", true), Fields::new()),
                Topic::MyTrades => (params.and(q.params.clone()).with("snap_trades", true), Fields::new()),
                _ => (params, q.params.clone()),
            };
            let subscribe = Some(frame(&q, params, beside));
            return Ok(Subscription { url: PRIVATE.to_owned(), login: None, subscribe });
        }
        if asked.is_empty() {
            return Err(required(Venue::Kraken, q.method, "symbol"));
        }
        let names = asked.iter().map(|market| Value::Text(name(market))).collect();
        let params = params.with("symbol", Value::List(names));
        let (params, beside) = match topic {
            Topic::Ohlcv => {
                let asked = if q.timeframe.is_empty() { "1m" } else { q.timeframe };
                let interval = minutes(asked).map_or_else(|| Value::from(asked), Value::from);
                (params.with("interval", interval), q.params.clone())
            }
            Topic::BidsAsks => (params.and(q.params.clone()).with("event_trigger", "bbo"), Fields::new()),
            Topic::OrderBook => (params.with_some("depth", q.depth).and(q.params.clone()), Fields::new()),
            _ => (params.and(q.params.clone()), Fields::new()),
        };
        let subscribe = Some(frame(&q, params, beside));
        Ok(Subscription { url: PUBLIC.to_owned(), login: None, subscribe })
    }

    fn heard(&self, _url: &str, message: &str, markets: &Markets) -> Vec<Event> {
        heard::events(message, markets)
    }

    /// "Book": the stream begins with a snapshot, says no numbers, and leaves it to the reader to drop what falls out
    /// of the depth that was asked for.
    fn rule(&self, _market: &Market) -> Rule {
        Rule { follows: Follows::Unsaid, asked: false, checksum: Some(Checksum::Digits), depth: Some(10) }
    }

    /// "Heartbeat": about one a second where nothing else is sent, once something is subscribed to; "Ping" before that.
    fn heartbeat(&self, _url: &str) -> Heartbeat {
        let ping = Some(r#"{"method":"ping"}"#.to_owned());
        Heartbeat { every: Duration::from_secs(10), ping, silence: Duration::from_secs(30) }
    }
}
