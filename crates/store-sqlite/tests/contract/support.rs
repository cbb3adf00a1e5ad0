//! Databases in temporary folders, and batches made up without the ledger's rules: what a store does
//! with a decision must not depend on the decision's sense.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use orrery_kernel::{Asset, StoreError, Timestamp, UserId};
use orrery_ledger::{
    Account, Actor, Answer, AuditSink, Batch, Bucket, Decider, Decision, Entry, Head, Hold, IdemKey, IdemRow, Kind,
    LedgerStore, Leg, Loan, Needs, NewSnapshot, Order, Outcome, Posted, Receipt, Recorded, Sheet, View,
};
use orrery_store_sqlite::{Fault, Options, Sqlite};
use sha2::Digest;
use tempfile::TempDir;

/// A migrated database in a folder of its own.
pub struct Db {
    pub folder: TempDir,
    pub path: PathBuf,
    pub store: Sqlite,
}

impl Db {
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orrery.db");
        let store = Sqlite::open(path.to_str().unwrap(), options).await.unwrap();
        store.migrate().await.unwrap();
        Self { folder, path, store }
    }

    /// Another handle on the same file, as another process has it.
    pub async fn again(&self) -> Sqlite {
        Sqlite::open(self.path.to_str().unwrap(), Options::default()).await.unwrap()
    }

    /// A bare connection that checks nothing, as a vandal has it.
    pub async fn bare(&self) -> sqlx::SqliteConnection {
        use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
        SqliteConnectOptions::new().filename(&self.path).foreign_keys(false).connect().await.unwrap()
    }

    /// Runs SQL on a bare connection.
    pub async fn sql(&self, text: &'static str) -> Result<u64, sqlx::Error> {
        use sqlx::Connection;
        let mut conn = self.bare().await;
        let done = sqlx::raw_sql(text).execute(&mut conn).await.map(|d| d.rows_affected());
        conn.close().await.unwrap();
        done
    }

    /// Counts with SQL on a bare connection.
    pub async fn count(&self, text: &'static str) -> i64 {
        use sqlx::Connection;
        let mut conn = self.bare().await;
        let n = sqlx::query_scalar(text).fetch_one(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        n
    }
}

