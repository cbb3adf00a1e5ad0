//! Leases, by the machine's clock as SQLite reads it.

use super::Sql;

/// Microseconds since 1970, the same throughout a statement.
macro_rules! now {
    () => {
        "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
    };
}

/// Takes lease `$1` for holder `$2` for `$3` microseconds if it is free, over or already theirs; its
/// epoch rises unless it was theirs and not over.
pub(crate) const ACQUIRE: Sql = Sql::new(
    "acquire_lease",
    3,
    1,
    concat!(
        "INSERT INTO leases (key, holder, epoch, expires_at) VALUES ($1, $2, 1, ",
        now!(),
        " + $3)
         ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at,
             epoch = CASE WHEN holder = excluded.holder AND expires_at > ",
        now!(),
        " THEN epoch ELSE epoch + 1 END
         WHERE holder = excluded.holder OR expires_at <= ",
        now!(),
        " RETURNING epoch"
    ),
);
pub(crate) const RENEW: Sql = Sql::new(
    "renew_lease",
    4,
    0,
    concat!(
        "UPDATE leases SET expires_at = ",
        now!(),
        " + $4 WHERE key = $1 AND holder = $2 AND epoch = $3 AND expires_at > ",
        now!()
    ),
);
pub(crate) const RELEASE: Sql =
    Sql::new("release_lease", 3, 0, "UPDATE leases SET expires_at = 0 WHERE key = $1 AND holder = $2 AND epoch = $3");
pub(crate) const HOLDER: Sql = Sql::new(
    "lease_holder",
    1,
    3,
    concat!("SELECT key, holder, epoch FROM leases WHERE key = $1 AND expires_at > ", now!()),
);
/// Those whose keys begin with `$1`, the first `$2` of them.
pub(crate) const LIVE: Sql = Sql::new(
    "live_leases",
    2,
    3,
    concat!(
        "SELECT key, holder, epoch FROM leases WHERE substr(key, 1, length($1)) = $1 AND expires_at > ",
        now!(),
        " ORDER BY key LIMIT $2"
    ),
);

#[cfg(test)]
pub(super) const ALL: &[&Sql] = &[&ACQUIRE, &RENEW, &RELEASE, &HOLDER, &LIVE];
