//! Every route against every kind of bad input: a 4xx in the documented shape, and nothing changed.

use e2e::client::PASSWORD;
use e2e::{Client, Gateway, Options, documented_routes};
use serde_json::{Value, json};

/// A body that the route would take, and its fields that must be there. A route with a body that isn't
/// listed here is a failure.
fn good_body(method: &str, path: &str) -> Option<(Value, &'static [&'static str])> {
    Some(match (method, path) {
        ("POST", "/api/auth/register") => {
            (json!({"email": "new@example.com", "name": "New", "password": PASSWORD}), &["email", "name", "password"])
        }
        ("POST", "/api/auth/login") => {
            (json!({"email": "new@example.com", "password": PASSWORD}), &["email", "password"])
        }
        ("POST", "/api/setup") => (
            json!({"token": "x".repeat(43), "email": "new@example.com", "name": "New", "password": PASSWORD}),
            &["token", "email", "name", "password"],
        ),
        ("POST", "/api/trade") => (
            json!({"action": "buy", "type": "market", "amount": "10", "currency": "inr"}),
            &["action", "type", "amount", "currency"],
        ),
        ("PUT", "/api/user/profile/name") => {
            (json!({"name": "Other Name", "currentPassword": PASSWORD}), &["name", "currentPassword"])
        }
        ("PUT", "/api/user/profile/email") => {
            (json!({"email": "other@example.com", "currentPassword": PASSWORD}), &["email", "currentPassword"])
        }
        ("PUT", "/api/user/profile/password") => (
            json!({"currentPassword": PASSWORD, "newPassword": "other-Passw0rd-31"}),
            &["currentPassword", "newPassword"],
        ),
        ("POST", "/api/user/api-keys") => (json!({"name": "bot", "scopes": ["read"], "expires_in_days": 1}), &["name"]),
        ("POST", "/api/orders") => (
            json!({"type": "LIMIT_BUY", "inr_amount": 100, "btc_amount": 2_500, "execution_price": 4_000_000}),
            &["type", "execution_price"],
        ),
        ("POST", "/api/send-transaction") => (
            json!({"recipientEmail": "root@example.com", "amount": 1, "currency": "inr"}),
            &["recipientEmail", "amount", "currency"],
        ),
        ("POST", "/api/withdrawals") => (json!({"amount": "1", "currency": "inr"}), &["amount", "currency"]),
        ("POST", "/api/dca-plans") => (
            json!({"plan_type": "DCA_BUY", "frequency": "DAILY", "amount_per_execution_inr": 10,
                "remaining_executions": 3, "min_price": 1, "max_price": 9_000_000}),
            &["plan_type", "frequency", "amount_per_execution_inr"],
        ),
        ("PATCH", "/api/dca-plans/{id}/status") => (json!({"status": "PAUSED"}), &["status"]),
        ("POST", path) if path.starts_with("/api/user/loan/") && path.ends_with("-collateral") => {
            (json!({"collateralAmount": 1}), &["collateralAmount"])
        }
        ("POST", path) if path.starts_with("/api/user/loan/") || path.starts_with("/api/admin/") => {
            (json!({"amount": 1}), &["amount"])
        }
        ("PUT", "/api/admin/users/{id}/password") => (json!({"password": PASSWORD}), &["password"]),
        ("PUT", "/api/admin/users/{id}/role") => (json!({"role": "viewer"}), &["role"]),
        ("POST", "/ws/channels") => (json!({"name": "room"}), &["name"]),
        ("POST", "/ws/broadcast") => (json!({"message": "hello"}), &["message"]),
        ("PUT", "/api/admin/settings") => (json!({"settings": {"buy_multiplier": 92}}), &["settings"]),
        _ => return None,
    })
}

/// Values that no field takes, whatever it means. Texts are JSON, so that what `serde_json` cannot hold goes too.
const BAD_VALUES: [&str; 17] = [
    "{}",
    "[]",
    "[[]]",
    "true",
    "-1",
    "0",
    "-0.5",
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "123456789012345678901234567890",
    "{\"$gt\":\"\"}",
];

