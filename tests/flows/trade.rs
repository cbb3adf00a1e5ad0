//! The trading desk as its document tells it.

use std::time::Duration;

use e2e::client::whole;
use e2e::{Options, Upstream, at_once, eventually};
use serde_json::{Value, json};

use super::desk;

/// Ids of a page of transactions.
fn ids(body: &Value) -> Vec<i64> {
    body["transactions"].as_array().unwrap().iter().map(|t| t["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn the_documented_trade() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.client().register("ann@example.com").await;
    user.trade("buy", "1000", "inr", None)
        .await
        .refuses(400, "Insufficient INR balance. Required: ₹1000, Available: ₹0");
    gateway.deposit(&user, "ann@example.com", Some("10000"), None).await;

    let bought = user.trade("buy", "1000", "inr", None).await.expect(200);
    for (field, value) in [
        ("type", json!("MARKET_BUY")),
        ("action", json!("buy")),
        ("status", json!("EXECUTED")),
        ("btc_amount", json!(24_420)),
        ("inr_amount_paise", json!(100_000)),
        ("execution_price_paise", json!(409_500_000)),
    ] {
        assert_eq!(bought.body[field], value, "{field}");
    }
    assert_eq!((bought.int("inr_amount"), bought.int("execution_price")), (1_000, 4_095_000));
    assert_eq!(whole(&bought.body["updated_balance"]["available_inr"]), Some(9_000));
    assert_eq!(whole(&bought.body["updated_balance"]["available_btc"]), Some(24_420));

    let sold = user.trade("sell", "0.0001", "btc", None).await.expect(200);
    assert_eq!((sold.text("type"), sold.int("btc_amount"), sold.int("inr_amount")), ("MARKET_SELL", 10_000, 396));
    assert!(sold.int("id") > bought.int("id"));

    let balance = user.get("/api/balance").await.expect(200);
    for (field, value) in [
        ("available_inr", 9_396),
        ("available_btc", 14_420),
        ("reserved_inr", 0),
        ("reserved_btc", 0),
        ("collateral_btc", 0),
        ("borrowed_inr", 0),
        ("interest_accrued", 0),
        ("available_inr_paise", 939_600),
    ] {
        assert_eq!(balance.int(field), value, "{field}");
    }

    let list = user.get("/api/transactions").await.expect(200);
    let kinds: Vec<_> = list.body["transactions"].as_array().unwrap().iter().map(|t| t["type"].clone()).collect();
    assert_eq!(kinds, ["MARKET_SELL", "MARKET_BUY", "DEPOSIT_INR"]);
    assert_eq!((list.int("page"), list.int("limit")), (1, 50));
    assert_eq!(list.body["hasMore"], json!(false));
    assert_eq!(ids(&list.body), [sold.int("id"), bought.int("id"), ids(&list.body)[2]]);
    for field in ["created_at", "executed_at"] {
        assert!(list.body["transactions"][0][field].as_str().unwrap().ends_with('Z'), "{field}");
    }
    gateway.cli(&["ledger", "verify"]);
}

#[tokio::test]
async fn paise_are_exact() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "1000.50", 0).await;
    let bought = user.trade("buy", "1000.50", "inr", None).await.expect(200);
    assert_eq!(bought.int("inr_amount_paise"), 100_050);
    // floor(100,050 × 10⁸ / 409,500,000)
    assert_eq!(bought.int("btc_amount"), 24_432);
    assert_eq!(user.funds().await, (0, 24_432));
    // a number in plain notation is taken by its text, never as a float
    let body = br#"{"action":"sell","type":"market","amount":0.00000100,"currency":"btc"}"#.to_vec();
    let sold = user.send("POST", "/api/trade", &[("content-type", "application/json")], Some(body)).await.expect(200);
    assert_eq!((sold.int("btc_amount"), sold.int("inr_amount_paise")), (100, 396));
}

