//! The ledger's port.

mod audit;
mod commit;

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use orrery_kernel::{Asset, SnapshotId, StoreError, Timestamp, UserId};
use orrery_ledger::{
    Account, Actor, Answer, AuditSink, Bucket, Decider, Entry, Head, Hold, IdemKey, Kind, KindTotal, LedgerStore, Loan,
    Needs, NewSnapshot, Order, Owner, Page, Posted, Recorded, Seq, Sheet, Snapshot,
};

use crate::call::{Call, Fields};
use orrery_store_rows::ledger as rows;

use crate::db::Postgres;
use crate::error::corrupt;
use crate::sql::ledger as sql;
use crate::write::Lock;

impl Postgres {
    async fn owned(&self, owner: &Owner) -> Result<(Vec<(Account, i64)>, Seq), StoreError> {
        let row = self.one(sql::OWNER_BALANCES.call().bind(owner.code())).await?;
        let mut balances = rows::balances(row.columns().get(1)?)?;
        balances.sort_unstable();
        Ok((balances, row.columns().get(0)?))
    }

    async fn orders(&self, call: Call) -> Result<Vec<Order>, StoreError> {
        self.all(call).await?.iter().map(|row| rows::order(row.columns().get(0)?)).collect()
    }

    async fn holds(&self, call: Call) -> Result<Vec<Hold>, StoreError> {
        self.all(call).await?.iter().map(|row| rows::hold(row.columns().get(0)?)).collect()
    }

    async fn loans(&self, after: i64, last: i64, limit: u32) -> Result<Vec<(Loan, Sheet)>, StoreError> {
        let found = self.all(sql::LOANS.call().bind(after).bind(last).bind(i64::from(limit))).await?;
        let loan = |row: &Fields| {
            let loan = rows::loan(row.columns().get(0)?)?;
            let balances: HashMap<Account, i64> = rows::balances(row.columns().get(1)?)?.into_iter().collect();
            let sheet = Sheet::read(loan.user, |account| balances.get(account).copied().unwrap_or(0));
            Ok((loan, sheet))
        };
        found.iter().map(loan).collect()
    }
}

fn before(page: Page) -> Seq {
    page.before.unwrap_or(Seq::MAX)
}

fn offset(page: Page) -> i64 {
    i64::try_from(page.offset).unwrap_or(i64::MAX)
}

fn kind_total(row: &Fields) -> Result<KindTotal, StoreError> {
    let number: i64 = row.columns().get(0)?;
    let kind = u8::try_from(number).ok().and_then(Kind::from_number);
    let asset: &str = row.columns().get(2)?;
    let (millions, rest): (i64, i64) = (row.columns().get(4)?, row.columns().get(5)?);
    Ok(KindTotal {
        kind: kind.ok_or_else(|| corrupt("journal.kind", number))?,
        leg: row.columns().get(1)?,
        asset: Asset::parse(asset).ok_or_else(|| corrupt("legs.from_account", asset))?,
        count: row.columns().get(3)?,
        amount: i128::from(millions) * 1_000_000 + i128::from(rest),
    })
}

#[async_trait]
impl LedgerStore for Postgres {
    async fn commit(&self, needs: &Needs, decide: Decider) -> Result<Vec<Answer>, StoreError> {
        commit::commit(self, needs, decide).await
    }

    async fn recorded(&self, keys: &[(Actor, IdemKey)]) -> Result<HashMap<(Actor, IdemKey), Recorded>, StoreError> {
        let (actors, texts): (Vec<String>, Vec<String>) =
            keys.iter().map(|(actor, key)| (actor.code(), key.as_str().to_owned())).unzip();
        let found = self.all(sql::RECORDED.call().bind(actors).bind(texts)).await?;
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
        self.write(Lock::Market, |tx| Box::pin(async move { tx.one(insert).await?.columns().get(0).map(SnapshotId) }))
            .await
    }

    async fn latest_snapshot(&self) -> Result<Option<Snapshot>, StoreError> {
        self.optional(sql::LATEST_SNAPSHOT.call()).await?.map(|row| rows::snapshot(&row, 0)).transpose()
    }

    async fn head(&self) -> Result<Head, StoreError> {
        match self.optional(sql::HEAD.call()).await? {
            Some(row) => {
                Ok(Head { seq: row.columns().get(0)?, hash: row.columns().hash(1)?, at: row.columns().time(2)? })
            }
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
            let asset =
                Asset::parse(row.columns().get(0)?).ok_or_else(|| corrupt("accounts.asset", "unknown asset"))?;
            let bucket =
                Bucket::parse(row.columns().get(1)?).ok_or_else(|| corrupt("accounts.bucket", "unknown bucket"))?;
            Ok((asset, bucket, row.columns().get(2)?))
        };
        let mut totals: Vec<_> = found.iter().map(total).collect::<Result<_, StoreError>>()?;
        totals.sort_unstable();
        Ok(totals)
    }

