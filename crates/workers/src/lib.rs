//! Workers: specification, validation, and the port that keeps them with their history.
//!
//! Invariants: no I/O, no clock; a worker changes only under the version that its changer has seen.

mod ports;
mod spec;

pub use ports::{Changed, Version, Worker, WorkerStore};
pub use spec::{Draft, ExecutionMode, Mode, Priority, SCRIPT_BYTES_MAX, Scope, Spec, SpecError, VERSIONS};
