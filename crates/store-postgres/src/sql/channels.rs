//! Configured channels.

use super::Sql;

pub(crate) const CHANNELS: Sql = Sql::new(
    "channels",
    0,
    9,
    "SELECT name, max_connections, message_rate_limit, require_auth, history_size, history_ttl_s, mode, conflate_ms,
            presence
     FROM channels ORDER BY name",
);
/// How many there are in all, and whether that is there.
pub(crate) const COUNT_CHANNELS: Sql = Sql::new(
    "count_channels",
    1,
    2,
    "SELECT (SELECT count(*) FROM channels), (SELECT count(*) FROM channels WHERE name = $1)",
);
pub(crate) const PUT_CHANNEL: Sql = Sql::new(
    "put_channel",
    9,
    0,
    "INSERT INTO channels (name, max_connections, message_rate_limit, require_auth, history_size, history_ttl_s, mode,
                           conflate_ms, presence)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (name) DO UPDATE SET
         max_connections = excluded.max_connections, message_rate_limit = excluded.message_rate_limit,
         require_auth = excluded.require_auth, history_size = excluded.history_size,
         history_ttl_s = excluded.history_ttl_s, mode = excluded.mode, conflate_ms = excluded.conflate_ms,
         presence = excluded.presence",
);
pub(crate) const REMOVE_CHANNEL: Sql = Sql::new("remove_channel", 1, 0, "DELETE FROM channels WHERE name = $1");

#[cfg(test)]
pub(super) const ALL: &[&Sql] = &[&CHANNELS, &COUNT_CHANNELS, &PUT_CHANNEL, &REMOVE_CHANNEL];
