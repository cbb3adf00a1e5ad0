//! Workers over stores in memory whose fleet is filled by hand: shapes, refusals, logs as they stream.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its failure")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::BodyExt;
use orrery_api_webfix::{Figures, Limits, NodeFacts, Options, WebFix};
use orrery_app::App;
use orrery_app::tasks::Tasks;
use orrery_feeds::Simulated;
use orrery_http_kit::RequestMeta;
use orrery_identity::rate::Policy;
use orrery_kernel::{Clock, Timestamp};
use orrery_storage::Bus;
use orrery_testkit::assembled::{ports, settings};
use orrery_testkit::fakes::{ManualClock, SeededEntropy};
use orrery_workers::WorkerStore;
use orrery_workers::fleet::{Beat, FleetStore, Reason, RunRecord, Settled, Totals};
use orrery_workers::logs::{Line, LogBounds, LogStore};
use orrery_workers::script::Level;
use orrery_workers::{Draft, Spec, Worker};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tower::ServiceExt;

/// When the vectors were recorded.
const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);

struct Server {
    app: Arc<App>,
    fleet: Arc<dyn FleetStore>,
    logs: Arc<dyn LogStore>,
    workers: Arc<dyn WorkerStore>,
    bus: Arc<dyn Bus>,
    clock: Arc<ManualClock>,
    tasks: Tasks,
    router: Router,
    session: String,
    draining: watch::Sender<bool>,
}

fn login() -> String {
    let file: Value = serde_json::from_str(include_str!("../../../testdata/gliesereum.json")).unwrap();
    let groups = file["groups"].as_array().unwrap();
    let cases = groups.iter().find(|group| group["id"] == "requests").unwrap()["cases"].as_array().unwrap();
    let bodies = cases.iter().filter_map(|case| case["body_json"].as_str());
    bodies.into_iter().find(|body| body.contains("\"method\":\"connectionNode\"")).unwrap().to_owned()
}

impl Server {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let ports = ports(clock.clone(), Arc::new(SeededEntropy::new(5)), Arc::new(Simulated::new(1, 50_000)));
        let (fleet, logs, bus) = (ports.fleet.clone(), ports.worker_logs.clone(), ports.bus.clone());
        let (workers, tasks) = (ports.workers.clone(), Tasks::new());
        let app = App::start(ports, settings(), &tasks).await.unwrap();
        let (draining, listening) = watch::channel(false);
        let many = Policy::refuse(1_000_000, MINUTE);
        let options = Options {
            limits: Limits { worker: many, account: many, wallet: many, login: many, trade: many },
            rates: app.limits.store(),
            public_url: None,
            tls: false,
            node: NodeFacts { title: "Orrery".into(), ..NodeFacts::default() },
            figures: Arc::new(Figures::default),
        };
        let router = WebFix::start(&app, &tasks, &listening, options).in_front_of(Router::new());
        let session = String::new();
        let mut server = Self { app, fleet, logs, workers, bus, clock, tasks, router, session, draining };
        let reply = server.send("POST", "/", &[], &login()).await;
        server.session = reply.1["raw"]["session"].as_str().unwrap().to_owned();
        server
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> axum::response::Response {
        let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:8088");
        for (name, value) in headers {
            request = request.header(*name, *value);
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
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        let response = self.ask(method, path, headers, body).await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn call(&self, method: &str, body: Value) -> (u16, Value) {
        let request = json!({"webfix": "1.0", "method": method, "params": [], "body": body});
        self.send("POST", "/", &[("stels-session", &self.session)], &request.to_string()).await
    }

    async fn good(&self, method: &str, body: Value) -> Value {
        let (status, reply) = self.call(method, body).await;
        assert_eq!(status, 200, "{method}: {reply}");
        reply
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, &[("stels-session", &self.session)], "").await
    }

    /// The parts of a stream as they come.
    async fn stream(&self, query: &str, more: &[(&str, &str)]) -> Blocks {
        let mut headers = vec![("stels-session", self.session.as_str())];
        headers.extend(more);
        let response = self.ask("GET", &format!("/api/worker/logs/stream?{query}"), &headers, "").await;
        assert_eq!(response.status(), 200, "{query}");
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        Blocks { body: response.into_body().into_data_stream(), rest: String::new() }
    }

    async fn worker(&self, note: &str) -> String {
        let body = json!({"scriptContent": format!("logger.info('{note}')"), "note": note, "executionMode": "leader"});
        self.good("setWorker", body).await["value"]["raw"]["sid"].as_str().unwrap().to_owned()
    }

    async fn log(&self, sid: &str, texts: &[&str]) {
        let line = |text: &&str| Line { sid: sid.into(), at: NOW, level: Level::Info, text: (*text).to_owned() };
        let lines: Vec<Line> = texts.iter().map(line).collect();
        self.logs.append(&lines, &LogBounds::default()).await.unwrap();
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

struct Blocks {
    body: BodyDataStream,
    rest: String,
}

impl Blocks {
    /// The next block; none at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.rest = rest;
                return Some(block);
            }
            let more = self.body.next().await?.unwrap();
            self.rest.push_str(std::str::from_utf8(&more).unwrap());
        }
    }

