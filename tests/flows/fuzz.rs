//! Damaged messages of every protocol to a running server: each is answered as documented or let pass, none ends
//! anything but its own connection. How a case is run again, its failure prints.

use std::time::Duration;

use e2e::socket::{Heard, Socket};
use e2e::{Client, Gateway};
use futures_util::{SinkExt, StreamExt};
use orrery_testkit::fuzz::{Case, cases, masked, websocket_streams};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

const PATIENCE: Duration = Duration::from_secs(30);
/// How long an answer is waited for that need not come.
const UNHEARD: Duration = Duration::from_millis(250);
/// What a server may have taken after all of it.
const GROWTH_KB_MAX: u64 = 200_000;

/// Looks at a frame that the server wrote.
type Check = fn(&Value);

/// Codes of the Aether document's error frames.
const CODES: [&str; 15] = [
    "bad_request",
    "invalid_json",
    "unknown_type",
    "message_too_large",
    "unauthorized",
    "token_expired",
    "forbidden",
    "channel_not_found",
    "channel_full",
    "connection_limit",
    "rate_limited",
    "slow_consumer",
    "unavailable",
    "shutdown",
    "internal",
];
/// May sockets be closed with this code (RFC 6455 §7.4)? A client's own, which is echoed, may be any of these.
fn is_close(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

async fn gateway() -> Gateway {
    let most = "1000000000";
    let options = super::webfix::roomy()
        .env("RATE_LIMIT_MESSAGES", most)
        .env("RATE_LIMIT_CONNECTIONS", "50000")
        .env("ORRERY_REALTIME__MESSAGES_PER_SECOND", "10000000")
        .env("ORRERY_LIMITS__BITTRADE_USER_MAX", most)
        .env("ORRERY_LIMITS__BITTRADE_ADDRESS_MAX", most);
    Gateway::start(options).await
}

fn memory_kb(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The server is as well as it was.
async fn unharmed(gateway: &Gateway, before: u64) {
    assert_eq!(gateway.client().get("/health").await.status, 200);
    let logs = gateway.logs();
    for word in ["panicked", "task failed", "\"internal\""] {
        assert!(!logs.contains(word), "{word}: {logs}");
    }
    let grown = memory_kb(gateway).saturating_sub(before);
    assert!(grown < GROWTH_KB_MAX, "{grown} kB more");
}

type Open = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A WebSocket whose client tells every frame apart.
async fn open(gateway: &Gateway, path: &str) -> Open {
    let url = format!("{}{path}", gateway.base().replacen("http", "ws", 1));
    let connecting = connect_async_with_config(url, None, true);
    tokio::time::timeout(PATIENCE, connecting).await.unwrap().unwrap().0
}

/// What is heard until `socket` answers a ping: by then the server has dealt with all that came before. `true`: it was
/// closed instead.
async fn heard(socket: &mut Open, number: u64, mut each: impl FnMut(Value)) -> bool {
    let mark = Bytes::copy_from_slice(&number.to_be_bytes());
    if socket.send(Message::Ping(mark.clone())).await.is_err() {
        return true;
    }
    loop {
        let next = tokio::time::timeout(PATIENCE, socket.next()).await;
        match next.unwrap_or_else(|_| panic!("case {number} was not answered")) {
            Some(Ok(Message::Text(text))) => {
                each(serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}")));
            }
            Some(Ok(Message::Pong(echo))) if echo == mark => return false,
            Some(Ok(Message::Close(why))) => {
                let code = u16::from(why.unwrap().code);
                assert!(is_close(code), "closed with {code}");
                return true;
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return true,
        }
    }
}

/// Sends damaged texts, one after another, on a socket that is opened again when it was closed.
async fn talk(gateway: &Gateway, path: &str, corpus: &[&str], check: fn(&Value)) {
    let corpus: Vec<_> = corpus.iter().map(|text| text.as_bytes().to_vec()).collect();
    let mut socket = open(gateway, path).await;
    let mut said = 0;
    for number in 0..cases(2_000) {
        let mut case = Case::new(number);
        // an error is seen as the end of the socket
        let _ = socket.send(Message::text(case.mutant_text(&corpus))).await;
        let closed = heard(&mut socket, number, |value| {
            check(&value);
            said += 1;
        })
        .await;
        if closed {
            socket = open(gateway, path).await;
        }
    }
    assert!(said > 0, "nothing was said");
}

fn aether(value: &Value) {
    match value["type"].as_str() {
        Some("error") => {
            let code = value["code"].as_str().unwrap_or_default();
            assert!(CODES.contains(&code) && code != "internal", "{value}");
            assert!(value["message"].is_string() && value["details"]["reason"].is_string(), "{value}");
        }
        Some("connection" | "message" | "system") => assert!(value["action"].is_string(), "{value}"),
        Some("pong") => {}
        _ => panic!("no frame of the document: {value}"),
    }
}

fn session_frame(value: &Value) {
    assert!(value["channel"].is_string() && value["value"].is_object(), "no frame of the document: {value}");
}

fn aether_path(user: &Client) -> String {
    format!("/ws?token={}&channel=main", user.token().unwrap())
}

const AETHER: [&str; 8] = [
    r#"{"type":"message","action":"send","data":{"content":"grüße","channel":"main","metadata":{"sequence":7,"timestamp":"2026-01-01T00:00:00Z"}}}"#,
    r#"{"type":"message","action":"retry","data":{"content":{"a":[1,2.5,null,"x"]},"metadata":{"sequence":8,"key":"k"}}}"#,
    r#"{"type":"connection","action":"connect","data":{"channel":"other","since":3,"epoch":"e"}}"#,
    r#"{"type":"connection","action":"disconnect","data":{"channel":"other"}}"#,
    r#"{"type":"connection","action":"refresh","data":{"token":"a.b.c"}}"#,
    r#"{"type":"system","action":"broadcast","data":{"message":"m","severity":"info","channel":"main"}}"#,
    r#"{"type":"system","action":"status"}"#,
    r#"{"type":"ping"}"#,
];
const SESSION: [&str; 6] = [
    r#"{"method":"subscribe","channel":"runtime"}"#,
    r#"{"method":"subscribe","channel":"sonar"}"#,
    r#"{"method":"subscribe","channel":"testnet.runtime"}"#,
    r#"{"method":"subscribe","channel":"testnet.runtime.book.BTC/USDT.okx.spot"}"#,
    r#"{"method":"subscribe","channel":"worker.log.abc"}"#,
    r#"{"method":"unsubscribe","channel":"testnet.events","more":[1,{"a":null}]}"#,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_frames_of_channels_are_answered() {
    let gateway = gateway().await;
    let user = gateway.client().register("ann@example.com").await;
    let before = memory_kb(&gateway);
    talk(&gateway, &aether_path(&user), &AETHER, aether).await;
    unharmed(&gateway, before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_messages_of_session_sockets_are_let_pass() {
    let gateway = gateway().await;
    let before = memory_kb(&gateway);
    talk(&gateway, "/", &SESSION, session_frame).await;
    unharmed(&gateway, before).await;
}

/// Writes `bytes` after a handshake, then nothing more, and gives what the server wrote until its end.
async fn exchange(gateway: &Gateway, path: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(gateway.host()).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        gateway.host()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    let ended = async {
        while !read.windows(4).any(|w| w == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "no handshake");
        }
        // a server that has closed already resets what it is still sent
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        while !matches!(stream.read_buf(&mut read).await, Ok(0) | Err(_)) {}
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap();
    let head = read.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    assert!(read.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&read));
    read.split_off(head)
}

/// The close codes among whole frames of a server, whose texts `check` sees.
fn closes(bytes: &[u8], check: fn(&Value)) -> Vec<u16> {
    let (mut rest, mut found) = (bytes, Vec::new());
    while let [first, short, more @ ..] = rest {
        let (len, more) = match (short, more) {
            (126, [a, b, more @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), more),
            (127, more) if more.len() >= 8 => (u64::from_be_bytes(more[..8].try_into().unwrap()) as usize, &more[8..]),
            (126 | 127, _) => break,
            (n, more) => (usize::from(*n), more),
        };
        // the last may be cut off by a reset
        let Some(payload) = more.get(..len) else { break };
        match first & 0x0f {
            1 => check(&serde_json::from_slice(payload).unwrap()),
            8 => found.push(payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]))),
            _ => {}
        }
        rest = &more[len..];
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_websocket_frames_end_their_own_connection() {
    let gateway = gateway().await;
    let user = gateway.client().register("ann@example.com").await;
    let before = memory_kb(&gateway);
    let sockets: [(String, Vec<Vec<u8>>, Check); 2] = [
        (aether_path(&user), websocket_streams(&AETHER), aether),
        ("/".into(), websocket_streams(&SESSION), session_frame),
    ];
    for (path, corpus, check) in &sockets {
        let mut seen = Vec::new();
        for number in 0..cases(250) {
            let mut case = Case::new(number);
            let answer = exchange(&gateway, path, &case.mutant(corpus)).await;
            let codes = closes(&answer, *check);
            assert!(codes.len() <= 1 && codes.iter().all(|code| is_close(*code)), "{codes:?}");
            seen.extend(codes);
        }
        assert!(seen.contains(&1002), "no case broke the protocol: {seen:?}");
    }
    unharmed(&gateway, before).await;
}

/// What follows Engine.IO's and Socket.IO's types in a server's text.
fn packet(text: &str) -> Option<Value> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = &text[digits..];
    let namespace = rest.starts_with('/').then(|| rest.find(",{")).flatten().map_or(0, |comma| comma + 1);
    let json = &rest[namespace..];
    (digits > 0 && !json.is_empty()).then(|| serde_json::from_str(json).unwrap_or_else(|e| panic!("{text}: {e}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_packets_of_socketio_end_their_own_socket() {
    let gateway = gateway().await;
    let user = gateway.client().register("ann@example.com").await;
    let before = memory_kb(&gateway);
    let texts = [
        r#"42["subscribe",{"topics":["system_status","notifications"]}]"#.to_owned(),
        r#"42["unsubscribe",{"topics":"system_status"}]"#.to_owned(),
        r#"42["ping",{"echo":{"a":[1,2,null]}}]"#.to_owned(),
        format!(r#"42["authenticate","{}"]"#, user.token().unwrap()),
        r#"421["ping",{}]"#.to_owned(),
        r#"451-["subscribe",{"topics":{"_placeholder":true,"num":0}}]"#.to_owned(),
        "40/custom,{}".to_owned(),
        "3".to_owned(),
    ];
    let corpus: Vec<_> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    let (mut answered, mut errors) = (0, 0);
    for number in 0..cases(500) {
        let mut case = Case::new(number);
        let damaged = case.mutant_text(&corpus);
        let stream = [
            masked(0x81, damaged.as_bytes()),
            masked(0x81, format!(r#"42["ping",{{"echo":{{"case":{number}}}}}]"#).as_bytes()),
        ]
        .concat();
        let mut socket = open(&gateway, "/socket.io/?EIO=4&transport=websocket").await;
        socket.send(Message::text("40")).await.unwrap();
        // what is said before that is not heard by the library
        while !matches!(socket.next().await, Some(Ok(Message::Text(text))) if text.starts_with("40")) {}
        let MaybeTlsStream::Plain(raw) = socket.get_mut() else { panic!("no TLS here") };
        let _ = raw.write_all(&stream).await;
        // until it is answered, or closed; a packet may leave its socket without an ear, but never without an end
        let ended = async {
            while let Some(Ok(message)) = socket.next().await {
                let Message::Text(text) = message else { continue };
                let Some(content) = packet(&text) else { continue };
                errors += usize::from(content[0] == "error" || content[0] == "authentication_error");
                if content[0] == "pong" && content[1]["echo"]["case"] == number {
                    answered += 1;
                    return;
                }
            }
        };
        // what is left without an ear cannot be told from what is slow
        let _ = tokio::time::timeout(UNHEARD, ended).await;
    }
    assert!(answered > 100 && errors > 10, "{answered} were answered, {errors} of them with an error");
    let mut good = Socket::open(gateway.base(), "/ws?channel=topic/notifications").await;
    assert!(matches!(good.next().await, Heard::Json(_)), "other sockets go on");
    unharmed(&gateway, before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_webfix_bodies_are_answered() {
    let gateway = gateway().await;
    let call = |method: &str, params: Value, body: Value| {
        json!({"webfix": "1.0", "method": method, "params": params, "body": body}).to_string().into_bytes()
    };
    let transaction = json!({"from": "g1", "to": "g2", "amount": 1.5, "fee": 0.0001, "timestamp": 1_700_000_000_000_i64,
        "type": "transfer", "raw": {"operations": [{"type": "transfer", "amount": 1, "conditions": [{"a": 1}]}]},
        "signatures": [{"publicKey": "04ab", "signature": "3045", "address": "g1"}], "hash": "00", "prev_hash": null});
    let corpus = [
        call("connectionNode", json!([]), transaction.clone()),
        call("submitAssetTransaction", json!(["x"]), json!({"transaction": transaction})),
        call(
            "setAccount",
            json!([]),
            json!({"account": {"exchange": "okx", "nid": "a", "apiKey": "k", "secret": "s"}}),
        ),
        call("setWorker", json!([]), json!({"worker": {"sid": "s", "script": "export default 1;", "active": true}})),
        call("getAssetBalances", json!(["testnet"]), json!({"address": "g1"})),
        call("getAssetTransactions", json!([]), json!({"limit": 10, "skip": 0, "address": "g1"})),
        call("assetList", json!(null), json!(null)),
        call("getWorkerHistory", json!([]), json!({"sid": "a", "limit": 5})),
    ];
    let before = memory_kb(&gateway);
    let client = gateway.client();
    let mut good = 0;
    for number in 0..cases(1_000) {
        let mut case = Case::new(number);
        let body = case.mutant(&corpus);
        let answer = client.send("POST", "/", &[("content-type", "application/json")], Some(body)).await;
        assert!(matches!(answer.status, 200 | 400..=499), "{}: {}", answer.status, answer.body);
        assert!(!answer.body.is_null(), "{}: no JSON", answer.status);
        good += u32::from(answer.status == 200);
    }
    assert!(good > 0, "every case was refused");
    unharmed(&gateway, before).await;
}
