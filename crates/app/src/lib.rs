//! Use cases over ports: each public method takes a [`Ctx`] first, authorises on its first line and
//! answers with [`orrery_kernel::Result`].
//!
//! Invariants: no SQL, no HTTP, no adapter, no wire types. Time comes from the [`Ports::clock`].

pub mod auth;
pub mod events;
pub mod ledger_writer;
pub mod market;
pub mod tasks;
pub mod trading;

mod ctx;

use std::sync::Arc;

pub use ctx::Ctx;
use orrery_identity::{IdentityStore, RateStore};
use orrery_kernel::{Clock, Entropy};
use orrery_ledger::LedgerStore;
use orrery_market::{MarketStore, PriceFeed, SentimentFeed};
use orrery_storage::Cache;

/// Everything outside that the use cases reach.
#[derive(Clone)]
pub struct Ports {
    /// Journal and balances.
    pub ledger: Arc<dyn LedgerStore>,
    /// Users, sessions, keys, audit.
    pub identity: Arc<dyn IdentityStore>,
    /// Prices, charts, sentiment.
    pub market: Arc<dyn MarketStore>,
    /// Cache.
    pub cache: Arc<dyn Cache>,
    /// Rate windows.
    pub rates: Arc<dyn RateStore>,
    /// Source of prices and charts.
    pub price_feed: Arc<dyn PriceFeed>,
    /// Source of sentiment.
    pub sentiment_feed: Arc<dyn SentimentFeed>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// What the use cases are configured with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Identity.
    pub auth: auth::AuthSettings,
    /// Market data.
    pub market: market::MarketSettings,
    /// Ledger.
    pub ledger: ledger_writer::LedgerSettings,
    /// Given to every new user on registration; `demo` sets it, `serve` does not.
    pub welcome: Option<trading::Welcome>,
}

/// The assembled use cases.
pub struct App {
    /// Users, sessions, API keys.
    pub auth: auth::Auth,
    /// Trades, balances, transactions, the operator's entries.
    pub trading: trading::Trading,
    /// Prices, charts, sentiment.
    pub market: market::Market,
    /// What happened, for sockets.
    pub events: events::Events,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}
