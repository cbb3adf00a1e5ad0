//! What holds for every sequence of commands.

use std::collections::BTreeMap;
use std::sync::Arc;

use orrery_kernel::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::Number;
use crate::unified::{OrderBook, Side};

const START: Timestamp = Timestamp::from_secs(1_760_000_000);

fn market() -> Arc<PaperMarket> {
    markets().iter().find(|market| market.symbol == "ETH/USDT").unwrap().clone()
}

fn n(digits: &str) -> Number {
    Number::parse(digits).unwrap()
}

fn reference(bid: i64, ask: i64, second: i64) -> Reference {
    let market = market();
    let (bid, ask) = (market.price_number(bid), market.price_number(ask));
    Reference { bid, ask, last: None, depth: None, at: Timestamp::from_secs(START.secs() + second) }
}

/// A market around 1,000 with 0.5 ETH a level, 10.00 apart.
fn thin(bid: i64, ask: i64, second: i64) -> Reference {
    let market = market();
    let level = |price: i64| (market.price_number(price), n("0.5"));
    let depth = OrderBook {
        bids: (0..3).map(|i| level(bid - i * 1_000)).collect(),
        asks: (0..3).map(|i| level(ask + i * 1_000)).collect(),
        ..OrderBook::default()
    };
    Reference { depth: Some(depth), ..reference(bid, ask, second) }
}

/// An order whose money is held.
fn order(n: i64, account: &str, side: Side, price: i64, lots: i64) -> PaperOrder {
    let market = market();
    let held = if side == Side::Buy { market.cost(price, lots) } else { market.amount(lots) };
    PaperOrder {
        symbol: market.symbol.clone(),
        n,
        account: account.into(),
        client_id: None,
        side,
        kind: PaperKind::Limit,
        time_in_force: TimeInForce::Gtc,
        price,
        lots,
        filled: 0,
        cost: 0,
        fee: 0,
        held,
        left: held,
        status: PaperStatus::Pending,
        created_at: START,
        updated_at: START,
        traded_at: None,
    }
}

fn engine() -> Engine {
    let mut engine = Engine::new(market(), PaperFees::default(), Vec::new(), 0);
    engine.refer(&thin(99_000, 101_000, 0), START).unwrap();
    engine
}

fn prices(changes: &Changes) -> Vec<(i64, i64)> {
    changes.trades.iter().map(|trade| (trade.price, trade.lots)).collect()
}

#[test]
fn an_order_walks_up_what_stands_there_and_rests() {
    let mut engine = engine();
    let changes = engine.place(order(1, "a", Side::Buy, 102_000, 12_000), START);
    // the third level is beyond the limit
    assert_eq!(prices(&changes), [(101_000, 5_000), (102_000, 5_000)]);
    let one = &changes.orders[&1];
    assert_eq!((one.status, one.remaining(), one.left), (PaperStatus::Open, 2_000, market().cost(102_000, 2_000)));
    assert_eq!(changes.trades[0].freed, market().cost(1_000, 5_000), "the limit was worse than the price");
    assert_eq!(engine.depth(1), [vec![(102_000, 2_000)], vec![(103_000, 5_000)]]);
    // 0.1 % of what was received
    assert_eq!(one.fee, market().amount(10));
}

#[test]
fn users_meet_at_the_price_of_who_was_there_first() {
    let mut engine = engine();
    for (number, price) in [(1, 100_000), (2, 100_500), (3, 100_500)] {
        engine.place(order(number, "a", Side::Buy, price, 1_000), START);
    }
    let changes = engine.place(order(4, "b", Side::Sell, 100_000, 2_500), START);
    assert_eq!(prices(&changes), [(100_500, 1_000), (100_500, 1_000), (100_000, 500)]);
    let buyers: Vec<_> = changes.trades.iter().filter_map(|t| Some(t.buyer.as_ref()?.order)).collect();
    assert_eq!(buyers, [2, 3, 1]);
    assert!(changes.trades.iter().all(|t| t.taker == Side::Sell && t.freed == 0));
    assert_eq!(changes.orders[&4].status, PaperStatus::Closed);
    assert_eq!(engine.open().map(|o| (o.n, o.remaining())).collect::<Vec<_>>(), [(1, 500)]);
}

