//! The directories that users' commands work in: `<root>/<user>`.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use orrery_exec::{RunError, Workspaces};
use orrery_kernel::{Clock, Entropy, UserId};
use orrery_storage::files::BlobError;

use crate::disk::Disk;
use crate::remove::remove;

/// Directories below one of their own.
#[derive(Clone)]
pub struct FsWorkspaces {
    root: Arc<Path>,
    disk: Disk,
}

impl FsWorkspaces {
    /// Below `root`, which is made once somebody needs it.
    pub fn new(root: &Path, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { root: root.into(), disk: Disk::new(clock, entropy) }
    }

    fn place(&self, user: UserId) -> PathBuf {
        self.root.join(user.to_string())
    }
}

fn unavailable(error: &BlobError) -> RunError {
    RunError::Unavailable(format!("{}: {}", error.doing, error.cause.kind()))
}

#[async_trait]
impl Workspaces for FsWorkspaces {
    async fn workspace(&self, user: UserId) -> Result<PathBuf, RunError> {
        let path = self.place(user);
        let made = self.disk.run("making a directory for commands", move || {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
            // links on the way would lead the sandbox astray
            std::fs::canonicalize(&path)
        });
        made.await.map_err(|error| unavailable(&error))
    }

    async fn remove(&self, user: UserId) -> Result<(), RunError> {
        let path = self.place(user);
        self.disk
            .run("dropping a directory of commands", move || remove(&path))
            .await
            .map_err(|error| unavailable(&error))
    }

    async fn owners(&self) -> Result<Vec<UserId>, RunError> {
        let root = self.root.clone();
        let found = self.disk.run("looking for directories of commands", move || {
            let entries = match std::fs::read_dir(&root) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                entries => entries?,
            };
            let mut owners = Vec::new();
            for entry in entries {
                owners.extend(entry?.file_name().to_str().and_then(|name| name.parse().ok()).map(UserId));
            }
            Ok(owners)
        });
        found.await.map_err(|error| unavailable(&error))
    }
}
