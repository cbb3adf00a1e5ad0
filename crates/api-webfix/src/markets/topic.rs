//! What there is to be heard of a market, and the two names of its channel.

use orrery_protocol::stels::{ChannelName, Datum, MarketKind, Widget};
use orrery_venues::stream::{Want, What};

/// Lengths of candles, as CCXT names them.
const TIMEFRAMES: [&str; 15] =
    ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"];
/// Length of the candles of the document's channel, whose name has none.
pub const TIMEFRAME: &str = "1m";

/// Something of a market at an exchange.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    /// The exchange, as it stands in names: `binance`.
    pub exchange: String,
    /// What of which market.
    pub want: Want,
}

impl Topic {
    /// All that is shown of a market: ticker, trades, book and candles of a minute.
    pub fn all_of(exchange: &str, symbol: &str) -> [Self; 4] {
        [What::Ticker, What::Trades, What::Book, What::Candles(TIMEFRAME.to_owned())]
            .map(|what| Self { exchange: exchange.to_owned(), want: Want { symbol: symbol.to_owned(), what } })
    }

    /// What a channel of this name tells; none if it is no market's, or of another network.
    ///
    /// ```
    /// use orrery_api_webfix::markets::Topic;
    ///
    /// let of = |name| Topic::of("testnet", name);
    /// let document = of("testnet.runtime.connector.exchange.crypto.bybit.spot.BTC/USDT.ticker");
    /// assert_eq!(document, of("testnet.runtime.ticker.BTC/USDT.bybit.spot"));
    /// assert_eq!(document.unwrap().exchange, "bybit");
    /// assert_eq!(of("testnet.runtime.sonar"), None);
    /// ```
    pub fn of(network: &str, name: &str) -> Option<Self> {
        let (datum, timeframe) = match name.parse().ok()? {
            ChannelName::Document(datum) => (datum, Some(TIMEFRAME.to_owned())),
            ChannelName::Client(datum) => {
                let timeframe = datum.timeframe.clone();
                (datum, timeframe)
            }
            _ => return None,
        };
        let what = match datum.widget {
            Widget::Ticker => What::Ticker,
            Widget::Trades => What::Trades,
            Widget::Book => What::Book,
            Widget::Candles => What::Candles(timeframe.filter(|t| TIMEFRAMES.contains(&t.as_str()))?),
            _ => return None,
        };
        let good = datum.network == network && kind(&datum.pair) == datum.kind && is_symbol(&datum.pair);
        good.then_some(Self { exchange: datum.venue, want: Want { symbol: datum.pair, what } })
    }

    /// The names of its channel: the document's, which candles of other lengths have not, and the newer client's.
    pub fn names(&self, network: &str) -> Vec<String> {
        let timeframe = match &self.want.what {
            What::Candles(timeframe) => Some(timeframe.clone()),
            _ => None,
        };
        let only_clients = timeframe.as_ref().is_some_and(|timeframe| timeframe != TIMEFRAME);
        let widget = match self.want.what {
            What::Ticker => Widget::Ticker,
            What::Trades => Widget::Trades,
            What::Book => Widget::Book,
            What::Candles(_) => Widget::Candles,
        };
        let [document, client] = ChannelName::both(Datum {
            network: network.to_owned(),
            widget,
            venue: self.exchange.clone(),
            kind: kind(&self.want.symbol),
            pair: self.want.symbol.clone(),
            timeframe,
        });
        let all = [document, client].into_iter().skip(usize::from(only_clients));
        all.map(|name| name.to_string()).collect()
    }
}

fn kind(symbol: &str) -> MarketKind {
    if symbol.contains(':') { MarketKind::Futures } else { MarketKind::Spot }
}

/// `BTC/USDT`, `BTC/USDT:USDT`.
fn is_symbol(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && !part.contains(['/', ':']);
    let (pair, settled) = text.split_once(':').map_or((text, None), |(pair, settled)| (pair, Some(settled)));
    pair.split_once('/').is_some_and(|(base, quote)| part(base) && part(quote)) && settled.is_none_or(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_mean_the_same() {
        let mut topics: Vec<Topic> = Topic::all_of("okx", "BTC/USDT").into();
        topics.extend(Topic::all_of("okx", "BTC/USDT:USDT"));
        for topic in &topics {
            let names = topic.names("testnet");
            assert_eq!(names.len(), 2, "{names:?}");
            assert!(names.iter().all(|name| Topic::of("testnet", name).as_ref() == Some(topic)), "{names:?}");
        }
        let hours = Topic {
            exchange: "okx".into(),
            want: Want { symbol: "BTC/USDT".into(), what: What::Candles("1h".into()) },
        };
        assert_eq!(hours.names("testnet"), ["testnet.runtime.candles.BTC/USDT.okx.spot.1h"]);
        assert_eq!(Topic::of("testnet", "testnet.runtime.candles.BTC/USDT.okx.spot.1h"), Some(hours));
    }

    #[test]
    fn what_is_no_market_is_none() {
        for name in [
            "mainnet.runtime.ticker.BTC/USDT.okx.spot",
            "testnet.runtime.ticker.BTCUSDT.okx.spot",
            "testnet.runtime.ticker.BTC/USDT:USDT.okx.spot",
            "testnet.runtime.ticker.BTC/USDT.okx.futures",
            "testnet.runtime.ticker.BTC/US/DT.okx.spot",
            "testnet.runtime.candles.BTC/USDT.okx.spot",
            "testnet.runtime.candles.BTC/USDT.okx.spot.7m",
            "testnet.runtime.sonar",
            "",
        ] {
            assert_eq!(Topic::of("testnet", name), None, "{name}");
        }
    }
}
