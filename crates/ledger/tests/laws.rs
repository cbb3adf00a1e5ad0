//! The laws of the ledger's arithmetic and of its verifier, for any input.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::collections::HashMap;

use orrery_kernel::{AMOUNT_MAX, Asset, ONE_BTC, SnapshotId, Timestamp, UserId};
use orrery_ledger::Side::{self, Buy, Sell};
use orrery_ledger::{
    Account, Actor, Answer, AuditSink, Bucket, Command, Entry, Head, Hold, IdemKey, Kind, Limits, Loan, NewSnapshot,
    NoTrade, Operation, Order, Outcome, PaperFill, Posted, Refusal, Report, Sides, Size, Snapshot, Terms, Verifier,
    View, convert, decide, genesis,
};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn sides() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Buy), Just(Sell)]
}

fn sizes() -> impl Strategy<Value = Size> {
    // small amounts, where rounding shows, and any others
    let amount = || prop_oneof![1..1_000_i64, 1..AMOUNT_MAX];
    prop_oneof![amount().prop_map(Size::Inr), amount().prop_map(Size::Btc)]
}

fn rates() -> impl Strategy<Value = i64> {
    prop_oneof![1..1_000_i64, 1_000_000..10_000_000_000_i64]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// At no rate between sell and buy does a trade give the user value.
    #[test]
    fn the_house_never_loses_by_rounding(side in sides(), size in sizes(), sell in rates(), spread in 0..1_000_000_i64) {
        let buy = sell + spread;
        let rate = if side == Buy { buy } else { sell };
        let Ok(Sides { inr, btc }) = convert(side, size, rate) else { return Ok(()) };
        let (inr, btc) = match side {
            Buy => (-i128::from(inr), i128::from(btc)),
            Sell => (i128::from(inr), -i128::from(btc)),
        };
        for r in [sell, sell + spread / 2, buy] {
            prop_assert!(inr * i128::from(ONE_BTC) + btc * i128::from(r) <= 0, "at {}", r);
        }
    }

    /// The side that was named is exact, the other within one unit of the exact value.
    #[test]
    fn nobody_is_overcharged_by_a_unit(side in sides(), size in sizes(), rate in rates()) {
        let Ok(Sides { inr, btc }) = convert(side, size, rate) else { return Ok(()) };
        let (one, rate) = (i128::from(ONE_BTC), i128::from(rate));
        match size {
            Size::Inr(p) => {
                prop_assert_eq!(inr, p);
                prop_assert!((i128::from(btc) * rate - i128::from(p) * one).abs() < rate);
            }
            Size::Btc(q) => {
                prop_assert_eq!(btc, q);
                prop_assert!((i128::from(inr) * one - i128::from(q) * rate).abs() < one);
            }
        }
    }

    /// A trade refused as dust is really worth less than a unit, and one refused as too large is.
    #[test]
    fn a_refused_size_has_a_reason(side in sides(), size in sizes(), rate in rates()) {
        let (one, rate128) = (i128::from(ONE_BTC), i128::from(rate));
        let (value, unit) = match size {
            Size::Inr(p) => (i128::from(p) * one, rate128),
            Size::Btc(q) => (i128::from(q) * rate128, one),
        };
        match convert(side, size, rate) {
            Err(NoTrade::Dust) => prop_assert!(value < unit),
            Err(NoTrade::TooLarge) => prop_assert!(value / unit >= i128::from(AMOUNT_MAX)),
            Ok(_) => {}
        }
    }
}

#[test]
fn the_documents_example_and_the_originals_defects() {
    // 1,000 rupees at 4,095,000 rupees per bitcoin
    assert_eq!(convert(Buy, Size::Inr(100_000), 409_500_000), Ok(Sides { inr: 100_000, btc: 24_420 }));
    // a rupee buys the floor: 24 satoshis, of which 24 sell for 95 paise, not for a rupee
    assert_eq!(convert(Buy, Size::Inr(100), 409_500_000), Ok(Sides { inr: 100, btc: 24 }));
    assert_eq!(convert(Sell, Size::Btc(24), 396_000_000), Ok(Sides { inr: 95, btc: 24 }));
    // 13 satoshis were sold for a whole rupee by rounding to the nearest
    assert_eq!(convert(Sell, Size::Btc(13), 396_000_000), Ok(Sides { inr: 51, btc: 13 }));
    assert_eq!(convert(Buy, Size::Inr(4), 409_500_000), Err(NoTrade::Dust));
    assert_eq!(convert(Buy, Size::Btc(AMOUNT_MAX), 409_500_000_000), Err(NoTrade::TooLarge));
}

