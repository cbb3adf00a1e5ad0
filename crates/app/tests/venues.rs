//! Accounts at a stand-in of Binance: orders are sent once whatever happens on the way, and looks tell what is held.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use orrery_app::App;
use orrery_app::paper::{PaperParts, PaperSettings};
use orrery_app::tasks::Tasks;
use orrery_app::venues::{Failure, VenueEvent};
use orrery_feeds::Simulated;
use orrery_kernel::Timestamp;
use orrery_store_memory::MemoryPaper;
use orrery_testkit::assembled::{ports, settings};
use orrery_testkit::fakes::{ManualClock, SeededEntropy, keyring};
use orrery_testkit::stub_venue::{Fault, StubExchanges, StubVenue};
use orrery_venues::paper::Walk;
use orrery_venues::stream::{News, Part};
use orrery_venues::unified::{self, Balance, Balances, Side};
use orrery_venues::{ErrorClass, Fields, NewOrder, Number, Venue, Verb};
use orrery_wallets::Account;
use serde_json::{Value, json};

const ORDER: &str = "/api/v3/order";

struct Bench {
    app: Arc<App>,
    exchanges: Arc<StubExchanges>,
    stub: StubVenue,
    account: Account,
    clock: Arc<ManualClock>,
    tasks: Tasks,
}

fn account(exchange: &str, public: &Value) -> Account {
    let secrets = r#"{"apiKey":"key","secret":"secret","password":""}"#;
    let place = Account::place("gOwner", "main");
    let sealed = keyring().seal(secrets.as_bytes(), &place, &SeededEntropy::new(3)).unwrap();
    Account {
        owner: "gOwner".into(),
        nid: "main".into(),
        exchange: exchange.into(),
        viewers: Vec::new(),
        public: public.to_string(),
        sealed,
        public_key: String::new(),
        signature: String::new(),
        at: Timestamp::from_millis(0),
    }
}

async fn bench_of(account: Account) -> Bench {
    bench_with(account, false).await
}

async fn bench_with(account: Account, paper: bool) -> Bench {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
    let entropy = Arc::new(SeededEntropy::new(5));
    let exchanges = Arc::new(StubExchanges::new(clock.clone(), entropy.clone()));
    let mut ports = ports(clock.clone(), entropy, Arc::new(Simulated::new(1, 50_000)));
    ports.exchanges = exchanges.clone();
    ports.wallets.put_account(&account, 10).await.unwrap();
    ports.paper = paper.then(|| PaperParts {
        store: Arc::new(MemoryPaper::default()),
        prices: Arc::new(Walk::new(7)),
        settings: PaperSettings::default(),
    });
    let tasks = Tasks::new();
    let app = App::start(ports, settings(), &tasks).await.unwrap();
    let stub = exchanges.stub(Venue::Binance);
    for (path, body) in [
        (
            "/api/v3/account",
            json!({"balances": [
                {"asset": "BTC", "free": "0.12345678", "locked": "0.01"},
                {"asset": "USDT", "free": "1000.1", "locked": "350"},
                {"asset": "ETH", "free": "0.0", "locked": "0.0"},
            ]}),
        ),
        (
            "/fapi/v3/account",
            json!({"assets": [{"asset": "USDT", "walletBalance": "100", "marginBalance": "109.5",
            "availableBalance": "60", "initialMargin": "49.5"}]}),
        ),
        ("/fapi/v1/leverageBracket", json!([])),
        (
            "/api/v3/ticker/24hr",
            json!({"symbol": "BTCUSDT", "lastPrice": "37066.77", "closeTime": 1_700_000_000_000_i64}),
        ),
        (
            "/fapi/v3/positionRisk",
            json!([{"symbol": "BTCUSDT", "positionAmt": "0.01", "entryPrice": "36000",
            "markPrice": "36950", "unRealizedProfit": "9.5", "liquidationPrice": "0", "positionSide": "BOTH",
            "notional": "369.5", "marginAsset": "USDT", "initialMargin": "49.5", "maintMargin": "1.5"}]),
        ),
    ] {
        stub.answer(Verb::Get, path, &body.to_string());
    }
    Bench { app, exchanges, stub, account, clock, tasks }
}

async fn bench() -> Bench {
    bench_of(account("binance", &json!({"status": "active", "connection": true}))).await
}

