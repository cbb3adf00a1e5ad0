//! Messages of streams: WebSocket API v2.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Dialect, markets, order, refusal};
use crate::json::{self, Access as _, Json};
use crate::stream::{Change, Delta, Event};
use crate::unified::{Balance, Balances, Candle, Fee, Markets, Order, Raw, Side, TakerOrMaker, Ticker, Time, Trade};
use crate::{Context, Dialect as _, ErrorClass, VenueError};

/// So far into a message stands which channel it is of.
const HEAD: usize = 40;
/// How many levels of each side a checksum is over ("Checksum Calculation (v2)").
const SUMMED: usize = 10;

/// The most frequent message by far, read without a tree of values.
#[derive(Deserialize)]
struct Books<'t> {
    channel: &'t str,
    #[serde(rename = "type")]
    kind: &'t str,
    #[serde(borrow)]
    data: Vec<BookOf<'t>>,
}

#[derive(Deserialize)]
struct BookOf<'t> {
    #[serde(borrow)]
    symbol: Cow<'t, str>,
    #[serde(borrow, default)]
    bids: Vec<Level<'t>>,
    #[serde(borrow, default)]
    asks: Vec<Level<'t>>,
    checksum: Option<u32>,
    timestamp: Option<&'t str>,
}

/// Both numbers are taken as they are written: the checksum is over their digits, zeros at the end too.
#[derive(Deserialize)]
struct Level<'t> {
    #[serde(borrow)]
    price: &'t RawValue,
    #[serde(borrow)]
    qty: &'t RawValue,
}

impl BookOf<'_> {
    fn event(&self, snapshot: bool, markets: &Markets) -> Option<Event> {
        let changes = |side: &[Level<'_>]| {
            let change = |level: &Level<'_>| Change::parse(level.price.get(), level.qty.get());
            side.iter().map(change).collect::<Option<Vec<_>>>()
        };
        let (bids, asks) = changes(&self.bids).zip(changes(&self.asks))?;
        // of a book that is not as deep yet the next change is compared
        let deep = bids.len() >= SUMMED && asks.len() >= SUMMED;
        Some(Event::Book(Delta {
            symbol: symbol(&self.symbol, markets),
            snapshot,
            time: Time::of_iso(self.timestamp).0,
            bids,
            asks,
            checksum: self.checksum.filter(|_| deep || !snapshot),
            ..Delta::default()
        }))
    }
}

/// Our symbol of a market that streams name by theirs: `BTC/USD`, but `LUNA/USD` for `LUNC/USD`.
fn symbol(name: &str, markets: &Markets) -> String {
    let ours =
        name.split_once('/').map(|(base, quote)| format!("{}/{}", markets::currency(base), markets::currency(quote)));
    ours.filter(|ours| markets.of(ours).is_ok()).unwrap_or_else(|| name.to_owned())
}

