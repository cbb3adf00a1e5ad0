//! Files of users: upload, list, download, deletion, room.

mod leaving;
mod receiving;
mod resumable;
pub(crate) mod room;
mod sweep;

use std::sync::Arc;

use orrery_identity::Action;
use orrery_kernel::{Clock, Entropy, Error, ErrorCode, Result};
use orrery_storage::files::{BlobError, Blobs, FileIndex, FileRecord, Outgoing, Pool, Usage};
use orrery_storage::names::Blocked;

pub use leaving::Leaving;
pub use receiving::Receiving;
pub use resumable::{CHECKSUM_FIELD, Checksum, Progress};
pub(crate) use room::Room;

use crate::Ctx;
use crate::auth::Auth;

/// What is allowed.
#[derive(Clone, Debug)]
pub struct FileSettings {
    /// Bytes that an owner's files may take, and the same again for their programs.
    pub quota: u64,
    /// Largest file.
    pub file_bytes: u64,
    /// Suffixes that are refused.
    pub blocked: Blocked,
}

impl Default for FileSettings {
    fn default() -> Self {
        Self { quota: 5_368_709_120, file_bytes: 104_857_600, blocked: Blocked::new(&Blocked::DOCUMENTED) }
    }
}

/// Where files are.
#[derive(Clone)]
pub struct FileParts {
    /// What is known of them.
    pub index: Arc<dyn FileIndex>,
    /// Their bytes.
    pub blobs: Arc<dyn Blobs>,
    /// What is known of programs.
    pub programs: Arc<dyn orrery_storage::programs::ProgramIndex>,
    /// Their folders.
    pub folders: Arc<dyn orrery_storage::programs::Folders>,
}

/// Files' use cases.
pub struct Files {
    index: Arc<dyn FileIndex>,
    blobs: Arc<dyn Blobs>,
    auth: Arc<Auth>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: FileSettings,
    room: Room,
}

/// The disk's failure as everybody's.
pub(crate) fn disk(error: BlobError) -> Error {
    if error.cause.kind() == std::io::ErrorKind::StorageFull {
        let wait = std::time::Duration::from_secs(60);
        return Error::unavailable("The server's disk is full", wait).because(error.cause);
    }
    tracing::error!(doing = error.doing, "the disk failed");
    Error::internal(error.cause)
}

fn not_found() -> Error {
    Error::new(ErrorCode::NotFound, "File not found")
}

impl Files {
    pub(crate) fn new(
        parts: &FileParts,
        auth: Arc<Auth>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: FileSettings,
    ) -> Self {
        let room = Room::new(parts.index.clone(), clock.clone(), entropy.clone(), settings.quota);
        Self { index: parts.index.clone(), blobs: parts.blobs.clone(), auth, clock, entropy, settings, room }
    }

    /// What is allowed.
    pub fn settings(&self) -> &FileSettings {
        &self.settings
    }

    /// Do store and disk answer?
    pub async fn works(&self) -> bool {
        let nothing = "0".repeat(32);
        self.index.uses(&nothing).await.is_ok() && self.blobs.arrived(&nothing).await.is_ok()
    }

    /// The caller's files, newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn list(&self, ctx: &Ctx) -> Result<Vec<FileRecord>> {
        let owner = ctx.authorize(Action::ReadOwn)?.user;
        Ok(self.index.files(owner).await?)
    }

    /// What the caller's files take.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn usage(&self, ctx: &Ctx) -> Result<Usage> {
        let owner = ctx.authorize(Action::ReadOwn)?.user;
        Ok(self.index.usage(owner, Pool::Files, ctx.now).await?)
    }

    /// What is known of one of the caller's files.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn about(&self, ctx: &Ctx, name: &str) -> Result<FileRecord> {
        let owner = ctx.authorize(Action::ReadOwn)?.user;
        self.index.file(owner, name).await?.ok_or_else(not_found)
    }

    /// Opens a file that [`Files::about`] gave.
    ///
    /// # Errors
    /// `NotFound` when it was deleted in between.
    pub async fn open(&self, file: &FileRecord) -> Result<Box<dyn Outgoing>> {
        self.blobs.open(&file.blob).await.map_err(disk)?.ok_or_else(not_found)
    }

    /// Deletes one of the caller's files.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn remove(&self, ctx: &Ctx, name: &str) -> Result<()> {
        let owner = ctx.authorize(Action::Store)?.user;
        let file = self.index.remove_file(owner, name).await?.ok_or_else(not_found)?;
        if let Err(error) = self.blobs.remove(&file.blob).await {
            // nobody can ask for it any more; the sweep drops it
            tracing::warn!(%error, "a deleted file's bytes stay for now");
        }
        self.auth.record_act(ctx, "file_delete", format!("file:{}", file.name)).await;
        Ok(())
    }
}
