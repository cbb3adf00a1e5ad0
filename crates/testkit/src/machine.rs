//! The state machine that holds a ledger's store against the model.

use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use orrery_kernel::{AMOUNT_MAX, Asset, ONE_BTC, SnapshotId, Timestamp, UserId};
use orrery_ledger::{Actor, Bucket, Command, Limits, NewSnapshot, Operation, PaperFill, Side, Size, WalletStep};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::ledger::{MAX_AGE, START, Store, command, commit_within, price, verify};
use crate::model::{Model, Said, actor};

/// An abstract command; amounts and targets are settled against the model's state.
#[derive(Clone, Debug)]
pub enum Op {
    /// Deposit.
    Deposit(u8, bool, Amount),
    /// Fund the house: inventory, inventory, treasury.
    Fund(u8, Amount),
    /// Trade: user, buy, sized in rupees, amount, snapshot, worst rate against the real one, by a plan.
    Trade(u8, bool, bool, Amount, u8, Option<i8>, bool),
    /// Order: user, buy, sized in rupees, amount, snapshot whose rate is the limit, seconds it lives.
    Place(u8, bool, bool, Amount, u8, Option<u8>),
    /// Fill, cancel or expire an order: what, which, at which snapshot, as its owner.
    EndOrder(u8, u8, u8, bool),
    /// Transfer, withdrawal, hold: what, user, rupees, amount, seconds a hold lives.
    Out(u8, u8, bool, Amount, Option<u8>),
    /// Post, void or expire a hold: what, which, how much of it, as its owner.
    EndHold(u8, u8, Option<u8>, bool),
    /// Lock, release, borrow, repay, accrue, liquidate partly or wholly, write off: what, user, amount,
    /// snapshot.
    Loan(u8, u8, Amount, u8),
    /// Grant to a wallet, or let one pay: what, wallet, another, amount, fee.
    Wallet(u8, u8, u8, Amount, u8),
    /// Give to a paper account, hold, release, exchange: what, account, another, amount, fee.
    Paper(u8, u8, u8, Amount, u8),
    /// Days pass.
    Wait(u8),
    /// Reverse one of the entries so far, or beyond.
    Reverse(u8),
    /// Seconds pass.
    Tick(u8),
    /// Send an earlier command again.
    Again(u8),
    /// Use an earlier key for something else.
    Reuse(u8),
}

/// An amount, as it stands to the state.
#[derive(Clone, Copy, Debug)]
pub enum Amount {
    /// Just this.
    Exactly(i64),
    /// The least that is not dust, and its neighbours.
    DustEdge(i8),
    /// All that is there, and its neighbours.
    Balance(i8),
}