/// A small ledger as a store would keep it.
#[derive(Clone, Default)]
struct Book {
    journal: Vec<Entry>,
    balances: HashMap<Account, i64>,
    recorded: HashMap<(Actor, IdemKey), orrery_ledger::Recorded>,
    resolved: HashMap<i64, i64>,
    orders: HashMap<i64, Order>,
    holds: HashMap<i64, Hold>,
    loans: HashMap<UserId, Loan>,
    commands: usize,
}

fn snapshot() -> Snapshot {
    let price = NewSnapshot {
        source: "test".into(),
        btc_usd_cents: 4_500_000,
        buy_mult_e4: 910_000,
        sell_mult_e4: 880_000,
        buy_rate: 409_500_000,
        sell_rate: 396_000_000,
        observed_at: NOW,
        received_at: NOW,
    };
    Snapshot { id: SnapshotId(1), price }
}

impl Book {
    fn head(&self) -> Head {
        let none = Head { seq: 0, hash: genesis(), at: Timestamp::from_micros(0) };
        self.journal.last().map_or(none, |e| Head { seq: e.seq, hash: e.hash, at: e.at })
    }

    fn posted(&self, entry: &Entry) -> Posted {
        Posted {
            entry: entry.clone(),
            resolved_by: self.resolved.get(&entry.seq).copied(),
            snapshot: entry.snapshot.map(|_| snapshot()),
            order: self.orders.get(&entry.seq).cloned(),
            hold: self.holds.get(&entry.seq).cloned(),
        }
    }

    fn run(&mut self, operations: Vec<Operation>) -> Vec<Answer> {
        let base = self.commands;
        self.commands += operations.len();
        let commands: Vec<_> = operations
            .into_iter()
            .enumerate()
            .map(|(n, operation)| Command {
                actor: Actor::System,
                key: IdemKey::new(&format!("k{}", base + n)).unwrap(),
                operation,
            })
            .collect();
        let view = View {
            head: self.head(),
            balances: self.balances.clone(),
            recorded: self.recorded.clone(),
            snapshots: HashMap::from([(SnapshotId(1), snapshot())]),
            entries: self.journal.iter().map(|e| (e.seq, self.posted(e))).collect(),
            orders: self.orders.clone(),
            holds: self.holds.clone(),
            loans: self.loans.clone(),
        };
        let decision = decide(view, &commands, NOW, &Limits::default());
        self.balances.extend(decision.batch.balances);
        self.orders.extend(decision.batch.orders);
        self.holds.extend(decision.batch.holds);
        for (user, loan) in decision.batch.loans {
            match loan {
                Some(loan) => self.loans.insert(user, loan),
                None => self.loans.remove(&user),
            };
        }
        for entry in decision.batch.entries {
            if let Some(refs) = entry.refs {
                self.resolved.insert(refs, entry.seq);
            }
            self.journal.push(entry);
        }
        self.recorded.extend(decision.batch.idem.into_iter().map(|r| ((r.actor, r.key), r.recorded)));
        decision.answers
    }

    fn verify(&self) -> Report {
        let mut verifier = Verifier::default();
        for entry in &self.journal {
            verifier.entry(self.posted(entry));
        }
        for (account, balance) in &self.balances {
            verifier.balance(account.clone(), *balance);
        }
        self.orders.values().for_each(|order| verifier.order(order.clone()));
        self.holds.values().for_each(|hold| verifier.hold(hold.clone()));
        self.loans.values().for_each(|loan| verifier.loan(loan.clone()));
        for ((actor, key), recorded) in &self.recorded {
            verifier.recorded(orrery_ledger::IdemRow { actor: *actor, key: key.clone(), recorded: recorded.clone() });
        }
        verifier.finish()
    }
}

fn buy(size: Size) -> Operation {
    Operation::Trade { user: UserId(1), side: Buy, size, snapshot: SnapshotId(1), worst_rate: None, plan: false }
}

fn order(side: Side, size: Size, limit: i64) -> Operation {
    Operation::PlaceOrder { user: UserId(1), side, size, limit, expires_at: None }
}

fn hold(amount: i64) -> Operation {
    Operation::Hold { user: UserId(1), asset: Asset::INR, amount, expires_at: None }
}

fn paper(ticker: &str) -> Asset {
    Asset::paper(ticker).unwrap()
}

fn exchange(amount: i64, cost: i64, buyer_fee: i64, seller_fee: i64, freed: i64) -> PaperFill {
    let (base, quote) = (paper("BTC"), paper("USDT"));
    PaperFill { buyer: None, seller: None, base, quote, amount, cost, buyer_fee, seller_fee, freed }
}

