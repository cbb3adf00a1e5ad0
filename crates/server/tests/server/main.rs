//! The server's outer parts over real sockets: bounds, hosts, panics, upgrades, TLS, drain, health.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod drain;
mod edge;
mod health;
mod support;
mod surfaces;
mod tls;
