//! The wire shapes of this surface, over in-memory stores, a clock that stands still and a fixed
//! price of 45,000 dollars.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its failure")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http_body_util::BodyExt;
use orrery_app::tasks::Tasks;
use orrery_app::trading::Welcome;
use orrery_app::{App, Settings};
use orrery_http_kit::RequestMeta;
use orrery_identity::{Email, Role};
use orrery_kernel::{Clock, Timestamp};
use orrery_market::{Chart, ChartPoint, FeedError, PriceFeed, Sentiment, SentimentFeed, SpotPrice, Timeframe};
use orrery_testkit::assembled::{ports, settings};
use orrery_testkit::fakes::{ManualClock, SeededEntropy};
use serde_json::{Value, json};
use tower::ServiceExt;

/// 2024-07-20T10:30:00Z, the documents' favourite moment.
const NOW: Timestamp = Timestamp::from_secs(1_721_471_400);

struct Fixed;

#[async_trait]
impl PriceFeed for Fixed {
    fn source(&self) -> &'static str {
        "fixed"
    }

    async fn latest(&self, now: Timestamp) -> Result<Option<SpotPrice>, FeedError> {
        Ok(Some(SpotPrice {
            source: "fixed".into(),
            usd_cents: 4_500_000,
            market_cap_usd: "850000000000".parse().ok(),
            volume_24h_usd: "25000000000".parse().ok(),
            high_24h_usd: "46000".parse().ok(),
            ath_usd: "69000".parse().ok(),
            ath_date: Some("2021-11-10".into()),
            ath_change_pct: "-34.78".parse().ok(),
            source_updated_at: Some(now),
            observed_at: now,
        }))
    }

    async fn chart(&self, timeframe: Timeframe, now: Timestamp) -> Result<Option<Chart>, FeedError> {
        let at = |s: i64| Timestamp::from_secs(now.secs() - s);
        let points =
            vec![ChartPoint { at: at(86_400), usd_cents: 4_450_000 }, ChartPoint { at: now, usd_cents: 4_500_000 }];
        Ok(Some(Chart { timeframe, source: "fixed".into(), points, observed_at: now }))
    }
}

#[async_trait]
impl SentimentFeed for Fixed {
    fn source(&self) -> &'static str {
        "fixed"
    }

    async fn latest(&self, now: Timestamp) -> Result<Option<Sentiment>, FeedError> {
        Ok(Some(Sentiment {
            source: "fixed".into(),
            value: 72,
            classification: "Greed".into(),
            data_date: now.date(),
            observed_at: now,
        }))
    }
}

struct Desk {
    app: Arc<App>,
    clock: Arc<ManualClock>,
    tasks: Tasks,
}

impl Desk {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let ports = ports(clock.clone(), Arc::new(SeededEntropy::new(7)), Arc::new(Fixed));
        let settings = Settings { welcome: Some(Welcome { inr: 1_000_000, btc: 0 }), ..settings() };
        let tasks = Tasks::new();
        let app = App::start(ports, settings, &tasks).await.unwrap();
        Self { app, clock, tasks }
    }

    async fn with_market() -> Self {
        let desk = Self::open().await;
        desk.app.market.poll_price().await.unwrap();
        desk.app.market.poll_sentiment().await.unwrap();
        for timeframe in Timeframe::ALL {
            desk.app.market.poll_chart(timeframe).await.unwrap();
        }
        desk
    }

    async fn send(&self, request: Request) -> Response {
        let mut request = request;
        request.extensions_mut().insert(RequestMeta {
            request_id: "test".into(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            agent: "test".into(),
            now: self.clock.now(),
            local: false,
            tls: false,
        });
        orrery_api_bittrade::router().0.with_state(self.app.clone()).oneshot(request).await.unwrap()
    }

    async fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = body.map_or(Body::empty(), |b| Body::from(b.to_string()));
        json_of(self.send(request.header("content-type", "application/json").body(body).unwrap()).await).await
    }

    async fn register(&self, email: &str) -> String {
        let body = json!({"email": email, "name": "User Name", "password": "correct horse"});
        let (status, reply) = self.call("POST", "/api/auth/register", None, Some(body)).await;
        assert_eq!(status, 201, "{reply}");
        reply["token"].as_str().unwrap().to_owned()
    }
}

