//! Terminals of the real server over WebSocket: what is left when a connection is lost, who may look, who is slow.

use std::time::Duration;

use e2e::{Client, Gateway, Options, eventually};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const PATIENCE: Duration = Duration::from_secs(60);

/// A screen that is far away.
struct Far {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What the terminal wrote since the last screen.
    output: String,
    texts: Vec<Value>,
    closed: Option<u16>,
}

impl Far {
    async fn try_open(client: &Client, session: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let url = format!("{}/api/terminal/socket/{session}", client.base().replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        let bearer = client.token().map(|token| ("authorization", format!("Bearer {token}")));
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        if let Some((name, value)) = bearer {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self { socket, output: String::new(), texts: Vec::new(), closed: None }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{session}: {error}"),
        }
    }

    async fn open(client: &Client, session: &str) -> Self {
        let far = Self::try_open(client, session, &[]).await;
        far.unwrap_or_else(|status| panic!("{session}: refused with {status}"))
    }

    /// Takes what comes until `done`.
    async fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let taking = async {
            while !done(self) {
                match self.socket.next().await {
                    Some(Ok(Message::Binary(bytes))) => self.output.push_str(&String::from_utf8_lossy(&bytes)),
                    Some(Ok(Message::Text(text))) => {
                        let text: Value = serde_json::from_str(&text).unwrap();
                        if text["type"] == "screen" {
                            self.output.clear();
                        }
                        self.texts.push(text);
                    }
                    Some(Ok(Message::Close(frame))) => self.closed = Some(frame.map_or(1005, |f| f.code.into())),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => {
                        self.closed = self.closed.or(Some(1006));
                        assert!(done(self), "{what}: the connection is gone; {:?} {:?}", self.texts, self.output);
                        return;
                    }
                }
            }
        };
        if tokio::time::timeout(PATIENCE, taking).await.is_err() {
            let end = self.output.len().saturating_sub(2_000);
            let tail = String::from_utf8_lossy(&self.output.as_bytes()[end..]).into_owned();
            panic!("{what}: never; {:?} {tail:?}", self.texts);
        }
    }

    async fn sees(&mut self, text: &str) {
        self.until(text, |far| far.output.contains(text)).await;
    }

    async fn says(&mut self, text: Value) {
        self.socket.send(Message::text(text.to_string())).await.unwrap();
    }

    async fn types(&mut self, text: &str) {
        self.socket.send(Message::binary(text.as_bytes().to_vec())).await.unwrap();
    }
}

async fn terminal(client: &Client, size: Value) -> String {
    client.post("/api/terminal/open", &size).await.expect(200).text("session_id").to_owned()
}

#[tokio::test]
async fn a_lost_connection_loses_nothing() {
    let gateway = Gateway::start(Options::default()).await;
    let client = gateway.user_of_role("op@example.com", "operator").await;
    let opened = client.post("/api/terminal/open", &json!({"rows": 30, "columns": 100})).await.expect(200);
    let session = opened.text("session_id").to_owned();
    assert_eq!(opened.text("url"), format!("/api/terminal/socket/{session}"));
    let mut far = Far::open(&client, &session).await;
    far.until("a screen first", |far| !far.texts.is_empty()).await;
    assert_eq!(far.texts[0], json!({"type": "screen", "rows": 30, "columns": 100, "writable": true}));
    far.types("stty size; export KEPT=still-$((40+2))\n").await;
    far.sees("30 100").await;
    far.says(json!({"type": "resize", "rows": 40, "columns": 132})).await;
    far.says(json!({"type": "input", "data": "stty size\n"})).await;
    far.sees("40 132").await;
    for bad in
        [json!({"type": "resize", "rows": 0, "columns": 132}), json!({"type": "resize", "rows": 40, "columns": 5000})]
    {
        let before = far.texts.len();
        far.says(bad).await;
        far.until("an error", |far| far.texts.len() > before).await;
        assert_eq!(far.texts[before]["type"], "error");
    }
    // more than fits on the screen
    far.types("seq 1 300\n").await;
    far.sees("\n300\r").await;
    drop(far);

    let listed = client.get("/api/terminal/list").await.expect(200);
    assert_eq!(
        (listed.int("count"), &listed.body["sessions"][0]["session_id"]),
        (1, &json!(session)),
        "{}",
        listed.body
    );
    assert_eq!(listed.body["sessions"][0]["rows"], 40);
    let mut again = Far::open(&client, &session).await;
    again.sees("300").await;
    assert_eq!(again.texts[0], json!({"type": "screen", "rows": 40, "columns": 132, "writable": true}));
    assert!(again.output.contains("\n7\r"), "what has gone by is remembered: {:?}", again.output);
    again.types("echo $KEPT\n").await;
    again.sees("still-42").await;
    // two at once see the same
    let mut other = Far::open(&client, &session).await;
    other.types("echo both-$((1+1))\n").await;
    again.sees("both-2").await;
    other.sees("both-2").await;
    other.types("exit 3\n").await;
    for far in [&mut again, &mut other] {
        far.until("its end", |far| far.closed.is_some()).await;
        assert_eq!(far.texts.last().unwrap(), &json!({"type": "ended", "return_code": 3}));
        assert_eq!(far.closed, Some(1000));
    }
}

