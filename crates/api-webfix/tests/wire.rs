//! The recorded requests of the real clients, byte for byte, and the shapes of what they read, over stores in memory
//! and a clock that stands where the requests were recorded.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its failure")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http_body_util::BodyExt;
use orrery_api_webfix::{Figures, Limits, NodeFacts, Options, WebFix};
use orrery_app::App;
use orrery_app::tasks::Tasks;
use orrery_app::venues::VenueEvent;
use orrery_feeds::Simulated;
use orrery_http_kit::RequestMeta;
use orrery_identity::rate::Policy;
use orrery_kernel::{Clock, Timestamp};
use orrery_testkit::assembled::{ports, settings};
use orrery_testkit::fakes::{ManualClock, SeededEntropy, keyring};
use orrery_testkit::stub_venue::{Fault, StubExchanges};
use orrery_venues::{Venue, Verb};
use orrery_wallets::Account;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;

/// When the vectors were recorded.
const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);
const ANN: &str = "gkVcmZanoMEk3LWHpJYC24pZte8FgW5mBy";
/// Another wallet.
const BOB: &str = "gf7iTTmSPnEwKUTb1X3TLACS9DUCmEegNx";

/// A wallet's account, as it is stored.
fn at_binance(owner: &str, viewer: &str) -> Account {
    let nid = if owner == ANN { "desk" } else { "other" };
    let secrets = r#"{"apiKey":"key","secret":"secret"}"#;
    let place = Account::place(owner, nid);
    Account {
        owner: owner.into(),
        nid: nid.into(),
        exchange: "binance".into(),
        viewers: vec![viewer.into()],
        public: json!({"nid": nid, "connection": true, "status": "active", "note": "a desk"}).to_string(),
        sealed: keyring().seal(secrets.as_bytes(), &place, &SeededEntropy::new(3)).unwrap(),
        public_key: String::new(),
        signature: String::new(),
        at: NOW,
    }
}

struct Server {
    app: Arc<App>,
    exchanges: Arc<StubExchanges>,
    clock: Arc<ManualClock>,
    tasks: Tasks,
    router: Router,
    // ends the server's listening when it goes
    _draining: watch::Sender<bool>,
}

