//! The contract of the ledger's port, and the state machine that holds a store against the model.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::{AMOUNT_MAX, Asset, ONE_BTC, SnapshotId, Timestamp, UserId};
use orrery_ledger::{
    Actor, Answer, Bucket, Command, Entry, IdemKey, LedgerStore, Limits, NewSnapshot, Operation, Outcome, Receipt,
    Refusal, Side, Size, Verifier, decide, export_line, line, needs, verify_export,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::model::{Model, Said, actor};

/// A store under test.
pub type Store = Arc<dyn LedgerStore>;

const MAX_AGE: Duration = Duration::from_secs(90);

/// The moment that tests start at.
pub const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// A price seen at `START`.
pub fn price(buy_rate: i64, sell_rate: i64) -> NewSnapshot {
    NewSnapshot {
        source: "test".into(),
        btc_usd_cents: 4_500_000,
        buy_mult_e4: 910_000,
        sell_mult_e4: 880_000,
        buy_rate,
        sell_rate,
        observed_at: START,
        received_at: START,
    }
}

/// Commits commands at `now` with the usual limits.
pub async fn commit(store: &Store, commands: Vec<Command>, now: Timestamp) -> Vec<Answer> {
    commit_within(store, commands, now, Limits::default()).await
}

async fn commit_within(store: &Store, commands: Vec<Command>, now: Timestamp, limits: Limits) -> Vec<Answer> {
    let needs = needs(&commands);
    store.commit(&needs, Box::new(move |view| decide(view, &commands, now, &limits))).await.expect("a commit")
}

fn key(text: &str) -> IdemKey {
    IdemKey::new(text).expect("a key")
}

fn command(actor: Actor, k: &str, operation: Operation) -> Command {
    Command { actor, key: key(k), operation }
}

fn deposit(user: i64, asset: Asset, amount: i64, k: &str) -> Command {
    command(Actor::Operator, k, Operation::Deposit { user: UserId(user), asset, amount })
}

fn trade(user: i64, side: Side, size: Size, snapshot: SnapshotId, k: &str) -> Command {
    let user = UserId(user);
    command(Actor::User(user), k, Operation::Trade { user, side, size, snapshot, worst_rate: None })
}

fn receipt(answer: &Answer) -> Receipt {
    match answer {
        Answer::New(Outcome::Posted(r)) | Answer::Replay(Outcome::Posted(r)) => *r,
        other => panic!("not posted: {other:?}"),
    }
}

async fn verify(store: &Store) {
    let mut verifier = Verifier::default();
    store.audit(&mut verifier).await.expect("an audit");
    let report = verifier.finish();
    assert!(report.is_ok(), "{:?}", report.faults);
    assert_eq!(report.head, store.head().await.expect("a head"));
}

async fn journal(store: &Store) -> Vec<Entry> {
    store.entries(0, 100_000).await.expect("entries")
}

/// A deposit, a buy and a sell are posted, shown and verified.
pub async fn a_trade_end_to_end(store: Store) {
    let snapshot = store.put_snapshot(&price(409_500_000, 396_000_000)).await.expect("an id");
    let answers = commit(
        &store,
        vec![
            deposit(1, Asset::INR, 1_000_000, "d"),
            trade(1, Side::Buy, Size::Inr(100_000), snapshot, "b"),
            trade(1, Side::Sell, Size::Btc(10_000), snapshot, "s"),
        ],
        START,
    )
    .await;
    let buy = receipt(&answers[1]);
    assert_eq!((buy.seq, buy.inr, buy.btc, buy.rate), (2, 100_000, 24_420, 409_500_000));
    let sell = receipt(&answers[2]);
    assert_eq!((sell.inr, sell.btc), (39_600, 10_000));
    let (sheet, seq) = store.sheet(UserId(1)).await.expect("a sheet");
    assert_eq!((sheet, seq), (sell.sheet, 3));
    assert_eq!((sheet.available_inr, sheet.available_btc), (939_600, 14_420));
    let posted = store.statement(UserId(1), 0, 10).await.expect("a statement");
    let kinds: Vec<_> = posted.iter().map(|p| line(p, UserId(1)).kind).collect();
    assert_eq!(kinds, ["MARKET_SELL", "MARKET_BUY", "DEPOSIT_INR"]);
    assert_eq!(line(&posted[1], UserId(1)).rate, 409_500_000);
    assert!(store.statement(UserId(2), 0, 10).await.expect("a statement").is_empty());
    verify(&store).await;
}

/// Under one key there is one outcome: across batches, within a batch, for refusals too.
pub async fn a_key_has_one_outcome(store: Store) {
    let first = commit(&store, vec![deposit(1, Asset::INR, 500, "k"), deposit(1, Asset::INR, 500, "k")], START).await;
    let posted = receipt(&first[0]);
    assert_eq!(first[1], Answer::Replay(Outcome::Posted(posted)), "in the same batch");
    let later = START.plus(Duration::from_secs(5));
    let again = commit(&store, vec![deposit(1, Asset::INR, 500, "k"), deposit(1, Asset::INR, 501, "k")], later).await;
    assert_eq!(again, [Answer::Replay(Outcome::Posted(posted)), Answer::KeyReused]);
    let other_actor = Command { actor: Actor::System, ..deposit(1, Asset::INR, 500, "k") };
    assert!(matches!(commit(&store, vec![other_actor], later).await[0], Answer::New(_)), "keys belong to their actor");
    let snapshot = store.put_snapshot(&price(409_500_000, 396_000_000)).await.expect("an id");
    let poor = || trade(2, Side::Buy, Size::Inr(100), snapshot, "poor");
    let refused = commit(&store, vec![poor(), poor()], START).await;
    let shortage = Outcome::Refused(Refusal::Insufficient { asset: Asset::INR, required: 100, available: 0 });
    assert_eq!(refused, [Answer::New(shortage.clone()), Answer::Replay(shortage.clone())]);
    commit(&store, vec![deposit(2, Asset::INR, 1_000, "rich")], START).await;
    assert_eq!(commit(&store, vec![poor()], START).await, [Answer::Replay(shortage.clone())], "a refusal stays");
    let keys = [(Actor::User(UserId(2)), key("poor")), (Actor::Operator, key("none"))];
    let recorded = store.recorded(&keys).await.expect("recorded");
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded[&keys[0]].outcome, shortage);
    verify(&store).await;
}

