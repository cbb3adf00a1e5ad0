//! The workers' logs, on either database.

use std::collections::BTreeMap;

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp};
use orrery_store_rows::fleet::{self as rows, Turn};
use orrery_workers::logs::{Line, LogBounds, LogSize, LogStore, Numbered};

use crate::both::{Db, Tx};
use crate::sql::logs as sql;

/// A generation of a worker's log.
#[derive(Clone, Copy)]
struct File {
    generation: i64,
    bytes: i64,
    lines: i64,
    modified: Timestamp,
}

impl File {
    fn takes(mut self, line: &Line) -> Self {
        self.bytes += i64::try_from(line.size()).unwrap_or(i64::MAX);
        self.lines += 1;
        self.modified = line.at;
        self
    }
}

async fn newest(tx: &mut Tx, sid: &str) -> Result<File, StoreError> {
    let (mut generation, mut bytes, mut lines) = (1, 0, 0);
    if let Some(row) = tx.optional(sql::NEWEST_FILE.call().bind(sid.to_owned())).await? {
        (generation, bytes, lines) = (row.columns().get(0)?, row.columns().get(1)?, row.columns().get(2)?);
    }
    Ok(File { generation, bytes, lines, modified: Timestamp::default() })
}

async fn put(tx: &mut Tx, sid: &str, file: File) -> Result<(), StoreError> {
    let call = sql::PUT_FILE.call().bind(sid.to_owned()).bind(file.generation).bind(file.bytes).bind(file.lines);
    tx.execute(call.bind(file.modified.micros())).await.map(|_| ())
}

async fn append(tx: &mut Tx, lines: Vec<Line>, bounds: LogBounds) -> Result<(), StoreError> {
    let most = i64::try_from(bounds.bytes).unwrap_or(i64::MAX);
    let mut files: BTreeMap<&str, File> = BTreeMap::new();
    let (mut placed, mut turned) = (Vec::with_capacity(lines.len()), BTreeMap::new());
    for line in &lines {
        let mut file = match files.get(line.sid.as_str()) {
            Some(file) => *file,
            None => newest(tx, &line.sid).await?,
        };
        if file.bytes >= most {
            if file.modified != Timestamp::default() {
                put(tx, &line.sid, file).await?;
            }
            file = File { generation: file.generation + 1, bytes: 0, lines: 0, modified: line.at };
            turned.insert(line.sid.as_str(), file.generation - i64::from(bounds.generations.max(1)));
        }
        placed.push((file.generation, line));
        files.insert(&line.sid, file.takes(line));
    }
    for (sid, file) in files {
        put(tx, sid, file).await?;
    }
    tx.execute(sql::INSERT_LINES.call().bind(rows::lines(&placed))).await?;
    for (sid, oldest) in turned {
        tx.execute(sql::DROP_LINES.call().bind(sid.to_owned()).bind(oldest)).await?;
        tx.execute(sql::DROP_FILES.call().bind(sid.to_owned()).bind(oldest)).await?;
    }
    Ok(())
}

#[async_trait]
impl LogStore for Db {
    async fn append(&self, lines: &[Line], bounds: &LogBounds) -> Result<(), StoreError> {
        let (lines, bounds) = (lines.to_vec(), *bounds);
        if lines.is_empty() {
            return Ok(());
        }
        self.alter(Turn::Logs, move |tx| Box::pin(append(tx, lines, bounds))).await
    }

    async fn tail(&self, sid: &str, limit: u32) -> Result<Vec<Numbered>, StoreError> {
        let rows = self.all(sql::TAIL.call().bind(sid.to_owned()).bind(i64::from(limit))).await?;
        rows.iter().rev().map(|row| rows::line(row)).collect()
    }

    async fn after(&self, sid: &str, id: i64, limit: u32) -> Result<Vec<Numbered>, StoreError> {
        let call = sql::AFTER.call().bind(sid.to_owned()).bind(id).bind(i64::from(limit));
        self.all(call).await?.iter().map(|row| rows::line(row)).collect()
    }

    async fn size(&self, sid: &str) -> Result<LogSize, StoreError> {
        rows::log_size(self.one(sql::SIZES.call().bind(sid.to_owned())).await?.columns())
    }

    async fn sizes(&self, sids: &[String]) -> Result<Vec<(String, LogSize)>, StoreError> {
        let rows = self.all(sql::SIZES_OF.call().bind(rows::texts(sids))).await?;
        rows.iter().map(|row| Ok((row.columns().get(3)?, rows::log_size(row.columns())?))).collect()
    }
}
