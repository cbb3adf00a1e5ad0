//! A stand-in for one exchange, as far as its public market data goes: Binance's spot wire with one market that moves.
//! It can drop its connections and leave out changes of its book.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::{Value, json};

use crate::repository;

/// Between two messages of a stream.
const PERIOD: Duration = Duration::from_millis(50);
/// Levels of a side of the book; the last of the asks is what [`Exchange::forget_a_change`] takes away.
const LEVELS: u32 = 5;

struct Inner {
    /// Number of the book's last change.
    update: u64,
    /// Asks that are in the book, by their distance in dollars.
    asks: BTreeSet<u32>,
    trade: u64,
    /// Rises when all connections are to end.
    generation: u64,
    streams: BTreeMap<String, usize>,
    connections: usize,
    snapshots: usize,
    markets: [Value; 2],
}

/// The running stand-in; it ends with the test's process.
#[derive(Clone)]
pub struct Exchange {
    inner: Arc<Mutex<Inner>>,
    address: SocketAddr,
}

type Shared = Arc<Mutex<Inner>>;

fn lock(inner: &Shared) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the exchange says of its markets, as it was recorded: of spot and of contracts.
fn recorded_markets() -> [Value; 2] {
    let path = repository().join("testdata/venues/responses/binance.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let all: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let case = all["cases"].as_array().into_iter().flatten().find(|case| case["method"] == "fetchMarkets");
    let answers = case.unwrap_or_else(|| panic!("no markets were recorded"))["http"].clone();
    let body = |of: &str| {
        let answers = answers.as_array().into_iter().flatten();
        let found = answers.into_iter().find(|a| a["urlContains"].as_str().is_some_and(|url| url.contains(of)));
        let body = found.unwrap_or_else(|| panic!("no answer of {of}"))["body"].clone();
        match body.as_str() {
            Some(text) => serde_json::from_str(text).unwrap_or_else(|e| panic!("{of}: {e}")),
            None => body,
        }
    };
    [body("/api/v3/exchangeInfo"), body("/fapi/v1/exchangeInfo")]
}

#[expect(clippy::disallowed_methods, reason = "an exchange has a clock of its own")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or_default()
}

impl Exchange {
    /// Starts it.
    pub fn start() -> Self {
        let inner = Arc::new(Mutex::new(Inner {
            update: 100,
            asks: (1..=LEVELS).collect(),
            trade: 0,
            generation: 0,
            streams: BTreeMap::new(),
            connections: 0,
            snapshots: 0,
            markets: recorded_markets(),
        }));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap_or_else(|e| panic!("no loopback: {e}"));
        let address = listener.local_addr().unwrap_or_else(|e| panic!("no address: {e}"));
        listener.set_nonblocking(true).unwrap_or_else(|e| panic!("no non-blocking socket: {e}"));
        let routes = Router::new()
            .route("/api/v3/time", get(async || axum::Json(json!({ "serverTime": now() }))))
            .route(
                "/api/v3/exchangeInfo",
                get(async |State(inner): State<Shared>| axum::Json(lock(&inner).markets[0].clone())),
            )
            .route(
                "/fapi/v1/exchangeInfo",
                get(async |State(inner): State<Shared>| axum::Json(lock(&inner).markets[1].clone())),
            )
            .route("/api/v3/depth", get(depth))
            .route("/api/v3/klines", get(klines))
            .route("/api/v3/trades", get(async || axum::Json(json!([]))))
            .route("/ws/{connection}", any(stream))
            .with_state(inner.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.unwrap_or_else(|e| panic!("no runtime: {e}"));
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap_or_else(|e| panic!("{e}"));
                axum::serve(listener, routes).await.unwrap_or_else(|e| panic!("{e}"));
            });
        });
        Self { inner, address }
    }

    /// The base of its HTTP addresses.
    pub fn http(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base of its WebSocket addresses.
    pub fn ws(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Ends all connections without a goodbye.
    pub fn drop_all(&self) {
        lock(&self.inner).generation += 1;
    }

    /// Changes the book and tells nobody: the last ask is gone.
    pub fn forget_a_change(&self) {
        let mut inner = lock(&self.inner);
        inner.asks.pop_last();
        inner.update += 3;
    }

    /// How many asks the book has.
    pub fn asks(&self) -> usize {
        lock(&self.inner).asks.len()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        lock(&self.inner).connections
    }

    /// How often the book was asked for.
    pub fn snapshots(&self) -> usize {
        lock(&self.inner).snapshots
    }

    /// Streams that were asked for, each with how often.
    pub fn streams(&self) -> BTreeMap<String, usize> {
        lock(&self.inner).streams.clone()
    }
}

fn asks(inner: &Inner) -> Vec<[String; 2]> {
    inner.asks.iter().map(|n| [format!("{}.00", 65_000 + n), "1.0".to_owned()]).collect()
}

async fn depth(State(inner): State<Shared>) -> axum::Json<Value> {
    let mut inner = lock(&inner);
    inner.snapshots += 1;
    let bids: Vec<_> = (1..=LEVELS).map(|n| [format!("{}.00", 65_000 - n), "2.0".to_owned()]).collect();
    axum::Json(json!({ "lastUpdateId": inner.update, "bids": bids, "asks": asks(&inner) }))
}

async fn klines(Query(query): Query<BTreeMap<String, String>>) -> axum::Json<Value> {
    let length = if query.get("interval").is_some_and(|i| i == "1h") { 3_600_000 } else { 60_000 };
    let begin = now() / length * length;
    let candle = |n: i64| json!([begin - n * length, "1.0", "3.0", "0.5", "2.0", "7.5", begin, "0", 1, "0", "0", "0"]);
    axum::Json((1..=3).rev().map(candle).collect())
}

async fn stream(State(inner): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| serve(socket, inner)).into_response()
}