#[test]
fn a_price_that_crosses_fills_as_far_as_it_goes() {
    let mut engine = engine();
    engine.place(order(1, "a", Side::Buy, 98_500, 7_000), START);
    let crossed = engine.refer(&thin(97_000, 98_000, 1), START).unwrap();
    // at its own price, 0.5 of the 0.7: the next level is beyond
    assert_eq!(prices(&crossed), [(98_500, 5_000)]);
    let again = engine.refer(&thin(97_000, 98_000, 1), START).unwrap();
    assert_eq!(again, Changes::default(), "what was taken is back with the next price only");
    let rest = engine.refer(&thin(97_000, 98_000, 2), START).unwrap();
    assert_eq!((prices(&rest), rest.orders[&1].status), (vec![(98_500, 2_000)], PaperStatus::Closed));
    assert!(engine.refer(&reference(98_000, 97_000, 3), START).is_err());
}

#[test]
fn orders_that_do_not_stay() {
    let mut engine = engine();
    let with = |time_in_force, order| PaperOrder { time_in_force, ..order };
    let ioc = engine.place(with(TimeInForce::Ioc, order(1, "a", Side::Buy, 101_000, 6_000)), START);
    assert_eq!((prices(&ioc), ioc.orders[&1].status), (vec![(101_000, 5_000)], PaperStatus::Expired));
    assert_eq!(ioc.orders[&1].released(), market().cost(101_000, 1_000));
    let fok = engine.place(with(TimeInForce::Fok, order(2, "a", Side::Buy, 103_000, 10_001)), START);
    assert_eq!((fok.trades.len(), fok.orders[&2].released()), (0, market().cost(103_000, 10_001)));
    let fok = engine.place(with(TimeInForce::Fok, order(3, "a", Side::Buy, 103_000, 10_000)), START);
    assert_eq!(fok.orders[&3].status, PaperStatus::Closed);
    let po = engine.place(with(TimeInForce::Po, order(4, "a", Side::Sell, 99_000, 10)), START);
    assert_eq!((po.trades.len(), po.orders[&4].status), (0, PaperStatus::Expired));
    let po = engine.place(with(TimeInForce::Po, order(5, "a", Side::Sell, 99_001, 10)), START);
    assert_eq!(po.orders[&5].status, PaperStatus::Open);
    assert_eq!(engine.cancel(5, START).unwrap().orders[&5].released(), market().amount(10));
    assert_eq!(engine.cancel(5, START), None);
}

#[test]
fn a_market_order_is_planned_as_it_is_filled() {
    let mut engine = engine();
    engine.place(order(1, "a", Side::Sell, 100_000, 1_000), START);
    let planned = engine.plan(Side::Buy, Size::Lots(7_000));
    assert_eq!((planned.lots, planned.worst), (7_000, 102_000));
    let by_cost = engine.plan(Side::Buy, Size::Cost(planned.cost));
    assert_eq!(by_cost, planned);
    let market_order = PaperOrder {
        kind: PaperKind::Market,
        time_in_force: TimeInForce::Ioc,
        held: planned.cost,
        left: planned.cost,
        ..order(2, "b", Side::Buy, planned.worst, 7_000)
    };
    let changes = engine.place(market_order, START);
    assert_eq!((changes.orders[&2].cost, changes.orders[&2].left), (planned.cost, 0));
    assert_eq!(engine.plan(Side::Buy, Size::Lots(1_000_000)).lots, 9_000, "no more than there is");
    assert_eq!(engine.plan(Side::Buy, Size::Cost(1)), Planned::default());
}

#[derive(Debug, Clone)]
enum Op {
    Place { account: u8, buy: bool, price: i64, lots: i64, how: u8 },
    Cancel(u8),
    Refer(i64, i64, bool),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => (0_u8..3, any::<bool>(), -40_i64..40, 1_i64..20_000, 0_u8..6)
            .prop_map(|(account, buy, price, lots, how)| {
                Op::Place { account, buy, price: 100_000 + price * 50, lots, how }
            }),
        2 => any::<u8>().prop_map(Op::Cancel),
        2 => (-30_i64..30, 1_i64..400, any::<bool>()).prop_map(|(at, spread, thin)| Op::Refer(at, spread, thin)),
    ];
    proptest::collection::vec(op, 1..60)
}

