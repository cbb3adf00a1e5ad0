//! Files that come in parts, over as many requests as it takes.

use std::time::Duration;

use bytes::Bytes;
pub use orrery_crypto::Checksum;
use orrery_identity::Action;
use orrery_kernel::{Error, ErrorCode, Result, Timestamp};
use orrery_storage::files::{Added, FileRecord, Hold, Incoming, Pool, Upload};

use super::receiving::too_large;
use super::{Files, disk};
use crate::Ctx;

/// How long an upload is kept after its last part.
const LIFETIME: Duration = Duration::from_secs(86_400);

/// How far an upload is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// What it is.
    pub upload: Upload,
    /// Bytes that are there.
    pub offset: u64,
    /// The file it became.
    pub file: Option<FileRecord>,
}

/// The next part of an upload on its way in.
pub struct Part<'a> {
    files: &'a Files,
    upload: Upload,
    incoming: Box<dyn Incoming>,
    /// Where it began.
    began: u64,
    offset: u64,
    checksum: Option<Checksum>,
}

/// The field that a part's checksum is named by.
pub const CHECKSUM_FIELD: &str = "Upload-Checksum";

fn not_found() -> Error {
    Error::new(ErrorCode::NotFound, "Upload not found")
}

impl Files {
    /// Begins an upload of `length` bytes, of a file that its owner calls `given`. The room for all of it is kept.
    ///
    /// # Errors
    /// As [`Files::receive`].
    pub async fn begin_upload(&self, ctx: &Ctx, given: &str, length: u64, metadata: String) -> Result<Progress> {
        let owner = ctx.authorize(Action::Store)?.user;
        let original = self.checked_name(given)?;
        if length > self.settings.file_bytes {
            return Err(too_large(self.settings.file_bytes));
        }
        let id = self.room.name();
        let room = self.room.keep(id.clone(), owner, Pool::Files, length).await?;
        let upload = Upload { id: id.clone(), owner, original, length, metadata, until: ctx.now.plus(LIFETIME) };
        // its room lasts as long as it does
        self.prolong(&upload, ctx.now).await?;
        match self.index.put_upload(&upload).await? {
            Added::Done => {}
            Added::Full | Added::Taken => {
                return Err(Error::rate_limited("There are too many unfinished uploads", Duration::from_secs(3_600)));
            }
        }
        room.pass_on();
        self.blobs.begin_parts(&id).await.map_err(disk)?;
        let file = if length == 0 { Some(self.whole(upload.clone()).await?) } else { None };
        Ok(Progress { upload, offset: 0, file })
    }

    async fn prolong(&self, upload: &Upload, now: Timestamp) -> Result<()> {
        let Upload { id, owner, length, until, .. } = upload.clone();
        let hold = Hold { id, owner, pool: Pool::Files, bytes: length, until };
        match self.index.hold(&hold, self.settings.quota, now).await? {
            orrery_storage::files::Held::Yes => Ok(()),
            orrery_storage::files::Held::Full => Err(Error::new(ErrorCode::TooLarge, "Storage quota exceeded")),
        }
    }

    async fn found(&self, ctx: &Ctx, id: &str) -> Result<Upload> {
        let owner = ctx.authorize(Action::Store)?.user;
        let found = self.index.upload(owner, id).await?;
        found.filter(|upload| upload.until > ctx.now).ok_or_else(not_found)
    }

    /// The file that an upload of the caller's became, as long as it is there; its bytes have the upload's name.
    async fn became(&self, ctx: &Ctx, id: &str) -> Result<Option<FileRecord>> {
        let owner = ctx.authorize(Action::Store)?.user;
        Ok(self.index.file_of(owner, id).await?)
    }

    /// How far an upload of the caller's is; one that is whole, as long as its file is there.
    ///
    /// # Errors
    /// `NotFound`, also when it is over.
    pub async fn upload(&self, ctx: &Ctx, id: &str) -> Result<Progress> {
        if let Some(file) = self.became(ctx, id).await? {
            let FileRecord { owner, original, size, .. } = file.clone();
            let (id, metadata) = (id.to_owned(), String::new());
            let upload = Upload { id, owner, original, length: size, metadata, until: ctx.now };
            return Ok(Progress { upload, offset: size, file: Some(file) });
        }
        let upload = self.found(ctx, id).await?;
        let offset = self.blobs.arrived(id).await.map_err(disk)?.ok_or_else(not_found)?;
        Ok(Progress { upload, offset, file: None })
    }

