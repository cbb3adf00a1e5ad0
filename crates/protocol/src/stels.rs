//! Names and frames of the STELS session socket.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a widget shows: the last part of a channel's name in the document's family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Widget {
    /// Last price, bid and ask.
    Ticker,
    /// Trades.
    Trades,
    /// Order book.
    Book,
    /// Open, high, low, close, volume.
    Candles,
    /// A figure of the economy.
    Indicator,
    /// The network at a glance.
    Sonar,
    /// News.
    Finance,
    /// Clocks of the world.
    Timezone,
    /// An assistant.
    Ariadna,
}

const WIDGETS: [(&str, Widget); 9] = [
    ("ticker", Widget::Ticker),
    ("trades", Widget::Trades),
    ("book", Widget::Book),
    ("candles", Widget::Candles),
    ("indicator", Widget::Indicator),
    ("sonar", Widget::Sonar),
    ("finance", Widget::Finance),
    ("timezone", Widget::Timezone),
    ("ariadna", Widget::Ariadna),
];

impl Widget {
    /// As it stands in names.
    pub fn name(self) -> &'static str {
        WIDGETS.iter().find(|(_, w)| *w == self).map_or("", |(name, _)| name)
    }

    /// The widget of that name.
    pub fn parse(name: &str) -> Option<Self> {
        WIDGETS.iter().find(|(known, _)| *known == name).map(|(_, widget)| *widget)
    }
}

/// Which market of a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MarketKind {
    /// Spot.
    Spot,
    /// Perpetuals and futures; pairs are like `BTC/USDT:USDT`.
    Futures,
}

impl MarketKind {
    fn name(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Futures => "futures",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Spot, Self::Futures].into_iter().find(|kind| kind.name() == name)
    }
}

/// A channel's name, of either family: the document's (`testnet.runtime.connector.exchange.crypto.bybit.spot.
/// BTC/USDT.ticker`) and the newer client's (`testnet.runtime.ticker.BTC/USDT.bybit.spot`). Both name the same
/// data, so that whoever publishes does it under both ([`Self::both`]).
///
/// ```
/// use orrery_protocol::stels::{ChannelName, Datum, MarketKind, Widget};
/// let datum = Datum {
///     network: "testnet".into(), widget: Widget::Ticker, venue: "bybit".into(), kind: MarketKind::Spot,
///     pair: "BTC/USDT".into(), timeframe: None,
/// };
/// let [document, client] = ChannelName::both(datum.clone());
/// assert_eq!(document.to_string(), "testnet.runtime.connector.exchange.crypto.bybit.spot.BTC/USDT.ticker");
/// assert_eq!(client.to_string(), "testnet.runtime.ticker.BTC/USDT.bybit.spot");
/// assert_eq!("testnet.runtime.ticker.BTC/USDT.bybit.spot".parse(), Ok(ChannelName::Client(datum)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ChannelName {
    /// Market data under the document's name.
    Document(Datum),
    /// Market data under the newer client's name.
    Client(Datum),
    /// `{network}.runtime.sonar`.
    Sonar(String),
    /// `{network}.snapshot.sonar`.
    SonarSnapshot(String),
    /// `{network}.network.connections`.
    Connections(String),
    /// `account.balance.{address}.{exchange}.{nid}`, which has no network in front.
    Balance {
        /// The wallet's address.
        address: String,
        /// The venue.
        exchange: String,
        /// The account's name.
        nid: String,
    },
    /// `{network}.fred.{country}.{group}.{indicator}`: a figure of the economy.
    Indicator {
        /// `testnet`.
        network: String,
        /// `usa`.
        country: String,
        /// `macro`.
        group: String,
        /// `unrate`.
        indicator: String,
        /// `.indicator` stands after it, which the document's client looks for.
        marked: bool,
    },
    /// Any other name of a network: its parts.
    Other(String),
}

/// Market data of a venue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Datum {
    /// `testnet`.
    pub network: String,
    /// Ticker, trades, book or candles.
    pub widget: Widget,
    /// `bybit`.
    pub venue: String,
    /// Spot or futures.
    pub kind: MarketKind,
    /// `BTC/USDT`.
    pub pair: String,
    /// Of candles: `1m`. Only the newer client's name has it.
    pub timeframe: Option<String>,
}

/// The text names no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadChannelName;

impl fmt::Display for BadChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a channel's name: {network}.{domain}.… is expected")
    }
}

impl std::error::Error for BadChannelName {}

