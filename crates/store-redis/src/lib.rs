//! Cache, rate windows, bus and broker on Redis.
//!
//! Redis is never a source of truth: with it gone, reading goes to the database, rate windows are kept
//! by each process for itself ([`RedisRates`] falls back), and what the bus would have told is found by
//! looking. A server that does not answer is left alone for half a second, so that no request waits for
//! it twice.

mod broker;
mod bus;
mod cache;
mod client;
mod rates;

pub use broker::RedisBroker;
pub use bus::RedisBus;
pub use cache::RedisCache;
pub use client::{OpenError, Options, Redis};
pub use rates::RedisRates;
