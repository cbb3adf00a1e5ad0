//! Scripts run whole, against a host that a test controls.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod errors;
mod exchanges;
mod globals;
mod host;
mod limits;
mod modules;
mod patterns;
mod process;
mod stopping;
mod storage;
mod surface;
