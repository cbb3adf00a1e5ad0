//! Programs of users: upload, list, what is run. Running them is somebody else's.

mod receiving;
mod runs;

use std::sync::Arc;

use orrery_identity::{Action, Caller};
use orrery_kernel::{Clock, Entropy, Error, ErrorCode, Result, UserId};
use orrery_storage::files::{FileIndex, Pool, Usage};
use orrery_storage::programs::{Folders, Kind, Program, ProgramFile, ProgramIndex};

pub use receiving::{NewProgram, Receiving};
pub use runs::{NoMainFile, Runnable};

use crate::Ctx;
use crate::auth::Auth;
use crate::files::{FileParts, FileSettings, Room, disk};

/// Programs' use cases.
pub struct Programs {
    index: Arc<dyn ProgramIndex>,
    files: Arc<dyn FileIndex>,
    folders: Arc<dyn Folders>,
    auth: Arc<Auth>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: FileSettings,
    room: Room,
}

fn not_found() -> Error {
    Error::new(ErrorCode::NotFound, "Program not found")
}

impl Programs {
    pub(crate) fn new(
        parts: &FileParts,
        auth: Arc<Auth>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: FileSettings,
    ) -> Self {
        let room = Room::new(parts.index.clone(), clock.clone(), entropy.clone(), settings.quota);
        let (index, files, folders) = (parts.programs.clone(), parts.index.clone(), parts.folders.clone());
        Self { index, files, folders, auth, clock, entropy, settings, room }
    }

    /// Do store and disk answer?
    pub async fn works(&self) -> bool {
        let nothing = self.folders.beginning(Caller::LOCAL, "none", "none", 1).await;
        self.index.knows(Caller::LOCAL, "").await.is_ok() && nothing.is_ok()
    }

    /// The caller's programs, newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn list(&self, ctx: &Ctx) -> Result<Vec<Program>> {
        let owner = ctx.authorize(Action::ReadOwn)?.user;
        Ok(self.index.programs(owner).await?)
    }

    /// One of the caller's programs by id, or the newest one of that name.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn find(&self, ctx: &Ctx, id_or_name: &str) -> Result<Program> {
        let owner = ctx.authorize(Action::ReadOwn)?.user;
        self.of(owner, id_or_name).await
    }

    async fn of(&self, owner: UserId, id_or_name: &str) -> Result<Program> {
        if let Some(found) = self.index.program(owner, id_or_name).await? {
            return Ok(found);
        }
        let all = self.index.programs(owner).await?;
        let named = |p: &Program| p.name == id_or_name || p.original == id_or_name;
        all.into_iter().find(named).ok_or_else(not_found)
    }

    /// The files of one of the caller's programs, in the order of their upload.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn files(&self, ctx: &Ctx, program: &Program) -> Result<Vec<ProgramFile>> {
        let owner = ctx.authorize(Action::ReadOwn)?.user;
        Ok(self.index.program_files(owner, &program.id).await?)
    }

    /// What the caller's programs take.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn usage(&self, ctx: &Ctx) -> Result<Usage> {
        let owner = ctx.authorize(Action::ReadOwn)?.user;
        Ok(self.files.usage(owner, Pool::Programs, ctx.now).await?)
    }

    /// Says which file of a project is run.
    ///
    /// # Errors
    /// `NotFound` for the project, `Invalid` when it has no such file.
    pub async fn set_main(&self, ctx: &Ctx, id: &str, path: &str) -> Result<Program> {
        let owner = ctx.authorize(Action::Store)?.user;
        let program = self.of(owner, id).await?;
        if program.kind != Kind::Project {
            return Err(Error::invalid("project_id", "This program is not a project"));
        }
        let files = self.index.program_files(owner, &program.id).await?;
        let invalid = || Error::invalid("main_file", "The project has no such file");
        let file = files.into_iter().find(|file| file.path == path).ok_or_else(invalid)?;
        if !self.index.set_main(owner, &program.id, &file.path, file.language).await? {
            return Err(not_found());
        }
        Ok(Program { main_file: Some(file.path), language: file.language, ..program })
    }

    /// Deletes one of the caller's programs.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn remove(&self, ctx: &Ctx, id_or_name: &str) -> Result<Program> {
        let owner = ctx.authorize(Action::Store)?.user;
        let program = self.of(owner, id_or_name).await?;
        if !self.index.remove_program(owner, &program.id).await? {
            return Err(not_found());
        }
        if let Err(error) = self.folders.remove(owner, &program.id).await {
            // it cannot be run any more; the sweep drops it
            tracing::warn!(%error, "a deleted program's folder stays for now");
        }
        self.auth.record_act(ctx, "program_delete", format!("program:{}", program.id)).await;
        Ok(program)
    }

    /// Drops folders that belong to no program.
    ///
    /// # Errors
    /// When the store or the disk does not answer.
    pub async fn sweep_once(&self) -> Result<()> {
        self.room.tidy().await;
        for (owner, id) in self.folders.old().await.map_err(disk)? {
            if !self.index.knows(owner, &id).await? {
                self.folders.remove(owner, &id).await.map_err(disk)?;
            }
        }
        Ok(())
    }
}
