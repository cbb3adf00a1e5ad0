//! How a database is opened, and what is asked of it.

use std::sync::Arc;
use std::time::Duration;

/// Called with the name of each statement before it runs on the writing connection, also with
/// `commit` before and `committed` after a commit; an error stands for the statement's own. For tests
/// of recovery.
pub type Fault = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// How a database is opened.
#[derive(Clone)]
pub struct Options {
    /// Connections that read, at least 1.
    pub readers: u32,
    /// How long to wait for another process's lock.
    pub busy_timeout: Duration,
    /// How long to wait for this process's writing connection, or for a reading one.
    pub wait: Duration,
    /// Make the file (mode 0600) when there is none.
    pub create: bool,
    /// Further settings of each connection, name and value. Those that durability needs are set after
    /// them.
    pub pragmas: Vec<(String, String)>,
    #[doc(hidden)]
    pub fault: Option<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        let pragmas = [("cache_size", "-32768"), ("wal_autocheckpoint", "32000"), ("journal_size_limit", "67108864")];
        Self {
            readers: 4,
            busy_timeout: Duration::from_secs(5),
            wait: Duration::from_secs(10),
            create: true,
            pragmas: pragmas.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            fault: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("readers", &self.readers)
            .field("busy_timeout", &self.busy_timeout)
            .field("wait", &self.wait)
            .field("create", &self.create)
            .field("pragmas", &self.pragmas)
            .finish_non_exhaustive()
    }
}

/// Settings that decide whether a commit survives, as read back from the writing connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durability {
    /// `wal` for files, `memory` for databases in memory.
    pub journal_mode: String,
    /// [`Durability::FULL`] for files.
    pub synchronous: i64,
    /// References are checked.
    pub foreign_keys: bool,
}

impl Durability {
    /// Each commit waits for the disk.
    pub const FULL: i64 = 2;
}
