//! The server's outer parts over real sockets: bounds, hosts, panics, upgrades, TLS, drain, health.

mod drain;
mod edge;
mod health;
mod support;
mod tls;