/// Money by owner: free and held, of base and quote.
#[derive(Debug, Default, PartialEq)]
struct Books(BTreeMap<String, [i128; 4]>);

impl Books {
    fn of(&mut self, owner: &str) -> &mut [i128; 4] {
        self.0.entry(owner.to_owned()).or_default()
    }

    fn hold(&mut self, order: &PaperOrder) {
        let (free, held) = if order.side == Side::Buy { (2, 3) } else { (0, 1) };
        let own = self.of(&order.account);
        own[free] -= i128::from(order.held);
        own[held] += i128::from(order.held);
    }

    fn apply(&mut self, market: &PaperMarket, changes: &Changes) {
        for trade in &changes.trades {
            let (amount, cost) =
                (i128::from(market.amount(trade.lots)), i128::from(market.cost(trade.price, trade.lots)));
            let (buyer, seller) = (trade.buyer.as_ref(), trade.seller.as_ref());
            let name = |party: Option<&Party>| party.map_or("house".to_owned(), |party| party.account.clone());
            let fee = |party: Option<&Party>| party.map_or(0, |party| i128::from(party.fee));
            let held = |party: Option<&Party>| usize::from(party.is_some());
            self.of(&name(buyer))[2 + held(buyer)] -= cost;
            self.of(&name(buyer))[0] += amount - fee(buyer);
            self.of(&name(seller))[held(seller)] -= amount;
            self.of(&name(seller))[2] += cost - fee(seller);
            self.of("fees")[0] += fee(buyer);
            self.of("fees")[2] += fee(seller);
            if buyer.is_some() {
                self.of(&name(buyer))[3] -= i128::from(trade.freed);
                self.of(&name(buyer))[2] += i128::from(trade.freed);
            }
        }
        for order in changes.orders.values() {
            let (free, held) = if order.side == Side::Buy { (2, 3) } else { (0, 1) };
            self.of(&order.account)[held] -= i128::from(order.released());
            self.of(&order.account)[free] += i128::from(order.released());
        }
    }
}

fn run(ops: &[Op]) -> Result<(Vec<Changes>, Books), TestCaseError> {
    let market = market();
    let (mut engine, mut books, mut all) = (engine(), Books::default(), Vec::new());
    let mut orders: BTreeMap<i64, PaperOrder> = BTreeMap::new();
    for (i, op) in ops.iter().enumerate() {
        let (i, now) = (i as i64 + 1, Timestamp::from_secs(START.secs() + i as i64 + 1));
        let changes = match op {
            Op::Refer(at, spread, true) => {
                engine.refer(&thin(100_000 + at * 50, 100_000 + at * 50 + spread, i), now).unwrap()
            }
            Op::Refer(at, spread, _) => {
                engine.refer(&reference(100_000 + at * 50, 100_000 + at * 50 + spread, i), now).unwrap()
            }
            Op::Cancel(pick) => {
                let open: Vec<_> = engine.open().map(|order| order.n).collect();
                let n = open.get(usize::from(*pick) % (open.len() + 1)).copied().unwrap_or(0);
                let changes = engine.cancel(n, now);
                prop_assert_eq!(changes.is_some(), n > 0);
                changes.unwrap_or_default()
            }
            Op::Place { account, buy, price, lots, how } => {
                let side = if *buy { Side::Buy } else { Side::Sell };
                let mut order = order(i, &format!("u{account}"), side, *price, *lots);
                match how {
                    0 => order.time_in_force = TimeInForce::Ioc,
                    1 => order.time_in_force = TimeInForce::Fok,
                    2 => order.time_in_force = TimeInForce::Po,
                    3 => {
                        let planned = engine.plan(side, Size::Lots(*lots));
                        (order.kind, order.time_in_force) = (PaperKind::Market, TimeInForce::Ioc);
                        (order.price, order.lots) = (planned.worst, planned.lots);
                        order.held = if *buy { planned.cost } else { market.amount(planned.lots) };
                        order.left = order.held;
                    }
                    _ => {}
                }
                if order.lots == 0 {
                    continue;
                }
                books.hold(&order);
                orders.insert(order.n, order.clone());
                engine.place(order, now)
            }
        };
        books.apply(&market, &changes);
        check_trades(&changes, &orders)?;
        orders.extend(changes.orders.clone());
        check_book(&engine, &orders, &books)?;
        all.push(changes);
    }
    Ok((all, books))
}

