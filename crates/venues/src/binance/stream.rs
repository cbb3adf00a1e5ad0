//! Streams: "WebSocket Streams" and "User Data Streams" of the spot and of the contract markets.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::sign::{Api, request};
use super::{Dialect, heard};
use crate::exchange::Result;
use crate::json::Access as _;
use crate::query::Query;
use crate::stream::{Event, Follows, Heartbeat, Rule, Streams, Subscription, Topic};
use crate::unified::{Market, Markets};
use crate::{ErrorClass, Exchange, Fields, Verb, mac};

const SPOT: &str = "wss://stream.binance.com:9443/ws";
const CONTRACTS: &str = "wss://fstream.binance.com";
/// Where the account of the spot market is listened to.
const SPOT_ACCOUNT: &str = "wss://ws-api.binance.com:443/ws-api/v3";
/// Streams of which the contract markets have a server of their own.
const OF_BOOKS: [&str; 3] = ["depth", "bookTicker", "trade"];

/// The server of a market's stream. The number at the end tells connections apart; one carries 1,024 streams.
fn address(market: &Market, stream: &str) -> String {
    if !market.contract() {
        return format!("{SPOT}/0");
    }
    let part = if OF_BOOKS.contains(&stream) { "public" } else { "market" };
    format!("{CONTRACTS}/{part}/ws/0")
}

/// The stream's name, and what stands behind it.
fn named(topic: Topic, q: &Query<'_>) -> Result<(String, String)> {
    let word = |default: &str| q.params.text(&["name"]).unwrap_or(default).to_owned();
    Ok(match topic {
        Topic::Ticker | Topic::Tickers => (word("miniTicker"), String::new()),
        Topic::BidsAsks => (word("bookTicker"), String::new()),
        Topic::Trades => (word("trade"), String::new()),
        Topic::OrderBook => ("depth".to_owned(), "@100ms".to_owned()),
        Topic::Ohlcv => ("kline".to_owned(), format!("_{}", q.timeframe)),
        _ => return Err(q.not_supported()),
    })
}

/// "User Data Stream Subscribe": the account is named by a signed frame.
fn account(exchange: &Exchange) -> Result<String> {
    const WINDOW: i64 = 10_000;
    let credentials = exchange.credentials()?;
    let (key, now, id) = (credentials.api_key.expose(), exchange.now(), exchange.next_request().to_string());
    let fields = Fields::new().with("apiKey", key.as_str()).with("recvWindow", WINDOW).with("timestamp", now);
    let signature = mac::hex(mac::sha256(credentials.secret.expose().as_bytes(), &[fields.query().as_bytes()])?);
    let params = json!({ "apiKey": key, "recvWindow": WINDOW, "timestamp": now, "signature": signature });
    Ok(json!({ "id": id, "method": "userDataStream.subscribe.signature", "params": params }).to_string())
}

#[async_trait]
impl Streams for Dialect {
    async fn watch(&self, topic: Topic, q: Query<'_>) -> Result<Subscription> {
        let markets = q.markets().await?;
        let mut asked = q.listed(&markets)?;
        asked.extend(q.market_if_any(&markets)?);
        if topic.private() {
            let contracts = topic == Topic::Positions
                || asked.first().is_some_and(|market| market.contract())
                || q.params.text(&["type"]).is_some_and(|part| part != "spot");
            if !contracts {
                let subscribe = Some(account(q.exchange)?);
                return Ok(Subscription { url: SPOT_ACCOUNT.to_owned(), login: None, subscribe });
            }
            q.exchange.credentials()?;
            let key = request(q.exchange, Api::LinearKey, Verb::Post, "listenKey", Fields::new())?;
            let key = q.exchange.ask(key, |body| body.string_of(&["listenKey"])).await?;
            let none = || q.error(ErrorClass::BadResponse, "has no listenKey");
            let url = format!("{CONTRACTS}/private/ws?listenKey={}", key.ok_or_else(none)?);
            return Ok(Subscription { url, login: None, subscribe: None });
        }
        let first = *asked.first().ok_or_else(|| q.error(ErrorClass::ArgumentsRequired, "requires a symbol"))?;
        let (name, rest) = named(topic, &q)?;
        let stream = |market: &&Market| format!("{}@{name}{rest}", market.id.to_lowercase());
        let streams: Vec<String> = asked.iter().map(stream).collect();
        let id = q.exchange.next_request();
        let frame = json!({ "method": "SUBSCRIBE", "params": streams, "id": id }).to_string();
        Ok(Subscription { url: address(first, &name), login: None, subscribe: Some(frame) })
    }

    fn heard(&self, url: &str, message: &str, markets: &Markets) -> Vec<Event> {
        heard::events(url, message, markets)
    }

    /// "Keepalive User Data Stream": a key holds for an hour, and its use is said every half of one at least.
    fn keeps_listening(&self, url: &str) -> Option<Duration> {
        const KEPT: Duration = Duration::from_secs(20 * 60);
        url.contains("listenKey=").then_some(KEPT)
    }

    async fn keep_listening(&self, exchange: &Exchange, _url: &str) -> Result<()> {
        let request = request(exchange, Api::LinearKey, Verb::Put, "listenKey", Fields::new())?;
        exchange.ask(request, |_| ()).await
    }

    /// "How to manage a local order book correctly"; contracts say which update each one follows.
    fn rule(&self, market: &Market) -> Rule {
        let follows = if market.contract() { Follows::Link } else { Follows::Range };
        Rule { follows, asked: true, checksum: None, depth: None }
    }

    /// Changes reach 1,000 levels deep.
    fn snapshot_depth(&self, _market: &Market) -> Option<i64> {
        Some(1_000)
    }

    /// The exchange pings every 20 seconds (spot) or 3 minutes (contracts), and closes after a day.
    fn heartbeat(&self, _url: &str) -> Heartbeat {
        Heartbeat { every: Duration::from_secs(180), ping: None, silence: Duration::from_secs(240) }
    }
}
