//! The ports on PostgreSQL: any number of processes share one database.
//!
//! A commit of the ledger is one transaction: it takes one transaction-scoped advisory lock, sees what
//! its commands need in one statement, decides, writes in one statement of bulk inserts and commits. The
//! lock orders the batches of all processes, so that READ COMMITTED is enough. A migration is an
//! operator's act (`migrate`); opening an unmigrated database is an error.

mod both;
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

// these are the same on both databases
#[path = "../../store-rows/ports/data.rs"]
mod data;
#[path = "../../store-rows/ports/files.rs"]
mod files;
#[path = "../../store-rows/ports/fleet.rs"]
mod fleet;
#[path = "../../store-rows/ports/kv.rs"]
mod kv;
#[path = "../../store-rows/ports/logs.rs"]
mod logs;
#[path = "../../store-rows/ports/programs.rs"]
mod programs;

pub use db::{Fence, Postgres};
pub use error::OpenError;
pub use migrate::{MigrateError, MigrationState, SCHEMA_VERSION};
pub use options::{Fault, Options};
