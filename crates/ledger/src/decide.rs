//! From commands and a view to a batch and answers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use orrery_kernel::{AMOUNT_MAX, Asset, SnapshotId, Timestamp, UserId};

use crate::rounding::{NoTrade, convert};
use crate::{
    Account, Actor, Answer, Batch, Bucket, Command, Decision, Entry, Head, IdemKey, IdemRow, Kind, Leg, Limits, Needs,
    Operation, Outcome, Owner, Posted, Receipt, Recorded, Refusal, Seq, Sheet, Side, Size, Snapshot, View,
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
        match &command.operation {
            Operation::Deposit { user, asset, .. } => {
                needs.accounts.extend(Sheet::accounts(*user));
                needs.accounts.insert(Account::user(*user, *asset, Bucket::Available));
                needs.accounts.insert(Account::world(*asset));
            }
            Operation::FundHouse { asset, bucket, .. } => {
                needs.accounts.insert(Account::house(*asset, *bucket));
                needs.accounts.insert(Account::world(*asset));
            }
            Operation::Trade { user, snapshot, .. } => {
                needs.accounts.extend(Sheet::accounts(*user));
                needs.accounts.insert(Account::house(Asset::INR, Bucket::Inventory));
                needs.accounts.insert(Account::house(Asset::BTC, Bucket::Inventory));
                needs.snapshots.insert(*snapshot);
            }
            Operation::Reverse { seq } => {
                needs.entries.insert(*seq);
            }
        }
    }
    needs
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
        // an entry of this batch may be undone by a later command of it
        keep_entries: commands.iter().any(|c| matches!(c.operation, Operation::Reverse { .. })),
        batch: Batch { expected: view.head, entries: Vec::new(), idem: Vec::new(), balances: BTreeMap::new() },
    };
    let answers = commands.iter().map(|command| desk.answer(command)).collect();
    Decision { batch: desk.batch, answers }
}

/// A step that led to no outcome.
enum Halt {
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

struct Desk<'a> {
    head: Head,
    now: Timestamp,
    limits: &'a Limits,
    balances: HashMap<Account, i64>,
    recorded: HashMap<(Actor, IdemKey), Recorded>,
    snapshots: HashMap<SnapshotId, Snapshot>,
    entries: HashMap<Seq, Posted>,
    keep_entries: bool,
    batch: Batch,
}

