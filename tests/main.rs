//! End-to-end tests with the real server, and the tidy tests of the repository itself.

mod flows;
mod tidy;
