//! Streams: "Websocket API" of the spot, margin and contract markets.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Dialect, heard, part};
use crate::exchange::{Result, not_supported};
use crate::query::Query;
use crate::stream::{Checksum, Event, Follows, Heartbeat, Rule, Streams, Subscription, Topic};
use crate::unified::{Market, Markets};
use crate::{ErrorClass, Exchange, Fields, Value, Venue, mac};

const PUBLIC: &str = "wss://ws.bitget.com/v2/ws/public";
const PRIVATE: &str = "wss://ws.bitget.com/v2/ws/private";
/// Depths that a book is sent whole in, each time it changes.
const WHOLE: [i64; 4] = [1, 5, 15, 50];
/// CCXT's lengths of candles, and the exchange's.
pub(super) const TIMEFRAMES: [(&str, &str); 11] = [
    ("1m", "1m"),
    ("3m", "3m"),
    ("5m", "5m"),
    ("15m", "15m"),
    ("30m", "30m"),
    ("1h", "1H"),
    ("4h", "4H"),
    ("6h", "6H"),
    ("12h", "12H"),
    ("1d", "1D"),
    ("1w", "1W"),
];

/// The channel of a topic that everybody may see.
fn channel(topic: Topic, q: &Query<'_>) -> Result<String> {
    Ok(match topic {
        Topic::Ticker | Topic::Tickers | Topic::BidsAsks => "ticker".to_owned(),
        Topic::Trades => "trade".to_owned(),
        Topic::OrderBook => match q.depth.filter(|depth| WHOLE.contains(depth)) {
            Some(depth) => format!("books{depth}"),
            None => "books".to_owned(),
        },
        Topic::Ohlcv => {
            let known = TIMEFRAMES.iter().find(|(name, _)| *name == q.timeframe);
            let none = || q.error(ErrorClass::BadRequest, &format!("has no candles of {:?}", q.timeframe));
            format!("candle{}", known.ok_or_else(none)?.1)
        }
        _ => return Err(q.not_supported()),
    })
}

/// The part of the exchange that a market is in, or that is asked for.
fn part_of(market: Option<&Market>, params: Fields) -> (String, Fields) {
    let (part, params) = match market {
        Some(market) if !market.contract() => ("SPOT".to_owned(), params),
        market => part::product(market, params),
    };
    let said = params.text(&["instType"]).map(str::to_owned);
    (said.unwrap_or(part), params.without(&["instType"]))
}

fn frame(channels: Vec<Fields>, params: Fields) -> Option<String> {
    let channels = Value::List(channels.into_iter().map(Value::from).collect());
    Some(Fields::new().with("op", "subscribe").with("args", channels).and(params).json())
}

/// "Connect", section "Login".
fn login(exchange: &Exchange) -> Result<String> {
    let credentials = exchange.credentials()?;
    let time = exchange.now().div_euclid(1000).to_string();
    let signature = mac::sha256(credentials.secret.expose().as_bytes(), &[time.as_bytes(), b"GET/user/verify"])?;
    let account = Fields::new()
        .with("apiKey", credentials.api_key.expose().as_str())
        .with_some("passphrase", credentials.password.as_ref().map(|password| password.expose().as_str()))
        .with("timestamp", time)
        .with("sign", STANDARD.encode(signature));
    let accounts = Value::List(vec![account.into()]);
    Ok(Fields::new().with("op", "login").with("args", accounts).with("url", PRIVATE).json())
}