fn order(name: Option<&str>) -> NewOrder {
    NewOrder {
        symbol: "BTC/USDT".into(),
        order_type: "limit".into(),
        side: Side::Buy,
        amount: Number::parse("0.01"),
        price: Number::parse("35000"),
        params: Fields::new().with_some("clientOrderId", name),
    }
}

impl Bench {
    async fn place(&self, name: Option<&str>) -> Result<Value, Failure> {
        self.app.venues.place(&self.account, order(name)).await
    }

    /// How often an order was sent.
    fn sent(&self) -> usize {
        self.stub.seen().iter().filter(|seen| seen.verb == "POST" && seen.path == ORDER).count()
    }

    fn class(result: &Result<Value, Failure>) -> ErrorClass {
        result.as_ref().unwrap_err().class()
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_is_placed_and_taken_back() {
    let bench = bench().await;
    let placed = bench.place(None).await.unwrap();
    assert_eq!((placed["status"].as_str(), placed["amount"].as_f64()), (Some("open"), Some(0.01)));
    let name = placed["clientOrderId"].as_str().unwrap();
    let seen = bench.app.venues.order(&bench.account, None, Some(name), "BTC/USDT").await.unwrap();
    assert_eq!(seen["id"], placed["id"]);
    let id = placed["id"].as_str();
    let canceled = bench.app.venues.cancel(&bench.account, id, None, Some("BTC/USDT"), json!({})).await.unwrap();
    assert_eq!(canceled["status"], "canceled");
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_without_an_answer_is_found() {
    for fault in [Fault::DoneThenSlow(Duration::from_secs(60)), Fault::DoneThenStatus(502), Fault::DoneThenCut] {
        let bench = bench().await;
        bench.stub.fail(ORDER, fault);
        let placed = bench.place(None).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(placed["status"], "open", "{fault:?}");
        assert_eq!(bench.sent(), 1, "{fault:?}");
        bench.tasks.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_nowhere_was_not_taken() {
    let bench = bench().await;
    bench.stub.fail(ORDER, Fault::Cut);
    let placed = bench.place(None).await;
    assert_eq!(Bench::class(&placed), ErrorClass::OperationRejected, "{placed:?}");
    let asked = bench.stub.seen().iter().filter(|seen| seen.verb == "GET" && seen.path == ORDER).count();
    assert_eq!((bench.sent(), asked), (1, 2), "it is believed when it is said twice");
    // of one that has a name the question before fails, and is asked again
    bench.stub.fail(ORDER, Fault::Cut);
    bench.place(Some("mine")).await.unwrap();
    assert_eq!(bench.stub.orders()["mine"], 1);
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_stays_unknown_is_said_to_be_and_asked_after() {
    let bench = bench().await;
    let mut events = bench.app.venues.events();
    bench.stub.fail(ORDER, Fault::DoneThenCut);
    for _ in 0..7 {
        bench.stub.fail(ORDER, Fault::DoneThenStatus(503));
    }
    let placed = bench.place(None).await;
    let Err(Failure::Unknown { order: name, .. }) = &placed else { panic!("{placed:?}") };
    assert!(placed.as_ref().unwrap_err().to_string().contains("unknown"));
    let asked = bench.app.venues.order(&bench.account, None, Some(name), "BTC/USDT").await;
    assert!(matches!(&asked, Err(Failure::Unknown { .. })), "{asked:?}");
    // placed again under its name, it is asked for and not sent
    loop {
        match events.recv().await.unwrap() {
            VenueEvent::Settled { client_order_id, order, .. } => {
                assert_eq!((&client_order_id, order.is_some()), (name, true));
                break;
            }
            VenueEvent::Looked(_) => {}
        }
    }
    assert_eq!(bench.place(Some(name)).await.unwrap()["clientOrderId"].as_str(), Some(name.as_str()));
    assert_eq!(bench.sent(), 1);
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn one_name_is_one_order() {
    let bench = bench().await;
    let first = bench.place(Some("mine")).await.unwrap();
    let again = bench.place(Some("mine")).await.unwrap();
    assert_eq!(first["id"], again["id"]);
    let other = NewOrder { amount: Number::parse("0.02"), ..order(Some("mine")) };
    let other = bench.app.venues.place(&bench.account, other).await;
    assert_eq!(Bench::class(&other), ErrorClass::DuplicateOrderId);
    let (a, b) = tokio::join!(bench.place(Some("both")), bench.place(Some("both")));
    assert!(a.is_ok() || b.is_ok(), "{a:?} {b:?}");
    assert_eq!((bench.sent(), bench.stub.orders()["both"]), (2, 1));
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_the_time_is_mended_once() {
    let bench = bench().await;
    bench.stub.fail(ORDER, Fault::ClockSkew);
    bench.place(None).await.unwrap();
    assert_eq!((bench.exchanges.synchronised(), bench.sent()), (1, 2));
    bench.stub.fail(ORDER, Fault::ClockSkew);
    bench.stub.fail(ORDER, Fault::ClockSkew);
    assert_eq!(Bench::class(&bench.place(None).await), ErrorClass::InvalidNonce);
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn questions_are_asked_again_but_not_when_there_were_too_many() {
    let bench = bench().await;
    let desk = bench.app.venues.desk(&bench.account).await.unwrap();
    let path = "/api/v3/account";
    bench.stub.fail(path, Fault::Cut);
    bench.stub.fail(path, Fault::DoneThenStatus(503));
    bench.app.venues.read(&*desk, "fetchBalance", &json!([])).await.unwrap();
    assert_eq!(bench.stub.asked(path), 3);
    bench.stub.fail(path, Fault::Status(429, Some(1)));
    let refused = bench.app.venues.read(&*desk, "fetchBalance", &json!([])).await.unwrap_err();
    assert!(refused.class().is_a(ErrorClass::NetworkError), "{refused}");
    assert_eq!(bench.stub.asked(path), 4);
    bench.stub.fail(path, Fault::ClockSkew);
    bench.app.venues.read(&*desk, "fetchBalance", &json!([])).await.unwrap();
    assert_eq!(bench.exchanges.synchronised(), 1);
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn who_may_not_trade_contacts_nobody() {
    for (exchange, public, class) in [
        ("binance", json!({"status": "stopped", "connection": true}), ErrorClass::AccountNotEnabled),
        ("binance", json!({"status": "active", "connection": false}), ErrorClass::AccountNotEnabled),
        ("binance", json!({"status": "learn", "connection": true}), ErrorClass::NotSupported),
        ("mtgox", json!({"status": "active", "connection": true}), ErrorClass::NotSupported),
    ] {
        let bench = bench_of(account(exchange, &public)).await;
        assert_eq!(Bench::class(&bench.place(None).await), class, "{exchange} {public}");
        assert!(bench.stub.seen().is_empty(), "{public}");
        bench.tasks.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_learns_trades_on_paper() {
    let public = json!({"status": "learn", "connection": true});
    let (app, account, tasks, stub) = {
        let bench = bench_with(account("binance", &public), true).await;
        (bench.app, bench.account, bench.tasks, bench.stub)
    };
    let paper = NewOrder { price: Number::parse("50000"), ..order(Some("mine")) };
    let placed = app.venues.place(&account, paper).await.unwrap();
    assert_eq!((placed["symbol"].as_str(), placed["clientOrderId"].as_str()), (Some("BTC/USDT"), Some("mine")));
    let mut events = app.venues.events();
    tasks.spawn("looks", app.venues.clone().run(tasks.stopping()));
    app.venues.account_set(&account);
    looked(&mut events, 2).await;
    let seen = app.venues.snapshot(&account).await.unwrap();
    assert_eq!((seen.holdings.equity.to_string(), seen.orders.len()), ("10000".to_owned(), 1), "{seen:?}");
    assert!(stub.seen().is_empty(), "the exchange hears nothing of it");
    tasks.drain().await;
}

/// Waits until the account was looked at so often since `events` began.
async fn looked(events: &mut tokio::sync::broadcast::Receiver<VenueEvent>, times: usize) {
    for _ in 0..times {
        while !matches!(events.recv().await.unwrap(), VenueEvent::Looked(_)) {}
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_is_looked_at_again_and_again() {
    let bench = bench().await;
    let mut events = bench.app.venues.events();
    bench.tasks.spawn("looks", bench.app.venues.clone().run(bench.tasks.stopping()));
    bench.app.venues.account_set(&bench.account);
    // of the balance, and of all of it
    looked(&mut events, 2).await;
    let seen = bench.app.venues.snapshot(&bench.account).await.unwrap();
    // 0.13345678 BTC at 37066.77, 1350.1 USDT, and 109.5 USDT in the contracts' part
    assert_eq!(seen.holdings.equity.to_string(), "6406.4117692006");
    assert_eq!(seen.holdings.coins[0].code, "BTC");
    assert_eq!((&seen.error, seen.at), (&None, 1_700_000_000_000));
    assert_eq!((seen.holdings.profit.to_string(), seen.positions.len()), ("9.5".to_owned(), 1));
    assert!(seen.orders.iter().any(|order| order["status"] == "open"), "{:?}", seen.orders);
    assert!(seen.orders.iter().all(|order| order.get("info").is_none()));
    // it fails: what was seen stays, and it is left alone for longer
    bench.stub.fail("/api/v3/account", Fault::Status(401, None));
    bench.clock.advance(Duration::from_secs(40));
    looked(&mut events, 1).await;
    let failed = bench.app.venues.snapshot(&bench.account).await.unwrap();
    assert!(failed.error.is_some());
    assert_eq!(failed.holdings, seen.holdings);
    let sum = bench.app.venues.portfolio_of("gOwner").await.unwrap();
    assert_eq!((sum.equity, sum.accounts), (seen.holdings.equity.0, vec!["main".to_owned()]));
    assert_eq!(bench.app.venues.portfolio_of("gOther").await.unwrap(), Default::default());
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_an_exchange_says_of_an_account_is_seen_at_once() {
    let bench = bench().await;
    let mut events = bench.app.venues.events();
    bench.tasks.spawn("looks", bench.app.venues.clone().run(bench.tasks.stopping()));
    bench.app.venues.account_set(&bench.account);
    looked(&mut events, 2).await;
    while bench.exchanges.followed() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let asked = bench.stub.seen().len();
    let number = |digits: &str| Number::parse(digits);
    let balance = Balance { free: number("2000"), used: number("0"), total: number("2000"), debt: None };
    let balances = Balances { of: vec![("USDT".to_owned(), balance)], ..Balances::default() };
    bench.exchanges.tell(&News::Balance(Part::Main, balances));
    let order = unified::Order { id: Some("77".into()), symbol: Some("BTC/USDT".into()), ..Default::default() };
    bench.exchanges.tell(&News::Orders(vec![order]));
    looked(&mut events, 1).await;
    let seen = bench.app.venues.snapshot(&bench.account).await.unwrap();
    // 0.13345678 BTC at 37066.77, 2000 USDT, and 109.5 USDT in the contracts' part as before
    assert_eq!(seen.holdings.equity.to_string(), "7056.3117692006");
    assert_eq!(seen.orders[0]["id"], "77");
    assert_eq!(bench.stub.seen().len(), asked, "nothing was asked for");

    // what contracts do is looked at soon
    let position = unified::Position { symbol: Some("BTC/USDT:USDT".into()), ..Default::default() };
    bench.exchanges.tell(&News::Positions(vec![position]));
    looked(&mut events, 1).await;
    let seen = bench.app.venues.snapshot(&bench.account).await.unwrap();
    assert_eq!((seen.positions.len(), seen.holdings.profit.to_string()), (0, "0".to_owned()), "it is over");
    bench.clock.advance(Duration::from_secs(5));
    looked(&mut events, 1).await;
    let seen = bench.app.venues.snapshot(&bench.account).await.unwrap();
    assert_eq!(seen.positions.len(), 1, "the exchange still has it");
    assert_eq!(bench.exchanges.followed(), 1);
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn markets_are_fetched_anew_from_time_to_time() {
    let bench = bench().await;
    let markets = |bench: &Bench| bench.stub.asked("/api/v3/exchangeInfo");
    bench.app.venues.desk(&bench.account).await.unwrap();
    bench.app.venues.desk(&bench.account).await.unwrap();
    assert_eq!(markets(&bench), 1);
    bench.clock.advance(Duration::from_secs(3_700));
    bench.app.venues.desk(&bench.account).await.unwrap();
    bench.app.venues.desk(&bench.account).await.unwrap();
    let nobody = orrery_venues::Exchanges::open(&*bench.exchanges, Venue::Binance, None).unwrap();
    let mut waited = 0;
    while nobody.markets_age().unwrap() > Duration::from_secs(60) {
        waited += 1;
        assert!(waited < 1_000, "they were not fetched");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(markets(&bench), 2, "once, and beside what is going on");
    bench.tasks.drain().await;
}
