//! Runs commands and terminals on Linux.
//!
//! The server never forks: the time that takes grows with its memory. A small process, the *runner* (the same program,
//! started again with a hidden argument), makes each run. A run begins with its *keeper*, a copy of the runner which
//! sees to it that everything of the run ends with it: as the first process of a namespace of its own, or, where there
//! are none, by going through its descendants. The server holds the other end of the keeper's socket; if either side
//! goes, so does the run.
//!
//! Invariants: what is not `fork` is safe code; nothing of the server's but the listed variables reaches a run.

#[cfg(not(target_os = "linux"))]
compile_error!("commands are run on Linux only");

mod confine;
mod filter;
mod foreground;
mod fork;
mod host;
mod keeper;
mod link;
mod mounts;
mod probe;
mod run;
mod runner;
mod terminal;
mod wire;

pub use host::{Setup, Unix};
pub use runner::child;

/// The argument that makes the program a runner. Whoever assembles a program that runs commands looks for it before
/// anything else, and calls [`child`].
pub const RUNNER: &str = "__runner";
