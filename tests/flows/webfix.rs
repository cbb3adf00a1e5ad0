//! WebFix as the STELS document and its client have it: logins, accounts, workers, transactions, the socket.

use std::time::Duration;

use e2e::socket::{Heard, Socket};
use e2e::{Answer, Client, Gateway, Options, at_once, eventually};
use orrery_crypto::Wallet;
use orrery_crypto::json::{Duplicates, JsValue, parse};
use orrery_crypto::transaction::{NewBasic, NewSmart, PublicKeyForm, create_basic, create_smart};
use serde_json::{Value, json};

use super::scale::House;

const SOON: Duration = Duration::from_secs(20);

fn wallet(n: u8) -> Wallet {
    Wallet::import(&hex::encode([n; 32])).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "clients have clocks of their own")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn value(js: &JsValue) -> Value {
    js.to_serde()
}

fn js(value: &Value) -> JsValue {
    parse(&value.to_string(), Duplicates::Refused).unwrap()
}

/// Room for everything but what a test is about.
pub(super) fn roomy() -> Options {
    roomy_of(Options::default())
}

fn roomy_of(options: Options) -> Options {
    ["WORKER", "ACCOUNT", "WALLET"]
        .iter()
        .fold(options, |options, tier| options.env(&format!("ORRERY_LIMITS__WEBFIX_{tier}_MAX"), "100000"))
}

/// The signed transaction of a login.
fn login_transaction(wallet: &Wallet, network: &str, at: i64, key: PublicKeyForm) -> Value {
    let data = json!({"action": "LOGIN_REQUEST", "timestamp": at, "network": network,
        "walletAddress": wallet.address()});
    let new = NewBasic {
        from: wallet.address(),
        to: wallet.address(),
        amount: 0.0,
        fee: 1.0,
        data: Some(&data.to_string()),
        timestamp: at as f64,
        key,
    };
    value(&create_basic(wallet, &new).unwrap())
}

fn login_request(wallet: &Wallet, transaction: &Value, api: &str) -> Value {
    let key = &transaction["from"]["publicKey"];
    json!({"webfix": "1.0", "method": "connectionNode", "params": ["gliesereum"], "body": {
        "network": "testnet", "title": "heterogen", "nid": "gliese_1_i",
        "payload": {"webfix": "1.0", "method": "connectionNode", "params": ["gliesereum"], "body": {
            "transaction": transaction, "walletAddress": wallet.address(), "publicKey": key}},
        "transport": "websocket", "connector": {"protocols": ["webfix"], "socket": api.replacen("http", "ws", 1)},
        "api": api, "developer": true}})
}

/// A wallet at a server.
pub(super) struct Holder {
    pub(super) wallet: Wallet,
    client: Client,
    session: String,
}

impl Holder {
    pub(super) async fn login(gateway: &Gateway, n: u8) -> Self {
        let (wallet, client) = (wallet(n), gateway.client());
        // two logins of one wallet in one millisecond would be one
        static OFFSET: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);
        let at = now() - OFFSET.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let sent = login_transaction(&wallet, "testnet", at, PublicKeyForm::Uncompressed);
        let answer = client.post("/", &login_request(&wallet, &sent, gateway.base())).await.expect(200);
        let session = answer.body["raw"]["session"].as_str().unwrap().to_owned();
        Self { wallet, client, session }
    }

    pub(super) async fn call(&self, method: &str, params: &[&str], body: &Value) -> Answer {
        let request = json!({"webfix": "1.0", "method": method, "params": params, "body": body});
        let headers = [("stels-session", self.session.as_str()), ("content-type", "application/json")];
        self.client.send("POST", "/", &headers, Some(request.to_string().into_bytes())).await
    }

    /// A GET with the session.
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.client.send("GET", path, &[("stels-session", &self.session)], None).await
    }

    /// A GET with the session whose answer has begun, and may go on.
    pub(super) async fn open(&self, gateway: &Gateway, path: &str) -> reqwest::Response {
        let request = reqwest::Client::builder().no_proxy().build().unwrap().get(format!("{}{path}", gateway.base()));
        request.header("stels-session", &self.session).send().await.unwrap()
    }

    pub(super) async fn set_account(&self, account: &Value) -> Answer {
        let signature = self.wallet.sign(&js(account).canonical().unwrap());
        let body = json!({"account": account, "publicKey": self.wallet.public_key(),
            "address": self.wallet.address(), "signature": signature});
        self.call("setAccount", &["gliesereum"], &body).await
    }

    async fn submit(&self, transaction: &Value) -> Answer {
        self.call("submitAssetTransaction", &["testnet"], &json!({ "transaction": transaction })).await
    }

    /// What an address holds, as text.
    async fn balance(&self, address: &str) -> String {
        let body = json!({"address": address, "network": "testnet"});
        let answer = self.call("getAssetBalances", &["testnet"], &body).await.expect(200);
        answer.body["result"]["balances"][0]["balance"].as_str().unwrap().to_owned()
    }

    fn basic(&self, to: &str, amount: f64) -> Value {
        let new = NewBasic {
            from: self.wallet.address(),
            to,
            amount,
            fee: 1.0,
            data: None,
            timestamp: now() as f64,
            key: PublicKeyForm::Compressed,
        };
        value(&create_basic(&self.wallet, &new).unwrap())
    }

    fn smart(&self, ops: &Value, prev: Option<&str>, at: i64) -> Value {
        let JsValue::Array(operations) = js(ops) else { panic!("a list") };
        let new =
            NewSmart { operations, fee: "0.000100", memo: None, prev_hash: prev, raw: None, timestamp: at as f64 };
        value(&create_smart(&self.wallet, &new).unwrap())
    }

    pub(super) async fn socket(&self, gateway: &Gateway) -> Socket {
        let path = format!("/?session={}", self.session);
        let mut socket =
            Socket::try_open(gateway.base(), &path, &[("sec-websocket-protocol", "webfix")]).await.unwrap();
        assert_eq!(socket.protocol.as_deref(), Some("webfix"));
        for channel in ["sonar", "runtime"] {
            socket.send(json!({"webfix": "testnet", "method": "subscribe", "channel": channel})).await;
        }
        socket
    }
}

