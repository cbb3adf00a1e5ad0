//! The reference model of the ledger: as plain as it can be, written from the rules and not from the
//! code. It knows accounts by their text codes, keeps everything, optimises nothing, and computes the
//! hash chain from the documented layout by itself.

mod paper;
mod request;

use std::collections::BTreeMap;

use orrery_kernel::{AMOUNT_MAX, ONE_BTC, Timestamp, UserId};
use orrery_ledger::{Actor, Answer, Bucket, Command, NewSnapshot, Operation, Outcome, Refusal, Side, Size, WalletStep};
use sha2::{Digest, Sha256};

/// What the model says to a command, in words that are easy to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Decided now.
    New(Said1),
    /// Decided before.
    Replay(Said1),
    /// The key belongs to another request.
    KeyReused,
    /// Broken shape.
    Invalid,
}

/// An outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said1 {
    /// Entry, paise, satoshis, rate, time and the user's seven balances.
    Posted(i64, i128, i128, i128, i64, [i128; 7]),
    /// The refusal's name; for shortages the amount needed and the amount there.
    Refused(&'static str, i128, i128),
}

impl Said {
    /// A store's answer in the model's words.
    pub fn of(answer: &Answer) -> Self {
        let outcome = |outcome: &Outcome| match outcome {
            Outcome::Posted(r) => {
                let s = r.sheet;
                let sheet = [
                    s.available_inr,
                    s.available_btc,
                    s.reserved_inr,
                    s.reserved_btc,
                    s.collateral_btc,
                    s.borrowed_inr,
                    s.interest_accrued,
                ];
                Said1::Posted(r.seq, r.inr.into(), r.btc.into(), r.rate.into(), r.at.micros(), sheet.map(i128::from))
            }
            Outcome::Refused(refusal) => match refusal {
                Refusal::Insufficient { required, available, .. } => {
                    Said1::Refused("insufficient", i128::from(*required), i128::from(*available))
                }
                Refusal::Bound { .. } => Said1::Refused("bound", 0, 0),
                Refusal::Dust => Said1::Refused("dust", 0, 0),
                Refusal::StalePrice => Said1::Refused("stale", 0, 0),
                Refusal::Slippage => Said1::Refused("slippage", 0, 0),
                Refusal::NoSuchEntry => Said1::Refused("no entry", 0, 0),
                Refusal::NotReversible => Said1::Refused("not reversible", 0, 0),
                Refusal::NoSuchOrder => Said1::Refused("no order", 0, 0),
                Refusal::NoSuchHold => Said1::Refused("no hold", 0, 0),
                Refusal::NotOpen => Said1::Refused("not open", 0, 0),
                Refusal::NotCrossed => Said1::Refused("not crossed", 0, 0),
                Refusal::NoLoan => Said1::Refused("no loan", 0, 0),
                Refusal::NoDebt => Said1::Refused("no debt", 0, 0),
                Refusal::Undersecured { allowed, debt } => {
                    Said1::Refused("undersecured", i128::from(*allowed), i128::from(*debt))
                }
                Refusal::Healthy => Said1::Refused("healthy", 0, 0),
                Refusal::Secured => Said1::Refused("secured", 0, 0),
            },
        };
        match answer {
            Answer::New(o) => Self::New(outcome(o)),
            Answer::Replay(o) => Self::Replay(outcome(o)),
            Answer::KeyReused => Self::KeyReused,
            Answer::Invalid(_) => Self::Invalid,
        }
    }
}

type Legs = Vec<(String, String, i128)>;

#[derive(Clone)]
struct Entry {
    kind: u8,
    legs: Legs,
    undone: bool,
}

/// What an entry says beside its legs.
#[derive(Clone, Copy, Default)]
struct Facts {
    kind: u8,
    snapshot: i64,
    size: Option<Size>,
    refs: i64,
    terms: Option<(i64, i64)>,
    user: Option<UserId>,
    inr: i128,
    btc: i128,
    rate: i128,
}

/// An order or a hold.
#[derive(Clone, Debug)]
struct Deal {
    user: UserId,
    /// Side and size of an order; a hold has none.
    order: Option<(bool, Size, i64)>,
    asset: &'static str,
    reserved: i128,
    until: i64,
    open: bool,
}

#[derive(Clone, Debug)]
struct Loan {
    rate_bps: i128,
    accrued_to: i64,
    carry: i128,
}

/// The whole state.
pub struct Model {
    balances: BTreeMap<String, i128>,
    journal: Vec<Entry>,
    keys: BTreeMap<(String, String), (Operation, Said1)>,
    snapshots: Vec<NewSnapshot>,
    orders: BTreeMap<i64, Deal>,
    holds: BTreeMap<i64, Deal>,
    loans: BTreeMap<UserId, Loan>,
    max_age_us: i64,
    floor: i128,
    now: i64,
    /// The journal's head.
    pub head: [u8; 32],
}

