//! The port of leases.

use std::time::Duration;

use async_trait::async_trait;
use orrery_kernel::StoreError;
use orrery_storage::{LIVE_MAX, Lease, LeaseStore};

use crate::call::{Call, Fields};
use crate::db::Sqlite;
use crate::sql::leases as sql;

fn micros(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX)
}

fn lease(row: &Fields) -> Result<Lease, StoreError> {
    Ok(Lease { key: row.get(0)?, holder: row.get(1)?, epoch: row.get(2)? })
}

impl Sqlite {
    async fn changed(&self, call: Call) -> Result<u64, StoreError> {
        self.write(|tx| Box::pin(async move { tx.execute(call).await })).await
    }
}

#[async_trait]
impl LeaseStore for Sqlite {
    async fn acquire(&self, key: &str, holder: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let (key, holder) = (key.to_owned(), holder.to_owned());
        let call = sql::ACQUIRE.call().bind(key.clone()).bind(holder.clone()).bind(micros(ttl));
        let row = self.write(|tx| Box::pin(async move { tx.optional(call).await })).await?;
        row.map(|row| Ok(Lease { key, holder, epoch: row.get(0)? })).transpose()
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool, StoreError> {
        let Lease { key, holder, epoch } = lease.clone();
        Ok(self.changed(sql::RENEW.call().bind(key).bind(holder).bind(epoch).bind(micros(ttl))).await? == 1)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let Lease { key, holder, epoch } = lease.clone();
        self.changed(sql::RELEASE.call().bind(key).bind(holder).bind(epoch)).await.map(|_| ())
    }

    async fn holder(&self, key: &str) -> Result<Option<Lease>, StoreError> {
        self.optional(sql::HOLDER.call().bind(key.to_owned())).await?.as_ref().map(lease).transpose()
    }

    async fn live(&self, prefix: &str) -> Result<Vec<Lease>, StoreError> {
        let most = i64::try_from(LIVE_MAX).unwrap_or(i64::MAX);
        self.all(sql::LIVE.call().bind(prefix.to_owned()).bind(most)).await?.iter().map(lease).collect()
    }
}
