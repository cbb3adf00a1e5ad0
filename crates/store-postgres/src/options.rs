//! How a database is opened.

use std::sync::Arc;
use std::time::Duration;

/// A hook that tests set: called with each statement's name before it runs; an error stands for the
/// statement's failure. `commit` comes after the commit was sent and stands for a lost answer.
pub type Fault = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Bounds and waits.
#[derive(Clone)]
pub struct Options {
    /// Connections for everything but the ledger's commits, at most.
    pub connections: u32,
    /// How long to wait for a connection, and for one to be made.
    pub wait: Duration,
    /// A statement that takes longer is cancelled by the server.
    pub statement_timeout: Duration,
    /// A transaction whose client says nothing for this long is ended by the server, so that a process
    /// that was cut off cannot hold the ledger's lock.
    pub idle_timeout: Duration,
    /// Refuse a server that does not keep what it commits.
    pub require_durable: bool,
    /// For tests.
    pub fault: Option<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 16,
            wait: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(5),
            require_durable: true,
            fault: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("connections", &self.connections).finish_non_exhaustive()
    }
}
