//! The port of leases.

use std::time::Duration;

use async_trait::async_trait;
use orrery_kernel::StoreError;
use orrery_storage::{LIVE_MAX, Lease, LeaseStore};

use crate::db::Postgres;
use crate::sql::leases as sql;
use crate::write::Lock;

fn micros(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX)
}

#[async_trait]
impl LeaseStore for Postgres {
    async fn acquire(&self, key: &str, holder: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let (key, holder) = (key.to_owned(), holder.to_owned());
        let call = sql::ACQUIRE.call().bind(key.clone()).bind(holder.clone()).bind(micros(ttl));
        let row = self.write(Lock::Leases, |tx| Box::pin(tx.optional(call))).await?;
        row.map(|row| Ok(Lease { key, holder, epoch: row.columns().get(0)? })).transpose()
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool, StoreError> {
        let Lease { key, holder, epoch } = lease.clone();
        let call = sql::RENEW.call().bind(key).bind(holder).bind(epoch).bind(micros(ttl));
        Ok(self.write(Lock::Leases, |tx| Box::pin(tx.execute(call))).await? == 1)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let Lease { key, holder, epoch } = lease.clone();
        let call = sql::RELEASE.call().bind(key).bind(holder).bind(epoch);
        self.write(Lock::Leases, |tx| Box::pin(tx.execute(call))).await.map(|_| ())
    }

    async fn holder(&self, key: &str) -> Result<Option<Lease>, StoreError> {
        let row = self.optional(sql::HOLDER.call().bind(key.to_owned())).await?;
        let lease = |row: crate::call::Fields| {
            let row = row.columns();
            Ok(Lease { key: key.to_owned(), holder: row.get(0)?, epoch: row.get(1)? })
        };
        row.map(lease).transpose()
    }

    async fn live(&self, prefix: &str) -> Result<Vec<Lease>, StoreError> {
        let most = i64::try_from(LIVE_MAX).unwrap_or(i64::MAX);
        let rows = self.all(sql::LIVE.call().bind(prefix.to_owned()).bind(most)).await?;
        let lease = |row: &crate::call::Fields| {
            let row = row.columns();
            Ok(Lease { key: row.get(0)?, holder: row.get(1)?, epoch: row.get(2)? })
        };
        rows.iter().map(lease).collect()
    }
}