fn amounts() -> impl Strategy<Value = Amount> {
    prop_oneof![
        1 => Just(Amount::Exactly(1)),
        1 => (0_i64..3).prop_map(|n| Amount::Exactly([0, -1, AMOUNT_MAX][n as usize])),
        2 => (-1_i8..=1).prop_map(Amount::DustEdge),
        3 => (-1_i8..=1).prop_map(Amount::Balance),
        4 => (1_i64..1_000_000_000).prop_map(Amount::Exactly),
        1 => (1_i64..AMOUNT_MAX).prop_map(Amount::Exactly),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let trade =
        (any::<u8>(), any::<bool>(), any::<bool>(), amounts(), any::<u8>(), proptest::option::weighted(0.2, -1_i8..=1));
    let op = prop_oneof![
        4 => (any::<u8>(), any::<bool>(), amounts()).prop_map(|(u, a, n)| Op::Deposit(u, a, n)),
        1 => (any::<u8>(), amounts()).prop_map(|(b, n)| Op::Fund(b, n)),
        10 => (trade, proptest::bool::weighted(0.1)).prop_map(|((u, b, i, n, s, w), p)| Op::Trade(u, b, i, n, s, w, p)),
        6 => (any::<u8>(), any::<bool>(), any::<bool>(), amounts(), any::<u8>(), proptest::option::of(0_u8..60))
            .prop_map(|(u, b, i, n, s, l)| Op::Place(u, b, i, n, s, l)),
        8 => (any::<u8>(), any::<u8>(), any::<u8>(), proptest::bool::weighted(0.95))
            .prop_map(|(w, o, s, own)| Op::EndOrder(w, o, s, own)),
        4 => (any::<u8>(), any::<u8>(), any::<bool>(), amounts(), proptest::option::of(0_u8..60))
            .prop_map(|(w, u, i, n, l)| Op::Out(w, u, i, n, l)),
        3 => (any::<u8>(), any::<u8>(), proptest::option::of(any::<u8>()), proptest::bool::weighted(0.95))
            .prop_map(|(w, h, n, own)| Op::EndHold(w, h, n, own)),
        10 => (any::<u8>(), any::<u8>(), amounts(), any::<u8>()).prop_map(|(w, u, n, s)| Op::Loan(w, u, n, s)),
        4 => (any::<u8>(), any::<u8>(), any::<u8>(), amounts(), 0_u8..3)
            .prop_map(|(w, a, b, n, f)| Op::Wallet(w, a, b, n, f)),
        6 => (any::<u8>(), any::<u8>(), any::<u8>(), amounts(), 0_u8..3)
            .prop_map(|(w, a, b, n, f)| Op::Paper(w, a, b, n, f)),
        1 => (1_u8..200).prop_map(Op::Wait),
        2 => any::<u8>().prop_map(Op::Reverse),
        1 => (0_u8..50).prop_map(Op::Tick),
        2 => any::<u8>().prop_map(Op::Again),
        1 => any::<u8>().prop_map(Op::Reuse),
    ];
    proptest::collection::vec(op, 1..80)
}

/// Prices at the edges: the document's, no spread, a paisa a bitcoin, 10 billion rupees, one that will
/// be too old, and a crash.
fn prices() -> Vec<NewSnapshot> {
    let mut prices = vec![
        price(409_500_000, 396_000_000),
        price(400_000_000, 400_000_000),
        price(1, 1),
        price(1_000_000_000_000, 999_999_999_999),
        price(409_500_000, 396_000_000),
        price(90_000_000, 80_000_000),
    ];
    prices[4].observed_at = Timestamp::from_micros(START.micros() - 80_000_000);
    // still young when days have passed
    for at in [1, 5] {
        prices[at].observed_at = START.plus(Duration::from_secs(86_400 * 20_000));
    }
    prices
}

struct Settler<'a> {
    model: &'a Model,
    sent: &'a [Command],
    prices: &'a [NewSnapshot],
    now: Timestamp,
}