/// What an entry says beside its legs.
struct Draft {
    kind: Kind,
    snapshot: Option<SnapshotId>,
    size: Option<Size>,
    refs: Option<Seq>,
    legs: Vec<(Account, Account, i64)>,
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
        match command.operation {
            Operation::Deposit { user, asset, amount } => {
                check(user.0 > 0, "user")?;
                check(asset == Asset::INR || asset == Asset::BTC, "asset")?;
                check_amount(amount)?;
                let to = Account::user(user, asset, Bucket::Available);
                let legs = vec![(Account::world(asset), to, amount)];
                let (inr, btc) = if asset == Asset::INR { (amount, 0) } else { (0, amount) };
                self.post(command, Draft { kind: Kind::Deposit, snapshot: None, size: None, refs: None, legs })
                    .map(|(seq, at)| self.receipt(seq, at, Kind::Deposit, Some(user), inr, btc, 0))
            }
            Operation::FundHouse { asset, bucket, amount } => {
                let inventory = bucket == Bucket::Inventory && (asset == Asset::INR || asset == Asset::BTC);
                check(inventory || bucket == Bucket::Treasury && asset == Asset::INR, "bucket")?;
                check_amount(amount)?;
                let legs = vec![(Account::world(asset), Account::house(asset, bucket), amount)];
                let (inr, btc) = if asset == Asset::INR { (amount, 0) } else { (0, amount) };
                self.post(command, Draft { kind: Kind::FundHouse, snapshot: None, size: None, refs: None, legs })
                    .map(|(seq, at)| self.receipt(seq, at, Kind::FundHouse, None, inr, btc, 0))
            }
            Operation::Trade { user, side, size, snapshot, worst_rate } => {
                self.trade(command, user, side, size, snapshot, worst_rate)
            }
            Operation::Reverse { seq } => self.reverse(command, seq),
        }
    }

    fn trade(
        &mut self,
        command: &Command,
        user: UserId,
        side: Side,
        size: Size,
        snapshot: SnapshotId,
        worst_rate: Option<i64>,
    ) -> Result<Receipt, Halt> {
        check(user.0 > 0, "user")?;
        let (Size::Inr(amount) | Size::Btc(amount)) = size;
        check_amount(amount)?;
        check(worst_rate.is_none_or(|r| r > 0), "worst_rate")?;
        let price = self.snapshots.get(&snapshot).map(|s| &s.price).ok_or(Refusal::StalePrice)?;
        if self.now.since(price.observed_at) > self.limits.max_age {
            return Err(Refusal::StalePrice.into());
        }
        let rate = rate(price, side);
        let worse = worst_rate.is_some_and(|worst| if side == Side::Buy { rate > worst } else { rate < worst });
        if worse {
            return Err(Refusal::Slippage.into());
        }
        let sides = convert(side, size, rate).map_err(|e| match e {
            NoTrade::Dust => Halt::Refused(Refusal::Dust),
            NoTrade::TooLarge => Halt::Invalid("amount"),
        })?;
        let kind = if side == Side::Buy { Kind::MarketBuy } else { Kind::MarketSell };
        let legs = trade_legs(user, side, sides.inr, sides.btc);
        self.post(command, Draft { kind, snapshot: Some(snapshot), size: Some(size), refs: None, legs })
            .map(|(seq, at)| self.receipt(seq, at, kind, Some(user), sides.inr, sides.btc, rate))
    }

    fn reverse(&mut self, command: &Command, seq: Seq) -> Result<Receipt, Halt> {
        check(seq > 0, "seq")?;
        let posted = self.entries.get(&seq).ok_or(Refusal::NoSuchEntry)?;
        if posted.entry.kind == Kind::Reverse || posted.reversed_by.is_some() {
            return Err(Refusal::NotReversible.into());
        }
        let legs: Vec<_> = posted.entry.legs.iter().rev().map(|l| (l.to.clone(), l.from.clone(), l.amount)).collect();
        let user = legs.iter().flat_map(|(from, to, _)| [from, to]).find_map(|account| match account.owner {
            Owner::User(user) => Some(user),
            _ => None,
        });
        let moved = |asset: Asset| {
            let of_asset = legs.iter().filter(|(from, _, _)| from.asset == asset);
            of_asset
                .filter(|(from, to, _)| user.is_none_or(|u| from.owner == Owner::User(u) || to.owner == Owner::User(u)))
                .fold(0_i64, |sum, (_, _, amount)| sum.saturating_add(*amount))
        };
        let (inr, btc) = (moved(Asset::INR), moved(Asset::BTC));
        let draft = Draft { kind: Kind::Reverse, snapshot: None, size: None, refs: Some(seq), legs };
        let (new, at) = self.post(command, draft)?;
        if let Some(posted) = self.entries.get_mut(&seq) {
            posted.reversed_by = Some(new);
        }
        Ok(self.receipt(new, at, Kind::Reverse, user, inr, btc, 0))
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
        let mut broken = None;
        for (account, balance) in &moved {
            let (low, high) = account.bounds(self.limits);
            if !(i128::from(low)..=i128::from(high)).contains(balance) {
                let of_user = matches!(account.owner, Owner::User(_));
                // the user's own shortage is what the caller can do something about
                if broken.is_none() || of_user {
                    broken = Some((account, *balance, low));
                }
                if of_user {
                    break;
                }
            }
        }
        if let Some((account, balance, low)) = broken {
            let short = balance < i128::from(low);
            let available = self.balances.get(account).copied().unwrap_or(0);
            return Err(match (&account.owner, account.bucket) {
                (Owner::User(_), Bucket::Available) if short => Refusal::Insufficient {
                    asset: account.asset,
                    required: i64::try_from(i128::from(available) - balance).unwrap_or(i64::MAX),
                    available,
                },
                _ => Refusal::Bound { account: account.clone() },
            }
            .into());
        }
        let mut entry = Entry {
            seq: self.head.seq + 1,
            kind: draft.kind,
            actor: command.actor,
            key: command.key.clone(),
            snapshot: draft.snapshot,
            size: draft.size,
            refs: draft.refs,
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
            self.entries.insert(entry.seq, Posted { entry: entry.clone(), reversed_by: None, snapshot: None });
        }
        self.batch.entries.push(entry);
        Ok((self.head.seq, self.head.at))
    }

    #[expect(clippy::too_many_arguments, reason = "it fills one record")]
    fn receipt(
        &self,
        seq: Seq,
        at: Timestamp,
        kind: Kind,
        user: Option<UserId>,
        inr: i64,
        btc: i64,
        rate: i64,
    ) -> Receipt {
        let sheet = user
            .map(|u| Sheet::read(u, |account| self.balances.get(account).copied().unwrap_or(0)))
            .unwrap_or_default();
        Receipt { seq, kind, user, inr, btc, rate, at, sheet }
    }
}

/// The rate that `side` trades at.
pub(crate) fn rate(price: &crate::NewSnapshot, side: Side) -> i64 {
    match side {
        Side::Buy => price.buy_rate,
        Side::Sell => price.sell_rate,
    }
}

/// The movements of a trade.
pub(crate) fn trade_legs(user: UserId, side: Side, inr: i64, btc: i64) -> Vec<(Account, Account, i64)> {
    let user = |asset| Account::user(user, asset, Bucket::Available);
    let house = |asset| Account::house(asset, Bucket::Inventory);
    match side {
        Side::Buy => {
            vec![(user(Asset::INR), house(Asset::INR), inr), (house(Asset::BTC), user(Asset::BTC), btc)]
        }
        Side::Sell => {
            vec![(user(Asset::BTC), house(Asset::BTC), btc), (house(Asset::INR), user(Asset::INR), inr)]
        }
    }
}

fn check(good: bool, field: &'static str) -> Result<(), Halt> {
    if good { Ok(()) } else { Err(Halt::Invalid(field)) }
}

fn check_amount(amount: i64) -> Result<(), Halt> {
    check((1..=AMOUNT_MAX).contains(&amount), "amount")
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
