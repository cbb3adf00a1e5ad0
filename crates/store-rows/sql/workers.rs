//! Workers and their versions.

use super::Sql;

/// Columns of a worker; `rows::worker` reads them.
macro_rules! worker {
    () => {
        "sid, nid, owner, version, spec, created_at, updated_at"
    };
}

/// How many an owner has, and the number of the last.
pub(crate) const COUNT_WORKERS_OF: Sql = Sql::new(
    "count_workers_of",
    1,
    2,
    "SELECT count(*), CAST(coalesce(max(n), 0) AS BIGINT) FROM workers WHERE owner = $1",
);
pub(crate) const INSERT_WORKER: Sql = Sql::new(
    "insert_worker",
    9,
    0,
    "INSERT INTO workers (sid, n, nid, owner, version, active, spec, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
);
pub(crate) const INSERT_VERSION: Sql = Sql::new(
    "insert_worker_version",
    4,
    0,
    "INSERT INTO worker_versions (sid, version, spec, at) VALUES ($1, $2, $3, $4)",
);
pub(crate) const CHANGE_WORKER: Sql = Sql::new(
    "change_worker",
    5,
    0,
    "UPDATE workers SET version = $2, active = $3, spec = $4, updated_at = $5 WHERE sid = $1",
);
pub(crate) const PRUNE_VERSIONS: Sql =
    Sql::new("prune_worker_versions", 2, 0, "DELETE FROM worker_versions WHERE sid = $1 AND version <= $2");
pub(crate) const WORKER: Sql = Sql::new("worker", 1, 7, concat!("SELECT ", worker!(), " FROM workers WHERE sid = $1"));
pub(crate) const WORKERS_OF: Sql = Sql::new(
    "workers_of",
    2,
    7,
    concat!("SELECT ", worker!(), " FROM workers WHERE owner = $1 ORDER BY n DESC LIMIT $2"),
);
pub(crate) const COUNT_WORKERS: Sql = Sql::new(
    "count_workers",
    0,
    2,
    "SELECT CAST(coalesce(sum(active), 0) AS BIGINT), CAST(coalesce(sum(1 - active), 0) AS BIGINT) FROM workers",
);
pub(crate) const VERSIONS: Sql = Sql::new(
    "worker_versions",
    1,
    3,
    "SELECT version, spec, at FROM worker_versions WHERE sid = $1 ORDER BY version DESC LIMIT 1000",
);

#[cfg(test)]
pub(super) const ALL: &[&Sql] = &[
    &COUNT_WORKERS_OF,
    &INSERT_WORKER,
    &INSERT_VERSION,
    &CHANGE_WORKER,
    &PRUNE_VERSIONS,
    &WORKER,
    &WORKERS_OF,
    &COUNT_WORKERS,
    &VERSIONS,
];
