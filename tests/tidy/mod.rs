//! The repository's rules, tested: layers, dependencies, sources, documents.
//!
//! Each rule is a function from what it judges to a list of faults, applied to the repository by one
//! test and to a bad sample by another, so that a rule which can't fail is noticed.

mod described;
mod documents;
mod manifests;
mod schemas;
mod source;

use std::path::{Path, PathBuf};

use e2e::repository;

/// Fails with all faults and how to mend them.
#[track_caller]
fn none(faults: &[String], mend: &str) {
    assert!(faults.is_empty(), "{} fault(s):\n  {}\n{mend}", faults.len(), faults.join("\n  "));
}

/// A file of the repository.
struct File {
    /// From the repository's root, with `/`.
    path: String,
    text: String,
}

impl File {
    #[cfg(test)]
    fn sample(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 4] = ["target", "node_modules", ".git", "orrery-data"];

/// All files of the repository with this ending, by path. Whoever adds a folder of outside files adds it to
/// [`SKIPPED`].
fn files(ending: &str) -> Vec<File> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name());
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !SKIPPED.iter().any(|s| name == *s) {
                walk(&path, ending, found);
            } else if kind.is_file() && name.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(repository(), ending, &mut found);
    found.sort();
    let read = |path: PathBuf| File {
        text: std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
        path: path.strip_prefix(repository()).unwrap().to_string_lossy().replace('\\', "/"),
    };
    let files: Vec<File> = found.into_iter().map(read).collect();
    assert!(!files.is_empty(), "no {ending} files: the walk is broken");
    files
}