impl Server {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let feed = Arc::new(Simulated::new(1, 50_000));
        let entropy = Arc::new(SeededEntropy::new(5));
        let exchanges = Arc::new(StubExchanges::new(clock.clone(), entropy.clone()));
        let mut ports = ports(clock.clone(), entropy, feed);
        ports.exchanges = exchanges.clone();
        for (owner, viewer) in [(ANN, BOB), (BOB, ANN)] {
            ports.wallets.put_account(&at_binance(owner, viewer), 10).await.unwrap();
        }
        let mut settings = settings();
        settings.wallets.grant = Some(1_000_000_000);
        let stub = exchanges.stub(Venue::Binance);
        for (path, body) in [
            (
                "/api/v3/account",
                json!({"balances": [{"asset": "BTC", "free": "0.12345678", "locked": "0.01"},
                {"asset": "USDT", "free": "1000.1", "locked": "350"}]}),
            ),
            (
                "/fapi/v3/account",
                json!({"assets": [{"asset": "USDT", "walletBalance": "100", "marginBalance": "109.5",
                "availableBalance": "60", "initialMargin": "49.5"}]}),
            ),
            ("/fapi/v1/leverageBracket", json!([])),
            (
                "/api/v3/openOrders",
                json!([{"symbol": "BTCUSDT", "orderId": 28, "clientOrderId": "six", "price": "35000",
                "origQty": "0.01", "executedQty": "0.004", "cummulativeQuoteQty": "140", "status": "PARTIALLY_FILLED",
                "timeInForce": "GTC", "type": "LIMIT", "side": "BUY", "time": 1_700_000_000_000_i64}]),
            ),
            (
                "/api/v3/allOrders",
                json!([{"symbol": "BTCUSDT", "orderId": 27, "clientOrderId": "five", "price": "34000",
                "origQty": "0.01", "executedQty": "0", "cummulativeQuoteQty": "0", "status": "CANCELED",
                "timeInForce": "GTC", "type": "LIMIT", "side": "BUY", "time": 1_699_000_000_000_i64}]),
            ),
            (
                "/api/v3/myTrades",
                json!([{"symbol": "BTCUSDT", "id": 28457, "orderId": 28, "price": "35000", "qty": "0.004",
                "quoteQty": "140", "commission": "0.1", "commissionAsset": "USDT", "time": 1_700_000_000_000_i64,
                "isBuyer": true, "isMaker": true}]),
            ),
            (
                "/api/v3/depth",
                json!({"lastUpdateId": 7, "bids": [["37066.76", "4.2"], ["37066", "1"], ["37065", "3"]],
                "asks": [["37066.77", "2.1"]]}),
            ),
            (
                "/api/v3/ticker/24hr",
                json!({"symbol": "BTCUSDT", "lastPrice": "37066.77", "bidPrice": "37066.76", "closeTime": 1_700_000_000_000_i64}),
            ),
            (
                "/fapi/v3/positionRisk",
                json!([{"symbol": "BTCUSDT", "positionAmt": "0.01", "entryPrice": "36000",
                "markPrice": "36950", "unRealizedProfit": "9.5", "liquidationPrice": "0", "positionSide": "BOTH",
                "notional": "369.5", "marginAsset": "USDT", "initialMargin": "49.5", "maintMargin": "1.5"}]),
            ),
        ] {
            stub.answer(Verb::Get, path, &body.to_string());
        }
        let tasks = Tasks::new();
        let app = App::start(ports, settings, &tasks).await.unwrap();
        let (sender, draining) = watch::channel(false);
        let many = Policy::refuse(1_000_000, Duration::from_secs(60));
        let options = Options {
            limits: Limits { worker: many, account: many, wallet: many, login: many, trade: many },
            rates: app.limits.store(),
            public_url: None,
            tls: false,
            node: NodeFacts { title: "Orrery".into(), ..NodeFacts::default() },
            figures: Arc::new(Figures::default),
        };
        let router = WebFix::start(&app, &tasks, &draining, options).in_front_of(Router::new());
        Self { app, exchanges, clock, tasks, router, _draining: sender }
    }

    async fn send(&self, session: Option<&str>, body: &str) -> (u16, Value) {
        let mut request = Request::builder().method("POST").uri("/").header("host", "127.0.0.1:8088");
        if let Some(session) = session {
            request = request.header("Stels-Session", session);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(RequestMeta {
            request_id: "test".into(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            agent: "test".into(),
            now: self.clock.now(),
            local: false,
            tls: false,
        });
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn login(&self) -> String {
        let (_, reply) = self.send(None, &recorded("connectionNode")[0].1).await;
        reply["raw"]["session"].as_str().unwrap().to_owned()
    }

    /// What a method that fails answers: its status, and the error's text.
    async fn fails(&self, session: Option<&str>, method: &str, body: &Value) -> (u16, String) {
        let request = json!({"webfix": "1.0", "method": method, "params": ["network-id"], "body": body});
        let (status, reply) = self.send(session, &request.to_string()).await;
        assert_eq!(reply["success"], false, "{method}: {reply}");
        (status, reply["error"].as_str().unwrap().to_owned())
    }

    async fn call(&self, session: Option<&str>, method: &str, params: &[&str], body: &Value) -> Value {
        let request = json!({"webfix": "1.0", "method": method, "params": params, "body": body});
        let (status, reply) = self.send(session, &request.to_string()).await;
        assert_eq!(status, 200, "{method}: {reply}");
        reply
    }
}

/// With the random ids of workers replaced by the order in which they come.
fn named(value: &Value) -> Value {
    let text = value.to_string();
    let is_id = |part: &str| part.len() == 36 && part.bytes().filter(|b| *b == b'-').count() == 4;
    let mut ids: Vec<&str> = Vec::new();
    for part in text.split(|c: char| !c.is_ascii_hexdigit() && c != '-') {
        if is_id(part) && !ids.contains(&part) {
            ids.push(part);
        }
    }
    let named =
        ids.iter().enumerate().fold(text.clone(), |text, (n, id)| text.replace(id, &format!("[sid {}]", n + 1)));
    serde_json::from_str(&named).unwrap()
}

fn recorded(method: &str) -> Vec<(String, String)> {
    let file: Value = serde_json::from_str(include_str!("../../../testdata/gliesereum.json")).unwrap();
    let groups = file["groups"].as_array().unwrap();
    let cases = groups.iter().find(|g| g["id"] == "requests").unwrap()["cases"].as_array().unwrap().clone();
    let text = |case: &Value, key: &str| case[key].as_str().unwrap().to_owned();
    let all = cases.iter().map(|case| (text(case, "name"), text(case, "body_json")));
    let wanted = format!("\"method\":\"{method}\"");
    all.filter(|(_, body)| body.contains(&wanted) && !(method == "setAccount" && body.contains("connectionNode")))
        .collect()
}

#[tokio::test]
async fn recorded_logins_and_accounts_are_taken_as_they_are() {
    let server = Server::open().await;
    let logins = recorded("connectionNode");
    assert_eq!(logins.len(), 2);
    let mut session = String::new();
    for (name, body) in &logins {
        let (status, reply) = server.send(None, body).await;
        assert_eq!(status, 200, "{name}: {reply}");
        session = reply["raw"]["session"].as_str().unwrap().to_owned();
        assert_eq!(reply["raw"]["info"]["api"], "http://127.0.0.1:8088");
        assert_eq!(reply["raw"]["info"]["connector"]["socket"], "ws://127.0.0.1:8088");
        let (status, _) = server.send(None, body).await;
        assert_eq!(status, 401, "{name}: it is good once");
    }
    let accounts = recorded("setAccount");
    assert_eq!(accounts.len(), 3);
    for (name, body) in &accounts {
        let (status, reply) = server.send(None, body).await;
        assert_eq!(status, 401, "{name}: {reply}");
        let (status, reply) = server.send(Some("SESSION"), body).await;
        assert_eq!(status, 401, "{name}: {reply}");
        let (status, reply) = server.send(Some(&session), body).await;
        assert_eq!(status, 200, "{name}: {reply}");
        let bent = body.replace("\"exchange\":\"", "\"exchange\":\"x");
        assert_eq!(server.send(Some(&session), &bent).await.0, 400, "{name}: it is signed");
    }
    let listed = server.call(Some(&session), "listAccounts", &["gliesereum"], &json!({"address": ANN})).await;
    insta::assert_json_snapshot!("accounts", listed);
    let info = server.call(Some(&session), "getWalletInfo", &["gliesereum"], &json!({"address": ANN})).await;
    insta::assert_json_snapshot!("wallet_info", info[0]);
    server.tasks.drain().await;
}

#[tokio::test]
async fn a_login_is_for_an_hour_and_a_session_for_thirty_days() {
    let server = Server::open().await;
    let logins = recorded("connectionNode");
    server.clock.advance(Duration::from_secs(3_600));
    let (status, reply) = server.send(None, &logins[0].1).await;
    assert_eq!(status, 200, "{reply}");
    let session = reply["raw"]["session"].as_str().unwrap().to_owned();
    server.clock.advance(Duration::from_millis(1));
    assert_eq!(server.send(None, &logins[1].1).await.0, 401);
    let list = json!({"webfix": "1.0", "method": "listWorkers"}).to_string();
    server.clock.advance(Duration::from_secs(30 * 86_400 - 1));
    assert_eq!(server.send(Some(&session), &list).await.0, 200);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(server.send(Some(&session), &list).await.0, 401);
    server.tasks.drain().await;
}

#[tokio::test]
async fn the_shapes_that_clients_read() {
    let server = Server::open().await;
    let (_, reply) = server.send(None, &recorded("connectionNode")[0].1).await;
    insta::assert_json_snapshot!("login", reply, { ".raw.session" => "[token]", ".raw.token" => "[token]" });
    let session = reply["raw"]["session"].as_str().unwrap();
    let call =
        async |method: &str, params: &[&str], body: Value| server.call(Some(session), method, params, &body).await;
    let made = call("setWorker", &[], json!({"scriptContent": "1", "note": "n"})).await;
    insta::assert_json_snapshot!("worker", named(&made));
    let sid = made["value"]["raw"]["sid"].clone();
    insta::assert_json_snapshot!(
        "workers",
        named(&json!({
            "getLeaderInfo": call("getLeaderInfo", &[], json!({"workerId": sid})).await,
            "getWorkerStats": call("getWorkerStats", &[], json!({})).await,
            "stopAllWorkers": call("stopAllWorkers", &[], json!({})).await,
        }))
    );
    insta::assert_json_snapshot!(
        "assets",
        json!({
            "assetList": call("assetList", &["testnet"], json!({})).await,
            "getAssetBalances": call("getAssetBalances", &["testnet"], json!({"address": ANN})).await,
            "getAssetBalance": call("getAssetBalance", &["testnet"], json!({"address": ANN, "token_id": "TST"})).await,
            "getAssetTransactions": call("getAssetTransactions", &["testnet"], json!({"address": ANN})).await,
            "transactions": call("transactions", &["testnet", ANN], json!({})).await,
        })
    );
    // a token: its recorded certificate, under the session of its issuer
    let file: Value = serde_json::from_str(include_str!("../../../testdata/gliesereum.json")).unwrap();
    let groups = file["groups"].as_array().unwrap();
    let certificate = &groups.iter().find(|g| g["id"] == "token_genesis").unwrap()["cases"][0]["certificate"];
    let signer = &certificate["signatures"]["signers"][0];
    let body = json!({"genesis": certificate, "publicKey": signer["kid"], "signature": signer["sig"], "address": ANN,
        "domain": certificate["protocol"]["sign_domains"]["token"]});
    let set = call("setAsset", &[], body.clone()).await;
    assert_eq!(set["id"], certificate["token"]["id"]);
    let again = json!({"webfix": "1.0", "method": "setAsset", "body": body}).to_string();
    let (status, refused) = server.send(Some(session), &again).await;
    assert!(status == 409 && refused["error"].is_string(), "{refused}");
    let listed = call("assetList", &["testnet"], json!({})).await;
    assert_eq!(listed["result"]["total"], 2);
    assert_eq!(listed["result"]["assets"][1]["raw"]["genesis"], *certificate);
    assert_eq!(server.app.wallets.balance(ANN).await.unwrap().held, 1_000_000_000);
    server.tasks.drain().await;
}

#[tokio::test]
async fn an_account_trades_by_its_name() {
    let server = Server::open().await;
    let session = server.login().await;
    let call = async |method: &str, body: Value| server.call(Some(&session), method, &["network-id"], &body).await;
    let order = json!({"nid": "desk", "symbol": "BTC/USDT", "type": "limit", "side": "buy", "amount": "0.01",
        "price": 35_000, "clientOrderId": "mine"});
    let by_name = json!({"nid": "desk", "symbol": "BTC/USDT", "clientOrderId": "mine"});
    let created = call("createOrder", order.clone()).await;
    assert_eq!(call("createOrder", order).await["data"]["id"], created["data"]["id"], "one name is one order");
    insta::assert_json_snapshot!(
        "trade",
        json!({
            "createOrder": created,
            "getOrder": call("getOrder", by_name.clone()).await,
            "cancelOrder": call("cancelOrder", by_name).await,
            "listOrders": call("listOrders", json!({"nid": "desk", "symbol": "BTC/USDT", "status": "open"})).await,
            "listTrades": call("listTrades", json!({"nid": "desk", "symbol": "BTC/USDT", "limit": 1})).await,
            "getBalance": call("getBalance", json!({"nid": "desk"})).await,
        })
    );
    let asked = json!({"exchange": "binance", "symbol": "BTC/USDT", "limit": 2});
    insta::assert_json_snapshot!(
        "market",
        json!({
            "getTicker": server.call(None, "getTicker", &["network-id"], &asked).await,
            "getOrderBook": server.call(None, "getOrderBook", &["network-id"], &asked).await,
        })
    );
    assert_eq!(server.exchanges.stub(Venue::Binance).orders()["mine"], 1);
    server.tasks.drain().await;
}

#[tokio::test]
async fn what_an_account_is_refused_begins_with_its_class() {
    let server = Server::open().await;
    let session = server.login().await;
    let stub = server.exchanges.stub(Venue::Binance);
    let with = |more: Value| {
        let mut body = json!({"nid": "desk", "symbol": "BTC/USDT", "type": "limit", "side": "buy", "amount": 0.01, "price": 35_000});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (session, method, body, status, text) in [
        (None, "getBalance", json!({"nid": "desk"}), 401, "AuthenticationError: "),
        (Some(&*session), "getBalance", json!({"nid": "none"}), 404, "BadRequest: There is no account none"),
        (Some(&*session), "createOrder", with(json!({"nid": "other"})), 403, "PermissionDenied: "),
        (Some(&*session), "createOrder", with(json!({"amount": "much"})), 400, "BadRequest: amount is no number"),
        (Some(&*session), "createOrder", with(json!({"side": "up"})), 400, "InvalidOrder: "),
        (Some(&*session), "createOrder", with(json!({"symbol": "NO/SUCH"})), 400, "BadSymbol: "),
        (Some(&*session), "createOrder", with(json!({"clientOrderId": "a b"})), 400, "BadRequest: clientOrderId"),
        (Some(&*session), "getOrder", with(json!({"clientOrderId": "none"})), 404, "OrderNotFound: "),
        (Some(&*session), "getOrder", json!({"nid": "desk"}), 400, "ArgumentsRequired: "),
        (Some(&*session), "listOrders", with(json!({"status": "all too"})), 400, "BadRequest: status"),
        (None, "getTicker", json!({"exchange": "mtgox", "symbol": "BTC/USDT"}), 400, "NotSupported: "),
    ] {
        let (is, error) = server.fails(session, method, &body).await;
        assert!(is == status && error.starts_with(text), "{method} {body}: {is} {error}");
    }
    assert!(stub.orders().is_empty());
    // a viewer may look
    server.call(Some(&session), "getBalance", &[], &json!({"nid": "other", "address": BOB})).await;
    stub.fail("/api/v3/account", Fault::Status(429, Some(1)));
    let (status, error) = server.fails(Some(&session), "getBalance", &json!({"nid": "desk"})).await;
    assert!(status == 429 && error.starts_with("DDoSProtection: "), "{status} {error}");
    server.tasks.drain().await;
}

#[tokio::test]
async fn wallets_show_what_their_accounts_hold() {
    let server = Server::open().await;
    let session = server.login().await;
    let mut events = server.app.venues.events();
    server.tasks.spawn("looks", server.app.venues.clone().run(server.tasks.stopping()));
    let of = server.app.wallets.session(&session, NOW).await.unwrap();
    let view = server.app.wallets.account(&of, None, "desk").await.unwrap();
    server.app.venues.account_set(&view.account);
    for _ in 0..2 {
        while !matches!(events.recv().await.unwrap(), VenueEvent::Looked(account) if account.nid == "desk") {}
    }
    let info = server.call(Some(&session), "getWalletInfo", &["gliesereum"], &json!({"address": ANN})).await;
    let desk = info.as_array().unwrap().iter().find(|item| item["nid"] == "desk").unwrap();
    insta::assert_json_snapshot!("wallet_info_live", desk);
    let listed = server.call(Some(&session), "listAccounts", &["gliesereum"], &json!({"address": ANN})).await;
    let entry = listed.as_array().unwrap().iter().find(|entry| entry["raw"]["nid"] == "desk").unwrap();
    assert_eq!(entry["raw"]["wallet"], desk["wallet"]);
    assert!(!listed.to_string().contains("\"secret\":\"secret\""));
    server.tasks.drain().await;
}
