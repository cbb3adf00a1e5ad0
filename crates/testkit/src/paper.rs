//! The contract of the port of the exchange `paper`.

use std::sync::Arc;

use orrery_kernel::Timestamp;
use orrery_venues::paper::{
    OrderQuery, PaperKind, PaperOrder, PaperState, PaperStatus, PaperStore, PaperTrade, Party, Step, Stepped,
    TimeInForce, TradeQuery, Which,
};
use orrery_venues::unified::Side;

/// A store under test.
pub type Store = Arc<dyn PaperStore>;

const BTC: &str = "BTC/USDT";
const ETH: &str = "ETH/USDT";

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(1_760_000_000 + second)
}

/// An open order, made in the second of its number.
fn order(symbol: &str, n: i64, account: &str, client_id: Option<&str>) -> PaperOrder {
    PaperOrder {
        symbol: symbol.into(),
        n,
        account: account.into(),
        client_id: client_id.map(Into::into),
        side: if n % 2 == 0 { Side::Sell } else { Side::Buy },
        kind: PaperKind::Limit,
        time_in_force: TimeInForce::Gtc,
        price: 9_000_000_000_000,
        lots: 10,
        filled: 0,
        cost: 0,
        fee: 0,
        held: 500,
        left: 500,
        status: PaperStatus::Open,
        created_at: at(n),
        updated_at: at(n),
        traded_at: None,
    }
}

fn trade(symbol: &str, n: i64, buyer: Option<(&str, i64)>, seller: Option<(&str, i64)>) -> PaperTrade {
    let party = |(account, order): (&str, i64)| Party { account: account.into(), order, fee: n };
    PaperTrade {
        symbol: symbol.into(),
        n,
        price: 100 + n,
        lots: n,
        taker: Side::Buy,
        buyer: buyer.map(party),
        seller: seller.map(party),
        freed: 3,
        at: at(n),
    }
}

fn step(symbol: &str, seen: i64, orders: Vec<PaperOrder>, trades: Vec<PaperTrade>) -> Step {
    Step { symbol: symbol.into(), seen, settled: 0, orders, trades }
}

async fn take(store: &Store, step: Step) -> Stepped {
    store.paper_step(&step).await.expect("the store answers")
}

async fn market(store: &Store, symbol: &str) -> PaperState {
    store.paper_market(symbol).await.expect("the store answers")
}

/// A market is what its steps made of it, and says what the ledger may not have yet.
pub async fn kept_by_steps(store: Store) {
    assert_eq!(market(&store, BTC).await, PaperState::default());
    assert_eq!(store.paper_versions().await.expect("answers"), []);
    let (one, two) = (order(BTC, 1, "a", Some("x")), order(BTC, 2, "b", None));
    let pending = PaperOrder { status: PaperStatus::Pending, ..one.clone() };
    assert_eq!(take(&store, step(BTC, 0, vec![pending.clone(), two.clone()], vec![])).await, Stepped::Done);
    let state = PaperState { version: 1, orders: 2, live: vec![pending, two.clone()], ..PaperState::default() };
    assert_eq!(market(&store, BTC).await, state);
    assert_eq!(market(&store, ETH).await, PaperState::default());
    assert_eq!(store.paper_version(BTC).await.expect("answers"), 1);
    assert_eq!(store.paper_version(ETH).await.expect("answers"), 0);
    assert_eq!(store.paper_versions().await.expect("answers"), [(BTC.to_owned(), 1)]);

    let filled = PaperOrder {
        filled: 10,
        cost: 77,
        fee: 5,
        left: 0,
        status: PaperStatus::Closed,
        updated_at: at(50),
        traded_at: Some(at(50)),
        ..one
    };
    let partly = PaperOrder { filled: 3, left: 100, ..two.clone() };
    let fill = trade(BTC, 1, Some(("a", 1)), Some(("b", 2)));
    let next = step(BTC, 1, vec![filled.clone(), partly.clone()], vec![fill.clone()]);
    assert_eq!(take(&store, next).await, Stepped::Done);
    let due = PaperState {
        version: 2,
        settled: 0,
        orders: 2,
        trades: 1,
        live: vec![partly.clone()],
        due: vec![fill],
        over: vec![filled.clone()],
    };
    assert_eq!(market(&store, BTC).await, due);
    let over = PaperOrder { status: PaperStatus::Canceled, ..partly };
    let settled = Step { settled: 2, ..step(BTC, 2, vec![over.clone()], vec![]) };
    assert_eq!(take(&store, settled).await, Stepped::Done);
    let state = market(&store, BTC).await;
    assert_eq!((state.settled, state.due, state.over, state.live), (2, vec![], vec![over.clone()], vec![]));
    assert_eq!(store.paper_order(BTC, 1).await.expect("answers"), Some(filled.clone()));
    assert_eq!(store.paper_order(BTC, 3).await.expect("answers"), None);
    assert_eq!(store.paper_order(ETH, 1).await.expect("answers"), None);
    assert_eq!(store.paper_order_named("a", "x").await.expect("answers"), Some(filled));
    assert_eq!(store.paper_order_named("b", "x").await.expect("answers"), None);
}

