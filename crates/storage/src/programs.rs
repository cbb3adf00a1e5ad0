//! Programs that users keep: single files and projects.

use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use orrery_kernel::{StoreError, Timestamp, UserId};

use crate::files::{Added, BlobError};
use crate::zip::Planned;

/// Most programs of an owner.
pub const PROGRAMS_MAX: u64 = 1_000;
/// Runs of a program that are remembered.
pub const RUNS_MAX: usize = 50;

/// What a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One file.
    Single,
    /// A folder.
    Project,
}

impl Kind {
    /// The name in stores and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Project => "project",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Single, Self::Project].into_iter().find(|kind| kind.name() == name)
    }
}

/// What runs a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `python3`.
    Python,
    /// `bash`.
    Bash,
    /// `node`.
    JavaScript,
    /// `perl`.
    Perl,
    /// `ruby`.
    Ruby,
    /// The system itself.
    Binary,
    /// Nothing that is known.
    Unknown,
}

impl Language {
    const ALL: [Self; 7] =
        [Self::Python, Self::Bash, Self::JavaScript, Self::Perl, Self::Ruby, Self::Binary, Self::Unknown];

    /// The name in stores and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Bash => "bash",
            Self::JavaScript => "javascript",
            Self::Perl => "perl",
            Self::Ruby => "ruby",
            Self::Binary => "binary",
            Self::Unknown => "unknown",
        }
    }

    /// The language of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.name() == name)
    }

    /// The program that runs it; `None`: it runs by itself, or not at all.
    pub fn interpreter(self) -> Option<&'static str> {
        match self {
            Self::Python => Some("python3"),
            Self::Bash => Some("bash"),
            Self::JavaScript => Some("node"),
            Self::Perl => Some("perl"),
            Self::Ruby => Some("ruby"),
            Self::Binary | Self::Unknown => None,
        }
    }

    /// By a file's suffix, or else by how it begins.
    pub fn of(path: &str, beginning: &[u8]) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default();
        let suffix = name.rsplit_once('.').map(|(_, suffix)| suffix.to_ascii_lowercase()).unwrap_or_default();
        match suffix.as_str() {
            "py" => return Self::Python,
            "sh" | "bash" => return Self::Bash,
            "js" | "mjs" | "cjs" => return Self::JavaScript,
            "pl" | "pm" => return Self::Perl,
            "rb" => return Self::Ruby,
            _ => {}
        }
        if beginning.starts_with(b"\x7fELF") {
            return Self::Binary;
        }
        beginning.strip_prefix(b"#!").map_or(Self::Unknown, Self::of_first_line)
    }

    /// By the interpreter that a script's first line names, itself or through `env`.
    fn of_first_line(beginning: &[u8]) -> Self {
        let line = String::from_utf8_lossy(beginning.split(|b| *b == b'\n').next().unwrap_or_default());
        let mut words = line.split_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word));
        let mut name = words.next().unwrap_or_default();
        if name == "env" {
            name = words.find(|word| !word.starts_with('-') && !word.contains('=')).unwrap_or_default();
        }
        // python3.11 is python
        match name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
            "python" => Self::Python,
            "bash" | "sh" | "dash" => Self::Bash,
            "node" | "nodejs" => Self::JavaScript,
            "perl" => Self::Perl,
            "ruby" => Self::Ruby,
            _ => Self::Unknown,
        }
    }

    /// May it be the main file of a project?
    pub fn runs(self) -> bool {
        self != Self::Unknown
    }
}

/// A file of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramFile {
    /// Below the program's folder, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// What runs it.
    pub language: Language,
}

/// A kept program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Whose.
    pub owner: UserId,
    /// `program_…` or `project_…`.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// A single file's name, or a project's.
    pub name: String,
    /// What its owner calls it.
    pub original: String,
    /// In its owner's words.
    pub description: String,
    /// What runs its main file.
    pub language: Language,
    /// Bytes of all its files.
    pub size: u64,
    /// How many files.
    pub file_count: u64,
    /// The file that is run, below its folder; a project may have none.
    pub main_file: Option<String>,
    /// When it was uploaded.
    pub at: Timestamp,
    /// How often it was run.
    pub executions: u64,
    /// When last.
    pub last_executed: Option<Timestamp>,
}

