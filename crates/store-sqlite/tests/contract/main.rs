//! What this store promises beyond and through its ports, on real files.

mod backup;
mod identity;
mod ledger;
mod market;
mod open;
mod ports;
mod processes;
mod recovery;
mod support;
mod tampering;