pub(super) fn events(message: &str, markets: &Markets) -> Vec<Event> {
    let head = message.get(..HEAD).unwrap_or(message);
    if head.contains(r#""book""#)
        && let Ok(books) = serde_json::from_str::<Books<'_>>(message)
        && books.channel == "book"
    {
        let long = || VenueError::new(ErrorClass::BadResponse, "kraken: a level of the book is no number");
        let event =
            |book: &BookOf<'_>| book.event(books.kind == "snapshot", markets).unwrap_or_else(|| Event::Refused(long()));
        return books.data.iter().map(event).collect();
    }
    let Some(body) = json::parse(message) else { return Vec::new() };
    if let Some(error) = body.text_of(&["error", "errorMessage"]) {
        return refusal::of_stream(error).map(Event::Refused).into_iter().collect();
    }
    let context = Context { markets, asked: None };
    let data = body.get("data").list().unwrap_or_default();
    match (body.get("channel").text(), body.get("method").text()) {
        (Some("ticker"), _) => data.iter().flat_map(|raw| ticker(raw, markets)).collect(),
        (Some("trade"), _) => trades(data, markets),
        (Some("ohlc"), _) => candles(data, markets),
        (Some("executions"), _) => executions(data, markets),
        (Some("balances"), _) => vec![Event::Balance(balances(&body))],
        (None, Some("add_order" | "amend_order")) => {
            body.get("result").map(|raw| Event::OrderReply(order::order(raw, None, context))).into_iter().collect()
        }
        (None, Some("cancel_order" | "cancel_all")) => vec![Event::Reply(Raw::of(&body))],
        _ => Vec::new(),
    }
}

/// The same message says a market's last day and its best prices.
fn ticker(raw: &Json<'_>, markets: &Markets) -> [Event; 2] {
    let number = |name: &str| raw.number_of(&[name]);
    let (volume, vwap) = (number("volume"), number("vwap"));
    let ticker = Ticker {
        symbol: raw.text_of(&["symbol"]).map(|name| symbol(name, markets)),
        high: number("high"),
        low: number("low"),
        bid: number("bid"),
        bid_volume: number("bid_qty"),
        ask: number("ask"),
        ask_volume: number("ask_qty"),
        vwap,
        close: number("last"),
        change: number("change"),
        percentage: number("change_pct"),
        base_volume: volume,
        quote_volume: volume.and_then(|volume| volume.times(vwap?)),
        info: Raw::of(raw),
        ..Ticker::default()
    }
    .completed(None);
    [Event::Ticker(ticker.clone()), Event::BidAsk(ticker)]
}

/// Parts of a message by market, in their order.
fn by_symbol<T>(data: &[Json<'_>], markets: &Markets, one: impl Fn(&Json<'_>, &str) -> T) -> Vec<(String, Vec<T>)> {
    let mut all: Vec<(String, Vec<T>)> = Vec::new();
    for raw in data {
        let symbol = symbol(raw.text_of(&["symbol"]).unwrap_or_default(), markets);
        let part = one(raw, &symbol);
        match all.iter_mut().find(|(known, _)| *known == symbol) {
            Some((_, parts)) => parts.push(part),
            None => all.push((symbol, vec![part])),
        }
    }
    all
}

fn trades(data: &[Json<'_>], markets: &Markets) -> Vec<Event> {
    let one = |raw: &Json<'_>, symbol: &str| {
        let trade = Dialect.trade(raw, Context { markets, asked: markets.of(symbol).ok() });
        Trade { symbol: Some(symbol.to_owned()), ..trade }
    };
    let sorted = |(_, mut trades): (String, Vec<Trade>)| {
        trades.sort_by_key(|trade| trade.time.0);
        Event::Trades(trades)
    };
    by_symbol(data, markets, one).into_iter().map(sorted).collect()
}

fn candles(data: &[Json<'_>], markets: &Markets) -> Vec<Event> {
    let one = |raw: &Json<'_>, _: &str| {
        let number = |name: &str| raw.number_of(&[name]);
        let begins = Time::of_iso(raw.text_of(&["interval_begin"])).0;
        Candle(begins, number("open"), number("high"), number("low"), number("close"), number("volume"))
    };
    let minutes = data.first().text_of(&["interval"]).and_then(|digits| digits.parse().ok());
    let timeframe = minutes.and_then(super::http::timeframe).unwrap_or_default().to_owned();
    let event = |(symbol, candles)| Event::Candles { symbol, timeframe: timeframe.clone(), candles };
    by_symbol(data, markets, one).into_iter().map(event).collect()
}

/// What filled orders, and what else became of them.
fn executions(data: &[Json<'_>], markets: &Markets) -> Vec<Event> {
    let (fills, rest): (Vec<_>, Vec<_>) = data.iter().partition(|raw| raw.get("exec_type").text() == Some("trade"));
    let fills: Vec<Trade> = fills.into_iter().map(|raw| fill(raw, markets)).collect();
    let orders: Vec<Order> = rest.into_iter().map(|raw| changed(raw, markets)).collect();
    let mut events = Vec::new();
    if !fills.is_empty() {
        events.push(Event::MyTrades(fills));
    }
    if !orders.is_empty() {
        events.push(Event::Orders(orders));
    }
    events
}

fn fill(raw: &Json<'_>, markets: &Markets) -> Trade {
    let text = |name: &str| raw.string_of(&[name]);
    let datetime = text("timestamp");
    let mut fees = raw.get("fees").each(|fee| Fee {
        cost: fee.number_of(&["qty"]),
        currency: fee.text_of(&["asset"]).map(markets::currency),
        rate: None,
    });
    let fee = fees.first().cloned();
    if fees.len() == 1 {
        fees.clear();
    }
    Trade {
        info: Raw::of(raw),
        time: Time::of_iso(datetime.as_deref()),
        datetime,
        symbol: raw.text_of(&["symbol"]).map(|name| symbol(name, markets)),
        id: text("exec_id"),
        order: text("order_id"),
        order_type: text("order_type"),
        side: raw.text_of(&["side"]).and_then(Side::parse),
        taker_or_maker: Some(match raw.get("liquidity_ind").text() {
            Some("t") => TakerOrMaker::Taker,
            _ => TakerOrMaker::Maker,
        }),
        price: raw.number_of(&["last_price"]),
        amount: raw.number_of(&["last_qty"]),
        cost: raw.number_of(&["cost"]),
        fee,
        fees,
        ..Trade::default()
    }
}

/// What is said of an order; what did not change is not said again.
fn changed(raw: &Json<'_>, markets: &Markets) -> Order {
    let text = |name: &str| raw.string_of(&[name]);
    let number = |name: &str| raw.number_of(&[name]);
    let datetime = text("timestamp");
    Order {
        info: Raw::of(raw),
        id: text("order_id"),
        client_order_id: raw.string_of(&["cl_ord_id", "order_userref"]),
        time: Time::of_iso(datetime.as_deref()),
        datetime,
        symbol: raw.text_of(&["symbol"]).map(|name| symbol(name, markets)),
        order_type: text("order_type"),
        time_in_force: text("time_in_force"),
        side: raw.text_of(&["side"]).and_then(Side::parse),
        price: number("limit_price"),
        trigger_price: number("stop_price"),
        amount: number("order_qty"),
        cost: number("cum_cost"),
        average: number("avg_price"),
        filled: number("cum_qty"),
        status: raw.text_of(&["order_status"]).and_then(order::status),
        fee: Some(Fee { cost: number("fee_usd_equiv"), currency: Some("USD".to_owned()), rate: None }),
        ..Order::default()
    }
    .completed(None)
}

fn balances(body: &Json<'_>) -> Balances {
    let mut of: Vec<(String, Balance)> = Vec::new();
    for raw in body.get("data").list().unwrap_or_default() {
        let Some(id) = raw.text_of(&["asset"]) else { continue };
        let balance = Balance { total: raw.number_of(&["balance"]), ..Balance::default() };
        let currency = markets::currency(id);
        of.retain(|(known, _)| *known != currency);
        of.push((currency, balance));
    }
    Balances { info: Raw::of(body), of, ..Balances::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Venue;
    use crate::stream::{Outcome, Synced};

    /// "Checksum Calculation (v2)": the snapshot of the documentation's example, and its checksum.
    const EXAMPLE: &str = r#"{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[
        {"price":45283.5,"qty":0.10000000},{"price":45283.4,"qty":1.54582015},{"price":45282.1,"qty":0.10000000},
        {"price":45281.0,"qty":0.10000000},{"price":45280.3,"qty":1.54592586},{"price":45279.0,"qty":0.07990000},
        {"price":45277.6,"qty":0.03310103},{"price":45277.5,"qty":0.30000000},{"price":45277.3,"qty":1.54602737},
        {"price":45276.6,"qty":0.15445238}],"asks":[
        {"price":45285.2,"qty":0.00100000},{"price":45286.4,"qty":1.54571953},{"price":45286.6,"qty":1.54571109},
        {"price":45289.6,"qty":1.54560911},{"price":45290.2,"qty":0.15890660},{"price":45291.8,"qty":1.54553491},
        {"price":45294.7,"qty":0.04454749},{"price":45296.1,"qty":0.35380000},{"price":45297.5,"qty":0.09945542},
        {"price":45299.5,"qty":0.18772827}],"checksum":3310070434}]}"#;

    fn markets() -> Markets {
        let text = r#"{"error":[],"result":{
            "XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","base":"XXBT","quote":"ZUSD"},
            "LUNAUSD":{"altname":"LUNAUSD","wsname":"LUNA/USD","base":"LUNA","quote":"ZUSD"}}}"#;
        Markets::new(Venue::Kraken.dialect().markets("", &json::parse(text).unwrap()))
    }

    fn delta(message: &str) -> Delta {
        match events(message, &markets()).as_slice() {
            [Event::Book(delta)] => delta.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_book_is_kept_by_its_checksums() {
        let markets = markets();
        let rule = Venue::Kraken.rule(markets.of("BTC/USD").unwrap());
        let mut synced = Synced::new(rule);
        assert_eq!(synced.apply(&delta(EXAMPLE)), Outcome::Changed);
        // the best bid goes, another comes at the end, and the ask that falls out of the depth is not said
        let rest: String = [
            "4528452100000",
            "452852100000",
            "452864154571953",
            "452866154571109",
            "452896154560911",
            "45290215890660",
            "452918154553491",
            "4529474454749",
            "45296135380000",
            "4529759945542",
        ]
        .concat()
            + &[
                "452834154582015",
                "45282110000000",
                "45281010000000",
                "452803154592586",
                "4527907990000",
                "4527763310103",
                "45277530000000",
                "452773154602737",
                "45276615445238",
                "452760250000000",
            ]
            .concat();
        let sum = crc32fast::hash(rest.as_bytes());
        let update = format!(
            r#"{{"channel":"book","type":"update","data":[{{"symbol":"BTC/USD","bids":[
            {{"price":45283.5,"qty":0.00000000}},{{"price":45276.0,"qty":2.50000000}}],
            "asks":[{{"price":45284.5,"qty":21.00000}}],"checksum":{sum},"timestamp":"2023-10-06T17:35:55.440295Z"}}]}}"#
        );
        let update = delta(&update);
        assert_eq!(update.time, Some(1_696_613_755_440));
        assert_eq!(synced.apply(&update), Outcome::Changed);
        assert_eq!(synced.book().map(crate::stream::Book::depth), Some((10, 10)));
        assert_eq!(synced.apply(&Delta { checksum: Some(1), ..update }), Outcome::Wrong);
    }

    #[test]
    fn a_level_that_is_no_number_is_told() {
        let message =
            r#"{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":-1,"qty":1}]}]}"#;
        let events = events(message, &markets());
        assert!(matches!(events.as_slice(), [Event::Refused(_)]), "{events:?}");
    }

    #[test]
    fn streams_name_markets_by_the_exchange_s_names() {
        let markets = markets();
        assert_eq!(symbol("BTC/USD", &markets), "BTC/USD");
        assert_eq!(symbol("LUNA/USD", &markets), "LUNC/USD");
        assert_eq!(symbol("FOO/USD", &markets), "FOO/USD");
    }

    #[test]
    fn what_only_confirms_says_nothing() {
        for message in [
            r#"{"channel":"heartbeat"}"#,
            r#"{"channel":"status","type":"update","data":[{"system":"online","api_version":"v2"}]}"#,
            r#"{"method":"pong","req_id":1,"time_in":"2023-09-21T14:36:57.428972Z"}"#,
            r#"{"method":"subscribe","result":{"channel":"ticker","symbol":"BTC/USD"},"success":true}"#,
            r#"{"error":"Already subscribed","method":"subscribe","req_id":2,"success":false}"#,
            "no JSON",
        ] {
            assert_eq!(events(message, &markets()), [], "{message}");
        }
        let refused = events(r#"{"error":"EOrder:Unknown order","method":"cancel_order","success":false}"#, &markets());
        let class =
            |event: &Event| matches!(event, Event::Refused(error) if error.class() == ErrorClass::OrderNotFound);
        assert!(refused.iter().all(class) && refused.len() == 1, "{refused:?}");
    }
}