/// A run that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it began.
    pub at: Timestamp,
    /// What was run; no secrets.
    pub command: String,
    /// What it ended with; `None`: it was ended.
    pub return_code: Option<i32>,
    /// How long it took, microseconds.
    pub micros: u64,
}

/// Keeps what is known of programs. Passes the contract suite in `orrery-testkit`.
#[async_trait]
pub trait ProgramIndex: Send + Sync {
    /// Adds one in place of the room that was kept for it. [`Added::Full`] beyond [`PROGRAMS_MAX`].
    async fn add_program(&self, program: &Program, files: &[ProgramFile], hold: &str) -> Result<Added, StoreError>;
    /// One by id.
    async fn program(&self, owner: UserId, id: &str) -> Result<Option<Program>, StoreError>;
    /// All of an owner's, newest first, at most [`PROGRAMS_MAX`].
    async fn programs(&self, owner: UserId) -> Result<Vec<Program>, StoreError>;
    /// The files of one, in the order of their upload. Empty: there is none.
    async fn program_files(&self, owner: UserId, id: &str) -> Result<Vec<ProgramFile>, StoreError>;
    /// Says which file is run. `false`: there is no such program.
    async fn set_main(&self, owner: UserId, id: &str, path: &str, language: Language) -> Result<bool, StoreError>;
    /// Drops one. `false`: there is none.
    async fn remove_program(&self, owner: UserId, id: &str) -> Result<bool, StoreError>;
    /// Counts a run, exactly once, and remembers the last [`RUNS_MAX`]. `false`: there is no such program.
    async fn count_run(&self, owner: UserId, id: &str, run: &Run) -> Result<bool, StoreError>;
    /// Runs of one, newest first.
    async fn runs(&self, owner: UserId, id: &str) -> Result<Vec<Run>, StoreError>;
    /// Drops all of an owner's; gives their ids.
    async fn forget_programs(&self, owner: UserId) -> Result<Vec<String>, StoreError>;
    /// Is there a program of that id, whoever's?
    async fn knows(&self, owner: UserId, id: &str) -> Result<bool, StoreError>;
}

/// An archive could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It does not hold what its directory says.
    #[error(transparent)]
    Archive(#[from] crate::zip::ZipError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] BlobError),
}

/// Keeps the folders of programs, which commands are run in.
#[async_trait]
pub trait Folders: Send + Sync {
    /// Begins a folder that nobody sees until [`NewFolder::finish`].
    async fn begin(&self) -> Result<Box<dyn NewFolder>, BlobError>;
    /// Where a program's folder is.
    fn path(&self, owner: UserId, id: &str) -> PathBuf;
    /// The first bytes of a file, at most `most`. `None`: there is no such file.
    async fn beginning(&self, owner: UserId, id: &str, path: &str, most: usize) -> Result<Option<Bytes>, BlobError>;
    /// Drops a folder; dropping it twice is fine.
    async fn remove(&self, owner: UserId, id: &str) -> Result<(), BlobError>;
    /// Folders that are at least a day old, and drops what was never finished and is as old.
    async fn old(&self) -> Result<Vec<(UserId, String)>, BlobError>;
}

/// A folder in the making. Dropped before its end, nothing is left of it.
#[async_trait]
pub trait NewFolder: Send {
    /// Begins a file at a path that [`crate::zip::checked_path`] took; folders above it are made.
    async fn create(&mut self, path: &str) -> Result<(), BlobError>;
    /// More bytes of the file that was begun last.
    async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError>;
    /// The file that was begun last may be run by its name.
    async fn mark_runnable(&mut self) -> Result<(), BlobError>;
    /// Begins an archive, which is written like a file and is none of the folder's.
    async fn create_archive(&mut self) -> Result<(), BlobError>;
    /// Judges the archive.
    async fn plan(&mut self, planner: &Planner) -> Result<Vec<Planned>, UnpackError>;
    /// Unpacks what was planned and drops the archive. Gives how each file begins.
    async fn unpack(&mut self, planned: &[Planned]) -> Result<Vec<Bytes>, UnpackError>;
    /// The folder becomes a program's, whole and on the disk.
    async fn finish(self: Box<Self>, owner: UserId, id: &str) -> Result<(), BlobError>;
}

