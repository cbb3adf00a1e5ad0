//! The exchange `paper` on its stores: fills, refusals, restarts, and crashes at every step.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its failure")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orrery_app::events::Events;
use orrery_app::ledger_writer::{LedgerSettings, LedgerWriter};
use orrery_app::paper::{PaperExchange, PaperPorts, PaperSettings};
use orrery_app::tasks::Tasks;
use orrery_kernel::{Asset, Clock as _, Timestamp};
use orrery_ledger::{AuditSink, Bucket, Entry, Kind, LedgerStore, Owner, Posted, Verifier};
use orrery_store_memory::{MemoryLedger, MemoryPaper};
use orrery_store_sqlite::{Fault, Options, Sqlite};
use orrery_testkit::fakes::{ManualClock, SeededEntropy};
use orrery_venues::paper::{OrderQuery, PaperPrices, PaperStore, Reference, TradeQuery, Which, markets};
use orrery_venues::unified::{OrderBook, Side};
use orrery_venues::{Desk, ErrorClass, Fields, Found, NewOrder, Number, Outcome, Permit, json};
use serde_json::Value;
use tokio::sync::Notify;

const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);

fn n(digits: &str) -> Number {
    Number::parse(digits).unwrap()
}

/// A price of BTC/USDT that tests set: half a bitcoin at each of three prices, ten dollars apart.
#[derive(Default)]
struct Board {
    price: Mutex<Option<Reference>>,
    /// What is said after so many questions only.
    coming: AtomicI64,
    questions: AtomicI64,
}

impl Board {
    fn set(&self, bid: &str, ask: &str, at: Timestamp) {
        let level = |price: &str, by: i64| (n(&(price.parse::<i64>().unwrap() + by).to_string()), n("0.5"));
        let depth = OrderBook {
            bids: [0, -10, -20].map(|by| level(bid, by)).to_vec(),
            asks: [0, 10, 20].map(|by| level(ask, by)).to_vec(),
            ..OrderBook::default()
        };
        *self.price.lock().unwrap() = Some(Reference { bid: n(bid), ask: n(ask), last: None, depth: Some(depth), at });
    }
}

impl PaperPrices for Board {
    fn reference(&self, symbol: &str, _: Timestamp) -> Option<Reference> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        let there = self.coming.load(Ordering::SeqCst) <= 0 && symbol == "BTC/USDT";
        self.price.lock().unwrap().clone().filter(|_| there)
    }

    fn is_coming(&self, symbol: &str) -> bool {
        symbol == "BTC/USDT" && self.coming.fetch_sub(1, Ordering::SeqCst) > 0
    }
}

/// A store in which a process can be killed: after so many statements none works any more.
#[derive(Clone)]
struct Stores {
    paper: Arc<dyn PaperStore>,
    ledger: Arc<dyn LedgerStore>,
    left: Arc<AtomicI64>,
    killed: Arc<Notify>,
}

impl Stores {
    fn memory() -> Self {
        let (paper, ledger) = (Arc::new(MemoryPaper::default()), Arc::new(MemoryLedger::default()));
        Self { paper, ledger, left: Arc::new(AtomicI64::new(i64::MAX)), killed: Arc::default() }
    }

    async fn sqlite() -> Self {
        let left = Arc::new(AtomicI64::new(i64::MAX));
        let killed: Arc<Notify> = Arc::default();
        let (counted, told) = (left.clone(), killed.clone());
        let fault: Fault = Arc::new(move |_| {
            let alive = counted.fetch_sub(1, Ordering::SeqCst) > 0;
            if !alive {
                told.notify_one();
            }
            alive.then_some(()).ok_or_else(|| "the process was killed".to_owned())
        });
        let store =
            Sqlite::open("sqlite::memory:", Options { fault: Some(fault), ..Options::default() }).await.unwrap();
        store.migrate().await.unwrap();
        let store = Arc::new(store);
        Self { paper: store.clone(), ledger: store, left, killed }
    }

