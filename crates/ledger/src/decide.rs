//! From commands and a view to a batch and answers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use orrery_kernel::{Asset, SnapshotId, Timestamp, UserId};

use crate::draft::{Draft, Effect, Halt, State, Undoable, draft};
use crate::{
    Account, Actor, Answer, Batch, Bucket, Command, Decision, Entry, Head, Hold, IdemKey, IdemRow, Leg, Limits, Loan,
    Needs, Operation, Order, Outcome, Owner, Posted, Receipt, Recorded, Refusal, Seq, Sheet, Snapshot, View,
};

/// The accounts behind a [`Sheet`].
const SHEET: [(Asset, Bucket); 7] = [
    (Asset::INR, Bucket::Available),
    (Asset::BTC, Bucket::Available),
    (Asset::INR, Bucket::Reserved),
    (Asset::BTC, Bucket::Reserved),
    (Asset::BTC, Bucket::Collateral),
    (Asset::INR, Bucket::Borrowed),
    (Asset::INR, Bucket::Interest),
];

impl Sheet {
    /// The accounts of `user` that a sheet shows.
    pub fn accounts(user: UserId) -> impl Iterator<Item = Account> {
        SHEET.into_iter().map(move |(asset, bucket)| Account::user(user, asset, bucket))
    }

    /// A user's sheet from their balances.
    pub fn read(user: UserId, mut balance: impl FnMut(&Account) -> i64) -> Self {
        let mut at = |i: usize| {
            let (asset, bucket) = SHEET[i];
            balance(&Account::user(user, asset, bucket))
        };
        Self {
            available_inr: at(0),
            available_btc: at(1),
            reserved_inr: at(2),
            reserved_btc: at(3),
            collateral_btc: at(4),
            // debts are negative balances within ±AMOUNT_MAX
            borrowed_inr: -at(5),
            interest_accrued: -at(6),
        }
    }
}

/// What `commands` must see to be decided.
pub fn needs(commands: &[Command]) -> Needs {
    let mut needs = Needs::default();
    for command in commands {
        needs.keys.insert((command.actor, command.key.clone()));
        needs.add(&command.operation);
    }
    needs
}

/// The house's accounts that a loan touches.
const LENDING: [Bucket; 5] =
    [Bucket::Inventory, Bucket::Treasury, Bucket::Receivable, Bucket::InterestReceivable, Bucket::Income];

impl Needs {
    fn add(&mut self, operation: &Operation) {
        match *operation {
            Operation::Deposit { user, asset, .. } | Operation::Withdraw { user, asset, .. } => {
                self.user(user);
                self.accounts.insert(Account::user(user, asset, Bucket::Available));
                self.accounts.insert(Account::world(asset));
            }
            Operation::FundHouse { asset, bucket, .. } => {
                self.accounts.insert(Account::house(asset, bucket));
                self.accounts.insert(Account::world(asset));
            }
            Operation::Trade { user, snapshot, .. } => {
                self.user(user);
                self.inventories();
                self.snapshots.insert(snapshot);
            }
            Operation::Reverse { seq } => {
                self.entries.insert(seq);
            }
            Operation::PlaceOrder { user, .. } | Operation::Hold { user, .. } => self.user(user),
            Operation::FillOrder { user, order, snapshot } => {
                self.user(user);
                self.inventories();
                self.snapshots.insert(snapshot);
                self.orders.insert(order);
            }
            Operation::CancelOrder { user, order } | Operation::ExpireOrder { user, order } => {
                self.user(user);
                self.orders.insert(order);
            }
            Operation::Transfer { from, to, .. } => {
                self.user(from);
                self.user(to);
            }
            Operation::PostHold { user, hold, .. }
            | Operation::VoidHold { user, hold }
            | Operation::ExpireHold { user, hold } => {
                self.user(user);
                self.accounts.extend([Account::world(Asset::INR), Account::world(Asset::BTC)]);
                self.holds.insert(hold);
            }
            Operation::LockCollateral { user, .. }
            | Operation::Repay { user, .. }
            | Operation::Accrue { user }
            | Operation::WriteOff { user } => self.loan(user),
            Operation::ReleaseCollateral { user, snapshot, .. }
            | Operation::Borrow { user, snapshot, .. }
            | Operation::Liquidate { user, snapshot, .. } => {
                self.loan(user);
                self.snapshots.insert(snapshot);
            }
            Operation::Grant { ref wallet, .. } => {
                self.accounts.extend([Account::wallet(wallet), Account::world(Asset::TST)]);
            }
            Operation::WalletTransaction { ref from, ref steps, .. } => {
                self.accounts.extend([Account::wallet(from), Account::house(Asset::TST, Bucket::Income)]);
                self.accounts.extend(steps.iter().map(|step| Account::wallet(step.wallet())));
            }
            Operation::PaperGrant { ref account, asset, .. } => {
                self.accounts.extend([Account::paper(account, asset, Bucket::Available), Account::world(asset)]);
            }
            Operation::PaperHold { ref account, asset, .. } | Operation::PaperRelease { ref account, asset, .. } => {
                let own = [Bucket::Available, Bucket::Reserved].map(|bucket| Account::paper(account, asset, bucket));
                self.accounts.extend(own);
            }
            Operation::PaperFill(ref fill) => self.accounts.extend(fill.accounts()),
        }
    }

