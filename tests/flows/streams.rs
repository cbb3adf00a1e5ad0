//! Live market data, from a stand-in for an exchange to session sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use e2e::socket::{Heard, Socket};
use e2e::{Exchange, Gateway, Options, eventually};
use serde_json::{Value, json};

use super::scale::House;

const SOON: Duration = Duration::from_secs(60);
const DOCUMENT: &str = "testnet.runtime.connector.exchange.crypto.binance.spot.BTC/USDT";
const TICKER: &str = "testnet.runtime.ticker.BTC/USDT.binance.spot";
const BOOK: &str = "testnet.runtime.book.BTC/USDT.binance.spot";

fn at(exchange: &Exchange, options: Options) -> Options {
    options
        .env("ORRERY_VENUES__BINANCE__REST_URL", &exchange.http())
        .env("ORRERY_VENUES__BINANCE__WS_URL", &exchange.ws())
}

async fn watch(gateway: &Gateway, names: &[&str]) -> Socket {
    let mut socket = Socket::open(gateway.base(), "/").await;
    for name in names {
        socket.send(json!({"webfix": "1.0", "method": "subscribe", "channel": name})).await;
    }
    socket
}

/// The next frame of this channel that is as `good` says.
async fn until(socket: &mut Socket, channel: &str, mut good: impl FnMut(&Value) -> bool) -> Value {
    let heard = async {
        loop {
            match socket.next().await {
                Heard::Json(frame) if frame["channel"] == channel && good(&frame["raw"]) => return frame,
                Heard::Json(_) => {}
                other => panic!("{channel}: {other:?}"),
            }
        }
    };
    tokio::time::timeout(SOON, heard).await.unwrap_or_else(|_| panic!("{channel} was not told as it should be"))
}