fn filled() -> Book {
    let mut book = Book::default();
    let answers = book.run(vec![
        Operation::FundHouse { asset: Asset::BTC, bucket: Bucket::Inventory, amount: 1_000_000 },
        Operation::Deposit { user: UserId(1), asset: Asset::INR, amount: 1_000_000 },
        buy(Size::Inr(100_000)),
        buy(Size::Btc(10_000)),
        Operation::Reverse { seq: 3 },
        order(Buy, Size::Inr(50_000), 410_000_000),
        Operation::FillOrder { user: UserId(1), order: 6, snapshot: SnapshotId(1) },
        order(Sell, Size::Btc(1_000), 500_000_000),
        Operation::CancelOrder { user: UserId(1), order: 8 },
        order(Buy, Size::Btc(1_000), 400_000_000),
        Operation::Transfer { from: UserId(1), to: UserId(2), asset: Asset::BTC, amount: 100 },
        Operation::Withdraw { user: UserId(1), asset: Asset::INR, amount: 200 },
        hold(300),
        Operation::PostHold { user: UserId(1), hold: 13, amount: Some(200) },
        hold(400),
        Operation::VoidHold { user: UserId(1), hold: 15 },
        hold(500),
        Operation::FundHouse { asset: Asset::INR, bucket: Bucket::Treasury, amount: 1_000_000 },
        Operation::LockCollateral { user: UserId(1), amount: 10_000, rate_bps: 1_500 },
        Operation::Borrow { user: UserId(1), amount: 20_000, snapshot: SnapshotId(1) },
        Operation::ReleaseCollateral { user: UserId(1), amount: 1_000, snapshot: SnapshotId(1) },
        Operation::Repay { user: UserId(1), amount: 5_000 },
        Operation::PaperGrant { account: "one".into(), asset: paper("USDT"), amount: 1_000 },
        Operation::PaperHold { account: "one".into(), asset: paper("USDT"), amount: 700 },
        Operation::PaperFill(PaperFill { buyer: Some("one".into()), seller: None, ..exchange(100, 300, 2, 0, 50) }),
        Operation::PaperHold { account: "one".into(), asset: paper("BTC"), amount: 90 },
        Operation::PaperFill(PaperFill { buyer: None, seller: Some("one".into()), ..exchange(30, 90, 0, 1, 0) }),
        Operation::PaperFill(PaperFill {
            buyer: Some("one".into()),
            seller: Some("one".into()),
            ..exchange(20, 60, 1, 1, 10)
        }),
        Operation::PaperRelease { account: "one".into(), asset: paper("USDT"), amount: 80 },
    ]);
    assert!(answers.iter().all(|a| matches!(a, Answer::New(Outcome::Posted(_)))), "{answers:?}");
    book
}

/// One change of one field of one entry.
fn tamper(entry: &mut Entry, field: usize) {
    let leg = entry.legs.last_mut().expect("an entry has legs");
    match field {
        0 => entry.seq += 1,
        1 => entry.kind = if entry.kind == Kind::Deposit { Kind::FundHouse } else { Kind::Deposit },
        2 => entry.actor = Actor::User(UserId(77)),
        3 => entry.key = IdemKey::new("another").unwrap(),
        4 => entry.snapshot = if entry.snapshot.is_none() { Some(SnapshotId(1)) } else { None },
        5 => entry.size = Some(Size::Inr(1)),
        6 => entry.refs = Some(entry.refs.map_or(1, |r| r + 1)),
        7 => leg.amount += 1,
        8 => leg.from = Account::user(UserId(9), leg.from.asset, Bucket::Available),
        9 => leg.to = Account::user(UserId(9), leg.to.asset, Bucket::Available),
        10 => leg.from_after += 1,
        11 => leg.to_after -= 1,
        12 => entry.at = Timestamp::from_micros(entry.at.micros() + 1),
        13 => entry.prev[7] ^= 1,
        14 => entry.hash[31] ^= 0x80,
        15 => entry.terms = Some(Terms { rate: entry.terms.map_or(1, |t| t.rate + 1), until: None }),
        _ => drop(entry.legs.pop()),
    }
}

#[test]
fn every_changed_field_of_every_entry_is_found() {
    let book = filled();
    assert!(book.verify().is_ok(), "{:?}", book.verify().faults);
    for n in 0..book.journal.len() {
        for field in 0..=16 {
            let mut changed = book.clone();
            tamper(&mut changed.journal[n], field);
            assert!(!changed.verify().is_ok(), "field {field} of entry {} was changed unnoticed", n + 1);
        }
    }
}

