//! Ports of the generic stores.

mod cache;
mod lease;

pub use cache::{Cache, CacheKey};
pub use lease::{Lease, LeaseStore};