/// The rules that an archive is judged by.
#[derive(Clone, Debug)]
pub struct Planner {
    /// Bounds.
    pub limits: crate::zip::Limits,
    /// Suffixes that are refused.
    pub blocked: crate::names::Blocked,
}

/// File names that are a project's main file, first ones first.
const MAIN_NAMES: [&str; 18] = [
    "main.py",
    "app.py",
    "__main__.py",
    "run.py",
    "server.py",
    "index.py",
    "index.js",
    "main.js",
    "app.js",
    "server.js",
    "main.sh",
    "run.sh",
    "start.sh",
    "main.rb",
    "app.rb",
    "main.pl",
    "app.pl",
    "main",
];

/// The main file of a project: the shallowest of a well-known name, else the first that can be run.
pub fn main_file(files: &[ProgramFile]) -> Option<&ProgramFile> {
    let rank = |file: &&ProgramFile| {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let known = MAIN_NAMES.iter().position(|known| *known == name)?;
        file.language.runs().then(|| (file.path.matches('/').count(), known))
    };
    let known = files.iter().filter_map(|file| Some((rank(&file)?, file))).min_by_key(|(rank, _)| *rank);
    known.map(|(_, file)| file).or_else(|| files.iter().find(|file| file.language.runs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> ProgramFile {
        ProgramFile { path: path.into(), size: 1, language: Language::of(path, b"") }
    }

    #[test]
    fn languages() {
        for (path, beginning, language) in [
            ("a.PY", "", Language::Python),
            ("dir.d/run", "#!/usr/bin/env python3\nx", Language::Python),
            ("run", "#!/bin/sh", Language::Bash),
            ("run", "#!/usr/bin/bash -e\n", Language::Bash),
            ("run", "#!/usr/bin/env node", Language::JavaScript),
            ("run", "#!/usr/bin/ruby3.1", Language::Ruby),
            ("run.bin", "\u{7f}ELF\u{2}", Language::Binary),
            ("notes.txt", "hello", Language::Unknown),
            ("run", "#!/opt/shark", Language::Unknown),
            ("tool", "#!/usr/bin/env -S python3.11 -u\n", Language::Python),
            ("tool", "#!/usr/bin/env A=sh LANG=C perl", Language::Perl),
            ("tool", "#! /bin/dash -e\n", Language::Bash),
            ("tool", "#!/usr/bin/tool sh", Language::Unknown),
            ("notes.txt", "#!", Language::Unknown),
            ("dir.js/a.SH", "", Language::Bash),
            ("a.pm", "", Language::Perl),
        ] {
            assert_eq!(Language::of(path, beginning.as_bytes()), language, "{path} {beginning}");
            assert_eq!(Language::parse(language.name()), Some(language));
        }
    }

    #[test]
    fn main_files() {
        let check = |paths: &[&str]| {
            let files: Vec<_> = paths.iter().map(|p| file(p)).collect();
            main_file(&files).map(|f| f.path.clone())
        };
        assert_eq!(check(&["utils.py", "app.py", "main.py"]).as_deref(), Some("main.py"));
        assert_eq!(check(&["lib/main.py", "app.py"]).as_deref(), Some("app.py"));
        assert_eq!(check(&["proj/utils.py", "proj/main.py"]).as_deref(), Some("proj/main.py"));
        assert_eq!(check(&["README.md", "tool.rb", "x.py"]).as_deref(), Some("tool.rb"));
        assert_eq!(check(&["README.md"]), None);
    }
}
