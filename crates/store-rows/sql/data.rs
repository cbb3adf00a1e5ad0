//! Documents of users.

use super::Sql;

pub(crate) const GET: Sql =
    Sql::new("documents_get", 2, 1, "SELECT value FROM documents WHERE owner = $1 AND key = $2");
pub(crate) const ALL_OF: Sql =
    Sql::new("documents_all", 1, 2, "SELECT key, value FROM documents WHERE owner = $1 ORDER BY key");
/// How many, and of how many bytes, without the one of that key.
pub(crate) const OTHERS: Sql = Sql::new(
    "documents_others",
    2,
    2,
    "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM documents WHERE owner = $1 AND key <> $2",
);
pub(crate) const PUT: Sql = Sql::new(
    "documents_put",
    5,
    0,
    "INSERT INTO documents (owner, key, value, size, at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (owner, key) DO UPDATE SET value = excluded.value, size = excluded.size, at = excluded.at",
);
pub(crate) const REMOVE: Sql =
    Sql::new("documents_remove", 2, 0, "DELETE FROM documents WHERE owner = $1 AND key = $2");
pub(crate) const FORGET: Sql = Sql::new("documents_forget", 1, 0, "DELETE FROM documents WHERE owner = $1");

#[cfg(test)]
pub(super) const ALL: &[&Sql] = &[&GET, &ALL_OF, &OTHERS, &PUT, &REMOVE, &FORGET];
