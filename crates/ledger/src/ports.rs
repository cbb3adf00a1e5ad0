//! What the ledger asks of a store.
//!
//! The whole decision travels at once: a store reads what [`Needs`] names, calls the decider once
//! inside its own transaction, writes the [`Batch`] and commits. No trait hands out a transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use orrery_kernel::{SnapshotId, StoreError, Timestamp, UserId};

use crate::{Account, Actor, Answer, Entry, Head, IdemKey, Outcome, Owner, Seq, Sheet};

/// What a batch of commands must see to be decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Balances.
    pub accounts: BTreeSet<Account>,
    /// Remembered outcomes.
    pub keys: BTreeSet<(Actor, IdemKey)>,
    /// Stored prices.
    pub snapshots: BTreeSet<SnapshotId>,
    /// Entries to be reversed, each with the balances of all accounts its legs touch and all
    /// accounts of the users among them.
    pub entries: BTreeSet<Seq>,
}

/// What is remembered under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// SHA-256 over the operation.
    pub fingerprint: [u8; 32],
    /// Its outcome.
    pub outcome: Outcome,
}

/// An entry as read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The entry.
    pub entry: Entry,
    /// The entry that undid it, if any.
    pub reversed_by: Option<Seq>,
    /// The price it names, if any.
    pub snapshot: Option<Snapshot>,
}

/// The state that a decision may look at: exactly what [`Needs`] named. Absent balances are 0.
#[derive(Clone, Debug)]
pub struct View {
    /// End of the journal.
    pub head: Head,
    /// Balances.
    pub balances: HashMap<Account, i64>,
    /// Remembered outcomes.
    pub recorded: HashMap<(Actor, IdemKey), Recorded>,
    /// Stored prices.
    pub snapshots: HashMap<SnapshotId, Snapshot>,
    /// Entries to be reversed.
    pub entries: HashMap<Seq, Posted>,
}

/// An outcome to remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdemRow {
    /// Whose.
    pub actor: Actor,
    /// Key.
    pub key: IdemKey,
    /// Fingerprint and outcome.
    pub recorded: Recorded,
}

/// What a store writes, all or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The head it was decided on; a store whose head differs writes nothing.
    pub expected: Head,
    /// New entries in order; may be empty.
    pub entries: Vec<Entry>,
    /// New outcomes; none of these keys exists yet.
    pub idem: Vec<IdemRow>,
    /// Final balance of every account that an entry touches.
    pub balances: BTreeMap<Account, i64>,
}

/// A batch and the answers to give once it is committed, one for each command in order.
#[derive(Clone, Debug)]
pub struct Decision {
    /// To write.
    pub batch: Batch,
    /// To answer.
    pub answers: Vec<Answer>,
}

/// A decision waiting for its view.
pub type Decider = Box<dyn FnOnce(View) -> Decision + Send>;

/// A price that trades may name. Immutable once stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// Content.
    pub price: NewSnapshot,
}

/// The content of a stored price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSnapshot {
    /// Where it comes from: `coingecko`, `simulated`.
    pub source: String,
    /// US cents per bitcoin.
    pub btc_usd_cents: i64,
    /// Rupees a dollar when users buy, × 10⁴.
    pub buy_mult_e4: i64,
    /// Rupees a dollar when users sell, × 10⁴.
    pub sell_mult_e4: i64,
    /// Paise per bitcoin when users buy; ≥ `sell_rate`.
    pub buy_rate: i64,
    /// Paise per bitcoin when users sell; > 0.
    pub sell_rate: i64,
    /// When the price was seen at its source.
    pub observed_at: Timestamp,
    /// When it was stored.
    pub received_at: Timestamp,
}

/// Takes what [`LedgerStore::audit`] streams.
pub trait AuditSink: Send {
    /// The next entry, in order from the first.
    fn entry(&mut self, posted: Posted);
    /// A stored balance row, after all entries.
    fn balance(&mut self, account: Account, balance: i64);
    /// A remembered outcome, after all balances.
    fn recorded(&mut self, row: IdemRow);
    /// A stored row that is not what this program writes; the stream goes on.
    fn corrupt(&mut self, what: &str);
}

/// A durable journal with materialised balances.
///
/// Every implementation passes the contract suite in `orrery-testkit`.
#[async_trait]
pub trait LedgerStore: Send + Sync {
    /// Reads what `needs` names, calls `decide` exactly once with it, writes its batch and commits,
    /// in one serialised, durable transaction; only then returns the answers. On an error nothing
    /// was answered; [`StoreError::Unknown`] says that the commit may have happened, and the caller
    /// resolves it with [`LedgerStore::recorded`].
    async fn commit(&self, needs: &Needs, decide: Decider) -> Result<Vec<Answer>, StoreError>;

    /// What is remembered under the keys; absent keys are left out.
    async fn recorded(&self, keys: &[(Actor, IdemKey)]) -> Result<HashMap<(Actor, IdemKey), Recorded>, StoreError>;

    /// Stores a price and gives its id; ids rise.
    async fn put_snapshot(&self, price: &NewSnapshot) -> Result<SnapshotId, StoreError>;

    /// The last stored price.
    async fn latest_snapshot(&self) -> Result<Option<Snapshot>, StoreError>;

    /// The end of the journal.
    async fn head(&self) -> Result<Head, StoreError>;

    /// A user's balances and the journal position they are exact at (one consistent read).
    async fn sheet(&self, user: UserId) -> Result<(Sheet, Seq), StoreError>;

    /// All balances of an owner and the position they are exact at.
    async fn balances(&self, owner: &Owner) -> Result<(Vec<(Account, i64)>, Seq), StoreError>;

    /// Sum of the balances of all users per `(asset, bucket)`, for exposure reports.
    async fn user_totals(&self) -> Result<Vec<(orrery_kernel::Asset, crate::Bucket, i64)>, StoreError>;

    /// A user's entries, newest first, `offset` skipped, at most `limit`.
    async fn statement(&self, user: UserId, offset: u64, limit: u32) -> Result<Vec<Posted>, StoreError>;

    /// Entries after `after` in order, at most `limit`.
    async fn entries(&self, after: Seq, limit: u32) -> Result<Vec<Entry>, StoreError>;

    /// Streams the whole ledger into `sink` as of one moment: entries, then balances, then
    /// remembered outcomes.
    async fn audit(&self, sink: &mut dyn AuditSink) -> Result<(), StoreError>;
}