    /// The next event.
    async fn event(&mut self) -> Value {
        loop {
            let block = self.next().await.unwrap();
            if let Some(data) = block.strip_prefix("data: ") {
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    /// The texts of the events that come before one of another type, and that one.
    async fn lines(&mut self) -> (String, Value) {
        let mut text = String::new();
        loop {
            let event = self.event().await;
            if event["type"] != "log" {
                return (text, event);
            }
            text.push_str(event["content"].as_str().unwrap());
        }
    }
}

fn beat(node: &str) -> Beat {
    let holder = format!("{node}/1");
    Beat { holder, node: node.into(), version: "1".into(), capacity: 9, running: 1, draining: false }
}

fn totals(sid: &str, node: &str) -> Totals {
    Totals {
        sid: sid.into(),
        node: node.into(),
        executions: 6,
        errors: 2,
        network_errors: 1,
        consecutive: 1,
        running: true,
        started_at: NOW,
        last_run: Some(NOW),
        last_error: Some(format!("RequestTimeout: of {node}")),
        last_network: true,
    }
}

#[tokio::test]
async fn what_nodes_tell_of_workers() {
    let server = Server::open().await;
    let (sid, other) = (server.worker("one").await, server.worker("two").await);
    let mut raw = server.good("listWorkers", json!({})).await[1]["value"]["raw"].clone();
    assert_eq!(raw["sid"], sid.as_str());
    raw["active"] = true.into();
    server.good("updateWorker", json!({"channel": format!("ami.worker.{sid}"), "raw": raw})).await;
    for node in ["n-1", "n-2"] {
        server.fleet.beat(&beat(node)).await.unwrap();
    }
    let gone = Totals { running: true, last_run: None, last_error: None, ..totals(&sid, "n-3") };
    server.fleet.save_totals(&[totals(&sid, "n-1"), totals(&sid, "n-2"), gone]).await.unwrap();
    server.fleet.take_leases("n-1/1", std::slice::from_ref(&sid), MINUTE, MINUTE).await.unwrap();
    let run = RunRecord {
        id: "run".into(),
        sid: sid.clone(),
        version: 2,
        node: "n-1".into(),
        epoch: 1,
        started_at: NOW,
        ended_at: Some(NOW.plus(MINUTE)),
        outcome: Some("failed".into()),
        error: Some("TypeError: x".into()),
        calls: 3,
        cpu_ms: 4,
    };
    server.fleet.save_runs(&[run], 10).await.unwrap();
    let given = Settled { sid: sid.clone(), node: Some("n-2".into()), version: 2, reason: Reason::Errors };
    server.fleet.settle(&given, None, NOW).await.unwrap();
    server.clock.advance(Duration::from_secs(5));
    insta::assert_json_snapshot!(
        "figures",
        named(&json!({
            "getLeaderInfo": server.good("getLeaderInfo", json!({"workerId": sid})).await,
            "getLeaderInfo of none": server.good("getLeaderInfo", json!({"workerId": other})).await,
            "getWorkerStats": server.good("getWorkerStats", json!({})).await,
            "getWorkerRuns": server.good("getWorkerRuns", json!({"workerId": sid, "limit": 5})).await,
            "listNodes": server.good("listNodes", json!({})).await,
        }))
    );
    // a lease that was given back, and nodes that are not heard any more
    server.fleet.give_leases("n-1/1", &[(sid.clone(), 1)]).await.unwrap();
    let leader = server.good("getLeaderInfo", json!({"workerId": sid})).await;
    assert_eq!(
        (&leader["hasLeader"], &leader["leader"], &leader["isExpired"]),
        (&json!(false), &Value::Null, &json!(true))
    );
    server.clock.advance(MINUTE);
    let stats = server.good("getWorkerStats", json!({})).await;
    assert_eq!((&stats["runningWorkers"], &stats["workers"][1]["isRunning"]), (&json!(0), &json!(false)));
    assert_eq!(server.good("listNodes", json!({})).await["total"], 0);
    for method in ["getLeaderInfo", "getWorkerRuns", "getWorkerHistory", "getWorkerDiff"] {
        assert_eq!(server.call(method, json!({"workerId": "none"})).await.0, 404, "{method}");
        assert_eq!(server.call(method, json!({"workerId": 5})).await.0, 400, "{method}");
    }
    server.tasks.drain().await;
}

#[tokio::test]
async fn every_field_that_cannot_be_is_named() {
    let server = Server::open().await;
    let sid = server.worker("one").await;
    let raw = server.good("listWorkers", json!({})).await[0]["value"]["raw"].clone();
    for (field, value) in [
        ("scriptContent", json!(5)),
        ("scriptContent", json!("  ")),
        ("scriptContent", json!("const a = 1\nconst b @@")),
        ("dependencies", json!("gliesereum")),
        ("dependencies", json!([1])),
        ("dependencies", json!(["gliesereum", "lodash"])),
        ("dependencies", json!(["a b"])),
        ("version", json!("2.0")),
        ("executionMode", json!("all")),
        ("executionMode", json!({})),
        ("priority", json!("urgent")),
        ("mode", json!("twice")),
        ("scope", json!("world")),
        ("accountId", json!("a/b")),
        ("assignedNode", json!("n 1")),
        ("note", json!("x".repeat(1_025))),
        ("schedule", json!("now and then")),
        ("schedule", json!(5)),
        ("dryRun", json!("yes")),
        ("isolation", json!("vm")),
        ("active", json!("true")),
    ] {
        let (status, reply) = server.call("setWorker", json!({ field: value })).await;
        let error = &reply["error"];
        assert_eq!(
            (status, &error["code"], &error["details"]["field"]),
            (400, &json!("400"), &json!(field)),
            "{reply}"
        );
        assert!(error["message"].as_str().unwrap().contains(field), "{reply}");
        let (name, shown) = if field == "scriptContent" { ("script", "script") } else { (field, field) };
        let mut raw = raw.clone();
        raw[name] = value.clone();
        let (status, reply) =
            server.call("updateWorker", json!({"channel": format!("ami.worker.{sid}"), "raw": raw})).await;
        let named = reply["error"]["details"]["field"].as_str().unwrap();
        assert!(status == 400 && named.ends_with(shown), "{name}: {reply}");
    }
    let (_, reply) = server.call("setWorker", json!({"scriptContent": "const a = 1\nconst b @@"})).await;
    assert_eq!((&reply["error"]["details"]["line"], &reply["error"]["details"]["column"]), (&json!(2), &json!(9)));
    let (status, reply) = server.call("setWorker", json!({"executionMode": "exclusive"})).await;
    assert_eq!((status, &reply["error"]["details"]["field"]), (400, &json!("assignedNode")));
    assert_eq!(server.good("listWorkers", json!({})).await.as_array().unwrap().len(), 1, "nothing bad is kept");
    server.tasks.drain().await;
}

#[tokio::test]
async fn versions_differ_and_come_back() {
    let server = Server::open().await;
    let sid = server.worker("one").await;
    let channel = format!("ami.worker.{sid}");
    let mut raw = server.good("listWorkers", json!({})).await[0]["value"]["raw"].clone();
    raw["script"] = "logger.info('one')\nlogger.warn('more')".into();
    raw["priority"] = "high".into();
    raw["active"] = true.into();
    server.good("updateWorker", json!({"channel": channel, "raw": raw})).await;
    insta::assert_json_snapshot!("diff", named(&server.good("getWorkerDiff", json!({"workerId": sid})).await));
    let stamp = |n: u32| format!("{n:020x}");
    let back = server.good("rollbackWorker", json!({"workerId": sid, "to": stamp(1)})).await;
    assert_eq!((&back["versionstamp"], &back["value"]["raw"]["priority"]), (&json!(stamp(3)), &json!("normal")));
    assert_eq!(back["value"]["raw"]["active"], true, "it goes on running");
    let same = server.good("getWorkerDiff", json!({"workerId": sid, "from": stamp(1), "to": stamp(3)})).await;
    assert_eq!((&same["script"]["diff"], same["changes"][0]["field"].as_str()), (&json!(""), Some("active")));
    assert_eq!(server.good("getWorkerHistory", json!({"workerId": sid})).await.as_array().unwrap().len(), 3);
    for (body, status) in [
        (json!({"workerId": sid}), 400),
        (json!({"workerId": sid, "to": "zz"}), 400),
        (json!({"workerId": sid, "to": stamp(9)}), 404),
        (json!({"workerId": sid, "to": stamp(1), "versionstamp": stamp(2)}), 409),
        (json!({"workerId": "none", "to": stamp(1)}), 404),
    ] {
        assert_eq!(server.call("rollbackWorker", body.clone()).await.0, status, "{body}");
    }
    server.tasks.drain().await;
}

#[tokio::test]
async fn workers_leave_without_secrets_and_come_back_asleep() {
    let server = Server::open().await;
    let script = "const x = new Stels.runtime.cex.bybit({ apiKey: 'abcdef', secret: \"s3cr3t\" })";
    let made = json!({"scriptContent": script, "note": "trader", "active": true, "priority": "low", "schedule": "0 9 * * *",
        "accountId": "desk", "dryRun": true});
    server.good("setWorker", made).await;
    let mut exported = server.good("exportWorkers", json!({})).await;
    assert!(!exported.to_string().contains("s3cr3t") && !exported.to_string().contains("abcdef"));
    assert_eq!(exported["workers"][0]["redacted"], 2);
    exported["workers"].as_array_mut().unwrap().push(json!({"script": "@@"}));
    exported["workers"].as_array_mut().unwrap().push(json!(5));
    let (status, reply) = server.call("importWorkers", exported.clone()).await;
    assert_eq!(status, 207, "{reply}");
    insta::assert_json_snapshot!("import", named(&reply));
    for (body, field) in [
        (json!({}), "workers"),
        (json!({"workers": {}}), "workers"),
        (json!({"format": "zip", "workers": []}), "format"),
        (json!({"formatVersion": 2, "workers": []}), "formatVersion"),
        (json!({"workers": vec![json!({}); 501]}), "workers"),
    ] {
        let (status, reply) = server.call("importWorkers", body).await;
        assert_eq!((status, &reply["error"]["details"]["field"]), (400, &json!(field)));
    }
    assert_eq!(server.call("exportWorkers", json!({"workerIds": ["none"]})).await.0, 404);
    server.tasks.drain().await;
}

#[tokio::test]
async fn logs_have_sizes() {
    let server = Server::open().await;
    let (sid, quiet) = (server.worker("one").await, server.worker("two").await);
    server.log(&sid, &["hello", "wörld"]).await;
    let (status, one) = server.get(&format!("/api/worker/logs?sid={sid}")).await;
    assert_eq!(status, 200);
    insta::assert_json_snapshot!("log_sizes", one, { ".logs[].sid" => "[sid]" });
    let (_, all) = server.get("/api/worker/logs").await;
    assert_eq!((&all["total"], &all["logs"][0]["sid"]), (&json!(2), &json!(quiet)));
    assert_eq!((&all["logs"][0]["exists"], &all["logs"][1]["lines"]), (&json!(false), &json!(2)));
    let (status, reply) = server.get("/api/worker/logs?sid=none").await;
    assert_eq!((status, &reply["sid"]), (404, &json!("none")));
    assert!(reply["error"].is_string());
    for path in ["/api/worker/logs", "/api/worker/logs/stream?sid=x"] {
        assert_eq!(server.send("GET", path, &[], "").await.0, 401);
        assert_eq!(server.send("GET", path, &[("stels-session", "x")], "").await.0, 401);
        assert_eq!(server.send("OPTIONS", path, &[], "").await.0, 204);
    }
    assert_eq!(server.get("/api/worker/logs/stream").await.0, 400);
    assert_eq!(server.get("/api/worker/logs/stream?sid=none").await.0, 404);
    assert_eq!(server.get(&format!("/api/worker/logs/stream?sid={sid}&follow=maybe")).await.0, 400);
    // another wallet's
    let foreign = Worker {
        sid: "foreign".into(),
        nid: "n-1".into(),
        owner: "gf7iTTmSPnEwKUTb1X3TLACS9DUCmEegNx".into(),
        spec: Spec::new(Draft::default()).unwrap(),
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    };
    server.workers.add_worker(&foreign, 9).await.unwrap();
    server.log("foreign", &["private"]).await;
    assert_eq!(server.get("/api/worker/logs?sid=foreign").await.0, 404);
    assert_eq!(server.get("/api/worker/logs/stream?sid=foreign").await.0, 404);
    server.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_log_streams_as_it_grows() {
    let server = Server::open().await;
    let sid = server.worker("one").await;
    server.log(&sid, &["a", "b", "c"]).await;
    let shown = |texts: &[&str]| texts.iter().map(|t| format!("[{}] [INFO] {t}\n", NOW.iso())).collect::<String>();

    let mut all = server.stream(&format!("sid={sid}&follow=false"), &[]).await;
    assert_eq!(all.event().await, json!({"type": "connected", "sid": sid}));
    assert_eq!(all.lines().await, (shown(&["a", "b", "c"]), json!({"type": "complete"})));
    assert_eq!(all.next().await, None);

    let mut grows = server.stream(&format!("sid={sid}&tail=1"), &[]).await;
    assert_eq!(grows.event().await["type"], "connected");
    let first = grows.event().await;
    assert_eq!(first["content"], shown(&["c"]));
    assert_eq!(grows.next().await.unwrap(), format!("id: {}", first["id"]));
    // time goes on by itself: nothing but heartbeats come
    assert_eq!(grows.next().await.unwrap(), ": still here");
    server.log(&sid, &["d"]).await;
    server.bus.publish("worker-logs", sid.clone().into()).await.unwrap();
    assert_eq!(grows.event().await["content"], shown(&["d"]));
    server.log(&sid, &["e"]).await;
    let last = grows.event().await;
    assert_eq!(last["content"], shown(&["e"]), "also when nobody told of it");

    // who comes back gets what came after, once
    server.log(&sid, &["f"]).await;
    let id = last["id"].to_string();
    let mut back = server.stream(&format!("sid={sid}"), &[("last-event-id", &id)]).await;
    assert_eq!(back.event().await["type"], "connected");
    assert_eq!(back.event().await["content"], shown(&["f"]));
    let (query, mut more) = (format!("sid={sid}&follow=false&lastEventId={id}"), Vec::new());
    assert_eq!(server.stream(&query, &[]).await.lines().await.1["type"], "connected");

    // eight streams a session, and room again when one goes
    for _ in 0..6 {
        more.push(server.stream(&format!("sid={sid}"), &[]).await);
    }
    let (status, reply) = server.get(&format!("/api/worker/logs/stream?sid={sid}")).await;
    assert!(status == 429 && reply["error"].is_string(), "{reply}");
    more.pop();
    more.push(server.stream(&format!("sid={sid}"), &[]).await);

    // a server that stops says so
    server.draining.send_replace(true);
    assert_eq!(back.lines().await.1["type"], "error");
    assert_eq!(back.next().await, None);
    drop((grows, more));
    server.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_session() {
    let server = Server::open().await;
    let sid = server.worker("one").await;
    let mut stream = server.stream(&format!("sid={sid}"), &[]).await;
    assert_eq!(stream.event().await["type"], "connected");
    server.good("endSession", json!({})).await;
    assert_eq!(stream.event().await, json!({"type": "error", "message": "The session has ended"}));
    assert_eq!(stream.next().await, None);
    server.tasks.drain().await;
}

#[tokio::test]
async fn all_stop_but_those_that_cannot() {
    let server = Server::open().await;
    assert!(server.good("stopAllWorkers", json!({})).await["message"].is_string());
    let sid = server.worker("one").await;
    server.worker("two").await;
    let mut raw = server.good("listWorkers", json!({})).await[1]["value"]["raw"].clone();
    raw["active"] = true.into();
    server.good("updateWorker", json!({"channel": format!("ami.worker.{sid}"), "raw": raw})).await;
    let reply = server.good("stopAllWorkers", json!({})).await;
    assert_eq!((&reply["stopped"], &reply["failed"], &reply["total"]), (&json!(1), &json!(0), &json!(2)));
    assert_eq!(server.app.workers.count().await.unwrap(), (0, 2));
    server.tasks.drain().await;
}

/// A session socket on a listener of its own.
async fn socket(server: &Server) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (router, stopping) = (server.router.clone(), server.tasks.stopping());
    server.tasks.spawn("test-listener", async move {
        let serve = axum::serve(listener, router).with_graceful_shutdown(stopping.cancelled_owned());
        serve.await.unwrap();
    });
    let url = format!("ws://{address}/?session={}", server.session);
    tokio_tungstenite::connect_async(url).await.unwrap().0
}

/// The next frame of that channel.
async fn frame(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>, channel: &str) -> Value {
    loop {
        let message = socket.next().await.unwrap().unwrap();
        if let Message::Text(text) = message {
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["channel"] == channel {
                return frame;
            }
        }
    }
}

#[tokio::test]
async fn sockets_hear_of_errors_and_read_logs() {
    let server = Server::open().await;
    let sid = server.worker("one").await;
    server.log(&sid, &["a", "b"]).await;
    let mut heard = socket(&server).await;
    let channel = format!("worker.log.{sid}");
    for name in ["worker.log.none", channel.as_str(), channel.as_str()] {
        let subscribe = json!({"webfix": "testnet", "method": "subscribe", "channel": name}).to_string();
        heard.send(Message::text(subscribe)).await.unwrap();
    }
    let first = frame(&mut heard, &channel).await;
    let texts = |frame: &Value| -> Vec<Value> {
        frame["value"]["raw"]["lines"].as_array().unwrap().iter().map(|line| line["text"].clone()).collect()
    };
    assert_eq!((texts(&first), &first["widget"]), (vec![json!("a"), json!("b")], &json!("log")));
    server.log(&sid, &["c"]).await;
    assert_eq!(texts(&frame(&mut heard, &channel).await), [json!("c")], "each line once");

    let run = RunRecord {
        id: "run".into(),
        sid: sid.clone(),
        version: 1,
        node: "n-1".into(),
        epoch: 1,
        started_at: NOW,
        ended_at: None,
        outcome: None,
        error: Some("TypeError: x".into()),
        calls: 0,
        cpu_ms: 0,
    };
    server.fleet.save_runs(&[run], 10).await.unwrap();
    server.clock.advance(Duration::from_secs(1));
    let reason = Reason::Errors;
    let given = Settled { sid: sid.clone(), node: None, version: 1, reason };
    server.fleet.settle(&given, None, server.clock.now()).await.unwrap();
    let alert = frame(&mut heard, &format!("worker.alert.{sid}")).await;
    insta::assert_json_snapshot!("alert", named(&alert["value"]));
    // what was told once is not told again
    let other = server.worker("two").await;
    let given = Settled { sid: other.clone(), node: Some("n-1".into()), version: 1, reason };
    server.fleet.settle(&given, None, server.clock.now()).await.unwrap();
    loop {
        let Message::Text(text) = heard.next().await.unwrap().unwrap() else { continue };
        assert!(!text.contains(&format!("worker.alert.{sid}")), "{text}");
        if text.contains(&format!("worker.alert.{other}")) {
            break;
        }
    }
    drop(heard);
    server.tasks.drain().await;
}