    async fn all() -> [Self; 2] {
        [Self::memory(), Self::sqlite().await]
    }
}

/// One process at the stores.
struct Bench {
    exchange: Arc<PaperExchange>,
    board: Arc<Board>,
    clock: Arc<ManualClock>,
    stores: Stores,
    tasks: Tasks,
}

impl Bench {
    fn on(stores: &Stores) -> Self {
        let (clock, board) = (Arc::new(ManualClock::at(NOW)), Arc::new(Board::default()));
        board.set("60000", "60010", NOW);
        Self::with(stores, clock, board, 7)
    }

    fn with(stores: &Stores, clock: Arc<ManualClock>, board: Arc<Board>, seed: u64) -> Self {
        let tasks = Tasks::new();
        let settings = LedgerSettings::default();
        let writer = LedgerWriter::start(stores.ledger.clone(), clock.clone(), &settings, Events::default(), &tasks);
        let ports = PaperPorts {
            store: stores.paper.clone(),
            ledger: stores.ledger.clone(),
            writer,
            prices: board.clone(),
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::new(seed)),
        };
        let exchange = PaperExchange::new(ports, PaperSettings::default());
        Self { exchange, board, clock, stores: stores.clone(), tasks }
    }

    /// Another process, at the same time or after this one.
    fn again(&self) -> Self {
        Self::with(&self.stores, self.clock.clone(), self.board.clone(), 8)
    }

    fn ann(&self) -> Arc<dyn Desk> {
        self.exchange.desk("gAnn", "main")
    }

    fn ben(&self) -> Arc<dyn Desk> {
        self.exchange.desk("gBen", "main")
    }

    /// A second passes, and the price is another.
    async fn move_to(&self, bid: &str, ask: &str) {
        self.clock.advance(Duration::from_secs(1));
        self.board.set(bid, ask, self.clock.now());
        self.exchange.tick().await;
    }
}

async fn call(desk: &Arc<dyn Desk>, method: &str, arguments: &str) -> Result<Value, ErrorClass> {
    let read = json::parse(arguments).unwrap();
    let json::Json::Array(list) = &read else { panic!("a list") };
    desk.call(method, list).await.map_err(|error| error.class())
}

/// Free and held of some assets.
async fn money(desk: &Arc<dyn Desk>, tickers: &[&str]) -> Vec<(f64, f64)> {
    let all = call(desk, "fetchBalance", "[]").await.unwrap();
    let of = |map: &str, ticker: &str| all[map].get(ticker).and_then(Value::as_f64).unwrap_or(0.0);
    tickers.iter().map(|ticker| (of("free", ticker), of("used", ticker))).collect()
}

fn new_order(side: Side, amount: &str, price: Option<&str>, name: &str) -> NewOrder {
    NewOrder {
        symbol: "BTC/USDT".into(),
        order_type: if price.is_some() { "limit" } else { "market" }.into(),
        side,
        amount: Some(n(amount)),
        price: price.map(n),
        params: Fields::new().with("clientOrderId", name),
    }
}

/// Entries, beside what the verifier says of them.
#[derive(Default)]
struct Audit(Verifier, Vec<Entry>);

impl AuditSink for Audit {
    fn entry(&mut self, posted: Posted) {
        self.1.push(posted.entry.clone());
        self.0.entry(posted);
    }
    fn balance(&mut self, account: orrery_ledger::Account, balance: i64) {
        self.0.balance(account, balance);
    }
    fn order(&mut self, order: orrery_ledger::Order) {
        self.0.order(order);
    }
    fn hold(&mut self, hold: orrery_ledger::Hold) {
        self.0.hold(hold);
    }
    fn loan(&mut self, loan: orrery_ledger::Loan) {
        self.0.loan(loan);
    }
    fn recorded(&mut self, row: orrery_ledger::IdemRow) {
        self.0.recorded(row);
    }
    fn corrupt(&mut self, what: &str) {
        self.0.corrupt(what);
    }
}

