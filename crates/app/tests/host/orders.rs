//! Orders of scripts: by whose account, once, and known to the next leader.

use std::time::Duration;

use orrery_app::fleet::Hosts as _;
use orrery_kernel::Clock as _;
use orrery_testkit::stub_venue::Fault;
use orrery_workers::fleet::{Intended, Intent, IntentState};
use serde_json::{Value, json};

use crate::bench::{Bench, SID, TTL, bench, bench_on_sqlite, call, cex, class, is_ended};

const ORDER: &str = "/api/v3/order";

fn limit(params: &Value) -> Value {
    json!(["BTC/USDT", "limit", "buy", 0.01, 35_000, params])
}

async fn open(bench: &Bench) -> usize {
    bench.fleet.open_intents(SID, 100).await.unwrap().len()
}

/// The next order is taken, and neither that nor any question after it is answered.
fn unheard(bench: &Bench) {
    bench.stub.fail(ORDER, Fault::DoneThenCut);
    for _ in 0..4 {
        bench.stub.fail(ORDER, Fault::DoneThenStatus(503));
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_is_its_owners_alone() {
    let bench = bench().await;
    let host = bench.host(&bench.free());
    let placed = cex(&host, "createOrder", json!(null), limit(&json!({ "clientOrderId": "mine" }))).await.unwrap();
    assert_eq!((&placed["status"], &placed["clientOrderId"]), (&json!("open"), &json!("mine")));
    assert_eq!(bench.stub.orders()["mine"], 1);
    // gOwner may look at it, which is not to trade with it
    for config in [json!({ "account": "theirs" }), json!({ "accountId": "theirs" }), json!({ "account": "none" })] {
        assert_eq!(class(&cex(&host, "createOrder", config.clone(), limit(&json!({}))).await), "AuthenticationError");
        assert_eq!(class(&cex(&host, "fetchTicker", config, json!(["BTC/USDT"])).await), "AuthenticationError");
    }
    let theirs = bench.host(&orrery_app::fleet::Running { account: Some("theirs".into()), ..bench.free() });
    assert_eq!(class(&cex(&theirs, "fetchBalance", json!(null), json!([])).await), "AuthenticationError");
    let none = bench.host(&orrery_app::fleet::Running { account: None, ..bench.free() });
    assert_eq!(class(&cex(&none, "createOrder", json!(null), limit(&json!({}))).await), "AuthenticationError");
    let okx = call(&host, "cex.okx.fetchBalance", json!({ "config": null, "arguments": [] })).await;
    assert_eq!(class(&okx), "AuthenticationError", "the account is of another exchange");
    let off = bench.host(&orrery_app::fleet::Running { account: Some("off".into()), ..bench.free() });
    assert_eq!(class(&cex(&off, "createOrder", json!(null), limit(&json!({}))).await), "AccountNotEnabled");
    assert_eq!(bench.sent(), 1);
    assert_eq!(class(&cex(&host, "withdraw", json!(null), json!(["BTC", 1, "x"])).await), "PermissionDenied");
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn keys_of_a_script_are_used_and_shown_nowhere() {
    let bench = bench().await;
    let host = bench.host(&bench.free());
    let config = json!({ "apiKey": "A-KEY-OF-A-SCRIPT", "secret": "A-SECRET-OF-A-SCRIPT", "enableRateLimit": true });
    cex(&host, "createLimitOrder", config, json!(["BTC/USDT", "buy", 0.01, 35_000])).await.unwrap();
    host.log(orrery_workers::script::Level::Info, "my keys: A-KEY-OF-A-SCRIPT A-SECRET-OF-A-SCRIPT");
    assert_eq!(bench.lines.all(), ["my keys: [redacted] [redacted]"]);
    assert_eq!((bench.sent(), open(&bench).await), (1, 0));
    let testnet = json!({ "apiKey": "A-KEY-OF-A-SCRIPT", "secret": "A-SECRET-OF-A-SCRIPT", "sandbox": true });
    assert_eq!(class(&cex(&host, "fetchBalance", testnet, json!([])).await), "NotSupported");
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_learns_and_a_dry_run_trade_with_play_money() {
    let bench = bench().await;
    let learner = orrery_app::fleet::Running { account: Some("learner".into()), ..bench.free() };
    let dry = orrery_app::fleet::Running { dry_run: true, ..bench.free() };
    for running in [learner, dry] {
        let host = bench.host(&running);
        let bybit = async |method: &str, given: Value| {
            let config = if running.dry_run { json!({ "apiKey": "k", "secret": "s" }) } else { json!(null) };
            call(&host, &format!("cex.bybit.{method}"), json!({ "config": config, "arguments": given })).await
        };
        let last = bybit("fetchTicker", json!(["BTC/USDT"])).await.unwrap()["last"].as_f64().unwrap();
        let price = (last * 0.9).round();
        let placed = bybit("createLimitBuyOrder", json!(["BTC/USDT", 0.01, price])).await.unwrap();
        assert_eq!(placed["status"], "open");
        let balance = bybit("fetchBalance", json!([])).await.unwrap();
        let account = &balance["info"]["result"]["list"][0];
        assert!(account["totalEquity"].as_str().unwrap().parse::<f64>().unwrap() > 9_000.0, "{account}");
        assert_eq!(bybit("fetchPositions", json!([])).await.unwrap(), json!([]));
        assert_eq!(bybit("fetchOpenOrders", json!(["BTC/USDT"])).await.unwrap().as_array().unwrap().len(), 1);
        let id = placed["id"].clone();
        assert_eq!(bybit("cancelOrder", json!([id, "BTC/USDT"])).await.unwrap()["status"], "canceled");
    }
    assert!(bench.stub.seen().is_empty());
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_is_one_order_however_often_it_is_placed() {
    let bench = bench().await;
    let host = bench.host(&bench.free());
    let named = || limit(&json!({ "clientOrderId": "mine" }));
    let first = cex(&host, "createOrder", json!(null), named()).await.unwrap();
    // another run, of another process
    let again = bench.another().host(bench.free());
    assert_eq!(cex(&again, "createOrder", json!(null), named()).await.unwrap()["id"], first["id"]);
    let other = json!(["BTC/USDT", "limit", "buy", 0.02, 35_000, { "clientOrderId": "mine" }]);
    assert_eq!(class(&cex(&again, "createOrder", json!(null), other).await), "DuplicateOrderId");
    assert_eq!(bench.stub.orders()["mine"], 1);
    // one that was refused may come again
    bench.stub.fail(ORDER, Fault::Status(429, None));
    let refused = limit(&json!({ "clientOrderId": "later" }));
    assert!(cex(&host, "createOrder", json!(null), refused.clone()).await.is_err());
    cex(&host, "createOrder", json!(null), refused).await.unwrap();
    assert_eq!((bench.stub.orders()["later"], open(&bench).await), (1, 0));
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn an_order_without_an_answer_is_found() {
    let bench = bench().await;
    let host = bench.host(&bench.free());
    bench.stub.fail(ORDER, Fault::DoneThenCut);
    let placed = cex(&host, "createOrder", json!(null), limit(&json!({}))).await.unwrap();
    assert_eq!((placed["status"].as_str(), bench.sent(), open(&bench).await), (Some("open"), 1, 0));
    bench.stub.fail(ORDER, Fault::Cut);
    let nowhere = cex(&host, "createOrder", json!(null), limit(&json!({}))).await;
    assert_eq!((class(&nowhere), open(&bench).await), ("OperationRejected", 0));
    assert!(bench.stub.orders().values().all(|taken| *taken == 1));
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn the_next_leader_finds_what_became_of_orders_and_sends_none_twice() {
    let bench = bench().await;
    let old = bench.running(bench.leader("a/1").await);
    let host = bench.host(&old);
    let keys = || json!({ "apiKey": "A-KEY-OF-A-SCRIPT", "secret": "A-SECRET-OF-A-SCRIPT" });
    // two orders that the exchange took, and nothing more was heard of it
    for _ in 0..2 {
        unheard(&bench);
        let unknown = cex(&host, "createOrder", keys(), limit(&json!({}))).await;
        assert!(unknown.unwrap_err().message.contains("unknown"));
    }
    assert_eq!((bench.sent(), open(&bench).await), (2, 2));
    bench.clock.advance(TTL);
    let mut new = bench.running(bench.leader("b/1").await);
    new.right.orders_from = bench.clock.now().plus(Duration::from_secs(5));
    let next = bench.another().host(new.clone());
    let began = tokio::time::Instant::now();
    cex(&next, "createOrder", keys(), limit(&json!({}))).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(5), "what was on its way was waited for");
    assert_eq!((bench.sent(), open(&bench).await), (3, 0));
    assert!(bench.stub.orders().values().all(|taken| *taken == 1), "{:?}", bench.stub.orders());
    let told = bench.lines.all();
    assert_eq!(told.iter().filter(|line| line.contains("of a run before was placed")).count(), 2, "{told:?}");
    // the old one wakes up and tries
    old.right.prolong(bench.clock.now().plus(TTL));
    assert_eq!(class(&cex(&host, "createOrder", json!(null), limit(&json!({}))).await), "LeaseLost");
    assert!(is_ended(&old) && !is_ended(&new));
    let cancel = bench.host(&bench.running(bench.leader("b/1").await));
    let id = bench.stub.orders().len().to_string();
    cex(&cancel, "cancelOrder", json!(null), json!([id, "BTC/USDT"])).await.unwrap();
    assert_eq!(bench.sent(), 3);
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn an_order_that_waits_for_its_turn_is_not_sent_after_its_leader_was_replaced() {
    let bench = bench_on_sqlite().await;
    let old = bench.running(bench.leader("a/1").await);
    let host = bench.host(&old);
    let named = || limit(&json!({ "clientOrderId": "mine" }));
    bench.stub.fail(ORDER, Fault::Late(Duration::from_secs(20)));
    let replaced = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        bench.clock.advance(TTL);
        let new = bench.running(bench.leader("b/1").await);
        let next = bench.another().host(new);
        let placed = cex(&next, "createOrder", json!(null), named()).await.unwrap();
        assert_eq!(placed["clientOrderId"], "mine");
    };
    let (placed, ()) = tokio::join!(cex(&host, "createOrder", json!(null), named()), replaced);
    assert_eq!(class(&placed), "LeaseLost");
    assert!(is_ended(&old));
    assert_eq!((bench.sent(), bench.stub.orders()["mine"], open(&bench).await), (1, 1, 0));
    let known = Intent {
        client_order_id: format!("{SID}/account/main/mine"),
        sid: SID.into(),
        epoch: 2,
        venue: "binance".into(),
        account: None,
        body: "{}".into(),
        state: IntentState::Open,
        order_id: None,
        at: bench.clock.now(),
    };
    let state = bench.fleet.intend(&known, None).await.unwrap();
    assert_eq!(state, Intended::Known(IntentState::Placed), "what the old one says is not written over it");
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_on_the_wire_when_a_lease_is_given_back_is_waited_for() {
    let bench = bench().await;
    let old = bench.running(bench.leader("a/1").await);
    let host = bench.host(&old);
    let named = || limit(&json!({ "clientOrderId": "mine" }));
    bench.stub.fail(ORDER, Fault::OnTheWire(Duration::from_secs(3)));
    let replaced = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        // as when a run is over: its right ends before the lease is given back
        old.right.end();
        bench.fleet.give_leases("a/1", &[(SID.into(), old.right.epoch())]).await.unwrap();
        let new = bench.running(bench.leader("b/1").await);
        let began = tokio::time::Instant::now();
        let placed = cex(&bench.another().host(new), "createOrder", json!(null), named()).await.unwrap();
        assert_eq!(placed["clientOrderId"], "mine");
        assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    };
    let (placed, ()) = tokio::join!(cex(&host, "createOrder", json!(null), named()), replaced);
    assert_eq!(placed.unwrap()["clientOrderId"], "mine");
    assert_eq!((bench.sent(), bench.stub.orders()["mine"], open(&bench).await), (1, 1, 0));
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_leader_takes_back_waits_for_its_turn_too() {
    let bench = bench().await;
    let old = bench.running(bench.leader("a/1").await);
    let host = bench.host(&old);
    let placed = cex(&host, "createOrder", json!(null), limit(&json!({}))).await.unwrap();
    bench.stub.fail(ORDER, Fault::Late(Duration::from_secs(20)));
    let replaced = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        bench.clock.advance(TTL);
    };
    let cancel = cex(&host, "cancelOrder", json!(null), json!([placed["id"], "BTC/USDT"]));
    let (canceled, ()) = tokio::join!(cancel, replaced);
    assert_eq!(class(&canceled), "LeaseLost");
    assert!(bench.stub.seen().iter().all(|seen| seen.verb != "DELETE"));
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_ordered_until_it_is_known_what_became_of_the_last() {
    let bench = bench().await;
    let host = bench.host(&bench.running(bench.leader("a/1").await));
    unheard(&bench);
    assert!(cex(&host, "createOrder", json!(null), limit(&json!({}))).await.is_err());
    bench.clock.advance(TTL);
    let next = bench.host(&bench.running(bench.leader("b/1").await));
    for _ in 0..3 {
        bench.stub.fail(ORDER, Fault::Cut);
    }
    let waits = cex(&next, "createOrder", json!(null), limit(&json!({}))).await;
    assert!(waits.unwrap_err().message.contains("until it is known"), "{:?}", bench.stub.seen());
    assert_eq!(bench.sent(), 1);
    cex(&next, "createOrder", json!(null), limit(&json!({}))).await.unwrap();
    assert_eq!((bench.sent(), open(&bench).await), (2, 0));
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn an_order_goes_on_when_its_script_is_gone() {
    let bench = bench().await;
    let host = bench.host(&bench.free());
    bench.stub.fail(ORDER, Fault::DoneThenSlow(Duration::from_secs(5)));
    let given = limit(&json!({}));
    let placing = cex(&host, "createOrder", json!(null), given);
    let given_up = tokio::time::timeout(Duration::from_secs(1), placing).await;
    assert!(given_up.is_err());
    assert_eq!(open(&bench).await, 1);
    // draining waits for what is on its way
    bench.tasks.drain().await;
    assert_eq!((bench.sent(), open(&bench).await), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_everybody_may_know_needs_no_account() {
    let bench = bench().await;
    bench.stub.answer(
        orrery_venues::Verb::Get,
        "/api/v3/ticker/24hr",
        &json!({ "symbol": "BTCUSDT", "lastPrice": "37066.77", "closeTime": 1_700_000_000_000_i64 }).to_string(),
    );
    let none = bench.host(&orrery_app::fleet::Running { account: None, ..bench.free() });
    let ticker = cex(&none, "fetchTicker", json!(null), json!(["BTC/USDT"])).await.unwrap();
    assert_eq!(ticker["last"].as_f64(), Some(37_066.77));
    let began = tokio::time::Instant::now();
    for _ in 0..3 {
        cex(&none, "watchTicker", json!(null), json!(["BTC/USDT"])).await.unwrap();
    }
    assert_eq!(began.elapsed().as_secs(), 2, "news come once a second");
    assert_eq!(class(&cex(&none, "fetchTicker", json!(null), json!(["NO/SUCH"])).await), "BadSymbol");
    assert_eq!(class(&cex(&none, "fetchFortune", json!({ "account": "main" }), json!([])).await), "NotSupported");
    bench.tasks.drain().await;
}

/// The same on a database: what is written down outlives the process, and a lease that was given back fences.
#[tokio::test]
async fn a_database_keeps_what_was_meant() {
    let bench = bench_on_sqlite().await;
    let old = bench.running(bench.leader("a/1").await);
    let host = bench.host(&old);
    call(&host, "net.set", json!([["grid", 1], { "z": 1, "a": 2 }])).await.unwrap();
    let kept = host.call("net.get", r#"[["grid",1]]"#).await.unwrap();
    assert!(kept.contains(r#""value":{"#), "{kept}");
    cex(&host, "createOrder", json!(null), limit(&json!({ "clientOrderId": "mine" }))).await.unwrap();
    let epoch = old.right.epoch();
    bench.fleet.give_leases("a/1", &[(SID.into(), epoch)]).await.unwrap();
    let new = bench.running(bench.leader("b/1").await);
    assert!(new.right.epoch() > epoch);
    assert_eq!(class(&call(&host, "net.set", json!([["grid", 1], 0])).await), "LeaseLost");
    assert!(is_ended(&old));
    let next = bench.another().host(new);
    let again = cex(&next, "createOrder", json!(null), limit(&json!({ "clientOrderId": "mine" }))).await.unwrap();
    assert_eq!((&again["clientOrderId"], bench.stub.orders()["mine"]), (&json!("mine"), 1));
    assert_eq!(call(&next, "net.list", json!([{ "prefix": ["grid"] }])).await.unwrap()["entries"][0]["value"]["a"], 2);
    for (method, given) in [("createOrder", limit(&json!({}))), ("cancelOrder", json!(["1", "BTC/USDT"]))] {
        let running = bench.running(orrery_app::fleet::Right::new(
            old.right.fence.clone().unwrap(),
            bench.clock.now().plus(TTL),
            bench.clock.now(),
        ));
        assert_eq!(class(&cex(&bench.host(&running), method, json!(null), given).await), "LeaseLost", "{method}");
        assert!(is_ended(&running));
    }
    assert_eq!((bench.sent(), open(&bench).await), (1, 0));
    bench.tasks.drain().await;
}
