//! The scripts' store.

use super::Sql;

/// The next commit of a space, and what it holds.
pub(crate) const NEXT_STAMP: Sql = Sql::new(
    "kv_next_stamp",
    1,
    3,
    "INSERT INTO kv_spaces AS s (space, stamp, keys, bytes) VALUES ($1, 1, 0, 0)
     ON CONFLICT (space) DO UPDATE SET stamp = s.stamp + 1 RETURNING stamp, keys, bytes",
);
pub(crate) const HOLDS: Sql =
    Sql::new("kv_holds", 3, 0, "UPDATE kv_spaces SET keys = keys + $2, bytes = bytes + $3 WHERE space = $1");
pub(crate) const GET: Sql = Sql::new(
    "kv_get",
    2,
    3,
    concat!(
        "SELECT key, value, stamp FROM kv WHERE space = $1 AND key = $2 AND (expires_at IS NULL OR expires_at > ",
        now!(),
        ")"
    ),
);
pub(crate) const SIZE: Sql = Sql::new("kv_size", 2, 1, "SELECT size FROM kv WHERE space = $1 AND key = $2");
pub(crate) const PUT: Sql = Sql::new(
    "kv_put",
    6,
    0,
    concat!(
        "INSERT INTO kv (space, key, value, stamp, size, expires_at) VALUES ($1, $2, $3, $4, $5, ",
        now!(),
        " + $6) ON CONFLICT (space, key) DO UPDATE SET value = excluded.value, stamp = excluded.stamp,
             size = excluded.size, expires_at = excluded.expires_at"
    ),
);
pub(crate) const DELETE: Sql = Sql::new("kv_delete", 2, 0, "DELETE FROM kv WHERE space = $1 AND key = $2");
pub(crate) const LIST: Sql = Sql::new(
    "kv_list",
    4,
    3,
    concat!(
        "SELECT key, value, stamp FROM kv WHERE space = $1 AND key >= $2 AND key < $3
             AND (expires_at IS NULL OR expires_at > ",
        now!(),
        ") ORDER BY key LIMIT $4"
    ),
);
pub(crate) const LIST_BACK: Sql = Sql::new(
    "kv_list_back",
    4,
    3,
    concat!(
        "SELECT key, value, stamp FROM kv WHERE space = $1 AND key >= $2 AND key < $3
             AND (expires_at IS NULL OR expires_at > ",
        now!(),
        ") ORDER BY key DESC LIMIT $4"
    ),
);
pub(crate) const EXPIRED: Sql = Sql::new(
    "kv_expired",
    1,
    2,
    concat!("SELECT space, key FROM kv WHERE expires_at <= ", now!(), " ORDER BY space, key LIMIT $1"),
);
pub(crate) const EXPIRED_OF: Sql = Sql::new(
    "kv_expired_of",
    1,
    1,
    concat!("DELETE FROM kv WHERE space = $1 AND expires_at <= ", now!(), " RETURNING size"),
);
pub(crate) const EXPIRE: Sql = Sql::new(
    "kv_expire",
    2,
    1,
    concat!("DELETE FROM kv WHERE space = $1 AND key = $2 AND expires_at <= ", now!(), " RETURNING size"),
);

#[cfg(test)]
pub(super) const ALL: &[&Sql] =
    &[&NEXT_STAMP, &HOLDS, &GET, &SIZE, &PUT, &DELETE, &LIST, &LIST_BACK, &EXPIRED, &EXPIRED_OF, &EXPIRE];