/// A refused command leaves nothing but its key; a broken one not even that.
pub async fn refusals_change_nothing(store: Store) {
    let snapshot = store.put_snapshot(&price(409_500_000, 396_000_000)).await.expect("an id");
    commit(&store, vec![deposit(1, Asset::INR, 1_000, "d")], START).await;
    let (before, head) = (store.sheet(UserId(1)).await.expect("a sheet"), store.head().await.expect("a head"));
    let unknown = SnapshotId(snapshot.0 + 1_000);
    let late = START.plus(MAX_AGE + Duration::from_micros(1));
    let refused = |answer: &Answer| matches!(answer, Answer::New(Outcome::Refused(_)));
    for (i, (command, now)) in [
        (trade(1, Side::Buy, Size::Inr(1_001), snapshot, "x"), START),
        (trade(1, Side::Sell, Size::Btc(1), snapshot, "x"), START),
        (trade(1, Side::Buy, Size::Inr(100), unknown, "x"), START),
        (trade(1, Side::Buy, Size::Inr(4), snapshot, "x"), START),
        (command(Actor::Operator, "x", Operation::Reverse { seq: 99 }), START),
        (trade(1, Side::Buy, Size::Inr(100), snapshot, "x"), late),
    ]
    .into_iter_keyed()
    {
        let answers = commit(&store, vec![command], now).await;
        assert!(refused(&answers[0]), "{i}: {:?}", answers[0]);
    }
    for amount in [0, -1, AMOUNT_MAX + 1, i64::MIN, i64::MAX] {
        assert_eq!(
            commit(&store, vec![deposit(1, Asset::INR, amount, "bad")], START).await,
            [Answer::Invalid("amount")]
        );
    }
    let treasury = Operation::FundHouse { asset: Asset::BTC, bucket: Bucket::Treasury, amount: 1 };
    assert_eq!(commit(&store, vec![command(Actor::Operator, "t", treasury)], START).await, [Answer::Invalid("bucket")]);
    assert!(store.recorded(&[(Actor::Operator, key("bad"))]).await.expect("recorded").is_empty());
    assert_eq!(store.sheet(UserId(1)).await.expect("a sheet"), before);
    assert_eq!(store.head().await.expect("a head"), head);
    verify(&store).await;
}