impl Model {
    /// An empty ledger with stored prices 1, 2, 3 …; `floor` bounds both inventories.
    pub fn new(snapshots: Vec<NewSnapshot>, max_age_us: i64, floor: i64) -> Self {
        Self {
            balances: BTreeMap::new(),
            journal: Vec::new(),
            keys: BTreeMap::new(),
            snapshots,
            orders: BTreeMap::new(),
            holds: BTreeMap::new(),
            loans: BTreeMap::new(),
            max_age_us,
            floor: floor.into(),
            now: 0,
            head: Sha256::digest(b"ledger/v1").into(),
        }
    }

    /// Time passes.
    pub fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now.micros());
    }

    /// Balance of an account by its code.
    pub fn balance(&self, code: &str) -> i128 {
        self.balances.get(code).copied().unwrap_or(0)
    }

    /// Entries so far.
    pub fn length(&self) -> i64 {
        i64::try_from(self.journal.len()).expect("a short journal")
    }

    /// A user's seven balances as shown.
    pub fn sheet(&self, user: UserId) -> [i128; 7] {
        let at = |rest: &str| self.balance(&format!("user:{user}/{rest}"));
        [
            at("INR/available"),
            at("BTC/available"),
            at("INR/reserved"),
            at("BTC/reserved"),
            at("BTC/collateral"),
            -at("INR/borrowed"),
            -at("INR/interest"),
        ]
    }

    /// Does one command.
    pub fn execute(&mut self, command: &Command) -> Said {
        let key = (command.actor.code(), command.key.as_str().to_owned());
        if let Some((operation, said)) = self.keys.get(&key) {
            return if request::same(operation, &command.operation) {
                Said::Replay(said.clone())
            } else {
                Said::KeyReused
            };
        }
        let Some(said) = self.step(command) else { return Said::Invalid };
        self.keys.insert(key, (command.operation.clone(), said.clone()));
        Said::New(said)
    }

    /// Orders that were ever placed.
    pub fn orders(&self) -> Vec<(i64, UserId)> {
        self.orders.iter().map(|(id, deal)| (*id, deal.user)).collect()
    }

    /// Holds that were ever made.
    pub fn holds(&self) -> Vec<(i64, UserId)> {
        self.holds.iter().map(|(id, deal)| (*id, deal.user)).collect()
    }

    /// What a user owes now, and what a satoshi of collateral backs.
    pub fn debt(&self, user: UserId) -> i128 {
        let [.., borrowed, interest] = self.sheet(user);
        borrowed + interest + self.interest_due(user).map_or(0, |(due, _)| due)
    }

    /// Interest due since it was last added, and the loan with it added.
    fn interest_due(&self, user: UserId) -> Option<(i128, Loan)> {
        let loan = self.loans.get(&user)?;
        let principal = -self.balance(&format!("user:{user}/INR/borrowed"));
        let now = self.now.div_euclid(1_000_000);
        let year = 10_000 * 365 * 24 * 3_600;
        let n = principal * loan.rate_bps * i128::from((now - loan.accrued_to).max(0)) + loan.carry;
        let after = Loan { accrued_to: now.max(loan.accrued_to), carry: n % year, ..loan.clone() };
        Some((n / year, after))
    }

    fn price(&self, snapshot: i64) -> Option<&NewSnapshot> {
        let price = self.snapshots.get(usize::try_from(snapshot - 1).ok()?)?;
        (self.now - price.observed_at.micros() <= self.max_age_us).then_some(price)
    }

    /// `None`: broken shape.
    #[expect(clippy::too_many_lines, reason = "one rule after another is what a reference is for")]
    fn step(&mut self, command: &Command) -> Option<Said1> {
        let money = |n: i64| (1..=AMOUNT_MAX).contains(&n).then_some(i128::from(n));
        let refused = |name| Some(Said1::Refused(name, 0, 0));
        let of = |asset: &str, n: i128| if asset == "INR" { (n, 0) } else { (0, n) };
        match command.operation {
            Operation::Deposit { user, asset, amount } => {
                let amount = money(amount)?;
                let leg = (format!("world/{asset}/outside"), format!("user:{user}/{asset}/available"), amount);
                let (inr, btc) = of(asset.code(), amount);
                let facts = Facts { kind: 1, user: Some(user), inr, btc, ..Facts::default() };
                Some(self.post(command, facts, vec![leg]))
            }
            Operation::FundHouse { asset, bucket, amount } => {
                let name = match (bucket, asset.code()) {
                    (Bucket::Inventory, "INR" | "BTC") => "inventory",
                    (Bucket::Treasury, "INR") => "treasury",
                    _ => return None,
                };
                let amount = money(amount)?;
                let leg = (format!("world/{asset}/outside"), format!("house/{asset}/{name}"), amount);
                let (inr, btc) = of(asset.code(), amount);
                Some(self.post(command, Facts { kind: 2, inr, btc, ..Facts::default() }, vec![leg]))
            }
            Operation::Trade { user, side, size, snapshot, worst_rate, plan } => {
                let (Size::Inr(n) | Size::Btc(n)) = size;
                money(n)?;
                if worst_rate.is_some_and(|r| r <= 0) {
                    return None;
                }
                let Some(price) = self.price(snapshot.0) else { return refused("stale") };
                let buy = side == Side::Buy;
                let rate = i128::from(if buy { price.buy_rate } else { price.sell_rate });
                if worst_rate.is_some_and(|w| if buy { rate > i128::from(w) } else { rate < i128::from(w) }) {
                    return refused("slippage");
                }
                let (p, q) = match exchange(buy, size, rate)? {
                    (0, _) | (_, 0) => return refused("dust"),
                    sides => sides,
                };
                // no free value: at every rate between sell and buy the user does not gain
                let (dp, dq) = if buy { (-p, q) } else { (p, -q) };
                for r in [price.sell_rate, price.buy_rate] {
                    assert!(dp * i128::from(ONE_BTC) + dq * i128::from(r) <= 0, "a trade gave value away");
                }
                let kind = match (plan, buy) {
                    (false, true) => 3,
                    (false, false) => 4,
                    (true, true) => 26,
                    (true, false) => 27,
                };
                let (size, user) = (Some(size), Some(user));
                let facts = Facts { kind, snapshot: snapshot.0, size, user, inr: p, btc: q, rate, ..Facts::default() };
                Some(self.post(command, facts, swap(user?, buy, "available", p, q)))
            }
            Operation::Reverse { seq } => {
                let at = usize::try_from(seq).ok().filter(|s| *s > 0)? - 1;
                let Some(entry) = self.journal.get(at).cloned() else { return refused("no entry") };
                if !matches!(entry.kind, 1 | 2 | 3 | 4 | 12 | 13 | 26 | 27) || entry.undone {
                    return refused("not reversible");
                }
                let legs: Vec<_> = entry.legs.iter().rev().map(|(f, t, n)| (t.clone(), f.clone(), *n)).collect();
                let user = legs
                    .iter()
                    .flat_map(|(f, t, _)| [f, t])
                    .find_map(|code| code.strip_prefix("user:")?.split('/').next()?.parse().ok().map(UserId));
                // what the user's free money changes by; of the house alone, what moves
                let moved = |asset: &str| -> i128 {
                    let own = user.map(|u| format!("user:{u}/{asset}/available"));
                    let counts = |f: &String, t: &String| match &own {
                        Some(own) => f == own || t == own,
                        None => f.contains(&format!("/{asset}/")),
                    };
                    legs.iter().filter(|(f, t, _)| counts(f, t)).map(|(_, _, n)| n).sum()
                };
                let facts =
                    Facts { kind: 5, refs: seq, user, inr: moved("INR"), btc: moved("BTC"), ..Facts::default() };
                let said = self.post(command, facts, legs);
                if let Said1::Posted(..) = said {
                    self.journal[at].undone = true;
                }
                Some(said)
            }
            Operation::PlaceOrder { user, side, size, limit, expires_at } => {
                let (Size::Inr(n) | Size::Btc(n)) = size;
                money(n)?;
                let until = expires_at.map_or(0, Timestamp::micros);
                if limit <= 0 || expires_at.is_some() && until <= self.now {
                    return None;
                }
                let buy = side == Side::Buy;
                let (p, q) = match exchange(buy, size, limit.into())? {
                    (0, _) | (_, 0) => return refused("dust"),
                    sides => sides,
                };
                let (asset, reserved) = if buy { ("INR", p) } else { ("BTC", q) };
                let facts = Facts {
                    kind: if buy { 6 } else { 7 },
                    size: Some(size),
                    terms: Some((limit, until)),
                    user: Some(user),
                    inr: p,
                    btc: q,
                    rate: limit.into(),
                    ..Facts::default()
                };
                let said = self.post(command, facts, vec![reserve(user, asset, reserved)]);
                if let Said1::Posted(seq, ..) = said {
                    let order = Some((buy, size, limit));
                    self.orders.insert(seq, Deal { user, order, asset, reserved, until, open: true });
                }
                Some(said)
            }
            Operation::FillOrder { user, order, snapshot } => {
                let deal = match self.open_deal(&self.orders, user, order, "no order")? {
                    Ok(deal) => deal,
                    Err(said) => return Some(said),
                };
                if deal.until > 0 && self.now >= deal.until {
                    return refused("not open");
                }
                let (buy, size, limit) = deal.order?;
                let Some(price) = self.price(snapshot.0) else { return refused("stale") };
                let rate = if buy { price.buy_rate } else { price.sell_rate };
                if if buy { rate > limit } else { rate < limit } {
                    return refused("not crossed");
                }
                let (p, q) = match exchange(buy, size, rate.into())? {
                    (0, _) | (_, 0) => return refused("dust"),
                    sides => sides,
                };
                let spent = if buy { p } else { q };
                assert!(spent <= deal.reserved, "a fill cost more than was reserved");
                let mut legs = swap(user, buy, "reserved", p, q);
                if spent < deal.reserved {
                    legs.push(release(user, deal.asset, deal.reserved - spent));
                }
                let facts = Facts {
                    kind: if buy { 8 } else { 9 },
                    snapshot: snapshot.0,
                    size: Some(size),
                    refs: order,
                    user: Some(user),
                    inr: p,
                    btc: q,
                    rate: rate.into(),
                    ..Facts::default()
                };
                let said = self.post(command, facts, legs);
                if let Said1::Posted(..) = said {
                    self.orders.get_mut(&order)?.open = false;
                }
                Some(said)
            }
            Operation::CancelOrder { user, order } | Operation::ExpireOrder { user, order } => {
                let deal = match self.open_deal(&self.orders, user, order, "no order")? {
                    Ok(deal) => deal,
                    Err(said) => return Some(said),
                };
                let expires = matches!(command.operation, Operation::ExpireOrder { .. });
                if expires && (deal.until == 0 || self.now < deal.until) {
                    return None;
                }
                let (inr, btc) = of(deal.asset, deal.reserved);
                let kind = if expires { 11 } else { 10 };
                let facts = Facts { kind, refs: order, user: Some(user), inr, btc, ..Facts::default() };
                let said = self.post(command, facts, vec![release(user, deal.asset, deal.reserved)]);
                if let Said1::Posted(..) = said {
                    self.orders.get_mut(&order)?.open = false;
                }
                Some(said)
            }
            Operation::Transfer { from, to, asset, amount } => {
                let amount = money(amount)?;
                if from == to {
                    return None;
                }
                let leg = (format!("user:{from}/{asset}/available"), format!("user:{to}/{asset}/available"), amount);
                let (inr, btc) = of(asset.code(), amount);
                Some(self.post(command, Facts { kind: 12, user: Some(from), inr, btc, ..Facts::default() }, vec![leg]))
            }
            Operation::Withdraw { user, asset, amount } => {
                let amount = money(amount)?;
                let out = (format!("user:{user}/{asset}/reserved"), format!("world/{asset}/outside"), amount);
                let (inr, btc) = of(asset.code(), amount);
                let facts = Facts { kind: 13, user: Some(user), inr, btc, ..Facts::default() };
                Some(self.post(command, facts, vec![reserve(user, asset.code(), amount), out]))
            }
            Operation::Hold { user, asset, amount, expires_at } => {
                let amount = money(amount)?;
                let until = expires_at.map_or(0, Timestamp::micros);
                if expires_at.is_some() && until <= self.now {
                    return None;
                }
                let asset = if asset.code() == "INR" { "INR" } else { "BTC" };
                let (inr, btc) = of(asset, amount);
                let facts = Facts { kind: 14, terms: Some((0, until)), user: Some(user), inr, btc, ..Facts::default() };
                let said = self.post(command, facts, vec![reserve(user, asset, amount)]);
                if let Said1::Posted(seq, ..) = said {
                    self.holds.insert(seq, Deal { user, order: None, asset, reserved: amount, until, open: true });
                }
                Some(said)
            }
            Operation::PostHold { user, hold, .. }
            | Operation::VoidHold { user, hold }
            | Operation::ExpireHold { user, hold } => {
                let deal = match self.open_deal(&self.holds, user, hold, "no hold")? {
                    Ok(deal) => deal,
                    Err(said) => return Some(said),
                };
                let (kind, paid) = match command.operation {
                    Operation::PostHold { amount, .. } => (15, amount.map_or(deal.reserved, i128::from)),
                    Operation::VoidHold { .. } => (16, 0),
                    _ if deal.until == 0 || self.now < deal.until => return None,
                    _ => (17, 0),
                };
                if kind == 15 && !(1..=deal.reserved).contains(&paid) {
                    return None;
                }
                let mut legs = Vec::new();
                if paid > 0 {
                    let asset = deal.asset;
                    legs.push((format!("user:{user}/{asset}/reserved"), format!("world/{asset}/outside"), paid));
                }
                if paid < deal.reserved {
                    legs.push(release(user, deal.asset, deal.reserved - paid));
                }
                let (inr, btc) = of(deal.asset, if paid > 0 { paid } else { deal.reserved });
                let said = self.post(
                    command,
                    Facts { kind, refs: hold, user: Some(user), inr, btc, ..Facts::default() },
                    legs,
                );
                if let Said1::Posted(..) = said {
                    self.holds.get_mut(&hold)?.open = false;
                }
                Some(said)
            }
            Operation::LockCollateral { user, amount, rate_bps } => {
                let amount = money(amount)?;
                let opens = !self.loans.contains_key(&user);
                if opens && !(0..=100_000).contains(&rate_bps) {
                    return None;
                }
                let leg = (format!("user:{user}/BTC/available"), format!("user:{user}/BTC/collateral"), amount);
                let terms = opens.then_some((rate_bps, 0));
                let facts = Facts { kind: 18, terms, user: Some(user), btc: amount, ..Facts::default() };
                let said = self.post(command, facts, vec![leg]);
                if let (Said1::Posted(..), true) = (&said, opens) {
                    let accrued_to = self.now.div_euclid(1_000_000);
                    self.loans.insert(user, Loan { rate_bps: rate_bps.into(), accrued_to, carry: 0 });
                }
                Some(said)
            }
            Operation::ReleaseCollateral { user, amount, snapshot } => {
                let amount = money(amount)?;
                let Some((due, loan)) = self.interest_due(user) else { return refused("no loan") };
                let (debt, collateral) = (self.debt(user), self.balance(&format!("user:{user}/BTC/collateral")));
                if amount > collateral {
                    return Some(Said1::Refused("insufficient", amount, collateral));
                }
                if debt > 0 {
                    let Some(price) = self.price(snapshot.0) else { return refused("stale") };
                    if let Some(said) = too_much(debt, collateral - amount, price.sell_rate) {
                        return Some(said);
                    }
                }
                let mut legs = interest_leg(user, due);
                legs.push((format!("user:{user}/BTC/collateral"), format!("user:{user}/BTC/available"), amount));
                let snapshot = if debt > 0 { snapshot.0 } else { 0 };
                let facts = Facts { kind: 19, snapshot, user: Some(user), btc: amount, ..Facts::default() };
                let said = self.post(command, facts, legs);
                let ends = debt == 0 && amount == collateral;
                Some(self.settle(said, user, (!ends).then_some(loan)))
            }
            Operation::Borrow { user, amount, snapshot } => {
                let amount = money(amount)?;
                let Some((due, loan)) = self.interest_due(user) else { return refused("no loan") };
                let Some(price) = self.price(snapshot.0) else { return refused("stale") };
                let rate = price.sell_rate;
                let collateral = self.balance(&format!("user:{user}/BTC/collateral"));
                if let Some(said) = too_much(self.debt(user) + amount, collateral, rate) {
                    return Some(said);
                }
                let mut legs = interest_leg(user, due);
                legs.push(("house/INR/treasury".into(), format!("user:{user}/INR/available"), amount));
                legs.push((format!("user:{user}/INR/borrowed"), "house/INR/receivable".into(), amount));
                let (snapshot, rate) = (snapshot.0, rate.into());
                let facts = Facts { kind: 20, snapshot, user: Some(user), inr: amount, rate, ..Facts::default() };
                let said = self.post(command, facts, legs);
                Some(self.settle(said, user, Some(loan)))
            }
            Operation::Repay { user, amount } => {
                let amount = money(amount)?;
                let Some((due, loan)) = self.interest_due(user) else { return refused("no loan") };
                let debt = self.debt(user);
                if debt == 0 {
                    return refused("no debt");
                }
                let paid = amount.min(debt);
                let mut legs = interest_leg(user, due);
                legs.extend(self.pay(user, paid, due));
                let collateral = self.balance(&format!("user:{user}/BTC/collateral"));
                if paid == debt && collateral > 0 {
                    legs.push((
                        format!("user:{user}/BTC/collateral"),
                        format!("user:{user}/BTC/available"),
                        collateral,
                    ));
                }
                let said =
                    self.post(command, Facts { kind: 21, user: Some(user), inr: paid, ..Facts::default() }, legs);
                Some(self.settle(said, user, (paid < debt).then_some(loan)))
            }
            Operation::Accrue { user } => {
                let Some((due, loan)) = self.interest_due(user) else { return refused("no loan") };
                if due == 0 {
                    return refused("no debt");
                }
                let facts = Facts { kind: 22, user: Some(user), inr: due, ..Facts::default() };
                let said = self.post(command, facts, interest_leg(user, due));
                Some(self.settle(said, user, Some(loan)))
            }
            Operation::Liquidate { user, full, snapshot } => {
                let Some((due, loan)) = self.interest_due(user) else { return refused("no loan") };
                let Some(price) = self.price(snapshot.0) else { return refused("stale") };
                let (rate, one) = (i128::from(price.sell_rate), i128::from(ONE_BTC));
                let (debt, collateral) = (self.debt(user), self.balance(&format!("user:{user}/BTC/collateral")));
                let value = collateral * rate / one;
                if debt == 0 || debt * 10_000 < 9_000 * value {
                    return refused("healthy");
                }
                let wanted =
                    if full { up(debt * one, rate) } else { up((debt * 10_000 - 6_000 * value) * one, 4_000 * rate) };
                let sold = wanted.min(collateral);
                let got = sold * rate / one;
                if got == 0 {
                    return refused("dust");
                }
                if got > i128::from(AMOUNT_MAX) {
                    return None;
                }
                let paid = got.min(debt);
                let mut legs = interest_leg(user, due);
                legs.push((format!("user:{user}/BTC/collateral"), "house/BTC/inventory".into(), sold));
                legs.push(("house/INR/inventory".into(), format!("user:{user}/INR/available"), got));
                legs.extend(self.pay(user, paid, due));
                if paid == debt && collateral > sold {
                    let rest = collateral - sold;
                    legs.push((format!("user:{user}/BTC/collateral"), format!("user:{user}/BTC/available"), rest));
                }
                let facts = Facts {
                    kind: if full { 24 } else { 23 },
                    snapshot: snapshot.0,
                    user: Some(user),
                    inr: got,
                    btc: sold,
                    rate,
                    ..Facts::default()
                };
                let said = self.post(command, facts, legs);
                if let (Said1::Posted(..), false) = (&said, full) {
                    let (left, owed) = (collateral - sold, debt - paid);
                    let on_target = (owed - 1) * 10_000 < 6_000 * (left * rate / one + 1);
                    assert!(left == 0 || on_target, "a partial liquidation missed its target");
                }
                Some(self.settle(said, user, (paid < debt).then_some(loan)))
            }
            Operation::WriteOff { user } => {
                let Some((due, _)) = self.interest_due(user) else { return refused("no loan") };
                if self.balance(&format!("user:{user}/BTC/collateral")) > 0 {
                    return refused("secured");
                }
                let debt = self.debt(user);
                if debt == 0 {
                    return refused("no debt");
                }
                let [.., borrowed, interest] = self.sheet(user);
                let mut legs = interest_leg(user, due);
                let back = [("receivable", "borrowed", borrowed), ("int_receivable", "interest", interest + due)];
                for (house, own, amount) in back {
                    if amount > 0 {
                        legs.push((format!("house/INR/{house}"), format!("user:{user}/INR/{own}"), amount));
                    }
                }
                let said =
                    self.post(command, Facts { kind: 25, user: Some(user), inr: debt, ..Facts::default() }, legs);
                Some(self.settle(said, user, None))
            }
            Operation::Grant { ref wallet, amount } => {
                let leg = ("world/TST/outside".into(), format!("wallet:{wallet}/TST/available"), money(amount)?);
                Some(self.post(command, Facts { kind: 28, ..Facts::default() }, vec![leg]))
            }
            Operation::WalletTransaction { ref from, ref steps, fee, .. } => {
                let code = |wallet: &str| format!("wallet:{wallet}/TST/available");
                let own = code(from);
                let mut balances = self.balances.clone();
                let mut legs = Vec::new();
                for step in steps {
                    let n = money(step.amount())?;
                    let other = code(step.wallet());
                    let has = |balances: &BTreeMap<String, i128>, of: &str| balances.get(of).copied().unwrap_or(0);
                    match step {
                        WalletStep::AtLeast { .. } if has(&balances, &other) < n => return None,
                        WalletStep::Pay { .. } if has(&balances, &own) < n => return None,
                        WalletStep::Pay { .. } if other != own => {
                            *balances.entry(own.clone()).or_default() -= n;
                            let there = balances.entry(other.clone()).or_default();
                            *there += n;
                            if *there > i128::from(AMOUNT_MAX) {
                                return None;
                            }
                            legs.push((own.clone(), other, n));
                        }
                        _ => {}
                    }
                }
                if fee < 0 || balances.get(&own).copied().unwrap_or(0) < i128::from(fee) {
                    return None;
                }
                if fee > 0 {
                    legs.push((own, "house/TST/income".into(), fee.into()));
                }
                if legs.is_empty() {
                    return None;
                }
                Some(self.post(command, Facts { kind: 29, ..Facts::default() }, legs))
            }
            Operation::PaperGrant { .. }
            | Operation::PaperHold { .. }
            | Operation::PaperRelease { .. }
            | Operation::PaperFill(_) => {
                let (kind, legs) = paper::legs(&command.operation)?;
                Some(self.post(command, Facts { kind, ..Facts::default() }, legs))
            }
        }
    }

    /// An order or hold of the user's that is open; `None`: no such number.
    fn open_deal(
        &self,
        deals: &BTreeMap<i64, Deal>,
        user: UserId,
        id: i64,
        missing: &'static str,
    ) -> Option<Result<Deal, Said1>> {
        if id <= 0 {
            return None;
        }
        Some(match deals.get(&id).filter(|d| d.user == user) {
            None => Err(Said1::Refused(missing, 0, 0)),
            Some(deal) if !deal.open => Err(Said1::Refused("not open", 0, 0)),
            Some(deal) => Ok(deal.clone()),
        })
    }

    /// Interest first, then principal.
    fn pay(&self, user: UserId, amount: i128, due: i128) -> Legs {
        let interest = amount.min(-self.balance(&format!("user:{user}/INR/interest")) + due);
        let (free, principal) = (format!("user:{user}/INR/available"), amount - interest);
        let legs = vec![
            (free.clone(), "house/INR/income".into(), interest),
            ("house/INR/int_receivable".into(), format!("user:{user}/INR/interest"), interest),
            (free, "house/INR/treasury".into(), principal),
            ("house/INR/receivable".into(), format!("user:{user}/INR/borrowed"), principal),
        ];
        legs.into_iter().filter(|(_, _, n)| *n > 0).collect()
    }

    /// Keeps the loan as it is now, or ends it, if the entry was posted.
    fn settle(&mut self, said: Said1, user: UserId, loan: Option<Loan>) -> Said1 {
        if let Said1::Posted(..) = said {
            match loan {
                Some(loan) => self.loans.insert(user, loan),
                None => self.loans.remove(&user),
            };
        }
        said
    }

    fn post(&mut self, command: &Command, facts: Facts, legs: Legs) -> Said1 {
        let mut after = self.balances.clone();
        for (from, to, amount) in &legs {
            *after.entry(from.clone()).or_default() -= amount;
            *after.entry(to.clone()).or_default() += amount;
        }
        let max = i128::from(AMOUNT_MAX);
        let mut verdict = None;
        for (code, balance) in &after {
            let (low, high) = match code.as_str() {
                c if c.starts_with("world") || c.ends_with("borrowed") || c.ends_with("/interest") => (-max, 0),
                c if c.starts_with("house/PAPER.") && c.ends_with("inventory") => (-max, max),
                c if c.starts_with("house") && c.ends_with("inventory") => (self.floor, max),
                _ => (0, max),
            };
            if !(low..=high).contains(balance) {
                let there = self.balance(code);
                let of_user = code.starts_with("user:") || code.starts_with("paper:");
                let refusal = if of_user && code.ends_with("available") && *balance < low {
                    Said1::Refused("insufficient", there - balance, there)
                } else {
                    Said1::Refused("bound", 0, 0)
                };
                // a user's own shortage goes before everything else
                if verdict.is_none() || matches!(refusal, Said1::Refused("insufficient", ..)) {
                    verdict = Some(refusal);
                }
            }
        }
        if let Some(refusal) = verdict {
            return refusal;
        }
        self.balances = after;
        let seq = self.length() + 1;
        let text = |bytes: &mut Vec<u8>, t: &str| {
            bytes.extend(u16::try_from(t.len()).expect("short").to_le_bytes());
            bytes.extend(t.as_bytes());
        };
        let mut bytes = self.head.to_vec();
        bytes.push(if facts.terms.is_some() { 2 } else { 1 });
        bytes.extend(seq.to_le_bytes());
        bytes.push(facts.kind);
        text(&mut bytes, &command.actor.code());
        text(&mut bytes, command.key.as_str());
        bytes.extend(facts.snapshot.to_le_bytes());
        let (tag, number) = match facts.size {
            None => (0, 0),
            Some(Size::Inr(n)) => (1, n),
            Some(Size::Btc(n)) => (2, n),
        };
        bytes.push(tag);
        bytes.extend(number.to_le_bytes());
        bytes.extend(facts.refs.to_le_bytes());
        if let Some((rate, until)) = facts.terms {
            bytes.extend(rate.to_le_bytes());
            bytes.extend(until.to_le_bytes());
        }
        bytes.extend(self.now.to_le_bytes());
        bytes.extend(u16::try_from(legs.len()).expect("few").to_le_bytes());
        for (from, to, amount) in &legs {
            text(&mut bytes, from);
            text(&mut bytes, to);
            bytes.extend(i64::try_from(*amount).expect("money").to_le_bytes());
        }
        self.head = Sha256::digest(&bytes).into();
        self.journal.push(Entry { kind: facts.kind, legs, undone: false });
        let sheet = facts.user.map_or([0; 7], |u| self.sheet(u));
        Said1::Posted(seq, facts.inr, facts.btc, facts.rate, self.now, sheet)
    }

    /// The laws that hold after every command.
    pub fn check(&self) {
        for asset in ["/INR/", "/BTC/", "/TST/", "/PAPER.BTC/", "/PAPER.USDT/"] {
            let sum: i128 = self.balances.iter().filter(|(c, _)| c.contains(asset)).map(|(_, b)| b).sum();
            assert_eq!(sum, 0, "conservation of {asset}");
        }
        let mut folded: BTreeMap<&str, i128> = BTreeMap::new();
        for (from, to, amount) in self.journal.iter().flat_map(|e| &e.legs) {
            *folded.entry(from).or_default() -= amount;
            *folded.entry(to).or_default() += amount;
        }
        for (code, balance) in &self.balances {
            assert_eq!(folded.get(code.as_str()).copied().unwrap_or(0), *balance, "{code} is the sum of its legs");
            let owed = code.ends_with("/borrowed") || code.ends_with("/interest");
            assert!(!code.starts_with("user:") || (*balance >= 0) != (owed && *balance != 0), "{code} is {balance}");
        }
        for (owed, mirror) in [("borrowed", "receivable"), ("interest", "int_receivable")] {
            let sum: i128 =
                self.balances.iter().filter(|(c, _)| c.ends_with(&format!("/{owed}"))).map(|(_, b)| b).sum();
            assert_eq!(-sum, self.balance(&format!("house/INR/{mirror}")), "{mirror} mirrors what is {owed}");
        }
        // what is reserved is exactly what open orders and pending holds reserve
        let mut reserved: BTreeMap<String, i128> = BTreeMap::new();
        for deal in self.orders.values().chain(self.holds.values()).filter(|d| d.open) {
            *reserved.entry(format!("user:{}/{}/reserved", deal.user, deal.asset)).or_default() += deal.reserved;
        }
        for (code, balance) in self.balances.iter().filter(|(c, _)| c.starts_with("user:") && c.ends_with("/reserved"))
        {
            assert_eq!(reserved.get(code).copied().unwrap_or(0), *balance, "{code}");
        }
    }
}

