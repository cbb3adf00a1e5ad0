//! Ports of the generic stores, and the rules of what users keep: documents, files, programs.

mod bus;
mod cache;
pub mod data;
pub mod files;
mod lease;
pub mod names;
pub mod programs;
pub mod zip;

pub use bus::{Bus, Heard, Listening, MESSAGE_BYTES_MAX};
pub use cache::{Cache, CacheKey};
pub use lease::{LIVE_MAX, Lease, LeaseStore};
