//! Documents of users, on either database.

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp, UserId};
use orrery_storage::data::{BYTES_MAX, DOCUMENTS_MAX, DataStore, Kept};
use orrery_store_rows::fleet::Turn;

use crate::both::Db;
use crate::sql::data as sql;

fn turn(owner: UserId) -> Turn {
    Turn::Of(format!("documents {owner}"))
}

#[async_trait]
impl DataStore for Db {
    async fn put_document(&self, owner: UserId, key: &str, value: &str, at: Timestamp) -> Result<Kept, StoreError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        let size = (key.len() + value.len()) as u64;
        self.alter(turn(owner), move |tx| {
            Box::pin(async move {
                let row = tx.one(sql::OTHERS.call().bind(owner.0).bind(key.clone())).await?;
                let (count, bytes) = (row.columns().count(0)?, row.columns().count(1)?);
                if count >= DOCUMENTS_MAX || bytes + size > BYTES_MAX {
                    tx.nothing_to_keep();
                    return Ok(Kept::Full);
                }
                let size = i64::try_from(size).unwrap_or(i64::MAX);
                let put = sql::PUT.call().bind(owner.0).bind(key).bind(value).bind(size).bind(at.micros());
                tx.execute(put).await?;
                Ok(Kept::Done)
            })
        })
        .await
    }

    async fn document(&self, owner: UserId, key: &str) -> Result<Option<String>, StoreError> {
        let row = self.optional(sql::GET.call().bind(owner.0).bind(key.to_owned())).await?;
        row.map(|row| row.columns().get(0)).transpose()
    }

    async fn documents(&self, owner: UserId) -> Result<Vec<(String, String)>, StoreError> {
        let rows = self.all(sql::ALL_OF.call().bind(owner.0)).await?;
        rows.iter().map(|row| Ok((row.columns().get(0)?, row.columns().get(1)?))).collect()
    }

    async fn remove_document(&self, owner: UserId, key: &str) -> Result<bool, StoreError> {
        let remove = sql::REMOVE.call().bind(owner.0).bind(key.to_owned());
        self.alter(turn(owner), |tx| Box::pin(async move { Ok(tx.execute(remove).await? == 1) })).await
    }

    async fn forget_documents(&self, owner: UserId) -> Result<u64, StoreError> {
        let forget = sql::FORGET.call().bind(owner.0);
        self.alter(turn(owner), |tx| Box::pin(async move { tx.execute(forget).await })).await
    }
}
