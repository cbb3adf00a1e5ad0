//! The words every Orrery crate shares: ids, money, time, errors, secrets.
//!
//! Invariants: no I/O, no clock, no randomness (both come in through [`Clock`] and [`Entropy`]),
//! no other workspace crate, no floating point.

mod error;
mod id;
mod money;
mod secret;
mod time;

pub use error::{Error, ErrorCode, Result, StoreError};
pub use id::{SnapshotId, UserId};
pub use money::{AMOUNT_MAX, Asset, DecimalError, ONE_BTC, format_minor, parse_minor};
pub use secret::Secret;
pub use time::{Clock, Entropy, Timestamp};
