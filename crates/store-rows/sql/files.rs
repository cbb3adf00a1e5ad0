//! Files of users, and room for them.

use super::Sql;

pub(crate) const KEPT: Sql =
    Sql::new("files_kept", 1, 2, "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM files WHERE owner = $1");
pub(crate) const PROGRAMS_KEPT: Sql = Sql::new(
    "files_programs_kept",
    1,
    2,
    "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM programs WHERE owner = $1",
);
/// Room that others keep.
pub(crate) const HELD: Sql = Sql::new(
    "files_held",
    4,
    1,
    "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM storage_holds
     WHERE owner = $1 AND pool = $2 AND id <> $3 AND until > $4",
);
pub(crate) const HOLD: Sql = Sql::new(
    "files_hold",
    5,
    0,
    "INSERT INTO storage_holds (id, owner, pool, bytes, until) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes, until = excluded.until",
);
pub(crate) const RELEASE: Sql = Sql::new("files_release", 1, 0, "DELETE FROM storage_holds WHERE id = $1");
pub(crate) const RELEASE_OVER: Sql =
    Sql::new("files_release_over", 2, 0, "DELETE FROM storage_holds WHERE owner = $1 AND until <= $2");
pub(crate) const ADD: Sql = Sql::new(
    "files_add",
    8,
    0,
    "INSERT INTO files (owner, name, original, blob, size, sha256, media_type, at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (owner, name) DO NOTHING",
);
pub(crate) const FILE: Sql = Sql::new(
    "files_file",
    2,
    8,
    "SELECT owner, name, original, blob, size, sha256, media_type, at FROM files WHERE owner = $1 AND name = $2",
);
pub(crate) const FILES: Sql = Sql::new(
    "files_list",
    2,
    8,
    "SELECT owner, name, original, blob, size, sha256, media_type, at FROM files WHERE owner = $1
     ORDER BY at DESC, name LIMIT $2",
);
pub(crate) const REMOVE: Sql = Sql::new(
    "files_remove",
    2,
    8,
    "DELETE FROM files WHERE owner = $1 AND name = $2
     RETURNING owner, name, original, blob, size, sha256, media_type, at",
);
pub(crate) const FILE_OF: Sql = Sql::new(
    "files_file_of",
    2,
    8,
    "SELECT owner, name, original, blob, size, sha256, media_type, at FROM files WHERE owner = $1 AND blob = $2",
);
pub(crate) const USES: Sql = Sql::new(
    "files_uses",
    1,
    1,
    "SELECT (SELECT COUNT(*) FROM files WHERE blob = $1) + (SELECT COUNT(*) FROM uploads WHERE id = $1)",
);
pub(crate) const UPLOADS_OF: Sql =
    Sql::new("files_uploads_of", 2, 1, "SELECT COUNT(*) FROM uploads WHERE owner = $1 AND id <> $2");
pub(crate) const PUT_UPLOAD: Sql = Sql::new(
    "files_put_upload",
    6,
    0,
    "INSERT INTO uploads (id, owner, original, length, metadata, until) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (id) DO UPDATE SET until = excluded.until",
);
pub(crate) const UPLOAD: Sql = Sql::new(
    "files_upload",
    2,
    6,
    "SELECT id, owner, original, length, metadata, until FROM uploads WHERE owner = $1 AND id = $2",
);
pub(crate) const REMOVE_UPLOAD: Sql = Sql::new("files_remove_upload", 1, 0, "DELETE FROM uploads WHERE id = $1");
pub(crate) const UPLOADS_OVER: Sql = Sql::new(
    "files_uploads_over",
    2,
    6,
    "SELECT id, owner, original, length, metadata, until FROM uploads WHERE until <= $1 ORDER BY until LIMIT $2",
);
pub(crate) const FORGET: Sql = Sql::new("files_forget", 1, 1, "DELETE FROM files WHERE owner = $1 RETURNING blob");
pub(crate) const FORGET_UPLOADS: Sql =
    Sql::new("files_forget_uploads", 1, 1, "DELETE FROM uploads WHERE owner = $1 RETURNING id");
pub(crate) const FORGET_HOLDS: Sql = Sql::new("files_forget_holds", 1, 0, "DELETE FROM storage_holds WHERE owner = $1");
pub(crate) const OWNERS: Sql = Sql::new(
    "files_owners",
    2,
    1,
    "SELECT owner FROM documents WHERE owner > $1 UNION SELECT owner FROM files WHERE owner > $1
     UNION SELECT owner FROM uploads WHERE owner > $1 UNION SELECT owner FROM programs WHERE owner > $1
     ORDER BY owner LIMIT $2",
);

#[cfg(test)]
pub(super) const ALL: &[&Sql] = &[
    &KEPT,
    &PROGRAMS_KEPT,
    &HELD,
    &HOLD,
    &RELEASE,
    &RELEASE_OVER,
    &ADD,
    &FILE,
    &FILES,
    &REMOVE,
    &FILE_OF,
    &USES,
    &UPLOADS_OF,
    &PUT_UPLOAD,
    &UPLOAD,
    &REMOVE_UPLOAD,
    &UPLOADS_OVER,
    &FORGET,
    &FORGET_UPLOADS,
    &FORGET_HOLDS,
    &OWNERS,
];