/// The first frame of each of these channels.
async fn each(socket: &mut Socket, channels: &[&str]) -> BTreeMap<String, Value> {
    let mut seen = BTreeMap::new();
    let heard = async {
        while seen.len() < channels.len() {
            match socket.next().await {
                Heard::Json(frame) => {
                    let name = frame["channel"].as_str().unwrap_or_default();
                    if channels.contains(&name) {
                        seen.insert(name.to_owned(), frame);
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    };
    let all = tokio::time::timeout(SOON, heard).await;
    assert!(all.is_ok(), "of {channels:?} only {:?} were told", seen.keys());
    seen
}

/// Are these fields numbers?
fn numbers(raw: &Value, fields: &[&str]) {
    for field in fields {
        assert!(raw[field].is_number(), "{field} of {raw}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_anonymous_socket_subscribes_to_is_streamed() {
    let exchange = Exchange::start();
    let gateway = Gateway::start(at(&exchange, Options::default())).await;
    let documents = ["ticker", "trades", "book", "candles"].map(|widget| format!("{DOCUMENT}.{widget}"));
    let mut names: Vec<&str> = documents.iter().map(String::as_str).collect();
    let clients = [
        TICKER,
        "testnet.runtime.trades.BTC/USDT.binance.spot",
        BOOK,
        "testnet.runtime.candles.BTC/USDT.binance.spot.1m",
    ];
    names.extend(clients);
    let unknown = "testnet.runtime.ticker.NO/SUCH.binance.spot";
    let mut socket = watch(&gateway, &[&names[..], &[unknown]].concat()).await;
    let seen = each(&mut socket, &names).await;
    for (document, client) in documents.iter().zip(clients) {
        let widget = document.rsplit('.').next().unwrap();
        for frame in [&seen[document], &seen[client]] {
            assert_eq!(frame["widget"], widget);
            assert_eq!(frame["module"], "connector.exchange.crypto.binance.spot");
            assert!(frame["timestamp"].is_number());
            assert_eq!(frame["value"]["raw"], frame["raw"], "the real client reads the same");
            let raw = &frame["raw"];
            assert_eq!((&raw["exchange"], &raw["market"]), (&json!("binance"), &json!("BTC/USDT")));
            match widget {
                "ticker" => {
                    let fields = ["last", "bid", "ask", "change", "percentage", "baseVolume", "quoteVolume"];
                    numbers(raw, &fields);
                    numbers(raw, &["timestamp", "latency"]);
                }
                "trades" => {
                    numbers(&raw["trades"][0], &["price", "amount", "timestamp"]);
                    assert!(raw["trades"][0]["id"].is_string());
                }
                "book" => {
                    assert_eq!(raw["bids"][0][0], 64_999);
                    assert_eq!(raw["asks"].as_array().unwrap().len(), 5);
                    assert_eq!(raw["volume"].as_array().unwrap().len(), 2);
                    numbers(raw, &["timestamp", "latency"]);
                }
                _ => {
                    assert_eq!(raw["timeframe"], "1m");
                    assert!(raw["candles"][0].as_array().is_some_and(|c| c.len() == 6 && c[5].is_number()), "{raw}");
                }
            }
        }
    }
    // a ticker without best prices of its own has those of the book
    until(&mut socket, TICKER, |raw| raw["bid"] == 64_999 && raw["ask"] == 65_001).await;
    let streams: BTreeSet<String> = exchange.streams().into_keys().collect();
    assert!(streams.iter().all(|stream| stream.starts_with("btcusdt@")), "nothing else is streamed: {streams:?}");
    assert_eq!(streams.len(), 4, "each once, whatever it is called: {streams:?}");
    // whoever comes later is told at once
    let mut late = watch(&gateway, &[BOOK]).await;
    until(&mut late, BOOK, |_| true).await;

    let (before, newest) = (exchange.connections(), now());
    exchange.drop_all();
    until(&mut socket, TICKER, |raw| raw["timestamp"].as_i64() > Some(newest + 1_000)).await;
    until(&mut socket, BOOK, |raw| raw["timestamp"].as_i64() > Some(newest + 1_000)).await;
    assert!(exchange.connections() > before, "it was connected again");

    let before = exchange.snapshots();
    exchange.forget_a_change();
    let left = exchange.asks();
    until(&mut socket, BOOK, |raw| raw["asks"].as_array().is_some_and(|asks| asks.len() == left)).await;
    assert!(exchange.snapshots() > before, "the book was begun anew");
}

#[expect(clippy::disallowed_methods, reason = "to compare with an exchange's clock")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configured_markets_are_told_to_all_who_hear_everything() {
    let exchange = Exchange::start();
    let options = at(&exchange, Options::default()).env("ORRERY_VENUES__BINANCE__MARKETS", "BTC/USDT");
    let gateway = Gateway::start(options).await;
    let mut socket = watch(&gateway, &["sonar", "runtime"]).await;
    let document = format!("{DOCUMENT}.ticker");
    each(&mut socket, &[TICKER, BOOK, &document, "testnet.runtime.candles.BTC/USDT.binance.spot.1m"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_has_markets_that_move() {
    let gateway = Gateway::start(Options::default().args(&["demo"])).await;
    let document = "testnet.runtime.connector.exchange.crypto.paper.spot.ETH/USDT.ticker";
    let client = "testnet.runtime.ticker.ETH/USDT.paper.spot";
    let mut socket = watch(&gateway, &["sonar", "runtime"]).await;
    let names = [
        document,
        client,
        "testnet.runtime.book.BTC/USDT.paper.spot",
        "testnet.runtime.trades.SOL/USDT.paper.spot",
        "testnet.runtime.candles.BTC/USDT.paper.spot.1m",
    ];
    let seen = each(&mut socket, &names).await;
    let first = seen[client]["raw"]["last"].clone();
    until(&mut socket, client, |raw| raw["last"] != first).await;
    // and by name, without everything else
    let mut one = watch(&gateway, &["testnet.runtime.candles.BTC/USDT.paper.spot.1h"]).await;
    let hours = until(&mut one, "testnet.runtime.candles.BTC/USDT.paper.spot.1h", |_| true).await;
    assert_eq!(hours["raw"]["timeframe"], "1h");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_pollers_markets_are_streamed_by_another() {
    let house = House::new().await;
    let (good, said) = house.cli(&["migrate"]);
    assert!(good, "{said}");
    let exchange = Exchange::start();
    let gateway = Gateway::start(house.options()).await;
    let poller = || {
        let data = Arc::new(tempfile::tempdir().unwrap());
        Gateway::spawn(data, at(&exchange, house.options()).poller())
    };
    let streams = |poller: &Gateway| poller.logs().contains("this process has a share");
    let mut first = poller();
    let mut socket = watch(&gateway, &[TICKER, BOOK]).await;
    each(&mut socket, &[TICKER, BOOK]).await;
    assert!(streams(&first));
    let second = poller();
    eventually("the second poller runs", SOON, async || {
        if second.logs().contains("is running") { Ok(()) } else { Err(second.logs()) }
    })
    .await;
    first.kill9();
    let newest = now();
    until(&mut socket, TICKER, |raw| raw["timestamp"].as_i64() > Some(newest + 5_000)).await;
    until(&mut socket, BOOK, |raw| raw["timestamp"].as_i64() > Some(newest + 5_000)).await;
    assert!(streams(&second));
}