/// The journal holds up, every trade is in it once, and what is held is what open orders hold.
async fn audit(stores: &Stores) {
    let mut audit = Audit::default();
    stores.ledger.audit(&mut audit).await.unwrap();
    let Audit(verifier, entries) = audit;
    let report = verifier.finish();
    assert!(report.is_ok(), "{:?}", report.faults);
    let mut held: BTreeMap<(Box<str>, Asset), i64> = BTreeMap::new();
    let mut trades = 0;
    let mut accounts: Vec<Box<str>> = Vec::new();
    for account in entries.iter().flat_map(|entry| &entry.legs).flat_map(|leg| [&leg.from, &leg.to]) {
        if let Owner::Paper(name) = &account.owner
            && !accounts.contains(name)
        {
            accounts.push(name.clone());
        }
    }
    // no test trades elsewhere
    for market in markets().iter().filter(|market| market.symbol == "BTC/USDT") {
        let symbol = Some(market.symbol.clone());
        let query = TradeQuery { account: None, symbol, order: None, since: None, limit: 1_000 };
        trades += stores.paper.paper_trades(&query).await.unwrap().len();
        let kept = stores.paper.paper_market(&market.symbol).await.unwrap();
        for order in kept.live {
            let asset = if order.side == Side::Buy { market.quote } else { market.base };
            *held.entry((order.account.as_str().into(), asset)).or_default() += order.left;
        }
    }
    assert_eq!(entries.iter().filter(|entry| entry.kind == Kind::PaperFill).count(), trades);
    for account in accounts {
        let (balances, _) = stores.ledger.balances(&Owner::Paper(account.clone())).await.unwrap();
        for (of, balance) in balances.into_iter().filter(|(of, _)| of.bucket == Bucket::Reserved) {
            assert_eq!(held.remove(&(account.clone(), of.asset)).unwrap_or(0), balance, "{of}");
        }
    }
    assert!(held.values().all(|held| *held == 0), "{held:?}");
}

