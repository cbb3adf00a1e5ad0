//! What this store promises beyond and through its ports, on real files.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test, in helpers too")]

mod backup;
mod checkpoint;
mod identity;
mod ledger;
mod market;
mod open;
mod ports;
mod processes;
mod recovery;
mod support;
mod tampering;