/// Nobody trades at a worse price than the order's, and orders are what their trades make of them.
fn check_trades(changes: &Changes, before: &BTreeMap<i64, PaperOrder>) -> Result<(), TestCaseError> {
    let mut filled: BTreeMap<i64, i64> = BTreeMap::new();
    for trade in &changes.trades {
        prop_assert!(trade.lots > 0 && trade.freed >= 0);
        for (side, party) in [(Side::Buy, &trade.buyer), (Side::Sell, &trade.seller)] {
            let Some(party) = party else { continue };
            let order = &before[&party.order];
            let within = if side == Side::Buy { trade.price <= order.price } else { trade.price >= order.price };
            prop_assert!(within && side == order.side && party.account == order.account && party.fee >= 0);
            *filled.entry(party.order).or_default() += trade.lots;
        }
    }
    for (n, lots) in filled {
        prop_assert_eq!(changes.orders[&n].filled, before[&n].filled + lots);
    }
    Ok(())
}

/// The book is not crossed, holds the open orders and no other, and what is held is what they hold.
fn check_book(engine: &Engine, orders: &BTreeMap<i64, PaperOrder>, books: &Books) -> Result<(), TestCaseError> {
    let [bids, asks] = engine.depth(usize::MAX);
    prop_assert!(bids.is_sorted_by(|a, b| a.0 > b.0) && asks.is_sorted_by(|a, b| a.0 < b.0));
    prop_assert!(bids.iter().chain(&asks).all(|(price, lots)| *price > 0 && *lots > 0));
    if let (Some(bid), Some(ask)) = (bids.first(), asks.first()) {
        prop_assert!(bid.0 < ask.0, "{bid:?} meets {ask:?}");
    }
    let open: Vec<_> = orders.values().filter(|order| order.status == PaperStatus::Open).collect();
    prop_assert_eq!(engine.open().collect::<Vec<_>>(), open.clone());
    let mut held: BTreeMap<(&str, usize), i128> = BTreeMap::new();
    for order in open {
        prop_assert!(order.remaining() > 0 && order.left > 0);
        *held.entry((&order.account, if order.side == Side::Buy { 3 } else { 1 })).or_default() +=
            i128::from(order.left);
    }
    for (owner, money) in &books.0 {
        for at in [1, 3] {
            prop_assert_eq!(money[at], held.get(&(owner.as_str(), at)).copied().unwrap_or(0), "held by {}", owner);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is done, nothing comes from nowhere, and what is done again is the same.
    #[test]
    fn assets_are_conserved_and_replays_are_identical(ops in ops()) {
        let (changes, books) = run(&ops)?;
        for (free, held) in [(0, 1), (2, 3)] {
            let sum: i128 = books.0.values().map(|money| money[free] + money[held]).sum();
            prop_assert_eq!(sum, 0);
        }
        let (again, same) = run(&ops)?;
        prop_assert_eq!(changes, again);
        prop_assert_eq!(books, same);
    }

    /// A market that is read back from its orders goes on as if nothing had been.
    #[test]
    fn a_restart_does_not_show(ops in ops(), price in -40_i64..40, lots in 1_i64..30_000, buy in any::<bool>()) {
        let (changes, _) = run(&ops)?;
        let mut orders: BTreeMap<i64, PaperOrder> = BTreeMap::new();
        changes.iter().for_each(|changes| orders.extend(changes.orders.clone()));
        let trades = changes.iter().map(|changes| changes.trades.len() as i64).sum();
        let live = || orders.values().filter(|order| !order.is_over()).cloned();
        let fees = PaperFees::default();
        let mut one = Engine::new(market(), fees, live().collect(), trades);
        let mut other = Engine::new(market(), fees, live().rev().collect(), trades);
        let next = order(1_000, "u9", if buy { Side::Buy } else { Side::Sell }, 100_000 + price * 50, lots);
        for engine in [&mut one, &mut other] {
            engine.refer(&thin(99_000, 101_000, 1_000), START).unwrap();
        }
        prop_assert_eq!(one.place(next.clone(), START), other.place(next, START));
    }
}
