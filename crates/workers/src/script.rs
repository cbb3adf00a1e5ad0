//! The ports of scripts: what runs one ([`ScriptRuntime`]) and what one may reach ([`Host`]).
//!
//! # Host calls
//!
//! A script's effects are calls by name; arguments and answers are JSON texts. A host answers these:
//!
//! - `net.get [key]`: `{key, value, versionstamp}`, the last two null when there is none. All of `net` is there as
//!   `local` too.
//! - `net.set [key, value, {expireIn?}]`: `{ok: true, versionstamp}`; `net.delete [key]`: null.
//! - `net.list [{prefix, start?, end?, reverse?, limit, cursor?}]`: `{entries: [{key, value, versionstamp}], cursor}`;
//!   no cursor at the end.
//! - `net.commit [{checks: [{key, versionstamp}], mutations: [{type, key, value?, expireIn?}]}]`, a type being `set`
//!   or `delete`: `{ok, versionstamp?}`; `ok: false` changed nothing.
//! - `net.watch [keys, seen]`, the versionstamps seen so far or null each: `[{key, value, versionstamp}]` of all keys,
//!   once one differs from what was seen.
//! - `webfix [{brain, method, channel, module, raw, timestamp, expireIn?}]`, `brain` being `net` or `local`: `{value}`
//!   for the method `get`, else null.
//! - `cex.VENUE.METHOD {config, arguments}`, with what the script gave its constructor or null, and CCXT's positional
//!   arguments as the script gave them: CCXT's structure.
//! - `fetch [{url, method, headers: [[name, value]], body?, redirect}]`: `{url, status, statusText, headers,
//!   redirected, body}`, bodies in base64.
//! - `socket.open [{url, protocols}]`: `{id, protocol}`; `socket.next [id]`: `{type: "message", text}`,
//!   `{type: "message", bytes}` in base64, or `{type: "close", code, reason}`; `socket.send [id, {text}]` or
//!   `[id, {bytes}]` and `socket.close [id, code, reason]`: null.
//!
//! Parts of keys are texts, numbers, booleans or `{bytes: "base64"}`. Errors have CCXT's classes where an exchange
//! failed, and any other name (`TypeError`, `QuotaExceeded`) elsewhere; the script sees it as the error's `name`.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::Stop;

/// Most bytes that the message of an error keeps.
const MESSAGE_BYTES_MAX: usize = 2_048;
/// Largest memory limit of a script.
pub const MEMORY_MAX: usize = 256 * 1_024 * 1_024;

/// Checks scripts and runs them.
#[async_trait]
pub trait ScriptRuntime: Send + Sync {
    /// Checks a script and makes of it what can be run, any number of times. Takes milliseconds of computing.
    ///
    /// Errors: what does not parse, an import or a dependency that the node does not have, a version it does not
    /// know; with the place in the source as it was given.
    fn prepare(&self, source: &Source<'_>) -> Result<Program, ScriptFault>;

    /// Is there a module of that name that scripts may import? One that cannot say leaves it to [`Self::prepare`].
    fn provides(&self, _module: &str) -> bool {
        true
    }

    /// Runs a script to its end, whatever that is. Dropping the future ends the run at once, without a word to
    /// the script.
    async fn run(&self, run: Run) -> Outcome;
}

/// Modules that scripts may import beside the built-in one: bundles that the operator put there.
pub trait Modules: Send + Sync {
    /// The bundle of that name.
    fn find(&self, name: &str) -> Option<Bundle>;
}

/// A module in one text, which imports nothing but modules of the same store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// An ES module.
    pub text: Arc<str>,
    /// What the SHA-256 of the text has to be, in hex; a bundle that changed is not run.
    pub sha256: String,
}

/// What a script may reach. Everything it does outside of itself passes here.
#[async_trait]
pub trait Host: Send + Sync {
    /// Answers a call; the [module's documentation](self) lists them.
    ///
    /// The future is dropped when the run ends or the script gives the call up: an effect that has to end once it
    /// has begun, an order above all, belongs in a task of the host's own.
    ///
    /// Errors: what the script sees; [`HostError::class`] becomes the error's `name`. A host that found the run's
    /// right gone calls [`Stop::now`] before it answers, so that the script learns nothing.
    async fn call(&self, method: &str, arguments: &str) -> Result<String, HostError>;

