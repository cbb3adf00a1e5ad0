//! The scripts' store, on either database.

use async_trait::async_trait;
use orrery_kernel::StoreError;
use orrery_store_rows::fleet::{self as rows, Turn, micros};
use orrery_workers::kv::{Commit, Committed, Entry, Key, KvStore, Mutation, Range, Space, Versionstamp};

use super::fleet::held;
use crate::both::{Db, Fields, Tx};
use crate::sql::kv as sql;

fn turn(space: &Space) -> Turn {
    Turn::Of(space.as_str().to_owned())
}

/// Keys and bytes that a space has more of.
#[derive(Clone, Copy, Default)]
struct Grown {
    keys: i64,
    bytes: i64,
}

impl Grown {
    fn without(mut self, gone: &[Fields]) -> Result<Self, StoreError> {
        for row in gone {
            self.keys -= 1;
            self.bytes -= row.columns().get::<i64>(0)?;
        }
        Ok(self)
    }
}

async fn matches(tx: &mut Tx, space: &str, commit: &Commit) -> Result<bool, StoreError> {
    for (key, stamp) in &commit.checks {
        let call = sql::GET.call().bind(space.to_owned()).bind(key.as_bytes().to_vec());
        let found = tx.optional(call).await?.map(|row| rows::entry(&row)).transpose()?;
        if found.map(|entry| entry.stamp) != *stamp {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn change(tx: &mut Tx, space: &str, mutation: Mutation, stamp: i64) -> Result<Grown, StoreError> {
    let (Mutation::Set { key, .. } | Mutation::Delete(key)) = &mutation;
    let bytes = key.as_bytes().to_vec();
    let there = tx.all(sql::SIZE.call().bind(space.to_owned()).bind(bytes.clone())).await?;
    let mut grown = Grown::default().without(&there)?;
    match mutation {
        Mutation::Set { value, expire_in, .. } => {
            let size = i64::try_from(bytes.len() + value.len()).unwrap_or(i64::MAX);
            let call = sql::PUT.call().bind(space.to_owned()).bind(bytes).bind(value).bind(stamp).bind(size);
            tx.execute(call.bind(expire_in.map(micros))).await?;
            grown.keys += 1;
            grown.bytes += size;
        }
        Mutation::Delete(_) => {
            tx.execute(sql::DELETE.call().bind(space.to_owned()).bind(bytes)).await?;
        }
    }
    Ok(grown)
}

async fn commit(tx: &mut Tx, space: String, commit: Commit) -> Result<Committed, StoreError> {
    if !held(tx, commit.fence.as_ref()).await? {
        return Ok(Committed::Fenced);
    }
    let row = tx.one(sql::NEXT_STAMP.call().bind(space.clone())).await?;
    let (stamp, keys, bytes): (i64, i64, i64) = (row.columns().get(0)?, row.columns().get(1)?, row.columns().get(2)?);
    if !matches(tx, &space, &commit).await? {
        return Ok(Committed::Conflict);
    }
    let mut grown = Grown::default();
    for mutation in commit.mutations {
        let more = change(tx, &space, mutation, stamp).await?;
        grown = Grown { keys: grown.keys + more.keys, bytes: grown.bytes + more.bytes };
    }
    let over = |grown: Grown| {
        let beyond = |has: i64, most: u64| u64::try_from(has).unwrap_or(0) > most;
        (grown.keys > 0 || grown.bytes > 0)
            && (beyond(keys + grown.keys, commit.quota.keys) || beyond(bytes + grown.bytes, commit.quota.bytes))
    };
    if over(grown) {
        grown = grown.without(&tx.all(sql::EXPIRED_OF.call().bind(space.clone())).await?)?;
    }
    if over(grown) {
        return Ok(Committed::Full);
    }
    tx.execute(sql::HOLDS.call().bind(space).bind(grown.keys).bind(grown.bytes)).await?;
    Ok(Committed::Done(Versionstamp(stamp)))
}

#[async_trait]
impl KvStore for Db {
    async fn get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let call = sql::GET.call().bind(space.as_str().to_owned()).bind(key.as_bytes().to_vec());
            found.push(self.optional(call).await?.map(|row| rows::entry(&row)).transpose()?);
        }
        Ok(found)
    }

    async fn list(&self, space: &Space, range: &Range) -> Result<Vec<Entry>, StoreError> {
        let sql = if range.reverse { &sql::LIST_BACK } else { &sql::LIST };
        let call = sql.call().bind(space.as_str().to_owned()).bind(range.start.clone()).bind(range.end.clone());
        self.all(call.bind(i64::from(range.limit))).await?.iter().map(|row| rows::entry(row)).collect()
    }

    async fn commit(&self, space: &Space, changes: &Commit) -> Result<Committed, StoreError> {
        let (name, changes) = (space.as_str().to_owned(), changes.clone());
        self.alter(turn(space), move |tx| {
            Box::pin(async move {
                let done = commit(tx, name, changes).await?;
                if !matches!(done, Committed::Done(_)) {
                    tx.nothing_to_keep();
                }
                Ok(done)
            })
        })
        .await
    }

    async fn prune(&self, limit: u32) -> Result<u64, StoreError> {
        let mut pruned = 0;
        let expired = self.all(sql::EXPIRED.call().bind(i64::from(limit))).await?;
        let mut spaces: std::collections::BTreeMap<String, Vec<Vec<u8>>> = std::collections::BTreeMap::new();
        for row in &expired {
            let (space, key): (String, &[u8]) = (row.columns().get(0)?, row.columns().get(1)?);
            spaces.entry(space).or_default().push(key.to_vec());
        }
        for (space, keys) in spaces {
            let gone = self.alter(Turn::Of(space.clone()), move |tx| {
                Box::pin(async move {
                    let mut gone = Vec::new();
                    for key in keys {
                        gone.extend(tx.optional(sql::EXPIRE.call().bind(space.clone()).bind(key)).await?);
                    }
                    let grown = Grown::default().without(&gone)?;
                    tx.execute(sql::HOLDS.call().bind(space).bind(grown.keys).bind(grown.bytes)).await?;
                    Ok(gone.len() as u64)
                })
            });
            pruned += gone.await?;
        }
        Ok(pruned)
    }
}