#[tokio::test]
async fn a_key_has_one_outcome() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "2500", 0).await;
    let first = user.trade("buy", "1000", "inr", Some("k-1")).await.expect(200);
    assert_eq!(first.header("idempotent-replay"), None);
    let again = user.trade("buy", "1000", "inr", Some("k-1")).await.expect(200);
    assert_eq!(again.header("idempotent-replay"), Some("true"));
    assert_eq!(again.body, first.body);
    // another request under the same key does nothing
    let reused = user.trade("buy", "1001", "inr", Some("k-1")).await;
    assert!([409, 422].contains(&reused.status), "{}", reused.status);
    assert!(!reused.error().is_empty());
    assert_eq!(user.funds().await, (150_000, 24_420));

    // a refusal is an outcome too, and stays one after the money came
    let refused = user.trade("buy", "2000", "inr", Some("k-2")).await.expect(400);
    assert_eq!(refused.header("idempotent-replay"), None);
    gateway.deposit(&user, "ann@example.com", Some("5000"), None).await;
    let still = user.trade("buy", "2000", "inr", Some("k-2")).await.expect(400);
    assert_eq!((still.header("idempotent-replay"), &still.body), (Some("true"), &refused.body));
    user.trade("buy", "2000", "inr", Some("k-3")).await.expect(200);

    // a key belongs to its user
    let other = gateway.funded("bob@example.com", "1000", 0).await;
    let own = other.trade("buy", "1000", "inr", Some("k-1")).await.expect(200);
    assert_ne!(own.int("id"), first.int("id"));

    // sixteen at once under one key: one trade, one answer
    let answers = at_once(16, |_| {
        let user = user.clone();
        async move { user.trade("buy", "100", "inr", Some("k-4")).await }
    })
    .await;
    let ids: Vec<i64> = answers.into_iter().map(|a| a.expect(200).int("id")).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(user.funds().await.0, 440_000);

    for bad in ["", " ", "a b", &"k".repeat(129)] {
        let answer = user.trade("buy", "100", "inr", Some(bad)).await;
        assert!([400, 422].contains(&answer.status), "{bad:?}: {}", answer.status);
        answer.error();
    }
    assert_eq!(user.funds().await.0, 440_000);
}

#[tokio::test]
async fn a_key_survives_a_restart() {
    let (mut gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    let first = user.trade("buy", "500", "inr", Some("before")).await.expect(200);
    assert!(gateway.stop().await.success());
    gateway.restart().await;
    gateway.priced().await;
    let user = gateway.client().with_token(user.token().unwrap());
    let again = user.trade("buy", "500", "inr", Some("before")).await.expect(200);
    assert_eq!((again.header("idempotent-replay"), &again.body), (Some("true"), &first.body));
    assert_eq!(user.funds().await.0, 50_000);
}

#[tokio::test]
async fn pages_hold_every_transaction_once() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    let mut expected: Vec<i64> = Vec::new();
    for n in 0..24 {
        expected.insert(0, user.trade("buy", "10", "inr", Some(&format!("n{n}"))).await.expect(200).int("id"));
    }
    let (mut seen, mut page) = (Vec::new(), 1);
    loop {
        let answer = user.get(&format!("/api/transactions?limit=7&page={page}")).await.expect(200);
        assert_eq!((answer.int("page"), answer.int("limit")), (page, 7));
        seen.extend(ids(&answer.body));
        if answer.body["hasMore"] == json!(false) {
            break;
        }
        assert_eq!(answer.body["transactions"].as_array().unwrap().len(), 7);
        page += 1;
    }
    assert_eq!(page, 4);
    assert_eq!(seen.len(), 25, "with the deposit");
    assert_eq!(seen[..24], expected);
    let beyond = user.get("/api/transactions?limit=7&page=5").await.expect(200);
    assert_eq!((ids(&beyond.body), &beyond.body["hasMore"]), (vec![], &json!(false)));
}

