//! Faults of the originally documented server, as regressions: each by its name.

use std::time::Duration;

use e2e::client::PASSWORD;
use e2e::{Gateway, Options, at_once, eventually};
use serde_json::json;

use super::desk;

/// Of parallel buys of the whole balance, several went through and left it negative.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b1_parallel_buys_overspend() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    let answers = at_once(16, |n| {
        let user = user.clone();
        async move { user.trade("buy", "1000", "inr", Some(&format!("race-{n}"))).await }
    })
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 15));
    for answer in lost {
        answer.refuses(400, "Insufficient INR balance");
    }
    assert_eq!(user.funds().await, (0, 24_420));
    gateway.cli(&["ledger", "verify"]);
}

/// The same from the other side, to the last satoshi.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b1_parallel_sells_overspend() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "1", 1_000).await;
    let answers = at_once(16, |_| {
        let user = user.clone();
        async move { user.trade("sell", "0.00000300", "btc", None).await.status }
    })
    .await;
    assert_eq!(answers.iter().filter(|s| **s == 200).count(), 3, "{answers:?}");
    assert!(answers.iter().all(|s| [200, 400].contains(s)), "{answers:?}");
    assert_eq!(user.funds().await, (100 + 3 * 1_188, 100));
}

/// Doubles for money: trades of nothing were executed, satoshis were had for nothing, rounding paid the user.
#[tokio::test]
async fn b9_nothing_comes_from_rounding() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "1000", 100_000).await;
    // one paisa buys 0.24 satoshi; four buy 0.97
    for dust in ["0.01", "0.04"] {
        user.trade("buy", dust, "inr", None).await.expect(400).error();
    }
    // what is named is exact, the other side is rounded against who asks
    let bought = user.trade("buy", "0.00000001", "btc", None).await.expect(200);
    assert_eq!((bought.int("btc_amount"), bought.int("inr_amount_paise")), (1, 5), "4.095 paise round up");
    let sold = user.trade("sell", "0.00000001", "btc", None).await.expect(200);
    assert_eq!((sold.int("btc_amount"), sold.int("inr_amount_paise")), (1, 3), "3.96 paise round down");
    let sold = user.trade("sell", "1", "inr", None).await.expect(200);
    assert_eq!((sold.int("btc_amount"), sold.int("inr_amount_paise")), (26, 100), "25.25 satoshis round up");
    // no pair of trades leaves more than there was, at any rate between the two
    for (amount, currency) in [("1", "inr"), ("0.05", "inr"), ("7.77", "inr"), ("0.00000013", "btc"), ("0.0001", "btc")]
    {
        let before = user.funds().await;
        let bought = user.trade("buy", amount, currency, None).await.expect(200).int("btc_amount");
        let sat = format!("0.{bought:08}");
        user.trade("sell", &sat, "btc", None).await.expect(200);
        let after = user.funds().await;
        assert_eq!(after.1, before.1);
        assert!(after.0 < before.0, "{amount} {currency}: {before:?} became {after:?}");
    }
    gateway.cli(&["ledger", "verify"]);
}

/// `parseFloat` took anything that began like a number; `Infinity` was a 500.
#[tokio::test]
async fn b10_amounts_are_plain_decimals() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "1000", 1_000).await;
    let funds = user.funds().await;
    let body = |amount: &str| format!(r#"{{"action":"buy","type":"market","amount":{amount},"currency":"inr"}}"#);
    for amount in [
        r#""5abc""#,
        r#""1e3""#,
        r#""0x10""#,
        r#""+5""#,
        r#""-5""#,
        r#""Infinity""#,
        r#""NaN""#,
        r#""1,000""#,
        r#"" 5""#,
        r#""5 ""#,
        r#"".5""#,
        r#""5.""#,
        r#""""#,
        r#""٥""#,
        r#""1.001""#,
        r#""99999999999999999999999999""#,
        r#""0""#,
        r#""0.00""#,
        r#"["5"]"#,
        r#"{"a":1}"#,
        "null",
        "true",
        "-1",
        "1e3",
        "1e400",
        "0",
        "1.005",
        "[]",
    ] {
        let answer = user
            .send("POST", "/api/trade", &[("content-type", "application/json")], Some(body(amount).into_bytes()))
            .await;
        assert_eq!(answer.status, 400, "{amount}: {}", answer.body);
        answer.error();
    }
    assert_eq!(user.funds().await, funds);
    for good in [r#""5""#, r#""5.00""#, "5", "5.25"] {
        let answer = user
            .send("POST", "/api/trade", &[("content-type", "application/json")], Some(body(good).into_bytes()))
            .await;
        assert_eq!(answer.status, 200, "{good}: {}", answer.body);
    }
}

