//! Exchanges beyond the ten, through CCXT's own crates, as accounts behind the same port: [`Desk`].
//!
//! CCXT's engine works on values of its own with doubles in them, says what went wrong by panics, and answers one call
//! at a time. So each account has a task that owns its engine: calls queue up to it, what panics becomes an error, and
//! an engine that panicked for a reason of its own, or that does not answer, is made anew. Numbers of answers are as
//! exact as doubles are; those of orders go in as their digits.
//!
//! [`Desk`]: orrery_venues::Desk

mod desk;
mod engine;
mod failure;
mod order;
mod value;

pub use desk::CcxtDesk;
pub use engine::{Account, Engine, NoSuchExchange, Open, engines};
