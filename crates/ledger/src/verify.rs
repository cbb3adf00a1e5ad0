//! Replays a whole ledger and compares it with what is stored.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use orrery_kernel::{Asset, SnapshotId, Timestamp, UserId};

use crate::draft::{Effect, Movement, State, Undoable, draft};
use crate::{
    Account, Actor, AuditSink, Bucket, Entry, Head, Hold, IdemKey, IdemRow, Kind, LEGS_MAX, Limits, Loan, Operation,
    Order, Outcome, Owner, PaperFill, Posted, Seq, Snapshot, WalletStep, canon, paper,
};

/// Faults kept in a report; further ones are counted.
pub const FAULTS_MAX: usize = 100;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A stored row is not what this program writes.
    #[error("corrupt row: {0}")]
    Corrupt(String),
    /// A number of the journal is missing or doubled.
    #[error("entry {found} where {expected} should be")]
    Gap {
        /// Due.
        expected: Seq,
        /// There.
        found: Seq,
    },
    /// Content and hash do not fit, or the predecessor's hash does not.
    #[error("entry {0} does not continue the chain")]
    Chain(Seq),
    /// Earlier than its predecessor.
    #[error("entry {0} is earlier than the one before it")]
    Time(Seq),
    /// A movement that no entry may have.
    #[error("entry {seq}: {what}")]
    Leg {
        /// Entry.
        seq: Seq,
        /// What is wrong.
        what: &'static str,
    },
    /// The balance stored with a leg is not the sum of the legs.
    #[error("entry {seq}: balance of {account} is {expected}, stored as {found}")]
    After {
        /// Entry.
        seq: Seq,
        /// Account.
        account: Account,
        /// Sum of the legs.
        expected: i64,
        /// Stored.
        found: i64,
    },
    /// A balance beyond its bounds.
    #[error("entry {seq}: {account} is at {balance}, beyond its bounds")]
    Bounds {
        /// Entry.
        seq: Seq,
        /// Account.
        account: Account,
        /// Balance.
        balance: i64,
    },
    /// An entry that does not follow from what it says was asked, at the price it names.
    #[error("entry {0}: it does not follow from its size, terms and price")]
    Meaning(Seq),
    /// An order, a hold or a loan that is not what its entries made of it.
    #[error("{what} {id} is not what its entries made of it")]
    Derived {
        /// `order`, `hold` or `loan of user`.
        what: &'static str,
        /// Which.
        id: i64,
    },
    /// A stored balance that is not the sum of the journal.
    #[error("balance of {account} is {expected}, stored as {found}")]
    Balance {
        /// Account.
        account: Account,
        /// Sum of the journal.
        expected: i64,
        /// Stored.
        found: i64,
    },
    /// Money from nowhere.
    #[error("all balances in {asset} add up to {sum}, not 0")]
    Conservation {
        /// Asset.
        asset: Asset,
        /// Sum.
        sum: i128,
    },
    /// What is reserved is not what open orders and pending holds reserve.
    #[error("{asset} reserved by user {user} is {found}, but orders and holds reserve {expected}")]
    Reserved {
        /// User.
        user: UserId,
        /// Asset.
        asset: Asset,
        /// By orders and holds.
        expected: i64,
        /// In the account.
        found: i64,
    },
    /// What users owe is not what the house is owed.
    #[error("{bucket:?} of the house does not mirror what users owe")]
    Mirror {
        /// The house's bucket.
        bucket: Bucket,
    },
    /// An entry without its remembered outcome, or the other way round.
    #[error("key of entry {0} does not lead to it")]
    Key(Seq),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// End of the journal as stored.
    pub head: Head,
    /// The first [`FAULTS_MAX`].
    pub faults: Vec<Fault>,
    /// All of them.
    pub fault_count: u64,
}

impl Report {
    /// Nothing wrong?
    pub fn is_ok(&self) -> bool {
        self.fault_count == 0
    }
}

