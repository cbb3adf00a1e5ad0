//! Streams: "WebSocket Market Data" and "WebSocket Asset and Order" of the spot market, "WebSocket Subscription" of the
//! contract markets. Frames come as gzip.

use std::time::Duration;

use async_trait::async_trait;

use super::orders::{linear, part};
use super::sign::{second, signature};
use super::{Dialect, candles, heard};
use crate::exchange::{Result, not_supported};
use crate::query::Query;
use crate::stream::{Event, Follows, Heartbeat, Rule, Streams, Subscription, Topic};
use crate::unified::{Market, MarketKind, Markets};
use crate::{ErrorClass, Exchange, Fields, Value, Venue};

const SPOT: &str = "wss://api.huobi.pro/ws";
/// Books of the spot market have a server of their own.
const SPOT_BOOKS: &str = "wss://api.huobi.pro/feed";
const SPOT_ACCOUNT: (&str, &str, &str) = ("wss://api.huobi.pro/ws/v2", "api.huobi.pro", "/ws/v2");
const CONTRACTS: &str = "wss://api.hbdm.vn/linear-swap-ws";
const CONTRACTS_ACCOUNT: (&str, &str, &str) =
    ("wss://api.hbdm.vn/ws/v5/notification", "api.hbdm.vn", "/ws/v5/notification");
/// Depths that books can have, and the one they have if none is asked for.
const DEPTHS: [i64; 4] = [5, 20, 150, 400];
const DEPTH: i64 = 150;

/// The channel of a market.
fn channel(topic: Topic, q: &Query<'_>, market: &Market) -> Result<String> {
    let id = &market.id;
    Ok(match topic {
        Topic::Ticker => format!("market.{id}.detail"),
        Topic::Trades => format!("market.{id}.trade.detail"),
        Topic::Ohlcv => format!("market.{id}.kline.{}", candles::period(q.timeframe)),
        Topic::OrderBook => {
            let depth = q.depth.unwrap_or(DEPTH);
            if !DEPTHS.contains(&depth) {
                return Err(q.error(ErrorClass::ExchangeError, "has books of 5, 20, 150 and 400 levels only"));
            }
            if market.contract() {
                format!("market.{id}.depth.size_{depth}.high_freq")
            } else {
                format!("market.{id}.mbp.{depth}")
            }
        }
        _ => return Err(q.not_supported()),
    })
}

fn public(topic: Topic, q: &Query<'_>, market: &Market) -> Result<Subscription> {
    let channel = channel(topic, q, market)?;
    let book = topic == Topic::OrderBook;
    let url = match market.kind {
        MarketKind::Spot if book => SPOT_BOOKS,
        MarketKind::Spot => SPOT,
        _ => linear(market).map(|_| CONTRACTS)?,
    };
    let changes = (book && market.contract()).then_some("incremental");
    let frame = Fields::new()
        .with("sub", channel)
        .with("id", q.exchange.next_request().to_string())
        .and(q.params.clone())
        .with_some("data_type", changes);
    Ok(Subscription { url: url.to_owned(), login: None, subscribe: Some(frame.json()) })
}

/// "Authentication" of the account's stream of the spot market.
fn spot_login(exchange: &Exchange) -> Result<Option<String>> {
    let (_, host, path) = SPOT_ACCOUNT;
    let credentials = exchange.credentials()?;
    let said = Fields::new()
        .with("accessKey", credentials.api_key.expose().as_str())
        .with("signatureMethod", "HmacSHA256")
        .with("signatureVersion", "2.1")
        .with("timestamp", second(exchange));
    let signature = signature(exchange, "GET", host, path, &said.query())?;
    let params = Fields::new().with("authType", "api").and(said).with("signature", signature);
    Ok(Some(Fields::new().with("action", "req").with("ch", "auth").with("params", params).json()))
}

/// "Authentication" of the account's stream of the contract markets.
fn contract_login(exchange: &Exchange) -> Result<Option<String>> {
    let (_, host, path) = CONTRACTS_ACCOUNT;
    let credentials = exchange.credentials()?;
    let said = Fields::new()
        .with("AccessKeyId", credentials.api_key.expose().as_str())
        .with("SignatureMethod", "HmacSHA256")
        .with("SignatureVersion", "2")
        .with("Timestamp", second(exchange));
    let signature = signature(exchange, "GET", host, path, &said.query())?;
    Ok(Some(Fields::new().with("op", "auth").with("type", "api").and(said).with("Signature", signature).json()))
}

