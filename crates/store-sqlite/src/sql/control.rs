//! Transactions, settings and health.

use super::Sql;

pub(crate) const BEGIN: Sql = Sql::new("begin", 0, 0, "BEGIN IMMEDIATE");
pub(crate) const BEGIN_READ: Sql = Sql::new("begin_read", 0, 0, "BEGIN DEFERRED");
pub(crate) const COMMIT: Sql = Sql::new("commit", 0, 0, "COMMIT");
pub(crate) const ROLLBACK: Sql = Sql::new("rollback", 0, 0, "ROLLBACK");
pub(crate) const SET_WAL: Sql = Sql::new("set_wal", 0, 1, "PRAGMA journal_mode = WAL");
pub(crate) const SET_FULL: Sql = Sql::new("set_full", 0, 0, "PRAGMA synchronous = FULL");
pub(crate) const JOURNAL_MODE: Sql = Sql::new("journal_mode", 0, 1, "PRAGMA journal_mode");
pub(crate) const SYNCHRONOUS: Sql = Sql::new("synchronous", 0, 1, "PRAGMA synchronous");
pub(crate) const FOREIGN_KEYS: Sql = Sql::new("foreign_keys", 0, 1, "PRAGMA foreign_keys");
pub(crate) const INTEGRITY: Sql = Sql::new("integrity", 0, 1, "PRAGMA integrity_check(20)");

/// Whose file it is: the application's mark, and how many things it defines.
pub(crate) const MARK: Sql = Sql::new(
    "mark",
    0,
    2,
    "SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)",
);

/// Is there a list of migrations?
pub(crate) const HAS_MIGRATIONS: Sql = Sql::new(
    "has_migrations",
    0,
    1,
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'",
);

/// Reads a page of the file.
pub(crate) const HEALTH: Sql = Sql::new("health", 0, 1, "SELECT count(*) FROM sqlite_schema");

pub(crate) const MIGRATIONS: Sql =
    Sql::new("migrations", 0, 2, "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version");

/// Moves what it can beside reading and writing; gives busy, pages in the log, pages moved.
pub(crate) const CHECKPOINT: Sql = Sql::new("checkpoint", 0, 3, "PRAGMA wal_checkpoint(PASSIVE)");

pub(crate) const BACKUP: Sql = Sql::new("backup", 1, 0, "VACUUM INTO $1");

#[cfg(test)]
pub(super) const ALL: &[&Sql] = &[
    &BEGIN,
    &BEGIN_READ,
    &COMMIT,
    &ROLLBACK,
    &SET_WAL,
    &SET_FULL,
    &JOURNAL_MODE,
    &SYNCHRONOUS,
    &FOREIGN_KEYS,
    &INTEGRITY,
    &MARK,
    &HAS_MIGRATIONS,
    &HEALTH,
    &MIGRATIONS,
    &CHECKPOINT,
    &BACKUP,
];
