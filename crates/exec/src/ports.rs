//! The ports: who runs commands, who opens terminals.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use orrery_kernel::UserId;

use crate::{Captured, Command, CommandError, Layers, Limits, Size};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// The code as shells say it: 128 and the signal's number for a signal.
    pub const fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its process ended.
    Exited(Exit),
    /// It was ended for its time was up, with everything that it started.
    TimedOut,
}

/// A run that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How.
    pub ending: Ending,
    /// What it wrote.
    pub stdout: Captured,
    /// What it wrote to standard error.
    pub stderr: Captured,
    /// From its start to its end.
    pub took: Duration,
}

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Is told what a run writes, while it writes. Must not wait.
pub trait Heard: Send + Sync {
    /// A piece of output, of no particular length.
    fn heard(&self, stream: Stream, bytes: &[u8]);
}

/// Why something is not run. Messages name no path of the host.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The command is none.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The program is not there, or may not be executed.
    #[error("{0}")]
    NotStarted(String),
    /// A layer is missing that configuration requires.
    #[error("the sandbox is not complete: {0}")]
    Sandbox(String),
    /// The process that makes runs is gone; runs in flight end with it. It is started again.
    #[error("the process that runs commands ended; try again")]
    RunnerGone,
    /// It cannot be run now.
    #[error("commands cannot be run now: {0}")]
    Unavailable(String),
}

/// Runs commands to their end.
///
/// Contract: output beyond `limits.output` is read and dropped, so that nobody waits for a reader. When the time is
/// up, or when the future is dropped, everything that the run started ends, whatever session or group it moved to:
/// first asked (TERM), after a grace of two seconds killed. What the run left behind when it ended by itself is killed
/// at once. Runs don't see each other's output.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Runs a command to its end.
    async fn run(&self, command: Command, limits: Limits, heard: Option<Arc<dyn Heard>>) -> Result<Finished, RunError>;

    /// What holds runs in.
    async fn layers(&self) -> Layers;
}

/// How a terminal treats what is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtyMode {
    /// As a person has it: what is typed is shown, lines end with CR LF.
    Screen,
    /// As a program has it: no echo, lines end with LF.
    Quiet,
}

/// What the foreground of a terminal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreground {
    /// It waits for input.
    Reads,
    /// It does something else.
    Busy,
    /// The machine does not tell.
    Unknown,
}

/// Opens terminals.
#[async_trait]
pub trait Terminals: Send + Sync {
    /// Runs a command in a terminal of its own. Its [`Command::input`] is not used.
    async fn open(
        &self,
        command: Command,
        limits: Limits,
        size: Size,
        mode: TtyMode,
    ) -> Result<Arc<dyn TerminalHandle>, RunError>;
}

/// An open terminal. Dropping the last handle ends everything in it.
#[async_trait]
pub trait TerminalHandle: Send + Sync {
    /// The next output; `None` at its end. One reader at a time.
    async fn read(&self) -> Option<Bytes>;

    /// Types `bytes`; waits while the program does not read.
    ///
    /// # Errors
    /// [`RunError::NotStarted`] when the program has ended.
    async fn write(&self, bytes: &[u8]) -> Result<(), RunError>;

    /// Tells the program its new size.
    fn resize(&self, size: Size);

    /// What the foreground does.
    fn foreground(&self) -> Foreground;

    /// How the command ended; waits for it.
    async fn ended(&self) -> Result<Exit, RunError>;

    /// Ends everything in it, as a run whose time is up.
    async fn terminate(&self);
}

/// Where runs work: a directory for each user.
#[async_trait]
pub trait Workspaces: Send + Sync {
    /// The user's directory, absolute, made when it is not there; nobody else's runs may read it.
    ///
    /// # Errors
    /// [`RunError::Unavailable`].
    async fn workspace(&self, user: UserId) -> Result<PathBuf, RunError>;

    /// Drops the user's directory with everything in it, whatever programs made of it; that there is none is fine.
    ///
    /// # Errors
    /// [`RunError::Unavailable`], also while something goes on writing in it.
    async fn remove(&self, user: UserId) -> Result<(), RunError>;

    /// Those who have a directory, in no order.
    ///
    /// # Errors
    /// [`RunError::Unavailable`].
    async fn owners(&self) -> Result<Vec<UserId>, RunError>;
}