/// Of steps on the same version one is taken, and of orders of one name.
pub async fn one_of_two_steps(store: Store) {
    for seen in 0..20 {
        let name = |of: &str| format!("{of}{seen}");
        let one = step(BTC, seen, vec![order(BTC, seen + 1, "a", Some(&name("one")))], vec![]);
        let other = step(BTC, seen, vec![order(BTC, seen + 1, "a", Some(&name("other")))], vec![]);
        let (one, other) = tokio::join!(take(&store, one), take(&store, other));
        assert!(
            [one, other].contains(&Stepped::Done) && [one, other].contains(&Stepped::Outdated),
            "{one:?} {other:?}"
        );
    }
    assert_eq!(market(&store, BTC).await.live.len(), 20);
    let taken = store.paper_order(BTC, 1).await.expect("answers").and_then(|order| order.client_id).expect("a name");
    assert_eq!(take(&store, step(ETH, 0, vec![order(ETH, 1, "a", Some(&taken))], vec![])).await, Stepped::NameTaken);
    assert_eq!(market(&store, ETH).await, PaperState::default());
    assert_eq!(take(&store, step(ETH, 0, vec![order(ETH, 1, "b", Some(&taken))], vec![])).await, Stepped::Done);
    // an order that changes keeps its name
    assert_eq!(take(&store, step(ETH, 1, vec![order(ETH, 1, "b", Some(&taken))], vec![])).await, Stepped::Done);
}

/// Lists are of one account, oldest first; from a time on the first are given, else the last.
pub async fn lists(store: Store) {
    let with = |n, status| PaperOrder { status, ..order(BTC, n, "a", None) };
    let orders = vec![
        with(1, PaperStatus::Closed),
        with(2, PaperStatus::Canceled),
        with(3, PaperStatus::Expired),
        with(4, PaperStatus::Rejected),
        with(5, PaperStatus::Open),
        with(6, PaperStatus::Pending),
        order(BTC, 7, "b", None),
    ];
    let trades = vec![
        trade(BTC, 1, Some(("a", 1)), None),
        trade(BTC, 2, None, Some(("a", 2))),
        trade(BTC, 3, Some(("b", 7)), Some(("a", 2))),
        trade(BTC, 4, Some(("b", 7)), None),
    ];
    take(&store, step(BTC, 0, orders, trades)).await;
    take(&store, step(ETH, 0, vec![order(ETH, 1, "a", None)], vec![trade(ETH, 1, Some(("a", 1)), None)])).await;
    let orders = async |symbol: Option<&str>, which, since: Option<i64>, limit| {
        let (account, symbol, since) = ("a".into(), symbol.map(Into::into), since.map(at));
        let query = OrderQuery { account, symbol, which, since, limit };
        let found = store.paper_orders(&query).await.expect("answers");
        found.into_iter().map(|order| (order.symbol == BTC, order.n)).collect::<Vec<_>>()
    };
    assert_eq!(orders(Some(BTC), Which::Live, None, 9).await, [(true, 5), (true, 6)]);
    assert_eq!(orders(None, Which::Live, None, 9).await, [(false, 1), (true, 5), (true, 6)]);
    assert_eq!(orders(None, Which::Closed, None, 9).await, [(true, 1)]);
    assert_eq!(orders(None, Which::Canceled, None, 9).await, [(true, 2), (true, 3)]);
    assert_eq!(orders(Some(BTC), Which::All, None, 2).await, [(true, 5), (true, 6)]);
    assert_eq!(orders(Some(BTC), Which::All, Some(2), 2).await, [(true, 2), (true, 3)]);
    let trades = async |account: Option<&str>, symbol: Option<&str>, order, since: Option<i64>, limit| {
        let (account, symbol, since) = (account.map(Into::into), symbol.map(Into::into), since.map(at));
        let query = TradeQuery { account, symbol, order, since, limit };
        let found = store.paper_trades(&query).await.expect("answers");
        found.into_iter().map(|trade| (trade.symbol == BTC, trade.n)).collect::<Vec<_>>()
    };
    assert_eq!(trades(Some("a"), None, None, None, 9).await, [(true, 1), (false, 1), (true, 2), (true, 3)]);
    assert_eq!(trades(Some("a"), Some(BTC), Some(2), None, 9).await, [(true, 2), (true, 3)]);
    assert_eq!(trades(Some("b"), None, None, Some(0), 1).await, [(true, 3)]);
    assert_eq!(trades(None, Some(BTC), None, None, 2).await, [(true, 3), (true, 4)]);
    assert_eq!(trades(None, Some(BTC), None, Some(2), 2).await, [(true, 2), (true, 3)]);
}

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! paper_contract {
    ($make:expr) => {
        $crate::paper_contract!($make; kept_by_steps, one_of_two_steps, lists);
    };
    ($make:expr; $($name:ident),*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::paper::$name($make.await).await;
            }
        )*
    };
}