#[tokio::test]
async fn others_look_only_when_they_may() {
    let gateway = Gateway::start(Options::default()).await;
    let owner = gateway.user_of_role("op@example.com", "operator").await;
    let other = gateway.user_of_role("other@example.com", "operator").await;
    let trader = gateway.client().register("trader@example.com").await;
    let session = terminal(&owner, json!({})).await;
    assert_eq!(Far::try_open(&gateway.client(), &session, &[]).await.err(), Some(401));
    assert_eq!(Far::try_open(&trader, &session, &[]).await.err(), Some(403));
    assert_eq!(Far::try_open(&other, &session, &[]).await.err(), Some(404), "nobody is told that there is one");
    assert_eq!(Far::try_open(&owner, "session-none", &[]).await.err(), Some(404));
    let foreign = [("origin", "http://evil.example")];
    assert_eq!(Far::try_open(&owner, &session, &foreign).await.err(), Some(403));
    assert_eq!(owner.get(&format!("/api/terminal/socket/{session}")).await.status, 426);
    other.post(&format!("/api/terminal/share/{session}"), &json!({"shared": true})).await.expect(404);
    other.post(&format!("/api/terminal/close/{session}"), &json!({})).await.expect(404);
    assert_eq!(other.get("/api/terminal/list").await.expect(200).int("count"), 0);

    owner.post(&format!("/api/terminal/share/{session}"), &json!({"shared": true})).await.expect(200);
    let (mut watcher, mut far) = (Far::open(&other, &session).await, Far::open(&owner, &session).await);
    watcher.until("a screen first", |far| !far.texts.is_empty()).await;
    assert_eq!(watcher.texts[0]["writable"], false);
    watcher.types("echo watcher-$((1+1))\n").await;
    watcher.says(json!({"type": "resize", "rows": 5, "columns": 5})).await;
    watcher.until("two refusals", |far| far.texts.len() >= 3).await;
    for refusal in &watcher.texts[1..] {
        assert_eq!(refusal["type"], "error", "{refusal}");
    }
    far.types("echo owner-$((1+1)); stty size\n").await;
    far.sees("24 80").await;
    watcher.sees("owner-2").await;
    assert!(!far.output.contains("watcher-2"), "{:?}", far.output);
    owner.post(&format!("/api/terminal/share/{session}"), &json!({"shared": false})).await.expect(200);
    far.types("echo more\n").await;
    watcher.until("its end", |far| far.closed.is_some()).await;
    far.types("echo mine-$((1+1))\n").await;
    far.sees("mine-2").await;
    // who logs out sees no more
    owner.post("/api/auth/logout", &json!({})).await.expect(200);
    far.until("its end", |far| far.closed.is_some()).await;
    assert_eq!(far.closed, Some(4401));
}

#[tokio::test]
async fn who_does_not_read_holds_nothing_up() {
    let gateway = Gateway::start(Options::default()).await;
    let client = gateway.user_of_role("op@example.com", "operator").await;
    let session = terminal(&client, json!({})).await;
    let memory = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().trim().to_owned();
        line.trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let mut slow = Far::open(&client, &session).await;
    let mut quick = Far::open(&client, &session).await;
    slow.until("a screen first", |far| !far.texts.is_empty()).await;
    let before = memory();
    slow.types("yes 0123456789012345678901234567890123456789\n").await;
    // far more than any buffer on the way to the slow one holds
    let mut bytes = 0;
    quick
        .until("much output", |far| {
            bytes = bytes.max(far.output.len());
            far.output.len() > 4_000_000 || far.texts.len() > 3
        })
        .await;
    client.get("/health").await.expect(200);
    assert!(memory() < before + 65_536, "from {before} kB to {} kB", memory());
    // it is shown the screen again in place of what it missed
    slow.until("a screen again", |far| far.texts.len() > 1).await;
    slow.types("\x03").await;
    slow.types("echo over-$((1+1))\n").await;
    slow.sees("over-2").await;
    quick.output.clear();
    quick.sees("over-2").await;
}

#[tokio::test]
async fn sessions_have_bounds() {
    let gateway = Gateway::start(Options::default().env("ORRERY_EXEC__IDLE_S", "5")).await;
    let client = gateway.user_of_role("op@example.com", "operator").await;
    let mut sessions = Vec::new();
    for _ in 0..20 {
        sessions.push(terminal(&client, json!({})).await);
    }
    let full = client.post("/api/terminal/open", &json!({})).await.expect(429);
    assert!(full.header("retry-after").is_some() && full.text("error").contains("20"), "{}", full.body);
    client.post("/api/execute/interactive", &json!({"command": "cat"})).await.expect(429);
    let other = gateway.user_of_role("other@example.com", "operator").await;
    terminal(&other, json!({})).await;
    client.post(&format!("/api/terminal/close/{}", sessions[0]), &json!({})).await.expect(200);
    let last = terminal(&client, json!({})).await;
    // nobody uses them
    let mut far = Far::open(&client, &last).await;
    far.until("its end", |far| far.closed.is_some()).await;
    assert_eq!(far.texts.last().unwrap()["type"], "ended");
    eventually("all have ended", PATIENCE, async || {
        let listed = client.get("/api/terminal/list").await.expect(200);
        let open = listed.body["sessions"].as_array().unwrap().iter().filter(|s| s["completed"] == false).count();
        if open == 0 { Ok(()) } else { Err(format!("{open} are open")) }
    })
    .await;
}
