//! The contract of the ledger's port, and the state machine that holds a store against the model.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

pub use crate::machine::state_machine;
use orrery_kernel::{AMOUNT_MAX, Asset, ONE_BTC, SnapshotId, Timestamp, UserId};
use orrery_ledger::{
    Actor, Answer, Bucket, Command, Entry, HoldStatus, IdemKey, Kind, LedgerStore, Limits, LineStatus, NewSnapshot,
    Operation, OrderStatus, Outcome, Page, Receipt, Refusal, Side, Size, Verifier, decide, export_line, line, needs,
    verify_export,
};

/// A store under test.
pub type Store = Arc<dyn LedgerStore>;

pub(crate) const MAX_AGE: Duration = Duration::from_secs(90);

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

pub(crate) async fn commit_within(
    store: &Store,
    commands: Vec<Command>,
    now: Timestamp,
    limits: Limits,
) -> Vec<Answer> {
    let needs = needs(&commands);
    store.commit(&needs, Box::new(move |view| decide(view, &commands, now, &limits))).await.expect("a commit")
}

fn key(text: &str) -> IdemKey {
    IdemKey::new(text).expect("a key")
}

pub(crate) fn command(actor: Actor, k: &str, operation: Operation) -> Command {
    Command { actor, key: key(k), operation }
}

fn deposit(user: i64, asset: Asset, amount: i64, k: &str) -> Command {
    command(Actor::Operator, k, Operation::Deposit { user: UserId(user), asset, amount })
}

fn trade(user: i64, side: Side, size: Size, snapshot: SnapshotId, k: &str) -> Command {
    let user = UserId(user);
    command(Actor::User(user), k, Operation::Trade { user, side, size, snapshot, worst_rate: None, plan: false })
}

fn receipt(answer: &Answer) -> Receipt {
    match answer {
        Answer::New(Outcome::Posted(r)) | Answer::Replay(Outcome::Posted(r)) => *r,
        other => panic!("not posted: {other:?}"),
    }
}

pub(crate) async fn verify(store: &Store) {
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
    let posted = store.statement(UserId(1), Page::newest(10)).await.expect("a statement");
    let kinds: Vec<_> = posted.iter().map(|p| line(p, UserId(1)).kind).collect();
    assert_eq!(kinds, ["MARKET_SELL", "MARKET_BUY", "DEPOSIT_INR"]);
    assert_eq!(line(&posted[1], UserId(1)).rate, 409_500_000);
    assert!(store.statement(UserId(2), Page::newest(10)).await.expect("a statement").is_empty());
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
    let posted = store.statement(UserId(1), Page::newest(10)).await.expect("a statement");
    assert_eq!(posted.iter().map(|p| p.resolved_by).collect::<Vec<_>>(), [None, Some(3), None]);
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
        let page = store.statement(UserId(1), Page::after(seen.len() as u64, 4)).await.expect("a page");
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 4);
        seen.extend(page.into_iter().map(|p| p.entry.seq));
    }
    assert_eq!(seen, (1..=25).rev().filter(|s| s % 2 == 1).collect::<Vec<_>>());
    // a cursor does not shift when entries are added
    let first = store.statement(UserId(1), Page::newest(3)).await.expect("a page");
    commit(&store, vec![deposit(1, Asset::INR, 9, "late")], START).await;
    let last = first.last().map(|p| p.entry.seq);
    let next = store.statement(UserId(1), Page { before: last, offset: 0, limit: 3 }).await.expect("a page");
    assert_eq!(next.iter().map(|p| p.entry.seq).collect::<Vec<_>>(), [19, 17, 15]);
    let recent = store.recent(Page::newest(3)).await.expect("a page");
    let lines: Vec<_> = recent.iter().map(|(user, p)| (user.0, p.entry.seq)).collect();
    assert_eq!(lines, [(1, 26), (1, 25), (2, 24)]);
    let sheets = store.sheets(&[UserId(2), UserId(9), UserId(1)]).await.expect("sheets");
    assert_eq!(sheets.iter().map(|s| s.available_inr).collect::<Vec<_>>(), [156, 0, 178]);
    let entries = store.entries(20, 3).await.expect("entries");
    assert_eq!(entries.iter().map(|e| e.seq).collect::<Vec<_>>(), [21, 22, 23]);
    assert!(store.entries(26, 3).await.expect("entries").is_empty());
    assert!(store.statement(UserId(1), Page::after(1 << 40, 4)).await.expect("a page").is_empty());
    let totals = store.user_totals().await.expect("totals");
    assert_eq!(totals.iter().find(|t| t.0 == Asset::INR && t.1 == Bucket::Available).expect("a total").2, 334);
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

