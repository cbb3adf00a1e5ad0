//! Streams: "Websocket Introduction" of the spot market and of contracts. The address is asked for, with a token that
//! says whose connection it is.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::market_data::word;
use super::params::{classic, contracts, kind, take, take_flag};
use super::parse::data;
use super::sign::{Api, private, public};
use super::{Dialect, account, heard};
use crate::exchange::Result;
use crate::json::{Access as _, Json};
use crate::query::Query;
use crate::stream::{Event, Follows, Heartbeat, Rule, Streams, Subscription, Topic};
use crate::unified::{Market, Markets};
use crate::{ErrorClass, Fields, Request, Verb};

/// Where positions are listened to.
const ACCOUNT: &str = "wss://wsapi-push.kucoin.com";
/// Markets of one frame, at most.
const MARKETS_MAX: usize = 100;
/// Levels of a book; 5 and 50 are sent whole each time, the others come with a book that is kept by its changes.
const DEPTHS: [i64; 4] = [5, 20, 50, 100];

/// The markets' names in a topic.
fn ids(markets: &[&Market]) -> String {
    markets.iter().map(|market| market.id.as_str()).collect::<Vec<_>>().join(",")
}

/// "Get Public Token" and "Get Private Token", as an address to connect to.
async fn address(q: &Query<'_>, contracts: bool, of_account: bool) -> Result<String> {
    let api = Api::of(contracts);
    let request = if of_account {
        private(q.exchange, api, Verb::Post, "v1/bullet-private", &Fields::new())?
    } else {
        Request { verb: Verb::Post, ..public(api, "v1/bullet-public", &Fields::new()) }
    };
    let read = |body: &Json<'_>| {
        let server = data(body).get("instanceServers").at(0);
        Some((server.string_of(&["endpoint"])?, data(body).string_of(&["token"])?))
    };
    let none = || q.error(ErrorClass::BadResponse, "has no address to connect to");
    let (endpoint, token) = q.exchange.ask(request, read).await?.ok_or_else(none)?;
    let whose = if of_account { "private" } else { "public" };
    let connect = format!("{whose}{}", if contracts { "Futures" } else { "" });
    let fields = Fields::new().with("token", token).with("privateChannel", of_account).with("connectId", connect);
    Ok(format!("{endpoint}?{}", fields.query()))
}

/// The frame that asks for a topic.
fn frame(q: &Query<'_>, topic: &str, of_account: bool) -> String {
    let fields = Fields::new()
        .with("id", q.exchange.next_request().to_string())
        .with("type", "subscribe")
        .with("topic", topic)
        .with("response", true)
        .with_some("privateChannel", of_account.then_some(true));
    fields.and(q.params.clone()).json()
}

/// What a public topic is called, of these markets; and whether it is of contracts.
fn public_topic(topic: Topic, q: &mut Query<'_>, asked: &[&Market]) -> Result<(String, bool)> {
    let several = matches!(topic, Topic::Tickers | Topic::BidsAsks);
    let first = asked.first().copied();
    if asked.iter().any(|market| Some(market.kind) != first.map(|market| market.kind)) {
        return Err(q.error(ErrorClass::BadRequest, "takes markets of one kind"));
    }
    let contract = match topic {
        Topic::Tickers => contracts(&mut q.params, first),
        _ => first.is_some_and(Market::contract),
    };
    if first.is_none() && (contract || topic != Topic::Tickers) {
        let what = if several { "requires symbols" } else { "requires a symbol argument" };
        return Err(q.error(ErrorClass::ArgumentsRequired, what));
    }
    let mut chosen = |names: &[&str], default: &str| take(&mut q.params, names).unwrap_or_else(|| default.to_owned());
    let name = match (topic, contract) {
        (Topic::Ticker, false) => chosen(&["spotMethod"], "/market/snapshot"),
        (Topic::Tickers, false) => chosen(&["method", "spotMethod"], "/market/ticker"),
        (Topic::Ticker | Topic::Tickers, true) => "/contractMarket/ticker".to_owned(),
        (Topic::BidsAsks, false) => "/spotMarket/level1".to_owned(),
        (Topic::BidsAsks, true) => "/contractMarket/tickerV2".to_owned(),
        (Topic::Trades, false) => "/market/match".to_owned(),
        (Topic::Trades, true) => "/contractMarket/execution".to_owned(),
        (Topic::Ohlcv, false) => "/market/candles".to_owned(),
        (Topic::Ohlcv, true) => "/contractMarket/limitCandle".to_owned(),
        (Topic::OrderBook, _) => book(q, contract),
        _ => return Err(q.not_supported()),
    };
    if topic == Topic::BidsAsks && asked.len() > MARKETS_MAX {
        return Err(q.error(ErrorClass::ArgumentsRequired, "takes at most 100 symbols"));
    }
    let of = if asked.is_empty() { "all".to_owned() } else { ids(asked) };
    let rest = if topic == Topic::Ohlcv { format!("_{}", word(q.timeframe)) } else { String::new() };
    Ok((format!("{name}:{of}{rest}"), contract))
}