/// A reversal deleted the row, could be repeated in parallel and drove balances below zero.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_reversals_are_entries_and_happen_once() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    let admin = gateway.user_of_role("root@example.com", "admin").await;
    let deposit = user.get("/api/transactions").await.expect(200).body["transactions"][0]["id"].as_i64().unwrap();
    let bought = user.trade("buy", "1000", "inr", None).await.expect(200).int("id");
    // the deposit is spent: it cannot be taken back
    admin.post(&format!("/api/admin/transactions/{deposit}/reverse"), &json!({})).await.expect(400).error();
    assert_eq!(user.funds().await, (0, 24_420));
    let answers = at_once(8, |_| {
        let admin = admin.clone();
        async move { admin.post(&format!("/api/admin/transactions/{bought}/reverse"), &json!({})).await }
    })
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 7));
    for answer in lost {
        assert!((400..500).contains(&answer.status), "{}", answer.status);
        answer.error();
    }
    assert_eq!(user.funds().await, (100_000, 0));
    let list = user.get("/api/transactions").await.expect(200);
    assert_eq!(list.body["transactions"].as_array().unwrap().len(), 3, "nothing is deleted: {}", list.body);
    // not by the user, and what isn't there isn't reversed
    user.post(&format!("/api/admin/transactions/{deposit}/reverse"), &json!({})).await.expect(403).error();
    admin.post("/api/admin/transactions/999999/reverse", &json!({})).await.expect(404).error();
    gateway.cli(&["ledger", "verify"]);
}

/// bcrypt reads 72 bytes: what came after them did not count.
#[tokio::test]
async fn b17_bytes_beyond_72_count_or_are_refused() {
    let gateway = Gateway::start(Options::default()).await;
    let long = format!("{}-7", "pass-Word".repeat(8));
    assert!(long.len() > 72);
    let form = json!({"email": "ann@example.com", "name": "Ann", "password": long});
    let made = gateway.client().post("/api/auth/register", &form).await;
    if made.status == 201 {
        let cut: String = long.chars().take(72).collect();
        gateway.client().try_login("ann@example.com", &cut).await.expect(401).error();
        gateway.client().try_login("ann@example.com", &long).await.expect(200);
    } else {
        made.expect(400).error();
        let exact: String = long.chars().take(72).collect();
        let form = json!({"email": "ann@example.com", "name": "Ann", "password": exact});
        gateway.client().post("/api/auth/register", &form).await.expect(201);
        let more = gateway.client().try_login("ann@example.com", &long).await;
        assert!([400, 401].contains(&more.status), "{}", more.status);
        gateway.client().try_login("ann@example.com", &exact).await.expect(200);
    }
    // a megabyte of password costs nothing
    let huge = gateway.client().try_login("ann@example.com", &"x".repeat(900_000)).await;
    assert!([400, 401].contains(&huge.status), "{}", huge.status);
}

/// Numbers as passwords and malformed JSON were 500.
#[tokio::test]
async fn b18_malformed_input_is_a_400() {
    let gateway = Gateway::start(Options::default()).await;
    let client = gateway.client();
    for path in ["/api/auth/login", "/api/auth/register"] {
        client.post(path, &json!({"email": "a@b.co", "name": "A", "password": 12_345_678})).await.expect(400).error();
        for text in ["{", "", "nul", "{\"email\":}", "[1,2", "\u{1}"] {
            let body = Some(text.as_bytes().to_vec());
            client.send("POST", path, &[("content-type", "application/json")], body).await.expect(400).error();
        }
    }
}

/// Business refusals were 500 and told the balance of whoever was named.
#[tokio::test]
async fn b19_refusals_are_4xx_in_the_documented_words() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "12.34", 7).await;
    user.trade("buy", "100", "inr", None)
        .await
        .refuses(400, "Insufficient INR balance. Required: ₹100, Available: ₹12.34");
    user.trade("sell", "0.00000008", "btc", None)
        .await
        .refuses(400, "Insufficient BTC balance. Required: 8 satoshis, Available: 7 satoshis");
    let post = async |body: serde_json::Value| user.post("/api/trade", &body).await;
    post(json!({"action": "hold", "type": "limit", "amount": "x", "currency": "eur"}))
        .await
        .refuses(400, "Invalid action. Must be \"buy\" or \"sell\"");
    post(json!({"action": "buy", "type": "limit", "amount": "x", "currency": "eur"}))
        .await
        .refuses(400, "Only market orders are supported in this endpoint");
    post(json!({"action": "buy", "type": "market", "amount": "x", "currency": "eur"}))
        .await
        .refuses(400, "Invalid amount");
    post(json!({"action": "buy", "type": "market", "amount": "1", "currency": "eur"}))
        .await
        .refuses(400, "Invalid currency. Must be \"inr\" or \"btc\"");
}

