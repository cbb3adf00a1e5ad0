//! Files of users, on either database.

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp, UserId};
use orrery_storage::files::{Added, FILES_MAX, FileIndex, FileRecord, Held, Hold, Pool, UPLOADS_MAX, Upload, Usage};
use orrery_store_rows::files as rows;
use orrery_store_rows::fleet::Turn;

use crate::both::{Db, Tx};
use crate::sql::files as sql;

/// Room and what takes it change one after the other.
pub(crate) fn turn(owner: UserId) -> Turn {
    Turn::Of(format!("files {owner}"))
}

fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn kept_in(pool: Pool) -> &'static crate::sql::Sql {
    match pool {
        Pool::Files => &sql::KEPT,
        Pool::Programs => &sql::PROGRAMS_KEPT,
    }
}

async fn hold(tx: &mut Tx, hold: Hold, quota: u64, now: Timestamp) -> Result<Held, StoreError> {
    tx.execute(sql::RELEASE_OVER.call().bind(hold.owner.0).bind(now.micros())).await?;
    let kept = tx.one(kept_in(hold.pool).call().bind(hold.owner.0)).await?.columns().count(1)?;
    let others = sql::HELD.call().bind(hold.owner.0).bind(hold.pool.name()).bind(hold.id.clone()).bind(now.micros());
    let others = tx.one(others).await?.columns().count(0)?;
    if kept.saturating_add(others).saturating_add(hold.bytes) > quota {
        return Ok(Held::Full);
    }
    let call = sql::HOLD.call().bind(hold.id).bind(hold.owner.0).bind(hold.pool.name());
    tx.execute(call.bind(whole(hold.bytes)).bind(hold.until.micros())).await?;
    Ok(Held::Yes)
}

async fn add(tx: &mut Tx, file: FileRecord, hold: String) -> Result<Added, StoreError> {
    if tx.one(sql::KEPT.call().bind(file.owner.0)).await?.columns().count(0)? >= FILES_MAX {
        tx.nothing_to_keep();
        return Ok(Added::Full);
    }
    let call = sql::ADD.call().bind(file.owner.0).bind(file.name).bind(file.original).bind(file.blob);
    let call = call.bind(whole(file.size)).bind(file.sha256).bind(file.media_type).bind(file.at.micros());
    if tx.execute(call).await? == 0 {
        tx.nothing_to_keep();
        return Ok(Added::Taken);
    }
    tx.execute(sql::RELEASE.call().bind(hold)).await?;
    Ok(Added::Done)
}

async fn put_upload(tx: &mut Tx, upload: Upload) -> Result<Added, StoreError> {
    let others = tx.one(sql::UPLOADS_OF.call().bind(upload.owner.0).bind(upload.id.clone())).await?;
    if others.columns().count(0)? >= UPLOADS_MAX {
        tx.nothing_to_keep();
        return Ok(Added::Full);
    }
    let call = sql::PUT_UPLOAD.call().bind(upload.id).bind(upload.owner.0).bind(upload.original);
    tx.execute(call.bind(whole(upload.length)).bind(upload.metadata).bind(upload.until.micros())).await?;
    Ok(Added::Done)
}

#[async_trait]
impl FileIndex for Db {
    async fn hold(&self, room: &Hold, quota: u64, now: Timestamp) -> Result<Held, StoreError> {
        let room = room.clone();
        self.alter(turn(room.owner), move |tx| Box::pin(hold(tx, room, quota, now))).await
    }

    async fn release(&self, id: &str) -> Result<(), StoreError> {
        let release = sql::RELEASE.call().bind(id.to_owned());
        self.alter(Turn::Of(format!("hold {id}")), |tx| {
            Box::pin(async move {
                tx.execute(release).await?;
                Ok(())
            })
        })
        .await
    }

    async fn usage(&self, owner: UserId, pool: Pool, now: Timestamp) -> Result<Usage, StoreError> {
        let kept = self.all(kept_in(pool).call().bind(owner.0)).await?;
        let held = sql::HELD.call().bind(owner.0).bind(pool.name()).bind(String::new()).bind(now.micros());
        let held = self.all(held).await?;
        let mut usage = Usage::default();
        for row in &kept {
            (usage.count, usage.bytes) = (row.columns().count(0)?, row.columns().count(1)?);
        }
        for row in &held {
            usage.held = row.columns().count(0)?;
        }
        Ok(usage)
    }

