-- Realtime channels that an administrator configured.
CREATE TABLE channels (
    name               TEXT   PRIMARY KEY,
    max_connections    BIGINT NOT NULL CHECK (max_connections >= 0), -- 0: no bound of its own
    message_rate_limit BIGINT NOT NULL CHECK (message_rate_limit > 0),
    require_auth       BIGINT NOT NULL CHECK (require_auth IN (0, 1)),
    history_size       BIGINT NOT NULL CHECK (history_size >= 0),
    history_ttl_s      BIGINT NOT NULL CHECK (history_ttl_s > 0),
    mode               TEXT   NOT NULL CHECK (mode IN ('stream', 'latest')),
    conflate_ms        BIGINT NOT NULL CHECK (conflate_ms >= 0),
    presence           BIGINT NOT NULL CHECK (presence IN (0, 1))
);
