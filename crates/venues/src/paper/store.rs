//! The port that keeps paper orders and trades.

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp};

use super::{PaperOrder, PaperTrade};

/// A market as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaperState {
    /// How many steps there were.
    pub version: i64,
    /// The step up to which the ledger has everything.
    pub settled: i64,
    /// Number of the last order.
    pub orders: i64,
    /// Number of the last trade.
    pub trades: i64,
    /// Orders that are pending or open, by number.
    pub live: Vec<PaperOrder>,
    /// Trades of later steps than `settled`, by number.
    pub due: Vec<PaperTrade>,
    /// Orders that became over in later steps than `settled`, by number.
    pub over: Vec<PaperOrder>,
}

/// A change of a market, all or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// The market.
    pub symbol: String,
    /// The version that it was decided on.
    pub seen: i64,
    /// The step up to which the ledger has everything by now.
    pub settled: i64,
    /// Orders that are new or changed, as they stand after it.
    pub orders: Vec<PaperOrder>,
    /// New trades.
    pub trades: Vec<PaperTrade>,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// The market is at the next version.
    Done,
    /// The market has another version by now; nothing changed.
    Outdated,
    /// The account has an order of that name already, here or in another market; nothing changed.
    NameTaken,
}

/// Which orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Which {
    /// In any state.
    All,
    /// Pending or open.
    Live,
    /// Filled.
    Closed,
    /// Taken back, or over since they do not stay.
    Canceled,
}

/// Orders of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderQuery {
    /// Whose.
    pub account: String,
    /// In one market, or in all.
    pub symbol: Option<String>,
    /// In which state.
    pub which: Which,
    /// Nothing before this time. With it the first are given, else the last.
    pub since: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
}

/// Trades of an account, or of everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradeQuery {
    /// Whose; none: everybody's.
    pub account: Option<String>,
    /// In one market, or in all.
    pub symbol: Option<String>,
    /// Of one order of the market.
    pub order: Option<i64>,
    /// Nothing before this time. With it the first are given, else the last.
    pub since: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
}

/// Keeps the markets' steps: what was decided, before the ledger has it. Everything is durable when it is answered, and
/// grows with the orders that were ever made. Passes the contract suite in `orrery-testkit`.
#[async_trait]
pub trait PaperStore: Send + Sync {
    /// How many steps a market had: whether what is known of it is what there is.
    async fn paper_version(&self, symbol: &str) -> Result<i64, StoreError>;
    /// The same of every market that had a step, by symbol; a thousand at most.
    async fn paper_versions(&self) -> Result<Vec<(String, i64)>, StoreError>;
    /// A market as of one moment; one that there was nothing of is empty.
    async fn paper_market(&self, symbol: &str) -> Result<PaperState, StoreError>;
    /// Writes a step, if the market is still at the version that it was decided on: of two decided on the same one, one
    /// is written. An account's names of orders are its own in all markets.
    async fn paper_step(&self, step: &Step) -> Result<Stepped, StoreError>;
    /// An order by its number.
    async fn paper_order(&self, symbol: &str, n: i64) -> Result<Option<PaperOrder>, StoreError>;
    /// An order by its account's name of it.
    async fn paper_order_named(&self, account: &str, client_id: &str) -> Result<Option<PaperOrder>, StoreError>;
    /// Orders, oldest first.
    async fn paper_orders(&self, query: &OrderQuery) -> Result<Vec<PaperOrder>, StoreError>;
    /// Trades, oldest first.
    async fn paper_trades(&self, query: &TradeQuery) -> Result<Vec<PaperTrade>, StoreError>;
}
