//! Replays a whole ledger and compares it with what is stored.

use std::collections::{BTreeMap, HashMap, HashSet};

use orrery_kernel::{Asset, Timestamp};

use crate::decide::{rate, trade_legs, users_of};
use crate::rounding::convert;
use crate::{
    Account, Actor, AuditSink, Bucket, Entry, Head, IdemKey, IdemRow, Kind, LEGS_MAX, Limits, Outcome, Owner, Posted,
    Seq, Side, canon,
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
    /// A trade whose legs do not follow from its size and price.
    #[error("entry {0}: its legs do not follow from its size and price")]
    Price(Seq),
    /// A reversal that is not the mirror of what it names, or a second one.
    #[error("entry {0}: not the one mirror of the entry it names")]
    Reversal(Seq),
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
/// number of accounts and of keys, by some 100 bytes each.
pub struct Verifier {
    head: Head,
    balances: BTreeMap<Account, i64>,
    stored: HashSet<Account>,
    reversible: HashMap<Seq, Vec<(Account, Account, i64)>>,
    /// Entry of each key, and the rate it was made at (0 where it was no trade).
    keys: HashMap<(Actor, IdemKey), (Seq, i64)>,
    faults: Vec<Fault>,
    fault_count: u64,
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            head: Head { seq: 0, hash: canon::genesis(), at: Timestamp::from_micros(0) },
            balances: BTreeMap::new(),
            stored: HashSet::new(),
            reversible: HashMap::new(),
            keys: HashMap::new(),
            faults: Vec::new(),
            fault_count: 0,
        }
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

    fn meaning(&mut self, posted: &Posted) {
        let entry = &posted.entry;
        let seq = entry.seq;
        let legs: Vec<_> = entry.legs.iter().map(|l| (l.from.clone(), l.to.clone(), l.amount)).collect();
        let trades = matches!(entry.kind, Kind::MarketBuy | Kind::MarketSell);
        let named = (entry.snapshot.is_some(), entry.size.is_some(), entry.refs.is_some());
        if named != (trades, trades, entry.kind == Kind::Reverse) {
            self.fault(Fault::Leg { seq, what: "names a price, a size or an entry that its kind has not" });
        }
        match entry.kind {
            Kind::MarketBuy | Kind::MarketSell => {
                let side = if entry.kind == Kind::MarketBuy { Side::Buy } else { Side::Sell };
                let expected = (|| {
                    let snapshot = posted.snapshot.as_ref().filter(|s| Some(s.id) == entry.snapshot)?;
                    let user = *users_of(entry).first()?;
                    let sides = convert(side, entry.size?, rate(&snapshot.price, side)).ok()?;
                    let fair = snapshot.price.sell_rate > 0 && snapshot.price.buy_rate >= snapshot.price.sell_rate;
                    fair.then(|| trade_legs(user, side, sides.inr, sides.btc))
                })();
                if expected.as_ref() != Some(&legs) {
                    self.fault(Fault::Price(seq));
                }
            }
            Kind::Deposit | Kind::FundHouse => {
                let from_world = legs.iter().all(|(from, _, _)| from.owner == Owner::World);
                let target = match legs.as_slice() {
                    [(_, to, _)] => match to.owner {
                        Owner::User(_) => entry.kind == Kind::Deposit && to.bucket == Bucket::Available,
                        Owner::House => entry.kind == Kind::FundHouse,
                        _ => false,
                    },
                    _ => false,
                };
                if !from_world || !target {
                    self.fault(Fault::Leg { seq, what: "money may enter from outside into one account only" });
                }
            }
            Kind::Reverse => {
                let mirror: Vec<_> = legs.iter().rev().map(|(f, t, a)| (t.clone(), f.clone(), *a)).collect();
                let undone = entry.refs.and_then(|refs| self.reversible.remove(&refs));
                if undone.as_ref() != Some(&mirror) {
                    self.fault(Fault::Reversal(seq));
                }
                return;
            }
        }
        self.reversible.insert(seq, legs);
    }
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
        self.legs(entry);
        self.meaning(&posted);
        let made_at = posted.snapshot.as_ref().map_or(0, |s| match posted.entry.kind {
            Kind::MarketBuy => rate(&s.price, Side::Buy),
            Kind::MarketSell => rate(&s.price, Side::Sell),
            _ => 0,
        });
        let entry = posted.entry;
        self.head = Head { seq: entry.seq, hash: entry.hash, at: entry.at };
        if self.keys.insert((entry.actor, entry.key), (entry.seq, made_at)).is_some() {
            self.fault(Fault::Key(entry.seq));
        }
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
                    if made_at != receipt.rate {
                        self.fault(Fault::Price(seq));
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
