//! A stand-in for CoinGecko and alternative.me on the loopback, fed from `testdata/marketdata`.
//!
//! It runs on a thread of its own, so that a test that blocks doesn't stop it. The price is set by
//! the test; conditional requests are honoured, failures can be ordered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use crate::gateway::repository;

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As documented.
    Good,
    /// Always this status, with `Retry-After` in seconds if given.
    Status(u16, Option<u32>),
    /// 200 with something that isn't JSON.
    Garbage,
    /// 200 with JSON of another shape.
    OtherShape,
    /// Begins an answer and never ends it.
    Hang,
}

#[derive(Debug)]
struct Inner {
    usd: f64,
    mode: Mode,
    hits: BTreeMap<String, u64>,
    not_modified: u64,
}

/// The running stand-in; it ends with the test's process.
#[derive(Clone, Debug)]
pub struct Upstream {
    inner: Arc<Mutex<Inner>>,
    address: SocketAddr,
}

type Shared = Arc<Mutex<Inner>>;

fn lock(inner: &Shared) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fixture(name: &str) -> Value {
    let path = repository().join("testdata/marketdata").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

impl Upstream {
    /// Starts it at a price in dollars.
    pub fn start(usd: f64) -> Self {
        let inner = Arc::new(Mutex::new(Inner { usd, mode: Mode::Good, hits: BTreeMap::new(), not_modified: 0 }));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap_or_else(|e| panic!("no loopback: {e}"));
        let address = listener.local_addr().unwrap_or_else(|e| panic!("no address: {e}"));
        listener.set_nonblocking(true).unwrap_or_else(|e| panic!("no non-blocking socket: {e}"));
        let routes = Router::new()
            .route("/api/v3/coins/markets", get(markets))
            .route("/api/v3/coins/bitcoin", get(coin))
            .route("/api/v3/coins/bitcoin/market_chart", get(chart))
            .route("/api/v3/simple/price", get(simple))
            .route("/fred/series/observations", get(observations))
            .route("/fng", get(fear_and_greed))
            .route("/fng/", get(fear_and_greed))
            .fallback(unknown)
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

    /// Moves the price.
    pub fn set_price(&self, usd: f64) {
        lock(&self.inner).usd = usd;
    }

    /// Changes the behaviour of every route.
    pub fn set_mode(&self, mode: Mode) {
        lock(&self.inner).mode = mode;
    }

    /// Requests so far whose path starts with `prefix`.
    pub fn hits(&self, prefix: &str) -> u64 {
        lock(&self.inner).hits.iter().filter(|(path, _)| path.starts_with(prefix)).map(|(_, n)| n).sum()
    }

    /// Requests so far that were answered with 304.
    pub fn not_modified(&self) -> u64 {
        lock(&self.inner).not_modified
    }

    /// What `COINGECKO_API_URL` is to be.
    pub fn coingecko(&self) -> String {
        format!("http://{}/api/v3", self.address)
    }

    /// What `ORRERY_FRED__BASE_URL` is to be.
    pub fn fred(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What `FEAR_GREED_API_URL` is to be.
    pub fn fear_greed(&self) -> String {
        format!("http://{}/fng", self.address)
    }
}

/// One recorded series, whatever is asked for.
async fn observations(State(inner): State<Shared>, headers: HeaderMap) -> Response {
    answer(&inner, "/fred/series/observations", &headers, |_| fixture("fred_observations_UNRATE.json"))
}

/// Counts the request and answers `content` in the ordered way.
fn answer(inner: &Shared, path: &str, headers: &HeaderMap, content: impl FnOnce(f64) -> Value) -> Response {
    let (mode, usd) = {
        let mut state = lock(inner);
        *state.hits.entry(path.to_owned()).or_default() += 1;
        (state.mode, state.usd)
    };
    match mode {
        Mode::Good => {
            let text = content(usd).to_string();
            let tag = HeaderValue::from_str(&format!("W/\"{path}-{usd}\"")).unwrap_or_else(|e| panic!("{path}: {e}"));
            if headers.get(header::IF_NONE_MATCH) == Some(&tag) {
                lock(inner).not_modified += 1;
                return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
            }
            let kind = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, kind), (header::ETAG, tag)], text).into_response()
        }
        Mode::Status(code, wait) => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = (status, fixture("coingecko_error_429.json").to_string()).into_response();
            if let Some(seconds) = wait {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
        Mode::Garbage => (StatusCode::OK, "<html>busy</html>").into_response(),
        Mode::OtherShape => axum::Json(json!({"bitcoin": "much"})).into_response(),
        Mode::Hang => {
            let never = futures_util::stream::pending::<Result<axum::body::Bytes, std::convert::Infallible>>();
            Response::new(Body::from_stream(never))
        }
    }
}

async fn markets(State(inner): State<Shared>, headers: HeaderMap) -> Response {
    answer(&inner, "/coins/markets", &headers, |usd| {
        let mut all = fixture("coingecko_coins_markets.json");
        if let Some(rows) = all.as_array_mut() {
            rows.retain(|row| row["id"] == "bitcoin");
            for row in rows {
                row["current_price"] = json!(usd);
            }
        }
        all
    })
}

async fn coin(State(inner): State<Shared>, headers: HeaderMap) -> Response {
    answer(&inner, "/coins/bitcoin", &headers, |usd| {
        let row = &fixture("coingecko_coins_markets.json")[0];
        let dollars = |field: &str| json!({ "usd": row[field] });
        json!({
            "id": "bitcoin",
            "last_updated": row["last_updated"],
            "market_data": {
                "current_price": { "usd": usd },
                "market_cap": dollars("market_cap"),
                "total_volume": dollars("total_volume"),
                "high_24h": dollars("high_24h"),
                "ath": dollars("ath"),
                "ath_date": dollars("ath_date"),
                "ath_change_percentage": dollars("ath_change_percentage"),
            }
        })
    })
}

async fn simple(State(inner): State<Shared>, headers: HeaderMap) -> Response {
    answer(&inner, "/simple/price", &headers, |usd| {
        let mut all = fixture("coingecko_simple_price.json");
        all["bitcoin"]["usd"] = json!(usd);
        all
    })
}

async fn chart(State(inner): State<Shared>, headers: HeaderMap, uri: Uri) -> Response {
    // charts of several lengths share a path; their tags must differ
    let days = uri.query().unwrap_or_default().split('&').find_map(|p| p.strip_prefix("days=")).unwrap_or("1");
    let name = match days {
        "1" => "coingecko_market_chart_days1.json",
        _ => "coingecko_market_chart_days90_daily.json",
    };
    answer(&inner, &format!("/coins/bitcoin/market_chart/{days}"), &headers, |_| fixture(name))
}

async fn fear_and_greed(State(inner): State<Shared>, headers: HeaderMap) -> Response {
    answer(&inner, "/fng", &headers, |_| fixture("alternativeme_fng_limit2.json"))
}

async fn unknown(State(inner): State<Shared>, uri: Uri) -> Response {
    *lock(&inner).hits.entry(format!("unknown{}", uri.path())).or_default() += 1;
    (StatusCode::NOT_FOUND, Body::from(fixture("coingecko_error_404.json").to_string())).into_response()
}
