//! Workers: specification, validation, the port that keeps them with their history, those that run them, and where
//! scripts may go.
//!
//! Invariants: no I/O, no clock; a worker changes only under the version that its changer has seen.

pub mod egress;
pub mod fleet;
pub mod ingress;
pub mod kv;
pub mod logs;
pub mod script;

mod diff;
mod portable;
mod ports;
mod spec;
mod stop;

pub use diff::{Diff, FieldChange};
pub use portable::without_secrets;
pub use ports::{Changed, Version, Worker, WorkerStore};
pub use spec::{Draft, ExecutionMode, Mode, Priority, SCRIPT_BYTES_MAX, Scope, Spec, SpecError, VERSIONS};
pub use stop::{Stop, Urgency};
