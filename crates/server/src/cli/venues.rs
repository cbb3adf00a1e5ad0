//! `venues check-fixtures`: connectors against recorded cases.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use orrery_venues::conformance::{CaseFile, Kind, Malformed, Row, check};
use orrery_venues::{UnknownVenue, Venue};
use thiserror::Error;

use super::args::VenuesCommand;
use super::output::{Lines, complain};

/// What the process ends with when the cases cannot be read.
const UNREADABLE: u8 = 3;
/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Why a directory cannot be checked.
#[derive(Debug, Error)]
enum InputError {
    #[error("{}: has no folder of cases; it should have requests, responses, errors or ws", .0.display())]
    NoCases(PathBuf),
    #[error("{}: {}", .0.display(), .1)]
    Unreadable(PathBuf, std::io::Error),
    #[error("{}: is longer than {FILE_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    #[error("{}: {}", .0.display(), .1)]
    Venue(PathBuf, UnknownVenue),
    #[error("{}: {}", .0.display(), .1)]
    Malformed(PathBuf, Malformed),
}

pub async fn run(command: &VenuesCommand) -> ExitCode {
    match command {
        VenuesCommand::CheckFixtures { directory, table } => check_fixtures(directory, *table).await,
    }
}

async fn rows(directory: &Path) -> Result<Vec<Row>, InputError> {
    let files = files(directory)?;
    check(&files).await.map_err(|error| InputError::Malformed(directory.to_owned(), error))
}

/// Every file of cases in the directory. Names that begin with an underscore are not read.
fn files(directory: &Path) -> Result<Vec<CaseFile>, InputError> {
    let mut files = Vec::new();
    let folders: Vec<_> = Kind::ALL.map(|kind| (kind, directory.join(kind.name()))).into();
    let folders: Vec<_> = folders.into_iter().filter(|(_, folder)| folder.is_dir()).collect();
    if folders.is_empty() {
        return Err(InputError::NoCases(directory.to_owned()));
    }
    for (kind, folder) in folders {
        for file in json_files(&folder)? {
            let id = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let venue: Venue = id.parse().map_err(|error| InputError::Venue(file.clone(), error))?;
            files.push(CaseFile { kind, venue, text: read(&file)? });
        }
    }
    Ok(files)
}

fn json_files(folder: &Path) -> Result<Vec<PathBuf>, InputError> {
    let unreadable = |error| InputError::Unreadable(folder.to_owned(), error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path.file_name().and_then(|name| name.to_str()).is_none_or(|name| name.starts_with(['_', '.']));
        if !hidden && path.extension().is_some_and(|ending| ending == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> Result<String, InputError> {
    let unreadable = |error| InputError::Unreadable(file.to_owned(), error);
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > FILE_BYTES_MAX { Err(InputError::TooLarge(file.to_owned())) } else { Ok(text) }
}

async fn check_fixtures(directory: &Path, in_table: bool) -> ExitCode {
    let rows = match rows(directory).await {
        Ok(rows) => rows,
        Err(error) => {
            complain(&format!("error: {error}"));
            return ExitCode::from(UNREADABLE);
        }
    };
    let mut lines = Lines::new();
    if in_table {
        table(&rows).iter().for_each(|line| lines.line(line));
    }
    for row in rows.iter().filter(|_| !in_table) {
        lines.line(&format!("{} {} {} {}/{}", row.venue, row.kind, row.method, row.passed(), row.total));
        for failed in &row.failed {
            complain(&format!("{} {} {}: {failed}", row.venue, row.kind, row.method));
        }
    }
    let sum = |count: fn(&Row) -> usize| rows.iter().map(count).sum::<usize>();
    let (passed, total) = (sum(Row::passed), sum(|row| row.total));
    if !in_table {
        lines.line(&format!("fixtures: {passed}/{total}"));
    }
    if passed == total { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Methods by exchange in Markdown: how many of a method's cases pass, of all kinds; a dash where there is none.
fn table(rows: &[Row]) -> Vec<String> {
    let mut methods: BTreeMap<&str, BTreeMap<Venue, (usize, usize)>> = BTreeMap::new();
    for row in rows {
        let method = if row.kind == Kind::Errors { "errors" } else { row.method.as_str() };
        let sum = methods.entry(method).or_default().entry(row.venue).or_default();
        *sum = (sum.0 + row.passed(), sum.1 + row.total);
    }
    let cells = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let mut head = vec!["method".to_owned()];
    head.extend(Venue::ALL.map(|venue| venue.description().name.clone()));
    let mut lines = vec![cells(head), format!("| --- |{}", " --- |".repeat(Venue::ALL.len()))];
    for (method, venues) in methods {
        let mut line = vec![format!("`{method}`")];
        let cell = |venue| venues.get(&venue).map_or("-".to_owned(), |(passed, total)| format!("{passed}/{total}"));
        line.extend(Venue::ALL.map(cell));
        lines.push(cells(line));
    }
    lines
}
