-- Realtime channels that an administrator configured.
CREATE TABLE channels (
    name               TEXT   NOT NULL PRIMARY KEY,
    max_connections    INTEGER NOT NULL CHECK (max_connections >= 0), -- 0: no bound of its own
    message_rate_limit INTEGER NOT NULL CHECK (message_rate_limit > 0),
    require_auth       INTEGER NOT NULL CHECK (require_auth IN (0, 1)),
    history_size       INTEGER NOT NULL CHECK (history_size >= 0),
    history_ttl_s      INTEGER NOT NULL CHECK (history_ttl_s > 0),
    mode               TEXT   NOT NULL CHECK (mode IN ('stream', 'latest')),
    conflate_ms        INTEGER NOT NULL CHECK (conflate_ms >= 0),
    presence           INTEGER NOT NULL CHECK (presence IN (0, 1))
) STRICT, WITHOUT ROWID;
