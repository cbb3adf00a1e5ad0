//! The port of workers.

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp};
use orrery_store_rows::{count, workers as rows};
use orrery_workers::{Changed, Spec, Version, Worker, WorkerStore};

use crate::db::Sqlite;
use crate::sql::workers as sql;

#[async_trait]
impl WorkerStore for Sqlite {
    async fn add_worker(&self, worker: &Worker, most: u32) -> Result<bool, StoreError> {
        let w = worker.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let there = tx.one(sql::COUNT_WORKERS_OF.call().bind(w.owner.clone())).await?;
                if count(&there, 0)? >= u64::from(most) {
                    tx.nothing_to_keep();
                    return Ok(false);
                }
                let n = i64::try_from(count(&there, 1)? + 1).unwrap_or(i64::MAX);
                let text = rows::spec_text(&w.spec);
                let insert = sql::INSERT_WORKER.call().bind(w.sid.clone()).bind(n).bind(w.nid).bind(w.owner);
                let insert = insert.bind(w.version).bind(i64::from(w.spec.active)).bind(text.clone());
                tx.execute(insert.bind(w.created_at.micros()).bind(w.updated_at.micros())).await?;
                let version = sql::INSERT_VERSION.call().bind(w.sid).bind(w.version).bind(text);
                tx.execute(version.bind(w.updated_at.micros())).await?;
                Ok(true)
            })
        })
        .await
    }

    async fn change_worker(
        &self,
        owner: &str,
        sid: &str,
        spec: &Spec,
        seen: Option<i64>,
        keep: u32,
        at: Timestamp,
    ) -> Result<Changed, StoreError> {
        let (owner, sid, spec) = (owner.to_owned(), sid.to_owned(), spec.clone());
        self.write(move |tx| {
            Box::pin(async move {
                let row = tx.optional(sql::WORKER.call().bind(sid.clone())).await?;
                let there = row.as_ref().map(|row| rows::worker(row)).transpose()?;
                let Some(there) = there.filter(|w| w.owner == owner) else {
                    tx.nothing_to_keep();
                    return Ok(Changed::Missing);
                };
                if seen.is_some_and(|seen| seen != there.version) {
                    tx.nothing_to_keep();
                    return Ok(Changed::Outdated);
                }
                let version = there.version + 1;
                let text = rows::spec_text(&spec);
                let change = sql::CHANGE_WORKER.call().bind(sid.clone()).bind(version).bind(i64::from(spec.active));
                tx.execute(change.bind(text.clone()).bind(at.micros())).await?;
                let insert = sql::INSERT_VERSION.call().bind(sid.clone()).bind(version).bind(text);
                tx.execute(insert.bind(at.micros())).await?;
                tx.execute(sql::PRUNE_VERSIONS.call().bind(sid).bind(version - i64::from(keep))).await?;
                Ok(Changed::Done(Box::new(Worker { spec, version, updated_at: at, ..there })))
            })
        })
        .await
    }

    async fn worker(&self, sid: &str) -> Result<Option<Worker>, StoreError> {
        let row = self.optional(sql::WORKER.call().bind(sid.to_owned())).await?;
        row.as_ref().map(|row| rows::worker(row)).transpose()
    }

    async fn workers_of(&self, owner: &str, limit: u32) -> Result<Vec<Worker>, StoreError> {
        let call = sql::WORKERS_OF.call().bind(owner.to_owned()).bind(i64::from(limit));
        self.all(call).await?.iter().map(|row| rows::worker(row)).collect()
    }

    async fn count_workers(&self) -> Result<(u64, u64), StoreError> {
        let row = self.one(sql::COUNT_WORKERS.call()).await?;
        Ok((count(&row, 0)?, count(&row, 1)?))
    }

    async fn versions(&self, sid: &str) -> Result<Vec<Version>, StoreError> {
        self.all(sql::VERSIONS.call().bind(sid.to_owned())).await?.iter().map(|row| rows::version(row)).collect()
    }
}