/// Takes a ledger from [`LedgerStore::audit`](crate::LedgerStore::audit). Its memory grows with the
/// number of accounts, keys, orders and of entries that can be undone, by some 100 bytes each.
pub struct Verifier {
    head: Head,
    /// Time of the entry in hand.
    now: Timestamp,
    snapshot: Option<Snapshot>,
    balances: BTreeMap<Account, i64>,
    stored: HashSet<Account>,
    reversible: HashMap<Seq, (Kind, Vec<Movement>)>,
    orders: HashMap<Seq, Order>,
    holds: HashMap<Seq, Hold>,
    loans: HashMap<UserId, Loan>,
    /// Those that were not yet found among the stored.
    unseen: HashSet<(&'static str, i64)>,
    /// Entry of each key, and the rate it was made at, for trades.
    keys: HashMap<(Actor, IdemKey), (Seq, Option<i64>)>,
    faults: Vec<Fault>,
    fault_count: u64,
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            head: Head { seq: 0, hash: canon::genesis(), at: Timestamp::from_micros(0) },
            now: Timestamp::from_micros(0),
            snapshot: None,
            balances: BTreeMap::new(),
            stored: HashSet::new(),
            reversible: HashMap::new(),
            orders: HashMap::new(),
            holds: HashMap::new(),
            loans: HashMap::new(),
            unseen: HashSet::new(),
            keys: HashMap::new(),
            faults: Vec::new(),
            fault_count: 0,
        }
    }
}

const ORDER: &str = "order";
const HOLD: &str = "hold";
const LOAN: &str = "loan of user";

