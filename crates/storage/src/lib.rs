//! Ports of the generic stores.

mod bus;
mod cache;
mod lease;

pub use bus::{Bus, Heard, Listening, MESSAGE_BYTES_MAX};
pub use cache::{Cache, CacheKey};
pub use lease::{LIVE_MAX, Lease, LeaseStore};