impl ChannelName {
    /// The names under which a datum is published.
    pub fn both(datum: Datum) -> [Self; 2] {
        [Self::Document(Datum { timeframe: None, ..datum.clone() }), Self::Client(datum)]
    }

    /// What shows it: the last part, where that is a widget's name.
    pub fn widget(&self) -> Option<Widget> {
        match self {
            Self::Document(datum) | Self::Client(datum) => Some(datum.widget),
            Self::Sonar(_) | Self::SonarSnapshot(_) => Some(Widget::Sonar),
            Self::Indicator { .. } => Some(Widget::Indicator),
            Self::Connections(_) | Self::Balance { .. } => None,
            Self::Other(name) => name.rsplit('.').next().and_then(Widget::parse),
        }
    }

    /// The module: the parts between network and widget, as the client guesses a venue from them.
    pub fn module(&self) -> String {
        match self {
            Self::Document(datum) | Self::Client(datum) => {
                format!("connector.exchange.crypto.{}.{}", datum.venue, datum.kind.name())
            }
            Self::Sonar(_) | Self::SonarSnapshot(_) => "sonar".into(),
            Self::Connections(_) => "network".into(),
            Self::Balance { .. } => "account".into(),
            Self::Indicator { country, group, .. } => format!("fred.{country}.{group}"),
            Self::Other(name) => {
                let parts: Vec<_> = name.split('.').collect();
                parts.get(1..parts.len().saturating_sub(1)).unwrap_or_default().join(".")
            }
        }
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document(Datum { network, widget, venue, kind, pair, .. }) => write!(
                f,
                "{network}.runtime.connector.exchange.crypto.{venue}.{}.{pair}.{}",
                kind.name(),
                widget.name()
            ),
            Self::Client(Datum { network, widget, venue, kind, pair, timeframe }) => {
                write!(f, "{network}.runtime.{}.{pair}.{venue}.{}", widget.name(), kind.name())?;
                timeframe.as_ref().map_or(Ok(()), |timeframe| write!(f, ".{timeframe}"))
            }
            Self::Sonar(network) => write!(f, "{network}.runtime.sonar"),
            Self::SonarSnapshot(network) => write!(f, "{network}.snapshot.sonar"),
            Self::Connections(network) => write!(f, "{network}.network.connections"),
            Self::Balance { address, exchange, nid } => write!(f, "account.balance.{address}.{exchange}.{nid}"),
            Self::Indicator { network, country, group, indicator, marked } => {
                let mark = if *marked { ".indicator" } else { "" };
                write!(f, "{network}.fred.{country}.{group}.{indicator}{mark}")
            }
            Self::Other(name) => f.write_str(name),
        }
    }
}

fn market_widget(name: &str) -> Option<Widget> {
    Widget::parse(name).filter(|w| matches!(w, Widget::Ticker | Widget::Trades | Widget::Book | Widget::Candles))
}

impl FromStr for ChannelName {
    type Err = BadChannelName;

    fn from_str(name: &str) -> Result<Self, BadChannelName> {
        let good = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic());
        let parts: Vec<&str> = name.split('.').collect();
        if name.len() > 200 || parts.len() < 2 || !parts.iter().all(good) {
            return Err(BadChannelName);
        }
        let text = |part: &str| part.to_owned();
        if let ["account", "balance", address, exchange, nid] = parts.as_slice() {
            return Ok(Self::Balance { address: text(address), exchange: text(exchange), nid: text(nid) });
        }
        Ok(match parts.as_slice() {
            [network, "runtime", "sonar"] => Self::Sonar(text(network)),
            [network, "snapshot", "sonar"] => Self::SonarSnapshot(text(network)),
            [network, "fred", country, group, indicator]
            | [network, "fred", country, group, indicator, "indicator"] => Self::Indicator {
                network: text(network),
                country: text(country),
                group: text(group),
                indicator: text(indicator),
                marked: parts.len() > 5,
            },
            [network, "network", "connections"] => Self::Connections(text(network)),
            [network, "runtime", "connector", "exchange", "crypto", venue, kind, pair, widget] => {
                match (MarketKind::parse(kind), market_widget(widget)) {
                    (Some(kind), Some(widget)) => Self::Document(Datum {
                        network: text(network),
                        widget,
                        venue: text(venue),
                        kind,
                        pair: text(pair),
                        timeframe: None,
                    }),
                    _ => Self::Other(text(name)),
                }
            }
            [network, "runtime", widget, pair, venue, kind, timeframe @ ..] if timeframe.len() <= 1 => {
                match (MarketKind::parse(kind), market_widget(widget)) {
                    (Some(kind), Some(widget)) if timeframe.is_empty() || widget == Widget::Candles => {
                        Self::Client(Datum {
                            network: text(network),
                            widget,
                            venue: text(venue),
                            kind,
                            pair: text(pair),
                            timeframe: timeframe.first().map(|t| text(t)),
                        })
                    }
                    _ => Self::Other(text(name)),
                }
            }
            _ => Self::Other(text(name)),
        })
    }
}

