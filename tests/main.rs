//! End-to-end tests with the real server, and the tidy tests of the repository itself.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by its panic")]

mod flows;
mod tidy;
