//! From an operation and the state to the movements it means. Pure: deciding writes a draft, and
//! verifying makes it again and compares.

use std::collections::BTreeMap;
use std::time::Duration;

use orrery_kernel::{AMOUNT_MAX, Asset, SnapshotId, Timestamp, UserId};

use crate::loan::{LIQUIDATION_LTV_BPS, Loan, MAX_LTV_BPS, Position};
use crate::paper;
use crate::rounding::{NoTrade, convert};
use crate::{
    Account, Bucket, Hold, HoldStatus, Kind, LEGS_MAX, NewSnapshot, Operation, Order, OrderStatus, Owner, Refusal, Seq,
    Side, Sides, Size, Snapshot, Terms, WalletStep,
};

/// The field named when a wallet holds less than its transaction moves.
pub const SHORT: &str = "balance";
/// The field named when a wallet does not hold what its transaction asserts.
pub const NOT_MET: &str = "assert.balance";

/// Interest of a loan at most, hundredths of a percent a year.
const RATE_BPS_MAX: i64 = 100_000;

/// A movement: from, to, minor units.
pub(crate) type Movement = (Account, Account, i64);

/// A step that led to no movement.
pub(crate) enum Halt {
    /// To be remembered.
    Refused(Refusal),
    /// Not to be remembered.
    Invalid(&'static str),
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// An entry that may be undone.
pub(crate) struct Undoable {
    pub kind: Kind,
    pub legs: Vec<Movement>,
    pub resolved: bool,
}

/// What drafting looks at.
pub(crate) trait State {
    fn next_seq(&self) -> Seq;
    fn now(&self) -> Timestamp;
    /// How old a price may be; `None`: any age.
    fn max_age(&self) -> Option<Duration>;
    fn balance(&self, account: &Account) -> i64;
    fn snapshot(&self, id: SnapshotId) -> Option<&Snapshot>;
    fn undoable(&self, seq: Seq) -> Option<Undoable>;
    fn order(&self, id: Seq) -> Option<&Order>;
    fn hold(&self, id: Seq) -> Option<&Hold>;
    fn loan(&self, user: UserId) -> Option<&Loan>;
}

/// What an entry changes beside balances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    Undo(Seq),
    Order(Order),
    Hold(Hold),
    Loan(Loan),
    LoanEnds(UserId),
}

/// What an entry will say.
pub(crate) struct Draft {
    pub kind: Kind,
    pub snapshot: Option<SnapshotId>,
    pub size: Option<Size>,
    pub refs: Option<Seq>,
    pub terms: Option<Terms>,
    pub legs: Vec<Movement>,
    pub effect: Effect,
    /// For the receipt.
    pub user: Option<UserId>,
    pub inr: i64,
    pub btc: i64,
    pub rate: i64,
}

impl Draft {
    pub(crate) fn new(kind: Kind, user: Option<UserId>, legs: Vec<Movement>) -> Self {
        let (snapshot, size, refs, terms) = (None, None, None, None);
        Self { kind, snapshot, size, refs, terms, legs, effect: Effect::Nothing, user, inr: 0, btc: 0, rate: 0 }
    }

