//! Every route and who may use it. A route that the program documents and this table lacks is a failure.

use std::collections::BTreeSet;

use e2e::{Client, Gateway, Options, documented_routes};
use serde_json::{Value, json};

/// Who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Least {
    Anybody,
    Viewer,
    Trader,
    Operator,
    Admin,
}
use Least::{Admin, Anybody, Operator, Trader, Viewer};

/// A call, who may make it, and the status it gives them; its body is JSON.
struct Route {
    method: &'static str,
    path: &'static str,
    least: Least,
    /// When the role suffices: as far as the handler.
    status: u16,
    body: &'static str,
}

const fn route(method: &'static str, path: &'static str, least: Least, status: u16, body: &'static str) -> Route {
    Route { method, path, least, status, body }
}

const ROUTES: [Route; 73] = [
    route("POST", "/api/auth/register", Anybody, 400, "{}"),
    route("POST", "/api/auth/login", Anybody, 400, "{}"),
    route("POST", "/api/setup", Anybody, 0, "{}"),
    route("GET", "/api/auth/verify", Viewer, 200, ""),
    route("POST", "/api/auth/logout", Viewer, 200, ""),
    route("GET", "/api/market-rates", Anybody, 200, ""),
    route("GET", "/api/bitcoin/current", Anybody, 200, ""),
    route("GET", "/api/bitcoin/chart/{timeframe}", Anybody, 200, ""),
    route("GET", "/api/bitcoin/sentiment", Anybody, 200, ""),
    route("GET", "/api/bitcoin/history", Anybody, 200, ""),
    route("GET", "/api/balance", Viewer, 200, ""),
    route("GET", "/api/transactions", Viewer, 200, ""),
    route("POST", "/api/trade", Trader, 200, r#"{"action":"buy","type":"market","amount":"10","currency":"inr"}"#),
    route("GET", "/api/user/profile", Viewer, 200, ""),
    route("PUT", "/api/user/profile/name", Viewer, 400, "{}"),
    route("PUT", "/api/user/profile/email", Viewer, 400, "{}"),
    route("PUT", "/api/user/profile/password", Viewer, 400, "{}"),
    route("GET", "/api/user/api-keys", Viewer, 200, ""),
    route("POST", "/api/user/api-keys", Viewer, 400, "{}"),
    route("DELETE", "/api/user/api-keys/{id}", Viewer, 404, ""),
    route("GET", "/api/admin/reconcile", Operator, 200, ""),
    route("POST", "/api/admin/transactions/{id}/reverse", Admin, 404, ""),
    route("GET", "/api/transactions/export", Viewer, 200, ""),
    route("POST", "/api/orders", Trader, 201, r#"{"type":"LIMIT_BUY","inr_amount":10,"execution_price":8000000}"#),
    route("DELETE", "/api/transactions/{id}/cancel", Trader, 404, ""),
    route(
        "POST",
        "/api/send-transaction",
        Trader,
        200,
        r#"{"recipientEmail":"viewer@example.com","amount":1,"currency":"inr"}"#,
    ),
    route("POST", "/api/withdrawals", Trader, 201, r#"{"amount":"1","currency":"inr"}"#),
    route("GET", "/api/dca-plans", Viewer, 200, ""),
    route(
        "POST",
        "/api/dca-plans",
        Trader,
        201,
        r#"{"plan_type":"DCA_BUY","frequency":"DAILY","amount_per_execution_inr":10}"#,
    ),
    route("PATCH", "/api/dca-plans/{id}/status", Trader, 404, r#"{"status":"ACTIVE"}"#),
    route("DELETE", "/api/dca-plans/{id}", Trader, 404, ""),
    route("POST", "/api/admin/treasury/fund", Admin, 200, r#"{"amount":"10"}"#),
    route("POST", "/api/user/loan/deposit-collateral", Trader, 200, r#"{"collateralAmount":10}"#),
    route("POST", "/api/user/loan/add-collateral", Trader, 200, r#"{"collateralAmount":0.0000001}"#),
    route("POST", "/api/user/loan/borrow", Trader, 200, r#"{"amount":"0.5"}"#),
    route("POST", "/api/user/loan/repay", Trader, 200, r#"{"amount":"0.1"}"#),
    route("POST", "/api/user/loan/release-collateral", Trader, 200, r#"{"collateralAmount":0.00000001}"#),
    route("POST", "/api/user/loan/partial-liquidation", Trader, 400, ""),
    route("POST", "/api/user/loan/full-liquidation", Trader, 400, ""),
    route("GET", "/api/user/loan/status", Viewer, 0, ""),
    route("GET", "/api/user/loan/history", Viewer, 200, ""),
    route("GET", "/api/user/loan/liquidation-risk", Operator, 200, ""),
    route("GET", "/api/admin/users", Admin, 200, ""),
    route("DELETE", "/api/admin/users/{id}", Admin, 404, ""),
    route("PUT", "/api/admin/users/{id}/password", Admin, 404, r#"{"password":"a-decent-Passw0rd-9"}"#),
    route("PUT", "/api/admin/users/{id}/role", Admin, 404, r#"{"role":"viewer"}"#),
    route("POST", "/api/admin/users/{id}/deposit-cash", Admin, 404, r#"{"amount":1}"#),
    route("POST", "/api/admin/users/{id}/deposit-bitcoin", Admin, 404, r#"{"amount":1}"#),
    route("POST", "/api/admin/users/{id}/withdraw-cash", Admin, 404, r#"{"amount":1}"#),
    route("POST", "/api/admin/users/{id}/withdraw-bitcoin", Admin, 404, r#"{"amount":1}"#),
    route("POST", "/api/admin/users/{id}/loan/write-off", Admin, 404, ""),
    route("GET", "/api/admin/transactions", Admin, 200, ""),
    route("GET", "/api/admin/dca-plans", Admin, 200, ""),
    route("GET", "/api/admin/total-balance", Admin, 200, ""),
    route("GET", "/api/admin/metrics", Admin, 200, ""),
    route("GET", "/api/admin/settings", Admin, 200, ""),
    route("PUT", "/api/admin/settings", Admin, 200, r#"{"settings":{"buy_multiplier":91}}"#),
    route("GET", "/api/admin/treasury", Operator, 200, ""),
    route("GET", "/api/admin/withdrawals", Admin, 200, ""),
    route("POST", "/api/admin/withdrawals/{id}/pay", Admin, 404, "{}"),
    route("POST", "/api/admin/withdrawals/{id}/reject", Admin, 404, ""),
    route("GET", "/api/admin/audit", Operator, 200, ""),
    route("GET", "/ws/status", Anybody, 200, ""),
    route("GET", "/ws/channels", Viewer, 200, ""),
    route("GET", "/ws/channels/{name}", Viewer, 404, ""),
    route("POST", "/ws/channels", Admin, 201, r#"{"name":"room"}"#),
    route("DELETE", "/ws/channels/{name}", Admin, 404, ""),
    route("POST", "/ws/ticket", Viewer, 200, ""),
    route("POST", "/ws/broadcast", Admin, 200, r#"{"message":"hello"}"#),
    route("GET", "/metrics/connections", Viewer, 200, ""),
    route("GET", "/metrics/messages", Viewer, 200, ""),
    route("GET", "/metrics/channels", Viewer, 200, ""),
    route("GET", "/metrics/errors", Viewer, 200, ""),
];

/// The Localhost document's, without the version that each may have too.
const LOCALHOST: [Route; 53] = [
    route("GET", "/api/csrf", Anybody, 200, ""),
    route("GET", "/api/data", Viewer, 200, ""),
    route("POST", "/api/data", Trader, 200, r#"{"key":"a","value":1}"#),
    route("GET", "/api/data/{key}", Viewer, 404, ""),
    route("DELETE", "/api/data/{key}", Trader, 404, ""),
    route("POST", "/api/files/upload", Trader, 400, ""),
    route("GET", "/api/files/list", Viewer, 200, ""),
    route("GET", "/api/files/storage-info", Viewer, 200, ""),
    route("GET", "/api/files/storage", Viewer, 200, ""),
    route("DELETE", "/api/files/delete/{filename}", Trader, 404, ""),
    route("GET", "/api/files/download/{filename}", Viewer, 404, ""),
    route("POST", "/api/files/tus", Trader, 412, ""),
    route("POST", "/api/files/tus/{id}", Trader, 400, ""),
    route("PATCH", "/api/files/tus/{id}", Trader, 412, ""),
    route("DELETE", "/api/files/tus/{id}", Trader, 412, ""),
    route("POST", "/api/programs/upload", Trader, 400, ""),
    route("POST", "/api/programs/upload-zip", Trader, 400, ""),
    route("POST", "/api/programs/upload-multiple", Trader, 400, ""),
    route("GET", "/api/programs/list", Viewer, 200, ""),
    route("GET", "/api/programs/info/{id}", Viewer, 404, ""),
    route("GET", "/api/programs/project/{id}/files", Viewer, 404, ""),
    route("POST", "/api/programs/project/{id}/set-main", Trader, 404, r#"{"main_file":"a.py"}"#),
    route("DELETE", "/api/programs/delete/{id}", Trader, 404, ""),
    route("GET", "/api/programs/storage-info", Viewer, 200, ""),
    // what they answer depends on what this machine lets the runner do
    route("POST", "/api/execute", Operator, 0, r#"{"command":"true"}"#),
    route("POST", "/api/execute/interactive", Operator, 0, r#"{"session_id":"none","response":"x"}"#),
    route("POST", "/api/execute/send-input", Operator, 0, r#"{"session_id":"none","input":"x"}"#),
    route("POST", "/api/execute/terminate-session", Operator, 0, r#"{"session_id":"none"}"#),
    route("POST", "/api/programs/execute/{program_id}", Operator, 0, "{}"),
    route("POST", "/api/programs/execute-terminal/{project_id}", Operator, 0, r#"{"command":"true"}"#),
    route("POST", "/api/terminal/create", Operator, 0, "{}"),
    route("POST", "/api/terminal/execute/{session_id}", Operator, 0, r#"{"command":"true"}"#),
    route("POST", "/api/terminal/close/{session_id}", Operator, 0, ""),
    route("GET", "/api/terminal/list", Operator, 0, ""),
    route("POST", "/api/terminal/open", Operator, 0, "{}"),
    route("POST", "/api/terminal/share/{session_id}", Operator, 0, r#"{"shared":true}"#),
    route("GET", "/api/terminal/socket/{session_id}", Operator, 0, ""),
    route("POST", "/api/programs-terminal/init", Operator, 0, "{}"),
    route("POST", "/api/programs-terminal/execute", Operator, 0, r#"{"session_id":"none","command":"true"}"#),
    // no program of a tunnel is asked for: its answer depends on the machine
    route("POST", "/api/ngrok/start", Operator, 0, r#"{"subdomain":"my-app"}"#),
    route("POST", "/api/ngrok/stop", Operator, 200, ""),
    route("GET", "/api/ngrok/status", Operator, 200, ""),
    route("POST", "/api/localtunnel/start", Operator, 502, r#"{"subdomain":"my-app"}"#),
    route("POST", "/api/localtunnel/stop", Operator, 200, ""),
    route("GET", "/api/localtunnel/status", Operator, 200, ""),
    route("POST", "/api/cloudflared/start", Operator, 0, r#"{"subdomain":"my-app"}"#),
    route("POST", "/api/cloudflared/stop", Operator, 200, ""),
    route("GET", "/api/cloudflared/status", Operator, 200, ""),
    route("GET", "/api/tunnels/status", Operator, 200, ""),
    route("POST", "/api/tunnels/stop-all", Operator, 200, ""),
    route("POST", "/api/mobile/tunnel/start", Operator, 0, ""),
    route("POST", "/api/mobile/tunnel/stop", Operator, 200, ""),
    route("GET", "/api/mobile/tunnel/status", Operator, 200, ""),
];

/// Those that stand below the version alone.
const VERSIONED: [Route; 3] = [
    route("GET", "/api/v1/health", Anybody, 200, ""),
    route("GET", "/api/v1/dashboard", Viewer, 200, ""),
    route("POST", "/api/v1/backup", Operator, 200, ""),
];

/// All routes of that document.
fn localhost_routes() -> Vec<(String, &'static Route)> {
    let plain = LOCALHOST.iter().map(|route| (route.path.to_owned(), route));
    let twins = LOCALHOST.iter().map(|route| (route.path.replacen("/api/", "/api/v1/", 1), route));
    plain.chain(twins).chain(VERSIONED.iter().map(|route| (route.path.to_owned(), route))).collect()
}

/// A refusal in that document's shape.
#[track_caller]
fn is_failure(answer: &e2e::Answer, status: u16) {
    assert_eq!(answer.status, status, "{}: {}", answer.asked, answer.body);
    // what tus prescribes has no body
    if status != 412 {
        assert_eq!(answer.body["success"], false, "{}: {}", answer.asked, answer.body);
        for field in ["error", "error_id", "category", "request_id", "timestamp"] {
            assert!(answer.body[field].is_string(), "{}: {field} in {}", answer.asked, answer.body);
        }
        assert!(answer.body["suggestions"].as_array().is_some_and(|s| !s.is_empty()), "{}", answer.body);
    }
}

impl Route {
    /// Its address with something in place of its parameters.
    fn address(&self) -> String {
        self.path.replace("{timeframe}", "1d").replace("{id}", "999999").replace("{name}", "nobody-made-this")
    }

    fn is_of_channels(&self) -> bool {
        ["/ws/", "/metrics/"].iter().any(|prefix| self.path.starts_with(prefix))
    }

    async fn call(&self, client: &Client) -> e2e::Answer {
        let body = (!self.body.is_empty()).then(|| self.body.as_bytes().to_vec());
        client.send(self.method, &self.address(), &[("content-type", "application/json")], body).await
    }
}

#[tokio::test]
async fn every_route_is_listed_here() {
    let data = tempfile::tempdir().unwrap();
    let output = Options::default().run(data.path(), &["openapi"], "");
    let documented: BTreeSet<(String, String)> =
        documented_routes(&String::from_utf8_lossy(&output.stdout)).into_iter().map(|(m, p, _)| (m, p)).collect();
    let listed = ROUTES.iter().map(|r| (r.method.to_owned(), r.path.to_owned()));
    let local = localhost_routes().into_iter().map(|(path, r)| (r.method.to_owned(), path));
    let listed: BTreeSet<(String, String)> = listed.chain(local).collect();
    let missing: Vec<_> = documented.difference(&listed).collect();
    assert!(missing.is_empty(), "say in tests/flows/routes.rs who may use {missing:?}");
    let gone: Vec<_> = listed.difference(&documented).collect();
    assert!(gone.is_empty(), "documented no more: {gone:?}");
}

#[tokio::test]
async fn credentials_suffice_or_not() {
    let gateway = Gateway::start(Options::default().args(&["demo"])).await;
    let mut roles = Vec::new();
    for (least, role) in [(Viewer, "viewer"), (Trader, "trader"), (Operator, "operator"), (Admin, "admin")] {
        let email = format!("{role}@example.com");
        gateway.user_of_role(&email, role).await;
        roles.push((least, email));
    }
    gateway.cli(&["ledger", "deposit", "--email", "trader@example.com", "--inr", "1000"]);
    for email in ["operator@example.com", "admin@example.com"] {
        gateway.cli(&["ledger", "deposit", "--email", email, "--inr", "1000"]);
    }
    let anonymous = gateway.client();
    let expired = {
        let other = Gateway::start(Options::default()).await;
        other.client().register("viewer@example.com").await.token().unwrap().to_owned()
    };
    let mut sessions = Vec::new();
    for (role, email) in &roles {
        sessions.push((*role, gateway.client().login(email).await));
    }
    for route in &ROUTES {
        let name = format!("{} {}", route.method, route.path);
        let without = route.call(&anonymous).await;
        assert!(without.header("x-request-id").is_some(), "{name}");
        if route.least == Anybody {
            if route.status > 0 {
                assert_eq!(without.status, route.status, "{name}: {}", without.body);
            } else {
                assert!((400..500).contains(&without.status), "{name}: {}", without.body);
            }
            continue;
        }
        if route.is_of_channels() {
            refusals_of_channels(route, &anonymous, &expired, &sessions).await;
            continue;
        }
        let verify = route.path == "/api/auth/verify";
        assert_eq!(without.status, 401, "{name}: {}", without.body);
        assert_eq!(without.error(), if verify { "No token provided" } else { "Access token required" }, "{name}");
        for bad in ["nonsense", expired.as_str(), "ok_0123456789abcdef0123456789abcdef0123456789abcdef"] {
            let wrong = route.call(&anonymous.with_token(bad)).await;
            assert_eq!(wrong.status, if verify { 401 } else { 403 }, "{name}: {}", wrong.body);
            wrong.error();
        }
        for (role, email) in &roles {
            // a session of its own, since one of the routes ends it
            let client = gateway.client().login(email).await;
            let answer = route.call(&client).await;
            let expected = if *role >= route.least { route.status } else { 403 };
            if expected == 0 {
                // whether there is one to be seen depends on who asks
                assert!([200, 404].contains(&answer.status), "{name} as {role:?}: {}", answer.body);
                continue;
            }
            assert_eq!(answer.status, expected, "{name} as {role:?}: {}", answer.body);
            if expected >= 400 {
                answer.error();
            }
        }
    }
}

#[tokio::test]
async fn credentials_of_the_localhost_document() {
    // no program of a tunnel is to be found, whatever this machine has
    let gateway = Gateway::start(Options::default().env("ORRERY_EXEC__PATH", "/nonexistent")).await;
    let expired = {
        let other = Gateway::start(Options::default()).await;
        other.client().register("viewer@example.com").await.token().unwrap().to_owned()
    };
    let mut sessions = Vec::new();
    for (least, role) in [(Viewer, "viewer"), (Trader, "trader"), (Operator, "operator"), (Admin, "admin")] {
        let email = format!("{role}@example.com");
        gateway.user_of_role(&email, role).await;
        sessions.push((least, gateway.client().login(&email).await));
    }
    let anonymous = gateway.client();
    for (path, route) in localhost_routes() {
        if path.contains("/socket/") {
            // asked as nothing but a socket; its own flows say who may
            continue;
        }
        let parts = ["{key}", "{filename}", "{id}", "{program_id}", "{project_id}", "{session_id}"];
        let address = parts.iter().fold(path, |path, part| path.replace(part, "nothing"));
        let call = async |client: &Client, headers: &[(&str, &str)]| {
            let headers = [&[("content-type", "application/json")], headers].concat();
            let body = (!route.body.is_empty()).then(|| route.body.as_bytes().to_vec());
            client.send(route.method, &address, &headers, body).await
        };
        if route.least == Anybody {
            let answer = call(&anonymous, &[]).await.expect(route.status);
            assert_eq!(answer.body["success"], true, "{address}");
            continue;
        }
        is_failure(&call(&anonymous, &[]).await, 401);
        for bad in ["nonsense", expired.as_str(), "ok_0123456789abcdef0123456789abcdef0123456789abcdef"] {
            is_failure(&call(&anonymous.with_token(bad), &[]).await, 401);
            is_failure(&call(&anonymous, &[("x-session-id", bad)]).await, 401);
            is_failure(&call(&anonymous, &[("cookie", &format!("session_id={bad}"))]).await, 401);
        }
        for (role, client) in &sessions {
            let status = if *role >= route.least { route.status } else { 403 };
            let answer = call(client, &[]).await;
            if status == 0 {
                assert!(![401, 403, 500].contains(&answer.status), "{address} as {role:?}: {}", answer.body);
            } else if status < 400 {
                assert_eq!((answer.status, &answer.body["success"]), (status, &json!(true)), "{address} {role:?}");
            } else {
                is_failure(&answer, status);
            }
        }
    }
}

/// The Aether document's routes: 401 for every bad proof, errors in their own shape.
async fn refusals_of_channels(route: &Route, anonymous: &Client, expired: &str, sessions: &[(Least, Client)]) {
    let name = format!("{} {}", route.method, route.path);
    let refused = |answer: &e2e::Answer, status: u16| {
        assert_eq!(answer.status, status, "{name}: {}", answer.body);
        if status >= 400 {
            assert_eq!(answer.body["type"], "error", "{name}: {}", answer.body);
            assert!(answer.body["code"].is_string() && answer.body["details"]["reason"].is_string(), "{name}");
        }
    };
    refused(&route.call(anonymous).await, 401);
    for bad in ["nonsense", expired, "ok_0123456789abcdef0123456789abcdef0123456789abcdef"] {
        refused(&route.call(&anonymous.with_token(bad)).await, 401);
    }
    for (role, client) in sessions {
        let answer = route.call(client).await;
        refused(&answer, if *role >= route.least { route.status } else { 403 });
    }
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let gateway = Gateway::start(Options::default()).await;
    let client = gateway.client();
    for path in ["/nope", "/api", "/api/", "/api/nope", "/api/bitcoin", "/api/trade/", "/api//trade", "/../etc/passwd"]
    {
        let answer = client.get(path).await;
        assert_eq!((answer.status, answer.error()), (404, "Endpoint not found"), "{path}");
        assert!(answer.header("x-request-id").is_some(), "{path}");
    }
    for (method, path) in [("GET", "/api/trade"), ("DELETE", "/api/balance"), ("PATCH", "/api/auth/login")] {
        let answer = client.send(method, path, &[], None).await.expect(405);
        answer.error();
        assert!(answer.header("allow").is_some(), "{method} {path}");
    }
}

#[tokio::test]
async fn what_everybody_may_see() {
    let (gateway, _upstream) = super::desk().await;
    let client = gateway.client();
    let page = client.get("/").await.expect(200);
    assert!(page.header("content-type").is_some_and(|t| t.starts_with("text/html")));
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let health = client.get("/api/health").await.expect(200);
    for (field, value) in [("status", "OK"), ("server", "BitTrade API Server"), ("database", "connected")] {
        assert_eq!(health.text(field), value, "{field}");
    }
    let own = client.send("GET", "/health", &[("x-request-id", "mine-42")], None).await.expect(200);
    assert_eq!(own.header("x-request-id"), Some("mine-42"));
    let odd = "x".repeat(500);
    let replaced = client.send("GET", "/health", &[("x-request-id", &odd)], None).await.expect(200);
    assert!(replaced.header("x-request-id").is_some_and(|id| id != odd && !id.is_empty()));

    // metrics: one series for a thousand addresses that aren't there
    for n in 0..200 {
        client.get(&format!("/made-up/{n}")).await.expect(404);
    }
    let metrics = client.get("/metrics").await.expect(200);
    let text = String::from_utf8_lossy(&metrics.bytes).into_owned();
    assert!(text.contains("http_requests_total") && text.contains("http_request_latency_seconds"), "{text}");
    assert!(!text.contains("made-up"), "labels hold what clients choose");
    let user = gateway.client().register("ann@example.com").await;
    user.get("/api/balance").await.expect(200);
    assert!(!String::from_utf8_lossy(&client.get("/metrics").await.bytes).contains("ann@example.com"));
}

#[tokio::test]
async fn the_document_is_one() {
    let gateway = Gateway::start(Options::default()).await;
    let printed: Value = serde_json::from_str(&gateway.cli(&["openapi"])).unwrap();
    assert!(printed["openapi"].as_str().unwrap().starts_with("3."));
    for (_, operations) in printed["paths"].as_object().unwrap() {
        for (_, operation) in operations.as_object().unwrap() {
            assert!(operation["summary"].is_string() && operation["responses"].is_object(), "{operation}");
        }
    }
    assert_eq!(printed["components"]["securitySchemes"]["bearer"]["scheme"], json!("bearer"));
}
