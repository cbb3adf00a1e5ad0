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
use orrery_feeds::Simulated;
use orrery_http_kit::RequestMeta;
use orrery_identity::rate::Policy;
use orrery_kernel::{Clock, Timestamp};
use orrery_testkit::assembled::{ports, settings};
use orrery_testkit::fakes::{ManualClock, SeededEntropy};
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;

/// When the vectors were recorded.
const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);
const ANN: &str = "gkVcmZanoMEk3LWHpJYC24pZte8FgW5mBy";

struct Server {
    app: Arc<App>,
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
        let ports = ports(clock.clone(), Arc::new(SeededEntropy::new(5)), feed);
        let mut settings = settings();
        settings.wallets.grant = Some(1_000_000_000);
        let tasks = Tasks::new();
        let app = App::start(ports, settings, &tasks).await.unwrap();
        let (sender, draining) = watch::channel(false);
        let many = Policy::refuse(1_000_000, Duration::from_secs(60));
        let options = Options {
            limits: Limits { worker: many, account: many, wallet: many, login: many },
            rates: app.limits.store(),
            public_url: None,
            tls: false,
            node: NodeFacts { title: "Orrery".into(), ..NodeFacts::default() },
            figures: Arc::new(Figures::default),
        };
        let router = WebFix::start(&app, &tasks, &draining, options).in_front_of(Router::new());
        Self { app, clock, tasks, router, _draining: sender }
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
        });
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn call(&self, session: Option<&str>, method: &str, params: &[&str], body: &Value) -> Value {
        let request = json!({"webfix": "1.0", "method": method, "params": params, "body": body});
        let (status, reply) = self.send(session, &request.to_string()).await;
        assert_eq!(status, 200, "{method}: {reply}");
        reply
    }
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
    insta::assert_json_snapshot!("worker", made);
    let sid = made["value"]["raw"]["sid"].clone();
    insta::assert_json_snapshot!(
        "workers",
        json!({
            "getLeaderInfo": call("getLeaderInfo", &[], json!({"workerId": sid})).await,
            "getWorkerStats": call("getWorkerStats", &[], json!({})).await,
            "stopAllWorkers": call("stopAllWorkers", &[], json!({})).await,
        })
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