trait Keyed {
    fn into_iter_keyed(self) -> Vec<(usize, (Command, Timestamp))>;
}

impl<const N: usize> Keyed for [(Command, Timestamp); N] {
    /// Gives each command a key of its own.
    fn into_iter_keyed(self) -> Vec<(usize, (Command, Timestamp))> {
        let own =
            |(i, (c, now)): (usize, (Command, Timestamp))| (i, (Command { key: key(&format!("r{i}")), ..c }, now));
        self.into_iter().enumerate().map(own).collect()
    }
}

/// An entry can be undone once, by its mirror, and not when the money is gone.
pub async fn reversal(store: Store) {
    let snapshot = store.put_snapshot(&price(409_500_000, 396_000_000)).await.expect("an id");
    let undo = |seq, k: &str| command(Actor::User(UserId(9)), k, Operation::Reverse { seq });
    commit(
        &store,
        vec![deposit(1, Asset::INR, 100_000, "d"), trade(1, Side::Buy, Size::Inr(100_000), snapshot, "b")],
        START,
    )
    .await;
    let spent = commit(&store, vec![undo(1, "u1")], START).await;
    assert!(matches!(&spent[0], Answer::New(Outcome::Refused(Refusal::Insufficient { .. }))), "{spent:?}");
    let undone = receipt(&commit(&store, vec![undo(2, "u2")], START).await[0]);
    assert_eq!((undone.seq, undone.user, undone.sheet.available_inr), (3, Some(UserId(1)), 100_000));
    let twice = commit(&store, vec![undo(2, "u3"), undo(3, "u4")], START).await;
    for answer in &twice {
        assert_eq!(*answer, Answer::New(Outcome::Refused(Refusal::NotReversible)));
    }
    let posted = store.statement(UserId(1), 0, 10).await.expect("a statement");
    assert_eq!(posted.iter().map(|p| p.reversed_by).collect::<Vec<_>>(), [None, Some(3), None]);
    receipt(&commit(&store, vec![undo(1, "u5")], START).await[0]);
    assert_eq!(store.sheet(UserId(1)).await.expect("a sheet").0.available_inr, 0);
    verify(&store).await;
}

/// Pages do not overlap and end.
pub async fn paging(store: Store) {
    let deposits = (0..25).map(|i| deposit(1 + i % 2, Asset::INR, i + 1, &format!("k{i}"))).collect();
    commit(&store, deposits, START).await;
    let mut seen = Vec::new();
    loop {
        let page = store.statement(UserId(1), seen.len() as u64, 4).await.expect("a page");
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 4);
        seen.extend(page.into_iter().map(|p| p.entry.seq));
    }
    assert_eq!(seen, (1..=25).rev().filter(|s| s % 2 == 1).collect::<Vec<_>>());
    let entries = store.entries(20, 3).await.expect("entries");
    assert_eq!(entries.iter().map(|e| e.seq).collect::<Vec<_>>(), [21, 22, 23]);
    assert!(store.entries(25, 3).await.expect("entries").is_empty());
    assert!(store.statement(UserId(1), 1 << 40, 4).await.expect("a page").is_empty());
    let totals = store.user_totals().await.expect("totals");
    assert_eq!(totals.iter().find(|t| t.0 == Asset::INR && t.1 == Bucket::Available).expect("a total").2, 325);
}

