//! Programs on their way in.

use bytes::Bytes;
use orrery_identity::Action;
use orrery_kernel::{Error, ErrorCode, Result};
use orrery_storage::files::{Added, Pool};
use orrery_storage::names::{is_unseen, original_name, plain};
use orrery_storage::programs::{Kind, Language, NewFolder, Planner, Program, ProgramFile, UnpackError, main_file};
use orrery_storage::zip::{Limits, checked_path};

use super::Programs;
use crate::Ctx;
use crate::files::disk;
use crate::files::room::Kept;

/// Bytes of a file that tell what it is.
const BEGINNING: usize = 256;
/// Most files of a project.
const FILES_MAX: usize = 2_000;
/// Characters of a project's name, and of a description.
const NAME_CHARS_MAX: usize = 100;
const DESCRIPTION_CHARS_MAX: usize = 1_000;

/// What a client says about a program.
#[derive(Clone, Debug, Default)]
pub struct NewProgram {
    /// What its owner calls the file, the archive or the first file.
    pub original: String,
    /// A project's name.
    pub project_name: Option<String>,
    /// In its owner's words.
    pub description: String,
}

/// A program on its way in. Dropped before its end, nothing is left of it.
pub struct Receiving<'a> {
    programs: &'a Programs,
    folder: Box<dyn NewFolder>,
    room: Kept,
    files: Vec<ProgramFile>,
    /// How the file that is coming begins.
    beginning: Vec<u8>,
    /// Bytes of all files.
    received: u64,
    /// Bytes of the file that is coming.
    current: u64,
    is_archive: bool,
}

fn unpacking(error: UnpackError) -> Error {
    match error {
        UnpackError::Archive(e) => Error::invalid("file", e.to_string()),
        UnpackError::Disk(e) => disk(e),
    }
}

/// Words of a client as pages may show them: some pages of the document's time put them into HTML as they are.
fn shown(text: &str, chars: usize) -> String {
    let harmless = |c: char| if matches!(c, '<' | '>' | '"' | '\'' | '&' | '`') || c.is_control() { '_' } else { c };
    let seen = text.trim().chars().filter(|c| c.is_control() || !is_unseen(*c));
    seen.take(chars).map(harmless).collect()
}

impl Programs {
    /// Begins to receive a program, of `expected` bytes if that is known.
    ///
    /// # Errors
    /// `TooLarge` when there is no room.
    pub async fn receive(&self, ctx: &Ctx, expected: Option<u64>) -> Result<Receiving<'_>> {
        let owner = ctx.authorize(Action::Store)?.user;
        let room = self.room.keep(self.room.name(), owner, Pool::Programs, expected.unwrap_or(0)).await?;
        let folder = self.folders.begin().await.map_err(disk)?;
        Ok(Receiving {
            programs: self,
            folder,
            room,
            files: Vec::new(),
            beginning: Vec::new(),
            received: 0,
            current: 0,
            is_archive: false,
        })
    }

    fn id(&self, kind: Kind) -> String {
        let mut chance = [0; 4];
        self.entropy.fill(&mut chance);
        let prefix = if kind == Kind::Project { "project" } else { "program" };
        format!("{prefix}_{}_{:08x}", self.clock.now().secs(), u32::from_be_bytes(chance))
    }
}

