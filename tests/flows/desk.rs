//! Limit orders, transfers, withdrawals, plans, loans and the administrator's side, on the real program.

use std::time::Duration;

use e2e::{Answer, Client, at_once, eventually};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

async fn order(client: &Client, kind: &str, inr: i64, btc: i64, price: i64) -> Answer {
    let body = json!({"type": kind, "inr_amount": inr, "btc_amount": btc, "execution_price": price});
    client.post("/api/orders", &body).await
}

async fn transactions(client: &Client) -> Vec<Value> {
    client.get("/api/transactions").await.expect(200).body["transactions"].as_array().unwrap().clone()
}

async fn delete(client: &Client, path: &str) -> Answer {
    client.send("DELETE", path, &[], None).await
}

#[tokio::test]
async fn an_order_waits_fills_once_and_improves() {
    let (gateway, upstream) = super::desk().await;
    let user = gateway.funded("ann@example.com", "10000", 0).await;
    // at 4,000,000 rupees: 4,000 rupees are 0.001 bitcoin
    let placed = order(&user, "LIMIT_BUY", 4_000, 100_000, 4_000_000).await.expect(201);
    assert_eq!(placed.text("status"), "PENDING");
    let id = placed.int("transactionId");
    let balance = user.get("/api/balance").await.expect(200);
    assert_eq!((balance.int("available_inr"), balance.int("reserved_inr")), (6_000, 4_000));
    let pending = &transactions(&user).await[0];
    assert_eq!((&pending["id"], &pending["status"]), (&json!(id), &json!("PENDING")));
    assert_eq!((&pending["type"], &pending["executed_at"]), (&json!("LIMIT_BUY"), &json!(null)));
    assert_eq!((&pending["execution_price"], &pending["btc_amount"]), (&json!(4_000_000), &json!(100_000)));

    // 43,000 dollars: a buy costs 3,913,000 rupees, which is better than the limit
    upstream.set_price(43_000.0);
    let filled = eventually("the order fills", SOON, async || {
        let line = transactions(&user).await[0].clone();
        if line["status"] == json!("EXECUTED") { Ok(line) } else { Err(line.to_string()) }
    })
    .await;
    assert_eq!((&filled["id"], &filled["execution_price"]), (&json!(id), &json!(3_913_000)));
    assert_eq!(filled["btc_amount"], json!(4_000_i64 * 100_000_000 / 3_913_000));
    let balance = user.get("/api/balance").await.expect(200);
    assert_eq!((balance.int("available_inr"), balance.int("reserved_inr")), (6_000, 0));
    delete(&user, &format!("/api/transactions/{id}/cancel"))
        .await
        .refuses(400, "Only pending transactions can be cancelled");
    gateway.cli(&["ledger", "verify"]);
}

