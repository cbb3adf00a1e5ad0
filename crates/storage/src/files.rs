//! Files that users keep: what is known of them, and the bound on what they take.

use async_trait::async_trait;
use bytes::Bytes;
use orrery_kernel::{StoreError, Timestamp, UserId};

/// Most files of an owner.
pub const FILES_MAX: u64 = 10_000;
/// Most resumable uploads of an owner at a time.
pub const UPLOADS_MAX: u64 = 100;

/// A kept file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// Whose.
    pub owner: UserId,
    /// The name it is asked for by.
    pub name: String,
    /// What its owner calls it.
    pub original: String,
    /// Where its bytes are.
    pub blob: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// Media type.
    pub media_type: String,
    /// When it was uploaded.
    pub at: Timestamp,
}

/// What a bound is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pool {
    /// Files.
    Files,
    /// Programs.
    Programs,
}

impl Pool {
    /// The name in stores.
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Programs => "programs",
        }
    }
}

/// Room that is kept for what is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its name.
    pub id: String,
    /// Whose room.
    pub owner: UserId,
    /// In what.
    pub pool: Pool,
    /// Bytes.
    pub bytes: u64,
    /// When it counts no more, should its process have ended.
    pub until: Timestamp,
}

/// Is there room?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is kept.
    Yes,
    /// There is not so much; nothing changed.
    Full,
}

/// Result of an insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is there.
    Done,
    /// The name is taken; nothing changed.
    Taken,
    /// The owner has as many as anybody may; nothing changed.
    Full,
}

/// What an owner has in a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of what is kept.
    pub bytes: u64,
    /// Bytes on their way.
    pub held: u64,
    /// How many.
    pub count: u64,
}

/// A resumable upload that is not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its name; also that of the bytes that are there, and of the room that is kept for it.
    pub id: String,
    /// Whose.
    pub owner: UserId,
    /// What its owner calls the file.
    pub original: String,
    /// Bytes when it is whole.
    pub length: u64,
    /// What the client sent along, as it came.
    pub metadata: String,
    /// When it is dropped.
    pub until: Timestamp,
}

/// Keeps what is known of files. Passes the contract suite in `orrery-testkit`.
///
/// What is kept and what is held never exceeds the bound, whoever asks at the same time.
#[async_trait]
pub trait FileIndex: Send + Sync {
    /// Keeps room, or changes how much `hold.id` keeps. At `now` all that counts in its pool is at most `quota` bytes
    /// afterwards.
    async fn hold(&self, hold: &Hold, quota: u64, now: Timestamp) -> Result<Held, StoreError>;
    /// Gives room back; giving it back twice is fine.
    async fn release(&self, id: &str) -> Result<(), StoreError>;
    /// What counts at `now`.
    async fn usage(&self, owner: UserId, pool: Pool, now: Timestamp) -> Result<Usage, StoreError>;

    /// Adds a file in place of the room that was kept for it.
    async fn add_file(&self, file: &FileRecord, hold: &str) -> Result<Added, StoreError>;
    /// A file by name.
    async fn file(&self, owner: UserId, name: &str) -> Result<Option<FileRecord>, StoreError>;
    /// An owner's files, newest first, at most [`FILES_MAX`].
    async fn files(&self, owner: UserId) -> Result<Vec<FileRecord>, StoreError>;
    /// Drops a file; gives what it was.
    async fn remove_file(&self, owner: UserId, name: &str) -> Result<Option<FileRecord>, StoreError>;
    /// The owner's file that has the bytes of that name.
    async fn file_of(&self, owner: UserId, blob: &str) -> Result<Option<FileRecord>, StoreError>;
    /// Is there a file or an upload with these bytes?
    async fn uses(&self, blob: &str) -> Result<bool, StoreError>;

    /// Begins a resumable upload, or changes when it is dropped. [`Added::Full`] beyond [`UPLOADS_MAX`].
    async fn put_upload(&self, upload: &Upload) -> Result<Added, StoreError>;
    /// A resumable upload.
    async fn upload(&self, owner: UserId, id: &str) -> Result<Option<Upload>, StoreError>;
    /// Drops one, with the room it kept. `false`: there is none.
    async fn remove_upload(&self, id: &str) -> Result<bool, StoreError>;
    /// Uploads that are over at `now`, at most `limit`.
    async fn uploads_over(&self, now: Timestamp, limit: u32) -> Result<Vec<Upload>, StoreError>;

    /// Drops all files and uploads of an owner, and the room that was kept for them and for programs. Gives the names of
    /// their bytes.
    async fn forget_files(&self, owner: UserId) -> Result<Vec<String>, StoreError>;
    /// Who keeps anything here: documents, files, uploads or programs. By id, those above `after`, at most `limit`.
    async fn owners(&self, after: UserId, limit: u32) -> Result<Vec<UserId>, StoreError>;
}

/// The disk does not do what it should.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {cause}")]
pub struct BlobError {
    /// What was being done; no path.
    pub doing: &'static str,
    /// The system's word.
    #[source]
    pub cause: std::io::Error,
}

/// Bytes that arrived whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Their name.
    pub blob: String,
    /// How many.
    pub size: u64,
    /// SHA-256 in hex.
    pub sha256: String,
}

/// Bytes on their way to the disk. Dropped before its end, nothing is left of it.
#[async_trait]
pub trait Incoming: Send {
    /// The next ones.
    async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError>;
    /// That was all: afterwards they are on the disk, whole. What came in parts keeps its name.
    async fn finish(self: Box<Self>) -> Result<Arrived, BlobError>;
    /// Stops with what has come so far, which is kept to be added to.
    async fn pause(self: Box<Self>) -> Result<u64, BlobError>;
    /// Drops all but the first `size` bytes.
    async fn rewind(&mut self, size: u64) -> Result<(), BlobError>;
}

/// Bytes to be read.
#[async_trait]
pub trait Outgoing: Send {
    /// At most `most` bytes from `offset`; fewer at the end, none beyond it.
    async fn read(&mut self, offset: u64, most: usize) -> Result<Bytes, BlobError>;
}

/// Keeps bytes under names of its own.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Begins new ones.
    async fn begin(&self) -> Result<Box<dyn Incoming>, BlobError>;
    /// Begins some that come in parts, under a name; nothing has come yet.
    async fn begin_parts(&self, name: &str) -> Result<(), BlobError>;
    /// How many bytes have come under the name. `None`: there is no such.
    async fn arrived(&self, name: &str) -> Result<Option<u64>, BlobError>;
    /// Goes on after `offset` bytes, which have come. `None`: others have, or are coming right now.
    async fn resume(&self, name: &str, offset: u64) -> Result<Option<Box<dyn Incoming>>, BlobError>;
    /// Drops what came in parts.
    async fn abandon(&self, name: &str) -> Result<(), BlobError>;
    /// Opens bytes. `None`: there are none of that name.
    async fn open(&self, blob: &str) -> Result<Option<Box<dyn Outgoing>>, BlobError>;
    /// Drops bytes; dropping them twice is fine.
    async fn remove(&self, blob: &str) -> Result<(), BlobError>;
    /// Names of all bytes that are at least a day old, and drops what never arrived and is as old.
    async fn old(&self) -> Result<Vec<String>, BlobError>;
}