    async fn add_file(&self, file: &FileRecord, hold: &str) -> Result<Added, StoreError> {
        let (file, hold) = (file.clone(), hold.to_owned());
        self.alter(turn(file.owner), move |tx| Box::pin(add(tx, file, hold))).await
    }

    async fn file(&self, owner: UserId, name: &str) -> Result<Option<FileRecord>, StoreError> {
        let row = self.optional(sql::FILE.call().bind(owner.0).bind(name.to_owned())).await?;
        row.map(|row| rows::file(row.columns())).transpose()
    }

    async fn files(&self, owner: UserId) -> Result<Vec<FileRecord>, StoreError> {
        let rows = self.all(sql::FILES.call().bind(owner.0).bind(whole(FILES_MAX))).await?;
        rows.iter().map(|row| rows::file(row.columns())).collect()
    }

    async fn remove_file(&self, owner: UserId, name: &str) -> Result<Option<FileRecord>, StoreError> {
        let remove = sql::REMOVE.call().bind(owner.0).bind(name.to_owned());
        self.alter(turn(owner), |tx| {
            Box::pin(async move { tx.optional(remove).await?.map(|row| rows::file(row.columns())).transpose() })
        })
        .await
    }

    async fn file_of(&self, owner: UserId, blob: &str) -> Result<Option<FileRecord>, StoreError> {
        let row = self.optional(sql::FILE_OF.call().bind(owner.0).bind(blob.to_owned())).await?;
        row.map(|row| rows::file(row.columns())).transpose()
    }

    async fn uses(&self, blob: &str) -> Result<bool, StoreError> {
        let rows = self.all(sql::USES.call().bind(blob.to_owned())).await?;
        rows.iter().try_fold(false, |used, row| Ok(used || row.columns().count(0)? > 0))
    }

    async fn put_upload(&self, upload: &Upload) -> Result<Added, StoreError> {
        let upload = upload.clone();
        self.alter(turn(upload.owner), move |tx| Box::pin(put_upload(tx, upload))).await
    }

    async fn upload(&self, owner: UserId, id: &str) -> Result<Option<Upload>, StoreError> {
        let row = self.optional(sql::UPLOAD.call().bind(owner.0).bind(id.to_owned())).await?;
        row.map(|row| rows::upload(row.columns())).transpose()
    }

    async fn remove_upload(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.alter(Turn::Of(format!("hold {id}")), move |tx| {
            Box::pin(async move {
                let gone = tx.execute(sql::REMOVE_UPLOAD.call().bind(id.clone())).await? == 1;
                tx.execute(sql::RELEASE.call().bind(id)).await?;
                Ok(gone)
            })
        })
        .await
    }

    async fn uploads_over(&self, now: Timestamp, limit: u32) -> Result<Vec<Upload>, StoreError> {
        let rows = self.all(sql::UPLOADS_OVER.call().bind(now.micros()).bind(i64::from(limit))).await?;
        rows.iter().map(|row| rows::upload(row.columns())).collect()
    }

    async fn forget_files(&self, owner: UserId) -> Result<Vec<String>, StoreError> {
        self.alter(turn(owner), move |tx| {
            Box::pin(async move {
                let mut names = tx.all(sql::FORGET.call().bind(owner.0)).await?;
                names.extend(tx.all(sql::FORGET_UPLOADS.call().bind(owner.0)).await?);
                tx.execute(sql::FORGET_HOLDS.call().bind(owner.0)).await?;
                names.iter().map(|row| row.columns().get(0)).collect()
            })
        })
        .await
    }

    async fn owners(&self, after: UserId, limit: u32) -> Result<Vec<UserId>, StoreError> {
        let rows = self.all(sql::OWNERS.call().bind(after.0).bind(i64::from(limit))).await?;
        rows.iter().map(|row| row.columns().get(0).map(UserId)).collect()
    }
}