    fn of(self, asset: Asset, amount: i64) -> Self {
        if asset == Asset::INR { Self { inr: amount, ..self } } else { Self { btc: amount, ..self } }
    }
}

/// The movements of `operation`, or why there are none.
pub(crate) fn draft(state: &dyn State, operation: &Operation) -> Result<Draft, Halt> {
    match *operation {
        Operation::Deposit { user, asset, amount } => {
            check_money(user, asset, amount)?;
            let legs = vec![(Account::world(asset), available(user, asset), amount)];
            Ok(Draft::new(Kind::Deposit, Some(user), legs).of(asset, amount))
        }
        Operation::FundHouse { asset, bucket, amount } => {
            let inventory = bucket == Bucket::Inventory && is_money(asset);
            check(inventory || bucket == Bucket::Treasury && asset == Asset::INR, "bucket")?;
            check_amount(amount)?;
            let legs = vec![(Account::world(asset), Account::house(asset, bucket), amount)];
            Ok(Draft::new(Kind::FundHouse, None, legs).of(asset, amount))
        }
        Operation::Trade { user, side, size, snapshot, worst_rate, plan } => {
            check_user(user)?;
            let (Size::Inr(amount) | Size::Btc(amount)) = size;
            check_amount(amount)?;
            check(worst_rate.is_none_or(|r| r > 0), "worst_rate")?;
            let rate = rate(fresh(state, snapshot)?, side);
            if worst_rate.is_some_and(|worst| if side == Side::Buy { rate > worst } else { rate < worst }) {
                return Err(Refusal::Slippage.into());
            }
            let Sides { inr, btc } = sides(side, size, rate)?;
            let kind = match (plan, side) {
                (false, Side::Buy) => Kind::MarketBuy,
                (false, Side::Sell) => Kind::MarketSell,
                (true, Side::Buy) => Kind::PlanBuy,
                (true, Side::Sell) => Kind::PlanSell,
            };
            let legs = trade_legs(user, side, Bucket::Available, inr, btc);
            Ok(Draft {
                snapshot: Some(snapshot),
                size: Some(size),
                inr,
                btc,
                rate,
                ..Draft::new(kind, Some(user), legs)
            })
        }
        Operation::Reverse { seq } => reverse(state, seq),
        Operation::PlaceOrder { user, side, size, limit, expires_at } => {
            check_user(user)?;
            let (Size::Inr(amount) | Size::Btc(amount)) = size;
            check_amount(amount)?;
            check(limit > 0, "limit")?;
            check(expires_at.is_none_or(|end| end > state.now()), "expires_at")?;
            let order = Order::place(state.next_seq(), user, side, size, limit, expires_at).map_err(no_trade)?;
            let asset = reserved_asset(side);
            let legs = vec![(available(user, asset), Account::user(user, asset, Bucket::Reserved), order.reserved)];
            Ok(Draft {
                size: Some(size),
                terms: Some(Terms { rate: limit, until: expires_at }),
                inr: order.inr,
                btc: order.btc,
                rate: limit,
                ..Draft { effect: Effect::Order(order.clone()), ..Draft::new(order.placing(), Some(user), legs) }
            })
        }
        Operation::FillOrder { user, order, snapshot } => fill(state, open_order(state, user, order)?, snapshot),
        Operation::CancelOrder { user, order } => {
            let order = open_order(state, user, order)?;
            Ok(close(state, order, OrderStatus::Cancelled, Kind::CancelOrder))
        }
        Operation::ExpireOrder { user, order } => {
            let order = open_order(state, user, order)?;
            check(order.is_over(state.now()), "order")?;
            Ok(close(state, order, OrderStatus::Expired, Kind::ExpireOrder))
        }
        Operation::Transfer { from, to, asset, amount } => {
            check_money(from, asset, amount)?;
            check(to.0 > 0 && to != from, "recipient")?;
            let legs = vec![(available(from, asset), available(to, asset), amount)];
            Ok(Draft::new(Kind::Transfer, Some(from), legs).of(asset, amount))
        }
        Operation::Withdraw { user, asset, amount } => {
            check_money(user, asset, amount)?;
            let reserved = Account::user(user, asset, Bucket::Reserved);
            let legs =
                vec![(available(user, asset), reserved.clone(), amount), (reserved, Account::world(asset), amount)];
            Ok(Draft::new(Kind::Withdraw, Some(user), legs).of(asset, amount))
        }
        Operation::Hold { user, asset, amount, expires_at } => {
            check_money(user, asset, amount)?;
            check(expires_at.is_none_or(|end| end > state.now()), "expires_at")?;
            let (id, status) = (state.next_seq(), HoldStatus::Pending);
            let hold = Hold { id, user, asset, amount, paid: 0, expires_at, status, closed_at: None };
            let legs = vec![(available(user, asset), Account::user(user, asset, Bucket::Reserved), amount)];
            let draft = Draft::new(Kind::Hold, Some(user), legs).of(asset, amount);
            Ok(Draft { terms: Some(Terms { rate: 0, until: expires_at }), effect: Effect::Hold(hold), ..draft })
        }
        Operation::PostHold { user, hold, amount } => {
            let hold = pending_hold(state, user, hold)?;
            let paid = amount.unwrap_or(hold.amount);
            check((1..=hold.amount).contains(&paid), "amount")?;
            Ok(end_hold(state, hold, HoldStatus::Posted, Kind::PostHold, paid))
        }
        Operation::VoidHold { user, hold } => {
            Ok(end_hold(state, pending_hold(state, user, hold)?, HoldStatus::Voided, Kind::VoidHold, 0))
        }
        Operation::ExpireHold { user, hold } => {
            let hold = pending_hold(state, user, hold)?;
            check(hold.is_over(state.now()), "hold")?;
            Ok(end_hold(state, hold, HoldStatus::Expired, Kind::ExpireHold, 0))
        }
        Operation::LockCollateral { user, amount, rate_bps } => lock(state, user, amount, rate_bps),
        Operation::ReleaseCollateral { user, amount, snapshot } => release(state, user, amount, snapshot),
        Operation::Borrow { user, amount, snapshot } => borrow(state, user, amount, snapshot),
        Operation::Repay { user, amount } => repay(state, user, amount),
        Operation::Accrue { user } => {
            check_user(user)?;
            let debtor = Debtor::of(state, user)?;
            let interest = debtor.due;
            if interest == 0 {
                return Err(Refusal::NoDebt.into());
            }
            let draft = Draft::new(Kind::Accrue, Some(user), debtor.interest_leg());
            Ok(Draft { inr: interest, effect: Effect::Loan(debtor.loan), ..draft })
        }
        Operation::Liquidate { user, full, snapshot } => liquidate(state, user, full, snapshot),
        Operation::WriteOff { user } => write_off(state, user),
        Operation::Grant { ref wallet, amount } => {
            check_wallet(wallet)?;
            check_amount(amount)?;
            let legs = vec![(Account::world(Asset::TST), Account::wallet(wallet), amount)];
            Ok(Draft::new(Kind::Grant, None, legs))
        }
        Operation::WalletTransaction { ref from, ref steps, fee, .. } => wallet_transaction(state, from, steps, fee),
        Operation::PaperGrant { ref account, asset, amount } => paper::draft(Kind::PaperGrant, account, asset, amount),
        Operation::PaperHold { ref account, asset, amount } => paper::draft(Kind::PaperHold, account, asset, amount),
        Operation::PaperRelease { ref account, asset, amount } => {
            paper::draft(Kind::PaperRelease, account, asset, amount)
        }
        Operation::PaperFill(ref fill) => fill.draft(),
    }
}

/// Every shortage is answered as a broken shape, which is not remembered: the wallet may be filled, and the same
/// signed transaction sent again.
fn wallet_transaction(state: &dyn State, from: &str, steps: &[WalletStep], fee: i64) -> Result<Draft, Halt> {
    check_wallet(from)?;
    check((0..=AMOUNT_MAX).contains(&fee), "fee")?;
    check(steps.len() < LEGS_MAX, "steps")?;
    // what the steps so far have changed
    let mut changed: BTreeMap<&str, i128> = BTreeMap::new();
    let holds = |changed: &BTreeMap<&str, i128>, wallet: &str| {
        i128::from(state.balance(&Account::wallet(wallet))) + changed.get(wallet).copied().unwrap_or(0)
    };
    let payer = Account::wallet(from);
    let mut legs = Vec::with_capacity(steps.len() + 1);
    for step in steps {
        check_wallet(step.wallet())?;
        check_amount(step.amount())?;
        let amount = i128::from(step.amount());
        match step {
            WalletStep::AtLeast { wallet, .. } => check(holds(&changed, wallet) >= amount, NOT_MET)?,
            WalletStep::Pay { to, amount: minor } => {
                check(holds(&changed, from) >= amount, SHORT)?;
                if **to != *from {
                    *changed.entry(from).or_default() -= amount;
                    *changed.entry(to).or_default() += amount;
                    check(holds(&changed, to) <= i128::from(AMOUNT_MAX), "amount")?;
                    legs.push((payer.clone(), Account::wallet(to), *minor));
                }
            }
        }
    }
    check(holds(&changed, from) >= i128::from(fee), SHORT)?;
    if fee > 0 {
        legs.push((payer, Account::house(Asset::TST, Bucket::Income), fee));
    }
    // what moves nothing would leave no entry
    check(!legs.is_empty(), "fee")?;
    Ok(Draft::new(Kind::WalletTransaction, None, legs))
}

fn reverse(state: &dyn State, seq: Seq) -> Result<Draft, Halt> {
    check(seq > 0, "seq")?;
    let undone = state.undoable(seq).ok_or(Refusal::NoSuchEntry)?;
    if undone.resolved || !undone.kind.is_reversible() {
        return Err(Refusal::NotReversible.into());
    }
    let legs: Vec<Movement> = undone.legs.into_iter().rev().map(|(from, to, amount)| (to, from, amount)).collect();
    let user = legs.iter().flat_map(|(from, to, _)| [from, to]).find_map(|account| match account.owner {
        Owner::User(user) => Some(user),
        _ => None,
    });
    // what the user's free money changes by
    let moved = |asset: Asset| {
        let own = |account: &Account| {
            account.asset == asset
                && account.bucket == Bucket::Available
                && user.is_none_or(|u| account.owner == Owner::User(u))
        };
        let house = user.is_none();
        legs.iter()
            .filter(|(from, to, _)| if house { from.asset == asset } else { own(from) || own(to) })
            .fold(0_i64, |sum, (_, _, amount)| sum.saturating_add(*amount))
    };
    let (inr, btc) = (moved(Asset::INR), moved(Asset::BTC));
    Ok(Draft { refs: Some(seq), inr, btc, effect: Effect::Undo(seq), ..Draft::new(Kind::Reverse, user, legs) })
}

// orders

fn open_order(state: &dyn State, user: UserId, id: Seq) -> Result<&Order, Halt> {
    check(id > 0, "order")?;
    let order = state.order(id).filter(|o| o.user == user).ok_or(Refusal::NoSuchOrder)?;
    if order.status == OrderStatus::Open { Ok(order) } else { Err(Refusal::NotOpen.into()) }
}

fn fill(state: &dyn State, order: &Order, snapshot: SnapshotId) -> Result<Draft, Halt> {
    if order.is_over(state.now()) {
        return Err(Refusal::NotOpen.into());
    }
    let rate = rate(fresh(state, snapshot)?, order.side);
    if !order.crosses(rate) {
        return Err(Refusal::NotCrossed.into());
    }
    let Sides { inr, btc } = sides(order.side, order.size, rate)?;
    let mut legs = trade_legs(order.user, order.side, Bucket::Reserved, inr, btc);
    // a better rate than the limit leaves something over
    let spent = if order.side == Side::Buy { inr } else { btc };
    let left = order.reserved - spent;
    if left > 0 {
        legs.push(released(order.user, reserved_asset(order.side), left));
    }
    let filled = Order { status: OrderStatus::Filled, closed_at: Some(state.now()), inr, btc, rate, ..order.clone() };
    let kind = if order.side == Side::Buy { Kind::FillBuy } else { Kind::FillSell };
    Ok(Draft {
        snapshot: Some(snapshot),
        size: Some(order.size),
        refs: Some(order.id),
        inr,
        btc,
        rate,
        effect: Effect::Order(filled),
        ..Draft::new(kind, Some(order.user), legs)
    })
}

fn close(state: &dyn State, order: &Order, status: OrderStatus, kind: Kind) -> Draft {
    let asset = reserved_asset(order.side);
    let closed = Order { status, closed_at: Some(state.now()), ..order.clone() };
    let draft = Draft::new(kind, Some(order.user), vec![released(order.user, asset, order.reserved)]);
    Draft { refs: Some(order.id), effect: Effect::Order(closed), ..draft.of(asset, order.reserved) }
}

/// What an order of that side reserves.
fn reserved_asset(side: Side) -> Asset {
    if side == Side::Buy { Asset::INR } else { Asset::BTC }
}

fn released(user: UserId, asset: Asset, amount: i64) -> Movement {
    (Account::user(user, asset, Bucket::Reserved), available(user, asset), amount)
}

// holds

fn pending_hold(state: &dyn State, user: UserId, id: Seq) -> Result<&Hold, Halt> {
    check(id > 0, "hold")?;
    let hold = state.hold(id).filter(|h| h.user == user).ok_or(Refusal::NoSuchHold)?;
    if hold.status == HoldStatus::Pending { Ok(hold) } else { Err(Refusal::NotOpen.into()) }
}

fn end_hold(state: &dyn State, hold: &Hold, status: HoldStatus, kind: Kind, paid: i64) -> Draft {
    let reserved = Account::user(hold.user, hold.asset, Bucket::Reserved);
    let mut legs = Vec::with_capacity(2);
    if paid > 0 {
        legs.push((reserved, Account::world(hold.asset), paid));
    }
    if paid < hold.amount {
        legs.push(released(hold.user, hold.asset, hold.amount - paid));
    }
    let ended = Hold { status, paid, closed_at: Some(state.now()), ..hold.clone() };
    let moved = if paid > 0 { paid } else { hold.amount };
    let draft = Draft::new(kind, Some(hold.user), legs).of(hold.asset, moved);
    Draft { refs: Some(hold.id), effect: Effect::Hold(ended), ..draft }
}

// loans

/// A user's loan with the interest due added up.
struct Debtor {
    user: UserId,
    /// As it is once the interest due is added.
    loan: Loan,
    /// Interest due since it was last added.
    due: i64,
    /// As it is with that interest.
    position: Position,
}

impl Debtor {
    fn of(state: &dyn State, user: UserId) -> Result<Self, Halt> {
        let loan = state.loan(user).ok_or(Refusal::NoLoan)?;
        let at = |asset, bucket| state.balance(&Account::user(user, asset, bucket));
        // debts are negative balances within ±AMOUNT_MAX
        let (principal, interest) = (-at(Asset::INR, Bucket::Borrowed), -at(Asset::INR, Bucket::Interest));
        let (due, loan) = loan.accrue(principal, state.now());
        let collateral = at(Asset::BTC, Bucket::Collateral);
        Ok(Self {
            user,
            loan,
            due,
            position: Position { collateral, principal, interest: interest.saturating_add(due) },
        })
    }