#[tokio::test]
async fn orders_are_filled_and_paid() {
    for stores in Stores::all().await {
        let bench = Bench::on(&stores);
        let ann = bench.ann();
        assert_eq!(money(&ann, &["USDT", "BTC"]).await, [(10_000.0, 0.0), (0.0, 0.0)]);
        let bought = call(&ann, "createMarketBuyOrder", r#"["BTC/USDT", 0.1]"#).await.unwrap();
        assert_eq!(
            (&bought["status"], &bought["filled"], &bought["average"]),
            (&"closed".into(), &0.1.into(), &60_010.0.into())
        );
        assert_eq!((&bought["fee"]["cost"], &bought["fee"]["currency"]), (&0.0001.into(), &"BTC".into()));
        assert_eq!(bought["trades"][0]["takerOrMaker"], "taker");
        assert_eq!(money(&ann, &["USDT", "BTC"]).await, [(3_999.0, 0.0), (0.0999, 0.0)]);
        let sold = call(&ann, "createLimitSellOrder", r#"["BTC/USDT", 0.05, 60020]"#).await.unwrap();
        assert_eq!((&sold["status"], &sold["remaining"]), (&"open".into(), &0.05.into()));
        assert_eq!(money(&ann, &["BTC"]).await, [(0.0499, 0.05)]);
        let book = call(&ann, "fetchOrderBook", r#"["BTC/USDT", 2]"#).await.unwrap();
        // what the market order took is gone, the user's own stands before the market at its price
        assert_eq!(book["asks"], serde_json::json!([[60_010.0, 0.4], [60_020.0, 0.55]]));
        bench.move_to("60020", "60030").await;
        let order = call(&ann, "fetchOrder", &format!("[{}, \"BTC/USDT\"]", sold["id"])).await.unwrap();
        assert_eq!(
            (&order["status"], &order["cost"], &order["fee"]["cost"]),
            (&"closed".into(), &3_001.0.into(), &3.001.into())
        );
        assert_eq!(order["trades"][0]["takerOrMaker"], "maker");
        assert_eq!(money(&ann, &["USDT", "BTC"]).await, [(6_996.999, 0.0), (0.0499, 0.0)]);
        assert_eq!(call(&ann, "fetchMyTrades", r#"["BTC/USDT"]"#).await.unwrap().as_array().unwrap().len(), 2);
        assert_eq!(call(&ann, "fetchClosedOrders", "[]").await.unwrap().as_array().unwrap().len(), 2);
        audit(&stores).await;
        bench.tasks.drain().await;
    }
}

#[tokio::test]
async fn prices_are_asked_for_where_somebody_trades() {
    let bench = Bench::on(&Stores::memory());
    let (ann, questions) = (bench.ann(), || bench.board.questions.swap(0, Ordering::SeqCst));
    for _ in 0..60 {
        bench.exchange.tick().await;
    }
    assert_eq!(questions(), 0);
    // the first price takes a moment, in which the order waits
    bench.board.coming.store(3, Ordering::SeqCst);
    let order = call(&ann, "createLimitBuyOrder", r#"["BTC/USDT", 0.1, 50000]"#).await.unwrap();
    assert_eq!((&order["status"], questions()), (&"open".into(), 2));
    bench.exchange.tick().await;
    assert_eq!(questions(), 2);
    call(&ann, "cancelOrder", &format!("[{}, \"BTC/USDT\"]", order["id"])).await.unwrap();
    questions();
    for _ in 0..60 {
        bench.exchange.tick().await;
    }
    assert_eq!(questions(), 0);
    // without any it is refused at once
    bench.board.coming.store(i64::MAX, Ordering::SeqCst);
    let refused = call(&ann, "createMarketBuyOrder", r#"["ETH/USDT", 0.1]"#).await;
    assert_eq!((refused.unwrap_err(), questions()), (ErrorClass::ExchangeNotAvailable, 2));
    bench.tasks.drain().await;
}

#[tokio::test]
async fn an_order_is_filled_in_parts_and_taken_back() {
    for stores in Stores::all().await {
        let bench = Bench::on(&stores);
        let ann = bench.ann();
        let cheap = call(&ann, "createOrder", r#"["BTC/USDT", "limit", "buy", 0.16, 60000]"#).await.unwrap();
        assert_eq!(money(&ann, &["USDT"]).await, [(400.0, 9_600.0)]);
        let board =
            OrderBook { asks: vec![(n("59990"), n("0.06"))], bids: vec![(n("59980"), n("1"))], ..OrderBook::default() };
        bench.clock.advance(Duration::from_secs(1));
        let at = bench.clock.now();
        *bench.board.price.lock().unwrap() =
            Some(Reference { bid: n("59980"), ask: n("59990"), last: None, depth: Some(board), at });
        bench.exchange.tick().await;
        let open = call(&ann, "fetchOpenOrders", r#"["BTC/USDT"]"#).await.unwrap();
        assert_eq!(
            (&open[0]["filled"], &open[0]["remaining"], &open[0]["cost"]),
            (&0.06.into(), &0.1.into(), &3_600.0.into())
        );
        assert_eq!(money(&ann, &["USDT", "BTC"]).await, [(400.0, 6_000.0), (0.059_94, 0.0)]);
        let back = call(&ann, "cancelOrder", &format!("[{}]", cheap["id"])).await.unwrap();
        assert_eq!((&back["status"], &back["filled"]), (&"canceled".into(), &0.06.into()));
        assert_eq!(call(&ann, "cancelOrder", &format!("[{}]", cheap["id"])).await, Err(ErrorClass::OrderNotFound));
        assert_eq!(money(&ann, &["USDT"]).await, [(6_400.0, 0.0)]);
        let ioc = r#"["BTC/USDT", "limit", "sell", 0.05, 59980, {"timeInForce": "IOC"}]"#;
        assert_eq!(call(&ann, "createOrder", ioc).await.unwrap()["status"], "closed");
        audit(&stores).await;
        bench.tasks.drain().await;
    }
}

#[tokio::test]
async fn two_users_trade_with_each_other() {
    for stores in Stores::all().await {
        let bench = Bench::on(&stores);
        let (ann, ben) = (bench.ann(), bench.ben());
        call(&ann, "createMarketBuyOrder", r#"["BTC/USDT", 0.1]"#).await.unwrap();
        call(&ann, "createLimitSellOrder", r#"["BTC/USDT", 0.05, 60005]"#).await.unwrap();
        let bought = call(&ben, "createLimitBuyOrder", r#"["BTC/USDT", 0.02, 60008]"#).await.unwrap();
        // at the price of who was there first; what the limit was worse is free again
        assert_eq!((&bought["average"], &bought["status"]), (&60_005.0.into(), &"closed".into()));
        assert_eq!(money(&ben, &["USDT", "BTC"]).await, [(8_799.9, 0.0), (0.019_98, 0.0)]);
        assert_eq!(money(&ann, &["USDT", "BTC"]).await, [(5_197.899_9, 0.0), (0.049_9, 0.03)]);
        // another's order is not found
        let theirs = call(&ann, "fetchOpenOrders", "[]").await.unwrap()[0]["id"].clone();
        assert_eq!(call(&ben, "cancelOrder", &format!("[{theirs}]")).await, Err(ErrorClass::OrderNotFound));
        assert_eq!(call(&ben, "fetchOrder", &format!("[{theirs}]")).await, Err(ErrorClass::OrderNotFound));
        // with oneself too
        call(&ann, "createLimitBuyOrder", r#"["BTC/USDT", 0.03, 60005]"#).await.unwrap();
        assert_eq!(money(&ann, &["BTC"]).await, [(0.079_87, 0.0)]);
        audit(&stores).await;
        bench.tasks.drain().await;
    }
}

#[tokio::test]
async fn a_name_is_one_order() {
    for stores in Stores::all().await {
        let bench = Bench::on(&stores);
        let ann = bench.ann();
        let order = |price| new_order(Side::Buy, "0.01", Some(price), "mine");
        let (name, Outcome::Accepted(first)) = ann.submit(order("50000")).await else { panic!("accepted") };
        let (_, Outcome::Accepted(again)) = ann.submit(order("50000")).await else { panic!("accepted") };
        assert_eq!((name.as_str(), &first), ("mine", &again));
        let (_, Outcome::Rejected(other)) = ann.submit(order("50001")).await else { panic!("rejected") };
        assert_eq!(other.class(), ErrorClass::DuplicateOrderId);
        // in another market too; and another account's name is its own
        let elsewhere = NewOrder { symbol: "ETH/USDT".into(), ..order("50000") };
        let (_, Outcome::Rejected(other)) = ann.submit(elsewhere).await else { panic!("rejected") };
        assert_eq!(other.class(), ErrorClass::DuplicateOrderId);
        assert!(matches!(bench.ben().submit(order("50000")).await.1, Outcome::Accepted(_)));
        assert_eq!(ann.find("mine", "BTC/USDT").await.unwrap(), Found::There(first));
        assert_eq!(ann.find("nobody's", "BTC/USDT").await.unwrap(), Found::Nowhere);
        assert_eq!(money(&ann, &["USDT"]).await, [(9_500.0, 500.0)]);
        // an old price does not keep an order from being answered
        bench.clock.advance(Duration::from_secs(31));
        assert!(matches!(ann.submit(order("50000")).await.1, Outcome::Accepted(_)));
        let (_, Outcome::Rejected(old)) = ann.submit(new_order(Side::Buy, "0.01", Some("50000"), "new")).await else {
            panic!("rejected")
        };
        assert_eq!(old.class(), ErrorClass::ExchangeNotAvailable);
        assert!(old.to_string().contains("31 s old"), "{old}");
        assert_eq!(call(&ann, "cancelAllOrders", r#"["BTC/USDT"]"#).await.unwrap()[0]["status"], "canceled");
        audit(&stores).await;
        bench.tasks.drain().await;
    }
}

#[tokio::test]
async fn nothing_changes_under_a_permit_that_has_ended() {
    let bench = Bench::on(&Stores::memory());
    let leads = Arc::new(AtomicBool::new(true));
    let asked = leads.clone();
    let ann = bench.ann().under(Permit::during(move || asked.load(Ordering::SeqCst)));
    let order = |name| new_order(Side::Buy, "0.01", Some("50000"), name);
    let (_, Outcome::Accepted(placed)) = ann.submit(order("one")).await else { panic!("accepted") };
    leads.store(false, Ordering::SeqCst);
    let (_, Outcome::Rejected(withheld)) = ann.submit(order("two")).await else { panic!("rejected") };
    assert_eq!(withheld.class(), ErrorClass::OperationRejected);
    let cancel = format!("[\"{}\", \"BTC/USDT\"]", placed.id.unwrap());
    assert_eq!(call(&ann, "cancelOrder", &cancel).await, Err(ErrorClass::OperationRejected));
    assert_eq!(
        call(&ann, "createLimitBuyOrder", r#"["BTC/USDT", 0.01, 50000]"#).await,
        Err(ErrorClass::OperationRejected)
    );
    // an order that is there is answered, and what is asked too
    assert!(matches!(ann.submit(order("one")).await.1, Outcome::Accepted(_)));
    assert_eq!(call(&ann, "fetchOpenOrders", r#"["BTC/USDT"]"#).await.unwrap().as_array().unwrap().len(), 1);
    assert_eq!(call(&bench.ann(), "cancelOrder", &cancel).await.unwrap()["status"], "canceled");
    bench.tasks.drain().await;
}

#[tokio::test]
async fn refusals_have_their_classes_and_change_nothing() {
    let stores = Stores::sqlite().await;
    let bench = Bench::on(&stores);
    let ann = bench.ann();
    for (method, arguments, class) in [
        ("createOrder", r#"["BTC/USDT", "limit", "buy", 1, 50000]"#, ErrorClass::InsufficientFunds),
        ("createOrder", r#"["BTC/USDT", "limit", "sell", 0.001, 70000]"#, ErrorClass::InsufficientFunds),
        ("createOrder", r#"["BTC/USDT", "limit", "buy", 0.00001, 50000]"#, ErrorClass::InvalidOrder),
        ("createOrder", r#"["BTC/USDT", "limit", "buy", 0.000001, 50000]"#, ErrorClass::InvalidOrder),
        ("createOrder", r#"["BTC/USDT", "limit", "buy", 0.1]"#, ErrorClass::InvalidOrder),
        ("createOrder", r#"["BTC/USDT", "limit", "up", 0.1, 50000]"#, ErrorClass::InvalidOrder),
        ("createOrder", r#"["BTC/USDT", "stop", "buy", 0.1, 50000]"#, ErrorClass::InvalidOrder),
        (
            "createOrder",
            r#"["BTC/USDT", "limit", "buy", 0.1, 50000, {"timeInForce": "GTX"}]"#,
            ErrorClass::InvalidOrder,
        ),
        ("createOrder", r#"["BTC/USDT", "limit", "buy", 0.1, 50000, {"stopPrice": 1}]"#, ErrorClass::NotSupported),
        (
            "createOrder",
            r#"["BTC/USDT", "limit", "buy", 0.1, 60010, {"postOnly": true}]"#,
            ErrorClass::OrderImmediatelyFillable,
        ),
        ("createOrder", r#"["BTC/USDT:USDT", "limit", "buy", 0.1, 50000]"#, ErrorClass::BadSymbol),
        ("createOrder", r#"["ETH/USDT", "limit", "buy", 0.1, 3000]"#, ErrorClass::ExchangeNotAvailable),
        ("createOrder", r#"["BTC/USDT"]"#, ErrorClass::ArgumentsRequired),
        ("fetchOrder", r#"["BTCUSDT-77"]"#, ErrorClass::OrderNotFound),
        ("fetchOrder", r#"["77"]"#, ErrorClass::OrderNotFound),
        ("fetchTicker", r#"["BTC/INR"]"#, ErrorClass::BadSymbol),
        ("fetchOHLCV", r#"["BTC/USDT", "7m"]"#, ErrorClass::BadRequest),
        ("fetchOHLCV", r#"["BTC/USDT", "1m"]"#, ErrorClass::NotSupported),
        ("setLeverage", "[10]", ErrorClass::NotSupported),
        ("withdraw", "[]", ErrorClass::NotSupported),
    ] {
        assert_eq!(call(&ann, method, arguments).await, Err(class), "{method} {arguments}");
    }
    assert_eq!(money(&ann, &["USDT"]).await, [(10_000.0, 0.0)]);
    // by cost, cut to whole lots
    let bought = call(&ann, "createMarketBuyOrderWithCost", r#"["BTC/USDT", 1000]"#).await.unwrap();
    assert_eq!((&bought["filled"], &bought["cost"]), (&0.016_66.into(), &999.766_6.into()));
    for method in ["fetchTime", "fetchStatus", "loadMarkets", "fetchMarkets", "fetchTickers", "has", "fetchOrders"] {
        assert!(call(&ann, method, "[]").await.is_ok(), "{method}");
    }
    assert_eq!(call(&ann, "fetchTicker", r#"["BTC/USDT"]"#).await.unwrap()["bid"], 60_000.0);
    assert_eq!(call(&ann, "fetchTrades", r#"["BTC/USDT"]"#).await.unwrap()[0]["side"], "buy");
    assert_eq!(call(&ann, "fetchTradingFee", r#"["BTC/USDT"]"#).await.unwrap()["taker"], 0.001);
    audit(&stores).await;
    bench.tasks.drain().await;
}

#[tokio::test]
async fn orders_survive_a_restart_and_two_processes_share_them() {
    for stores in Stores::all().await {
        let one = Bench::on(&stores);
        let placed = call(&one.ann(), "createLimitBuyOrder", r#"["BTC/USDT", 0.1, 59000]"#).await.unwrap();
        let other = one.again();
        other.exchange.recover().await.unwrap();
        let (ann, ben) = (other.ann(), other.ben());
        assert_eq!(call(&ann, "fetchOpenOrders", "[]").await.unwrap()[0]["id"], placed["id"]);
        // each finds what the other did since it last looked
        for turn in 0..6 {
            let (here, there) = if turn % 2 == 0 { (&one, &other) } else { (&other, &one) };
            let arguments = format!(r#"["BTC/USDT", 0.001, {}]"#, 50_000 + turn);
            let made = call(&here.ben(), "createLimitBuyOrder", &arguments).await.unwrap();
            let back = call(&there.ben(), "cancelOrder", &format!("[{}]", made["id"])).await;
            assert_eq!(back.map(|order| order["status"].clone()), Ok("canceled".into()), "turn {turn}");
        }
        other.move_to("58980", "58990").await;
        let filled = call(&ann, "fetchOrder", &format!("[{}]", placed["id"])).await.unwrap();
        assert_eq!((&filled["status"], &filled["average"]), (&"closed".into(), &59_000.0.into()));
        one.exchange.tick().await;
        assert_eq!(money(&ben, &["USDT"]).await, [(10_000.0, 0.0)]);
        audit(&stores).await;
        one.tasks.drain().await;
        other.tasks.drain().await;
    }
}

/// What a process does until it is killed; all of it changes something.
async fn work(bench: &Bench) {
    let (ann, ben) = (bench.ann(), bench.ben());
    ann.submit(new_order(Side::Buy, "0.12", None, "one")).await;
    ann.submit(new_order(Side::Sell, "0.05", Some("60005"), "two")).await;
    ben.submit(new_order(Side::Buy, "0.08", Some("60010"), "three")).await;
    ben.submit(new_order(Side::Buy, "0.05", Some("59000"), "four")).await;
    let _ = call(&ben, "cancelAllOrders", "[]").await;
    ben.submit(new_order(Side::Buy, "0.02", Some("59500"), "five")).await;
    bench.move_to("59400", "59450").await;
}

#[tokio::test]
async fn a_process_killed_at_any_statement_leaves_nothing_half_done() {
    let whole = Stores::sqlite().await;
    let bench = Bench::on(&whole);
    whole.left.store(1_000_000, Ordering::SeqCst);
    work(&bench).await;
    let statements = 1_000_000 - whole.left.load(Ordering::SeqCst);
    audit(&whole).await;
    bench.tasks.drain().await;
    assert!(statements > 50, "{statements}");
    // all of them hold, in a minute; a stride that fits no transaction meets every place in some
    for killed_at in (0..statements).step_by(5) {
        let stores = Stores::sqlite().await;
        let dead = Bench::on(&stores);
        stores.left.store(killed_at, Ordering::SeqCst);
        tokio::select! {
            biased;
            () = stores.killed.notified() => {}
            () = work(&dead) => panic!("nothing killed it at {killed_at}"),
        }
        // what was on its way to the journal may arrive still
        stores.left.store(i64::MAX, Ordering::SeqCst);
        let next = dead.again();
        dead.tasks.drain().await;
        next.exchange.recover().await.unwrap();
        audit(&stores).await;
        // asked again for what it was not told of, it does it once
        work(&next).await;
        audit(&stores).await;
        for (account, name) in [("gAnn", "one"), ("gAnn", "two"), ("gBen", "three"), ("gBen", "four"), ("gBen", "five")]
        {
            let found = next.exchange.desk(account, "main").find(name, "BTC/USDT").await.unwrap();
            assert!(matches!(found, Found::There(_)), "killed at {killed_at}: {name} is {found:?}");
        }
        next.tasks.drain().await;
    }
}

#[tokio::test]
async fn an_order_that_nobody_waits_for_is_taken_back() {
    let stores = Stores::sqlite().await;
    let bench = Bench::on(&stores);
    bench.ann().submit(new_order(Side::Buy, "0.01", Some("50000"), "before")).await;
    // killed between writing the order down and the ledger's entry
    let mut query = OrderQuery { account: String::new(), symbol: None, which: Which::Live, since: None, limit: 9 };
    let open = stores.paper.paper_market("BTC/USDT").await.unwrap();
    query.account.clone_from(&open.live[0].account);
    let pending = orrery_venues::paper::PaperOrder {
        n: 2,
        client_id: Some("lost".into()),
        status: orrery_venues::paper::PaperStatus::Pending,
        ..open.live[0].clone()
    };
    let step = orrery_venues::paper::Step {
        symbol: "BTC/USDT".into(),
        seen: open.version,
        orders: vec![pending],
        ..Default::default()
    };
    stores.paper.paper_step(&step).await.unwrap();
    bench.clock.advance(Duration::from_secs(11));
    let next = bench.again();
    next.exchange.recover().await.unwrap();
    let Found::There(lost) = next.ann().find("lost", "BTC/USDT").await.unwrap() else { panic!("there") };
    assert_eq!(lost.status, Some(orrery_venues::unified::OrderStatus::Canceled));
    assert_eq!(stores.paper.paper_orders(&query).await.unwrap().len(), 1);
    assert_eq!(money(&next.ann(), &["USDT"]).await, [(9_500.0, 500.0)]);
    audit(&stores).await;
    bench.tasks.drain().await;
    next.tasks.drain().await;
}
