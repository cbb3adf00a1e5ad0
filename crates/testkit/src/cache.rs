//! The contract of the cache port.