fn up(a: i128, b: i128) -> i128 {
    a / b + i128::from(a % b != 0)
}

/// Both sides of a trade; `None`: beyond the range of money.
fn exchange(buy: bool, size: Size, rate: i128) -> Option<(i128, i128)> {
    let (one, max) = (i128::from(ONE_BTC), i128::from(AMOUNT_MAX));
    let (p, q) = match (buy, size) {
        (true, Size::Inr(n)) => (n.into(), i128::from(n) * one / rate),
        (true, Size::Btc(n)) => (up(i128::from(n) * rate, one), n.into()),
        (false, Size::Btc(n)) => (i128::from(n) * rate / one, n.into()),
        (false, Size::Inr(n)) => (n.into(), up(i128::from(n) * one, rate)),
    };
    (p <= max && q <= max || p == 0 || q == 0).then_some((p, q))
}

fn swap(user: UserId, buy: bool, pays: &str, p: i128, q: i128) -> Legs {
    let house = |asset: &str| format!("house/{asset}/inventory");
    if buy {
        vec![
            (format!("user:{user}/INR/{pays}"), house("INR"), p),
            (house("BTC"), format!("user:{user}/BTC/available"), q),
        ]
    } else {
        vec![
            (format!("user:{user}/BTC/{pays}"), house("BTC"), q),
            (house("INR"), format!("user:{user}/INR/available"), p),
        ]
    }
}

fn reserve(user: UserId, asset: &str, amount: i128) -> (String, String, i128) {
    (format!("user:{user}/{asset}/available"), format!("user:{user}/{asset}/reserved"), amount)
}

fn release(user: UserId, asset: &str, amount: i128) -> (String, String, i128) {
    (format!("user:{user}/{asset}/reserved"), format!("user:{user}/{asset}/available"), amount)
}

fn interest_leg(user: UserId, due: i128) -> Legs {
    let leg = (format!("user:{user}/INR/interest"), "house/INR/int_receivable".to_owned(), due);
    if due > 0 { vec![leg] } else { Vec::new() }
}

/// Is a debt beyond 60 % of what the collateral is worth?
fn too_much(debt: i128, collateral: i128, rate: i64) -> Option<Said1> {
    let value = collateral * i128::from(rate) / i128::from(ONE_BTC);
    (debt * 10_000 > 6_000 * value).then(|| Said1::Refused("undersecured", value * 6_000 / 10_000, debt))
}

/// The actor that a generated command gets for a number.
pub fn actor(n: u8) -> Actor {
    match n % 6 {
        0 => Actor::Operator,
        1 => Actor::System,
        n => Actor::User(UserId(i64::from(n) - 1)),
    }
}