/// Bodies that are no body for any route.
fn bad_bodies() -> Vec<(&'static str, Vec<u8>)> {
    let mut deep = vec![b'['; 20_000];
    deep.extend(vec![b']'; 20_000]);
    let mut deep_objects: Vec<u8> = b"{\"a\":".repeat(5_000);
    deep_objects.extend(b"1".iter().chain(&vec![b'}'; 5_000]));
    vec![
        ("nothing", vec![]),
        ("white space", b" \n ".to_vec()),
        ("an empty object", b"{}".to_vec()),
        ("a list", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("a text", b"\"text\"".to_vec()),
        ("a number", b"42".to_vec()),
        ("half an object", b"{\"email\":\"a@b.co\"".to_vec()),
        ("two objects", b"{}{}".to_vec()),
        ("a trailing comma", b"{\"email\":\"a@b.co\",}".to_vec()),
        ("single quotes", b"{'email':'a@b.co'}".to_vec()),
        ("a form", b"email=a%40b.co&password=x".to_vec()),
        ("XML", b"<?xml version=\"1.0\"?><a/>".to_vec()),
        ("not UTF-8", b"{\"email\":\"\xff\xfe\",\"password\":\"\xc3\x28\"}".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("zero bytes", vec![0; 64]),
        ("deep lists", deep),
        ("deep objects", deep_objects),
    ]
}

#[track_caller]
fn is_refusal(what: &str, answer: &e2e::Answer) {
    assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.body);
    assert!(!answer.error().is_empty(), "{what}");
    assert!(answer.header("x-request-id").is_some(), "{what} has no request id");
    assert!(answer.header("content-type").is_some_and(|t| t.starts_with("application/json")), "{what}");
    let text = answer.error();
    for inside in ["panicked", "src/", ".rs:", "sqlx", "SQLITE", "thread '", "/tmp/"] {
        assert!(!text.contains(inside), "{what} tells of the inside: {text}");
    }
}

/// The routes of the Localhost document have an envelope of their own and take any JSON as a document's value.
fn of_localhost(path: &str) -> bool {
    let parts = ["csrf", "data", "execute", "files", "programs", "programs-terminal", "terminal", "tunnels", "v1"];
    let parts = [&parts[..], &["ngrok", "localtunnel", "cloudflared", "mobile"]].concat();
    let first = path.strip_prefix("/api/").and_then(|rest| rest.split('/').next());
    first.is_some_and(|first| parts.contains(&first))
}

/// What must stay as it is.
async fn state(gateway: &Gateway, clients: &[&Client]) -> (String, Vec<String>, String, Vec<(i64, i64)>) {
    let (entries, head) = gateway.journal();
    let mut funds = Vec::new();
    for client in clients {
        funds.push(client.funds().await);
    }
    (gateway.cli(&["user", "list"]), entries, head, funds)
}

struct Desk {
    gateway: Gateway,
    _upstream: e2e::Upstream,
    user: Client,
    admin: Client,
}

async fn desk() -> Desk {
    let upstream = e2e::Upstream::start(45_000.0);
    // guesses at passwords are throttled elsewhere; here each must be judged
    let options = Options::default().upstream(&upstream).env("ORRERY_AUTH__ACCOUNT_FAILURES", "1000");
    let gateway = Gateway::start(options).await;
    gateway.priced().await;
    let user = gateway.funded("ann@example.com", "1000", 1_000).await;
    let admin = gateway.user_of_role("root@example.com", "admin").await;
    Desk { gateway, _upstream: upstream, user, admin }
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

#[tokio::test]
async fn bodies() {
    let Desk { gateway, user, admin, .. } = &desk().await;
    let before = state(gateway, &[user, admin]).await;
    let mut seen = 0;
    for (method, path, takes_body) in documented_routes(&gateway.cli(&["openapi"])) {
        if !takes_body || of_localhost(&path) {
            continue;
        }
        let (good, required) = good_body(&method, &path)
            .unwrap_or_else(|| panic!("say in tests/flows/badinput.rs what {method} {path} takes"));
        let caller = if path.starts_with("/api/admin") || path.starts_with("/ws/") { admin } else { user };
        let mut bad: Vec<(String, Vec<u8>)> =
            bad_bodies().into_iter().map(|(what, body)| (what.to_owned(), body)).collect();
        for field in required {
            let mut body = good.clone();
            body.as_object_mut().unwrap().remove(*field);
            bad.push((format!("no {field}"), body.to_string().into_bytes()));
            body[*field] = Value::Null;
            bad.push((format!("{field} null"), body.to_string().into_bytes()));
        }
        for field in good.as_object().unwrap().keys() {
            let texts = required.contains(&field.as_str());
            for value in BAD_VALUES {
                let number = value.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
                // what is optional may be empty, what is a number may be one
                if (!texts && value == "[]") || (field.as_str() == "expires_in_days" && number && value == "1") {
                    continue;
                }
                let mut body = good.clone();
                body[field] = json!("@@");
                let body = body.to_string().replace("\"@@\"", value);
                bad.push((format!("{field} {value}"), body.into_bytes()));
            }
            let mut long = good.clone();
            long[field] = json!("x".repeat(500_000));
            bad.push((format!("{field} of 500,000 characters"), long.to_string().into_bytes()));
        }
        for (what, body) in bad {
            let what = format!("{method} {path} with {what}");
            let answer = caller.send(&method, &path, &JSON, Some(body)).await;
            is_refusal(&what, &answer);
            seen += 1;
        }
        // over a megabyte, told in advance or found out on the way
        let huge = vec![b' '; 1_048_577];
        let answer = caller.send(&method, &path, &JSON, Some(huge)).await;
        assert_eq!(answer.status, 413, "{method} {path}: {}", answer.body);
        answer.error();
        // another kind of content
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "nonsense"] {
            let answer = caller.send(&method, &path, &[("content-type", kind)], Some(b"a=b".to_vec())).await;
            is_refusal(&format!("{method} {path} as {kind}"), &answer);
        }
    }
    assert!(seen > 500, "{seen} bad bodies: the table is broken");
    gateway.client().get("/health").await.expect(200);
    assert_eq!(state(gateway, &[user, admin]).await, before);
    // the same user is still well
    user.trade("buy", "10", "inr", None).await.expect(200);
    gateway.client().login("ann@example.com").await;
    gateway.cli(&["ledger", "verify"]);
    assert!(!gateway.output().contains("panicked"));
}

#[tokio::test]
async fn bodies_of_the_host() {
    let Desk { gateway, user, admin, .. } = &desk().await;
    let before = state(gateway, &[user, admin]).await;
    let mut seen = 0;
    for (method, path, takes_body) in documented_routes(&gateway.cli(&["openapi"])) {
        if !takes_body || !of_localhost(&path) {
            continue;
        }
        // a terminal or a tunnel needs no field to be opened: an empty object will do, and one whose only field it does
        // not know; a tunnel needs no body either
        let tunnel = ["/ngrok/start", "/localtunnel/start", "/cloudflared/start"].iter().any(|end| path.ends_with(end));
        let enough = |what: &str| {
            (tunnel || path.ends_with("/terminal/open")) && ["an empty object", "deep objects"].contains(&what)
                || tunnel && what == "nothing"
        };
        for (what, body) in bad_bodies().into_iter().filter(|(what, _)| !enough(what)) {
            let answer = admin.send(&method, &path, &JSON, Some(body)).await;
            assert!(
                (400..500).contains(&answer.status),
                "{method} {path} with {what}: {} {}",
                answer.status,
                answer.body
            );
            let body = &answer.body;
            let whole = body["success"] == false && body["error"].is_string() && body["error_id"].is_string();
            assert!(whole, "{method} {path} with {what}: {body}");
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} bad bodies: the table is broken");
    assert_eq!(state(gateway, &[user, admin]).await, before);
    assert!(!gateway.output().contains("panicked"));
}

#[tokio::test]
async fn addresses_and_queries() {
    let Desk { gateway, user, admin, .. } = &desk().await;
    let before = state(gateway, &[user, admin]).await;
    let long = "9".repeat(3_000);
    let bad = [
        "abc",
        "-1",
        "0",
        "1.5",
        "1e3",
        "0x10",
        "99999999999999999999",
        "%00",
        "%ff%fe",
        "..",
        "%2e%2e%2f",
        "%20",
        "1;DROP",
        "'%20OR%201=1",
        "NaN",
        &long,
    ];
    let mut seen = 0;
    for (method, path, _) in documented_routes(&gateway.cli(&["openapi"])) {
        let caller = if path.starts_with("/api/admin") { admin } else { user };
        if path.contains('{') && !of_localhost(&path) {
            for value in bad {
                let at = path.find('{').unwrap();
                let end = path.find('}').unwrap();
                let address = format!("{}{value}{}", &path[..at], &path[end + 1..]);
                let answer = caller.send(&method, &address, &JSON, None).await;
                is_refusal(&format!("{method} {address}"), &answer);
                seen += 1;
            }
        }
        if ["/api/transactions", "/api/bitcoin/history"].contains(&path.as_str()) {
            for value in bad {
                let answer = caller.get(&format!("{path}?limit={value}")).await;
                is_refusal(&format!("{path}?limit={value}"), &answer);
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen}");
    // a target, a header and a list of headers beyond their bounds
    let target = format!("/api/market-rates?{}", "a".repeat(20_000));
    is_refusal("a long target", &user.get(&target).await);
    let value = "v".repeat(60_000);
    let answer = user.try_send("GET", "/api/balance", &[("x-long", &value)], None).await;
    assert!(answer.is_err() || answer.is_ok_and(|a| (400..500).contains(&a.status)), "a long header");
    let many: Vec<(String, String)> = (0..400).map(|n| (format!("x-many-{n}"), "v".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let answer = user.try_send("GET", "/api/balance", &many, None).await;
    assert!(answer.is_err() || answer.is_ok_and(|a| (400..500).contains(&a.status)), "many headers");
    gateway.client().get("/health").await.expect(200);
    assert_eq!(state(gateway, &[user, admin]).await, before);
}

#[tokio::test]
async fn what_is_no_http() {
    use std::io::{Read, Write};
    let Desk { gateway, user, admin, .. } = &desk().await;
    let before = state(gateway, &[user, admin]).await;
    let host = gateway.host();
    let requests: Vec<Vec<u8>> = vec![
        b"\x16\x03\x01\x02\x00\x01\x00".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"\r\n\r\n\r\n".to_vec(),
        vec![0; 100],
        format!("GET /api/balance HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n").into_bytes(),
        format!("POST /api/auth/login HTTP/1.1\r\nHost: {host}\r\nContent-Length: -5\r\n\r\n").into_bytes(),
        format!("POST /api/auth/login HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef").into_bytes(),
        format!("POST /api/auth/login HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nZZ\r\n").into_bytes(),
        format!("GET /\x01 HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes(),
        format!("GET /api/balance HTTP/1.1\r\nHost: {host}\r\nX-A: \x00\r\n\r\n").into_bytes(),
        b"GET /api/balance HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec(),
    ];
    for request in requests {
        let mut stream = std::net::TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        stream.write_all(&request).unwrap();
        // the server may have closed already
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let shown = String::from_utf8_lossy(&request).into_owned();
        assert!(
            text.is_empty() || text.starts_with("HTTP/1.1 4") || text.starts_with("HTTP/1.0 4"),
            "{shown:?}: {text}"
        );
    }
    gateway.client().get("/health").await.expect(200);
    assert_eq!(state(gateway, &[user, admin]).await, before);
}
