//! What scripts write.

use super::Sql;

pub(crate) const NEWEST_FILE: Sql = Sql::new(
    "log_newest_file",
    1,
    3,
    "SELECT generation, bytes, lines FROM worker_log_files WHERE sid = $1 ORDER BY generation DESC LIMIT 1",
);
pub(crate) const PUT_FILE: Sql = Sql::new(
    "log_put_file",
    5,
    0,
    "INSERT INTO worker_log_files (sid, generation, bytes, lines, modified) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (sid, generation) DO UPDATE SET bytes = excluded.bytes, lines = excluded.lines,
         modified = excluded.modified",
);
pub(crate) const INSERT_LINES: Sql = Sql::new(
    "log_insert_lines",
    1,
    0,
    concat!(
        "INSERT INTO worker_logs (sid, generation, at, level, text)
         SELECT e.value ->> 'sid', CAST(e.value ->> 'generation' AS BIGINT), CAST(e.value ->> 'at' AS BIGINT),
             e.value ->> 'level', e.value ->> 'text' FROM ",
        records!("$1")
    ),
);
pub(crate) const DROP_LINES: Sql =
    Sql::new("log_drop_lines", 2, 0, "DELETE FROM worker_logs WHERE sid = $1 AND generation <= $2");
pub(crate) const DROP_FILES: Sql =
    Sql::new("log_drop_files", 2, 0, "DELETE FROM worker_log_files WHERE sid = $1 AND generation <= $2");
pub(crate) const TAIL: Sql = Sql::new(
    "log_tail",
    2,
    5,
    "SELECT id, sid, at, level, text FROM worker_logs WHERE sid = $1 ORDER BY id DESC LIMIT $2",
);
pub(crate) const AFTER: Sql = Sql::new(
    "log_after",
    3,
    5,
    "SELECT id, sid, at, level, text FROM worker_logs WHERE sid = $1 AND id > $2 ORDER BY id LIMIT $3",
);
pub(crate) const SIZES: Sql = Sql::new(
    "log_sizes",
    1,
    3,
    "SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT), CAST(coalesce(sum(lines), 0) AS BIGINT), max(modified)
     FROM worker_log_files WHERE sid = $1",
);
pub(crate) const SIZES_OF: Sql = Sql::new(
    "log_sizes_of",
    1,
    4,
    concat!(
        "SELECT CAST(sum(f.bytes) AS BIGINT), CAST(sum(f.lines) AS BIGINT), max(f.modified), f.sid
         FROM ",
        list!("$1"),
        " JOIN worker_log_files f ON f.sid = e.value GROUP BY f.sid ORDER BY f.sid"
    ),
);

#[cfg(test)]
pub(super) const ALL: &[&Sql] =
    &[&NEWEST_FILE, &PUT_FILE, &INSERT_LINES, &DROP_LINES, &DROP_FILES, &TAIL, &AFTER, &SIZES, &SIZES_OF];