#[tokio::test]
async fn orders_that_nobody_can_mean_are_refused() {
    let (gateway, _upstream) = super::desk().await;
    let user = gateway.funded("ann@example.com", "10000", 50_000).await;
    for (kind, inr, btc, price, why) in [
        ("LIMIT_BUY", 1, 100_000_000, 4_000_000, "a bitcoin for a rupee"),
        ("LIMIT_BUY", 4_000, 100_000, 400_000_000, "100 times the market"),
        ("LIMIT_BUY", 4_000, 10_000_000, 40_000, "a hundredth of the market"),
        ("LIMIT_SELL", 4_000, 100_000_000, 4_000, "a thousandth of the market"),
        ("LIMIT_SELL", 40, 1_000, 1_500_000, "far below the market"),
        ("LIMIT_BUY", -4_000, 100_000, 4_000_000, "a negative total"),
        ("LIMIT_BUY", 4_000, -100_000, 4_000_000, "a negative amount"),
        ("LIMIT_BUY", 4_000, 100_000, -4_000_000, "a negative price"),
        ("MARKET_BUY", 4_000, 100_000, 4_000_000, "no limit order"),
        ("LIMIT_BUY", 400_000, 10_000_000, 4_000_000, "more than there is"),
        ("LIMIT_SELL", 4_000, 100_000, 4_000_000, "more than there is"),
    ] {
        let answer = order(&user, kind, inr, btc, price).await;
        assert_eq!(answer.status, 400, "{why}: {}", answer.body);
        answer.error();
    }
    assert_eq!(transactions(&user).await.len(), 2);
    let balance = user.get("/api/balance").await.expect(200);
    assert_eq!((balance.int("reserved_inr"), balance.int("reserved_btc")), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_cancellations_give_back_once() {
    let (gateway, _upstream) = super::desk().await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    let other = gateway.client().register("bob@example.com").await;
    let id = order(&user, "LIMIT_BUY", 1_000, 25_000, 4_000_000).await.expect(201).int("transactionId");
    delete(&other, &format!("/api/transactions/{id}/cancel")).await.refuses(404, "not found or unauthorized");
    let answers = at_once(8, |_| {
        let user = user.clone();
        async move { delete(&user, &format!("/api/transactions/{id}/cancel")).await }
    })
    .await;
    let won: Vec<_> = answers.iter().filter(|a| a.status == 200).collect();
    assert_eq!(won.len(), 1);
    assert_eq!(won[0].text("transactionId"), id.to_string());
    assert_eq!(won[0].body["funds_released"], json!({"inr_amount": 1_000}));
    let balance = user.get("/api/balance").await.expect(200);
    assert_eq!((balance.int("available_inr"), balance.int("reserved_inr")), (1_000, 0));
    assert_eq!(transactions(&user).await.len(), 1, "a cancelled order is no transaction");
    gateway.cli(&["ledger", "verify"]);
}

#[tokio::test]
async fn orders_survive_a_restart_and_expire() {
    let (mut gateway, upstream) = super::desk().await;
    let user = gateway.funded("ann@example.com", "3000", 0).await;
    let stays = order(&user, "LIMIT_BUY", 1_000, 25_000, 4_000_000).await.expect(201).int("transactionId");
    let short = json!({"type": "LIMIT_BUY", "inr_amount": 2_000, "execution_price": 4_000_000, "expires_in_s": 2});
    user.post("/api/orders", &short).await.expect(201);
    gateway.kill9();
    gateway.restart().await;
    let user = gateway.client().login("ann@example.com").await;
    eventually("the order runs out", SOON, async || {
        let (inr, _) = user.funds().await;
        if inr == 200_000 { Ok(()) } else { Err(inr.to_string()) }
    })
    .await;
    upstream.set_price(43_000.0);
    eventually("the other fills", SOON, async || {
        let line = transactions(&user).await[0].clone();
        if line["status"] == json!("EXECUTED") && line["id"] == json!(stays) { Ok(()) } else { Err(line.to_string()) }
    })
    .await;
    let balance = user.get("/api/balance").await.expect(200);
    assert_eq!((balance.int("available_inr"), balance.int("reserved_inr")), (2_000, 0));
    gateway.cli(&["ledger", "verify"]);
}

#[tokio::test]
async fn money_is_sent_and_withdrawn() {
    let (gateway, _upstream) = super::desk().await;
    let ann = gateway.funded("ann@example.com", "1000", 5_000).await;
    let bob = gateway.client().register("bob@example.com").await;
    let admin = gateway.user_of_role("root@example.com", "admin").await;
    let send = async |to: &str, amount: Value, currency: &str| {
        let body = json!({"recipientEmail": to, "amount": amount, "currency": currency});
        ann.post("/api/send-transaction", &body).await
    };
    let sent = send("BOB@example.com", json!(250.5), "inr").await.expect(200);
    assert_eq!((sent.text("message"), &sent.body["amount"]), ("Transaction sent successfully", &json!(250.5)));
    assert_eq!(sent.body["recipient"]["email"], json!("bob@example.com"));
    send("bob@example.com", json!("0.00001"), "btc").await.expect(200);
    send("ann@example.com", json!(1), "inr").await.refuses(400, "Cannot send funds to yourself");
    send("nobody@example.com", json!(1), "inr").await.refuses(404, "Recipient email not found");
    send("bob@example.com", json!(10_000), "inr").await.refuses(400, "Insufficient INR balance");
    send("bob@example.com", json!(0.001), "inr").await.refuses(400, "Invalid amount");
    assert_eq!((ann.funds().await, bob.funds().await), ((74_950, 4_000), (25_050, 1_000)));
    let kinds = async |client: &Client| -> Vec<String> {
        transactions(client).await.iter().map(|t| t["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&ann).await[..2], ["WITHDRAW_BTC", "WITHDRAW_INR"]);
    assert_eq!(kinds(&bob).await, ["DEPOSIT_BTC", "DEPOSIT_INR"]);

    let asked = ann.post("/api/withdrawals", &json!({"amount": "100", "currency": "inr"})).await.expect(201);
    let (first, second) = (asked.int("transactionId"), {
        let asked = ann.post("/api/withdrawals", &json!({"amount": "50", "currency": "inr"})).await.expect(201);
        asked.int("transactionId")
    });
    let waiting = admin.get("/api/admin/withdrawals").await.expect(200);
    assert_eq!(waiting.body["withdrawals"].as_array().unwrap().len(), 2);
    admin.post(&format!("/api/admin/withdrawals/{first}/pay"), &json!({})).await.expect(200);
    admin.post(&format!("/api/admin/withdrawals/{first}/pay"), &json!({})).await.expect(400).error();
    admin.post(&format!("/api/admin/withdrawals/{second}/reject"), &json!({})).await.expect(200);
    assert_eq!(ann.funds().await, (64_950, 4_000));

    // the administrator's own bookings, and what they leave in the log
    let users = admin.get("/api/admin/users").await.expect(200);
    let bob_row =
        users.body["users"].as_array().unwrap().iter().find(|u| u["email"] == json!("bob@example.com")).unwrap();
    assert_eq!((&bob_row["inrBalance"], &bob_row["btcBalance"]), (&json!(250.5), &json!(1_000)));
    let at = |what: &str| format!("/api/admin/users/{}/{what}", bob_row["id"]);
    let booked = admin.post(&at("deposit-cash"), &json!({"amount": 10.5})).await.expect(200);
    assert_eq!((&booked.body["newBalance"], &booked.body["depositedAmount"]), (&json!(261), &json!(10.5)));
    admin.post(&at("withdraw-bitcoin"), &json!({"amount": 1_001})).await.refuses(400, "Insufficient Bitcoin balance");
    let booked = admin.post(&at("withdraw-bitcoin"), &json!({"amount": 1_000})).await.expect(200);
    assert_eq!(booked.body["newBalance"], json!(0));
    let audit = admin.get("/api/admin/audit").await.expect(200);
    assert_eq!(audit.body["chain_ok"], json!(true));
    let actions: Vec<_> =
        audit.body["events"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    for action in ["withdrawal_pay", "withdrawal_reject", "deposit", "withdraw"] {
        assert!(actions.contains(&action), "{action} is not in {actions:?}");
    }
    let csv = ann.get("/api/transactions/export").await.expect(200);
    let text = String::from_utf8(csv.bytes).unwrap();
    assert!(text.lines().nth(1).unwrap().starts_with("Date,Type,INR Amount,BTC Amount (Satoshis),Execution Price"));
    assert_eq!(text.lines().count(), 2 + transactions(&ann).await.len());
    gateway.cli(&["ledger", "verify"]);
}

#[tokio::test]
async fn settings_change_the_rates_at_once() {
    let (gateway, _upstream) = super::desk().await;
    let admin = gateway.user_of_role("root@example.com", "admin").await;
    let set = async |settings: Value| admin.put("/api/admin/settings", &json!({"settings": settings})).await;
    for bad in [
        json!({"buy_multiplier": 80}),
        json!({"sell_multiplier": 95}),
        json!({"buy_multiplier": 0, "sell_multiplier": 0}),
        json!({"buy_multiplier": 1e9}),
        json!({"loan_interest_rate": 101}),
        json!({"buy_multiplier": 92, "sell_multiplier": 93}),
        json!({}),
    ] {
        let answer = set(bad.clone()).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.body);
    }
    set(json!({"buy_multiplier": 92.5, "sell_multiplier": "90", "loan_interest_rate": 12})).await.expect(200);
    assert_eq!(gateway.priced().await, (4_162_500, 4_050_000));
    let settings = admin.get("/api/admin/settings").await.expect(200);
    assert_eq!(settings.body["buy_multiplier"]["value"], json!(92.5));
    assert!(settings.body["buy_multiplier"]["updated_at"].is_string());
    assert_eq!(settings.body["settings"]["loan_interest_rate"]["value"], json!(12.0));
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    let trade = user.trade("buy", "1000", "inr", None).await.expect(200);
    assert_eq!(trade.int("execution_price"), 4_162_500);
    gateway.cli(&["ledger", "verify"]);
}

#[tokio::test]
async fn plans_are_kept() {
    let (gateway, _upstream) = super::desk().await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    let plan = json!({"plan_type": "DCA_BUY", "frequency": "WEEKLY", "amount_per_execution_inr": 500.5,
        "remaining_executions": 4, "max_price": 5_000_000});
    let id = user.post("/api/dca-plans", &plan).await.expect(201).int("planId");
    user.post("/api/dca-plans", &json!({"plan_type": "DCA_SELL", "frequency": "HOURLY"}))
        .await
        .refuses(400, "Either amount_per_execution_inr or amount_per_execution_btc");
    let both = json!({"plan_type": "DCA_SELL", "frequency": "HOURLY", "amount_per_execution_inr": 1,
        "amount_per_execution_btc": 1});
    user.post("/api/dca-plans", &both).await.refuses(400, "Only one amount field");
    let listed = user.get("/api/dca-plans").await.expect(200);
    assert_eq!((listed.int("total_plans"), listed.int("active_plans"), listed.int("paused_plans")), (1, 1, 0));
    let shown = &listed.body["plans"][0];
    assert_eq!((&shown["id"], &shown["amount_per_execution_inr"]), (&json!(id), &json!(500.5)));
    assert_eq!((&shown["max_price"], &shown["remaining_executions"]), (&json!(5_000_000), &json!(4)));
    assert!(shown["next_execution_at"].is_string());
    let status = format!("/api/dca-plans/{id}/status");
    let paused = user.json("PATCH", &status, &json!({"status": "PAUSED"})).await.expect(200);
    assert_eq!(paused.text("message"), "Plan paused successfully");
    user.json("PATCH", &status, &json!({"status": "ACTIVE"})).await.expect(200);
    let other = gateway.client().register("bob@example.com").await;
    other.json("PATCH", &status, &json!({"status": "PAUSED"})).await.refuses(404, "Plan not found or unauthorized");
    delete(&other, &format!("/api/dca-plans/{id}")).await.refuses(404, "Plan not found or unauthorized");
    let gone = delete(&user, &format!("/api/dca-plans/{id}")).await.expect(200);
    assert_eq!((gone.text("planId"), gone.text("planType")), (id.to_string().as_str(), "DCA_BUY"));
    assert_eq!(user.get("/api/dca-plans").await.expect(200).int("total_plans"), 0);
}

#[tokio::test]
async fn a_loan_is_taken_and_liquidated_when_the_price_falls() {
    let (gateway, upstream) = super::desk().await;
    let user = gateway.funded("ann@example.com", "1", 10_000_000).await;
    let admin = gateway.user_of_role("root@example.com", "admin").await;
    let post = async |what: &str, body: Value| user.post(&format!("/api/user/loan/{what}"), &body).await;
    user.get("/api/user/loan/status").await.refuses(404, "No active loan found");
    post("borrow", json!({"amount": 100})).await.refuses(404, "No active loan found");
    // 0.1 bitcoin sells for 396,000 rupees, of which 60 % may be owed
    post("deposit-collateral", json!({"collateralAmount": 9_000_000})).await.expect(200);
    post("deposit-collateral", json!({"collateralAmount": 500_000})).await.expect(200);
    let loan = post("add-collateral", json!({"collateralAmount": 0.005})).await.expect(200);
    assert_eq!(loan.int("collateralAmount"), 10_000_000);
    assert_eq!((loan.int("maxBorrowable"), loan.int("availableCapacity")), (237_600, 237_600));
    post("borrow", json!({"amount": 237_600})).await.refuses(400, "treasury");
    admin.post("/api/admin/treasury/fund", &json!({"amount": 1_000_000})).await.expect(200);
    post("borrow", json!({"amount": 237_601})).await.refuses(400, "collateral allows");
    let loan = post("borrow", json!({"amount": 200_000})).await.expect(200);
    assert_eq!((loan.int("borrowedAmount"), loan.text("riskStatus")), (200_000, "HEALTHY"));
    assert_eq!(loan.int("minimumInterestDue"), 0);
    // 200,000 of 90 % of 0.1 bitcoin
    assert_eq!(loan.int("liquidationPrice"), 2_222_222);
    assert_eq!(user.funds().await, (20_000_100, 0));
    post("partial-liquidation", json!({"btcAmount": 0.01})).await.refuses(400, "healthy");
    post("release-collateral", json!({"collateralAmount": 0.05})).await.refuses(400, "collateral allows");
    post("repay", json!({"amount": 50_000})).await.expect(200);
    admin.get("/api/user/loan/liquidation-risk").await.expect(200);

    // 19,000 dollars: a bitcoin sells for 1,672,000 rupees, so that 150,000 are 89.7 %: a warning
    upstream.set_price(19_000.0);
    let risk = eventually("the loan is in danger", SOON, async || {
        let risk = user.get("/api/user/loan/status").await.expect(200).text("riskStatus").to_owned();
        if risk == "HEALTHY" { Err(risk) } else { Ok(risk) }
    })
    .await;
    assert_eq!(risk, "WARNING");
    // 18,000: 1,584,000 rupees, 94.7 %: sold down to 60 %
    upstream.set_price(18_000.0);
    let loan = eventually("the loan is liquidated", SOON, async || {
        let loan = user.get("/api/user/loan/status").await.expect(200);
        if loan.int("collateralAmount") < 10_000_000 { Ok(loan) } else { Err(loan.body.to_string()) }
    })
    .await;
    let ltv = loan.body["currentLtv"].as_f64().unwrap();
    assert!((59.9..=60.01).contains(&ltv), "{ltv}");
    let history = user.get("/api/user/loan/history").await.expect(200);
    let kinds: Vec<_> =
        history.body["history"].as_array().unwrap().iter().map(|t| t["type"].as_str().unwrap()).collect();
    assert_eq!(kinds[..3], ["PARTIAL_LIQUIDATION", "LOAN_REPAY", "LOAN_BORROW"]);
    assert_eq!(kinds.iter().filter(|k| **k == "PARTIAL_LIQUIDATION").count(), 1, "once");
    // the last paisa frees the collateral
    let over = post("repay", json!({"amount": 150_000})).await.expect(200);
    assert_eq!(over.body["data"], json!(null));
    let balance = user.get("/api/balance").await.expect(200);
    assert_eq!((balance.int("collateral_btc"), balance.int("borrowed_inr")), (0, 0));
    gateway.cli(&["ledger", "verify"]);
    let report = admin.get("/api/admin/reconcile").await.expect(200);
    assert_eq!((&report.body["ok"], &report.body["faults"]), (&json!(true), &json!([])));
}

#[tokio::test]
async fn administrators_manage_users() {
    let (gateway, _upstream) = super::desk().await;
    let admin = gateway.user_of_role("root@example.com", "admin").await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    order(&user, "LIMIT_BUY", 1_000, 25_000, 4_000_000).await.expect(201);
    let plan = json!({"plan_type": "DCA_BUY", "frequency": "DAILY", "amount_per_execution_inr": 10});
    user.post("/api/dca-plans", &plan).await.expect(201);
    let metrics = admin.get("/api/admin/metrics").await.expect(200);
    assert_eq!((metrics.int("active_dca_plans"), metrics.int("avg_daily_dca_amount")), (1, 10));
    assert_eq!(metrics.int("total_cash_deposits"), 1_000);
    let total = admin.get("/api/admin/total-balance").await.expect(200);
    assert_eq!((total.int("total_available_inr"), total.int("total_reserved_inr")), (0, 1_000));
    let lines = admin.get("/api/admin/transactions").await.expect(200);
    assert_eq!(lines.body["transactions"][0]["user_email"], json!("ann@example.com"));
    let plans = admin.get("/api/admin/dca-plans").await.expect(200);
    assert_eq!(
        (plans.int("totalCount"), &plans.body["plans"][0]["user_name"]),
        (1, &plans.body["plans"][0]["user_name"])
    );
    let users = admin.get("/api/admin/users").await.expect(200);
    let id = |email: &str| {
        let row = users.body["users"].as_array().unwrap().iter().find(|u| u["email"] == json!(email)).unwrap();
        row["id"].as_i64().unwrap()
    };
    let (ann, root) = (id("ann@example.com"), id("root@example.com"));
    delete(&admin, &format!("/api/admin/users/{root}")).await.refuses(409, "last administrator");
    admin.put(&format!("/api/admin/users/{root}/role"), &json!({"role": "trader"})).await.refuses(409, "last");
    admin.put(&format!("/api/admin/users/{ann}/password"), &json!({"password": "123456"})).await.expect(400).error();
    let new = json!({"password": "set-by-the-Adm1n"});
    admin.put(&format!("/api/admin/users/{ann}/password"), &new).await.expect(200);
    user.get("/api/balance").await.refuses(403, "Invalid or expired token");
    gateway.client().try_login("ann@example.com", "set-by-the-Adm1n").await.expect(200);
    let gone = delete(&admin, &format!("/api/admin/users/{ann}")).await.expect(200);
    assert_eq!(gone.body["deletedData"], json!({"plans": 1, "transactions": 0, "userAction": "deleted"}));
    gateway.client().try_login("ann@example.com", "set-by-the-Adm1n").await.expect(401).error();
    let total = admin.get("/api/admin/total-balance").await.expect(200);
    assert_eq!(
        (total.int("total_available_inr"), total.int("total_reserved_inr")),
        (1_000, 0),
        "nothing stays reserved"
    );
    gateway.cli(&["ledger", "verify"]);
}

#[tokio::test]
async fn pages_do_not_shift_under_a_cursor() {
    let (gateway, _upstream) = super::desk().await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    for _ in 0..6 {
        user.trade("buy", "10", "inr", None).await.expect(200);
    }
    let ids = |answer: &Answer| -> Vec<i64> {
        answer.body["transactions"].as_array().unwrap().iter().map(|t| t["id"].as_i64().unwrap()).collect()
    };
    let first = user.get("/api/transactions?limit=3").await.expect(200);
    let cursor = first.int("next_before");
    user.trade("buy", "10", "inr", None).await.expect(200);
    let second = user.get(&format!("/api/transactions?limit=3&before={cursor}")).await.expect(200);
    let (a, b) = (ids(&first), ids(&second));
    assert!(a.iter().all(|id| !b.contains(id)) && b[0] < a[2], "{a:?} {b:?}");
    let last = user.get(&format!("/api/transactions?limit=3&before={}", second.int("next_before"))).await.expect(200);
    assert_eq!((last.body["hasMore"].clone(), last.body["next_before"].clone()), (json!(false), json!(null)));
    user.get("/api/transactions?before=x").await.expect(400).error();
}