impl State for Verifier {
    fn next_seq(&self) -> Seq {
        self.head.seq + 1
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    // how old a price may be is configuration, not a law of the journal
    fn max_age(&self) -> Option<Duration> {
        None
    }

    fn balance(&self, account: &Account) -> i64 {
        self.balances.get(account).copied().unwrap_or(0)
    }

    fn snapshot(&self, id: SnapshotId) -> Option<&Snapshot> {
        let fair = |s: &&Snapshot| s.price.sell_rate > 0 && s.price.buy_rate >= s.price.sell_rate;
        self.snapshot.as_ref().filter(|s| s.id == id).filter(fair)
    }

    fn undoable(&self, seq: Seq) -> Option<Undoable> {
        let (kind, legs) = self.reversible.get(&seq)?.clone();
        Some(Undoable { kind, legs, resolved: false })
    }

    fn order(&self, id: Seq) -> Option<&Order> {
        self.orders.get(&id)
    }

    fn hold(&self, id: Seq) -> Option<&Hold> {
        self.holds.get(&id)
    }

    fn loan(&self, user: UserId) -> Option<&Loan> {
        self.loans.get(&user)
    }
}

impl Verifier {
    fn fault(&mut self, fault: Fault) {
        self.fault_count += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    /// The report, after everything was streamed.
    pub fn finish(mut self) -> Report {
        let missing: Vec<_> = self
            .balances
            .iter()
            .filter(|(account, balance)| **balance != 0 && !self.stored.contains(*account))
            .map(|(account, balance)| (account.clone(), *balance))
            .collect();
        for (account, expected) in missing {
            self.fault(Fault::Balance { account, expected, found: 0 });
        }
        let mut sums: BTreeMap<Asset, i128> = BTreeMap::new();
        let mut owed: BTreeMap<Bucket, i128> = BTreeMap::new();
        for (account, balance) in &self.balances {
            *sums.entry(account.asset).or_default() += i128::from(*balance);
            let bucket = match account.bucket {
                Bucket::Borrowed => Bucket::Receivable,
                Bucket::Interest => Bucket::InterestReceivable,
                bucket => bucket,
            };
            *owed.entry(bucket).or_default() += i128::from(*balance);
        }
        for (asset, sum) in sums.into_iter().filter(|(_, sum)| *sum != 0) {
            self.fault(Fault::Conservation { asset, sum });
        }
        for bucket in [Bucket::Receivable, Bucket::InterestReceivable] {
            if owed.get(&bucket).is_some_and(|sum| *sum != 0) {
                self.fault(Fault::Mirror { bucket });
            }
        }
        let unseen: Vec<_> = self.unseen.iter().copied().collect();
        for (what, id) in unseen {
            self.fault(Fault::Derived { what, id });
        }
        self.reservations();
        // keys that led to an entry were taken out as they came
        let orphans: Vec<_> = self.keys.values().map(|(seq, _)| *seq).collect();
        for seq in orphans {
            self.fault(Fault::Key(seq));
        }
        Report { head: self.head, faults: self.faults, fault_count: self.fault_count }
    }

    fn legs(&mut self, entry: &Entry) {
        let seq = entry.seq;
        if !(1..=LEGS_MAX).contains(&entry.legs.len()) {
            self.fault(Fault::Leg { seq, what: "has no legs, or too many" });
        }
        // the floor of the house's inventory is configuration, not a law of the journal
        let limits = Limits::default();
        for leg in &entry.legs {
            if leg.amount <= 0 || leg.from == leg.to || leg.from.asset != leg.to.asset {
                self.fault(Fault::Leg { seq, what: "a leg is not a positive movement within one asset" });
            }
            for (account, by, found) in [(&leg.from, -1, leg.from_after), (&leg.to, 1, leg.to_after)] {
                let balance = self.balances.entry(account.clone()).or_default();
                *balance = balance.saturating_add(leg.amount.saturating_mul(by));
                let expected = *balance;
                if expected != found {
                    self.fault(Fault::After { seq, account: account.clone(), expected, found });
                }
            }
        }
        for leg in &entry.legs {
            for account in [&leg.from, &leg.to] {
                let balance = self.balances.get(account).copied().unwrap_or(0);
                let (low, high) = account.bounds(&limits);
                if !(low..=high).contains(&balance) {
                    self.fault(Fault::Bounds { seq, account: account.clone(), balance });
                }
            }
        }
    }

    /// What is reserved is exactly what orders and holds reserve.
    fn reservations(&mut self) {
        let mut reserved: BTreeMap<Account, i64> = BTreeMap::new();
        let orders = self.orders.values().filter(|o| o.status == crate::OrderStatus::Open).map(|o| {
            let asset = if o.side == crate::Side::Buy { Asset::INR } else { Asset::BTC };
            (o.user, asset, o.reserved)
        });
        let holds = self.holds.values().filter(|h| h.status == crate::HoldStatus::Pending);
        for (user, asset, amount) in orders.chain(holds.map(|h| (h.user, h.asset, h.amount))) {
            let sum = reserved.entry(Account::user(user, asset, Bucket::Reserved)).or_default();
            *sum = sum.saturating_add(amount);
        }
        for account in self.balances.keys().filter(|a| a.bucket == Bucket::Reserved) {
            reserved.entry(account.clone()).or_default();
        }
        for (account, expected) in reserved {
            let found = State::balance(self, &account);
            if let (true, Owner::User(user)) = (found != expected, &account.owner) {
                self.fault(Fault::Reserved { user: *user, asset: account.asset, expected, found });
            }
        }
    }

    /// Drafts the entry again from what it says was asked, and gives what it changes beside balances.
    fn meaning(&mut self, entry: &Entry, legs: &[Movement]) -> Effect {
        let again = operation_of(self, entry, legs).and_then(|operation| draft(self, &operation).ok());
        match again {
            Some(again)
                if (again.kind, again.snapshot, again.size, again.refs, again.terms)
                    == (entry.kind, entry.snapshot, entry.size, entry.refs, entry.terms)
                    && again.legs == legs =>
            {
                again.effect
            }
            _ => {
                self.fault(Fault::Meaning(entry.seq));
                Effect::Nothing
            }
        }
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Nothing => {}
            Effect::Undo(seq) => {
                self.reversible.remove(&seq);
            }
            Effect::Order(order) => {
                self.unseen.insert((ORDER, order.id));
                self.orders.insert(order.id, order);
            }
            Effect::Hold(hold) => {
                self.unseen.insert((HOLD, hold.id));
                self.holds.insert(hold.id, hold);
            }
            Effect::Loan(loan) => {
                self.unseen.insert((LOAN, loan.user.0));
                self.loans.insert(loan.user, loan);
            }
            Effect::LoanEnds(user) => {
                self.unseen.remove(&(LOAN, user.0));
                self.loans.remove(&user);
            }
        }
    }

