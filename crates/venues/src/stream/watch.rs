//! What can be watched, and how an exchange is told.

use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

use super::{Event, Follows, Rule};
use crate::exchange::Result;
use crate::methods::Connector;
use crate::query::Query;
use crate::unified::{Market, Markets};
use crate::{Exchange, Fields, Page};

/// Something to watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A market's last day (`watchTicker`).
    Ticker,
    /// The last day of several markets (`watchTickers`).
    Tickers,
    /// Best prices of several markets (`watchBidsAsks`).
    BidsAsks,
    /// What is traded in a market (`watchTrades`).
    Trades,
    /// A market's book (`watchOrderBook`).
    OrderBook,
    /// A market's candles (`watchOHLCV`).
    Ohlcv,
    /// What the account has (`watchBalance`).
    Balance,
    /// The account's orders (`watchOrders`).
    Orders,
    /// The account's trades (`watchMyTrades`).
    MyTrades,
    /// The account's positions (`watchPositions`).
    Positions,
}

/// Not something to watch.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is nothing to watch by the name of {0:?}")]
pub struct UnknownTopic(String);

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 10] = [
        Self::Ticker,
        Self::Tickers,
        Self::BidsAsks,
        Self::Trades,
        Self::OrderBook,
        Self::Ohlcv,
        Self::Balance,
        Self::Orders,
        Self::MyTrades,
        Self::Positions,
    ];

    /// CCXT's method: `watchTicker`.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Ticker => "watchTicker",
            Self::Tickers => "watchTickers",
            Self::BidsAsks => "watchBidsAsks",
            Self::Trades => "watchTrades",
            Self::OrderBook => "watchOrderBook",
            Self::Ohlcv => "watchOHLCV",
            Self::Balance => "watchBalance",
            Self::Orders => "watchOrders",
            Self::MyTrades => "watchMyTrades",
            Self::Positions => "watchPositions",
        }
    }

    /// Whether only the account may see it.
    pub const fn private(self) -> bool {
        matches!(self, Self::Balance | Self::Orders | Self::MyTrades | Self::Positions)
    }
}

impl std::str::FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(name: &str) -> Result<Self, UnknownTopic> {
        Self::ALL.into_iter().find(|topic| topic.method() == name).ok_or_else(|| UnknownTopic(name.to_owned()))
    }
}

/// How an exchange is told what to send.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscription {
    /// Where the connection goes to; those of one address can share it.
    pub url: String,
    /// The frame by which the exchange knows whose connection it is; sent once a connection, and answered by
    /// [`Event::LoggedIn`].
    pub login: Option<String>,
    /// The frame that asks for it; none where the address says all.
    pub subscribe: Option<String>,
}

impl Subscription {
    /// The frame that takes `subscribe` back: exchanges name the opposite alike, and the rest of the frame is the same.
    /// None where the address said all, or where a new frame takes the place of the old one (Upbit).
    ///
    /// ```
    /// use orrery_venues::stream::Subscription;
    ///
    /// let subscribe = Some(r#"{"op":"subscribe","args":["orderbook.50.BTCUSDT"]}"#.to_owned());
    /// let frame = Subscription { subscribe, ..Subscription::default() }.unsubscribe();
    /// assert_eq!(frame.unwrap(), r#"{"op":"unsubscribe","args":["orderbook.50.BTCUSDT"]}"#);
    /// ```
    pub fn unsubscribe(&self) -> Option<String> {
        let frame = self.subscribe.as_deref()?;
        let value = serde_json::from_str::<serde_json::Value>(frame).ok()?;
        let said = |name: &str, word: &str| value.get(name).and_then(serde_json::Value::as_str) == Some(word);
        for name in ["op", "method", "type", "event", "action"] {
            for (word, opposite) in [("subscribe", "unsubscribe"), ("SUBSCRIBE", "UNSUBSCRIBE"), ("sub", "unsub")] {
                if said(name, word) {
                    return Some(frame.replacen(&format!("\"{word}\""), &format!("\"{opposite}\""), 1));
                }
            }
        }
        value.get("sub").map(|_| frame.replacen("\"sub\"", "\"unsub\"", 1))
    }
}

/// How a connection is known to be alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// How often something is sent.
    pub every: Duration,
    /// The frame that is sent; none for a ping of the protocol (RFC 6455, 5.5.2).
    pub ping: Option<String>,
    /// A connection that nothing came over for so long is dead.
    pub silence: Duration,
}

/// What a connector does of streams.
#[async_trait]
pub(crate) trait Streams: Connector {
    /// What to send for a topic.
    ///
    /// Errors: arguments the exchange does not take; [`crate::ErrorClass::NotSupported`] for what it has no stream of.
    async fn watch(&self, topic: Topic, query: Query<'_>) -> Result<Subscription> {
        let _ = topic;
        Err(query.not_supported())
    }

