//! Programs of users.

use super::Sql;

pub(crate) const COUNT: Sql = Sql::new("programs_count", 1, 1, "SELECT COUNT(*) FROM programs WHERE owner = $1");
pub(crate) const ADD: Sql = Sql::new(
    "programs_add",
    12,
    0,
    "INSERT INTO programs (owner, id, kind, name, original, description, language, size, file_count, main_file, at,
         executions, last_executed, files, runs)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, NULL, $12, '[]') ON CONFLICT (owner, id) DO NOTHING",
);
pub(crate) const PROGRAM: Sql = Sql::new(
    "programs_program",
    2,
    13,
    "SELECT owner, id, kind, name, original, description, language, size, file_count, main_file, at, executions,
         last_executed FROM programs WHERE owner = $1 AND id = $2",
);
pub(crate) const PROGRAMS: Sql = Sql::new(
    "programs_list",
    2,
    13,
    "SELECT owner, id, kind, name, original, description, language, size, file_count, main_file, at, executions,
         last_executed FROM programs WHERE owner = $1 ORDER BY at DESC, id LIMIT $2",
);
pub(crate) const FILES: Sql =
    Sql::new("programs_files", 2, 1, "SELECT files FROM programs WHERE owner = $1 AND id = $2");
pub(crate) const RUNS: Sql = Sql::new("programs_runs", 2, 1, "SELECT runs FROM programs WHERE owner = $1 AND id = $2");
pub(crate) const SET_MAIN: Sql = Sql::new(
    "programs_set_main",
    4,
    0,
    "UPDATE programs SET main_file = $3, language = $4 WHERE owner = $1 AND id = $2",
);
pub(crate) const REMOVE: Sql = Sql::new("programs_remove", 2, 0, "DELETE FROM programs WHERE owner = $1 AND id = $2");
pub(crate) const COUNT_RUN: Sql = Sql::new(
    "programs_count_run",
    4,
    0,
    "UPDATE programs SET executions = executions + 1, last_executed = $3, runs = $4 WHERE owner = $1 AND id = $2",
);
pub(crate) const FORGET: Sql = Sql::new("programs_forget", 1, 1, "DELETE FROM programs WHERE owner = $1 RETURNING id");

#[cfg(test)]
pub(super) const ALL: &[&Sql] =
    &[&COUNT, &ADD, &PROGRAM, &PROGRAMS, &FILES, &RUNS, &SET_MAIN, &REMOVE, &COUNT_RUN, &FORGET];
