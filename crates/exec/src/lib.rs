//! What is run on the host: commands, programs, terminals, and within which limits. Who runs it is a port
//! ([`Runner`], [`Terminals`]).
//!
//! Invariants: no I/O, no clock. The [`guard`] answers slips; the boundary is the sandbox behind the ports.

pub mod ansi;
mod command;
pub mod guard;
mod layers;
mod output;
mod ports;
pub mod program;
mod prompt;
mod screen;
mod session;

pub use command::{
    Bound, Bounds, COMMAND_BYTES_MAX, Command, CommandError, Input, Limits, NetPolicy, Profile, Size, Wanted, What,
};
pub use layers::{Layer, Layers};
pub use output::{Captured, Output};
pub use ports::{
    Ending, Exit, Finished, Foreground, Heard, RunError, Runner, Stream, TerminalHandle, Terminals, TtyMode, Workspaces,
};
pub use prompt::{Answered, Prompt};
pub use screen::{RING_BYTES, Screen};
pub use session::{Session, Settled, Taken, Timing};
