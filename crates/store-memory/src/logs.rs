//! The workers' logs in process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orrery_kernel::StoreError;
use orrery_workers::logs::{Line, LogBounds, LogSize, LogStore, Numbered};

#[derive(Debug, Default)]
struct Inner {
    last: i64,
    /// Each worker's generations, oldest first.
    of: BTreeMap<String, Vec<Vec<Numbered>>>,
}

/// Logs in memory; lost with the process.
#[derive(Debug, Default)]
pub struct MemoryLogs(Mutex<Inner>);

impl MemoryLogs {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes(lines: &[Numbered]) -> u64 {
    lines.iter().map(|numbered| numbered.line.size()).sum()
}

#[async_trait]
impl LogStore for MemoryLogs {
    async fn append(&self, lines: &[Line], bounds: &LogBounds) -> Result<(), StoreError> {
        let mut inner = self.inner();
        for line in lines {
            inner.last += 1;
            let numbered = Numbered { id: inner.last, line: line.clone() };
            let files = inner.of.entry(line.sid.clone()).or_default();
            match files.last_mut().filter(|newest| bytes(newest) < bounds.bytes) {
                Some(newest) => newest.push(numbered),
                None => files.push(vec![numbered]),
            }
            let surplus = files.len().saturating_sub(bounds.generations.max(1) as usize);
            files.drain(..surplus);
        }
        Ok(())
    }

    async fn tail(&self, sid: &str, limit: u32) -> Result<Vec<Numbered>, StoreError> {
        let inner = self.inner();
        let lines: Vec<&Numbered> = inner.of.get(sid).into_iter().flatten().flatten().collect();
        let from = lines.len().saturating_sub(limit as usize);
        Ok(lines.into_iter().skip(from).cloned().collect())
    }

    async fn after(&self, sid: &str, id: i64, limit: u32) -> Result<Vec<Numbered>, StoreError> {
        let inner = self.inner();
        let lines = inner.of.get(sid).into_iter().flatten().flatten();
        Ok(lines.filter(|numbered| numbered.id > id).take(limit as usize).cloned().collect())
    }

    async fn size(&self, sid: &str) -> Result<LogSize, StoreError> {
        let inner = self.inner();
        let lines: Vec<&Numbered> = inner.of.get(sid).into_iter().flatten().flatten().collect();
        Ok(LogSize {
            bytes: lines.iter().map(|numbered| numbered.line.size()).sum(),
            lines: lines.len() as u64,
            modified: lines.last().map(|numbered| numbered.line.at),
        })
    }

    async fn sizes(&self, sids: &[String]) -> Result<Vec<(String, LogSize)>, StoreError> {
        let mut sizes = Vec::new();
        for sid in sids.iter().collect::<BTreeSet<_>>() {
            let size = self.size(sid).await?;
            if size.lines > 0 {
                sizes.push((sid.clone(), size));
            }
        }
        Ok(sizes)
    }
}
