//! The way to exchanges, beside stand-ins for them.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "for tests, where a panic is a failed test, tasks end with the runtime and time is the machine's"
)]

mod accounts;
mod followed;
mod requests;
mod streams;
mod support;