/// The shape of a closing entry, and the line it leaves.
fn shown(posted: &orrery_ledger::Posted) -> (&'static str, LineStatus, i64, i64, i64) {
    let line = line(posted, UserId(1));
    (line.kind, line.status, line.inr, line.btc, line.rate)
}

/// Orders reserve, fill once at the better price, are cancelled and expire; their lines follow.
pub async fn orders(store: Store) {
    let user = UserId(1);
    let start = store.put_snapshot(&price(409_500_000, 396_000_000)).await.expect("an id");
    let cheap = store.put_snapshot(&price(390_000_000, 380_000_000)).await.expect("an id");
    let place = |k: &str, side, size, limit, expires_at| {
        command(Actor::User(user), k, Operation::PlaceOrder { user, side, size, limit, expires_at })
    };
    let fill = |k: &str, order, snapshot| command(Actor::System, k, Operation::FillOrder { user, order, snapshot });
    let cancel = |k: &str, order| command(Actor::User(user), k, Operation::CancelOrder { user, order });
    let expire = |k: &str, order| command(Actor::System, k, Operation::ExpireOrder { user, order });
    let soon = START.plus(Duration::from_secs(30));
    let posted = commit(
        &store,
        vec![
            deposit(1, Asset::INR, 1_000_000, "d"),
            place("a", Side::Buy, Size::Btc(100_000), 400_000_000, None),
            place("b", Side::Buy, Size::Inr(100_000), 395_000_000, Some(soon)),
            place("c", Side::Buy, Size::Inr(50_000), 100, None),
        ],
        START,
    )
    .await;
    assert_eq!(receipt(&posted[1]).sheet.reserved_inr, 400_000);
    let sheet = receipt(&posted[3]).sheet;
    assert_eq!((sheet.available_inr, sheet.reserved_inr), (450_000, 550_000));
    assert!(store.crossed_orders(409_500_000, 396_000_000, 0, 10).await.expect("orders").is_empty());
    let crossed = store.crossed_orders(390_000_000, 380_000_000, 0, 10).await.expect("orders");
    assert_eq!(crossed.iter().map(|o| o.id).collect::<Vec<_>>(), [2, 3]);
    let rest = store.crossed_orders(390_000_000, 380_000_000, 2, 10).await.expect("orders");
    assert_eq!(rest, crossed[1..]);
    assert!(crossed.iter().all(|o| o.status == OrderStatus::Open));
    let page = store.statement(user, Page::newest(10)).await.expect("lines");
    assert_eq!(shown(&page[2]), ("LIMIT_BUY", LineStatus::Pending, 400_000, 100_000, 400_000_000));

    let not_yet = commit(&store, vec![fill("f0", 2, start)], START).await;
    assert_eq!(not_yet, [Answer::New(Outcome::Refused(Refusal::NotCrossed))]);
    // filled at the better price, once, and what is left comes back
    let filled = commit(&store, vec![fill("f1", 2, cheap), fill("f2", 2, cheap), cancel("c1", 2)], START).await;
    let one = receipt(&filled[0]);
    assert_eq!((one.kind, one.inr, one.btc, one.rate), (Kind::FillBuy, 390_000, 100_000, 390_000_000));
    assert_eq!((one.sheet.available_inr, one.sheet.reserved_inr), (460_000, 150_000));
    for answer in &filled[1..] {
        assert_eq!(*answer, Answer::New(Outcome::Refused(Refusal::NotOpen)));
    }
    // somebody else's order is none
    let other = Operation::CancelOrder { user: UserId(2), order: 3 };
    let foreign = commit(&store, vec![command(Actor::User(UserId(2)), "x", other), expire("x", 3)], START).await;
    assert_eq!(foreign, [Answer::New(Outcome::Refused(Refusal::NoSuchOrder)), Answer::Invalid("order")]);
    assert_eq!(store.expired_orders(START, 10).await.expect("orders"), []);
    let over = store.expired_orders(soon, 10).await.expect("orders");
    assert_eq!(over.iter().map(|o| o.id).collect::<Vec<_>>(), [3]);
    let late = commit(&store, vec![fill("f3", 3, cheap), expire("e", 3), cancel("c2", 4)], soon).await;
    assert_eq!(late[0], Answer::New(Outcome::Refused(Refusal::NotOpen)), "its time is over");
    assert_eq!(receipt(&late[1]).kind, Kind::ExpireOrder);
    let sheet = receipt(&late[2]).sheet;
    assert_eq!((sheet.available_inr, sheet.reserved_inr, sheet.available_btc), (610_000, 0, 100_000));
    let page = store.statement(user, Page::newest(10)).await.expect("lines");
    let lines: Vec<_> = page.iter().map(shown).collect();
    let executed = ("LIMIT_BUY", LineStatus::Executed, 390_000, 100_000, 390_000_000);
    assert_eq!(lines, [executed, ("DEPOSIT_INR", LineStatus::Executed, 1_000_000, 0, 0)]);
    let cancelled = store.posted(4).await.expect("an entry").expect("an entry");
    assert_eq!(shown(&cancelled).1, LineStatus::Cancelled);
    verify(&store).await;
}