fn private(topic: Topic, q: &Query<'_>, market: Option<&Market>) -> Result<Subscription> {
    let (part, params) = part(&q.params, market);
    if part != "spot" {
        return contracts(topic, q, market, params);
    }
    let id = market.and_then(|market| market.lowercase_id.as_deref()).unwrap_or("*");
    let mode = |default: &str| params.text(&["mode"]).unwrap_or(default).to_owned();
    let channel = match topic {
        // each message says what is free and all there is
        Topic::Balance => format!("accounts.update#{}", mode("2")),
        Topic::Orders => format!("orders#{id}"),
        // 0: what was traded; 1: what was taken back too
        Topic::MyTrades => format!("trade.clearing#{id}#{}", mode("0")),
        _ => return Err(q.not_supported()),
    };
    let own: &[&str] = if topic == Topic::MyTrades { &["mode"] } else { &[] };
    let params = params.without(own).without(&["subType", "defaultSubType", "isUnifiedAccount", "unified"]);
    let frame = Fields::new().with("action", "sub").with("ch", channel).and(params);
    let login = spot_login(q.exchange)?;
    Ok(Subscription { url: SPOT_ACCOUNT.0.to_owned(), login, subscribe: Some(frame.json()) })
}

fn contracts(topic: Topic, q: &Query<'_>, market: Option<&Market>, params: Fields) -> Result<Subscription> {
    if params.text(&["subType", "defaultSubType"]) == Some("inverse") {
        return Err(not_supported(Venue::Htx, "contracts settled in coins"));
    }
    let market = market.map(linear).transpose()?;
    let topic = match topic {
        Topic::Balance => "account",
        Topic::Orders => "orders",
        Topic::MyTrades => "trade",
        _ => return Err(q.not_supported()),
    };
    let said = params.text(&["contract_code"]).unwrap_or("*").to_owned();
    let code = market.map_or(said, |market| market.id.clone());
    let code = (topic != "account").then_some(Value::Text(code));
    let own = ["subType", "defaultSubType", "contract_code", "isUnifiedAccount", "unified"];
    let params = params.without(&own);
    let params = if topic == "account" { params.without(&["currency", "symbol", "margin"]) } else { params };
    let frame = Fields::new()
        .with("op", "sub")
        .with("topic", topic)
        .with("cid", q.exchange.next_request().to_string())
        .with_some("contract_code", code)
        .and(params);
    let login = contract_login(q.exchange)?;
    Ok(Subscription { url: CONTRACTS_ACCOUNT.0.to_owned(), login, subscribe: Some(frame.json()) })
}

#[async_trait]
impl Streams for Dialect {
    async fn watch(&self, topic: Topic, q: Query<'_>) -> Result<Subscription> {
        // CCXT offers none of these here, though positions can be heard of
        if matches!(topic, Topic::Tickers | Topic::BidsAsks | Topic::Positions) {
            return Err(q.not_supported());
        }
        let markets = q.markets().await?;
        if topic.private() {
            private(topic, &q, q.market_if_any(&markets)?)
        } else {
            public(topic, &q, q.market(&markets)?)
        }
    }

    fn heard(&self, _url: &str, message: &str, markets: &Markets) -> Vec<Event> {
        heard::events(message, markets)
    }

    /// Contracts' streams begin with the whole book, and number each change. The spot market's whole book is asked for
    /// over the stream (see [`heard`]), and changes say which one they follow.
    fn rule(&self, market: &Market) -> Rule {
        let follows = if market.contract() { Follows::Step } else { Follows::LateLink };
        let depth = usize::try_from(DEPTH).ok();
        Rule { follows, asked: false, checksum: None, depth }
    }

    /// The exchange pings every 5 or 20 seconds, and closes when two or three of them are not answered.
    fn heartbeat(&self, _url: &str) -> Heartbeat {
        Heartbeat { every: Duration::from_secs(60), ping: None, silence: Duration::from_secs(60) }
    }
}