    /// What a message says that came from this address (the spot market's if it is empty); nothing for those that
    /// only confirm.
    fn heard(&self, url: &str, message: &str, markets: &Markets) -> Vec<Event> {
        let _ = (url, message, markets);
        Vec::new()
    }

    /// What the request for a connection to this address says beside it, where the exchange wants to know by it whose
    /// connection it is.
    ///
    /// Errors: [`crate::ErrorClass::AuthenticationError`] for nobody.
    fn handshake(&self, exchange: &Exchange, url: &str) -> Result<Vec<(&'static str, String)>> {
        let _ = (exchange, url);
        Ok(Vec::new())
    }

    /// How often the right to listen at this address is made to last longer; none where it does not run out.
    fn keeps_listening(&self, url: &str) -> Option<Duration> {
        let _ = url;
        None
    }

    /// Makes the right to listen at this address last longer.
    ///
    /// Errors: those of the way there, and what the exchange refused.
    async fn keep_listening(&self, exchange: &Exchange, url: &str) -> Result<()> {
        let _ = (exchange, url);
        Ok(())
    }

    /// How this market's book is kept.
    fn rule(&self, market: &Market) -> Rule {
        let _ = market;
        Rule { follows: Follows::Unsaid, asked: false, checksum: None, depth: None }
    }

    /// One frame in the place of these, where each new frame of a connection takes the place of those before it.
    fn joined(&self, frames: &[String]) -> Option<String> {
        let _ = frames;
        None
    }

    /// How deep a snapshot has to be for this market's book; none for as deep as the exchange gives unasked.
    fn snapshot_depth(&self, market: &Market) -> Option<i64> {
        let _ = market;
        None
    }

    /// The message's number among all of its connection, where the exchange counts them: each is one more than the
    /// one before.
    fn number(&self, message: &str) -> Option<u64> {
        let _ = message;
        None
    }

    /// How a connection to this address is kept alive.
    fn heartbeat(&self, url: &str) -> Heartbeat {
        let _ = url;
        Heartbeat { every: Duration::from_secs(20), ping: None, silence: Duration::from_secs(60) }
    }
}

/// What is to be watched.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Watched {
    /// A market.
    pub symbol: Option<String>,
    /// Several markets.
    pub symbols: Option<Vec<String>>,
    /// A length of candles.
    pub timeframe: String,
    /// Levels of a book.
    pub depth: Option<i64>,
    /// CCXT's further parameters, and the exchange's own.
    pub params: Fields,
}

impl Exchange {
    /// Headers of the request for a connection to an address of [`Exchange::watch`]. They may hold a token that is good
    /// for one connection: they are made for each, and belong in no log.
    ///
    /// Errors: [`crate::ErrorClass::AuthenticationError`] for nobody.
    pub fn handshake(&self, url: &str) -> Result<Vec<(&'static str, String)>> {
        self.venue().streams().handshake(self, url)
    }

    /// What to send to the exchange to hear of something.
    ///
    /// Errors: arguments the exchange does not take; [`crate::ErrorClass::NotSupported`] for what it has no stream of;
    /// those of the way there, where a stream begins with a request over HTTP.
    pub async fn watch(&self, topic: Topic, what: &Watched) -> Result<Subscription> {
        let query = Query {
            symbol: what.symbol.as_deref(),
            symbols: what.symbols.as_deref(),
            timeframe: &what.timeframe,
            depth: what.depth,
            page: Page::default(),
            params: what.params.clone(),
            ..Query::new(self, topic.method())
        };
        self.venue().streams().watch(topic, query).await
    }
}

impl crate::Venue {
    /// What a message says that came from this address.
    pub fn heard(self, url: &str, message: &str, markets: &Markets) -> Vec<Event> {
        self.streams().heard(url, message, markets)
    }

    /// How this market's book is kept.
    pub fn rule(self, market: &Market) -> Rule {
        self.streams().rule(market)
    }

    /// One frame in the place of these, where each new frame of a connection takes the place of those before it.
    pub fn joined(self, frames: &[String]) -> Option<String> {
        self.streams().joined(frames)
    }

    /// How deep a snapshot has to be for this market's book; none for as deep as the exchange gives unasked.
    pub fn snapshot_depth(self, market: &Market) -> Option<i64> {
        self.streams().snapshot_depth(market)
    }

    /// The message's number among all of its connection, where the exchange counts them: each is one more than the
    /// one before.
    pub fn number(self, message: &str) -> Option<u64> {
        self.streams().number(message)
    }

    /// How a connection to this address is kept alive.
    pub fn heartbeat(self, url: &str) -> Heartbeat {
        self.streams().heartbeat(url)
    }
}