async fn serve(mut socket: WebSocket, inner: Shared) {
    let generation = {
        let mut inner = lock(&inner);
        inner.connections += 1;
        inner.generation
    };
    let mut streams = BTreeSet::new();
    let mut tick = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    if let Some(answer) = subscribe(&text, &mut streams, &inner)
                        && socket.send(Message::text(answer)).await.is_err()
                    {
                        return;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            _ = tick.tick() => {
                if lock(&inner).generation != generation {
                    return;
                }
                for stream in &streams {
                    let message = said(stream, &mut lock(&inner));
                    if let Some(message) = message
                        && socket.send(Message::text(message)).await.is_err()
                    {
                        return;
                    }
                }
            }
        }
    }
}

fn subscribe(text: &str, streams: &mut BTreeSet<String>, inner: &Shared) -> Option<String> {
    let frame: Value = serde_json::from_str(text).ok()?;
    for name in frame["params"].as_array()?.iter().filter_map(Value::as_str) {
        if frame["method"] == "SUBSCRIBE" {
            streams.insert(name.to_owned());
            *lock(inner).streams.entry(name.to_owned()).or_default() += 1;
        } else {
            streams.remove(name);
        }
    }
    Some(json!({ "result": null, "id": frame["id"] }).to_string())
}

fn said(stream: &str, inner: &mut Inner) -> Option<String> {
    let at = now();
    let value = match stream {
        "btcusdt@miniTicker" => json!({
            "e": "24hrMiniTicker", "E": at, "s": "BTCUSDT", "c": format!("65000.{:02}", inner.update % 100),
            "o": "64000.00", "h": "66000.00", "l": "63000.00", "v": "10.5", "q": "682500.00"
        }),
        "btcusdt@trade" => {
            inner.trade += 1;
            json!({
                "e": "trade", "E": at, "s": "BTCUSDT", "t": inner.trade, "p": "65000.50", "q": "0.010", "T": at,
                "m": inner.trade.is_multiple_of(2), "M": true
            })
        }
        "btcusdt@depth@100ms" => {
            inner.update += 1;
            let amount = format!("{}.0", inner.update);
            // as the exchange writes it: what comes first is what it is
            return Some(format!(
                r#"{{"e":"depthUpdate","E":{at},"s":"BTCUSDT","U":{0},"u":{0},"b":[["64999.00","{amount}"]],"a":[]}}"#,
                inner.update
            ));
        }
        "btcusdt@kline_1m" => json!({
            "e": "kline", "E": at, "s": "BTCUSDT", "k": {
                "t": at / 60_000 * 60_000, "T": at / 60_000 * 60_000 + 59_999, "s": "BTCUSDT", "i": "1m", "f": 1,
                "L": 2, "o": "2.0", "c": "2.5", "h": "3.0", "l": "1.0", "v": "4.0", "n": 2, "x": false,
                "q": "10.0", "V": "1.0", "Q": "2.0", "B": "0"
            }
        }),
        _ => return None,
    };
    Some(value.to_string())
}