    fn derived(&mut self, what: &'static str, id: i64, same: bool) {
        if !self.unseen.remove(&(what, id)) || !same {
            self.fault(Fault::Derived { what, id });
        }
    }
}

/// What must have been asked for an entry to say what it says; `None`: nothing that is known.
fn operation_of(state: &Verifier, entry: &Entry, legs: &[Movement]) -> Option<Operation> {
    let (from, to, amount) = legs.first().cloned()?;
    let asset = from.asset;
    let user_of = |account: &Account| match account.owner {
        Owner::User(user) => Some(user),
        _ => None,
    };
    let wallet_of = |account: &Account| match &account.owner {
        Owner::Wallet(address) => Some(address.clone()),
        _ => None,
    };
    // the user of a loan, and what moves from or to one of their buckets
    let user = || legs.iter().flat_map(|(from, to, _)| [from, to]).find_map(user_of);
    let paid_from = |bucket: Bucket| -> i64 {
        let own = legs.iter().filter(|(from, _, _)| user_of(from).is_some() && from.bucket == bucket);
        own.fold(0, |sum: i64, (_, _, amount)| sum.saturating_add(*amount))
    };
    let terms = entry.terms.unwrap_or_default();
    Some(match entry.kind {
        Kind::Deposit => Operation::Deposit { user: user_of(&to)?, asset, amount },
        Kind::FundHouse => Operation::FundHouse { asset, bucket: to.bucket, amount },
        Kind::MarketBuy | Kind::MarketSell | Kind::PlanBuy | Kind::PlanSell => Operation::Trade {
            user: user_of(&from)?,
            side: entry.kind.side()?,
            size: entry.size?,
            snapshot: entry.snapshot?,
            worst_rate: None,
            plan: matches!(entry.kind, Kind::PlanBuy | Kind::PlanSell),
        },
        Kind::Reverse => Operation::Reverse { seq: entry.refs? },
        Kind::PlaceBuy | Kind::PlaceSell => Operation::PlaceOrder {
            user: user_of(&from)?,
            side: entry.kind.side()?,
            size: entry.size?,
            limit: terms.rate,
            expires_at: terms.until,
        },
        Kind::FillBuy | Kind::FillSell => {
            let order = state.order(entry.refs?)?;
            Operation::FillOrder { user: order.user, order: order.id, snapshot: entry.snapshot? }
        }
        Kind::CancelOrder => Operation::CancelOrder { user: user_of(&from)?, order: entry.refs? },
        Kind::ExpireOrder => Operation::ExpireOrder { user: user_of(&from)?, order: entry.refs? },
        Kind::Transfer => Operation::Transfer { from: user_of(&from)?, to: user_of(&to)?, asset, amount },
        Kind::Withdraw => Operation::Withdraw { user: user_of(&from)?, asset, amount },
        Kind::Hold => Operation::Hold { user: user_of(&from)?, asset, amount, expires_at: terms.until },
        Kind::PostHold => Operation::PostHold { user: user_of(&from)?, hold: entry.refs?, amount: Some(amount) },
        Kind::VoidHold => Operation::VoidHold { user: user_of(&from)?, hold: entry.refs? },
        Kind::ExpireHold => Operation::ExpireHold { user: user_of(&from)?, hold: entry.refs? },
        Kind::LockCollateral => Operation::LockCollateral { user: user_of(&from)?, amount, rate_bps: terms.rate },
        Kind::ReleaseCollateral => Operation::ReleaseCollateral {
            user: user()?,
            amount: paid_from(Bucket::Collateral),
            snapshot: entry.snapshot.unwrap_or(SnapshotId(0)),
        },
        Kind::Borrow => {
            Operation::Borrow { user: user()?, amount: paid_from(Bucket::Borrowed), snapshot: entry.snapshot? }
        }
        Kind::Repay => Operation::Repay { user: user()?, amount: paid_from(Bucket::Available) },
        Kind::Accrue => Operation::Accrue { user: user()? },
        Kind::LiquidatePartial | Kind::LiquidateFull => {
            Operation::Liquidate { user: user()?, full: entry.kind == Kind::LiquidateFull, snapshot: entry.snapshot? }
        }
        Kind::WriteOff => Operation::WriteOff { user: user()? },
        Kind::Grant => Operation::Grant { wallet: wallet_of(&to)?, amount },
        Kind::WalletTransaction => {
            let mut steps = Vec::with_capacity(legs.len());
            let mut fee = 0;
            for (_, to, amount) in legs {
                match wallet_of(to) {
                    Some(to) => steps.push(WalletStep::Pay { to, amount: *amount }),
                    None => fee = *amount,
                }
            }
            // what was asserted and signed is not in the entry, and nothing of it is
            Operation::WalletTransaction { from: wallet_of(&from)?, hash: [0; 32], steps, fee }
        }
        Kind::PaperGrant | Kind::PaperHold | Kind::PaperRelease => paper::read(entry.kind, legs.first()?)?,
        Kind::PaperFill => Operation::PaperFill(PaperFill::read(legs)?),
    })
}

impl AuditSink for Verifier {
    fn entry(&mut self, posted: Posted) {
        let entry = &posted.entry;
        let expected = self.head.seq + 1;
        if entry.seq != expected {
            self.fault(Fault::Gap { expected, found: entry.seq });
        }
        if entry.prev != self.head.hash || entry.digest() != entry.hash {
            self.fault(Fault::Chain(entry.seq));
        }
        if entry.at < self.head.at {
            self.fault(Fault::Time(entry.seq));
        }
        self.now = entry.at;
        self.snapshot = posted.snapshot.clone();
        let legs: Vec<_> = entry.legs.iter().map(|l| (l.from.clone(), l.to.clone(), l.amount)).collect();
        // drafted on the balances before the entry
        let effect = self.meaning(entry, &legs);
        self.legs(entry);
        let side = entry.kind.side().filter(|_| posted.snapshot.is_some());
        let made_at = match (side, &posted.snapshot) {
            (Some(side), Some(snapshot)) => crate::draft::rate(&snapshot.price, side),
            _ => 0,
        };
        if entry.kind.is_reversible() {
            self.reversible.insert(entry.seq, (entry.kind, legs));
        }
        let trade = side.is_some();
        let entry = posted.entry;
        self.head = Head { seq: entry.seq, hash: entry.hash, at: entry.at };
        self.apply(effect);
        let made_at = if trade { Some(made_at) } else { None };
        if self.keys.insert((entry.actor, entry.key), (entry.seq, made_at)).is_some() {
            self.fault(Fault::Key(entry.seq));
        }
    }

