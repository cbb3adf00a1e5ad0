//! Ports of the generic stores.

mod cache;

pub use cache::{Cache, CacheKey};
