//! The operator's commands, while the server runs and after.

use std::time::Duration;

use e2e::client::PASSWORD;
use e2e::{Options, eventually};
use serde_json::json;

use super::desk;

#[tokio::test]
async fn users_by_command() {
    let (gateway, _upstream) = desk().await;
    assert_eq!(gateway.cli(&["user", "list"]).trim(), "", "no account exists by itself");
    let admin = gateway.user_of_role("root@example.com", "admin").await;
    assert_eq!(admin.get("/api/auth/verify").await.expect(200).body["user"]["is_admin"], json!(1));
    let list = gateway.cli(&["user", "list"]);
    assert!(list.contains("root@example.com") && list.contains("admin"), "{list}");
    assert!(!list.contains("$2"), "no hash is shown");
    let twice = gateway.command(
        &["user", "create", "--email", "ROOT@example.com", "--password-stdin", "--role", "viewer"],
        &format!("{PASSWORD}\n"),
    );
    assert!(!twice.status.success(), "addresses differ in more than case");
    for bad in [
        ["user", "create", "--email", "x", "--password-stdin", "--role", "viewer"].as_slice(),
        ["user", "create", "--email", "x@example.com", "--password-stdin", "--role", "king"].as_slice(),
        ["user", "set-role", "--email", "nobody@example.com", "--role", "viewer"].as_slice(),
        ["ledger", "deposit", "--email", "nobody@example.com", "--inr", "1"].as_slice(),
        ["ledger", "deposit", "--email", "root@example.com", "--inr", "-1"].as_slice(),
        ["ledger", "deposit", "--email", "root@example.com", "--inr", "1e3"].as_slice(),
        ["ledger", "deposit", "--email", "root@example.com", "--inr", "0.001"].as_slice(),
        ["ledger", "deposit", "--email", "root@example.com", "--btc-sat", "0"].as_slice(),
        ["ledger", "deposit", "--email", "root@example.com", "--btc-sat", "99999999999999999999"].as_slice(),
        ["ledger", "deposit", "--email", "root@example.com"].as_slice(),
        ["ledger", "fund", "--bucket", "elsewhere", "--inr", "1"].as_slice(),
        ["ledger", "fund", "--bucket", "treasury", "--btc-sat", "1"].as_slice(),
    ] {
        let output = gateway.command(bad, &format!("{PASSWORD}\n"));
        assert!(!output.status.success(), "{bad:?}");
        assert!(!output.stderr.is_empty(), "{bad:?} fails without a word");
    }
    let (entries, _) = gateway.journal();
    assert!(entries.is_empty(), "a refused command posts nothing");
}

#[tokio::test]
async fn the_first_administrator_comes_by_a_link() {
    let (gateway, _upstream) = desk().await;
    let printed = gateway.output();
    let link = printed.lines().find(|l| l.contains("token=")).unwrap_or_else(|| panic!("no link in {printed}"));
    assert!(link.contains(gateway.base()), "{link}");
    let token: String = link
        .split("token=")
        .nth(1)
        .unwrap()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .collect();
    assert!(token.len() >= 16, "{token}");
    let form = |token: &str, email: &str| json!({"token": token, "email": email, "name": "Root", "password": PASSWORD});
    let client = gateway.client();
    let wrong = client.post("/api/setup", &form("0123456789abcdef0123456789abcdef", "eve@example.com")).await;
    assert!((400..500).contains(&wrong.status), "{}", wrong.status);
    let made = client.post("/api/setup", &form(&token, "root@example.com")).await.expect(201);
    let admin = client.with_token(made.text("token"));
    admin.get("/api/admin/reconcile").await.expect(200);
    // once
    let again = client.post("/api/setup", &form(&token, "eve@example.com")).await;
    assert!((400..500).contains(&again.status), "{}", again.status);
    assert_eq!(gateway.cli(&["user", "list"]).lines().count(), 1);
}