    fn user(&mut self, user: UserId) {
        self.accounts.extend(Sheet::accounts(user));
    }

    fn inventories(&mut self) {
        self.accounts.extend([Asset::INR, Asset::BTC].map(|asset| Account::house(asset, Bucket::Inventory)));
    }

    fn loan(&mut self, user: UserId) {
        self.user(user);
        self.inventories();
        self.accounts.extend(LENDING.map(|bucket| Account::house(Asset::INR, bucket)));
        self.loans.insert(user);
    }
}

/// Decides `commands` in order, each seeing what the ones before it did. Nothing is written; the
/// answers hold once the batch is committed.
pub fn decide(view: View, commands: &[Command], now: Timestamp, limits: &Limits) -> Decision {
    let mut desk = Desk {
        head: view.head,
        now: now.max(view.head.at),
        limits,
        balances: view.balances,
        recorded: view.recorded,
        snapshots: view.snapshots,
        entries: view.entries,
        orders: view.orders,
        holds: view.holds,
        loans: view.loans,
        // an entry of this batch may be undone by a later command of it
        keep_entries: commands.iter().any(|c| matches!(c.operation, Operation::Reverse { .. })),
        batch: Batch::on(view.head),
    };
    let answers = commands.iter().map(|command| desk.answer(command)).collect();
    Decision { batch: desk.batch, answers }
}

struct Desk<'a> {
    head: Head,
    now: Timestamp,
    limits: &'a Limits,
    balances: HashMap<Account, i64>,
    recorded: HashMap<(Actor, IdemKey), Recorded>,
    snapshots: HashMap<SnapshotId, Snapshot>,
    entries: HashMap<Seq, Posted>,
    orders: HashMap<Seq, Order>,
    holds: HashMap<Seq, Hold>,
    loans: HashMap<UserId, Loan>,
    keep_entries: bool,
    batch: Batch,
}

