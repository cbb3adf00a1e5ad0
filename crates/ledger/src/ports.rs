//! What the ledger asks of a store.
//!
//! The whole decision travels at once: a store reads what [`Needs`] names, calls the decider once
//! inside its own transaction, writes the [`Batch`] and commits. No trait hands out a transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use orrery_kernel::{Asset, SnapshotId, StoreError, Timestamp, UserId};

use crate::{
    Account, Actor, Answer, Bucket, Entry, Head, Hold, IdemKey, Kind, Loan, Order, Outcome, Owner, Seq, Sheet,
};

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
    /// Orders to be ended.
    pub orders: BTreeSet<Seq>,
    /// Holds to be ended.
    pub holds: BTreeSet<Seq>,
    /// Loans of these users.
    pub loans: BTreeSet<UserId>,
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
    /// The entry that undid it, or ended the order or hold it began.
    pub resolved_by: Option<Seq>,
    /// The price it names, if any.
    pub snapshot: Option<Snapshot>,
    /// The order it placed, as it stands.
    pub order: Option<Order>,
    /// The hold it made, as it stands.
    pub hold: Option<Hold>,
}

impl Posted {
    /// An entry that nothing is known of beside itself.
    pub fn new(entry: Entry) -> Self {
        Self { entry, resolved_by: None, snapshot: None, order: None, hold: None }
    }
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
    /// Orders by the entry that placed them.
    pub orders: HashMap<Seq, Order>,
    /// Holds by the entry that made them.
    pub holds: HashMap<Seq, Hold>,
    /// Loans that are not over.
    pub loans: HashMap<UserId, Loan>,
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
    /// Orders placed or ended, as they stand after the batch.
    pub orders: BTreeMap<Seq, Order>,
    /// Holds made or ended, as they stand after the batch.
    pub holds: BTreeMap<Seq, Hold>,
    /// Loans opened or changed, as they stand after the batch; `None`: over.
    pub loans: BTreeMap<UserId, Option<Loan>>,
}

impl Batch {
    /// Nothing yet, on that head.
    pub fn on(expected: Head) -> Self {
        Self {
            expected,
            entries: Vec::new(),
            idem: Vec::new(),
            balances: BTreeMap::new(),
            orders: BTreeMap::new(),
            holds: BTreeMap::new(),
            loans: BTreeMap::new(),
        }
    }
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

/// Which lines of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only entries before this one: a page that does not shift when entries are added.
    pub before: Option<Seq>,
    /// Lines skipped.
    pub offset: u64,
    /// Lines at most.
    pub limit: u32,
}

impl Page {
    /// The newest lines.
    pub const fn newest(limit: u32) -> Self {
        Self { before: None, offset: 0, limit }
    }

    /// The lines after the newest `offset`.
    pub const fn after(offset: u64, limit: u32) -> Self {
        Self { before: None, offset, limit }
    }
}

/// What the entries of a kind moved with one of their first two legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindTotal {
    /// Kind.
    pub kind: Kind,
    /// 0 or 1: the first leg or the second.
    pub leg: u8,
    /// Asset of that leg.
    pub asset: Asset,
    /// Entries.
    pub count: i64,
    /// Minor units, together.
    pub amount: i128,
}

/// Takes what [`LedgerStore::audit`] streams.
pub trait AuditSink: Send {
    /// The next entry, in order from the first.
    fn entry(&mut self, posted: Posted);
    /// A stored balance row, after all entries.
    fn balance(&mut self, account: Account, balance: i64);
    /// A stored order, after all entries.
    fn order(&mut self, order: Order);
    /// A stored hold, after all entries.
    fn hold(&mut self, hold: Hold);
    /// A stored loan, after all entries.
    fn loan(&mut self, loan: Loan);
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
    async fn user_totals(&self) -> Result<Vec<(Asset, Bucket, i64)>, StoreError>;

    /// Balances of several users in the order asked, as of one moment.
    async fn sheets(&self, users: &[UserId]) -> Result<Vec<Sheet>, StoreError>;

    /// Lines of a user's statement, newest first. A line is an entry that [`shown_to`](crate::shown_to)
    /// names the user for; orders cancelled or expired and holds called off are left out.
    async fn statement(&self, user: UserId, page: Page) -> Result<Vec<Posted>, StoreError>;

    /// Lines of all users' statements, newest first.
    async fn recent(&self, page: Page) -> Result<Vec<(UserId, Posted)>, StoreError>;

    /// An entry by its place.
    async fn posted(&self, seq: Seq) -> Result<Option<Posted>, StoreError>;

    /// What all entries of each kind moved.
    async fn totals(&self) -> Result<Vec<KindTotal>, StoreError>;

    /// Open orders after `after` that a price crosses, oldest first, at most `limit`.
    async fn crossed_orders(
        &self,
        buy_rate: i64,
        sell_rate: i64,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<Order>, StoreError>;

    /// Open orders whose time is over at `now`, oldest first, at most `limit`.
    async fn expired_orders(&self, now: Timestamp, limit: u32) -> Result<Vec<Order>, StoreError>;

    /// Pending holds after the entry `after`, oldest first, at most `limit`.
    async fn pending_holds(&self, after: Seq, limit: u32) -> Result<Vec<Hold>, StoreError>;

    /// Pending holds whose time is over at `now`, oldest first, at most `limit`.
    async fn expired_holds(&self, now: Timestamp, limit: u32) -> Result<Vec<Hold>, StoreError>;

    /// A user's loan, with their balances as of the same moment.
    async fn loan(&self, user: UserId) -> Result<Option<(Loan, Sheet)>, StoreError>;

    /// Loans by user after `after`, each with the user's balances, at most `limit`.
    async fn open_loans(&self, after: UserId, limit: u32) -> Result<Vec<(Loan, Sheet)>, StoreError>;

    /// Entries after `after` in order, at most `limit`.
    async fn entries(&self, after: Seq, limit: u32) -> Result<Vec<Entry>, StoreError>;

    /// Streams the whole ledger into `sink` as of one moment: entries, then balances, then
    /// remembered outcomes.
    async fn audit(&self, sink: &mut dyn AuditSink) -> Result<(), StoreError>;
}