/// What a client sends after it opened the socket.
#[derive(Debug, Deserialize)]
pub struct Subscribe {
    /// `subscribe`.
    #[serde(default)]
    pub method: String,
    /// `sonar`, `runtime`, or a channel's name.
    #[serde(default)]
    pub channel: String,
}

/// The envelope (document, "Session Data Format").
#[derive(Debug, Serialize)]
pub struct Envelope<'a> {
    /// Name.
    pub channel: &'a str,
    /// Module.
    pub module: &'a str,
    /// Widget.
    pub widget: &'a str,
    /// Content.
    pub raw: &'a RawValue,
    /// Milliseconds since 1970.
    pub timestamp: i64,
}

/// A frame that serves the document's readers (flat) and the real client (`value`).
#[derive(Debug, Serialize)]
pub struct SessionFrame<'a> {
    /// The channel again, as the original's store keys it.
    pub key: [&'a str; 1],
    /// What the real client stores.
    pub value: Envelope<'a>,
    /// What the document shows.
    #[serde(flatten)]
    pub flat: Envelope<'a>,
}

/// `raw` of `{network}.network.connections`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkConnections<'a> {
    /// Name of the network.
    pub network: &'a str,
    /// Open session sockets.
    pub total_clients: usize,
    /// Those without a session.
    pub anonymous_clients: usize,
    /// Those with one.
    pub authenticated_clients: usize,
    /// Sessions that they belong to.
    pub session_count: usize,
    /// Sockets that a session may have.
    pub max_connections_per_session: u32,
    /// Is data sent?
    pub streaming_active: bool,
    /// Between two frames of this channel, milliseconds.
    pub data_transmission_interval: u64,
    /// Between pings, milliseconds.
    pub heartbeat_interval: u64,
    /// Are silent sockets closed?
    pub cleanup_running: bool,
    /// Milliseconds since 1970.
    pub timestamp: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_they_were() {
        for (name, widget, module) in [
            (
                "testnet.runtime.connector.exchange.crypto.bybit.spot.BTC/USDT.ticker",
                Some(Widget::Ticker),
                "connector.exchange.crypto.bybit.spot",
            ),
            (
                "testnet.runtime.connector.exchange.crypto.bybit.futures.BTC/USDT:USDT.ticker",
                Some(Widget::Ticker),
                "connector.exchange.crypto.bybit.futures",
            ),
            ("testnet.snapshot.sonar", Some(Widget::Sonar), "sonar"),
            ("testnet.runtime.sonar", Some(Widget::Sonar), "sonar"),
            ("testnet.fred.usa.macro.indicator", Some(Widget::Indicator), "fred.usa.macro"),
            ("testnet.fred.usa.macro.unrate", Some(Widget::Indicator), "fred.usa.macro"),
            ("testnet.fred.usa.macro.unrate.indicator", Some(Widget::Indicator), "fred.usa.macro"),
            ("testnet.network.connections", None, "network"),
            ("testnet.runtime.news.finance", Some(Widget::Finance), "runtime.news"),
            (
                "testnet.runtime.ticker.BTC/USDT.bybit.spot",
                Some(Widget::Ticker),
                "connector.exchange.crypto.bybit.spot",
            ),
            (
                "testnet.runtime.candles.BTC/USDT.okx.spot.1h",
                Some(Widget::Candles),
                "connector.exchange.crypto.okx.spot",
            ),
            ("account.balance.gAbc.bybit.main", None, "account"),
        ] {
            let parsed: ChannelName = name.parse().unwrap();
            assert_eq!(
                (parsed.to_string().as_str(), parsed.widget(), parsed.module().as_str()),
                (name, widget, module)
            );
        }
        for bad in ["", "x", "testnet.", ".a", "a..b", "a b.c", "testnet.\u{7f}.x"] {
            assert_eq!(bad.parse::<ChannelName>(), Err(BadChannelName), "{bad}");
        }
        let odd: ChannelName = "testnet.runtime.ticker.BTC/USDT.bybit.margin".parse().unwrap();
        assert!(matches!(odd, ChannelName::Other(_)));
    }
}