    async fn sheets(&self, users: &[UserId]) -> Result<Vec<Sheet>, StoreError> {
        let owners: Vec<_> = users.iter().map(|user| Owner::User(*user).code()).collect();
        let mut balances: HashMap<Account, i64> = HashMap::new();
        for row in self.all(sql::SHEETS.call().bind(owners)).await? {
            balances.insert(rows::account(row.columns().get(0)?, "accounts.code")?, row.columns().get(1)?);
        }
        let sheet = |user: &UserId| Sheet::read(*user, |account| balances.get(account).copied().unwrap_or(0));
        Ok(users.iter().map(sheet).collect())
    }

    async fn statement(&self, user: UserId, page: Page) -> Result<Vec<Posted>, StoreError> {
        let call = sql::STATEMENT.call().bind(user.0).bind(before(page)).bind(i64::from(page.limit)).bind(offset(page));
        self.all(call).await?.iter().map(|row| rows::posted(row)).collect()
    }

    async fn recent(&self, page: Page) -> Result<Vec<(UserId, Posted)>, StoreError> {
        let found =
            self.all(sql::RECENT.call().bind(before(page)).bind(i64::from(page.limit)).bind(offset(page))).await?;
        let lines: Vec<(i64, Seq)> = found
            .iter()
            .map(|row| Ok((row.columns().get(0)?, row.columns().get(1)?)))
            .collect::<Result<_, StoreError>>()?;
        let seqs: BTreeSet<Seq> = lines.iter().map(|(_, seq)| *seq).collect();
        let seqs: Vec<Seq> = seqs.into_iter().collect();
        let mut entries: HashMap<Seq, Posted> = HashMap::new();
        for row in self.all(sql::ENTRIES_BY_SEQ.call().bind(seqs)).await? {
            let posted = rows::posted(&row)?;
            entries.insert(posted.entry.seq, posted);
        }
        // entries are never taken back, so that each line's is there
        Ok(lines.into_iter().filter_map(|(user, seq)| Some((UserId(user), entries.get(&seq)?.clone()))).collect())
    }

    async fn posted(&self, seq: Seq) -> Result<Option<Posted>, StoreError> {
        let call = sql::ENTRIES_BY_SEQ.call().bind(vec![seq]);
        self.optional(call).await?.as_ref().map(|row| rows::posted(row)).transpose()
    }

    async fn totals(&self) -> Result<Vec<KindTotal>, StoreError> {
        self.all(sql::TOTALS.call()).await?.iter().map(kind_total).collect()
    }

    async fn crossed_orders(
        &self,
        buy_rate: i64,
        sell_rate: i64,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<Order>, StoreError> {
        self.orders(sql::CROSSED_ORDERS.call().bind(buy_rate).bind(sell_rate).bind(after).bind(i64::from(limit))).await
    }

    async fn expired_orders(&self, now: Timestamp, limit: u32) -> Result<Vec<Order>, StoreError> {
        self.orders(sql::EXPIRED_ORDERS.call().bind(now.micros()).bind(i64::from(limit))).await
    }

    async fn pending_holds(&self, after: Seq, limit: u32) -> Result<Vec<Hold>, StoreError> {
        self.holds(sql::PENDING_HOLDS.call().bind(after).bind(i64::from(limit))).await
    }

    async fn expired_holds(&self, now: Timestamp, limit: u32) -> Result<Vec<Hold>, StoreError> {
        self.holds(sql::EXPIRED_HOLDS.call().bind(now.micros()).bind(i64::from(limit))).await
    }

    async fn loan(&self, user: UserId) -> Result<Option<(Loan, Sheet)>, StoreError> {
        Ok(self.loans(user.0 - 1, user.0, 1).await?.pop())
    }

    async fn open_loans(&self, after: UserId, limit: u32) -> Result<Vec<(Loan, Sheet)>, StoreError> {
        self.loans(after.0, i64::MAX, limit).await
    }

    async fn entries(&self, after: Seq, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let found = self.all(sql::ENTRIES_AFTER.call().bind(after).bind(i64::from(limit))).await?;
        found.iter().map(|row| rows::posted(row).map(|p| p.entry)).collect()
    }

    async fn audit(&self, sink: &mut dyn AuditSink) -> Result<(), StoreError> {
        audit::audit(self, sink).await
    }
}