impl Receiving<'_> {
    /// Begins the only file of a program.
    ///
    /// # Errors
    /// `Invalid` for a bad name.
    pub async fn begin_single(&mut self, given: &str) -> Result<()> {
        let original = original_name(given, &self.programs.settings.blocked);
        let original = original.map_err(|e| Error::invalid("file", e.to_string()))?;
        self.begin(plain(&original)).await
    }

    /// Begins a file of a project.
    ///
    /// # Errors
    /// `Invalid` for a path that leads elsewhere, twice the same, or a blocked suffix.
    pub async fn begin_at(&mut self, given: &str) -> Result<()> {
        let invalid = |text: &'static str| Error::invalid("files", text);
        let path = checked_path(given.trim_start_matches("./")).map_err(|_| invalid("A file has an unsafe path"))?;
        let name = path.rsplit('/').next().unwrap_or_default();
        if path.split('/').any(|part| self.programs.settings.blocked.stops(part)) {
            return Err(invalid("Files of this type are not allowed"));
        }
        if self.files.len() >= FILES_MAX {
            return Err(Error::new(ErrorCode::TooLarge, "The project has too many files"));
        }
        let folded = path.to_lowercase();
        let above = |a: &str, b: &str| b.strip_prefix(a).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let clashes = |other: &ProgramFile| {
            let other = other.path.to_lowercase();
            above(&other, &folded) || above(&folded, &other)
        };
        if name.is_empty() || self.files.iter().any(clashes) {
            return Err(invalid("The project has the same path twice"));
        }
        self.begin(path).await
    }

    /// Begins an archive.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn begin_archive(&mut self) -> Result<()> {
        self.is_archive = true;
        self.folder.create_archive().await.map_err(disk)
    }

    async fn begin(&mut self, path: String) -> Result<()> {
        self.end_file().await?;
        self.folder.create(&path).await.map_err(disk)?;
        self.files.push(ProgramFile { path, size: 0, language: Language::Unknown });
        (self.beginning, self.current) = (Vec::new(), 0);
        Ok(())
    }

    async fn end_file(&mut self) -> Result<()> {
        let Some(file) = self.files.last_mut() else { return Ok(()) };
        file.size = self.current;
        file.language = Language::of(&file.path, &self.beginning);
        if file.language.runs() {
            self.folder.mark_runnable().await.map_err(disk)?;
        }
        Ok(())
    }

    /// More of what was begun last.
    ///
    /// # Errors
    /// `TooLarge` when it is too much or there is no room.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let settings = &self.programs.settings;
        self.current += bytes.len() as u64;
        self.received += bytes.len() as u64;
        if self.current > settings.file_bytes {
            let most = settings.file_bytes / 1_048_576;
            return Err(Error::new(ErrorCode::TooLarge, format!("File is larger than {most} MB")));
        }
        self.room.reach(self.received).await?;
        let room = BEGINNING.saturating_sub(self.beginning.len());
        self.beginning.extend(bytes.iter().take(room));
        self.folder.write(bytes).await.map_err(disk)
    }

    /// Judges the archive that was written, finds room for what is in it, and unpacks it.
    ///
    /// # Errors
    /// `Invalid` for what is wrong with it, `TooLarge` when there is no room.
    pub async fn unpack(&mut self) -> Result<()> {
        let planner = Planner { limits: Limits::default(), blocked: self.programs.settings.blocked.clone() };
        let planned = self.folder.plan(&planner).await.map_err(unpacking)?;
        let size: u64 = planned.iter().map(|file| file.size).sum();
        self.room.reach(size).await?;
        let beginnings = self.folder.unpack(&planned).await.map_err(unpacking)?;
        let file = |(planned, beginning): (orrery_storage::zip::Planned, Bytes)| {
            let language = Language::of(&planned.path, &beginning);
            ProgramFile { path: planned.path, size: planned.size, language }
        };
        self.files = planned.into_iter().zip(beginnings).map(file).collect();
        self.received = size;
        Ok(())
    }

    /// That was all: the program is there, whole and on the disk.
    ///
    /// # Errors
    /// `Invalid` when there is no file.
    pub async fn finish(mut self, kind: Kind, about: NewProgram) -> Result<(Program, Vec<ProgramFile>)> {
        if !self.is_archive {
            self.end_file().await?;
        }
        let Self { programs, folder, mut room, files, received, .. } = self;
        let Some(first) = files.first() else { return Err(Error::invalid("file", "No file provided")) };
        room.reach(received).await?;
        let main = if kind == Kind::Single { Some(first) } else { main_file(&files) };
        let original = shown(about.original.rsplit(['/', '\\']).next().unwrap_or_default(), NAME_CHARS_MAX);
        let id = programs.id(kind);
        let name = match (kind, about.project_name.as_deref().map(|name| shown(name, NAME_CHARS_MAX))) {
            (Kind::Single, _) => first.path.clone(),
            (Kind::Project, Some(name)) if !name.is_empty() => name,
            (Kind::Project, _) => match original.strip_suffix(".zip").map(plain) {
                Some(stem) if !stem.is_empty() => stem,
                _ => format!("Project {id}"),
            },
        };
        let program = Program {
            owner: room.owner(),
            id,
            kind,
            name,
            original,
            description: shown(&about.description, DESCRIPTION_CHARS_MAX),
            language: main.map_or(Language::Unknown, |file| file.language),
            size: received,
            file_count: files.len() as u64,
            main_file: main.map(|file| file.path.clone()),
            at: programs.clock.now(),
            executions: 0,
            last_executed: None,
        };
        folder.finish(program.owner, &program.id).await.map_err(disk)?;
        let added = programs.index.add_program(&program, &files, room.id()).await?;
        if added != Added::Done {
            programs.folders.remove(program.owner, &program.id).await.map_err(disk)?;
        }
        match added {
            Added::Done => room.pass_on(),
            Added::Full => {
                return Err(Error::new(ErrorCode::TooLarge, "There are too many programs; delete some first"));
            }
            Added::Taken => return Err(Error::internal("no free id for a program")),
        }
        Ok((program, files))
    }
}
