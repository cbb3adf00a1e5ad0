//! What is run, and that it was.

use std::path::PathBuf;

use orrery_identity::Action;
use orrery_kernel::{Error, ErrorCode, Result};
use orrery_storage::programs::{Kind, Language, Program, ProgramFile, Run};

use super::{Programs, not_found};
use crate::Ctx;
use crate::files::disk;

/// Bytes of a file that tell what it is.
const BEGINNING: usize = 256;
/// Characters of a command that are remembered.
const COMMAND_CHARS_MAX: usize = 1_000;

/// A program that can be run.
#[derive(Clone, Debug)]
pub struct Runnable {
    /// What it is.
    pub program: Program,
    /// Its folder, which it is run in. Never shown.
    pub folder: PathBuf,
    /// The file that is run, below the folder.
    pub file: String,
    /// What runs it; of a `Binary` the file itself.
    pub language: Language,
}

/// A project has no main file; one of these may be it.
#[derive(Clone, Debug)]
pub struct NoMainFile {
    /// The project.
    pub program: Program,
    /// Its files; their languages say which of them anything runs.
    pub candidates: Vec<ProgramFile>,
}

impl Programs {
    /// What is run when a program of the caller's is: its main file, or `file` of a project.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a file that the project does not have or that nothing runs.
    pub async fn runnable(
        &self,
        ctx: &Ctx,
        id_or_name: &str,
        file: Option<&str>,
    ) -> Result<std::result::Result<Runnable, NoMainFile>> {
        let owner = ctx.authorize(Action::Execute)?.user;
        let program = self.of(owner, id_or_name).await?;
        let file = match (file, &program.main_file) {
            (Some(file), _) => file.to_owned(),
            (None, Some(main)) => main.clone(),
            (None, None) => {
                let candidates = self.index.program_files(owner, &program.id).await?;
                return Ok(Err(NoMainFile { program, candidates }));
            }
        };
        let known = self.index.program_files(owner, &program.id).await?;
        if !known.iter().any(|known| known.path == file) {
            return Err(Error::invalid("specific_file", "The project has no such file"));
        }
        // what it is now, for it may have changed itself
        let beginning = self.folders.beginning(owner, &program.id, &file, BEGINNING).await.map_err(disk)?;
        let beginning = beginning.ok_or_else(|| Error::new(ErrorCode::NotFound, "The program's file is gone"))?;
        let language = Language::of(&file, &beginning);
        if language == Language::Unknown {
            let text = "Nothing is known that runs this file: it has no suffix of a language, names no interpreter \
                        (#!) and is no program of this system";
            return Err(Error::invalid("program", text));
        }
        let folder = self.folders.path(owner, &program.id);
        Ok(Ok(Runnable { program, folder, file, language }))
    }

    /// The folder of a project of the caller's, for commands in it. Never shown.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` when it is a single file.
    pub async fn folder(&self, ctx: &Ctx, id: &str) -> Result<(Program, PathBuf)> {
        let owner = ctx.authorize(Action::Execute)?.user;
        let program = self.of(owner, id).await?;
        if program.kind != Kind::Project {
            return Err(Error::invalid("project_id", format!("{} is not a project", program.name)));
        }
        let folder = self.folders.path(owner, &program.id);
        Ok((program, folder))
    }

    /// Counts a run that is over, once.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn count_run(&self, ctx: &Ctx, program: &Program, run: Run) -> Result<()> {
        let owner = ctx.authorize(Action::Execute)?.user;
        let command = run.command.chars().take(COMMAND_CHARS_MAX).collect();
        // it may have been deleted while it ran
        self.index.count_run(owner, &program.id, &Run { command, ..run }).await?;
        Ok(())
    }

    /// Runs of a program of the caller's, newest first.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn history(&self, ctx: &Ctx, id_or_name: &str) -> Result<Vec<Run>> {
        let owner = ctx.authorize(Action::ReadOwn)?.user;
        let program = self.index.program(owner, id_or_name).await?.ok_or_else(not_found)?;
        Ok(self.index.runs(owner, &program.id).await?)
    }
}