/// `limit` and `page` were taken as they came.
#[tokio::test]
async fn b20_pagination_is_bounded() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.client().register("ann@example.com").await;
    for query in [
        "limit=0",
        "limit=-1",
        "limit=1e3",
        "limit=x",
        "limit=",
        "limit=100000",
        "page=0",
        "page=-1",
        "page=x",
        "page=1.5",
        "page=99999999999999999999",
        "limit=5&limit=6",
        "limit=%00",
        "page=%F0%9F%92%A9",
    ] {
        user.get(&format!("/api/transactions?{query}")).await.expect(400).error();
    }
    user.get("/api/transactions?limit=1&page=1").await.expect(200);
}

/// Rupees overflowed at 2,147,483,647.
#[tokio::test]
async fn b33_large_amounts_are_exact_and_bounded() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "3000000000.01", 0).await;
    assert_eq!(user.funds().await.0, 300_000_000_001);
    let bought = user.trade("buy", "3000000000", "inr", None).await.expect(200);
    // floor(300,000,000,000 × 10⁸ / 409,500,000)
    assert_eq!(bought.int("btc_amount"), 73_260_073_260);
    assert_eq!(user.funds().await.0, 1);
    let journal = gateway.journal();
    for absurd in ["40000000000000000.01", "99999999999999999999"] {
        let output = gateway.command(&["ledger", "deposit", "--email", "ann@example.com", "--inr", absurd], "");
        assert!(!output.status.success(), "{absurd}");
    }
    assert_eq!(gateway.journal(), journal);
    gateway.cli(&["ledger", "verify"]);
}

/// There was an administrator with a published password.
#[tokio::test]
async fn b34_no_default_account() {
    let gateway = Gateway::start(Options::default()).await;
    assert_eq!(gateway.cli(&["user", "list"]).trim(), "");
    for (email, password) in [("admin@bittrade.com", "admin123"), ("admin@example.com", "admin"), ("admin", "admin")] {
        let answer = gateway.client().try_login(email, password).await;
        assert!([400, 401].contains(&answer.status), "{email}: {}", answer.status);
    }
}

/// Any web page could call with the visitor's token.
#[tokio::test]
async fn b35_foreign_origins_are_not_let_in() {
    let gateway = Gateway::start(Options::default()).await;
    let client = gateway.client();
    let foreign = [("origin", "https://evil.example")];
    let answer = client.send("GET", "/api/market-rates", &foreign, None).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let preflight = [
        ("origin", "https://evil.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    let answer = client.send("OPTIONS", "/api/trade", &preflight, None).await;
    assert_eq!(answer.header("access-control-allow-origin"), None, "{}", answer.status);

    let open = Gateway::start(Options::default().env("ORRERY_CORS__ALLOWED_ORIGINS", "https://desk.example")).await;
    let named = [("origin", "https://desk.example")];
    let answer = open.client().send("GET", "/api/market-rates", &named, None).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://desk.example"));
    let answer = open.client().send("GET", "/api/market-rates", &foreign, None).await;
    assert_ne!(answer.header("access-control-allow-origin"), Some("https://evil.example"));
    // a name that leads here but isn't ours: DNS rebinding
    client.send("GET", "/api/market-rates", &[("host", "evil.example")], None).await.expect(421).error();
}

/// A deleted user's token went on reading a cached balance.
#[tokio::test]
async fn b14_deletion_leaves_no_cached_balance() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    user.get("/api/transactions").await.expect(200);
    gateway.cli(&["user", "delete", "--email", "ann@example.com"]);
    eventually("nothing of it is served", Duration::from_secs(5), async || {
        let (balance, list) = (user.get("/api/balance").await.status, user.get("/api/transactions").await.status);
        if (balance, list) == (403, 403) { Ok(()) } else { Err(format!("{balance} {list}")) }
    })
    .await;
}

/// Unknown addresses were told from known ones.
#[tokio::test]
async fn b16_accounts_are_not_told_apart() {
    let gateway = Gateway::start(Options::default()).await;
    gateway.client().register("ann@example.com").await;
    let wrong = gateway.client().try_login("ann@example.com", "wrong-password-1").await;
    let unknown = gateway.client().try_login("bob@example.com", "wrong-password-1").await;
    assert_eq!((wrong.status, &wrong.bytes), (unknown.status, &unknown.bytes));
    let names = |a: &e2e::Answer| a.headers.keys().map(ToString::to_string).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names(&wrong), names(&unknown));
    // both cost a hash: a guess at an unknown account is counted like one at a known account
    for n in 0..4 {
        gateway.client().try_login("bob@example.com", &format!("guess-{n}-long")).await.expect(401).error();
    }
    gateway.client().try_login("bob@example.com", PASSWORD).await.expect(429).error();
}