    /// Takes a line of the script's log, without a line break at its end. Must return at once.
    fn log(&self, level: Level, text: &str);
}

/// How much a line of a log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For who wrote the script.
    Debug,
    /// What happens.
    Info,
    /// What may go wrong.
    Warn,
    /// What went wrong.
    Error,
}

impl Level {
    /// Every level, the least first.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// In lower case, as the logger's methods are named.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The level of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// A call that a host refused or that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{class}: {message}")]
pub struct HostError {
    /// The error's name in the script.
    pub class: String,
    /// What happened; no secret.
    pub message: String,
}

impl HostError {
    /// An error of that class; what is longer than 2 kB is cut.
    pub fn new(class: impl Into<String>, message: impl Into<String>) -> Self {
        Self { class: class.into(), message: cut(message.into()) }
    }
}

fn cut(mut text: String) -> String {
    let mut end = text.len().min(MESSAGE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// A script as it was saved.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// JavaScript or TypeScript: the body of an async function.
    pub text: &'a str,
    /// Modules that it may import.
    pub dependencies: &'a [String],
    /// Version of the scripts' API.
    pub version: &'a str,
}

/// Why a script cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptFault {
    /// What is wrong, for who wrote it.
    pub message: String,
    /// Where: line and column, both from 1, the column in UTF-16 units; none where it is about no place.
    pub place: Option<(u32, u32)>,
}

impl fmt::Display for ScriptFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "{} (line {line}, column {column})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for ScriptFault {}

/// A script that was checked. Only the runtime that made it can run it.
#[derive(Clone)]
pub struct Program(Arc<dyn Any + Send + Sync>);

impl Program {
    /// Of what a runtime keeps of it.
    pub fn new(kept: impl Any + Send + Sync) -> Self {
        Self(Arc::new(kept))
    }

    /// What its runtime kept; none for the program of another runtime.
    pub fn kept<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.0.clone().downcast().ok()
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Program")
    }
}

/// How often a node tells of itself (`Stels.config.tick`).
pub const TICK: Duration = Duration::from_secs(5);

/// Everything that one run needs.
#[derive(Clone)]
pub struct Run {
    /// The script.
    pub program: Program,
    /// What it may reach.
    pub host: Arc<dyn Host>,
    /// What it knows of itself.
    pub setting: Setting,
    /// What it may use up.
    pub limits: Limits,
    /// Ends it from outside.
    pub stop: Stop,
    /// Where it runs.
    pub isolation: Isolation,
}

/// What a script knows of itself and its node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// The worker.
    pub sid: String,
    /// The node (`Stels.config.nid`).
    pub nid: String,
    /// The network (`Stels.config.network`).
    pub network: String,
    /// The worker's exchange account.
    pub account: Option<String>,
    /// What the account's owner wrote down as its strategy, JSON (`Stels.config.protocol`).
    pub protocol: Option<String>,
    /// The address of the wallet whose the worker is.
    pub owner: Option<String>,
    /// When the worker was started, in milliseconds (`Stels.startTime`).
    pub start_time: i64,
    /// The lease's epoch; 0 for workers without one.
    pub epoch: i64,
}

/// Where a script runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// In an engine of its own within the node's process.
    #[default]
    Shared,
    /// In a process of its own: for scripts that nobody vouches for.
    Process,
}

impl Isolation {
    /// As in a worker's specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Process => "process",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Shared, Self::Process].into_iter().find(|isolation| isolation.name() == name)
    }
}