/// A cancellation and a fill at the same moment: one of them.
pub async fn an_order_ends_once(store: Store) {
    let user = UserId(1);
    let snapshot = store.put_snapshot(&price(390_000_000, 380_000_000)).await.expect("an id");
    let place =
        Operation::PlaceOrder { user, side: Side::Buy, size: Size::Inr(100_000), limit: 400_000_000, expires_at: None };
    commit(&store, vec![deposit(1, Asset::INR, 100_000, "d"), command(Actor::User(user), "o", place)], START).await;
    let mut racers = tokio::task::JoinSet::new();
    for i in 0..8 {
        let store = store.clone();
        racers.spawn(async move {
            let operation = match i % 2 {
                0 => Operation::FillOrder { user, order: 2, snapshot },
                _ => Operation::CancelOrder { user, order: 2 },
            };
            commit(&store, vec![command(Actor::User(user), &format!("r{i}"), operation)], START).await
        });
    }
    let answers: Vec<_> = racers.join_all().await.into_iter().flatten().collect();
    let won: Vec<_> = answers.iter().filter(|a| matches!(a, Answer::New(Outcome::Posted(_)))).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    let (sheet, _) = store.sheet(user).await.expect("a sheet");
    assert_eq!(sheet.reserved_inr, 0);
    assert!((sheet.available_inr == 100_000) != (sheet.available_btc > 0), "{sheet:?}");
    verify(&store).await;
}

/// Transfers show as a withdrawal and a deposit; withdrawals are held, paid or called off.
pub async fn transfers_and_withdrawals(store: Store) {
    let user = UserId(1);
    let hold = |k: &str, amount, expires_at| {
        command(Actor::User(user), k, Operation::Hold { user, asset: Asset::BTC, amount, expires_at })
    };
    let soon = START.plus(Duration::from_secs(60));
    let to_two = Operation::Transfer { from: user, to: UserId(2), asset: Asset::BTC, amount: 700 };
    let out = Operation::Withdraw { user, asset: Asset::BTC, amount: 100 };
    let answers = commit(
        &store,
        vec![
            deposit(1, Asset::BTC, 5_000, "d"),
            command(Actor::User(user), "t", to_two),
            command(Actor::User(UserId(9)), "w", out),
            hold("h1", 1_000, None),
            hold("h2", 2_000, None),
            hold("h3", 500, Some(soon)),
        ],
        START,
    )
    .await;
    let sheet = receipt(&answers[5]).sheet;
    assert_eq!((sheet.available_btc, sheet.reserved_btc), (700, 3_500));
    let pending = store.pending_holds(4, 10).await.expect("holds");
    assert_eq!(pending.iter().map(|h| (h.id, h.amount)).collect::<Vec<_>>(), [(5, 2_000), (6, 500)]);
    let post = |k: &str, hold, amount| command(Actor::Operator, k, Operation::PostHold { user, hold, amount });
    let void = |k: &str, hold| command(Actor::Operator, k, Operation::VoidHold { user, hold });
    let ended = commit(
        &store,
        vec![post("p0", 4, Some(1_001)), post("p1", 4, Some(900)), post("p2", 4, None), void("v", 5), void("v2", 5)],
        START,
    )
    .await;
    assert_eq!(ended[0], Answer::Invalid("amount"));
    assert_eq!((receipt(&ended[1]).btc, receipt(&ended[3]).kind), (900, Kind::VoidHold));
    assert_eq!(ended[2], Answer::New(Outcome::Refused(Refusal::NotOpen)));
    assert_eq!(ended[4], Answer::New(Outcome::Refused(Refusal::NotOpen)));
    let over = store.expired_holds(soon, 10).await.expect("holds");
    assert_eq!(over.iter().map(|h| (h.id, h.status)).collect::<Vec<_>>(), [(6, HoldStatus::Pending)]);
    let expire = Operation::ExpireHold { user, hold: 6 };
    let last = commit(&store, vec![command(Actor::System, "e", expire)], soon).await;
    let sheet = receipt(&last[0]).sheet;
    assert_eq!((sheet.available_btc, sheet.reserved_btc), (3_300, 0));
    assert_eq!(store.sheet(UserId(2)).await.expect("a sheet").0.available_btc, 700);
    let page = store.statement(user, Page::newest(10)).await.expect("lines");
    let kinds: Vec<_> = page.iter().map(|p| (line(p, user).kind, line(p, user).btc)).collect();
    assert_eq!(kinds, [("WITHDRAW_BTC", 900), ("WITHDRAW_BTC", 100), ("WITHDRAW_BTC", 700), ("DEPOSIT_BTC", 5_000)]);
    let theirs = store.statement(UserId(2), Page::newest(10)).await.expect("lines");
    assert_eq!(line(&theirs[0], UserId(2)).kind, "DEPOSIT_BTC");
    let totals = store.totals().await.expect("totals");
    let posted = totals.iter().find(|t| t.kind == Kind::PostHold && t.leg == 0).expect("a total");
    assert_eq!((posted.count, posted.amount, posted.asset), (1, 900, Asset::BTC));
    verify(&store).await;
}

