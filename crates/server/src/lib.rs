//! Composition: configuration, adapters, listeners, telemetry, lifecycle and the command line.
//!
//! Invariants: only `config` reads the environment, only `wire` chooses adapters, only `listen`
//! accepts, and nothing is opened before the configuration is checked whole.

mod alone;
pub mod backup;
pub mod cli;
pub mod config;
pub mod database;
mod exec;
pub mod fleet;
pub mod health;
pub mod indicators;
pub mod jobs;
pub mod lifecycle;
pub mod listen;
pub mod master_keys;
pub mod node;
pub mod poller;
pub mod router;
pub mod secret;
pub mod serve;
mod status;
pub mod streams;
pub mod system;
pub mod telemetry;
pub mod tls;
pub mod tunnels;
pub mod ui;
pub mod wire;
