//! The feeds against a server on loopback that answers as the real ones do.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its failure")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use orrery_feeds::{AlternativeMe, CoinGecko, Fred, Options};
use orrery_kernel::{Entropy, Secret, Timestamp};
use orrery_market::{FeedError, PriceFeed, SentimentFeed, Timeframe};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_010);

fn fixture(name: &str) -> String {
    let path = format!("{}/../../testdata/marketdata/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

struct NoJitter;

impl Entropy for NoJitter {
    fn fill(&self, out: &mut [u8]) {
        out.fill(0);
    }
}

/// Status, headers, body.
type Canned = (u16, Vec<(&'static str, String)>, String);

/// What to answer to the calls as they come; the last answer repeats.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Canned>>>,
    seen: Arc<Mutex<Vec<(String, bool)>>>,
}

impl Script {
    fn then(self, status: u16, headers: &[(&'static str, &str)], body: impl Into<String>) -> Self {
        let headers = headers.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
        self.answers.lock().unwrap().push_back((status, headers, body.into()));
        self
    }

    fn calls(&self) -> Vec<(String, bool)> {
        self.seen.lock().unwrap().clone()
    }

    async fn serve(&self) -> Options {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/api/v3/", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(self.clone());
        #[expect(clippy::disallowed_methods, reason = "a server of this test, ended with its runtime")]
        tokio::spawn(async move { axum::serve(listener, app).await });
        let mut options = Options::new(&base);
        options.retry_wait = Duration::from_millis(1);
        options.timeout = Duration::from_secs(2);
        options
    }
}

async fn answer(State(script): State<Script>, request: Request) -> Response {
    let conditional = request.headers().contains_key("if-none-match");
    script.seen.lock().unwrap().push((request.uri().to_string(), conditional));
    let mut answers = script.answers.lock().unwrap();
    let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
    let (status, headers, body) = next.unwrap();
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body.into()).unwrap()
}

async fn gecko(script: &Script) -> CoinGecko {
    CoinGecko::new(script.serve().await, Arc::new(NoJitter)).unwrap()
}

#[tokio::test]
async fn a_price_with_everything_around_it() {
    let script = Script::default().then(200, &[], fixture("coingecko_coins_markets.json"));
    let price = gecko(&script).await.latest(NOW).await.unwrap().unwrap();
    assert_eq!(price.usd_cents, 3_706_700);
    assert_eq!(price.market_cap_usd.unwrap().to_string(), "724412345678");
    assert_eq!(price.ath_date.as_deref(), Some("2021-11-10"));
    assert_eq!(price.ath_change_pct.unwrap().to_string(), "-46.31506");
    assert_eq!((price.source.as_str(), price.observed_at), ("coingecko", NOW));
    assert_eq!(script.calls()[0].0, "/api/v3/coins/markets?vs_currency=usd&ids=bitcoin");
}

#[tokio::test]
async fn a_source_without_the_best_endpoint_is_asked_elsewhere_and_remembered() {
    let script = Script::default()
        .then(404, &[], fixture("coingecko_error_404.json"))
        .then(404, &[], fixture("coingecko_error_404.json"))
        .then(200, &[], fixture("coingecko_simple_price.json"));
    let feed = gecko(&script).await;
    assert_eq!(feed.latest(NOW).await.unwrap().unwrap().usd_cents, 3_706_700);
    assert_eq!(feed.latest(NOW).await.unwrap().unwrap().usd_cents, 3_706_700);
    let calls = script.calls();
    assert_eq!(calls.len(), 4, "{calls:?}");
    assert!(calls[3].0.contains("/simple/price"));
}

#[tokio::test]
async fn unchanged_is_asked_conditionally_and_answered_as_such() {
    let script =
        Script::default().then(200, &[("etag", "\"1\"")], fixture("coingecko_coins_markets.json")).then(304, &[], "");
    let feed = gecko(&script).await;
    assert!(feed.latest(NOW).await.unwrap().is_some());
    assert!(feed.latest(NOW).await.unwrap().is_none());
    assert_eq!(script.calls().iter().map(|c| c.1).collect::<Vec<_>>(), [false, true]);
}

#[tokio::test]
async fn a_source_that_asks_for_a_pause_gets_it_without_another_try() {
    let script = Script::default().then(429, &[("retry-after", "17")], fixture("coingecko_error_429.json"));
    let error = gecko(&script).await.latest(NOW).await.unwrap_err();
    assert!(matches!(error, FeedError::RateLimited { retry_after: Some(d) } if d == Duration::from_secs(17)));
    assert_eq!(script.calls().len(), 1);
}

#[tokio::test]
async fn passing_faults_are_tried_again_and_lasting_ones_reported() {
    let passing =
        Script::default().then(500, &[], "").then(503, &[], "").then(200, &[], fixture("coingecko_coins_markets.json"));
    assert!(gecko(&passing).await.latest(NOW).await.unwrap().is_some());
    let lasting = Script::default().then(500, &[], "");
    assert!(matches!(gecko(&lasting).await.latest(NOW).await, Err(FeedError::Unavailable(_))));
    assert_eq!(lasting.calls().len(), 3);
}

#[tokio::test]
async fn nonsense_is_refused() {
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "<html>",
        r#"[{"id":"bitcoin"}]"#,
        r#"[{"id":"bitcoin","current_price":"x"}]"#,
        r#"[{"id":"bitcoin","current_price":-1}]"#,
        r#"[{"id":"bitcoin","current_price":1e30}]"#,
    ] {
        let script = Script::default().then(200, &[], body);
        assert!(matches!(gecko(&script).await.latest(NOW).await, Err(FeedError::Bad(_))), "{body}");
    }
    let huge = Script::default().then(200, &[], " ".repeat(5 << 20));
    assert!(matches!(gecko(&huge).await.latest(NOW).await, Err(FeedError::Bad(_))));
    let elsewhere = Script::default().then(302, &[("location", "http://127.0.0.1:9/")], "");
    assert!(matches!(gecko(&elsewhere).await.latest(NOW).await, Err(FeedError::Bad(_))), "redirects are not followed");
}

#[tokio::test]
async fn charts() {
    let script = Script::default().then(200, &[], fixture("coingecko_market_chart_days1.json"));
    let chart = gecko(&script).await.chart(Timeframe::D1, NOW).await.unwrap().unwrap();
    assert_eq!(chart.points[0].at, Timestamp::from_millis(1_699_913_600_000));
    assert_eq!(chart.points[0].usd_cents, 3_665_400);
    assert!(chart.points.windows(2).all(|w| w[0].at < w[1].at));
    assert_eq!(script.calls()[0].0, "/api/v3/coins/bitcoin/market_chart?vs_currency=usd&days=1");
    let empty = Script::default().then(200, &[], r#"{"prices":[]}"#);
    assert!(matches!(gecko(&empty).await.chart(Timeframe::D1, NOW).await, Err(FeedError::Bad(_))));
}

#[tokio::test]
async fn fear_and_greed() {
    let script = Script::default().then(200, &[], fixture("alternativeme_fng_limit2.json"));
    let feed = AlternativeMe::new(script.serve().await, Arc::new(NoJitter)).unwrap();
    let sentiment = feed.latest(NOW).await.unwrap().unwrap();
    assert_eq!((sentiment.value, sentiment.classification.as_str()), (69, "Greed"));
    assert_eq!(sentiment.data_date, "2023-11-14");
    let odd =
        Script::default().then(200, &[], r#"{"data":[{"value":"101","value_classification":"x","timestamp":"1"}]}"#);
    let feed = AlternativeMe::new(odd.serve().await, Arc::new(NoJitter)).unwrap();
    assert!(matches!(feed.latest(NOW).await, Err(FeedError::Bad(_))));
}

#[test]
fn a_base_that_is_no_http_url_is_refused() {
    for url in ["", "ftp://x", "file:///etc/passwd", "not a url"] {
        assert!(CoinGecko::new(Options::new(url), Arc::new(NoJitter)).is_err(), "{url}");
    }
}

async fn fred(script: &Script) -> Fred {
    Fred::new(script.serve().await, Secret::new("abcdef0123456789".into()), Arc::new(NoJitter)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_newest_figure_that_is_there() {
    let script = Script::default()
        .then(200, &[], fixture("fred_observations_DGS10_missing.json"))
        .then(200, &[], fixture("fred_observations_UNRATE.json"))
        .then(200, &[], r#"{"observations":[{"date":"2023-11-10","value":"."},{"date":"2023-11-09","value":"4.62"}]}"#)
        .then(200, &[], r#"{"observations":[{"date":"2023-11-10","value":"."}]}"#);
    let feed = fred(&script).await;
    let seen = feed.latest("DGS10").await.unwrap().unwrap();
    assert_eq!((seen.date.as_str(), seen.value.to_string().as_str()), ("2023-11-13", "4.63"));
    let seen = feed.latest("UNRATE").await.unwrap().unwrap();
    assert_eq!((seen.date.as_str(), seen.value.to_string().as_str()), ("2023-10-01", "3.8"));
    // a missing value is passed over, whatever the order
    assert_eq!(feed.latest("DGS10").await.unwrap().unwrap().date, "2023-11-09");
    assert!(matches!(feed.latest("DGS10").await, Err(FeedError::Bad(_))));
    assert_eq!(
        script.calls()[1].0,
        "/api/v3/fred/series/observations?series_id=UNRATE&api_key=abcdef0123456789&file_type=json&sort_order=desc&limit=12"
    );
}

#[tokio::test]
async fn the_key_of_figures_is_never_told() {
    let script = Script::default().then(400, &[], fixture("fred_error_400.json")).then(
        429,
        &[("retry-after", "7")],
        fixture("fred_error_429.json"),
    );
    let feed = fred(&script).await;
    let refused = feed.latest("GDP").await.unwrap_err().to_string();
    assert_eq!(refused, "source gave a bad answer: status 400 Bad Request");
    let wait = Some(Duration::from_secs(7));
    assert!(matches!(feed.latest("GDP").await, Err(FeedError::RateLimited { retry_after }) if retry_after == wait));
    let mut nowhere = Options::new("http://127.0.0.1:9");
    nowhere.retry_wait = Duration::from_millis(1);
    let key = Secret::new("abcdef0123456789".to_owned());
    let error = Fred::new(nowhere, key, Arc::new(NoJitter)).unwrap().latest("GDP").await.unwrap_err().to_string();
    assert!(!error.contains("abcdef"), "{error}");
    for bad in ["", "a key", "k&x=y"] {
        assert!(Fred::new(Options::new("http://h"), Secret::new(bad.into()), Arc::new(NoJitter)).is_err());
    }
    assert!(matches!(feed.latest("GDP&x=1").await, Err(FeedError::Bad(_))));
}

#[tokio::test(start_paused = true)]
async fn no_more_than_two_figures_a_second_are_asked_for() {
    let script = Script::default().then(200, &[], fixture("fred_observations_CPIAUCSL.json"));
    let feed = fred(&script).await;
    let from = tokio::time::Instant::now();
    for _ in 0..9 {
        feed.latest("CPIAUCSL").await.unwrap();
    }
    assert!(from.elapsed() >= Duration::from_secs(4), "{:?}", from.elapsed());
}
