//! Streams: "Advanced Trade WebSocket Channels".

use std::time::Duration;

use async_trait::async_trait;

use super::sign::{cloud, token};
use super::{Dialect, heard};
use crate::exchange::Result;
use crate::query::Query;
use crate::stream::{Event, Follows, Heartbeat, Rule, Streams, Subscription, Topic};
use crate::unified::{Market, Markets};
use crate::{ErrorClass, Exchange, Fields, Value, mac};

const ADDRESS: &str = "wss://advanced-trade-ws.coinbase.com";

/// Who listens: a token, or the signature of an older key.
fn signed(exchange: &Exchange, channel: &str, ids: &[String]) -> Result<Fields> {
    if cloud(exchange)? {
        return Ok(Fields::new().with("jwt", token(exchange, None)?));
    }
    let credentials = exchange.credentials()?;
    let seconds = exchange.now().div_euclid(1_000).to_string();
    let named = ids.join(",");
    let parts = [seconds.as_str(), channel, &named].map(str::as_bytes);
    let signature = mac::hex(mac::sha256(credentials.secret.expose().as_bytes(), &parts)?);
    let key = credentials.api_key.expose().as_str();
    Ok(Fields::new().with("api_key", key).with("timestamp", seconds).with("signature", signature))
}

fn subscribe(channel: &str, ids: &[String]) -> Fields {
    Fields::new().with("type", "subscribe").with("product_ids", ids).with("channel", channel)
}

#[async_trait]
impl Streams for Dialect {
    async fn watch(&self, topic: Topic, q: Query<'_>) -> Result<Subscription> {
        let channel = match topic {
            Topic::Ticker => "ticker",
            Topic::Tickers => "ticker_batch",
            Topic::Trades => "market_trades",
            Topic::OrderBook => "level2",
            Topic::Orders => "user",
            Topic::BidsAsks | Topic::Ohlcv | Topic::Balance | Topic::MyTrades | Topic::Positions => {
                return Err(q.not_supported());
            }
        };
        let markets = q.markets().await?;
        let mut asked = q.listed(&markets)?;
        asked.extend(q.market_if_any(&markets)?);
        if asked.is_empty() && topic == Topic::Tickers && q.symbols.is_none() {
            asked.extend(markets.all());
            asked.sort_by(|one, other| one.symbol.cmp(&other.symbol));
        }
        // the account's orders are heard of in all markets if none is named
        if asked.is_empty() && topic != Topic::Orders {
            return Err(q.error(ErrorClass::ArgumentsRequired, "requires a symbol"));
        }
        let ids: Vec<String> = asked.iter().map(|market| market.id.clone()).collect();
        let frame = subscribe(channel, &ids);
        let frame = if topic.private() { frame.and(signed(q.exchange, channel, &ids)?) } else { frame };
        Ok(Subscription { url: ADDRESS.to_owned(), login: None, subscribe: Some(frame.json()) })
    }

    fn heard(&self, _url: &str, message: &str, markets: &Markets) -> Vec<Event> {
        heard::events(message, markets)
    }

    /// The channel begins with a snapshot. Its numbers count all messages of the connection, of every channel and
    /// market (see [`Self::number`]), and say nothing of one book.
    fn rule(&self, _market: &Market) -> Rule {
        Rule { follows: Follows::Unsaid, asked: false, checksum: None, depth: None }
    }

    /// "Sequence Numbers": of all that comes over a connection.
    fn number(&self, message: &str) -> Option<u64> {
        const NAME: &str = "\"sequence_num\":";
        // it stands before what the message says
        let after = message.get(message.find(NAME)? + NAME.len()..)?.trim_start();
        let end = after.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(after.len());
        after.get(..end)?.parse().ok()
    }

    /// "Heartbeats Channel": connections over which nothing comes for a minute or so are closed; who listens to it
    /// hears something each second. Asking for it again changes nothing.
    fn heartbeat(&self, _url: &str) -> Heartbeat {
        let frame = Fields::new().with("type", "subscribe").with("product_ids", Value::List(Vec::new()));
        let frame = frame.with("channel", "heartbeats");
        Heartbeat { every: Duration::from_secs(20), ping: Some(frame.json()), silence: Duration::from_secs(60) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_numbered() {
        let message = r#"{"channel":"l2_data","client_id":"","timestamp":"","sequence_num": 417,"events":[]}"#;
        assert_eq!(Dialect.number(message), Some(417));
        assert_eq!(Dialect.number(r#"{"type":"error","message":"x"}"#), None);
    }
}