impl Settler<'_> {
    fn settle(&self, op: &Op) -> Option<Command> {
        let n = self.sent.len();
        let k = format!("key-{n}");
        let user = |u: u8| UserId(i64::from(u % 4) + 1);
        let amount = |amount: Amount, account: &str, rate: i64| match amount {
            Amount::Exactly(n) => n,
            Amount::DustEdge(by) => (ONE_BTC / rate.max(1) + 1).saturating_add(by.into()),
            Amount::Balance(by) => {
                i64::try_from(self.model.balance(account)).unwrap_or(AMOUNT_MAX).saturating_add(by.into())
            }
        };
        Some(match op {
            Op::Deposit(u, inr, size) => {
                let asset = if *inr { Asset::INR } else { Asset::BTC };
                let account = format!("world/{asset}/outside");
                let operation = Operation::Deposit { user: user(*u), asset, amount: amount(*size, &account, 1) };
                command(actor(*u), &k, operation)
            }
            Op::Fund(b, size) => {
                let (asset, bucket) = [
                    (Asset::INR, Bucket::Inventory),
                    (Asset::BTC, Bucket::Inventory),
                    (Asset::INR, Bucket::Treasury),
                    (Asset::BTC, Bucket::Treasury),
                ][usize::from(b % 4)];
                let operation = Operation::FundHouse { asset, bucket, amount: amount(*size, "", 1) };
                command(Actor::Operator, &k, operation)
            }
            Op::Trade(u, buy, inr, size, s, worst, plan) => {
                // one past the end is unknown
                let at = usize::from(*s) % (self.prices.len() + 1);
                let known = self.prices.get(at);
                let side = if *buy { Side::Buy } else { Side::Sell };
                let rate = known.map_or(1, |p| if *buy { p.buy_rate } else { p.sell_rate });
                let user = user(*u);
                let account = format!("user:{user}/{}/available", if *inr { "INR" } else { "BTC" });
                let n = amount(*size, &account, rate);
                let size = if *inr { Size::Inr(n) } else { Size::Btc(n) };
                let snapshot = SnapshotId(at as i64 + 1);
                let worst_rate = worst.map(|by| rate.saturating_add(by.into()));
                command(Actor::User(user), &k, Operation::Trade { user, side, size, snapshot, worst_rate, plan: *plan })
            }
            Op::Place(u, buy, inr, size, s, lives) => {
                let (side, user) = (if *buy { Side::Buy } else { Side::Sell }, user(*u));
                let price = &self.prices[usize::from(*s) % self.prices.len()];
                let limit = if *buy { price.buy_rate } else { price.sell_rate };
                let account = format!("user:{user}/{}/available", if *inr { "INR" } else { "BTC" });
                let n = amount(*size, &account, limit);
                let size = if *inr { Size::Inr(n) } else { Size::Btc(n) };
                let expires_at = lives.map(|s| self.now.plus(Duration::from_secs(s.into())));
                command(Actor::User(user), &k, Operation::PlaceOrder { user, side, size, limit, expires_at })
            }
            Op::EndOrder(what, pick, s, own) => {
                let orders = self.model.orders();
                let (order, owner) =
                    orders.get(usize::from(*pick) % (orders.len() + 1)).copied().unwrap_or((1, UserId(1)));
                let user = if *own { owner } else { user(*pick) };
                let snapshot = SnapshotId(i64::from(*s) % (self.prices.len() as i64 + 1) + 1);
                let operation = match what % 4 {
                    0 | 1 => Operation::FillOrder { user, order, snapshot },
                    2 => Operation::CancelOrder { user, order },
                    _ => Operation::ExpireOrder { user, order },
                };
                command(Actor::System, &k, operation)
            }
            Op::Out(what, u, inr, size, lives) => {
                let (asset, from) = (if *inr { Asset::INR } else { Asset::BTC }, user(*u));
                let n = amount(*size, &format!("user:{from}/{asset}/available"), 1);
                let expires_at = lives.map(|s| self.now.plus(Duration::from_secs(s.into())));
                let operation = match what % 4 {
                    0 => Operation::Transfer { from, to: user(what / 4), asset, amount: n },
                    1 => Operation::Withdraw { user: from, asset, amount: n },
                    _ => Operation::Hold { user: from, asset, amount: n, expires_at },
                };
                command(Actor::User(from), &k, operation)
            }
            Op::EndHold(what, pick, part, own) => {
                let holds = self.model.holds();
                let (hold, owner) =
                    holds.get(usize::from(*pick) % (holds.len() + 1)).copied().unwrap_or((1, UserId(1)));
                let user = if *own { owner } else { user(*pick) };
                let operation = match what % 3 {
                    0 => Operation::PostHold { user, hold, amount: part.map(i64::from) },
                    1 => Operation::VoidHold { user, hold },
                    _ => Operation::ExpireHold { user, hold },
                };
                command(Actor::Operator, &k, operation)
            }
            Op::Loan(what, u, size, s) => {
                let user = user(*u);
                let at = usize::from(*s) % (self.prices.len() + 1);
                let snapshot = SnapshotId(at as i64 + 1);
                let rate = self.prices.get(at).map_or(1, |p| p.sell_rate);
                let balance = |rest: &str| amount(*size, &format!("user:{user}/{rest}"), 1);
                let operation = match what % 10 {
                    0 | 1 => Operation::LockCollateral { user, amount: balance("BTC/available"), rate_bps: 1_500 },
                    2 => Operation::ReleaseCollateral { user, amount: balance("BTC/collateral"), snapshot },
                    3 | 4 => {
                        // all that the collateral allows, and its neighbours
                        let value = self.model.balance(&format!("user:{user}/BTC/collateral")) * i128::from(rate)
                            / i128::from(ONE_BTC);
                        let allowed = i64::try_from(value * 6 / 10 - self.model.debt(user)).unwrap_or(AMOUNT_MAX);
                        let n = match size {
                            Amount::Balance(by) => allowed.saturating_add((*by).into()),
                            size => amount(*size, "", 1),
                        };
                        Operation::Borrow { user, amount: n, snapshot }
                    }
                    5 => {
                        let n = match size {
                            Amount::Balance(by) => {
                                i64::try_from(self.model.debt(user)).unwrap_or(AMOUNT_MAX).saturating_add((*by).into())
                            }
                            size => amount(*size, "", 1),
                        };
                        Operation::Repay { user, amount: n }
                    }
                    6 => Operation::Accrue { user },
                    7 => Operation::Liquidate { user, full: false, snapshot },
                    8 => Operation::Liquidate { user, full: true, snapshot },
                    _ => Operation::WriteOff { user },
                };
                command(Actor::User(user), &k, operation)
            }
            Op::Wallet(what, one, other, size, fee) => {
                let wallet = |n: u8| -> Box<str> { format!("g{}", n % 3).into() };
                let (from, to) = (wallet(*one), wallet(*other));
                let n = amount(*size, &format!("wallet:{from}/TST/available"), 1);
                let pay = || WalletStep::Pay { to: to.clone(), amount: n };
                let operation = match what % 4 {
                    0 => Operation::Grant { wallet: from, amount: n },
                    // what one pays, the other can be asked for
                    1 => Operation::WalletTransaction {
                        from,
                        hash: [*what; 32],
                        steps: vec![pay(), WalletStep::AtLeast { wallet: to.clone(), amount: n }, pay()],
                        fee: i64::from(*fee),
                    },
                    _ => Operation::WalletTransaction {
                        from,
                        hash: [*what; 32],
                        steps: vec![pay()],
                        fee: i64::from(*fee),
                    },
                };
                command(Actor::System, &k, operation)
            }
            Op::Paper(what, one, other, size, fee) => {
                let (base, quote) = (Asset::paper("BTC")?, Asset::paper("USDT")?);
                let name = |n: u8| -> Box<str> { format!("p{}", n % 3).into() };
                let asset = if other % 2 == 0 { base } else { quote };
                let account = name(*one);
                let bucket = if what % 6 == 1 { "available" } else { "reserved" };
                let n = amount(*size, &format!("paper:{account}/{asset}/{bucket}"), 1);
                let operation = match what % 6 {
                    0 => Operation::PaperGrant { account, asset, amount: n },
                    1 => Operation::PaperHold { account, asset, amount: n },
                    2 => Operation::PaperRelease { account, asset, amount: n },
                    // the house on one side, on the other, on none, and now and then on both
                    _ => Operation::PaperFill(PaperFill {
                        buyer: (what % 6 != 3).then(|| account.clone()),
                        seller: (what % 6 != 4 && *other > 20).then(|| name(*other)),
                        base,
                        quote,
                        amount: n,
                        cost: i64::from(*other) + 1,
                        buyer_fee: i64::from(*fee),
                        seller_fee: i64::from(what / 128),
                        freed: i64::from(*fee / 2),
                    }),
                };
                command(Actor::System, &k, operation)
            }
            Op::Reverse(pick) => {
                let seq = i64::from(*pick) % (self.model.length() + 2);
                command(Actor::Operator, &k, Operation::Reverse { seq })
            }
            Op::Again(pick) => self.sent.get(usize::from(*pick) % n.max(1))?.clone(),
            Op::Reuse(pick) => {
                let earlier = self.sent.get(usize::from(*pick) % n.max(1))?;
                let operation = Operation::Deposit { user: UserId(1), asset: Asset::INR, amount: 77 };
                Command { operation, ..earlier.clone() }
            }
            Op::Tick(_) | Op::Wait(_) => return None,
        })
    }
}

