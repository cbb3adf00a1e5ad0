//! Locks, settings and health.

use super::Sql;

pub(crate) const LOCK: Sql = Sql::new("lock", 2, 1, "SELECT pg_advisory_xact_lock($1, $2)::text");
pub(crate) const HEALTH: Sql = Sql::new("health", 0, 1, "SELECT 1::bigint");
pub(crate) const VERSION_NUM: Sql = Sql::new("version_num", 0, 1, "SELECT current_setting('server_version_num')");
pub(crate) const FSYNC: Sql = Sql::new("fsync", 0, 1, "SELECT current_setting('fsync')");
pub(crate) const FULL_PAGE_WRITES: Sql =
    Sql::new("full_page_writes", 0, 1, "SELECT current_setting('full_page_writes')");
pub(crate) const SYNCHRONOUS_COMMIT: Sql =
    Sql::new("synchronous_commit", 0, 1, "SELECT current_setting('synchronous_commit')");
pub(crate) const HAS_MIGRATIONS: Sql =
    Sql::new("has_migrations", 0, 1, "SELECT to_regclass('_sqlx_migrations') IS NOT NULL");
pub(crate) const SCHEMA_VERSION: Sql =
    Sql::new("schema_version", 0, 1, "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success");
pub(crate) const MIGRATIONS: Sql =
    Sql::new("migrations", 0, 2, "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version");
/// The whole ledger as of one moment.
pub(crate) const BEGIN_SNAPSHOT: Sql =
    Sql::new("begin_snapshot", 0, 0, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
pub(crate) const NO_TIMEOUT: Sql = Sql::new("no_timeout", 0, 0, "SET statement_timeout = 0");

#[cfg(test)]
pub(super) const ALL: &[&Sql] = &[
    &LOCK,
    &HEALTH,
    &VERSION_NUM,
    &FSYNC,
    &FULL_PAGE_WRITES,
    &SYNCHRONOUS_COMMIT,
    &HAS_MIGRATIONS,
    &SCHEMA_VERSION,
    &MIGRATIONS,
    &BEGIN_SNAPSHOT,
    &NO_TIMEOUT,
];
