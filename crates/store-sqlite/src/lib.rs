//! Ports on SQLite
