//! For tests only: one contract suite per port, which every adapter passes; the ledger's reference
//! model; a clock and an entropy source that tests control.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "for tests only, where a panic is a failed test and tasks end with the runtime"
)]

pub mod assembled;
pub mod blobs;
pub mod broker;
pub mod bus;
pub mod cache;
pub mod channels;
pub mod exec;
pub mod fakes;
pub mod fleet;
pub mod fuzz;
pub mod identity;
pub mod kept;
pub mod kv;
pub mod leases;
pub mod ledger;
mod machine;
pub mod market;
pub mod model;
pub mod paper;
pub mod plans;
pub mod rate;
pub mod servers;
pub mod stub_venue;
pub mod tunnels;
pub mod wallets;
pub mod worker_logs;
pub mod workers;