/// Submits transactions at the same moment, by each of `who` in turn.
async fn submit_at_once(who: &[&Holder], sent: &[Value]) -> Vec<Answer> {
    at_once(sent.len(), |n| {
        let holder = who[n % who.len()];
        let (client, session, transaction) = (holder.client.clone(), holder.session.clone(), sent[n].clone());
        async move {
            let request = json!({"webfix": "1.0", "method": "submitAssetTransaction", "params": ["testnet"],
                "body": {"transaction": transaction}});
            client.send("POST", "/", &[("stels-session", &session)], Some(request.to_string().into_bytes())).await
        }
    })
    .await
}

/// Frames until `seen` says that it has seen enough.
pub(super) async fn until(socket: &mut Socket, mut seen: impl FnMut(&Value) -> bool) {
    loop {
        let frame = socket.json().await;
        assert_eq!(frame["value"]["channel"], frame["channel"], "{frame}");
        assert_eq!(frame["value"]["raw"], frame["raw"]);
        assert!(frame.get("error").is_none() && frame.get("message").is_none(), "{frame}");
        if seen(&frame) {
            return;
        }
    }
}

#[tokio::test]
async fn the_clients_first_minute() {
    let gateway = Gateway::start(roomy().args(&["demo"])).await;
    let client = gateway.client();
    // the preflight, of any page
    let asked = [
        ("origin", "https://app.stels.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,stels-session"),
    ];
    for path in ["/", "/webfix"] {
        let preflight = client.send("OPTIONS", path, &asked, None).await.expect(204);
        assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
        let headers = preflight.header("access-control-allow-headers").unwrap();
        assert!(["content-type", "stels-session", "authorization"].iter().all(|h| headers.contains(h)), "{headers}");
    }
    let refused = client.post("/", &json!({"webfix": "1.0", "method": "listWorkers"})).await.expect(401);
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
    assert_eq!((&refused.body["webfix"], &refused.body["error"]["code"]), (&json!("1.0"), &json!("401")));

    // both clients' logins
    let one = wallet(1);
    for (at, key) in [(now(), PublicKeyForm::Compressed), (now() - 5, PublicKeyForm::Uncompressed)] {
        let sent = login_transaction(&one, "testnet", at, key);
        let answer = client.post("/", &login_request(&one, &sent, gateway.base())).await.expect(200);
        let raw = &answer.body["raw"];
        assert!(!raw["session"].as_str().unwrap().is_empty() && !raw["token"].as_str().unwrap().is_empty());
        let info = &raw["info"];
        assert_eq!(
            (&info["network"], &info["title"], &info["nid"]),
            (&json!("testnet"), &json!("heterogen"), &json!("gliese_1_i"))
        );
        assert_eq!(info["api"], gateway.base());
        assert_eq!(info["connector"]["socket"], gateway.base().replacen("http", "ws", 1));
        assert_eq!(info["developer"], true);
    }

    // the socket: the session among the first ten, then what every page needs
    let holder = Holder::login(&gateway, 1).await;
    let mut socket = holder.socket(&gateway).await;
    let (mut frames, mut session_at, mut channels) = (0, None, std::collections::BTreeSet::new());
    until(&mut socket, |frame| {
        frames += 1;
        if frame["raw"]["session"] == holder.session.as_str() {
            session_at.get_or_insert(frames);
        }
        if frame["channel"] == "testnet.network.connections" {
            assert!(frame["raw"]["network"] == "testnet" && frame["raw"]["maxConnectionsPerSession"] == 10);
        }
        channels.insert(frame["channel"].as_str().unwrap().to_owned());
        let has = |part: &str| channels.iter().any(|c| c.contains(part));
        ["testnet.network.connections", "testnet.runtime.sonar", "testnet.snapshot.sonar", ".setting"]
            .into_iter()
            .all(has)
    })
    .await;
    assert!(session_at.is_some_and(|at| at <= 10), "{session_at:?}");
    until(&mut socket, |frame| {
        let raw = &frame["raw"];
        frame["channel"] == "testnet.network.connections"
            && raw["authenticatedClients"] == 1
            && raw["sessionCount"] == 1
    })
    .await;

    // workers, accounts, tokens
    assert_eq!(holder.call("listWorkers", &[], &json!({})).await.expect(200).body, json!([]));
    assert_eq!(
        holder.call("listAccounts", &["gliesereum"], &json!({"address": one.address()})).await.expect(200).body,
        json!([])
    );
    let assets = holder.call("assetList", &["testnet"], &json!({})).await.expect(200).body;
    assert_eq!(assets["result"]["success"], true);
    let token = &assets["result"]["assets"][0]["raw"]["genesis"]["token"];
    assert_eq!(token["metadata"]["symbol"], "TST");
    assert!(token["id"].as_str().unwrap().starts_with("token:sha256:"));
    assert_eq!(holder.balance(one.address()).await, "1000.000000", "the demo's grant, once");

    // what is not there, and what is not WebFix
    for (request, status, code) in [
        (json!({"webfix": "1.0", "method": "createAssistant", "body": {}}), 404, "404"),
        (json!({"webfix": "2.0", "method": "listWorkers", "body": {}}), 400, "400"),
        (json!({"method": "listWorkers"}), 400, "400"),
        (json!({"webfix": "1.0"}), 400, "400"),
        (json!({"webfix": "1.0", "method": "assetList", "params": "x"}), 400, "400"),
        (json!({"webfix": "1.0", "method": "assetList", "params": [1]}), 400, "400"),
        (json!({"webfix": "1.0", "method": "assetList", "body": []}), 400, "400"),
        (json!([]), 400, "400"),
    ] {
        let answer = client.post("/webfix", &request).await.expect(status);
        assert_eq!(answer.body["error"]["code"], code, "{request}");
        assert!(!answer.body["error"]["message"].as_str().unwrap().is_empty());
    }
    for body in ["", "{", "{\"webfix\":\"1.0\",\"webfix\":\"1.0\",\"method\":\"assetList\"}", "\u{feff}{}"] {
        client.send("POST", "/", &[], Some(body.into())).await.expect(400);
    }
    let large = format!("{{\"webfix\":\"1.0\",\"method\":\"assetList\",\"x\":\"{}\"}}", "x".repeat(4 * 1024 * 1024));
    client.send("POST", "/", &[], Some(large.into())).await.expect(413);
}

