//! Bytes under names of our own.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use orrery_kernel::{Clock, Entropy};
use orrery_storage::files::{Arrived, BlobError, Blobs, Incoming, Outgoing};
use rustix::buffer::spare_capacity;
use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, pread};
use sha2::{Digest, Sha256};

use crate::beneath::sync_folder;
use crate::disk::Disk;

/// What is gathered before it is written.
const WRITE_BYTES: usize = 262_144;

/// `blobs/ab/ab…` has what is whole, `arriving` what is not, `parts` what comes in parts.
#[derive(Clone)]
pub struct FsBlobs {
    root: Arc<Path>,
    disk: Disk,
}

/// Only names that were made here.
fn is_name(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Makes a folder for the server's user alone, with those above it.
pub(crate) fn own_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// `true`: it is gone, whoever took it.
fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

impl FsBlobs {
    /// Below `root`, which is made.
    ///
    /// # Errors
    /// When the folders cannot be made.
    pub fn open(root: &Path, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> io::Result<Self> {
        for folder in ["blobs", "arriving", "parts"] {
            own_folder(&root.join(folder))?;
        }
        Ok(Self { root: root.into(), disk: Disk::new(clock, entropy) })
    }

    fn place(&self, name: &str) -> PathBuf {
        let (first, _) = name.split_at(name.len().min(2));
        self.root.join("blobs").join(first).join(name)
    }

    fn part(&self, name: &str) -> PathBuf {
        self.root.join("parts").join(name)
    }
}

/// A file that is being written.
struct Writing {
    file: File,
    hash: Sha256,
    size: u64,
}

impl Writing {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }
}

/// Removes a file unless told otherwise.
struct Doomed(Option<PathBuf>);

impl Drop for Doomed {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // what stays is found by the next sweep
            let _ = std::fs::remove_file(path);
        }
    }
}

struct FsIncoming {
    blobs: FsBlobs,
    name: String,
    path: PathBuf,
    /// Taken while it is being written to.
    writing: Option<Writing>,
    waiting: BytesMut,
    doomed: Doomed,
    /// Some of it came before; its hash is not known.
    resumed: bool,
}

impl FsIncoming {
    async fn flush(&mut self) -> Result<(), BlobError> {
        const DOING: &str = "writing a file";
        let bytes = self.waiting.split().freeze();
        let broken = || BlobError { doing: DOING, cause: io::Error::other("an earlier write failed") };
        let mut writing = self.writing.take().ok_or_else(broken)?;
        let written = self.blobs.disk.run(DOING, move || {
            writing.put(&bytes)?;
            Ok(writing)
        });
        self.writing = Some(written.await?);
        Ok(())
    }
}

fn hash_of(file: &mut File) -> io::Result<(Sha256, u64)> {
    file.seek(SeekFrom::Start(0))?;
    let (mut hash, mut buffer, mut size) = (Sha256::new(), vec![0; WRITE_BYTES], 0);
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok((hash, size));
        }
        hash.update(buffer.get(..n).unwrap_or_default());
        size += n as u64;
    }
}

#[async_trait]
impl Incoming for FsIncoming {
    async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        self.waiting.extend_from_slice(&bytes);
        if self.waiting.len() >= WRITE_BYTES { self.flush().await } else { Ok(()) }
    }

    async fn finish(mut self: Box<Self>) -> Result<Arrived, BlobError> {
        const DOING: &str = "keeping a file";
        self.flush().await?;
        let broken = || BlobError { doing: DOING, cause: io::Error::other("an earlier write failed") };
        let mut writing = self.writing.take().ok_or_else(broken)?;
        let (from, place, resumed) = (self.path.clone(), self.blobs.place(&self.name), self.resumed);
        let done = self.blobs.disk.run(DOING, move || {
            writing.file.sync_all()?;
            if resumed {
                (writing.hash, writing.size) = hash_of(&mut writing.file)?;
            }
            let folder = place.parent().unwrap_or(&place).to_owned();
            own_folder(&folder)?;
            std::fs::rename(&from, &place)?;
            sync_folder(&folder)?;
            Ok((hex::encode(writing.hash.finalize()), writing.size))
        });
        let (sha256, size) = done.await?;
        self.doomed.0 = None;
        Ok(Arrived { blob: self.name.clone(), size, sha256 })
    }

    async fn pause(mut self: Box<Self>) -> Result<u64, BlobError> {
        self.flush().await?;
        let broken = || BlobError { doing: "pausing a file", cause: io::Error::other("an earlier write failed") };
        let writing = self.writing.take().ok_or_else(broken)?;
        let size = self.blobs.disk.run("pausing a file", move || {
            writing.file.sync_all()?;
            Ok(writing.size)
        });
        size.await
    }

    async fn rewind(&mut self, size: u64) -> Result<(), BlobError> {
        const DOING: &str = "taking back a part of a file";
        self.flush().await?;
        let broken = || BlobError { doing: DOING, cause: io::Error::other("an earlier write failed") };
        let mut writing = self.writing.take().ok_or_else(broken)?;
        let cut = self.blobs.disk.run(DOING, move || {
            writing.size = size.min(writing.size);
            writing.file.set_len(writing.size)?;
            writing.file.seek(SeekFrom::Start(writing.size))?;
            Ok(writing)
        });
        self.writing = Some(cut.await?);
        // the hash has seen more
        self.resumed = true;
        Ok(())
    }
}