/// What a book's topic is called.
fn book(q: &mut Query<'_>, contract: bool) -> String {
    let own = if contract { "contractMethod" } else { "spotMethod" };
    let chosen = take(&mut q.params, &[own, "method"]);
    let default = if contract { "/contractMarket/level2" } else { "/market/level2" };
    let name = chosen.unwrap_or_else(|| default.to_owned());
    match q.depth {
        Some(depth @ (5 | 50)) if !name.contains("Depth") => {
            let whole = if contract { name } else { "/spotMarket/level2".to_owned() };
            format!("{whole}Depth{depth}")
        }
        _ => name,
    }
}

/// What a topic of the account is called, and whether it is of contracts.
fn account_topic(topic: Topic, q: &mut Query<'_>, market: Option<&Market>) -> Result<(String, bool)> {
    if topic == Topic::Balance {
        let contract = account::part(&kind(&mut q.params, None)) == Some("contract");
        return Ok((if contract { "/contractAccount/wallet" } else { "/account/balance" }.to_owned(), contract));
    }
    let contract = contracts(&mut q.params, market);
    let half = if contract { "contractMarket" } else { "spotMarket" };
    let name = match topic {
        Topic::Orders if take_flag(&mut q.params, &["stop", "trigger"]) => format!("/{half}/advancedOrders"),
        Topic::Orders => format!("/{half}/tradeOrders"),
        Topic::MyTrades => {
            let own = if contract { "contractMethod" } else { "spotMethod" };
            take(&mut q.params, &[own, "method"]).unwrap_or_else(|| format!("/{half}/tradeOrders"))
        }
        _ => return Err(q.not_supported()),
    };
    Ok((name, contract))
}

/// Positions are told by the newer streams, which have a token and a frame of their own.
async fn positions(q: &Query<'_>) -> Result<Subscription> {
    let request = private(q.exchange, Api::Spot, Verb::Post, "v2/bullet-private", &Fields::new())?;
    let none = || q.error(ErrorClass::BadResponse, "has no token");
    let token = q.exchange.ask(request, |body| data(body).string_of(&["token"])).await?.ok_or_else(none)?;
    let fields = Fields::new()
        .with("id", q.exchange.next_request().to_string())
        .with("action", "subscribe")
        .with("channel", "positionAll")
        .and(q.params.clone())
        .with("tradeType", "TRADE");
    let url = format!("{ACCOUNT}?{}", Fields::new().with("token", token).query());
    Ok(Subscription { url, login: None, subscribe: Some(fields.json()) })
}

#[async_trait]
impl Streams for Dialect {
    async fn watch(&self, topic: Topic, mut q: Query<'_>) -> Result<Subscription> {
        classic(&mut q)?;
        if topic == Topic::OrderBook && q.depth.is_some_and(|depth| !DEPTHS.contains(&depth)) {
            return Err(q.error(ErrorClass::ExchangeError, "has books of 5, 20, 50 or 100 levels"));
        }
        let markets = q.markets().await?;
        let mut asked = q.listed(&markets)?;
        let market = q.market_if_any(&markets)?;
        asked.extend(market);
        if topic == Topic::Positions {
            return positions(&q).await;
        }
        let of_account = topic.private();
        let (name, contract) =
            if of_account { account_topic(topic, &mut q, market)? } else { public_topic(topic, &mut q, &asked)? };
        let url = address(&q, contract, of_account).await?;
        Ok(Subscription { url, login: None, subscribe: Some(frame(&q, &name, of_account)) })
    }

    fn heard(&self, _url: &str, message: &str, markets: &Markets) -> Vec<Event> {
        heard::events(message, markets)
    }

    /// "Level2 Market Data", section "Calibration procedure". What contracts say of one change is both its first and
    /// its last number.
    fn rule(&self, _market: &Market) -> Rule {
        Rule { follows: Follows::Range, asked: true, checksum: None, depth: None }
    }

    /// "Ping": every 18 seconds, and the answer comes within ten.
    fn heartbeat(&self, _url: &str) -> Heartbeat {
        let ping = json!({ "id": "ping", "type": "ping" }).to_string();
        Heartbeat { every: Duration::from_secs(18), ping: Some(ping), silence: Duration::from_secs(28) }
    }
}