/// Fails the statement of that name, each time, until it is taken back.
#[derive(Clone, Default)]
pub struct Breaker(Arc<Mutex<Option<&'static str>>>);

impl Breaker {
    pub fn set(&self, statement: Option<&'static str>) {
        *self.0.lock().unwrap() = statement;
    }

    pub fn options(&self) -> Options {
        let at = self.0.clone();
        let fault: Fault = Arc::new(move |name| match *at.lock().unwrap() {
            Some(statement) if statement == name => Err(format!("broken at {name}")),
            _ => Ok(()),
        });
        Options { fault: Some(fault), ..Options::default() }
    }
}

pub fn key(text: &str) -> IdemKey {
    IdemKey::new(text).unwrap()
}

pub fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

pub fn genesis() -> Head {
    Head { seq: 0, hash: orrery_ledger::genesis(), at: Timestamp::default() }
}

pub fn price(cents: i64) -> NewSnapshot {
    NewSnapshot {
        source: "simulated".into(),
        btc_usd_cents: cents,
        buy_mult_e4: 910_000,
        sell_mult_e4: 880_000,
        buy_rate: cents * 91,
        sell_rate: cents * 88,
        observed_at: at(10),
        received_at: at(11),
    }
}

/// Money for a user, under a key.
#[derive(Clone, Debug)]
pub struct Deposit {
    pub user: i64,
    pub amount: i64,
    pub key: IdemKey,
}

pub fn deposit(user: i64, amount: i64, text: &str) -> Deposit {
    Deposit { user, amount, key: key(text) }
}

impl Deposit {
    pub fn actor(&self) -> Actor {
        Actor::User(UserId(self.user))
    }

    pub fn account(&self) -> Account {
        Account::user(UserId(self.user), Asset::INR, Bucket::Available)
    }
}

pub fn needs(deposits: &[Deposit]) -> Needs {
    let mut needs = Needs::default();
    for d in deposits {
        needs.accounts.extend([d.account(), Account::world(Asset::INR)]);
        needs.keys.insert((d.actor(), d.key.clone()));
    }
    needs
}

fn hash(prev: [u8; 32], seq: i64) -> [u8; 32] {
    let mut digest = sha2::Sha256::new();
    digest.update(prev);
    digest.update(seq.to_le_bytes());
    digest.finalize().into()
}

/// Posts each deposit whose key is new; the answers say which were.
pub fn post(deposits: Vec<Deposit>) -> Decider {
    Box::new(move |view| decide(view, deposits))
}

pub fn decide(view: View, deposits: Vec<Deposit>) -> Decision {
    let View { head, mut balances, mut recorded, .. } = view;
    let (mut last, mut touched) = (head, BTreeMap::new());
    let mut batch = Batch::on(head);
    let mut answers = Vec::new();
    for d in deposits {
        let id = (d.actor(), d.key.clone());
        if let Some(r) = recorded.get(&id) {
            answers.push(Answer::Replay(r.outcome.clone()));
            continue;
        }
        let mut change = |account: Account, by: i64| {
            let balance = balances.entry(account.clone()).or_insert(0);
            *balance += by;
            touched.insert(account, *balance);
            *balance
        };
        let (from, to) = (Account::world(Asset::INR), d.account());
        let leg = Leg {
            from_after: change(from.clone(), -d.amount),
            to_after: change(to.clone(), d.amount),
            from,
            to,
            amount: d.amount,
        };
        let entry = Entry {
            seq: last.seq + 1,
            kind: Kind::Deposit,
            actor: id.0,
            key: id.1.clone(),
            snapshot: None,
            size: None,
            refs: None,
            terms: None,
            at: at(last.seq + 1),
            prev: last.hash,
            hash: hash(last.hash, last.seq + 1),
            legs: vec![leg],
        };
        last = Head { seq: entry.seq, hash: entry.hash, at: entry.at };
        let sheet = Sheet { available_inr: entry.legs[0].to_after, ..Sheet::default() };
        let outcome = Outcome::Posted(Receipt {
            seq: entry.seq,
            kind: entry.kind,
            user: Some(UserId(d.user)),
            inr: d.amount,
            btc: 0,
            rate: 0,
            at: entry.at,
            sheet,
        });
        let remembered = Recorded { fingerprint: [7; 32], outcome: outcome.clone() };
        recorded.insert(id.clone(), remembered.clone());
        batch.idem.push(IdemRow { actor: id.0, key: id.1, recorded: remembered });
        batch.entries.push(entry);
        answers.push(Answer::New(outcome));
    }
    batch.balances = touched;
    Decision { batch, answers }
}

pub async fn commit(store: &Sqlite, deposits: &[Deposit]) -> Result<Vec<Answer>, StoreError> {
    store.commit(&needs(deposits), post(deposits.to_vec())).await
}

/// Keeps what an audit streams.
#[derive(Default)]
pub struct Heard {
    pub entries: Vec<Posted>,
    pub balances: Vec<(Account, i64)>,
    pub recorded: Vec<IdemRow>,
    pub corrupt: Vec<String>,
}

impl AuditSink for Heard {
    fn order(&mut self, _: Order) {}
    fn hold(&mut self, _: Hold) {}
    fn loan(&mut self, _: Loan) {}

    fn entry(&mut self, posted: Posted) {
        assert!(self.balances.is_empty() && self.recorded.is_empty(), "entries come first");
        self.entries.push(posted);
    }
    fn balance(&mut self, account: Account, balance: i64) {
        assert!(self.recorded.is_empty(), "balances come second");
        self.balances.push((account, balance));
    }
    fn recorded(&mut self, row: IdemRow) {
        self.recorded.push(row);
    }
    fn corrupt(&mut self, what: &str) {
        self.corrupt.push(what.to_owned());
    }
}

pub async fn audit(store: &Sqlite) -> Heard {
    let mut heard = Heard::default();
    LedgerStore::audit(store, &mut heard).await.unwrap();
    heard
}