/// The channel of a topic that only the account may see.
fn account(topic: Topic, q: &Query<'_>, market: Option<&Market>) -> (Fields, Fields) {
    let params = q.params.clone();
    let of = |part: &str, channel: &str| Fields::new().with("instType", part).with("channel", channel);
    match topic {
        Topic::Positions => {
            let (part, params) = match market {
                Some(market) => part_of(Some(market), params),
                None => ("USDT-FUTURES".to_owned(), params),
            };
            (of(&part, "positions").with("instId", "default"), params)
        }
        Topic::MyTrades => {
            let (kind, params) = part::kind(market, params);
            let (part, params) =
                if market.is_none() && kind == "spot" { ("SPOT".to_owned(), params) } else { part_of(market, params) };
            (of(&part, "fill").with("instId", "default"), params)
        }
        Topic::Orders => orders(market, params),
        _ => {
            let (kind, params) = part::kind(None, params);
            let (mode, params) = part::margin_mode(params);
            let (part, channel) = match (kind.as_str(), mode.as_deref()) {
                ("swap" | "future", _) => ("USDT-FUTURES", "account"),
                (_, Some("isolated")) => ("MARGIN", "account-isolated"),
                (_, Some(_)) => ("MARGIN", "account-crossed"),
                (_, None) => ("SPOT", "account"),
            };
            let said = params.text(&["instType"]).unwrap_or(part).to_owned();
            (of(&said, channel).with("coin", "default"), params.without(&["instType"]))
        }
    }
}

/// "Order Channel" and "Plan Order Channel": of the spot market those of one market, else of all.
fn orders(market: Option<&Market>, params: Fields) -> (Fields, Fields) {
    let (trigger, params) = part::trigger(params);
    let (kind, params) = part::kind(market, params);
    let (mode, params) = part::margin_mode(params);
    let (part, params) =
        if market.is_none() && kind == "spot" { ("SPOT".to_owned(), params) } else { part_of(market, params) };
    let named = market.filter(|_| matches!(kind.as_str(), "spot" | "margin")).map(|market| market.id.as_str());
    let (part, channel) = match mode.as_deref() {
        Some("isolated") => ("MARGIN", "orders-isolated"),
        Some(_) => ("MARGIN", "orders-crossed"),
        None if trigger => (part.as_str(), "orders-algo"),
        None => (part.as_str(), "orders"),
    };
    let fields = Fields::new().with("instType", part).with("channel", channel);
    (fields.with("instId", named.unwrap_or("default")), params.without(&["subType", "defaultSubType"]))
}

#[async_trait]
impl Streams for Dialect {
    async fn watch(&self, topic: Topic, q: Query<'_>) -> Result<Subscription> {
        if q.params.flag("uta") {
            return Err(not_supported(Venue::Bitget, "unified accounts"));
        }
        let markets = q.markets().await?;
        let mut asked = q.listed(&markets)?;
        asked.extend(q.market_if_any(&markets)?);
        if topic.private() {
            let (channel, params) = account(topic, &q, asked.first().copied());
            let login = Some(login(q.exchange)?);
            let subscribe = frame(vec![channel], params.without(&["uta"]));
            return Ok(Subscription { url: PRIVATE.to_owned(), login, subscribe });
        }
        if asked.is_empty() {
            return Err(q.error(ErrorClass::ArgumentsRequired, "requires a symbol"));
        }
        let channel = channel(topic, &q)?;
        let mut params = q.params.clone().without(&["uta"]);
        let mut channels = Vec::new();
        for market in asked {
            let (part, rest) = part_of(Some(market), q.params.clone().without(&["uta"]));
            let of = Fields::new().with("instType", part).with("channel", channel.as_str());
            channels.push(of.with("instId", market.id.as_str()));
            params = rest;
        }
        Ok(Subscription { url: PUBLIC.to_owned(), login: None, subscribe: frame(channels, params) })
    }

    fn heard(&self, _url: &str, message: &str, markets: &Markets) -> Vec<Event> {
        heard::events(message, markets)
    }

    /// "Order Book Channel": numbers only rise; what is missing shows in the checksum.
    fn rule(&self, _market: &Market) -> Rule {
        Rule { follows: Follows::Unsaid, asked: false, checksum: Some(Checksum::Pairs), depth: None }
    }

    /// "Connect": a text to be sent each 30 seconds, which is answered; after two minutes without one the exchange
    /// closes.
    fn heartbeat(&self, _url: &str) -> Heartbeat {
        Heartbeat { every: Duration::from_secs(30), ping: Some("ping".to_owned()), silence: Duration::from_secs(65) }
    }
}