#[tokio::test]
async fn logins_that_prove_nothing() {
    let gateway = Gateway::start(roomy()).await;
    let client = gateway.client();
    let one = wallet(1);
    let sign = |at: i64| login_transaction(&one, "testnet", at, PublicKeyForm::Compressed);
    let ask = async |request: &Value| client.post("/", request).await;
    let refused = async |what: &str, request: Value| {
        let answer = ask(&request).await;
        assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.body);
        assert!(answer.body["error"]["code"].is_string(), "{what}: {}", answer.body);
        assert!(answer.body.get("raw").is_none(), "{what}");
    };
    let request = |transaction: &Value| login_request(&one, transaction, gateway.base());
    let with = |transaction: &Value, path: &str, new: Value| {
        let mut bent = request(transaction);
        let at = format!("/body/payload/body/{path}");
        *bent.pointer_mut(&at).unwrap_or_else(|| panic!("{at}")) = new;
        bent
    };
    let good = sign(now());
    refused("an old one", request(&sign(now() - 3_700_000))).await;
    refused("one ahead of time", request(&sign(now() + 3_700_000))).await;
    refused("another network", request(&login_transaction(&one, "mainnet", now(), PublicKeyForm::Compressed))).await;
    refused("another wallet", with(&good, "walletAddress", json!(wallet(2).address()))).await;
    refused("another key", with(&good, "publicKey", json!(wallet(2).public_key()))).await;
    refused("no address", with(&good, "walletAddress", json!("g123"))).await;
    refused("another sender", with(&good, "transaction/from/address", json!(wallet(2).address()))).await;
    refused("another receiver", with(&good, "transaction/to", json!(wallet(2).address()))).await;
    refused("an amount", with(&good, "transaction/amount", json!(1))).await;
    refused("another hash", with(&good, "transaction/hash", json!("0".repeat(64)))).await;
    refused("a signature of something else", with(&good, "transaction/signature", json!(one.sign("x")))).await;
    refused("data with another time", with(&good, "transaction/data", json!("{}"))).await;
    for name in ["title", "nid"] {
        let mut long = request(&good);
        long["body"][name] = json!("x".repeat(257));
        refused("a name without an end", long).await;
    }
    // the twin of a signature, with a high s
    let high = high_s(good["signature"].as_str().unwrap());
    refused("a high S", with(&good, "transaction/signature", json!(high))).await;
    let text = request(&good).to_string().replacen("\"amount\":0", "\"amount\":0,\"amount\":0", 1);
    client.send("POST", "/", &[], Some(text.into())).await.expect(400);

    let first = ask(&request(&good)).await.expect(200);
    let session = first.body["raw"]["session"].as_str().unwrap().to_owned();
    refused("a replay", request(&good)).await;
    let logs = gateway.logs();
    assert!(!logs.contains(&session), "tokens are not logged");
    let database = std::fs::read(gateway.database()).unwrap();
    let wal = std::fs::read(gateway.database().with_extension("db-wal")).unwrap_or_default();
    for bytes in [database, wal] {
        assert!(!bytes.windows(session.len()).any(|w| w == session.as_bytes()), "tokens are not stored");
    }
}

/// The other signature that a lax checker takes: s becomes n − s.
fn high_s(der: &str) -> String {
    const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let bytes = hex::decode(der).unwrap();
    let r_len = usize::from(bytes[3]);
    let (r, s) = (&bytes[4..4 + r_len], &bytes[6 + r_len..]);
    let order = hex::decode(ORDER).unwrap();
    let mut low = [0_u8; 32];
    let s = &s[s.len().saturating_sub(32)..];
    low[32 - s.len()..].copy_from_slice(s);
    let (mut high, mut borrow) = (vec![0_u8; 32], 0_i16);
    for i in (0..32).rev() {
        let digit = i16::from(order[i]) - i16::from(low[i]) - borrow;
        borrow = i16::from(digit < 0);
        high[i] = (digit & 0xff) as u8;
    }
    if high[0] & 0x80 != 0 {
        high.insert(0, 0);
    }
    let body = [&[2, bytes[3]], r, &[2, high.len() as u8], &high].concat();
    hex::encode([&[0x30, body.len() as u8], &body[..]].concat())
}

