//! Between rows and programs; their files and runs travel as JSON lists.

use orrery_kernel::{StoreError, Timestamp, UserId};
use orrery_storage::programs::{Kind, Language, Program, ProgramFile, Run};
use serde_json::json;

use crate::{Columns, corrupt};

fn language(name: &str) -> Result<Language, StoreError> {
    Language::parse(name).ok_or_else(|| corrupt("programs.language", name))
}

/// A program, of thirteen columns.
pub fn program(row: &dyn Columns) -> Result<Program, StoreError> {
    let kind: &str = row.get(2)?;
    let last: Option<i64> = row.get(12)?;
    Ok(Program {
        owner: UserId(row.get(0)?),
        id: row.get(1)?,
        kind: Kind::parse(kind).ok_or_else(|| corrupt("programs.kind", kind))?,
        name: row.get(3)?,
        original: row.get(4)?,
        description: row.get(5)?,
        language: language(row.get(6)?)?,
        size: row.count(7)?,
        file_count: row.count(8)?,
        main_file: row.get(9)?,
        at: row.time(10)?,
        executions: row.count(11)?,
        last_executed: last.map(Timestamp::from_micros),
    })
}

/// The files in the only column.
pub fn files(row: &dyn Columns) -> Result<Vec<ProgramFile>, StoreError> {
    let list: Vec<(String, u64, String)> =
        serde_json::from_str(row.get(0)?).map_err(|e| corrupt("programs.files", e))?;
    let file = |(path, size, name): (String, u64, String)| Ok(ProgramFile { path, size, language: language(&name)? });
    list.into_iter().map(file).collect()
}

/// The inverse of [`files`].
pub fn files_text(files: &[ProgramFile]) -> String {
    let list: Vec<_> = files.iter().map(|f| json!([f.path, f.size, f.language.name()])).collect();
    json!(list).to_string()
}

/// The runs in the only column.
pub fn runs(row: &dyn Columns) -> Result<Vec<Run>, StoreError> {
    let list: Vec<(i64, String, Option<i32>, u64)> =
        serde_json::from_str(row.get(0)?).map_err(|e| corrupt("programs.runs", e))?;
    let run = |(at, command, return_code, micros)| Run { at: Timestamp::from_micros(at), command, return_code, micros };
    Ok(list.into_iter().map(run).collect())
}

/// The inverse of [`runs`].
pub fn runs_text(runs: &[Run]) -> String {
    let list: Vec<_> = runs.iter().map(|r| json!([r.at.micros(), r.command, r.return_code, r.micros])).collect();
    json!(list).to_string()
}