struct FsOutgoing {
    disk: Disk,
    file: Arc<File>,
}

#[async_trait]
impl Outgoing for FsOutgoing {
    async fn read(&mut self, offset: u64, most: usize) -> Result<Bytes, BlobError> {
        // no file is so long, and the system would call it a fault
        if offset.saturating_add(most as u64) > i64::MAX.unsigned_abs() {
            return Ok(Bytes::new());
        }
        let file = self.file.clone();
        let read = self.disk.run("reading a file", move || {
            // not filled with zeros first
            let mut buffer = Vec::with_capacity(most);
            while buffer.len() < most {
                let at = offset + buffer.len() as u64;
                match pread(&file, spare_capacity(&mut buffer), at) {
                    Ok(0) => break,
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(e) => return Err(e.into()),
                }
            }
            buffer.truncate(most);
            Ok(Bytes::from(buffer))
        });
        read.await
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

#[async_trait]
impl Blobs for FsBlobs {
    async fn begin(&self) -> Result<Box<dyn Incoming>, BlobError> {
        let name = self.disk.name();
        let path = self.root.join("arriving").join(&name);
        let made = path.clone();
        let file = self.disk.run("beginning a file", move || create(&made)).await?;
        Ok(Box::new(FsIncoming {
            blobs: self.clone(),
            name,
            doomed: Doomed(Some(path.clone())),
            path,
            writing: Some(Writing { file, hash: Sha256::new(), size: 0 }),
            waiting: BytesMut::new(),
            resumed: false,
        }))
    }

    async fn begin_parts(&self, name: &str) -> Result<(), BlobError> {
        let path = self.part(name);
        let good = is_name(name);
        let made = self.disk.run("beginning a file", move || {
            if good { create(&path).map(|_| ()) } else { Err(io::Error::from(io::ErrorKind::InvalidInput)) }
        });
        made.await
    }

    async fn arrived(&self, name: &str) -> Result<Option<u64>, BlobError> {
        if !is_name(name) {
            return Ok(None);
        }
        let path = self.part(name);
        let size = self.disk.run("looking at a file", move || match std::fs::metadata(&path) {
            Ok(found) => Ok(Some(found.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        });
        size.await
    }

    async fn resume(&self, name: &str, offset: u64) -> Result<Option<Box<dyn Incoming>>, BlobError> {
        if !is_name(name) {
            return Ok(None);
        }
        let path = self.part(name);
        let opened = path.clone();
        let file = self.disk.run("resuming a file", move || {
            let mut file = match OpenOptions::new().read(true).write(true).open(&opened) {
                Ok(file) => file,
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(e) => return Err(e),
            };
            // the lock is the open file's and ends with it, in whatever process that is
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(e) => return Err(e.into()),
            }
            // the same name may be another file by now
            if !opened.exists() || file.seek(SeekFrom::End(0))? != offset {
                return Ok(None);
            }
            Ok(Some(file))
        });
        let Some(file) = file.await? else { return Ok(None) };
        Ok(Some(Box::new(FsIncoming {
            blobs: self.clone(),
            name: name.to_owned(),
            path,
            writing: Some(Writing { file, hash: Sha256::new(), size: offset }),
            waiting: BytesMut::new(),
            doomed: Doomed(None),
            resumed: true,
        })))
    }

    async fn abandon(&self, name: &str) -> Result<(), BlobError> {
        let path = is_name(name).then(|| self.part(name));
        self.disk.run("dropping a file", move || path.map_or(Ok(()), |path| gone(std::fs::remove_file(path)))).await
    }

    async fn open(&self, blob: &str) -> Result<Option<Box<dyn Outgoing>>, BlobError> {
        if !is_name(blob) {
            return Ok(None);
        }
        let path = self.place(blob);
        let file = self.disk.run("opening a file", move || match File::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        });
        let disk = self.disk.clone();
        Ok(file.await?.map(|file| Box::new(FsOutgoing { disk, file: Arc::new(file) }) as Box<dyn Outgoing>))
    }

    async fn remove(&self, blob: &str) -> Result<(), BlobError> {
        let path = is_name(blob).then(|| self.place(blob));
        self.disk.run("dropping a file", move || path.map_or(Ok(()), |path| gone(std::fs::remove_file(path)))).await
    }

    async fn old(&self) -> Result<Vec<String>, BlobError> {
        let (root, disk) = (self.root.clone(), self.disk.clone());
        let found = self.disk.run("looking for old files", move || {
            for entry in std::fs::read_dir(root.join("arriving"))? {
                let entry = entry?;
                if disk.is_old(&entry.metadata()) {
                    gone(std::fs::remove_file(entry.path()))?;
                }
            }
            let mut old = Vec::new();
            for folder in std::fs::read_dir(root.join("blobs"))? {
                for entry in std::fs::read_dir(folder?.path())? {
                    let entry = entry?;
                    if disk.is_old(&entry.metadata()) {
                        old.extend(entry.file_name().into_string().ok().filter(|name| is_name(name)));
                    }
                }
            }
            Ok(old)
        });
        found.await
    }
}