#[tokio::test]
async fn accounts_are_their_owners_and_their_keys_nobodys() {
    let gateway = Gateway::start(roomy()).await;
    let (ann, ben, eve) =
        (Holder::login(&gateway, 1).await, Holder::login(&gateway, 2).await, Holder::login(&gateway, 3).await);
    let mut theirs = [ann.socket(&gateway).await, ben.socket(&gateway).await];
    let mut foreign = eve.socket(&gateway).await;
    let account = json!({"nid": "main", "connection": true, "exchange": "bybit", "note": "n",
        "apiKey": "planted-api-key-123", "secret": "planted-secret-456", "password": "planted-pass-789",
        "status": "active", "viewers": [ben.wallet.address()], "workers": ["balance"],
        "protocol": {"strategy": "grid", "maxLeverage": 1.5}});
    let set = ann.set_account(&account).await.expect(200);
    let channel = format!("account.balance.{}.bybit.main", ann.wallet.address());
    assert_eq!(set.body["value"]["channel"], channel.as_str());
    let raw = &set.body["value"]["raw"];
    assert_eq!((&raw["nid"], &raw["protocol"]["strategy"]), (&json!("main"), &json!("grid")));
    for secret in ["apiKey", "secret", "password"] {
        assert!(raw[secret].is_string(), "{secret} is there, masked");
    }
    for socket in &mut theirs {
        until(socket, |frame| frame["channel"] == channel.as_str() && frame["raw"]["nid"] == "main").await;
    }
    // both see it listed; a stranger sees nothing, also on the socket
    let mine = ann.call("listAccounts", &["gliesereum"], &json!({"address": ann.wallet.address()})).await.expect(200);
    let seen = ben.call("listAccounts", &["gliesereum"], &json!({})).await.expect(200);
    assert_eq!(
        (&mine.body[0]["raw"]["protocol"]["strategy"], seen.body[0]["raw"].get("protocol")),
        (&json!("grid"), None)
    );
    assert_eq!(seen.body[0]["raw"]["address"], ann.wallet.address());
    assert_eq!(eve.call("listAccounts", &[], &json!({})).await.expect(200).body, json!([]));
    let asked = json!({"address": ann.wallet.address()});
    for (who, count) in [(&ann, 1), (&ben, 1), (&eve, 0)] {
        let info = who.call("getWalletInfo", &["gliesereum"], &asked).await.expect(200);
        assert_eq!(info.body.as_array().unwrap().len(), count);
    }
    let item = ann.call("getWalletInfo", &["gliesereum"], &asked).await.expect(200).body[0].clone();
    assert!(item["wallet"]["info"]["result"]["list"][0]["totalEquity"].is_string(), "{item}");
    let nobody = json!({"webfix": "1.0", "method": "getWalletInfo", "params": ["gliesereum"], "body": asked});
    assert_eq!(gateway.client().post("/", &nobody).await.expect(200).body, json!([]));

    // what cannot be kept, or is not theirs
    let bent = |key: &str, new: Value| {
        let mut account = account.clone();
        account[key] = new;
        account
    };
    for bad in [
        bent("nid", json!("a.b")),
        bent("nid", json!("")),
        bent("exchange", json!(5)),
        bent("status", json!("running")),
        bent("connection", json!("yes")),
        bent("viewers", json!(["nobody"])),
        bent("note", json!("x".repeat(2_000))),
        bent("protocol", json!([])),
        bent("apiKey", Value::Null),
    ] {
        let answer = ann.set_account(&bad).await;
        assert_eq!(answer.status, 400, "{bad}");
        let field = answer.body["error"]["details"]["field"].as_str().unwrap().to_owned();
        assert!(field.starts_with("account."), "{field}");
    }
    let forged = json!({"account": account, "publicKey": ann.wallet.public_key(), "address": ann.wallet.address(),
        "signature": eve.wallet.sign("x")});
    assert_eq!(ann.call("setAccount", &[], &forged).await.status, 400);
    let signature = ann.wallet.sign(&js(&account).canonical().unwrap());
    let stolen = json!({"account": account, "publicKey": ann.wallet.public_key(), "address": ann.wallet.address(),
        "signature": signature});
    assert_eq!(eve.call("setAccount", &[], &stolen).await.status, 403);

    // no longer a viewer: nothing more is heard, nothing is listed
    ann.set_account(&bent("viewers", json!([]))).await.expect(200);
    until(&mut theirs[0], |frame| frame["channel"] == channel.as_str() && frame["raw"]["viewers"] == json!([])).await;
    assert_eq!(ben.call("listAccounts", &[], &json!({})).await.expect(200).body, json!([]));
    let mut rounds = 0;
    for socket in [&mut theirs[1], &mut foreign] {
        until(socket, |frame| {
            let changed = frame["channel"] == channel.as_str() && frame["raw"]["viewers"] == json!([]);
            assert!(!changed, "{frame}");
            rounds += i32::from(frame["channel"] == "testnet.network.connections");
            rounds % 2 == 1
        })
        .await;
        rounds = 0;
    }

    // nowhere in clear
    let listed = gateway.cli(&["keys", "list"]);
    assert!(listed.contains("1\t1 record"), "{listed}");
    assert!(gateway.cli(&["keys", "rotate"]).contains("key 2"));
    assert!(gateway.cli(&["keys", "list"]).contains("2\t1 record"));
    gateway.cli(&["keys", "prune"]);
    ann.set_account(&account).await.expect(200);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(gateway.data_dir().join("master.key")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let mut everything = gateway.logs().into_bytes();
    for file in ["orrery.db", "orrery.db-wal"] {
        everything.extend(std::fs::read(gateway.data_dir().join(file)).unwrap_or_default());
    }
    for secret in ["planted-api-key-123", "planted-secret-456", "planted-pass-789"] {
        assert!(!everything.windows(secret.len()).any(|w| w == secret.as_bytes()), "{secret}");
    }
}

#[tokio::test]
async fn workers_are_kept_with_their_versions() {
    let gateway = Gateway::start(roomy().env("ORRERY_NODE__ID", "s-0001")).await;
    let (ann, eve) = (Holder::login(&gateway, 1).await, Holder::login(&gateway, 2).await);
    let create = json!({"scriptContent": "logger.info('hi')", "dependencies": [], "version": "1.19.2",
        "executionMode": "leader", "priority": "high", "mode": "single", "note": "n", "scope": "network"});
    let made = ann.call("setWorker", &[], &create).await.expect(200).body;
    let sid = made["value"]["raw"]["sid"].as_str().unwrap().to_owned();
    assert_eq!(made["key"], json!(["ami", "worker", sid]));
    assert_eq!(made["value"]["channel"], format!("ami.worker.{sid}"));
    assert_eq!(made["value"]["widget"], format!("widget.ami.worker.{sid}"));
    assert_eq!(made["versionstamp"].as_str().unwrap().len(), 20);
    let raw = made["value"]["raw"].clone();
    for (key, wanted) in [
        ("active", json!(false)),
        ("nid", json!("s-0001")),
        ("script", json!("logger.info('hi')")),
        ("executionMode", json!("leader")),
        ("priority", json!("high")),
        ("mode", json!("single")),
        ("scope", json!("network")),
    ] {
        assert_eq!(raw[key], wanted, "{key}");
    }
    for (field, bad) in [
        ("executionMode", json!({"executionMode": "everywhere"})),
        ("assignedNode", json!({"executionMode": "exclusive"})),
        ("priority", json!({"priority": "urgent"})),
        ("version", json!({"version": "9.9.9"})),
        ("dependencies", json!({"dependencies": ["left-pad"]})),
        ("dependencies", json!({"dependencies": "gliesereum"})),
        ("scriptContent", json!({"scriptContent": "  "})),
        ("note", json!({"note": 5})),
    ] {
        let answer = ann.call("setWorker", &[], &bad).await.expect(400);
        assert_eq!(answer.body["error"]["details"]["field"], field, "{bad}");
    }
    // an update needs all of raw, the owner, and what was last seen
    let update = async |who: &Holder, raw: &Value, stamp: Option<&Value>| {
        let mut body = json!({"channel": format!("ami.worker.{sid}"), "raw": raw});
        if let Some(stamp) = stamp {
            body["versionstamp"] = stamp.clone();
        }
        who.call("updateWorker", &[], &body).await
    };
    let mut partial = raw.clone();
    partial.as_object_mut().unwrap().remove("note");
    assert_eq!(update(&ann, &partial, None).await.status, 400);
    assert_eq!(update(&eve, &raw, None).await.status, 403);
    let mut next = raw.clone();
    next["active"] = json!(true);
    next["accountId"] = Value::Null;
    let leader = ann.call("getLeaderInfo", &[], &json!({"workerId": sid})).await.expect(200).body;
    assert_eq!((&leader["workerId"], &leader["hasLeader"]), (&json!(sid), &json!(false)));
    let changed = update(&ann, &next, Some(&made["versionstamp"])).await.expect(200).body;
    assert_eq!(changed["value"]["raw"]["active"], true);
    assert_eq!(update(&ann, &next, Some(&made["versionstamp"])).await.status, 409);
    let mut foreign = next.clone();
    foreign["sid"] = json!("00000000-0000-4000-8000-000000000000");
    let body = json!({"channel": "ami.worker.00000000-0000-4000-8000-000000000000", "raw": foreign});
    assert_eq!(ann.call("updateWorker", &[], &body).await.status, 404);

    let history = ann.call("getWorkerHistory", &[], &json!({"workerId": sid})).await.expect(200).body;
    assert_eq!(history.as_array().unwrap().len(), 2);
    assert_eq!(eve.call("getLeaderInfo", &[], &json!({"workerId": sid})).await.status, 404);
    let stats = ann.call("getWorkerStats", &[], &json!({})).await.expect(200).body;
    assert_eq!((&stats["workers"][0]["sid"], &stats["workers"][0]["errorRate"]), (&json!(sid), &json!("0.00%")));
    let stopped = ann.call("stopAllWorkers", &[], &json!({})).await.expect(200).body;
    assert_eq!((&stopped["stopped"], &stopped["failed"], &stopped["total"]), (&json!(1), &json!(0), &json!(1)));
    let again = ann.call("stopAllWorkers", &[], &json!({})).await.expect(200).body;
    assert_eq!(again["workers"][0]["status"], "already_stopped");
    assert_eq!(eve.call("listWorkers", &[], &json!({})).await.expect(200).body, json!([]));
}

#[tokio::test]
async fn transactions_move_money_once_and_whole() {
    let mut gateway = Gateway::start(roomy().args(&["demo"])).await;
    let (ann, ben) = (Holder::login(&gateway, 1).await, Holder::login(&gateway, 2).await);
    let (from, to) = (ann.wallet.address().to_owned(), ben.wallet.address().to_owned());
    let mut socket = ben.socket(&gateway).await;

    // a basic one: in millionths, once however often it is sent
    let basic = ann.basic(&to, 1_500_000.0);
    let done = ann.submit(&basic).await.expect(200).body;
    assert_eq!((&done["result"]["success"], &done["result"]["tx_hash"]), (&json!(true), &basic["hash"]));
    assert_eq!(done["result"]["status"], "confirmed");
    for answer in submit_at_once(&[&ann], &vec![basic.clone(); 8]).await {
        assert_eq!(answer.expect(200).body["result"]["tx_hash"], basic["hash"]);
    }
    assert_eq!(ann.balance(&from).await, "998.499999");
    assert_eq!(ann.balance(&to).await, "1001.500000");

    // a smart one: all of it, in order
    let ops = json!([
        {"op": "transfer", "to": to, "amount": "10.000000", "memo": "m"},
        {"op": "assert.balance", "address": to, "gte": "1011.500000"},
        {"op": "assert.time", "before_ms": now() + 60_000},
        {"op": "assert.compare", "left": "2", "cmp": "<", "right": "10"},
        {"op": "emit.event", "kind": "order.paid", "data": {"id": 7}},
    ]);
    let first = ann.smart(&ops, None, now());
    let hash = ann.submit(&first).await.expect(200).body["result"]["tx_hash"].as_str().unwrap().to_owned();
    let event = "testnet.runtime.event.order.paid";
    until(&mut socket, |f| {
        f["channel"] == event && f["raw"]["data"]["id"] == 7 && f["raw"]["tx_hash"] == hash.as_str()
    })
    .await;
    assert_eq!(ann.balance(&to).await, "1011.500000");
    // the same again is the same; its place is taken for others
    assert_eq!(ann.submit(&first).await.expect(200).body["result"]["tx_hash"], hash.as_str());
    let pay = |amount: &str| json!([{"op": "transfer", "to": to, "amount": amount}]);
    assert_eq!(ann.submit(&ann.smart(&pay("1.000000"), None, now())).await.status, 409);
    assert_eq!(ann.submit(&ann.smart(&pay("1.000000"), Some(&"0".repeat(64)), now())).await.status, 409);
    // of many that claim one place, one gets it
    let at = now();
    let rivals: Vec<Value> = (0..8).map(|n| ann.smart(&pay("1.000000"), Some(&hash), at - n)).collect();
    let answers = submit_at_once(&[&ann], &rivals).await;
    let won: Vec<&Answer> = answers.iter().filter(|a| a.status == 200).collect();
    assert_eq!(won.len(), 1, "{:?}", answers.iter().map(|a| (a.status, &a.body)).collect::<Vec<_>>());
    let last = won[0].body["result"]["tx_hash"].as_str().unwrap().to_owned();
    assert_eq!(ann.balance(&to).await, "1012.500000");

    // refused, and nothing changed: what is asserted does not hold, too much, too old, altered
    let before = (ann.balance(&from).await, ann.balance(&to).await);
    for (ops, at, status) in [
        (
            json!([{"op": "transfer", "to": to, "amount": "1.000000"}, {"op": "assert.balance", "address": to, "gte": "5000.000000"}]),
            now(),
            409,
        ),
        (
            json!([{"op": "transfer", "to": to, "amount": "1.000000"}, {"op": "assert.time", "before_ms": now() - 1}]),
            now(),
            409,
        ),
        (
            json!([{"op": "transfer", "to": to, "amount": "1.000000"}, {"op": "assert.time", "after_ms": now() + 60_000}]),
            now(),
            409,
        ),
        (
            json!([{"op": "transfer", "to": to, "amount": "1.000000"}, {"op": "assert.compare", "left": "a", "cmp": "==", "right": "b"}]),
            now(),
            409,
        ),
        (pay("100000.000000"), now(), 400),
        (pay("1.000000"), now() - 25 * 3_600_000, 400),
        (pay("1.000000"), now() + 25 * 3_600_000, 400),
    ] {
        let answer = ann.submit(&ann.smart(&ops, Some(&last), at)).await;
        assert_eq!(answer.status, status, "{ops}: {}", answer.body);
        assert!(answer.body["error"]["message"].is_string());
    }
    let good = ann.smart(&pay("1.000000"), Some(&last), now());
    let mut altered = good.clone();
    altered["args"]["ops"][0]["amount"] = json!("9.000000");
    assert_eq!(ann.submit(&altered).await.status, 400);
    let mut high = good.clone();
    high["signatures"][0]["sig"] = json!(high_s(good["signatures"][0]["sig"].as_str().unwrap()));
    assert_eq!(ann.submit(&high).await.status, 400);
    let mut foreign = good.clone();
    foreign["signatures"][0]["kid"] = json!(ben.wallet.public_key());
    assert_eq!(ann.submit(&foreign).await.status, 400);
    assert_eq!((ann.balance(&from).await, ann.balance(&to).await), before);
    // one that was refused for want of money is good once there is some
    let poor = Holder::login(&gateway, 9).await;
    let short = poor.smart(&json!([{"op": "transfer", "to": from, "amount": "1000.500000"}]), None, now());
    assert_eq!(poor.submit(&short).await.expect(400).body["error"]["code"], "400");
    ann.submit(&ann.basic(poor.wallet.address(), 1_000_000.0)).await.expect(200);
    poor.submit(&short).await.expect(200);

    // they are found again, also after the server was killed
    gateway.kill9();
    gateway.restart().await;
    let ben = Holder { client: gateway.client(), ..ben };
    let found =
        ben.call("getAssetTransactionByHash", &["testnet"], &json!({"tx_hash": hash, "network": "testnet"})).await;
    assert_eq!(found.expect(200).body["result"]["status"], "confirmed");
    assert_eq!(ben.call("getAssetTransactionByHash", &["testnet"], &json!({"tx_hash": "x"})).await.status, 404);
    let listed = ben
        .call(
            "getAssetTransactions",
            &["testnet"],
            &json!({"address": to, "status": "confirmed", "limit": 2, "offset": 0}),
        )
        .await;
    let listed = listed.expect(200).body;
    assert_eq!(
        (listed["result"]["transactions"].as_array().unwrap().len(), &listed["result"]["total"]),
        (2, &json!(3))
    );
    assert_eq!(listed["result"]["transactions"][0]["tx_hash"], last.as_str(), "newest first");
    let shown = ben.call("transactions", &["testnet", &to], &json!({})).await.expect(200).body;
    assert_eq!(shown["result"]["balance"]["balance"], "1012.500000");
    // fails on any fault
    gateway.cli(&["ledger", "verify"]);
}

#[tokio::test]
async fn sessions_outlive_a_restart_and_end_when_they_are_told_to() {
    let mut gateway = Gateway::start(roomy()).await;
    let ann = Holder::login(&gateway, 1).await;
    let mut socket = ann.socket(&gateway).await;
    until(&mut socket, |frame| frame["channel"] == "testnet.network.connections").await;
    gateway.signal("TERM");
    assert_eq!(socket.end().await.0, 1012);
    gateway.wait().await;
    gateway.restart().await;
    let ann = Holder { client: gateway.client(), ..ann };
    assert_eq!(ann.call("listWorkers", &[], &json!({})).await.status, 200);
    let mut again = ann.socket(&gateway).await;
    until(&mut again, |frame| frame["raw"]["session"] == ann.session.as_str()).await;

    // ten sockets a session; the next is told to come later
    let mut more = Vec::new();
    for _ in 0..9 {
        more.push(ann.socket(&gateway).await);
    }
    let mut last = more.pop().unwrap();
    until(&mut last, |frame| frame["channel"] == "testnet.network.connections").await;
    let (code, reason) = ann.socket(&gateway).await.end().await;
    assert_eq!(code, 1013, "{reason}");
    drop(more);

    ann.call("endSession", &[], &json!({})).await.expect(200);
    assert_eq!(again.end().await, (4401, "Session expired".to_owned()));
    assert_eq!(ann.call("listWorkers", &[], &json!({})).await.status, 401);
    assert_eq!(ann.socket(&gateway).await.end().await, (4401, "Session expired".to_owned()));
    let mut anonymous = Socket::open(gateway.base(), "/").await;
    anonymous.send(json!({"webfix": "testnet", "method": "subscribe", "channel": "runtime"})).await;
    assert!(matches!(anonymous.next().await, Heard::Json(_)));
}

#[tokio::test]
async fn the_documented_limits() {
    let gateway = Gateway::start(Options::default().env("ORRERY_LIMITS__WEBFIX_ACCOUNT_MAX", "2")).await;
    let (ann, ben) = (Holder::login(&gateway, 1).await, Holder::login(&gateway, 2).await);
    for n in 0..11 {
        let answer = ann.call("listWorkers", &[], &json!({})).await;
        assert_eq!(answer.status, if n < 10 { 200 } else { 429 }, "{n}");
        if n == 10 {
            let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
            // the windows slide: a little more than one may pass until all of them fit
            assert!((1..=70).contains(&wait));
            assert_eq!(answer.body["error"]["code"], "429");
        }
    }
    ben.call("listWorkers", &[], &json!({})).await.expect(200);
    let account = json!({"nid": "n", "connection": true, "exchange": "bybit", "note": "", "apiKey": "k",
        "secret": "s", "status": "active"});
    for status in [200, 200, 429] {
        assert_eq!(ann.set_account(&account).await.status, status);
    }
    let asked = json!({"address": ann.wallet.address()});
    for n in 0..21 {
        let answer = ben.call("getWalletInfo", &[], &asked).await;
        assert_eq!(answer.status, if n < 20 { 200 } else { 429 }, "{n}");
    }
}

// the links to the servers run beside commands that are waited for
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn two_gateways_on_one_database() {
    let house = House::new().await;
    let (migrated, said) = house.cli(&["migrate"]);
    assert!(migrated, "{said}");
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("master.key");
    let options = || roomy_of(house.options()).env("ORRERY_SECRETS__KEY_FILE", keys.to_str().unwrap());
    let (one, two) = (Gateway::start(options()).await, Gateway::start(options()).await);
    let ann = Holder::login(&one, 1).await;
    let there = Holder { client: two.client(), wallet: wallet(1), session: ann.session.clone() };
    let ben = Holder::login(&two, 2).await;
    let grant = ["ledger", "grant", "--wallet", ann.wallet.address(), "--tst", "100", "--key", "first"];
    one.cli(&grant);
    assert!(one.cli(&grant).contains("nothing was added"));
    assert_eq!(there.balance(ann.wallet.address()).await, "100.000000");
    assert!(!one.command(&["ledger", "grant", "--wallet", "g123", "--tst", "1"], "").status.success());

    // the same login, shown to the other server, is a replay
    let sent = login_transaction(&ann.wallet, "testnet", now() - 500, PublicKeyForm::Compressed);
    one.client().post("/", &login_request(&ann.wallet, &sent, one.base())).await.expect(200);
    two.client().post("/", &login_request(&ann.wallet, &sent, two.base())).await.expect(401);

    // an account set at one is heard at the other, by its viewer
    let mut socket = ben.socket(&two).await;
    let account = json!({"nid": "main", "connection": true, "exchange": "okx", "note": "", "apiKey": "k",
        "secret": "s", "status": "active", "viewers": [ben.wallet.address()]});
    until(&mut socket, |frame| frame["channel"] == "testnet.network.connections").await;
    ann.set_account(&account).await.expect(200);
    let channel = format!("account.balance.{}.okx.main", ann.wallet.address());
    until(&mut socket, |frame| frame["channel"] == channel.as_str()).await;

    // rivals for one place in a chain, half at each server
    let to = ben.wallet.address();
    let pay = json!([{"op": "transfer", "to": to, "amount": "1.000000"}]);
    let mut prev: Option<String> = None;
    for round in 1..=5 {
        let at = now();
        let rivals: Vec<Value> = (0..6).map(|n| ann.smart(&pay, prev.as_deref(), at - n)).collect();
        let answers = submit_at_once(&[&ann, &there], &rivals).await;
        let won: Vec<_> = answers.iter().filter(|a| a.status == 200).collect();
        assert_eq!(won.len(), 1, "{:?}", answers.iter().map(|a| (a.status, &a.body)).collect::<Vec<_>>());
        prev = won[0].body["result"]["tx_hash"].as_str().map(str::to_owned);
        assert_eq!(ben.balance(to).await, format!("{round}.000000"));
    }
    one.cli(&["ledger", "verify"]);
    // a session ended at one server is over at the other, its sockets too
    let mut elsewhere = there.socket(&two).await;
    until(&mut elsewhere, |frame| frame["channel"] == "testnet.network.connections").await;
    ann.call("endSession", &[], &json!({})).await.expect(200);
    assert_eq!(elsewhere.end().await, (4401, "Session expired".to_owned()));
    assert_eq!(there.call("listWorkers", &[], &json!({})).await.status, 401);
}

#[test]
fn wallets_by_command() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str], input: &str| {
        let output = Options::default().run(folder.path(), args, input);
        let said = String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned();
        (output.status.code(), said, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let vectors = e2e::repository().join("testdata/gliesereum.json");
    let check = |file: &std::path::Path| run(&["wallet", "check-vectors", file.to_str().unwrap()], "");
    let (code, said, _) = check(&vectors);
    assert_eq!((code, said.lines().last()), (Some(0), Some("vectors: 315/315")));
    assert!(said.starts_with("wallets 10/10\n"), "{said}");
    let text = std::fs::read_to_string(&vectors).unwrap();
    let file = folder.path().join("altered.json");
    std::fs::write(&file, text.replacen("\"c9836fb8f5e8fff95df30bad82e16044f207693e\"", "\"00\"", 1)).unwrap();
    let (code, said, _) = check(&file);
    assert_eq!((code, said.lines().last()), (Some(1), Some("vectors: 314/315")));
    for bad in ["", "{}", "{\"groups\":5,\"clock_ms\":1}", "\u{0}"] {
        std::fs::write(&file, bad).unwrap();
        let (code, _, err) = check(&file);
        assert!(code == Some(1) && err.starts_with("error: "), "{bad:?}: {err}");
    }

    let (_, made, _) = run(&["wallet", "new"], "");
    let made: Value = serde_json::from_str(&made).unwrap();
    let key = made["private_key"].as_str().unwrap();
    let (_, again, _) = run(&["wallet", "import"], &made.to_string());
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), made);
    let (_, shown, _) = run(&["wallet", "address"], &made.to_string());
    assert!(shown.contains(made["address"].as_str().unwrap()) && !shown.contains(key), "{shown}");
    let (_, signed, _) = run(&["wallet", "sign"], &json!({"private_key": key, "data": "hello"}).to_string());
    let signed: Value = serde_json::from_str(&signed).unwrap();
    for (data, good) in [("hello", "true"), ("hallo", "false")] {
        let input = json!({"data": data, "signature": signed["signature"], "public_key": made["public_key"]});
        assert_eq!(run(&["wallet", "verify"], &input.to_string()).1, good);
    }
    let (_, text, _) = run(&["wallet", "canonicalize"], r#" {"b": 1.0, "a": [1e21, "\u00e9"], "a": 2} "#);
    assert_eq!(text, r#"{"a":2,"b":1}"#);
    for (command, input) in [("import", r#"{"private_key":"zz"}"#), ("sign", "[]"), ("verify", "{")] {
        let (code, said, err) = run(&["wallet", command], input);
        assert!(code == Some(1) && said.is_empty() && err.starts_with("error: "), "{command}: {err}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is made but what the test made");
}

#[tokio::test]
async fn a_wallet_can_be_linked_to_a_user() {
    let gateway = Gateway::start(roomy()).await;
    let ann = Holder::login(&gateway, 1).await;
    let users =
        [gateway.client().register("ann@example.com").await, gateway.client().register("ben@example.com").await];
    let link = async |method: &str, user: &Client| {
        let request = json!({"webfix": "1.0", "method": method, "params": [], "body": {}});
        let headers = [("stels-session", ann.session.as_str())];
        user.send("POST", "/", &headers, Some(request.to_string().into_bytes())).await
    };
    assert_eq!(ann.call("linkWallet", &[], &json!({})).await.status, 401);
    let linked = link("linkWallet", &users[0]).await.expect(200);
    assert_eq!(linked.body["result"]["wallets"], json!([ann.wallet.address()]));
    link("linkWallet", &users[0]).await.expect(200);
    assert_eq!(link("linkWallet", &users[1]).await.status, 409);
    assert_eq!(link("unlinkWallet", &users[1]).await.expect(200).body["result"]["success"], false);
    link("unlinkWallet", &users[0]).await.expect(200);
    link("linkWallet", &users[1]).await.expect(200);
    eventually("the link is on record", SOON, async || {
        let audited = gateway.logs();
        if audited.contains("panicked") { Err("a panic".to_owned()) } else { Ok(()) }
    })
    .await;
}