#[tokio::test]
async fn a_stale_price_refuses_trades_and_nothing_else() {
    let upstream = Upstream::start(45_000.0);
    let options = Options::default().upstream(&upstream).env("ORRERY_MARKET__MAX_AGE", "3");
    let gateway = e2e::Gateway::start(options).await;
    gateway.priced().await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    let first = user.trade("buy", "100", "inr", Some("fresh")).await.expect(200);

    upstream.set_mode(e2e::Mode::Status(500, None));
    let refused = eventually("trades are refused at a stale price", Duration::from_secs(30), async || {
        let answer = user.trade("buy", "1", "inr", None).await;
        if answer.status == 200 { Err("still traded".to_owned()) } else { Ok(answer) }
    })
    .await;
    assert!([400, 409, 422, 503].contains(&refused.status), "{}", refused.status);
    assert!(refused.error().to_lowercase().contains("price"), "{}", refused.error());
    if refused.status == 503 {
        assert!(refused.header("retry-after").is_some_and(|v| v.parse::<u32>().is_ok()));
    }
    // what was done stays answerable, reading goes on, and the staleness shows
    let again = user.trade("buy", "100", "inr", Some("fresh")).await.expect(200);
    assert_eq!((again.header("idempotent-replay"), &again.body), (Some("true"), &first.body));
    user.get("/api/balance").await.expect(200);
    let rates = user.get("/api/market-rates").await.expect(200);
    assert_eq!(rates.body["stale"], json!(true));
    let health = user.anonymous().get("/health").await.expect(200);
    assert_eq!(health.body["price"]["stale"], json!(true), "{}", health.body);

    upstream.set_mode(e2e::Mode::Good);
    eventually("trades go on", Duration::from_secs(60), async || {
        let answer = user.trade("buy", "1", "inr", None).await;
        if answer.status == 200 { Ok(()) } else { Err(answer.body.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_jump_of_forty_per_cent_is_traded_at() {
    let (gateway, upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "10000", 0).await;
    for usd in [63_000, 37_800] {
        upstream.set_price(f64::from(usd));
        gateway.price_is(i64::from(usd)).await;
        let traded = user.trade("buy", "1000", "inr", None).await.expect(200);
        assert_eq!(traded.int("execution_price"), i64::from(usd) * 91);
    }
}

#[tokio::test]
async fn without_a_price_the_server_is_well_and_says_so() {
    let upstream = Upstream::start(45_000.0);
    upstream.set_mode(e2e::Mode::Status(500, None));
    let gateway = e2e::Gateway::start(Options::default().upstream(&upstream)).await;
    let client = gateway.client();
    for path in ["/api/market-rates", "/api/bitcoin/current"] {
        client.get(path).await.refuses(404, "No Bitcoin data found");
    }
    for path in ["/api/bitcoin/chart/1d", "/api/bitcoin/sentiment"] {
        client.get(path).await.expect(404).error();
    }
    let health = client.get("/health").await.expect(200);
    assert_eq!(health.body["price"]["available"], json!(false), "{}", health.body);
    client.get("/api/health").await.expect(200);
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    let refused = user.trade("buy", "100", "inr", None).await;
    assert!([400, 409, 422, 503].contains(&refused.status), "{}", refused.status);
    assert!(refused.error().to_lowercase().contains("price"), "{}", refused.error());

    upstream.set_mode(e2e::Mode::Good);
    gateway.priced().await;
    user.trade("buy", "100", "inr", None).await.expect(200);
}

#[tokio::test]
async fn demo_users_start_funded_at_simulated_prices() {
    let gateway = e2e::Gateway::start(Options::default().args(&["demo"])).await;
    let rates = gateway.client().get("/api/market-rates").await.expect(200);
    assert_eq!(rates.text("source"), "simulated");
    let user = gateway.client().register("ann@example.com").await;
    let (inr, _) = user.funds().await;
    assert!(inr > 0, "{inr}");
    let bought = user.trade("buy", "1000", "inr", None).await.expect(200);
    assert!(bought.int("btc_amount") > 0);
    assert!(gateway.output().contains("simulated"), "the log says so too");
    let charts = gateway.client().get("/api/bitcoin/chart/1d").await.expect(200);
    assert!(charts.body["price_data"].as_array().unwrap().len() > 1);
}
