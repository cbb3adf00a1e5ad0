//! Connectors against recorded cases: requests, responses, errors and streams of each exchange.
//!
//! A directory of cases holds a folder for each kind, and in it a file for each exchange, `requests/okx.json`; names
//! that begin with an underscore are not read. Source: cases made with CCXT 4.5.84 on a standing clock.

mod compare;
mod errors;
mod recorded;
mod requests;
mod responses;
mod unconnected;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::recorded::Known;
use crate::Venue;

/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What a file's cases are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Arguments of a method, and the signed requests it sends.
    Requests,
    /// An exchange's answer, and the unified result.
    Responses,
    /// An exchange's answer, and the class of error.
    Errors,
    /// Streams: what subscribes to them, and what their messages say.
    Ws,
}

impl Kind {
    /// Every kind, in the order they are checked.
    pub const ALL: [Self; 4] = [Self::Requests, Self::Responses, Self::Errors, Self::Ws];

    /// The folder's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Responses => "responses",
            Self::Errors => "errors",
            Self::Ws => "ws",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the cases of one method came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The exchange.
    pub venue: Venue,
    /// What the cases are of.
    pub kind: Kind,
    /// The unified method.
    pub method: String,
    /// How many cases there are.
    pub total: usize,
    /// A line for each case that failed: which it is, and what was found instead.
    pub failed: Vec<String>,
}

impl Row {
    /// How many cases passed.
    pub fn passed(&self) -> usize {
        self.total - self.failed.len()
    }
}

/// Why a directory cannot be checked.
#[derive(Debug, Error)]
pub enum InputError {
    /// None of the kinds has a folder in it.
    #[error("{0}: has no folder of cases; it should have requests, responses, errors or ws")]
    NoCases(PathBuf),
    /// A file or folder cannot be read.
    #[error("{0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// A file is too large.
    #[error("{0}: is longer than {FILE_BYTES_MAX} bytes")]
    TooLarge(PathBuf),
    /// A file is not named for an exchange that has a connector.
    #[error("{0}: {1}")]
    Venue(PathBuf, crate::UnknownVenue),
    /// A file does not hold cases.
    #[error("{0}: {1}")]
    Malformed(PathBuf, serde_json::Error),
}

/// Checks every case of a directory.
///
/// Errors: what is wrong with the directory itself; a case that fails is no error.
pub async fn check(directory: &Path) -> Result<Vec<Row>, InputError> {
    let mut rows = Vec::new();
    let mut found = false;
    for kind in Kind::ALL {
        let folder = directory.join(kind.name());
        if !folder.is_dir() {
            continue;
        }
        found = true;
        for file in files(&folder)? {
            let id = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let venue = id.parse().map_err(|error| InputError::Venue(file.clone(), error))?;
            let text = read(&file)?;
            let outcomes = match kind {
                Kind::Errors => errors::outcomes(venue, &text),
                Kind::Responses => responses::outcomes(venue, &text).await,
                Kind::Requests => {
                    let known = known(venue, directory).await?;
                    requests::outcomes(venue, &text, &known).await
                }
                Kind::Ws => unconnected::outcomes(&text),
            };
            rows.extend(by_method(venue, kind, outcomes.map_err(|error| InputError::Malformed(file, error))?));
        }
    }
    if found { Ok(rows) } else { Err(InputError::NoCases(directory.to_owned())) }
}

/// The markets and currencies of the exchange's recorded answers, which its requests are made with; none if there
/// are no answers.
async fn known(venue: Venue, directory: &Path) -> Result<Known, InputError> {
    let file = directory.join(Kind::Responses.name()).join(format!("{venue}.json"));
    if !file.exists() {
        return Ok(Known::default());
    }
    let text = read(&file)?;
    responses::known(venue, &text).await.map_err(|error| InputError::Malformed(file, error))
}

/// How one case came out: its method, and what was wrong.
struct Outcome {
    method: String,
    fault: Option<String>,
}

fn by_method(venue: Venue, kind: Kind, outcomes: Vec<Outcome>) -> Vec<Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (index, Outcome { method, fault }) in outcomes.into_iter().enumerate() {
        let new = || Row { venue, kind, method: method.clone(), total: 0, failed: Vec::new() };
        let row = rows.entry(method.clone()).or_insert_with(new);
        row.total += 1;
        row.failed.extend(fault.map(|fault| format!("case {index}: {fault}")));
    }
    rows.into_values().collect()
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, InputError> {
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
    use std::io::Read as _;
    let unreadable = |error| InputError::Unreadable(file.to_owned(), error);
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(InputError::TooLarge(file.to_owned()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/venues")
    }

    #[tokio::test]
    async fn every_recorded_case_passes() {
        let rows = check(&recorded()).await.unwrap();
        let failed: Vec<_> = rows.iter().filter(|row| !row.failed.is_empty()).collect();
        assert!(failed.is_empty(), "{failed:#?}");
        assert_eq!(rows.iter().filter(|row| row.kind == Kind::Errors).map(|row| row.total).sum::<usize>(), 62);
    }

    #[test]
    fn a_wrong_case_fails() {
        let text = r#"{"cases":[{"status":200,"body":{"code":"0"},"call":"createOrder","throws":{"class":"BadRequest"}},
            {"status":200,"body":{"code":"50113"},"call":"createOrder","throws":{"class":"BadRequest"}},
            {"status":502,"body":"","call":"fetchTime","throws":{"class":"ExchangeNotAvailable"}}]}"#;
        let rows = by_method(Venue::Okx, Kind::Errors, errors::outcomes(Venue::Okx, text).unwrap());
        let expected = [
            "case 0: status 200: no error instead of BadRequest",
            "case 1: status 200: AuthenticationError instead of BadRequest",
        ];
        assert_eq!(rows.iter().map(|row| (row.passed(), row.total)).collect::<Vec<_>>(), [(0, 2), (1, 1)]);
        assert_eq!(rows[0].failed, expected);
    }

    #[tokio::test]
    async fn broken_input_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(check(folder.path()).await, Err(InputError::NoCases(_))));
        std::fs::create_dir(folder.path().join("errors")).unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join("errors").join(name), text).unwrap();
        put("_hierarchy.json", "not read");
        assert_eq!(check(folder.path()).await.unwrap(), []);
        put("okx.json", "{");
        assert!(matches!(check(folder.path()).await, Err(InputError::Malformed(..))));
        put("okx.json", r#"{"cases":[]}"#);
        put("mtgox.json", r#"{"cases":[]}"#);
        assert!(matches!(check(folder.path()).await, Err(InputError::Venue(..))));
    }
}
