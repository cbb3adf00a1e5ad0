//! One exchange that is fed through CCXT's own hooks, and engines that fail.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::disallowed_methods, reason = "tests own their tasks")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ccxt::exchanges::bitvavo::BitvavoCore;
use ccxt::{Bitvavo, TypedExchange, Value};
use orrery_kernel::Entropy;
use orrery_venues::unified::{OrderStatus, Side};
use orrery_venues::{Desk as _, ErrorClass, Fields, Found, NewOrder, Number, Outcome, json};
use orrery_venues_ccxt::{Account, CcxtDesk, Open, engines};

struct Sevens;

impl Entropy for Sevens {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

fn started(open: Open) -> CcxtDesk {
    let (desk, task) = CcxtDesk::new("bitvavo", open, Arc::new(Sevens));
    tokio::spawn(task);
    desk
}

const NAME: &str = "07070707-0707-4707-8707-070707070707";

/// Bitvavo, answered by addresses.
fn bitvavo() -> Open {
    let order = serde_json::json!({
        "orderId": "1be6d0df-d5dc-4b53-a250-3376f3b393e6", "market": "BTC-EUR", "created": 1706100650751_i64,
        "updated": 1706100650751_i64, "status": "new", "side": "buy", "orderType": "limit", "amount": "0.0012",
        "amountRemaining": "0.0012", "price": "43000.5", "filledAmount": "0", "filledAmountQuote": "0",
        "clientOrderId": NAME, "timeInForce": "GTC", "postOnly": false,
    });
    let answers = serde_json::json!({
        "/assets": [{"symbol": "BTC", "name": "Bitcoin", "decimals": 8, "depositStatus": "OK",
            "withdrawalStatus": "OK", "networks": ["Mainnet"]}],
        "/balance": [{"symbol": "BTC", "available": "1.5", "inOrder": "0.25"}],
        "/markets": [{"market": "BTC-EUR", "status": "trading", "base": "BTC", "quote": "EUR", "pricePrecision": 5,
            "minOrderInBaseAsset": "0.0001", "minOrderInQuoteAsset": "5", "maxOrderInBaseAsset": "1000",
            "maxOrderInQuoteAsset": "1000000", "quantityDecimals": 8, "notionalDecimals": 2, "tickSize": "0.5",
            "orderTypes": ["market", "limit"]}],
        "/order": order,
        "/ticker/24h": {"market": "BTC-EUR", "open": "42000", "high": "44000", "low": "41000", "last": "43000.5",
            "bid": "43000", "ask": "43001", "volume": "12.5", "volumeQuote": "530000", "timestamp": 1706100650751_i64},
    });
    let config = serde_json::json!({"apiKey": "key", "secret": "secret", "options": {"operatorId": 7}});
    Arc::new(move || {
        let mut core = BitvavoCore::new(Some(Value::from_json(&config)));
        core.exchange.mock_response_by_url = Value::from_json(&answers);
        Box::new(Bitvavo::from_core(core))
    })
}

fn limit(side: Side) -> NewOrder {
    NewOrder {
        symbol: "BTC/EUR".into(),
        order_type: "limit".into(),
        side,
        amount: Number::parse("0.0012"),
        price: Number::parse("43000.5"),
        params: Fields::new(),
    }
}

#[tokio::test]
async fn an_exchange_beyond_the_ten_is_asked_by_the_same_names() {
    let desk = started(bitvavo());
    let symbol = json::parse(r#"["BTC/EUR"]"#).unwrap();
    let json::Json::Array(arguments) = symbol else { panic!("a list") };
    let ticker = desk.call("fetchTicker", &arguments).await.unwrap();
    assert_eq!(
        (&ticker["symbol"], &ticker["last"], &ticker["bid"]),
        (&"BTC/EUR".into(), &43000.5.into(), &43000.0.into())
    );
    let balance = desk.call("fetchBalance", &[]).await.unwrap();
    assert_eq!(balance["BTC"]["free"], 1.5);
    let unknown = desk.call("fetchNothing", &[]).await.unwrap_err();
    assert_eq!(unknown.class(), ErrorClass::NotSupported);
}

#[tokio::test]
async fn an_order_has_a_name_and_is_found_by_it() {
    let desk = started(bitvavo());
    let (name, outcome) = desk.submit(limit(Side::Buy)).await;
    assert_eq!(name, NAME);
    let Outcome::Accepted(order) = outcome else { panic!("{outcome:?}") };
    assert_eq!((order.status, order.side), (Some(OrderStatus::Open), Some(Side::Buy)));
    assert_eq!((order.amount, order.price), (Number::parse("0.0012"), Number::parse("43000.5")));
    let Found::There(found) = desk.find(&name, "BTC/EUR").await.unwrap() else { panic!("it is there") };
    assert_eq!(found.id, order.id);
}

/// An engine that fails in a way of its own, once.
struct Failing {
    failures: Arc<AtomicUsize>,
}

#[async_trait::async_trait]
impl TypedExchange for Failing {
    async fn call_raw(&mut self, method: &str, _: Vec<Value>) -> ccxt::Result<Value> {
        match method {
            "load_markets" => Ok(Value::Null),
            _ if self.failures.fetch_add(1, Ordering::SeqCst) == 0 => panic!("a fault of the engine's"),
            _ => Ok(Value::Int(7)),
        }
    }

    fn market(&self, _: &str) -> ccxt::Result<ccxt::types::Market> {
        Err(ccxt::ExchangeError::new("BadSymbol", ""))
    }

    fn markets(&self) -> Vec<ccxt::types::Market> {
        Vec::new()
    }
}

#[tokio::test]
async fn a_panic_ends_nothing_and_leaves_an_order_unknown() {
    let (failures, made) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, shared) = (made.clone(), failures.clone());
    let desk = started(Arc::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        Box::new(Failing { failures: shared.clone() })
    }));
    let (_, outcome) = desk.submit(limit(Side::Sell)).await;
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    assert_eq!(desk.call("fetchTime", &[]).await.unwrap(), 7);
    assert_eq!(made.load(Ordering::SeqCst), 2, "the engine is made anew");
}

#[tokio::test]
async fn what_is_not_built_in_is_told() {
    assert!(engines("mtgox", &Account::default()).is_err());
    assert!(engines("bitvavo", &Account::default()).is_ok());
}