    fn order(&mut self, order: Order) {
        let same = self.orders.get(&order.id) == Some(&order);
        self.derived(ORDER, order.id, same);
    }

    fn hold(&mut self, hold: Hold) {
        let same = self.holds.get(&hold.id) == Some(&hold);
        self.derived(HOLD, hold.id, same);
    }

    fn loan(&mut self, loan: Loan) {
        let same = self.loans.get(&loan.user) == Some(&loan);
        self.derived(LOAN, loan.user.0, same);
    }

    fn balance(&mut self, account: Account, found: i64) {
        let expected = self.balances.get(&account).copied().unwrap_or(0);
        if expected != found {
            self.fault(Fault::Balance { account: account.clone(), expected, found });
        }
        self.stored.insert(account);
    }

    fn recorded(&mut self, row: IdemRow) {
        if let Outcome::Posted(receipt) = row.recorded.outcome {
            match self.keys.remove(&(row.actor, row.key)) {
                Some((seq, made_at)) if seq == receipt.seq => {
                    // a price can be changed by less than shows in the legs; the receipt tells it whole
                    if made_at.is_some_and(|rate| rate != receipt.rate) {
                        self.fault(Fault::Meaning(seq));
                    }
                }
                _ => self.fault(Fault::Key(receipt.seq)),
            }
        }
    }

    fn corrupt(&mut self, what: &str) {
        self.fault(Fault::Corrupt(what.to_owned()));
    }
}
