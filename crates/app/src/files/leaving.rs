//! What users keep goes with them.

use std::sync::Arc;

use orrery_identity::{Caller, IdentityStore};
use orrery_kernel::{Result, UserId};
use orrery_storage::data::DataStore;
use orrery_storage::files::{Blobs, FileIndex};
use orrery_storage::programs::{Folders, ProgramIndex};

use super::{FileParts, disk};

/// Owners looked at a time.
const PAGE: u32 = 500;

/// Drops the documents, files and programs of those who are gone.
#[derive(Clone)]
pub struct Leaving {
    data: Arc<dyn DataStore>,
    files: Arc<dyn FileIndex>,
    blobs: Arc<dyn Blobs>,
    programs: Arc<dyn ProgramIndex>,
    folders: Arc<dyn Folders>,
}

impl Leaving {
    /// Of what is kept there.
    pub fn new(data: Arc<dyn DataStore>, parts: &FileParts) -> Self {
        let FileParts { index, blobs, programs, folders } = parts.clone();
        Self { data, files: index, blobs, programs, folders }
    }

    /// Drops everything that an owner kept; doing it twice is fine. Room is free at once. Bytes that the disk does not
    /// give up now are dropped by a sweep, for they are nobody's.
    ///
    /// # Errors
    /// When a store does not answer.
    pub async fn forget(&self, owner: UserId) -> Result<()> {
        self.data.forget_documents(owner).await?;
        let mut kept = Ok(());
        for name in self.files.forget_files(owner).await? {
            let dropped = self.blobs.remove(&name).await.and(self.blobs.abandon(&name).await);
            kept = kept.and(dropped);
        }
        for id in self.programs.forget_programs(owner).await? {
            kept = kept.and(self.folders.remove(owner, &id).await);
        }
        kept.map_err(disk)
    }

    /// Drops what is kept for users that are no more: a process that ended in between, a deletion at the command line,
    /// an upload that came last.
    ///
    /// # Errors
    /// When a store does not answer.
    pub async fn sweep(&self, users: &dyn IdentityStore) -> Result<()> {
        let mut after = Caller::LOCAL;
        loop {
            let owners = self.files.owners(after, PAGE).await?;
            let Some(last) = owners.last().copied() else { return Ok(()) };
            for owner in owners {
                if users.user(owner).await?.is_none() {
                    self.forget(owner).await?;
                }
            }
            after = last;
        }
    }
}
