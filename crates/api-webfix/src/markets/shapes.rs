//! `raw` of the market widgets (document, "Widget Data Formats"). Numbers are written by their digits, so that they
//! are JSON numbers and lose nothing on the way.

use std::fmt::Write as _;

use orrery_venues::Number;
use orrery_venues::unified::{Candle, OrderBook, Side, Ticker, Trade};
use serde_json::value::RawValue;

/// Whose data it is.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    pub exchange: &'a str,
    pub symbol: &'a str,
}

/// Where a reader needs a number and the exchange says none.
fn or_zero(number: Option<Number>) -> Number {
    number.unwrap_or_default()
}

fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// `{"exchange":…,"market":…`
fn begun(of: Of<'_>) -> String {
    format!(r#"{{"exchange":{},"market":{}"#, text(of.exchange), text(of.symbol))
}

fn ended(mut json: String) -> Option<Box<RawValue>> {
    json.push('}');
    RawValue::from_string(json).inspect_err(|error| tracing::error!(%error, "a widget could not be written")).ok()
}

/// None without a last price, which is what a ticker is about. Readers need the other figures as numbers: a best
/// price that is not known is the last price, and what else is not known is zero.
pub(super) fn ticker(of: Of<'_>, ticker: &Ticker, now: i64, latency: i64) -> Option<Box<RawValue>> {
    let last = ticker.last.or(ticker.close)?;
    let mut json = begun(of);
    for (name, number) in [
        ("last", last),
        ("bid", ticker.bid.unwrap_or(last)),
        ("ask", ticker.ask.unwrap_or(last)),
        ("change", or_zero(ticker.change)),
        ("percentage", or_zero(ticker.percentage)),
        ("baseVolume", or_zero(ticker.base_volume)),
        ("quoteVolume", or_zero(ticker.quote_volume)),
    ] {
        let _ = write!(json, r#","{name}":{number}"#);
    }
    for (name, number) in [("high", ticker.high), ("low", ticker.low), ("open", ticker.open)] {
        if let Some(number) = number {
            let _ = write!(json, r#","{name}":{number}"#);
        }
    }
    let time = ticker.time.0.unwrap_or(now);
    let _ = write!(json, r#","timestamp":{time},"latency":{latency}"#);
    ended(json)
}

/// Newest last.
pub(super) fn trades(of: Of<'_>, trades: &[Trade], now: i64) -> Option<Box<RawValue>> {
    let mut json = begun(of);
    json.push_str(r#","trades":["#);
    for (n, trade) in trades.iter().enumerate() {
        if n > 0 {
            json.push(',');
        }
        let time = if trade.time.0.is_some() { trade.time } else { orrery_venues::unified::Time(Some(now)) };
        let side = match trade.side {
            Some(Side::Sell) => "sell",
            _ => "buy",
        };
        let (price, amount) = (or_zero(trade.price), or_zero(trade.amount));
        let cost = trade.cost.or_else(|| price.times(amount)).unwrap_or_default();
        let _ = write!(
            json,
            r#"{{"id":{},"symbol":{},"timestamp":{},"datetime":{},"side":"{side}","price":{price},"amount":{amount},"cost":{cost}}}"#,
            text(trade.id.as_deref().unwrap_or_default()),
            text(of.symbol),
            time.0.unwrap_or(now),
            text(&time.iso().unwrap_or_default()),
        );
    }
    json.push(']');
    ended(json)
}

fn levels(json: &mut String, name: &str, levels: &[(Number, Number)]) {
    let _ = write!(json, r#","{name}":["#);
    for (n, (price, amount)) in levels.iter().enumerate() {
        let comma = if n > 0 { "," } else { "" };
        let _ = write!(json, "{comma}[{price},{amount}]");
    }
    json.push(']');
}

/// The volume is that of the levels which are shown.
pub(super) fn book(of: Of<'_>, book: &OrderBook, now: i64, latency: i64) -> Option<Box<RawValue>> {
    let sum = |side: &[(Number, Number)]| {
        side.iter().try_fold(Number::default(), |sum, (_, amount)| sum.plus(*amount)).unwrap_or_default()
    };
    let mut json = begun(of);
    levels(&mut json, "bids", &book.bids);
    levels(&mut json, "asks", &book.asks);
    let (bids, asks) = (sum(&book.bids), sum(&book.asks));
    let time = book.time.0.unwrap_or(now);
    let _ = write!(json, r#","volume":[{bids},{asks}],"timestamp":{time},"latency":{latency}"#);
    ended(json)
}

/// Candles that have no beginning or no price are left out.
pub(super) fn candles(of: Of<'_>, timeframe: &str, candles: &[Candle]) -> Option<Box<RawValue>> {
    let mut json = begun(of);
    let _ = write!(json, r#","timeframe":{},"candles":["#, text(timeframe));
    let mut comma = "";
    for candle in candles {
        let Candle(Some(time), Some(open), Some(high), Some(low), Some(close), volume) = candle else { continue };
        let _ = write!(json, "{comma}[{time},{open},{high},{low},{close},{}]", or_zero(*volume));
        comma = ",";
    }
    json.push(']');
    ended(json)
}

#[cfg(test)]
mod tests {
    use orrery_venues::unified::Time;

    use super::*;

    const OF: Of<'_> = Of { exchange: "binance", symbol: "BTC/USDT" };
    const NOW: i64 = 1_700_000_000_000;

    fn n(digits: &str) -> Number {
        Number::parse(digits).unwrap()
    }

    #[test]
    fn widgets_are_as_documented() {
        let whole = Ticker {
            last: Some(n("65000.10")),
            bid: Some(n("65000")),
            ask: Some(n("65000.2")),
            change: Some(n("-120.5")),
            percentage: Some(n("-0.185")),
            base_volume: Some(n("1234.5678")),
            quote_volume: Some(n("80123456.789")),
            time: Time(Some(NOW - 30)),
            ..Ticker::default()
        };
        insta::assert_snapshot!("ticker", ticker(OF, &whole, NOW, 30).unwrap().get());
        let bare = Ticker { last: Some(n("2.5e-7")), ..Ticker::default() };
        insta::assert_snapshot!("ticker_of_a_last_price", ticker(OF, &bare, NOW, 0).unwrap().get());
        assert!(ticker(OF, &Ticker::default(), NOW, 0).is_none());
        let one = Trade {
            id: Some("7\"".into()),
            time: Time(Some(NOW)),
            side: Some(Side::Sell),
            price: Some(n("65000.1")),
            amount: Some(n("0.002")),
            ..Trade::default()
        };
        insta::assert_snapshot!("trades", trades(OF, &[one, Trade::default()], NOW).unwrap().get());
        let two = OrderBook {
            bids: vec![(n("65000"), n("0.5")), (n("64999.9"), n("1.25"))],
            asks: vec![(n("65000.2"), n("0.00000001"))],
            time: Time(Some(NOW - 5)),
            ..OrderBook::default()
        };
        insta::assert_snapshot!("book", book(OF, &two, NOW, 5).unwrap().get());
        let begun = Candle(Some(NOW), Some(n("1")), Some(n("3")), Some(n("0.5")), Some(n("2")), None);
        insta::assert_snapshot!("candles", candles(OF, "1m", &[Candle::default(), begun]).unwrap().get());
    }
}
