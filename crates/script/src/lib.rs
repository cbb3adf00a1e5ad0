//! Runs scripts.