    fn account(&self, asset: Asset, bucket: Bucket) -> Account {
        Account::user(self.user, asset, bucket)
    }

    fn interest_leg(&self) -> Vec<Movement> {
        let to = Account::house(Asset::INR, Bucket::InterestReceivable);
        positive(vec![(self.account(Asset::INR, Bucket::Interest), to, self.due)])
    }

    /// The movements that pay `amount` (at most the debt) from the user's free rupees.
    fn repay_legs(&self, amount: i64) -> Vec<Movement> {
        let house = |bucket| Account::house(Asset::INR, bucket);
        let free = available(self.user, Asset::INR);
        let interest = amount.min(self.position.interest);
        let principal = amount - interest;
        positive(vec![
            (free.clone(), house(Bucket::Income), interest),
            (house(Bucket::InterestReceivable), self.account(Asset::INR, Bucket::Interest), interest),
            (free, house(Bucket::Treasury), principal),
            (house(Bucket::Receivable), self.account(Asset::INR, Bucket::Borrowed), principal),
        ])
    }

    fn free_collateral(&self, amount: i64) -> Vec<Movement> {
        positive(vec![(self.account(Asset::BTC, Bucket::Collateral), available(self.user, Asset::BTC), amount)])
    }

    fn effect(self, ends: bool) -> Effect {
        if ends { Effect::LoanEnds(self.user) } else { Effect::Loan(self.loan) }
    }
}

fn positive(legs: Vec<Movement>) -> Vec<Movement> {
    legs.into_iter().filter(|(_, _, amount)| *amount > 0).collect()
}

fn lock(state: &dyn State, user: UserId, amount: i64, rate_bps: i64) -> Result<Draft, Halt> {
    check_money(user, Asset::BTC, amount)?;
    let legs = vec![(available(user, Asset::BTC), Account::user(user, Asset::BTC, Bucket::Collateral), amount)];
    let draft = Draft { btc: amount, ..Draft::new(Kind::LockCollateral, Some(user), legs) };
    if state.loan(user).is_some() {
        return Ok(draft);
    }
    check((0..=RATE_BPS_MAX).contains(&rate_bps), "rate_bps")?;
    let accrued_to = Timestamp::from_secs(state.now().secs());
    let loan = Loan { user, opened: state.next_seq(), rate_bps, accrued_to, carry: 0 };
    Ok(Draft { terms: Some(Terms { rate: rate_bps, until: None }), effect: Effect::Loan(loan), ..draft })
}

fn release(state: &dyn State, user: UserId, amount: i64, snapshot: SnapshotId) -> Result<Draft, Halt> {
    check_money(user, Asset::BTC, amount)?;
    let debtor = Debtor::of(state, user)?;
    let left = debtor.position.collateral.checked_sub(amount).filter(|left| *left >= 0);
    let Some(left) = left else {
        let available = debtor.position.collateral;
        return Err(Refusal::Insufficient { asset: Asset::BTC, required: amount, available }.into());
    };
    let indebted = debtor.position.debt() > 0;
    if indebted {
        let rate = fresh(state, snapshot)?.sell_rate;
        secured(&Position { collateral: left, ..debtor.position }, rate)?;
    }
    let mut legs = debtor.interest_leg();
    legs.extend(debtor.free_collateral(amount));
    Ok(Draft {
        snapshot: indebted.then_some(snapshot),
        btc: amount,
        effect: debtor.effect(!indebted && left == 0),
        ..Draft::new(Kind::ReleaseCollateral, Some(user), legs)
    })
}

fn borrow(state: &dyn State, user: UserId, amount: i64, snapshot: SnapshotId) -> Result<Draft, Halt> {
    check_money(user, Asset::INR, amount)?;
    let debtor = Debtor::of(state, user)?;
    let rate = fresh(state, snapshot)?.sell_rate;
    let principal = debtor.position.principal.saturating_add(amount);
    secured(&Position { principal, ..debtor.position }, rate)?;
    let mut legs = debtor.interest_leg();
    legs.push((Account::house(Asset::INR, Bucket::Treasury), available(user, Asset::INR), amount));
    let receivable = Account::house(Asset::INR, Bucket::Receivable);
    legs.push((debtor.account(Asset::INR, Bucket::Borrowed), receivable, amount));
    Ok(Draft {
        snapshot: Some(snapshot),
        inr: amount,
        rate,
        effect: debtor.effect(false),
        ..Draft::new(Kind::Borrow, Some(user), legs)
    })
}

fn secured(position: &Position, rate: i64) -> Result<(), Halt> {
    if i128::from(position.debt()) * 10_000 <= i128::from(MAX_LTV_BPS) * position.value(rate) {
        return Ok(());
    }
    Err(Refusal::Undersecured { allowed: position.allowed(rate), debt: position.debt() }.into())
}

fn repay(state: &dyn State, user: UserId, amount: i64) -> Result<Draft, Halt> {
    check_money(user, Asset::INR, amount)?;
    let debtor = Debtor::of(state, user)?;
    let debt = debtor.position.debt();
    if debt == 0 {
        return Err(Refusal::NoDebt.into());
    }
    let (paid, whole) = (amount.min(debt), amount >= debt);
    let mut legs = debtor.interest_leg();
    legs.extend(debtor.repay_legs(paid));
    if whole {
        legs.extend(debtor.free_collateral(debtor.position.collateral));
    }
    Ok(Draft { inr: paid, effect: debtor.effect(whole), ..Draft::new(Kind::Repay, Some(user), legs) })
}

fn liquidate(state: &dyn State, user: UserId, full: bool, snapshot: SnapshotId) -> Result<Draft, Halt> {
    check_user(user)?;
    let debtor = Debtor::of(state, user)?;
    let rate = fresh(state, snapshot)?.sell_rate;
    if !debtor.position.reaches(LIQUIDATION_LTV_BPS, rate) {
        return Err(Refusal::Healthy.into());
    }
    let size = if full { debtor.position.full_size(rate) } else { debtor.position.partial_size(rate) };
    let (debt, left) = (debtor.position.debt(), debtor.position.collateral - size);
    let Sides { inr, btc } = if size > 0 {
        sides(Side::Sell, Size::Btc(size), rate)?
    } else {
        return Err(Refusal::Dust.into());
    };
    let paid = inr.min(debt);
    let mut legs = debtor.interest_leg();
    legs.push((debtor.account(Asset::BTC, Bucket::Collateral), Account::house(Asset::BTC, Bucket::Inventory), btc));
    legs.push((Account::house(Asset::INR, Bucket::Inventory), available(user, Asset::INR), inr));
    legs.extend(debtor.repay_legs(paid));
    if paid == debt {
        legs.extend(debtor.free_collateral(left));
    }
    let kind = if full { Kind::LiquidateFull } else { Kind::LiquidatePartial };
    Ok(Draft {
        snapshot: Some(snapshot),
        inr,
        btc,
        rate,
        effect: debtor.effect(paid == debt),
        ..Draft::new(kind, Some(user), legs)
    })
}

fn write_off(state: &dyn State, user: UserId) -> Result<Draft, Halt> {
    check_user(user)?;
    let debtor = Debtor::of(state, user)?;
    if debtor.position.collateral > 0 {
        return Err(Refusal::Secured.into());
    }
    let debt = debtor.position.debt();
    if debt == 0 {
        return Err(Refusal::NoDebt.into());
    }
    let house = |bucket| Account::house(Asset::INR, bucket);
    let mut legs = debtor.interest_leg();
    legs.extend(positive(vec![
        (house(Bucket::Receivable), debtor.account(Asset::INR, Bucket::Borrowed), debtor.position.principal),
        (house(Bucket::InterestReceivable), debtor.account(Asset::INR, Bucket::Interest), debtor.position.interest),
    ]));
    Ok(Draft { inr: debt, effect: debtor.effect(true), ..Draft::new(Kind::WriteOff, Some(user), legs) })
}

// shared

fn available(user: UserId, asset: Asset) -> Account {
    Account::user(user, asset, Bucket::Available)
}

/// The price of that id, if it is young enough.
fn fresh(state: &dyn State, id: SnapshotId) -> Result<&NewSnapshot, Halt> {
    let price = state.snapshot(id).map(|s| &s.price).ok_or(Refusal::StalePrice)?;
    if state.max_age().is_some_and(|most| state.now().since(price.observed_at) > most) {
        return Err(Refusal::StalePrice.into());
    }
    Ok(price)
}

fn sides(side: Side, size: Size, rate: i64) -> Result<Sides, Halt> {
    convert(side, size, rate).map_err(no_trade)
}

fn no_trade(why: NoTrade) -> Halt {
    match why {
        NoTrade::Dust => Halt::Refused(Refusal::Dust),
        NoTrade::TooLarge => Halt::Invalid("amount"),
    }
}

/// The rate that `side` trades at.
pub(crate) fn rate(price: &NewSnapshot, side: Side) -> i64 {
    match side {
        Side::Buy => price.buy_rate,
        Side::Sell => price.sell_rate,
    }
}

/// The movements of a trade; the user pays from the bucket `pays`.
fn trade_legs(user: UserId, side: Side, pays: Bucket, inr: i64, btc: i64) -> Vec<Movement> {
    let gives = |asset| Account::user(user, asset, pays);
    let house = |asset| Account::house(asset, Bucket::Inventory);
    match side {
        Side::Buy => {
            vec![(gives(Asset::INR), house(Asset::INR), inr), (house(Asset::BTC), available(user, Asset::BTC), btc)]
        }
        Side::Sell => {
            vec![(gives(Asset::BTC), house(Asset::BTC), btc), (house(Asset::INR), available(user, Asset::INR), inr)]
        }
    }
}

pub(crate) fn check(good: bool, field: &'static str) -> Result<(), Halt> {
    if good { Ok(()) } else { Err(Halt::Invalid(field)) }
}

pub(crate) fn check_wallet(address: &str) -> Result<(), Halt> {
    // the form of account codes; whether it is an address was looked at before it came here
    let plain = (1..=64).contains(&address.len()) && address.bytes().all(|b| b.is_ascii_alphanumeric());
    check(plain, "wallet")
}

fn check_user(user: UserId) -> Result<(), Halt> {
    check(user.0 > 0, "user")
}

pub(crate) fn check_amount(amount: i64) -> Result<(), Halt> {
    check((1..=AMOUNT_MAX).contains(&amount), "amount")
}

fn is_money(asset: Asset) -> bool {
    asset == Asset::INR || asset == Asset::BTC
}

fn check_money(user: UserId, asset: Asset, amount: i64) -> Result<(), Halt> {
    check_user(user)?;
    check(is_money(asset), "asset")?;
    check_amount(amount)
}