#[tokio::test]
async fn the_house_has_a_floor_if_it_wants_one() {
    let upstream = e2e::Upstream::start(45_000.0);
    let options = Options::default().upstream(&upstream).env("ORRERY_LEDGER__FLOOR_BTC", "0");
    let gateway = e2e::Gateway::start(options).await;
    gateway.priced().await;
    let user = gateway.funded("ann@example.com", "10000", 0).await;
    let refused = user.trade("buy", "1000", "inr", None).await;
    assert!((400..500).contains(&refused.status) || refused.status == 503, "{}", refused.status);
    refused.error();
    assert_eq!(user.funds().await, (1_000_000, 0));
    gateway.cli(&["ledger", "fund", "--bucket", "inventory", "--btc-sat", "24420"]);
    user.trade("buy", "1000", "inr", None).await.expect(200);
    // to the satoshi
    user.trade("buy", "0.00000001", "btc", None).await.expect(refused.status).error();
    let admin = gateway.user_of_role("root@example.com", "operator").await;
    let report = admin.get("/api/admin/reconcile").await.expect(200);
    assert_eq!(report.body["ok"], json!(true), "{}", report.body);
    gateway.cli(&["ledger", "verify"]);
}

#[tokio::test]
async fn deposits_may_be_repeated_under_a_key() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.client().register("ann@example.com").await;
    for _ in 0..3 {
        gateway.cli(&["ledger", "deposit", "--email", "ann@example.com", "--inr", "100.25", "--key", "payroll-7"]);
    }
    eventually("the deposit shows once", Duration::from_secs(5), async || {
        let funds = user.funds().await;
        if funds == (10_025, 0) { Ok(()) } else { Err(format!("{funds:?}")) }
    })
    .await;
    assert_eq!(gateway.journal().0.len(), 1);
    let other =
        gateway.command(&["ledger", "deposit", "--email", "ann@example.com", "--inr", "1", "--key", "payroll-7"], "");
    assert!(!other.status.success(), "the key was used for another amount");
    assert_eq!(gateway.journal().0.len(), 1);
}

#[tokio::test]
async fn api_keys_do_what_their_scopes_say() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    let key = async |scopes: serde_json::Value| {
        let made = user.post("/api/user/api-keys", &json!({"name": "bot", "scopes": scopes})).await.expect(201);
        assert!(made.text("key").starts_with("ok_"));
        (user.with_token(made.text("key")), made.body["api_key"]["id"].as_i64().unwrap())
    };
    let (reader, reader_id) = key(json!(["read"])).await;
    let (trader, _) = key(json!(["read", "trade"])).await;
    reader.get("/api/balance").await.expect(200);
    reader.trade("buy", "10", "inr", None).await.expect(403).error();
    trader.trade("buy", "10", "inr", None).await.expect(200);
    // a key makes no keys and changes no password
    trader.post("/api/user/api-keys", &json!({"name": "more", "scopes": ["trade"]})).await.expect(403).error();
    let change = json!({"currentPassword": PASSWORD, "newPassword": "another-Passw0rd-11"});
    trader.put("/api/user/profile/password", &change).await.expect(403).error();
    // a key never exceeds its owner
    let (admin, _) = key(json!(["admin", "read"])).await;
    admin.get("/api/admin/reconcile").await.expect(403).error();
    let listed = user.get("/api/user/api-keys").await.expect(200);
    assert_eq!(listed.body["api_keys"].as_array().unwrap().len(), 3);
    assert!(!listed.body.to_string().contains(reader.token().unwrap()), "a key is shown once");
    user.send("DELETE", &format!("/api/user/api-keys/{reader_id}"), &[], None).await.expect(200);
    reader.get("/api/balance").await.expect(403).error();
    let made = gateway.cli(&["api-key", "list", "--email", "ann@example.com"]);
    assert!(!made.contains(trader.token().unwrap()));
}