/// A loan from its collateral to its end, with exact interest and a liquidation that lands on target.
pub async fn loans(store: Store) {
    let user = UserId(1);
    let year = Duration::from_secs(31_536_000);
    let at = |rate: i64, now: Timestamp| NewSnapshot { observed_at: now, received_at: now, ..price(rate, rate) };
    // a bitcoin at a hundred rupees, then at 99.50 a year later
    let first = store.put_snapshot(&at(10_000, START)).await.expect("an id");
    let own = |k: &str, operation| command(Actor::User(user), k, operation);
    let lock = Operation::LockCollateral { user, amount: ONE_BTC, rate_bps: 1_500 };
    let borrow = |amount, snapshot| Operation::Borrow { user, amount, snapshot };
    let fund = Operation::FundHouse { asset: Asset::INR, bucket: Bucket::Treasury, amount: 1_000_000 };
    let answers = commit(
        &store,
        vec![
            deposit(1, Asset::BTC, 2 * ONE_BTC, "d"),
            own("early", borrow(1, first)),
            command(Actor::Operator, "f", fund),
            own("l", lock),
            own("b1", borrow(6_001, first)),
            own("b2", borrow(6_000, first)),
            own("b3", borrow(1, first)),
            own("liq0", Operation::Liquidate { user, full: false, snapshot: first }),
            own("rel0", Operation::ReleaseCollateral { user, amount: 1, snapshot: first }),
        ],
        START,
    )
    .await;
    assert_eq!(answers[1], Answer::New(Outcome::Refused(Refusal::NoLoan)));
    let over = |allowed, debt| Answer::New(Outcome::Refused(Refusal::Undersecured { allowed, debt }));
    assert_eq!(answers[4], over(6_000, 6_001));
    let sheet = receipt(&answers[5]).sheet;
    assert_eq!((sheet.available_inr, sheet.borrowed_inr, sheet.collateral_btc), (6_000, 6_000, ONE_BTC));
    assert_eq!(answers[6], over(6_000, 6_001));
    assert_eq!(answers[7], Answer::New(Outcome::Refused(Refusal::Healthy)));
    assert_eq!(answers[8], over(5_999, 6_000));

    // a year at 15 %: 900 paise; a price at which 6,900 are at least 90 %
    let later = START.plus(year);
    let low = store.put_snapshot(&at(7_600, later)).await.expect("an id");
    let (loan, before) = store.loan(user).await.expect("a loan").expect("a loan");
    assert_eq!((loan.rate_bps, before.borrowed_inr, before.interest_accrued), (1_500, 6_000, 0));
    let sold =
        commit(&store, vec![own("liq1", Operation::Liquidate { user, full: false, snapshot: low })], later).await;
    let sold = receipt(&sold[0]);
    assert_eq!(sold.kind, Kind::LiquidatePartial);
    let s = sold.sheet;
    assert_eq!(s.borrowed_inr + s.interest_accrued, 6_900 - sold.inr);
    let value = i128::from(s.collateral_btc) * 7_600 / i128::from(ONE_BTC);
    assert!((i128::from(s.borrowed_inr) - 1) * 10_000 < 6_000 * (value + 1), "{s:?}");
    let (_, shown) = store.loan(user).await.expect("a loan").expect("a loan");
    assert_eq!(shown, s);
    assert_eq!(store.open_loans(UserId(0), 10).await.expect("loans").len(), 1);
    assert!(store.open_loans(user, 10).await.expect("loans").is_empty());

    // paying back more than is owed takes what is owed, frees the collateral and ends the loan
    let debt = s.borrowed_inr + s.interest_accrued;
    let paid = commit(&store, vec![own("r", Operation::Repay { user, amount: debt + 500 })], later).await;
    let paid = receipt(&paid[0]);
    assert_eq!((paid.inr, paid.sheet.borrowed_inr, paid.sheet.collateral_btc), (debt, 0, 0));
    assert!(store.loan(user).await.expect("a loan").is_none());
    let again = commit(&store, vec![own("r2", Operation::Repay { user, amount: 1 })], later).await;
    assert_eq!(again, [Answer::New(Outcome::Refused(Refusal::NoLoan))]);

    // under water: everything is sold, and what is left of the debt is written off
    let lock = Operation::LockCollateral { user, amount: ONE_BTC, rate_bps: 1_500 };
    let high = store.put_snapshot(&at(10_000, later)).await.expect("an id");
    let crash = store.put_snapshot(&at(5_000, later)).await.expect("an id");
    let end = commit(
        &store,
        vec![
            own("l2", lock),
            own("b4", borrow(6_000, high)),
            own("wo0", Operation::WriteOff { user }),
            own("liq2", Operation::Liquidate { user, full: true, snapshot: crash }),
            own("wo1", Operation::WriteOff { user }),
            own("wo2", Operation::WriteOff { user }),
        ],
        later,
    )
    .await;
    assert_eq!(end[2], Answer::New(Outcome::Refused(Refusal::Secured)));
    assert_eq!((receipt(&end[3]).btc, receipt(&end[3]).inr), (ONE_BTC, 5_000));
    assert_eq!((receipt(&end[4]).inr, receipt(&end[4]).sheet.borrowed_inr), (1_000, 0));
    assert_eq!(end[5], Answer::New(Outcome::Refused(Refusal::NoLoan)));
    let page = store.statement(user, Page::newest(20)).await.expect("lines");
    let kinds: Vec<_> = page.iter().map(|p| line(p, user).kind).collect();
    let expected = [
        "LOAN_WRITE_OFF",
        "FULL_LIQUIDATION",
        "LOAN_BORROW",
        "LOAN_CREATE",
        "LOAN_REPAY",
        "PARTIAL_LIQUIDATION",
        "LOAN_BORROW",
        "LOAN_CREATE",
        "DEPOSIT_BTC",
    ];
    assert_eq!(kinds, expected);
    verify(&store).await;
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
    one_order_for_all_of(vec![store]).await;
}

/// The same through several handles on one ledger, as several processes have them.
pub async fn one_order_for_all_of(stores: Vec<Store>) {
    let store = stores[0].clone();
    let snapshot = store.put_snapshot(&price(409_500_000, 396_000_000)).await.expect("an id");
    for user in 1..=3 {
        commit(&store, vec![deposit(user, Asset::INR, 10_000_000, &format!("d{user}"))], START).await;
    }
    let clock = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for t in 0..16_i64 {
        let (store, clock) = (stores[t as usize % stores.len()].clone(), clock.clone());
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

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! ledger_contract {
    ($make:expr) => {
        $crate::ledger_contract!(@each $make;
            a_trade_end_to_end a_key_has_one_outcome refusals_change_nothing reversal paging export
            a_race_for_the_last_rupee one_order_for_all a_panic_changes_nothing
            orders an_order_ends_once transfers_and_withdrawals loans);
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