async fn json_of(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn market_routes() {
    let desk = Desk::with_market().await;
    for (name, path) in [
        ("current", "/api/bitcoin/current"),
        ("rates", "/api/market-rates"),
        ("chart", "/api/bitcoin/chart/1d"),
        ("sentiment", "/api/bitcoin/sentiment"),
        ("history", "/api/bitcoin/history"),
    ] {
        let (status, body) = desk.call("GET", path, None, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        insta::assert_json_snapshot!(name, body);
    }
    desk.tasks.drain().await;
}

#[tokio::test]
async fn without_data_market_routes_say_so() {
    let desk = Desk::open().await;
    for (path, text) in [
        ("/api/bitcoin/current", "No Bitcoin data found"),
        ("/api/market-rates", "No Bitcoin data found"),
        ("/api/bitcoin/chart/1d", "No chart data found for 1d"),
        ("/api/bitcoin/sentiment", "No sentiment data found"),
    ] {
        assert_eq!(desk.call("GET", path, None, None).await, (404, json!({ "error": text })), "{path}");
    }
    assert_eq!(
        desk.call("GET", "/api/bitcoin/chart/2d", None, None).await,
        (400, json!({"error": "Invalid timeframe"}))
    );
    desk.tasks.drain().await;
}

#[tokio::test]
async fn a_trade_and_what_shows_of_it() {
    let desk = Desk::with_market().await;
    let token = desk.register("user@example.com").await;
    let buy = json!({"action": "buy", "type": "market", "amount": "1000", "currency": "inr"});
    let (status, body) = desk.call("POST", "/api/trade", Some(&token), Some(buy)).await;
    assert_eq!(status, 200, "{body}");
    insta::assert_json_snapshot!("trade", body);
    let (_, balance) = desk.call("GET", "/api/balance", Some(&token), None).await;
    insta::assert_json_snapshot!("balance", balance);
    let (_, transactions) = desk.call("GET", "/api/transactions?limit=1", Some(&token), None).await;
    insta::assert_json_snapshot!("transactions", transactions);
    desk.tasks.drain().await;
}

#[tokio::test]
async fn sessions_and_profile() {
    let desk = Desk::open().await;
    let body = json!({"email": "User@Example.com", "name": "User Name", "password": "correct horse"});
    let (status, registered) = desk.call("POST", "/api/auth/register", None, Some(body)).await;
    assert_eq!(status, 201);
    insta::assert_json_snapshot!("register", registered, { ".token" => "[token]" });
    let login = json!({"email": "user@example.com", "password": "correct horse"});
    let (status, logged_in) = desk.call("POST", "/api/auth/login", None, Some(login)).await;
    assert_eq!(status, 200);
    insta::assert_json_snapshot!("login", logged_in, { ".token" => "[token]", ".session_id" => "[session]" });
    let token = logged_in["token"].as_str().unwrap();
    let (_, verified) = desk.call("GET", "/api/auth/verify", Some(token), None).await;
    insta::assert_json_snapshot!("verify", verified);
    let (_, profile) = desk.call("GET", "/api/user/profile", Some(token), None).await;
    insta::assert_json_snapshot!("profile", profile);
    assert_eq!(desk.call("POST", "/api/auth/logout", Some(token), None).await.0, 200);
    let after = desk.call("GET", "/api/balance", Some(token), None).await;
    assert_eq!(after, (403, json!({"error": "Invalid or expired token"})));
    assert_eq!(desk.call("GET", "/api/auth/verify", Some(token), None).await, (401, json!({"error": "Invalid token"})));
    assert_eq!(desk.call("GET", "/api/auth/verify", None, None).await, (401, json!({"error": "No token provided"})));
    // the first session goes on
    let first = registered["token"].as_str().unwrap();
    assert_eq!(desk.call("GET", "/api/balance", Some(first), None).await.0, 200);
    desk.tasks.drain().await;
}

#[tokio::test]
async fn registration_is_checked_in_the_documented_order() {
    let desk = Desk::open().await;
    for (body, text) in [
        (json!({"email": "x", "password": "1"}), "All fields are required"),
        (json!({"email": "x", "name": "n", "password": "1", "confirmPassword": "2"}), "Passwords do not match"),
        (json!({"email": "x", "name": "n", "password": "1"}), "Password must be at least 6 characters long"),
        (json!({"email": "x", "name": "n", "password": "correct horse"}), "Invalid email format"),
    ] {
        let (status, reply) = desk.call("POST", "/api/auth/register", None, Some(body)).await;
        assert_eq!((status, reply), (400, json!({ "error": text })));
    }
    desk.register("taken@example.com").await;
    let again = json!({"email": "TAKEN@example.com", "name": "n", "password": "correct horse"});
    let reply = desk.call("POST", "/api/auth/register", None, Some(again)).await;
    assert_eq!(reply, (409, json!({"error": "User with this email already exists"})));
    desk.tasks.drain().await;
}

#[tokio::test]
async fn a_key_has_one_outcome() {
    let desk = Desk::with_market().await;
    let token = desk.register("user@example.com").await;
    let trade = async |amount: &str, key: &str| {
        let body = json!({"action": "buy", "type": "market", "amount": amount, "currency": "inr"});
        let request = Request::builder()
            .method("POST")
            .uri("/api/trade")
            .header("authorization", format!("Bearer {token}"))
            .header("idempotency-key", key)
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = desk.send(request).await;
        let replay = response.headers().get("idempotent-replay").is_some_and(|v| v == "true");
        (json_of(response).await, replay)
    };
    let (first, replay) = trade("1000", "a").await;
    assert_eq!((first.0, replay), (200, false));
    assert_eq!(trade("1000", "a").await, (first.clone(), true));
    assert_eq!(trade("1000.00", "a").await, (first.clone(), true), "the same amount, written otherwise");
    assert_eq!(trade("1001", "a").await.0.0, 409);
    // a refusal is remembered too
    let (refused, replay) = trade("999999", "b").await;
    assert_eq!((refused.0, replay), (400, false), "{}", refused.1);
    assert_eq!(trade("999999", "b").await, (refused, true));
    // and neither waits for a fresh price
    desk.clock.advance(Duration::from_secs(91));
    assert_eq!(trade("1000", "a").await, (first, true));
    assert_eq!(trade("1000", "c").await.0.0, 503);
    desk.tasks.drain().await;
}

#[tokio::test]
async fn only_administrators_undo() {
    let desk = Desk::with_market().await;
    let token = desk.register("user@example.com").await;
    let buy = json!({"action": "buy", "type": "market", "amount": "1000", "currency": "inr"});
    let (_, traded) = desk.call("POST", "/api/trade", Some(&token), Some(buy)).await;
    let path = format!("/api/admin/transactions/{}/reverse", traded["id"]);
    let denied = json!({"error": "Access denied. Admin privileges required."});
    assert_eq!(desk.call("POST", &path, Some(&token), None).await, (403, denied));

    let admin = Email::parse("admin@example.com").unwrap();
    desk.register(admin.as_typed()).await;
    desk.app.auth.operator_set_role(&admin, Role::Admin).await.unwrap();
    let login = json!({"email": "admin@example.com", "password": "correct horse"});
    let (_, logged_in) = desk.call("POST", "/api/auth/login", None, Some(login)).await;
    let admin = logged_in["token"].as_str().unwrap();
    let (status, undone) = desk.call("POST", &path, Some(admin), None).await;
    assert_eq!(status, 200, "{undone}");
    insta::assert_json_snapshot!("reverse", undone);
    assert_eq!(desk.call("POST", &path, Some(admin), None).await.0, 409, "once");
    let (_, balance) = desk.call("GET", "/api/balance", Some(&token), None).await;
    assert_eq!((&balance["available_inr"], &balance["available_btc"]), (&json!(10_000), &json!(0)));
    let (_, report) = desk.call("GET", "/api/admin/reconcile", Some(admin), None).await;
    assert_eq!((&report["ok"], &report["fault_count"]), (&json!(true), &json!(0)), "{report}");
    desk.tasks.drain().await;
}