    /// Begins the next part, after `offset` bytes; with a checksum it is kept as a whole or not at all.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when as many are not there, a part is coming right now, or the upload is whole.
    pub async fn next_part(&self, ctx: &Ctx, id: &str, offset: u64, checksum: Option<Checksum>) -> Result<Part<'_>> {
        if self.became(ctx, id).await?.is_some() {
            return Err(Error::new(ErrorCode::Conflict, "The upload is whole already"));
        }
        let mut upload = self.found(ctx, id).await?;
        upload.until = ctx.now.plus(LIFETIME);
        let incoming = self.blobs.resume(id, offset).await.map_err(disk)?;
        let conflict = || Error::new(ErrorCode::Conflict, "The upload is not at that offset");
        let incoming = incoming.ok_or_else(conflict)?;
        self.prolong(&upload, ctx.now).await?;
        self.index.put_upload(&upload).await?;
        Ok(Part { files: self, upload, incoming, began: offset, offset, checksum })
    }

    /// Drops an upload of the caller's; one that is whole, with its file.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn abandon_upload(&self, ctx: &Ctx, id: &str) -> Result<()> {
        if let Some(file) = self.became(ctx, id).await? {
            return self.remove(ctx, &file.name).await;
        }
        let upload = self.found(ctx, id).await?;
        self.drop_upload(&upload.id).await
    }

    pub(super) async fn drop_upload(&self, id: &str) -> Result<()> {
        self.index.remove_upload(id).await?;
        self.blobs.abandon(id).await.map_err(disk)
    }

    /// Makes a file of an upload whose bytes are all there.
    async fn whole(&self, upload: Upload) -> Result<FileRecord> {
        let resumed = self.blobs.resume(&upload.id, upload.length).await.map_err(disk)?;
        let incoming = resumed.ok_or_else(|| Error::internal("the last part is gone"))?;
        self.keep_whole(upload, incoming).await
    }

    async fn keep_whole(&self, upload: Upload, incoming: Box<dyn Incoming>) -> Result<FileRecord> {
        let arrived = incoming.finish().await.map_err(disk)?;
        // the same room again: what the upload kept, the file takes
        let room = self.room.keep(upload.id.clone(), upload.owner, Pool::Files, upload.length).await?;
        let record = self.file(upload.original, arrived, &room).await?;
        room.pass_on();
        self.index.remove_upload(&upload.id).await?;
        Ok(record)
    }
}

impl Part<'_> {
    /// Bytes that may still come.
    pub fn left(&self) -> u64 {
        self.upload.length.saturating_sub(self.offset)
    }

    /// The next bytes.
    ///
    /// # Errors
    /// `TooLarge` beyond the declared length; what came before stays.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        if bytes.len() as u64 > self.left() {
            return Err(Error::new(ErrorCode::TooLarge, "The upload is longer than it was declared"));
        }
        self.offset += bytes.len() as u64;
        if let Some(checksum) = &mut self.checksum {
            checksum.update(&bytes);
        }
        self.incoming.write(bytes).await.map_err(disk)
    }

    /// The part is over: what came is on the disk. With the last one the upload becomes a file.
    ///
    /// # Errors
    /// When it cannot be kept; `Invalid` of [`CHECKSUM_FIELD`] when its checksum is another, and nothing of it is kept.
    pub async fn finish(self) -> Result<Progress> {
        let Self { files, upload, mut incoming, began, offset, checksum } = self;
        if checksum.is_some_and(|checksum| !checksum.holds()) {
            incoming.rewind(began).await.map_err(disk)?;
            incoming.pause().await.map_err(disk)?;
            return Err(Error::invalid(CHECKSUM_FIELD, "The part is not what its checksum says; send it again"));
        }
        if offset < upload.length {
            let offset = incoming.pause().await.map_err(disk)?;
            return Ok(Progress { upload, offset, file: None });
        }
        let file = files.keep_whole(upload.clone(), incoming).await?;
        Ok(Progress { upload, offset, file: Some(file) })
    }
}
