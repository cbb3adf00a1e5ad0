//! Streams: V5 "WebSocket", sections "Connect", "Login" and "Subscribe".

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::http::instrument_type;
use super::{Dialect, candles, heard, sign};
use crate::exchange::Result;
use crate::query::Query;
use crate::stream::{Event, Follows, Heartbeat, Rule, Streams, Subscription, Topic};
use crate::unified::{Market, Markets};
use crate::{ErrorClass, Exchange, Fields, Value, mac};

const HOST: &str = "wss://ws.okx.com:8443/ws/v5";

/// Levels of a book at most; those further from the market are not told.
const LEVELS: usize = 400;

/// The server of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Public,
    Private,
    Business,
}

impl Server {
    fn url(self) -> String {
        let path = match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Business => "business",
        };
        format!("{HOST}/{path}")
    }
}

/// What is sent for a topic: where to, what is listened to, and whether the exchange wants to know who listens.
struct Asked {
    server: Server,
    signed: bool,
    channels: Vec<Fields>,
}

impl Asked {
    fn subscription(self, exchange: &Exchange) -> Result<Subscription> {
        let login = self.signed.then(|| login(exchange)).transpose()?;
        Ok(Subscription { url: self.server.url(), login, subscribe: Some(frame("subscribe", self.channels)) })
    }
}

fn frame(operation: &str, arguments: Vec<Fields>) -> String {
    let arguments = arguments.into_iter().map(Value::Object).collect();
    Fields::new().with("op", operation).with("args", Value::List(arguments)).json()
}

fn login(exchange: &Exchange) -> Result<String> {
    let (credentials, passphrase) = sign::account(exchange)?;
    let time = exchange.now().div_euclid(1_000).to_string();
    let parts = [time.as_str(), "GET", "/users/self/verify"].map(str::as_bytes);
    let signature = mac::sha256(credentials.secret.expose().as_bytes(), &parts)?;
    let arguments = Fields::new()
        .with("apiKey", credentials.api_key.expose().as_str())
        .with("passphrase", passphrase)
        .with("timestamp", time)
        .with("sign", STANDARD.encode(signature));
    Ok(frame("login", vec![arguments]))
}

fn channel(name: &str, market: Option<&Market>) -> Fields {
    Fields::new().with("channel", name).with_some("instId", market.map(|market| market.id.as_str()))
}

/// A channel of each market; the parameters are sent with it.
fn of_each(name: &str, asked: &[&Market], params: &Fields) -> Vec<Fields> {
    asked.iter().map(|market| channel(name, Some(market)).and(params.clone())).collect()
}

/// The book's channel: five levels with each message, or all levels and what changes in them; those that come for
/// every change are for accounts that trade much.
fn of_book<'q>(q: &'q Query<'_>) -> &'q str {
    match q.depth {
        Some(1..=5) => "books5",
        Some(50) => "books50-l2-tbt",
        Some(400) => "books",
        _ => q.params.text(&["depth"]).unwrap_or("books"),
    }
}

/// Orders of the account, or those that wait for something.
fn of_orders(q: &Query<'_>, market: Option<&Market>, by_market: bool) -> Asked {
    let waiting = q.params.flag("stop") || q.params.flag("trigger");
    let (name, server) = if waiting { ("orders-algo", Server::Business) } else { ("orders", Server::Private) };
    let said = q.params.text(&["type"]).map_or("ANY".to_owned(), |word| match word {
        "future" => "FUTURES".to_owned(),
        other => other.to_uppercase(),
    });
    let kind = market.map_or(said, |market| instrument_type(market).to_owned());
    let margin = kind == "SPOT" && q.params.text(&["marginMode"]).is_some();
    let kind = if margin { "MARGIN".to_owned() } else { kind };
    let fields = channel(name, market.filter(|_| by_market)).with("instType", kind);
    let rest = q.params.clone().without(&["type", "stop", "trigger", "marginMode"]);
    Asked { server, signed: true, channels: vec![fields.and(rest)] }
}

fn of_positions(q: &Query<'_>, asked: &[&Market]) -> Asked {
    let all = Fields::new().with("instType", "ANY").and(q.params.clone());
    let channels =
        if asked.is_empty() { vec![channel("positions", None).and(all)] } else { of_each("positions", asked, &all) };
    Asked { server: Server::Private, signed: true, channels }
}

fn asked(topic: Topic, q: &Query<'_>, markets: &[&Market]) -> Result<Asked> {
    let public = |channels| Ok(Asked { server: Server::Public, signed: false, channels });
    let word = |default: &'static str| q.params.text(&["channel"]).unwrap_or(default);
    let rest = || q.params.clone().without(&["channel"]);
    let first = markets.first().copied();
    if !topic.private() && first.is_none() {
        return Err(q.error(ErrorClass::ArgumentsRequired, "requires a symbol"));
    }
    match topic {
        Topic::Ticker | Topic::Tickers => public(of_each(word("tickers"), markets, &rest())),
        Topic::BidsAsks => public(of_each(word("bbo-tbt"), markets, &rest())),
        Topic::Trades => {
            let name = word("trades");
            let signed = name == "trades-all";
            let server = if signed { Server::Business } else { Server::Public };
            Ok(Asked { server, signed, channels: of_each(name, markets, &Fields::new()) })
        }
        Topic::OrderBook => {
            let name = of_book(q);
            let signed = name.ends_with("l2-tbt");
            Ok(Asked { server: Server::Public, signed, channels: of_each(name, markets, &Fields::new()) })
        }
        Topic::Ohlcv => {
            let name = format!("candle{}", candles::Wanted::of(q)?.bar);
            Ok(Asked { server: Server::Business, signed: false, channels: of_each(&name, markets, &q.params) })
        }
        Topic::Balance => {
            let channels = vec![channel("account", None).and(q.params.clone())];
            Ok(Asked { server: Server::Private, signed: true, channels })
        }
        Topic::Orders => Ok(of_orders(q, first, true)),
        Topic::MyTrades => Ok(of_orders(q, first, false)),
        Topic::Positions => Ok(of_positions(q, markets)),
    }
}

#[async_trait]
impl Streams for Dialect {
    async fn watch(&self, topic: Topic, q: Query<'_>) -> Result<Subscription> {
        let markets = q.markets().await?;
        let mut listed = q.listed(&markets)?;
        listed.extend(q.market_if_any(&markets)?);
        asked(topic, &q, &listed)?.subscription(q.exchange)
    }

    fn heard(&self, _url: &str, message: &str, markets: &Markets) -> Vec<Event> {
        heard::events(message, markets)
    }

    /// "Order book channel", section "Sequence ID". Its messages have a checksum still, which is zero always.
    fn rule(&self, _market: &Market) -> Rule {
        Rule { follows: Follows::Link, asked: false, checksum: None, depth: Some(LEVELS) }
    }

    /// "Connect": who hears nothing for 30 seconds sends a word, and what answers it is a word too.
    fn heartbeat(&self, _url: &str) -> Heartbeat {
        Heartbeat { every: Duration::from_secs(20), ping: Some("ping".to_owned()), silence: Duration::from_secs(30) }
    }
}
