//! Bytes of files, and folders of programs, in process.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use orrery_kernel::{Entropy, UserId};
use orrery_storage::files::{Arrived, BlobError, Blobs, Incoming, Outgoing};
use orrery_storage::programs::{Folders, NewFolder, Planner, UnpackError};
use orrery_storage::zip::Planned;

use crate::archive;

/// Bytes of a file that tell what it is.
const BEGINNING: usize = 256;

fn lock<T>(inner: &Mutex<T>) -> MutexGuard<'_, T> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(doing: &'static str) -> BlobError {
    BlobError { doing, cause: std::io::Error::other("not there, or there already") }
}

#[derive(Default)]
struct Kept {
    whole: BTreeMap<String, Bytes>,
    parts: BTreeMap<String, BytesMut>,
    coming: BTreeSet<String>,
}

/// Bytes in memory; lost with the process.
#[derive(Clone)]
pub struct MemoryBlobs {
    kept: Arc<Mutex<Kept>>,
    entropy: Arc<dyn Entropy>,
}

impl MemoryBlobs {
    /// Nothing yet.
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { kept: Arc::default(), entropy }
    }
}

struct Coming {
    kept: Arc<Mutex<Kept>>,
    name: String,
    bytes: BytesMut,
    in_parts: bool,
}

impl Drop for Coming {
    fn drop(&mut self) {
        lock(&self.kept).coming.remove(&self.name);
    }
}

#[async_trait]
impl Incoming for Coming {
    async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Arrived, BlobError> {
        let bytes = std::mem::take(&mut self.bytes).freeze();
        let sha256 = hex::encode(orrery_crypto::sha256(&bytes));
        let arrived = Arrived { blob: self.name.clone(), size: bytes.len() as u64, sha256 };
        let mut kept = lock(&self.kept);
        kept.parts.remove(&self.name);
        kept.whole.insert(self.name.clone(), bytes);
        Ok(arrived)
    }

    async fn pause(mut self: Box<Self>) -> Result<u64, BlobError> {
        let bytes = std::mem::take(&mut self.bytes);
        let size = bytes.len() as u64;
        if self.in_parts {
            lock(&self.kept).parts.insert(self.name.clone(), bytes);
        }
        Ok(size)
    }

    async fn rewind(&mut self, size: u64) -> Result<(), BlobError> {
        self.bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        Ok(())
    }
}

struct Read(Bytes);

#[async_trait]
impl Outgoing for Read {
    async fn read(&mut self, offset: u64, most: usize) -> Result<Bytes, BlobError> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        Ok(self.0.slice(from..from.saturating_add(most).min(self.0.len())))
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn begin(&self) -> Result<Box<dyn Incoming>, BlobError> {
        let mut bits = [0; 16];
        self.entropy.fill(&mut bits);
        let (kept, name) = (self.kept.clone(), hex::encode(bits));
        Ok(Box::new(Coming { kept, name, bytes: BytesMut::new(), in_parts: false }))
    }

    async fn begin_parts(&self, name: &str) -> Result<(), BlobError> {
        let mut kept = lock(&self.kept);
        if kept.parts.contains_key(name) {
            return Err(refused("beginning a file"));
        }
        kept.parts.insert(name.to_owned(), BytesMut::new());
        Ok(())
    }

    async fn arrived(&self, name: &str) -> Result<Option<u64>, BlobError> {
        Ok(lock(&self.kept).parts.get(name).map(|bytes| bytes.len() as u64))
    }

    async fn resume(&self, name: &str, offset: u64) -> Result<Option<Box<dyn Incoming>>, BlobError> {
        let mut kept = lock(&self.kept);
        let there = kept.parts.get(name).filter(|bytes| bytes.len() as u64 == offset).cloned();
        let Some(bytes) = there.filter(|_| !kept.coming.contains(name)) else { return Ok(None) };
        kept.coming.insert(name.to_owned());
        Ok(Some(Box::new(Coming { kept: self.kept.clone(), name: name.to_owned(), bytes, in_parts: true })))
    }

    async fn abandon(&self, name: &str) -> Result<(), BlobError> {
        lock(&self.kept).parts.remove(name);
        Ok(())
    }

