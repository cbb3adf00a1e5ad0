//! Folders of programs: `<owner>/<id>` has what is whole, `arriving` what is not.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use orrery_kernel::{Clock, Entropy, UserId};
use orrery_storage::files::BlobError;
use orrery_storage::programs::{Folders, Language, NewFolder, Planner, UnpackError};
use orrery_storage::zip::Planned;

use crate::beneath::{Beneath, runnable, sync_folder};
use crate::blobs::own_folder;
use crate::disk::Disk;
use crate::remove::remove;
use crate::unpack;

/// Name of the folder of what is on its way; no owner's, which are numbers.
const ARRIVING: &str = "arriving";
/// Bytes of a file that tell what it is.
const BEGINNING: usize = 256;

/// Folders below one of their own.
#[derive(Clone)]
pub struct FsFolders {
    root: Arc<Path>,
    disk: Disk,
}

/// Only ids as they are given out.
fn is_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=64).contains(&id.len()) && id.bytes().all(plain)
}

impl FsFolders {
    /// Below `root`, which is made.
    ///
    /// # Errors
    /// When the folders cannot be made.
    pub fn open(root: &Path, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> io::Result<Self> {
        own_folder(&root.join(ARRIVING))?;
        Ok(Self { root: root.into(), disk: Disk::new(clock, entropy) })
    }
}

/// A folder and what of it is open.
struct Open {
    path: PathBuf,
    folder: Beneath,
    file: Option<File>,
}

impl Open {
    fn archive(&self) -> PathBuf {
        self.path.with_extension("zip")
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // what stays is found by the next sweep; what was moved is not there any more
        let _ = std::fs::remove_file(self.archive());
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

struct FsNewFolder {
    disk: Disk,
    root: Arc<Path>,
    // used by one call at a time, off the threads that serve requests
    open: Arc<Mutex<Open>>,
}

impl FsNewFolder {
    async fn with<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Open) -> io::Result<T> + Send + 'static,
    ) -> Result<T, BlobError> {
        let open = self.open.clone();
        self.disk.run(doing, move || work(&mut open.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

fn no_file() -> io::Error {
    io::Error::other("no file was begun")
}

#[async_trait]
impl NewFolder for FsNewFolder {
    async fn create(&mut self, path: &str) -> Result<(), BlobError> {
        let path = path.to_owned();
        let made = self.with("making a program's file", move |open| {
            let file = open.folder.create(&path)?;
            // scripts are started by their interpreter, but others may start them by their name
            runnable(&file, Language::of(&path, b"").runs())?;
            open.file = Some(file);
            Ok(())
        });
        made.await
    }

    async fn create_archive(&mut self) -> Result<(), BlobError> {
        let made = self.with("beginning an archive", |open| {
            let path = open.archive();
            open.file = Some(std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(path)?);
            Ok(())
        });
        made.await
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        self.with("writing a program's file", move |open| open.file.as_mut().ok_or_else(no_file)?.write_all(&bytes))
            .await
    }

    async fn mark_runnable(&mut self) -> Result<(), BlobError> {
        self.with("marking a program", |open| runnable(open.file.as_ref().ok_or_else(no_file)?, true)).await
    }

    async fn plan(&mut self, planner: &Planner) -> Result<Vec<Planned>, UnpackError> {
        let (open, planner) = (self.open.clone(), planner.clone());
        let planned = self.disk.anything(move || {
            let open = open.lock().unwrap_or_else(PoisonError::into_inner);
            unpack::plan(open.file.as_ref().ok_or_else(no_file)?, &planner)
        });
        planned.await.map_err(unpack::Fault::into_error)
    }

    async fn unpack(&mut self, planned: &[Planned]) -> Result<Vec<Bytes>, UnpackError> {
        let (open, planned) = (self.open.clone(), planned.to_vec());
        let unpacked = self.disk.anything(move || {
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            let archive = open.file.take().ok_or_else(no_file)?;
            let all = planned.iter().map(|planned| {
                let mut file = open.folder.create(&planned.path)?;
                let beginning = unpack::unpack(&archive, planned, &mut file, BEGINNING)?;
                runnable(&file, Language::of(&planned.path, &beginning).runs())?;
                Ok(Bytes::from(beginning))
            });
            let all = all.collect::<Result<Vec<_>, unpack::Fault>>()?;
            std::fs::remove_file(open.archive())?;
            Ok(all)
        });
        unpacked.await.map_err(unpack::Fault::into_error)
    }

    async fn finish(self: Box<Self>, owner: UserId, id: &str) -> Result<(), BlobError> {
        let place = self.root.join(owner.to_string()).join(id);
        let good = is_id(id);
        let moved = self.with("keeping a program", move |open| {
            if !good {
                return Err(io::Error::from(io::ErrorKind::InvalidInput));
            }
            open.file = None;
            let above = place.parent().unwrap_or(&place).to_owned();
            own_folder(&above)?;
            open.folder.sync()?;
            // renaming onto a folder that has something in it is an error, so that ids stay unique
            std::fs::rename(&open.path, &place)?;
            sync_folder(&above)
        });
        moved.await
    }
}

#[async_trait]
impl Folders for FsFolders {
    async fn begin(&self) -> Result<Box<dyn NewFolder>, BlobError> {
        let path = self.root.join(ARRIVING).join(self.disk.name());
        let made = self.disk.run("beginning a program", move || {
            std::fs::create_dir(&path)?;
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
            Ok(Open { folder: Beneath::open(&path)?, path, file: None })
        });
        let open = Arc::new(Mutex::new(made.await?));
        Ok(Box::new(FsNewFolder { disk: self.disk.clone(), root: self.root.clone(), open }))
    }

    fn path(&self, owner: UserId, id: &str) -> PathBuf {
        // an id that is none of ours has no folder
        self.root.join(owner.to_string()).join(if is_id(id) { id } else { "none" })
    }

    async fn beginning(&self, owner: UserId, id: &str, path: &str, most: usize) -> Result<Option<Bytes>, BlobError> {
        let (folder, path) = (self.path(owner, id), path.to_owned());
        let read = self.disk.run("reading a program", move || {
            let found = Beneath::open(&folder).and_then(|folder| folder.read(&path));
            let file = match found {
                Ok(file) => file,
                Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) => return Ok(None),
                // a link, a folder in a file's place: programs may have changed what is theirs
                Err(e) if e.raw_os_error().is_some() => return Ok(None),
                Err(e) => return Err(e),
            };
            let mut bytes = Vec::with_capacity(most.min(65_536));
            file.take(most as u64).read_to_end(&mut bytes)?;
            Ok(Some(Bytes::from(bytes)))
        });
        read.await
    }

    async fn remove(&self, owner: UserId, id: &str) -> Result<(), BlobError> {
        if !is_id(id) {
            return Ok(());
        }
        let path = self.path(owner, id);
        self.disk.run("dropping a program", move || remove(&path)).await
    }

    async fn old(&self) -> Result<Vec<(UserId, String)>, BlobError> {
        let (root, disk) = (self.root.clone(), self.disk.clone());
        let found = self.disk.run("looking for old programs", move || {
            let mut old = Vec::new();
            for owner in std::fs::read_dir(&root)? {
                let owner = owner?;
                let user = owner.file_name().to_str().and_then(|name| name.parse().ok()).map(UserId);
                for entry in std::fs::read_dir(owner.path())? {
                    let entry = entry?;
                    if !disk.is_old(&entry.metadata()) {
                        continue;
                    }
                    match (user, entry.file_name().into_string()) {
                        (Some(user), Ok(id)) if is_id(&id) => old.push((user, id)),
                        (None, _) => {
                            let path = entry.path();
                            let dropped =
                                if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
                            dropped?;
                        }
                        _ => {}
                    }
                }
            }
            Ok(old)
        });
        found.await
    }
}
