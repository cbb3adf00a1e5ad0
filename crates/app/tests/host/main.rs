//! What scripts reach: calls as the runtime makes them, and whole scripts in the real runtime, against stores in
//! memory, a stand-in of an exchange, and play money.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod bench;
mod escape;
mod keys;
mod orders;
mod scripts;
mod serve;