#[test]
fn a_changed_entry_with_a_mended_chain_is_found_too() {
    let book = filled();
    for n in 0..book.journal.len() {
        // fields that a careful forger could hash again (the key and actor are held by the outcome,
        // the order and time by nothing but the head that the operator keeps elsewhere)
        for field in [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16] {
            let mut changed = book.clone();
            tamper(&mut changed.journal[n], field);
            for at in n..changed.journal.len() {
                let prev = if at == 0 { genesis() } else { changed.journal[at - 1].hash };
                changed.journal[at].prev = prev;
                changed.journal[at].hash = changed.journal[at].digest();
            }
            assert!(!changed.verify().is_ok(), "field {field} of entry {} was forged unnoticed", n + 1);
        }
    }
}

#[test]
fn missing_entries_balances_and_outcomes_are_found() {
    let book = filled();
    let mut cut = book.clone();
    cut.journal.remove(2);
    assert!(!cut.verify().is_ok());
    let mut short = book.clone();
    short.journal.pop();
    assert!(!short.verify().is_ok(), "the tail is missed by balances and outcomes");
    for account in book.balances.keys() {
        let mut changed = book.clone();
        *changed.balances.get_mut(account).unwrap() += 1;
        assert!(!changed.verify().is_ok(), "{account} was changed unnoticed");
        let mut missing = book.clone();
        if missing.balances.remove(account) != Some(0) {
            assert!(!missing.verify().is_ok(), "{account} was removed unnoticed");
        }
    }
    for id in book.orders.keys() {
        let mut changed = book.clone();
        changed.orders.get_mut(id).unwrap().reserved += 1;
        assert!(!changed.verify().is_ok(), "order {id} was changed unnoticed");
        changed.orders.remove(id);
        assert!(!changed.verify().is_ok(), "order {id} was removed unnoticed");
    }
    for id in book.holds.keys() {
        let mut changed = book.clone();
        changed.holds.get_mut(id).unwrap().paid += 1;
        assert!(!changed.verify().is_ok(), "hold {id} was changed unnoticed");
        changed.holds.remove(id);
        assert!(!changed.verify().is_ok(), "hold {id} was removed unnoticed");
    }
    let mut changed = book.clone();
    changed.loans.get_mut(&UserId(1)).unwrap().carry += 1;
    assert!(!changed.verify().is_ok(), "the loan was changed unnoticed");
    changed.loans.clear();
    assert!(!changed.verify().is_ok(), "the loan was removed unnoticed");
    for key in book.recorded.keys() {
        let mut missing = book.clone();
        missing.recorded.remove(key);
        assert!(!missing.verify().is_ok(), "an outcome was removed unnoticed");
    }
}

#[test]
fn money_beyond_its_range_is_refused_and_changes_nothing() {
    let mut book = Book::default();
    let deposit = |amount| Operation::Deposit { user: UserId(1), asset: Asset::INR, amount };
    assert!(matches!(book.run(vec![deposit(AMOUNT_MAX)])[0], Answer::New(Outcome::Posted(_))));
    let before = book.head();
    let answers = book.run(vec![deposit(1), deposit(AMOUNT_MAX)]);
    for answer in &answers {
        assert!(matches!(answer, Answer::New(Outcome::Refused(Refusal::Bound { .. }))), "{answer:?}");
    }
    assert_eq!(
        book.run(vec![deposit(AMOUNT_MAX + 1), deposit(-1), deposit(0)]),
        [const { Answer::Invalid("amount") }; 3]
    );
    assert_eq!(book.head(), before);
    assert!(book.verify().is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// One batch or many: the same entries, hashes and balances.
    #[test]
    fn batching_does_not_show(
        amounts in proptest::collection::vec((1..200_000_i64, 0..4_u8), 1..24),
        cut in 1..8_usize,
    ) {
        let operations: Vec<_> = amounts
            .iter()
            .map(|(amount, what)| match what {
                0 => Operation::Deposit { user: UserId(1), asset: Asset::INR, amount: *amount },
                1 => buy(Size::Inr(*amount)),
                2 => buy(Size::Btc(*amount)),
                _ => Operation::Reverse { seq: amount % 10 },
            })
            .collect();
        let (mut one, mut many) = (Book::default(), Book::default());
        let whole = one.run(operations.clone());
        let mut pieces = Vec::new();
        for piece in operations.chunks(cut) {
            pieces.extend(many.run(piece.to_vec()));
        }
        prop_assert_eq!(whole, pieces);
        prop_assert_eq!(one.head(), many.head());
        prop_assert!(one.verify().is_ok() && many.verify().is_ok());
    }
}
