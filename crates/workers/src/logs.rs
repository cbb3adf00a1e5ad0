//! The port of the workers' logs.

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp};

use crate::script::Level;

/// A line that a script wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The worker.
    pub sid: String,
    /// When.
    pub at: Timestamp,
    /// How much it matters.
    pub level: Level,
    /// What it says; may have breaks within.
    pub text: String,
}

impl Line {
    /// As it is shown: `[2026-11-24T11:10:00.000Z] [INFO] text`.
    pub fn shown(&self) -> String {
        format!("[{}] [{}] {}", self.at.iso(), self.level.name().to_uppercase(), self.text)
    }

    /// Bytes that it counts for: those that it shows, and the line's end.
    pub fn size(&self) -> u64 {
        (self.text.len() + self.level.name().len() + 31) as u64
    }
}

/// A line and its place: later ones are higher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The place; once in the store.
    pub id: i64,
    /// The line.
    pub line: Line,
}

/// What is kept of a worker's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBounds {
    /// A generation ends once it has this many bytes.
    pub bytes: u64,
    /// The newest generations that are kept, at least one.
    pub generations: u32,
}

impl Default for LogBounds {
    /// 5 generations of 10 MB.
    fn default() -> Self {
        Self { bytes: 10 * 1_024 * 1_024, generations: 5 }
    }
}

/// How much log there is of a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSize {
    /// Bytes, as shown.
    pub bytes: u64,
    /// Lines.
    pub lines: u64,
    /// When the last was written; none without lines.
    pub modified: Option<Timestamp>,
}

/// Keeps what scripts write. Passes the contract suite in `orrery-testkit`.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// Adds lines, in order. Each worker's begin a new generation once the newest is full; then its oldest goes.
    async fn append(&self, lines: &[Line], bounds: &LogBounds) -> Result<(), StoreError>;
    /// A worker's last lines, oldest first.
    async fn tail(&self, sid: &str, limit: u32) -> Result<Vec<Numbered>, StoreError>;
    /// A worker's first lines after `id`, oldest first. Nothing with a lower id appears once one was given out.
    async fn after(&self, sid: &str, id: i64, limit: u32) -> Result<Vec<Numbered>, StoreError>;
    /// How much there is.
    async fn size(&self, sid: &str) -> Result<LogSize, StoreError>;
    /// How much there is of each of these that has any, by worker.
    async fn sizes(&self, sids: &[String]) -> Result<Vec<(String, LogSize)>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_show_and_count() {
        let at = Timestamp::from_secs(1_721_471_400);
        for level in Level::ALL {
            let line = Line { sid: "a".into(), at, level, text: "hé".into() };
            assert_eq!(line.size(), line.shown().len() as u64 + 1);
        }
        let line = Line { sid: "a".into(), at, level: Level::Info, text: "hi".into() };
        assert_eq!(line.shown(), "[2024-07-20T10:30:00.000Z] [INFO] hi");
    }
}