impl State for Desk<'_> {
    fn next_seq(&self) -> Seq {
        self.head.seq + 1
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn max_age(&self) -> Option<Duration> {
        Some(self.limits.max_age)
    }

    fn balance(&self, account: &Account) -> i64 {
        self.balances.get(account).copied().unwrap_or(0)
    }

    fn snapshot(&self, id: SnapshotId) -> Option<&Snapshot> {
        self.snapshots.get(&id)
    }

    fn undoable(&self, seq: Seq) -> Option<Undoable> {
        let posted = self.entries.get(&seq)?;
        let legs = posted.entry.legs.iter().map(|l| (l.from.clone(), l.to.clone(), l.amount)).collect();
        Some(Undoable { kind: posted.entry.kind, legs, resolved: posted.resolved_by.is_some() })
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

impl Desk<'_> {
    fn answer(&mut self, command: &Command) -> Answer {
        let fingerprint = command.operation.fingerprint();
        let key = (command.actor, command.key.clone());
        if let Some(recorded) = self.recorded.get(&key) {
            return if recorded.fingerprint == fingerprint {
                Answer::Replay(recorded.outcome.clone())
            } else {
                Answer::KeyReused
            };
        }
        let outcome = match self.step(command) {
            Ok(receipt) => Outcome::Posted(receipt),
            Err(Halt::Refused(refusal)) => Outcome::Refused(refusal),
            Err(Halt::Invalid(field)) => return Answer::Invalid(field),
        };
        let recorded = Recorded { fingerprint, outcome: outcome.clone() };
        self.batch.idem.push(IdemRow { actor: key.0, key: key.1.clone(), recorded: recorded.clone() });
        self.recorded.insert(key, recorded);
        Answer::New(outcome)
    }

    fn step(&mut self, command: &Command) -> Result<Receipt, Halt> {
        let draft = draft(self, &command.operation)?;
        let (kind, user, inr, btc, rate) = (draft.kind, draft.user, draft.inr, draft.btc, draft.rate);
        let (seq, at) = self.post(command, draft)?;
        let sheet = user.map(|u| Sheet::read(u, |account| self.balance(account))).unwrap_or_default();
        Ok(Receipt { seq, kind, user, inr, btc, rate, at, sheet })
    }

    /// Writes an entry, or changes nothing. The only place that moves balances.
    fn post(&mut self, command: &Command, draft: Draft) -> Result<(Seq, Timestamp), Halt> {
        let mut moved: BTreeMap<Account, i128> = BTreeMap::new();
        let mut legs = Vec::with_capacity(draft.legs.len());
        for (from, to, amount) in draft.legs {
            let mut change = |account: &Account, by: i128| {
                let stored = || i128::from(self.balances.get(account).copied().unwrap_or(0));
                let balance = moved.entry(account.clone()).or_insert_with(stored);
                *balance += by;
                *balance
            };
            let (from_after, to_after) = (change(&from, -i128::from(amount)), change(&to, i128::from(amount)));
            legs.push((from, to, amount, from_after, to_after));
        }
        let mut broken: Option<(u8, Refusal)> = None;
        for (account, balance) in &moved {
            let (low, high) = account.bounds(self.limits);
            if (i128::from(low)..=i128::from(high)).contains(balance) {
                continue;
            }
            let available = self.balances.get(account).copied().unwrap_or(0);
            // the owner's own shortage is what the caller can do something about
            let found = match (&account.owner, account.bucket) {
                (Owner::User(_) | Owner::Paper(_), Bucket::Available) if *balance < i128::from(low) => {
                    let required = i64::try_from(i128::from(available) - balance).unwrap_or(i64::MAX);
                    (2, Refusal::Insufficient { asset: account.asset, required, available })
                }
                (Owner::User(_), _) => (1, Refusal::Bound { account: account.clone() }),
                _ => (0, Refusal::Bound { account: account.clone() }),
            };
            if broken.as_ref().is_none_or(|(rank, _)| found.0 > *rank) {
                broken = Some(found);
            }
        }
        if let Some((_, refusal)) = broken {
            return Err(refusal.into());
        }
        let mut entry = Entry {
            seq: self.head.seq + 1,
            kind: draft.kind,
            actor: command.actor,
            key: command.key.clone(),
            snapshot: draft.snapshot,
            size: draft.size,
            refs: draft.refs,
            terms: draft.terms,
            legs: Vec::with_capacity(legs.len()),
            at: self.now,
            prev: self.head.hash,
            hash: [0; 32],
        };
        for (from, to, amount, from_after, to_after) in legs {
            // between legs a balance may pass its bounds, but not the range of numbers
            let bound = |account: &Account| Refusal::Bound { account: account.clone() };
            let from_after = i64::try_from(from_after).map_err(|_| bound(&from))?;
            let to_after = i64::try_from(to_after).map_err(|_| bound(&to))?;
            entry.legs.push(Leg { from, to, amount, from_after, to_after });
        }
        entry.hash = entry.digest();
        for (account, balance) in moved {
            // bounds are within i64
            let balance = i64::try_from(balance).unwrap_or_default();
            self.balances.insert(account.clone(), balance);
            self.batch.balances.insert(account, balance);
        }
        self.head = Head { seq: entry.seq, hash: entry.hash, at: entry.at };
        if self.keep_entries {
            self.entries.insert(entry.seq, Posted::new(entry.clone()));
        }
        self.apply(draft.effect);
        self.batch.entries.push(entry);
        Ok((self.head.seq, self.head.at))
    }

    /// Keeps what the entry just posted changes beside balances.
    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Nothing => {}
            Effect::Undo(seq) => {
                if let Some(posted) = self.entries.get_mut(&seq) {
                    posted.resolved_by = Some(self.head.seq);
                }
            }
            Effect::Order(order) => {
                self.batch.orders.insert(order.id, order.clone());
                self.orders.insert(order.id, order);
            }
            Effect::Hold(hold) => {
                self.batch.holds.insert(hold.id, hold.clone());
                self.holds.insert(hold.id, hold);
            }
            Effect::Loan(loan) => {
                self.batch.loans.insert(loan.user, Some(loan.clone()));
                self.loans.insert(loan.user, loan);
            }
            Effect::LoanEnds(user) => {
                self.batch.loans.insert(user, None);
                self.loans.remove(&user);
            }
        }
    }
}

/// The users that an entry's legs touch.
pub fn users_of(entry: &Entry) -> BTreeSet<UserId> {
    entry
        .legs
        .iter()
        .flat_map(|l| [&l.from.owner, &l.to.owner])
        .filter_map(|owner| match owner {
            Owner::User(user) => Some(*user),
            _ => None,
        })
        .collect()
}

/// The users in whose statements an entry is a line: those it touches, but for the end of an order
/// or a hold, which shows as the line of the entry that began it.
pub fn shown_to(entry: &Entry) -> BTreeSet<UserId> {
    if entry.kind.is_closing() { BTreeSet::new() } else { users_of(entry) }
}
