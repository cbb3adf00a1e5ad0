//! The ports on PostgreSQL: any number of processes share one database.
//!
//! A commit of the ledger is one transaction: it takes one transaction-scoped advisory lock, sees what
//! its commands need in one statement, decides, writes in one statement of bulk inserts and commits. The
//! lock orders the batches of all processes, so that READ COMMITTED is enough. A migration is an
//! operator's act (`migrate`); opening an unmigrated database is an error.

mod call;
mod channels;
mod db;
mod error;
mod identity;
mod leases;
mod ledger;
mod market;
mod migrate;
mod options;
mod paper;
mod plans;
mod sql;
mod wallets;
mod workers;
mod write;

pub use db::{Fence, Postgres};
pub use error::OpenError;
pub use migrate::{MigrateError, MigrationState, SCHEMA_VERSION};
pub use options::{Fault, Options};
