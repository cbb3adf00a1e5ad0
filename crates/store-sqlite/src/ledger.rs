//! The ledger's port.

mod audit;
mod commit;
mod rows;

use std::collections::HashMap;

use async_trait::async_trait;
use orrery_kernel::{Asset, SnapshotId, StoreError, UserId};
use orrery_ledger::{
    Account, Actor, Answer, AuditSink, Bucket, Decider, Entry, Head, IdemKey, LedgerStore, Needs, NewSnapshot, Owner,
    Posted, Recorded, Seq, Sheet, Snapshot,
};

use crate::db::Sqlite;
use crate::error::corrupt;
use crate::sql::ledger as sql;

impl Sqlite {
    async fn owned(&self, owner: &Owner) -> Result<(Vec<(Account, i64)>, Seq), StoreError> {
        let row = self.one(sql::OWNER_BALANCES.call().bind(owner.code())).await?;
        let mut balances = rows::balances(row.get(1)?)?;
        balances.sort_unstable();
        Ok((balances, row.get(0)?))
    }
}

#[async_trait]
impl LedgerStore for Sqlite {
    async fn commit(&self, needs: &Needs, decide: Decider) -> Result<Vec<Answer>, StoreError> {
        commit::commit(self, needs, decide).await
    }

    async fn recorded(&self, keys: &[(Actor, IdemKey)]) -> Result<HashMap<(Actor, IdemKey), Recorded>, StoreError> {
        let wanted = rows::keys_json(keys.iter())?;
        let found = self.all(sql::RECORDED.call().bind(wanted)).await?;
        found.iter().map(|row| rows::recorded(row).map(|r| ((r.actor, r.key), r.recorded))).collect()
    }

    async fn put_snapshot(&self, price: &NewSnapshot) -> Result<SnapshotId, StoreError> {
        let insert = sql::INSERT_SNAPSHOT
            .call()
            .bind(price.source.clone())
            .bind(price.btc_usd_cents)
            .bind(price.buy_mult_e4)
            .bind(price.sell_mult_e4)
            .bind(price.buy_rate)
            .bind(price.sell_rate)
            .bind(price.observed_at.micros())
            .bind(price.received_at.micros());
        self.write(|tx| Box::pin(async move { tx.one(insert).await?.get(0).map(SnapshotId) })).await
    }

    async fn latest_snapshot(&self) -> Result<Option<Snapshot>, StoreError> {
        self.optional(sql::LATEST_SNAPSHOT.call()).await?.map(|row| rows::snapshot(&row, 0)).transpose()
    }

    async fn head(&self) -> Result<Head, StoreError> {
        match self.optional(sql::HEAD.call()).await? {
            Some(row) => Ok(Head { seq: row.get(0)?, hash: row.hash(1)?, at: row.time(2)? }),
            None => Ok(rows::genesis()),
        }
    }

    async fn sheet(&self, user: UserId) -> Result<(Sheet, Seq), StoreError> {
        let (balances, seq) = self.owned(&Owner::User(user)).await?;
        let balances: HashMap<Account, i64> = balances.into_iter().collect();
        Ok((Sheet::read(user, |account| balances.get(account).copied().unwrap_or(0)), seq))
    }

    async fn balances(&self, owner: &Owner) -> Result<(Vec<(Account, i64)>, Seq), StoreError> {
        self.owned(owner).await
    }

    async fn user_totals(&self) -> Result<Vec<(Asset, Bucket, i64)>, StoreError> {
        let found = self.all(sql::USER_TOTALS.call()).await?;
        let total = |row: &crate::call::Fields| {
            let asset = Asset::parse(row.get(0)?).ok_or_else(|| corrupt("accounts.asset", "unknown asset"))?;
            let bucket = Bucket::parse(row.get(1)?).ok_or_else(|| corrupt("accounts.bucket", "unknown bucket"))?;
            Ok((asset, bucket, row.get(2)?))
        };
        let mut totals: Vec<_> = found.iter().map(total).collect::<Result<_, StoreError>>()?;
        totals.sort_unstable();
        Ok(totals)
    }

    async fn statement(&self, user: UserId, offset: u64, limit: u32) -> Result<Vec<Posted>, StoreError> {
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let found = self.all(sql::STATEMENT.call().bind(user.0).bind(limit).bind(offset)).await?;
        found.iter().map(rows::posted).collect()
    }

    async fn entries(&self, after: Seq, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let found = self.all(sql::ENTRIES_AFTER.call().bind(after).bind(limit)).await?;
        found.iter().map(|row| rows::posted(row).map(|p| p.entry)).collect()
    }

    async fn audit(&self, sink: &mut dyn AuditSink) -> Result<(), StoreError> {
        audit::audit(self, sink).await
    }
}
