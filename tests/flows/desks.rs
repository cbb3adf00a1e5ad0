//! Accounts at exchanges, with a stand-in for Binance.

use std::time::Duration;

use e2e::socket::Socket;
use e2e::{Gateway, eventually};
use orrery_testkit::stub_venue::{Fault, StubVenue};
use orrery_venues::{Venue, Verb};
use serde_json::{Value, json};

use super::webfix::{Holder, roomy, until};

/// How soon what an account holds has to be seen.
const LIVE: Duration = Duration::from_secs(40);

async fn binance() -> StubVenue {
    let stub = StubVenue::start(Venue::Binance).await;
    for (path, body) in [
        (
            "/api/v3/account",
            json!({"balances": [{"asset": "BTC", "free": "0.5", "locked": "0"},
            {"asset": "USDT", "free": "1000", "locked": "200"}]}),
        ),
        ("/fapi/v3/account", json!({"assets": []})),
        ("/fapi/v1/leverageBracket", json!([])),
        ("/fapi/v3/positionRisk", json!([])),
        ("/api/v3/openOrders", json!([])),
        ("/api/v3/allOrders", json!([])),
        (
            "/api/v3/ticker/24hr",
            json!({"symbol": "BTCUSDT", "lastPrice": "40000", "bidPrice": "39999",
            "askPrice": "40001", "closeTime": 1_700_000_000_000_i64}),
        ),
    ] {
        stub.answer(Verb::Get, path, &body.to_string());
    }
    stub
}

fn equity(raw: &Value) -> &str {
    raw["wallet"]["info"]["result"]["list"][0]["totalEquity"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn an_account_is_seen_live_and_trades_once() {
    let stub = binance().await;
    let gateway = Gateway::start(roomy().env("ORRERY_VENUES__BINANCE__REST_URL", &stub.rest_url())).await;
    let (ann, eve) = (Holder::login(&gateway, 1).await, Holder::login(&gateway, 2).await);
    let account = json!({"nid": "desk", "connection": true, "exchange": "binance", "note": "", "apiKey": "key",
        "secret": "secret", "status": "active", "viewers": []});
    let mut socket = ann.socket(&gateway).await;
    ann.set_account(&account).await.expect(200);

    // live, on the socket and when asked, and nobody else's business
    let seen = until(&mut socket, |frame| {
        frame["channel"].as_str().is_some_and(|name| name.ends_with(".binance.desk"))
            && equity(&frame["raw"]) == "21200"
    });
    tokio::time::timeout(LIVE, seen).await.unwrap();
    let body = json!({"address": ann.wallet.address()});
    let info = ann.call("getWalletInfo", &["gliesereum"], &body).await.expect(200).body;
    assert_eq!(equity(&info[0]), "21200", "{info}");
    assert_eq!(eve.call("getWalletInfo", &["gliesereum"], &body).await.expect(200).body, json!([]));

    // the sonar is each one's own
    let sonar = |frame: &Value| frame["channel"] == "testnet.runtime.sonar";
    let own = until(&mut socket, |frame| sonar(frame) && frame["raw"]["liquidity"] == 21_200.0);
    tokio::time::timeout(LIVE, own).await.unwrap();
    let mut other = eve.socket(&gateway).await;
    until(&mut other, |frame| sonar(frame) && frame["raw"]["liquidity"] == 0.0).await;
    let mut nobody = Socket::open(gateway.base(), "/").await;
    nobody.send(json!({"webfix": "testnet", "method": "subscribe", "channel": "sonar"})).await;
    until(&mut nobody, |frame| sonar(frame) && frame["raw"]["liquidity"] == 0.0).await;

    // an order whose answer is lost is found, and never sent twice
    stub.fail("/api/v3/order", Fault::DoneThenCut);
    let order = json!({"nid": "desk", "symbol": "BTC/USDT", "type": "limit", "side": "buy", "amount": 0.01,
        "price": 35_000});
    let placed = ann.call("createOrder", &["network-id"], &order).await.expect(200).body;
    assert_eq!((&placed["success"], &placed["data"]["status"]), (&json!(true), &json!("open")), "{placed}");
    assert_eq!(stub.orders().values().copied().collect::<Vec<_>>(), [1]);

    // one that stays unknown says so until it is known
    stub.fail("/api/v3/order", Fault::DoneThenStatus(502));
    for _ in 0..15 {
        stub.fail("/api/v3/order", Fault::Cut);
    }
    let unknown = ann.call("createOrder", &["network-id"], &order).await;
    assert!(unknown.status == 504 && unknown.body["error"].as_str().unwrap().contains("unknown"), "{unknown:?}");
    let named = json!({"nid": "desk", "symbol": "BTC/USDT", "clientOrderId": unknown.body["clientOrderId"]});
    eventually("the order is known", LIVE, async || {
        let asked = ann.call("getOrder", &["network-id"], &named).await;
        assert!(asked.status == 200 || asked.body["error"].as_str().unwrap().contains("unknown"), "{asked:?}");
        if asked.status == 200 { Ok(()) } else { Err(asked.body.to_string()) }
    })
    .await;
    assert!(stub.orders().values().all(|taken| *taken == 1), "{:?}", stub.orders());

    // stopped, it hears nothing more
    let mut stopped = account.clone();
    stopped["status"] = json!("stopped");
    ann.set_account(&stopped).await.expect(200);
    let refused = ann.call("getBalance", &["network-id"], &json!({"nid": "desk"})).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(!gateway.output().contains("secret\""), "keys are in no log");
}
