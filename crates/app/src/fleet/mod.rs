//! Workers on a node: the driver of what `orrery_workers::fleet` decides, and what running scripts reach.

pub mod host;
mod running;

pub use running::{Hosts, LogSink, Right, Running};