/// An export holds all that is needed to recompute the head.
pub async fn export(store: Store) {
    let snapshot = store.put_snapshot(&price(409_500_000, 396_000_000)).await.expect("an id");
    commit(
        &store,
        vec![
            deposit(1, Asset::BTC, 5_000, "d"),
            trade(1, Side::Sell, Size::Inr(100), snapshot, "s"),
            command(Actor::User(UserId(2)), "u", Operation::Reverse { seq: 2 }),
        ],
        START,
    )
    .await;
    let lines: Vec<_> = journal(&store).await.iter().map(export_line).collect();
    let head = store.head().await.expect("a head");
    assert_eq!(verify_export(lines.iter().map(String::as_str)), Ok((3, head.hash)));
    let changed = lines[0].replace(":5000", ":5001");
    assert_ne!(changed, lines[0]);
    assert!(verify_export([changed.as_str(), &lines[1], &lines[2]]).is_err());
    assert!(verify_export([lines[1].as_str(), &lines[0], &lines[2]]).is_err());
    assert!(verify_export(["nonsense"]).is_err());
}

/// Sixteen at once want the last rupee: one gets it, and nothing falls below zero.
pub async fn a_race_for_the_last_rupee(store: Store) {
    let snapshot = store.put_snapshot(&price(409_500_000, 396_000_000)).await.expect("an id");
    commit(&store, vec![deposit(1, Asset::INR, 100_000, "d")], START).await;
    let mut racers = tokio::task::JoinSet::new();
    for i in 0..16 {
        let store = store.clone();
        racers.spawn(async move {
            commit(&store, vec![trade(1, Side::Buy, Size::Inr(100_000), snapshot, &format!("r{i}"))], START).await
        });
    }
    let answers: Vec<_> = racers.join_all().await.into_iter().flatten().collect();
    let won = answers.iter().filter(|a| matches!(a, Answer::New(Outcome::Posted(_)))).count();
    assert_eq!((answers.len(), won), (16, 1));
    let (sheet, seq) = store.sheet(UserId(1)).await.expect("a sheet");
    assert_eq!((sheet.available_inr, sheet.available_btc, seq), (0, 24_420, 2));
    verify(&store).await;
}

/// Random commands from many tasks: replies agree with one order, and readers never go back.
pub async fn one_order_for_all(store: Store) {
    let snapshot = store.put_snapshot(&price(409_500_000, 396_000_000)).await.expect("an id");
    for user in 1..=3 {
        commit(&store, vec![deposit(user, Asset::INR, 10_000_000, &format!("d{user}"))], START).await;
    }
    let clock = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for t in 0..16_i64 {
        let (store, clock) = (store.clone(), clock.clone());
        tasks.spawn(async move {
            let tick = || clock.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut spans = Vec::new();
            for i in 0..12 {
                let user = 1 + (t + i) % 3;
                let side = if (t + i) % 2 == 0 { Side::Buy } else { Side::Sell };
                let called = tick();
                let one = trade(user, side, Size::Inr(100 + i), snapshot, &format!("t{t}-{i}"));
                let answer = commit(&store, vec![one], START).await;
                let replied = tick();
                if let Answer::New(Outcome::Posted(r)) = &answer[0] {
                    spans.push((called, replied, r.seq));
                    let (_, seen) = store.sheet(UserId(user)).await.expect("a sheet");
                    assert!(seen >= r.seq, "a reader that was answered {} read {seen}", r.seq);
                }
            }
            spans
        });
    }
    let mut spans: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert!(spans.len() > 50, "most trades are made");
    // a reply before a call means an earlier entry
    spans.sort_by_key(|s| s.1);
    let mut newest_replied: Vec<(u64, i64)> = Vec::new();
    for (_, replied, seq) in &spans {
        let best = newest_replied.last().map_or(0, |b| b.1).max(*seq);
        newest_replied.push((*replied, best));
    }
    for (called, _, seq) in &spans {
        let before = newest_replied.partition_point(|(replied, _)| replied < called);
        if before > 0 {
            assert!(newest_replied[before - 1].1 < *seq, "entry {seq} was asked for after a later one was answered");
        }
    }
    let seqs: HashSet<_> = spans.iter().map(|s| s.2).collect();
    assert_eq!(seqs.len(), spans.len());
    verify(&store).await;
}

