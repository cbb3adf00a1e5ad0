//! A file on its way in.

use bytes::Bytes;
use orrery_identity::Action;
use orrery_kernel::{Error, ErrorCode, Result};
use orrery_storage::files::{Added, Arrived, FileRecord, Incoming, Pool};
use orrery_storage::names::{media_type, original_name, stored_name};

use super::room::Kept;
use super::{Files, disk};
use crate::Ctx;

/// Names that are tried before giving up; each is one of four thousand million.
const TRIES: u32 = 4;

/// A file on its way in. Dropped before its end, nothing is left of it.
pub struct Receiving<'a> {
    files: &'a Files,
    original: String,
    incoming: Box<dyn Incoming>,
    room: Kept,
    received: u64,
}

pub(super) fn too_large(most: u64) -> Error {
    let text = if most.is_multiple_of(1_048_576) {
        format!("File is larger than {} MB", most / 1_048_576)
    } else {
        format!("File is larger than {most} bytes")
    };
    Error::new(ErrorCode::TooLarge, text)
}

impl Files {
    /// Begins to receive a file that its owner calls `given`, of `expected` bytes if that is known.
    ///
    /// # Errors
    /// `Invalid` for a bad name, `TooLarge` when it is too large or there is no room.
    pub async fn receive(&self, ctx: &Ctx, given: &str, expected: Option<u64>) -> Result<Receiving<'_>> {
        let owner = ctx.authorize(Action::Store)?.user;
        let original = self.checked_name(given)?;
        if expected.is_some_and(|bytes| bytes > self.settings.file_bytes) {
            return Err(too_large(self.settings.file_bytes));
        }
        let room = self.room.keep(self.room.name(), owner, Pool::Files, expected.unwrap_or(0)).await?;
        let incoming = self.blobs.begin().await.map_err(disk)?;
        Ok(Receiving { files: self, original, incoming, room, received: 0 })
    }

    pub(super) fn checked_name(&self, given: &str) -> Result<String> {
        original_name(given, &self.settings.blocked).map_err(|e| Error::invalid("file", e.to_string()))
    }

    /// Writes down what arrived whole, in place of the room that was kept for it.
    pub(super) async fn file(&self, original: String, arrived: Arrived, room: &Kept) -> Result<FileRecord> {
        let owner = room.owner();
        let Arrived { blob, size, sha256 } = arrived;
        for _ in 0..TRIES {
            let mut chance = [0; 4];
            self.entropy.fill(&mut chance);
            let at = self.clock.now();
            let record = FileRecord {
                owner,
                name: stored_name(&original, at.secs(), u32::from_be_bytes(chance)),
                original: original.clone(),
                blob: blob.clone(),
                size,
                sha256: sha256.clone(),
                media_type: media_type(&original).into(),
                at,
            };
            match self.index.add_file(&record, room.id()).await? {
                Added::Done => return Ok(record),
                Added::Taken => {}
                Added::Full => {
                    self.drop_blob(&blob).await;
                    return Err(Error::new(ErrorCode::TooLarge, "There are too many files; delete some first"));
                }
            }
        }
        self.drop_blob(&blob).await;
        Err(Error::internal("no free name for a file"))
    }

    async fn drop_blob(&self, blob: &str) {
        if let Err(error) = self.blobs.remove(blob).await {
            tracing::warn!(%error, "bytes of no file stay for now");
        }
    }
}

impl Receiving<'_> {
    /// The next bytes.
    ///
    /// # Errors
    /// `TooLarge` when they are too many or there is no room.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.received += bytes.len() as u64;
        if self.received > self.files.settings.file_bytes {
            return Err(too_large(self.files.settings.file_bytes));
        }
        self.room.reach(self.received).await?;
        self.incoming.write(bytes).await.map_err(disk)
    }

    /// That was all: the file is there, whole and on the disk.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn finish(self) -> Result<FileRecord> {
        let Self { files, original, incoming, room, .. } = self;
        let arrived = incoming.finish().await.map_err(disk)?;
        let record = files.file(original, arrived, &room).await?;
        room.pass_on();
        Ok(record)
    }

    /// Stops, and gives the room back at once.
    pub async fn abandon(self) {
        drop(self.incoming);
        self.room.give_back().await;
    }
}