    async fn open(&self, blob: &str) -> Result<Option<Box<dyn Outgoing>>, BlobError> {
        let found = lock(&self.kept).whole.get(blob).cloned();
        Ok(found.map(|bytes| Box::new(Read(bytes)) as Box<dyn Outgoing>))
    }

    async fn remove(&self, blob: &str) -> Result<(), BlobError> {
        lock(&self.kept).whole.remove(blob);
        Ok(())
    }

    async fn old(&self) -> Result<Vec<String>, BlobError> {
        Ok(Vec::new())
    }
}

type Files = BTreeMap<String, BytesMut>;

/// Folders in memory; lost with the process. Nothing can be run in them.
#[derive(Clone, Default)]
pub struct MemoryFolders(Arc<Mutex<BTreeMap<(UserId, String), Files>>>);

/// What is written to.
enum Last {
    Nothing,
    Archive,
    File(String),
}

struct New {
    folders: MemoryFolders,
    files: Files,
    archive: BytesMut,
    last: Last,
}

#[async_trait]
impl NewFolder for New {
    async fn create(&mut self, path: &str) -> Result<(), BlobError> {
        if self.files.contains_key(path) {
            return Err(refused("making a program's file"));
        }
        self.files.insert(path.to_owned(), BytesMut::new());
        self.last = Last::File(path.to_owned());
        Ok(())
    }

    async fn mark_runnable(&mut self) -> Result<(), BlobError> {
        Ok(())
    }

    async fn create_archive(&mut self) -> Result<(), BlobError> {
        self.last = Last::Archive;
        Ok(())
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        let file = match &self.last {
            Last::Archive => Some(&mut self.archive),
            Last::File(path) => self.files.get_mut(path),
            Last::Nothing => None,
        };
        file.ok_or_else(|| refused("writing a program's file"))?.extend_from_slice(&bytes);
        Ok(())
    }

    async fn plan(&mut self, planner: &Planner) -> Result<Vec<Planned>, UnpackError> {
        Ok(archive::plan(&self.archive, planner)?)
    }

    async fn unpack(&mut self, planned: &[Planned]) -> Result<Vec<Bytes>, UnpackError> {
        let archive = std::mem::take(&mut self.archive);
        let mut beginnings = Vec::with_capacity(planned.len());
        for planned in planned {
            let bytes = archive::unpack(&archive, planned)?;
            beginnings.push(Bytes::copy_from_slice(bytes.get(..BEGINNING).unwrap_or(&bytes)));
            self.files.insert(planned.path.clone(), bytes.as_slice().into());
        }
        Ok(beginnings)
    }

    async fn finish(self: Box<Self>, owner: UserId, id: &str) -> Result<(), BlobError> {
        let Self { folders, files, .. } = *self;
        match lock(&folders.0).entry((owner, id.to_owned())) {
            Entry::Vacant(place) => place.insert(files),
            Entry::Occupied(_) => return Err(refused("keeping a program")),
        };
        Ok(())
    }
}

#[async_trait]
impl Folders for MemoryFolders {
    async fn begin(&self) -> Result<Box<dyn NewFolder>, BlobError> {
        let (folders, archive) = (self.clone(), BytesMut::new());
        Ok(Box::new(New { folders, files: Files::new(), archive, last: Last::Nothing }))
    }

    fn path(&self, owner: UserId, id: &str) -> PathBuf {
        PathBuf::from(format!("/nowhere/{owner}/{id}"))
    }

    async fn beginning(&self, owner: UserId, id: &str, path: &str, most: usize) -> Result<Option<Bytes>, BlobError> {
        let folders = lock(&self.0);
        let file = folders.get(&(owner, id.to_owned())).and_then(|files| files.get(path));
        Ok(file.map(|bytes| bytes.clone().freeze().slice(..most.min(bytes.len()))))
    }

    async fn remove(&self, owner: UserId, id: &str) -> Result<(), BlobError> {
        lock(&self.0).remove(&(owner, id.to_owned()));
        Ok(())
    }

    async fn old(&self) -> Result<Vec<(UserId, String)>, BlobError> {
        Ok(Vec::new())
    }
}
