//! The ports of the core on SQLite: one file holds users, sessions, the ledger and market history.
//!
//! - One connection writes, `BEGIN IMMEDIATE` and `synchronous=FULL`, so a commit that was answered
//!   is on the disk; others only read. The settings are read back at every open.
//! - Other processes may write to the same file at the same time. Nothing is remembered between
//!   transactions, and a lock that is not had in time is [`StoreError::Unavailable`].
//! - A write, once begun, runs to its commit or rollback even when its caller has gone.
//!
//! [`StoreError::Unavailable`]: orrery_kernel::StoreError::Unavailable

mod backup;
mod both;
mod call;
mod channels;
mod checkpoint;
mod db;
mod error;
mod identity;
mod leases;
mod ledger;
mod location;
mod market;
mod migrate;
mod open;
mod options;
mod paper;
mod plans;
mod schema;
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

pub use backup::BackupError;
pub use db::Sqlite;
pub use error::OpenError;
pub use migrate::{MigrateError, MigrationState};
pub use options::{Durability, Fault, Options};
pub use schema::SCHEMA_VERSION;