/// A decider that panics leaves the store as it was, and usable.
pub async fn a_panic_changes_nothing(store: Store) {
    commit(&store, vec![deposit(1, Asset::INR, 5, "d")], START).await;
    let broken = store.clone();
    let task =
        tokio::task::spawn(
            async move { broken.commit(&needs(&[]), Box::new(|_| panic!("on purpose"))).await.map(|_| ()) },
        );
    // a store may pass the panic on or turn it into an error; it may not answer
    assert!(!matches!(task.await, Ok(Ok(()))));
    commit(&store, vec![deposit(1, Asset::INR, 5, "e")], START).await;
    assert_eq!(store.sheet(UserId(1)).await.expect("a sheet").0.available_inr, 10);
    verify(&store).await;
}

/// An abstract command; amounts and targets are settled against the model's state.
#[derive(Clone, Debug)]
pub enum Op {
    /// Deposit.
    Deposit(u8, bool, Amount),
    /// Fund the house: inventory, inventory, treasury.
    Fund(u8, Amount),
    /// Trade: user, buy, sized in rupees, amount, snapshot, worst rate against the real one.
    Trade(u8, bool, bool, Amount, u8, Option<i8>),
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
        10 => trade.prop_map(|(u, b, i, n, s, w)| Op::Trade(u, b, i, n, s, w)),
        2 => any::<u8>().prop_map(Op::Reverse),
        1 => (0_u8..50).prop_map(Op::Tick),
        2 => any::<u8>().prop_map(Op::Again),
        1 => any::<u8>().prop_map(Op::Reuse),
    ];
    proptest::collection::vec(op, 1..80)
}

/// Prices at the edges: the document's, no spread, a paisa a bitcoin, 10 billion rupees, and one that
/// will be too old.
fn prices() -> Vec<NewSnapshot> {
    let mut prices = vec![
        price(409_500_000, 396_000_000),
        price(400_000_000, 400_000_000),
        price(1, 1),
        price(1_000_000_000_000, 999_999_999_999),
        price(409_500_000, 396_000_000),
    ];
    prices[4].observed_at = Timestamp::from_micros(START.micros() - 80_000_000);
    prices
}

struct Settler<'a> {
    model: &'a Model,
    sent: &'a [Command],
    prices: &'a [NewSnapshot],
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
            Op::Trade(u, buy, inr, size, s, worst) => {
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
                command(Actor::User(user), &k, Operation::Trade { user, side, size, snapshot, worst_rate })
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
            Op::Tick(_) => return None,
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
        if let Some(command) = (Settler { model: &model, sent: &sent, prices: &prices }).settle(op) {
            expected.push(model.execute(&command));
            model.check();
            sent.push(command.clone());
            waiting.push(command);
        }
        let last = i + 1 == ops.len();
        if waiting.len() >= batch || last || matches!(op, Op::Tick(_)) {
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
        if let Op::Tick(seconds) = op {
            now = now.plus(Duration::from_secs(u64::from(*seconds)));
            model.tick(now);
        }
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

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! ledger_contract {
    ($make:expr) => {
        $crate::ledger_contract!(@each $make;
            a_trade_end_to_end a_key_has_one_outcome refusals_change_nothing reversal paging export
            a_race_for_the_last_rupee one_order_for_all a_panic_changes_nothing);
    };
    (@each $make:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::ledger::$name($make.await).await;
            }
        )*
    };
}