/// Runs `ops` on a fresh store in batches of `batch`, beside the model; gives the head.
async fn beside_the_model(store: &Store, ops: &[Op], batch: usize, floor: i64) -> Result<[u8; 32], TestCaseError> {
    let prices = prices();
    for price in &prices {
        store.put_snapshot(price).await.expect("an id");
    }
    let mut model = Model::new(prices.clone(), i64::try_from(MAX_AGE.as_micros()).expect("short"), floor);
    let limits = Limits { max_age: MAX_AGE, floor_inr: floor, floor_btc: floor };
    let (mut now, mut sent, mut waiting, mut expected) = (START, Vec::new(), Vec::new(), Vec::new());
    model.tick(now);
    for (i, op) in ops.iter().enumerate() {
        if let Some(command) = (Settler { model: &model, sent: &sent, prices: &prices, now }).settle(op) {
            expected.push(model.execute(&command));
            model.check();
            sent.push(command.clone());
            waiting.push(command);
        }
        let last = i + 1 == ops.len();
        if waiting.len() >= batch || last || matches!(op, Op::Tick(_) | Op::Wait(_)) {
            let answers = commit_within(store, std::mem::take(&mut waiting), now, limits).await;
            let said: Vec<_> = answers.iter().map(Said::of).collect();
            prop_assert_eq!(&said, &expected);
            expected.clear();
            prop_assert_eq!(store.head().await.expect("a head").hash, model.head);
            for user in (1..=4).map(UserId) {
                let (s, seq) = store.sheet(user).await.expect("a sheet");
                let shown = [
                    s.available_inr,
                    s.available_btc,
                    s.reserved_inr,
                    s.reserved_btc,
                    s.collateral_btc,
                    s.borrowed_inr,
                    s.interest_accrued,
                ];
                prop_assert_eq!(shown.map(i128::from), model.sheet(user));
                prop_assert_eq!(seq, model.length());
            }
        }
        let passed = match op {
            Op::Tick(seconds) => u64::from(*seconds),
            Op::Wait(days) => u64::from(*days) * 86_400,
            _ => continue,
        };
        now = now.plus(Duration::from_secs(passed));
        model.tick(now);
    }
    verify(store).await;
    Ok(model.head)
}

/// Holds stores made by `make` against the model, `cases` times, in batches of 1, 2, 7 and 256, which
/// must all lead to the same head.
pub fn state_machine<F: Future<Output = Store>>(cases: u32, make: impl Fn() -> F) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let config = Config { cases, max_shrink_iters: 2_000, failure_persistence: None, ..Config::default() };
    let floors = prop_oneof![3 => Just(-AMOUNT_MAX), 1 => Just(0), 1 => Just(-50_000_000_i64)];
    TestRunner::new(config)
        .run(&(ops(), floors), |(ops, floor)| {
            runtime.block_on(async {
                let mut heads = HashSet::new();
                for batch in [1, 2, 7, 256] {
                    heads.insert(beside_the_model(&make().await, &ops, batch, floor).await?);
                }
                prop_assert_eq!(heads.len(), 1, "batches of different sizes, different journals");
                Ok(())
            })
        })
        .unwrap_or_else(|e| panic!("{e}"));
}
