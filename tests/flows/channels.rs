//! WebSocket channels as the Aether document has them.
#![expect(clippy::disallowed_methods, reason = "a test's own tasks, which it waits for")]

use std::time::Duration;

use e2e::socket::{Heard, Socket};
use e2e::{Client, Gateway, Options, eventually};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

/// Limits that a test does not meet.
fn roomy() -> Options {
    Options::default().env("RATE_LIMIT_MESSAGES", "1000000").env("RATE_LIMIT_CONNECTIONS", "50000")
}

fn path(client: &Client, rest: &str) -> String {
    format!("/ws?token={}{rest}", client.token().unwrap())
}

async fn joined(gateway: &Gateway, client: &Client, channel: &str) -> (Socket, Value) {
    let mut socket = Socket::open(gateway.base(), &path(client, &format!("&channel={channel}"))).await;
    let hello = socket.json().await;
    assert_eq!((&hello["type"], &hello["action"]), (&json!("connection"), &json!("connect")), "{hello}");
    (socket, hello["data"].clone())
}

fn send(channel: &str, content: &str, sequence: u64) -> Value {
    json!({"type": "message", "action": "send",
        "data": {"content": content, "channel": channel, "metadata": {"sequence": sequence, "timestamp": "x"}}})
}

#[tokio::test]
async fn a_talk_as_documented() {
    let gateway = Gateway::start(roomy()).await;
    let (ann, ben) =
        (gateway.client().register("ann@example.com").await, gateway.client().register("ben@example.com").await);
    let mut one = Socket::open(gateway.base(), &path(&ann, "&client_id=tab%201&channel=main")).await;
    let hello = one.json().await;
    let data = &hello["data"];
    assert_eq!(data["client_id"], "tab 1");
    assert_eq!((&data["channel"], &data["offset"], &data["recovered"]), (&json!("main"), &json!(0), &json!(false)));
    assert!(data["user_id"].is_string() && data["epoch"].is_string(), "{data}");
    let (mut two, _) = joined(&gateway, &ben, "main").await;

    one.send(send("main", "hello", 7)).await;
    let own = one.until("message", "send").await;
    let (ack, other) = (one.until("message", "ack").await, two.json().await);
    assert_eq!(
        ack["data"]["metadata"],
        json!({"sequence": 7, "offset": 1, "epoch": data["epoch"], "duplicate": false})
    );
    assert_eq!(other["data"]["content"], "hello");
    assert_eq!((&other["data"]["client_id"], &other["data"]["user_id"]), (&json!("tab 1"), &data["user_id"]));
    let metadata = &other["data"]["metadata"];
    assert_eq!((&metadata["sequence"], &metadata["epoch"]), (&json!(1), &data["epoch"]));
    assert!(metadata["id"].is_string() && metadata["timestamp"].as_str().unwrap().ends_with('Z'), "{metadata}");
    assert_eq!(metadata.get("client_sequence"), None, "that is for the sender alone");
    assert_eq!(own["data"]["metadata"]["client_sequence"], 7);

    // once more: told to the sender, to nobody else
    for action in ["retry", "send"] {
        one.send(json!({"type": "message", "action": action,
            "data": {"content": "hello", "channel": "main", "metadata": {"sequence": 7}}}))
            .await;
        let ack = one.until("message", "ack").await;
        assert_eq!(
            (&ack["data"]["metadata"]["offset"], &ack["data"]["metadata"]["duplicate"]),
            (&json!(1), &json!(true))
        );
    }
    // one that never arrived, one without metadata, one without a channel
    one.send(json!({"type": "message", "action": "retry",
        "data": {"content": {"any": ["json", 1.5]}, "channel": "main", "metadata": {"sequence": 8}}}))
        .await;
    one.send(json!({"type": "message", "action": "send", "data": {"content": "plain"}})).await;
    for offset in [2, 3] {
        let ack = one.until("message", "ack").await;
        assert_eq!(
            (&ack["data"]["metadata"]["offset"], &ack["data"]["metadata"]["duplicate"]),
            (&json!(offset), &json!(false))
        );
    }
    assert_eq!(two.json().await["data"]["content"], json!({"any": ["json", 1.5]}));
    assert_eq!(two.json().await["data"]["content"], "plain");

    // several channels on one socket
    two.send(json!({"type": "connection", "action": "connect", "data": {"channel": "side"}})).await;
    assert_eq!(two.json().await["data"]["channel"], "side");
    one.send(send("side", "aside", 9)).await;
    assert_eq!(one.until("message", "ack").await["data"]["channel"], "side");
    assert_eq!(two.json().await["data"]["channel"], "side");
    two.send(json!({"type": "connection", "action": "disconnect", "data": {"channel": "side"}})).await;
    let left = two.json().await;
    assert_eq!((&left["action"], &left["data"]["channel"]), (&json!("disconnect"), &json!("side")));
    one.send(send("side", "unheard", 10)).await;
    one.send(send("main", "heard", 11)).await;
    assert_eq!(two.json().await["data"]["content"], "heard");
    two.send(json!({"type": "ping"})).await;
    assert_eq!(two.json().await, json!({"type": "pong"}));

    // refused, with a code, and the talk goes on
    for (text, code) in [
        ("nonsense", "invalid_json"),
        ("[]", "bad_request"),
        (r#"{"type":"dance"}"#, "unknown_type"),
        (r#"{"type":"message","action":"shout"}"#, "bad_request"),
        (r#"{"type":"message","action":"send","data":{"channel":"main"}}"#, "bad_request"),
        (r#"{"type":"message","action":"send","data":{"content":1,"channel":"no spaces"}}"#, "bad_request"),
        (r#"{"type":"message","action":"send","data":{"content":1,"channel":"topic/notifications"}}"#, "forbidden"),
        (r#"{"type":"message","action":"send","data":{"content":1,"metadata":{"sequence":-1}}}"#, "bad_request"),
        (r#"{"type":"connection","action":"connect","data":{"channel":"account.balance.x"}}"#, "forbidden"),
        (r#"{"type":"connection","action":"disconnect","data":{"channel":"nowhere"}}"#, "channel_not_found"),
        (r#"{"type":"connection","action":"refresh","data":{"token":"x"}}"#, "bad_request"),
        (r#"{"type":"system","action":"broadcast","data":{"message":"x"}}"#, "forbidden"),
    ] {
        two.send_text(text.into()).await;
        let error = two.json().await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(code)), "{text}: {error}");
        assert!(error["message"].is_string() && error["details"]["component"].is_string(), "{error}");
        assert!(error["details"]["reason"].is_string(), "{error}");
    }
    two.send(json!({"type": "ping"})).await;
    assert_eq!(two.json().await, json!({"type": "pong"}));
    let big = "x".repeat(1_100_000);
    two.send(send("main", &big, 1)).await;
    assert_eq!(two.end().await.0, 1009);

    let status = gateway.client().get("/ws/status").await;
    assert_eq!((status.status, &status.body["status"]), (200, &json!("healthy")));
    eventually("one connection is left", SOON, async || {
        let body = gateway.client().get("/ws/status").await.body;
        if body["connections"] == json!({"active": 1, "total": 2}) { Ok(()) } else { Err(body.to_string()) }
    })
    .await;
    assert!(!gateway.logs().contains(ann.token().unwrap()), "a token is in the log");
}

#[tokio::test]
async fn who_may_come_in() {
    let gateway = Gateway::start(roomy()).await;
    let ann = gateway.client().register("ann@example.com").await;
    let token = ann.token().unwrap().to_owned();
    let hello = async |socket: &mut Socket| socket.json().await["action"].clone();
    for (path, headers) in [
        (format!("/ws?token={token}"), vec![]),
        ("/ws?channel=main".to_owned(), vec![("authorization", format!("Bearer {token}"))]),
        ("/ws".to_owned(), vec![("sec-websocket-protocol", format!("bearer.{token}"))]),
        (format!("/ws?token={token}"), vec![("origin", gateway.base().to_owned())]),
    ] {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let mut socket = Socket::try_open(gateway.base(), &path, &headers).await.unwrap();
        assert_eq!(hello(&mut socket).await, "connect");
    }
    let mixed = [("sec-websocket-protocol", &*format!("bearer.{token}, aether"))];
    let socket = Socket::try_open(gateway.base(), "/ws", &mixed).await.unwrap();
    assert_eq!(socket.protocol.as_deref(), Some("aether"), "the token is not sent back where it need not be");

    let foreign = [("origin", "https://evil.example")];
    assert_eq!(Socket::try_open(gateway.base(), &format!("/ws?token={token}"), &foreign).await.err(), Some(403));
    let plain = gateway.client().get("/ws").await;
    assert_eq!((plain.status, &plain.body["type"]), (426, &json!("error")));

    for path in
        ["/ws".to_owned(), "/ws?token=abc&channel=main".into(), format!("/ws?token={token}x"), "/ws?ticket=x".into()]
    {
        let mut socket = Socket::open(gateway.base(), &path).await;
        let error = socket.json().await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("unauthorized")), "{path}");
        assert_eq!(socket.end().await, (4401, "Unauthorized".into()), "{path}");
    }

    // a ticket works once
    assert_eq!(gateway.client().post("/ws/ticket", &json!({})).await.status, 401);
    let ticket = ann.post("/ws/ticket", &json!({})).await;
    let ticket = ticket.text("ticket");
    let mut first = Socket::open(gateway.base(), &format!("/ws?ticket={ticket}&channel=main")).await;
    assert_eq!(first.json().await["data"]["channel"], "main");
    let mut second = Socket::open(gateway.base(), &format!("/ws?ticket={ticket}")).await;
    assert_eq!(second.end().await.0, 4401);
    assert_eq!(ann.with_token(ticket).get("/api/balance").await.status, 403, "a ticket is no token");

    // the same client once more: the newer stays
    let mut older = Socket::open(gateway.base(), &path(&ann, "&client_id=tab")).await;
    assert_eq!(hello(&mut older).await, "connect");
    let mut newer = Socket::open(gateway.base(), &path(&ann, "&client_id=tab")).await;
    assert_eq!(hello(&mut newer).await, "connect");
    assert_eq!(older.end().await.0, 4409);

    // what is revoked ends, also in silence
    assert_eq!(ann.post("/api/auth/logout", &json!({})).await.status, 200);
    assert_eq!(newer.end().await.0, 4401);
    assert_eq!(first.end().await.0, 4401, "a ticket's connection is its session's");
}

#[tokio::test]
async fn a_token_that_runs_out() {
    let gateway = Gateway::start(roomy().env("JWT_EXPIRES_S", "3").env("JWT_ALGORITHM", "HS384")).await;
    let ann = gateway.client().register("ann@example.com").await;
    let (mut socket, _) = joined(&gateway, &ann, "main").await;
    let (mut renewed, _) = joined(&gateway, &ann, "main").await;
    let warned = socket.until("system", "status").await;
    assert_eq!(warned["data"]["code"], "token_expiring", "{warned}");
    let again = gateway.client().login("ann@example.com").await;
    renewed.send(json!({"type": "connection", "action": "refresh", "data": {"token": again.token().unwrap()}})).await;
    renewed.until("connection", "refresh").await;
    eventually("the first token has run out", SOON, async || {
        let status = ann.get("/api/balance").await.status;
        if status == 403 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    socket.send(send("main", "late", 1)).await;
    let error = socket.until("error", "").await;
    assert_eq!(error["code"], "token_expired");
    assert_eq!(socket.end().await, (4401, "Session expired".into()));
    // whoever comes with it is told so, by a frame and by the code
    let mut late = Socket::open(gateway.base(), &path(&ann, "")).await;
    assert_eq!(late.json().await["code"], "token_expired");
    assert_eq!(late.end().await, (4401, "Session expired".into()));
}

#[tokio::test]
async fn channels_are_configured() {
    let mut gateway = Gateway::start(roomy()).await;
    let (ann, root) =
        (gateway.client().register("ann@example.com").await, gateway.user_of_role("root@example.com", "admin").await);
    let form = json!({"name": "room", "max_connections": 1, "message_rate_limit": 2, "require_auth": true});
    assert_eq!(gateway.client().post("/ws/channels", &form).await.status, 401);
    let refused = ann.post("/ws/channels", &form).await;
    assert_eq!((refused.status, &refused.body["code"]), (403, &json!("forbidden")));
    let made = root.post("/ws/channels", &form).await;
    assert_eq!((made.status, &made.body["name"], &made.body["max_connections"]), (201, &json!("room"), &json!(1)));
    let changed = root.post("/ws/channels", &json!({"name": "room", "message_rate_limit": 3})).await;
    assert_eq!(
        (changed.status, &changed.body["message_rate_limit"], &changed.body["max_connections"]),
        (200, &json!(3), &json!(1))
    );
    for (bad, field) in [
        (json!({"name": "a b"}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": "x", "message_rate_limit": 0}), "message_rate_limit"),
        (json!({"name": "x", "mode": "queue"}), "mode"),
        (json!({"name": "x", "conflate_ms": 50}), "conflate_ms"),
        (json!({"name": "topic/x"}), "name"),
        (json!({"name": "x", "max_connections": -1}), "max_connections"),
        (json!({"max_connections": 1}), "name"),
    ] {
        let answer = root.post("/ws/channels", &bad).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.body);
        assert!(answer.body["message"].as_str().unwrap().contains(field), "{bad}: {}", answer.body);
    }
    let listed = ann.get("/ws/channels").await;
    assert_eq!((listed.status, &listed.body["channels"][0]["name"]), (200, &json!("room")));

    let (mut only, _) = joined(&gateway, &ann, "room").await;
    let mut second = Socket::open(gateway.base(), &path(&ann, "&channel=room")).await;
    assert_eq!(second.json().await["code"], "channel_full");
    assert_eq!(second.end().await.0, 4429);
    // three messages a window; three refusals are forgiven
    for n in 1..=3 {
        only.send(send("room", "x", n)).await;
        only.until("message", "ack").await;
    }
    for n in 4..=7 {
        only.send(send("room", "x", n)).await;
        let error = only.until("error", "").await;
        assert_eq!((&error["code"], &error["details"]["sequence"]), (&json!("rate_limited"), &json!(n)), "{error}");
        assert!(error["details"]["retry_after_ms"].as_u64().unwrap() > 0);
    }
    assert_eq!(only.end().await.0, 4429);

    // open to everybody
    root.post("/ws/channels", &json!({"name": "lobby", "require_auth": false, "presence": true})).await;
    let mut anonymous = Socket::open(gateway.base(), "/ws?channel=lobby&client_id=me").await;
    assert_eq!(anonymous.json().await["data"]["user_id"], "");
    let (_ben, _) = joined(&gateway, &ann, "lobby").await;
    let presence = anonymous.until("system", "status").await;
    assert_eq!((&presence["data"]["code"], &presence["data"]["event"]), (&json!("presence"), &json!("join")));
    anonymous.send(json!({"type": "connection", "action": "connect", "data": {"channel": "room"}})).await;
    assert_eq!(anonymous.until("error", "").await["code"], "unauthorized");
    let shown = ann.get("/ws/channels/lobby").await;
    assert_eq!(shown.body["members"].as_array().map(Vec::len), Some(2), "{}", shown.body);

    // an operator's word
    let said = root.post("/ws/broadcast", &json!({"message": "maintenance at ten", "severity": "warning"})).await;
    assert_eq!(said.status, 200);
    let heard = anonymous.until("system", "broadcast").await;
    assert_eq!(heard["data"], json!({"message": "maintenance at ten", "severity": "warning"}));

    for (client, status) in [(gateway.client(), 401), (ann.clone(), 403), (root.clone(), 200), (root.clone(), 404)] {
        assert_eq!(client.send("DELETE", "/ws/channels/room", &[], None).await.status, status);
    }
    // kept over a restart
    gateway.stop().await;
    gateway.restart().await;
    let root = gateway.client().login("root@example.com").await;
    let listed = root.get("/ws/channels").await;
    let names: Vec<_> = listed.body["channels"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
    assert_eq!(names, [json!("lobby")]);
}

#[tokio::test]
async fn who_was_away_gets_all_or_is_told_that_not() {
    let gateway = Gateway::start(roomy()).await;
    let (ann, root) =
        (gateway.client().register("ann@example.com").await, gateway.user_of_role("root@example.com", "admin").await);
    root.post("/ws/channels", &json!({"name": "short", "history_size": 5})).await;
    let (mut one, hello) = joined(&gateway, &ann, "short").await;
    let epoch = hello["epoch"].as_str().unwrap().to_owned();
    for n in 1..=4 {
        one.send(send("short", &n.to_string(), n)).await;
        one.until("message", "ack").await;
    }
    let since = async |since: u64, epoch: &str| {
        let rest = format!("&channel=short&since={since}&epoch={epoch}");
        let mut socket = Socket::open(gateway.base(), &path(&ann, &rest)).await;
        let hello = socket.json().await["data"].clone();
        (socket, hello)
    };
    let (mut back, hello) = since(1, &epoch).await;
    assert_eq!((&hello["recovered"], &hello["offset"]), (&json!(true), &json!(4)));
    for n in 2..=4 {
        let message = back.json().await;
        assert_eq!(message["data"]["metadata"]["sequence"], n);
        assert_eq!(message["data"]["metadata"].get("snapshot"), None);
    }
    let (_, hello) = since(4, &epoch).await;
    assert_eq!(hello["recovered"], true, "nothing was missed");
    for n in 5..=8 {
        one.send(send("short", &n.to_string(), n)).await;
        one.until("message", "ack").await;
    }
    // five are kept: 4 to 8
    for (from, epoch, whole) in
        [(3, epoch.as_str(), true), (2, &epoch, false), (3, "other", false), (99, &epoch, false)]
    {
        let (mut back, hello) = since(from, epoch).await;
        assert_eq!(hello["recovered"], whole, "{from} {epoch}");
        let first = back.json().await;
        assert_eq!(first["data"]["metadata"]["sequence"], 4);
        assert_eq!(first["data"]["metadata"]["snapshot"] == true, !whole);
    }
    // newest values only
    root.post("/ws/channels", &json!({"name": "prices", "mode": "latest", "conflate_ms": 50})).await;
    let (mut live, _) = joined(&gateway, &ann, "prices").await;
    for (n, key) in [(1, "BTC"), (2, "ETH"), (3, "BTC")] {
        one.send(json!({"type": "message", "action": "send",
            "data": {"content": n, "channel": "prices", "metadata": {"key": key}}}))
            .await;
        one.until("message", "ack").await;
    }
    eventually("the newest of each arrived", SOON, async || {
        let message = live.json().await;
        let seen = (message["data"]["metadata"]["key"].clone(), message["data"]["content"].clone());
        if seen == (json!("BTC"), json!(3)) { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
    let mut late = Socket::open(gateway.base(), &path(&ann, "&channel=prices")).await;
    late.json().await;
    let mut picture = Vec::new();
    for _ in 0..2 {
        let message = late.json().await;
        assert_eq!(message["data"]["metadata"]["snapshot"], true);
        picture.push((message["data"]["metadata"]["key"].clone(), message["data"]["content"].clone()));
    }
    assert_eq!(picture, [(json!("ETH"), json!(2)), (json!("BTC"), json!(3))]);
}

#[tokio::test]
async fn slow_clients_are_closed_and_hold_up_nobody() {
    let gateway = Gateway::start(roomy()).await;
    let root = gateway.user_of_role("root@example.com", "admin").await;
    root.post("/ws/channels", &json!({"name": "flood", "message_rate_limit": 1_000_000, "history_size": 10_000})).await;
    let mut stalled = Vec::new();
    for _ in 0..20 {
        stalled.push(joined(&gateway, &root, "flood").await.0);
    }
    let (mut quick, _) = joined(&gateway, &root, "flood").await;
    let (mut speaker, _) = joined(&gateway, &root, "side").await;
    let memory = || {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", gateway.pid())).unwrap();
        statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4_096
    };
    let before = memory();
    // 4 KiB each: 16 MB for each that does not read
    let content = "x".repeat(4_096);
    let count = 4_000;
    let talk = async {
        for n in 1..=count {
            speaker.send(send("flood", &content, n)).await;
            let ack = speaker.until("message", "ack").await;
            assert_eq!(ack["data"]["metadata"]["offset"], n);
        }
    };
    let listen = async {
        for n in 1..=count {
            let message = quick.until("message", "send").await;
            assert_eq!(message["data"]["metadata"]["sequence"], n);
        }
    };
    tokio::join!(talk, listen);
    let grown = memory().saturating_sub(before);
    assert!(grown < 150 << 20, "{} MB more", grown >> 20);
    for mut socket in stalled {
        let mut seen = 0;
        let (code, reason) = loop {
            match socket.next().await {
                Heard::Json(frame) if frame["action"] == "send" => {
                    let n = frame["data"]["metadata"]["sequence"].as_u64().unwrap();
                    assert_eq!(n, seen + 1, "without a hole");
                    seen = n;
                }
                Heard::Json(_) => {}
                Heard::Close(code, reason) => break (code, reason),
                Heard::Gone => panic!("no goodbye"),
            }
        };
        assert_eq!(code, 4008, "{reason}");
        let last: u64 = reason.rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(last, seen, "{reason}");
    }
}

#[tokio::test]
async fn figures_and_the_environment() {
    let port = orrery_testkit::servers::free_port().unwrap();
    let options = roomy().env("METRICS_PORT", &port.to_string()).env("WS_PATH", "/live").env("JWT_ALGORITHM", "HS512");
    let gateway = Gateway::start(options).await;
    let ann = gateway.client().register("ann@example.com").await;
    let mut socket = Socket::open(gateway.base(), &format!("/live?token={}&channel=main", ann.token().unwrap())).await;
    socket.json().await;
    socket.send_text("x".into()).await;
    socket.json().await;
    assert_eq!(gateway.client().get("/ws").await.status, 404);
    let figures = Client::new(&format!("http://127.0.0.1:{port}"));
    assert_eq!(figures.get("/metrics/connections").await.body["active"], 1);
    assert_eq!(figures.get("/metrics/channels").await.body["channels"][0]["name"], "main");
    assert_eq!(figures.get("/metrics/errors").await.body["by_code"], json!({"invalid_json": 1}));
    assert_eq!(figures.get("/metrics/messages").await.body["accepted_total"], 0);
    assert_eq!(figures.get("/metrics").await.status, 200);
    assert_eq!(figures.get("/api/balance").await.status, 404);
    assert_eq!(gateway.client().get("/metrics/connections").await.status, 401);
    assert_eq!(ann.get("/metrics/connections").await.status, 200);
    let off = Gateway::start(roomy().env("ENABLE_METRICS", "false")).await;
    let ann = off.client().register("ann@example.com").await;
    for path in ["/metrics", "/metrics/connections"] {
        assert_eq!(ann.get(path).await.status, 404);
    }
    let data = tempfile::tempdir().unwrap();
    let refused = roomy().env("JWT_ALGORITHM", "RS256").run(data.path(), &["serve"], "");
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("HS256, HS384 or HS512"));
}

#[tokio::test]
async fn a_drain_loses_nothing() {
    let gateway = Gateway::start(roomy()).await;
    let ann = gateway.client().register("ann@example.com").await;
    let (mut listener, _) = joined(&gateway, &ann, "main").await;
    let (mut speaker, _) = joined(&gateway, &ann, "side").await;
    let listening = tokio::spawn(async move {
        let mut heard = Vec::new();
        loop {
            match listener.next().await {
                Heard::Json(frame) if frame["action"] == "send" => heard.push(frame["data"]["content"].clone()),
                Heard::Json(_) => {}
                Heard::Close(code, reason) => return (heard, code, reason),
                Heard::Gone => panic!("no goodbye"),
            }
        }
    });
    let speaking = tokio::spawn(async move {
        let mut acked = Vec::new();
        for n in 1.. {
            speaker.send(send("main", &n.to_string(), n)).await;
            loop {
                match speaker.next().await {
                    Heard::Json(frame) if frame["action"] == "ack" => break acked.push(json!(n.to_string())),
                    Heard::Json(_) => {}
                    Heard::Close(1001, _) => return acked,
                    other => panic!("{other:?}"),
                }
            }
        }
        acked
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    gateway.signal("TERM");
    let acked = speaking.await.unwrap();
    let (heard, code, reason) = listening.await.unwrap();
    assert_eq!(code, 1001, "{reason}");
    assert!(acked.len() > 10);
    // the listener may have been let go a moment before the speaker: a hole there may not be
    assert!(heard.len() + 2 >= acked.len(), "{} heard of {}", heard.len(), acked.len());
    assert_eq!(heard[..acked.len().min(heard.len())], acked[..acked.len().min(heard.len())]);
}