/// What a script may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory, at most [`MEMORY_MAX`]. Beyond it the script gets an error that it may catch.
    pub memory: usize,
    /// Bytes of stack. Beyond it the script gets an error that it may catch.
    pub stack: usize,
    /// Computing time from one wait to the next. Beyond it the run ends.
    pub slice: Duration,
    /// Computing time within a minute. Beyond it the run ends.
    pub per_minute: Duration,
    /// How long the run may last in all. Beyond it the run ends.
    pub wall: Option<Duration>,
    /// How long the script may go on after it was asked to stop.
    pub grace: Duration,
    /// Calls that wait for the host at once; more wait for their turn.
    pub calls: usize,
    /// Calls that wait for their turn; more are refused.
    pub calls_queued: usize,
    /// Bytes of one answer of the host and of all arguments that wait. Beyond it the call fails.
    pub call_bytes: usize,
    /// Timers at once; more are refused.
    pub timers: usize,
    /// Lines of log a second; what is more is counted and told in one line.
    pub log_lines: u32,
    /// Bytes of one line; what is more is cut.
    pub log_line_bytes: usize,
    /// Bytes of the value that the script returns; a longer one is left out.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 32 * 1_024 * 1_024,
            stack: 256 * 1_024,
            slice: Duration::from_millis(500),
            per_minute: Duration::from_secs(10),
            wall: None,
            grace: Duration::from_millis(250),
            calls: 256,
            calls_queued: 4_096,
            call_bytes: 8 * 1_024 * 1_024,
            timers: 10_000,
            log_lines: 100,
            log_line_bytes: 64 * 1_024,
            output_bytes: 64 * 1_024,
        }
    }
}

/// How a run went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// What it used up.
    pub usage: Usage,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The script came to its end, with this value as JSON if it returned one that has a JSON text.
    Returned(Option<String>),
    /// The script threw.
    Threw(Thrown),
    /// It was told to stop, and ended by itself or was ended.
    Stopped,
    /// It used up what it may; which limit, for its log.
    Exceeded(Exceeded),
    /// It does not react; the thread it holds was given up. It belongs in a process of its own.
    Wedged,
    /// The runtime failed, by no fault of the script.
    Failed(String),
}

/// What a script threw, as far as it is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thrown {
    /// The error's `name`: a class of CCXT's for what an exchange refused.
    pub class: String,
    /// Its message, cut at 2 kB.
    pub message: String,
    /// Where in the script: line and column from 1.
    pub place: Option<(u32, u32)>,
    /// Its stack as lines of `name (file:line:column)`, cut at 2 kB.
    pub stack: String,
}

impl Thrown {
    /// Its parts, cut to their bounds.
    pub fn new(class: &str, message: &str, place: Option<(u32, u32)>, stack: &str) -> Self {
        Self { class: cut(class.into()), message: cut(message.into()), place, stack: cut(stack.into()) }
    }
}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.message)?;
        match self.place {
            Some((line, column)) => write!(f, " (line {line}, column {column})"),
            None => Ok(()),
        }
    }
}

/// A limit that ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exceeded {
    /// [`Limits::slice`].
    Slice,
    /// [`Limits::per_minute`].
    Minute,
    /// [`Limits::wall`].
    Wall,
    /// [`Limits::memory`], where the engine itself could not go on.
    Memory,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slice => "computed too long without waiting for anything",
            Self::Minute => "computed more in a minute than it may",
            Self::Wall => "ran longer than it may",
            Self::Memory => "needs more memory than it may have",
        })
    }
}

/// What a run used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Computing time.
    pub cpu: Duration,
    /// Calls of the host.
    pub calls: u64,
    /// Calls that failed.
    pub calls_failed: u64,
    /// Lines of log that the host got.
    pub log_lines: u64,
    /// Lines of log beyond the rate, that it did not get.
    pub log_lines_suppressed: u64,
    /// Errors that nobody caught, in timers and in promises that nobody waited for; each is in the log.
    pub uncaught: u64,
    /// The most bytes of memory that were seen in use.
    pub memory: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_its_runtimes_own() {
        let program = Program::new(7_u32);
        assert_eq!(program.kept::<u32>().as_deref(), Some(&7));
        assert!(program.kept::<String>().is_none());
    }

    #[test]
    fn messages_are_cut_between_letters() {
        let error = HostError::new("X", "é".repeat(2_000));
        assert_eq!(error.message.chars().count(), 1_024);
        let fault = ScriptFault { message: "no".into(), place: Some((2, 3)) };
        assert_eq!(fault.to_string(), "no (line 2, column 3)");
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for level in Level::ALL {
            assert_eq!(Level::parse(level.name()), Some(level));
        }
        assert_eq!(Isolation::parse("process"), Some(Isolation::Process));
        assert_eq!(Isolation::parse("jail"), None);
    }
}
