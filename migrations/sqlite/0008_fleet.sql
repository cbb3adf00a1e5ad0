-- What the nodes of a fleet share: who lives, who leads, what ran, which orders were meant, logs, the scripts' store.
-- Times of nodes, leases and expiry are the database's clock.
CREATE TABLE worker_nodes (
    holder   TEXT    NOT NULL PRIMARY KEY, -- a process of the node
    node     TEXT    NOT NULL,
    version  TEXT    NOT NULL,
    capacity INTEGER NOT NULL,
    running  INTEGER NOT NULL,
    draining INTEGER NOT NULL CHECK (draining IN (0, 1)),
    beat_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Rows stay, for their epochs must not begin anew.
CREATE TABLE worker_leases (
    sid         TEXT    NOT NULL PRIMARY KEY,
    holder      TEXT    NOT NULL,
    epoch       INTEGER NOT NULL CHECK (epoch > 0),
    acquired_at INTEGER NOT NULL,
    renewed_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    released    INTEGER NOT NULL CHECK (released IN (0, 1)), -- given back by its last holder
    clean       INTEGER NOT NULL CHECK (clean IN (0, 1)) -- the one before had given it back
) STRICT, WITHOUT ROWID;

CREATE INDEX worker_leases_holder ON worker_leases (holder, expires_at);

CREATE TABLE worker_runs (
    id         TEXT    NOT NULL PRIMARY KEY,
    sid        TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    node       TEXT    NOT NULL,
    epoch      INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    outcome    TEXT,
    error      TEXT,
    calls      INTEGER NOT NULL,
    cpu_ms     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX worker_runs_sid ON worker_runs (sid, started_at, id);

CREATE TABLE worker_totals (
    sid            TEXT    NOT NULL,
    node           TEXT    NOT NULL,
    executions     INTEGER NOT NULL,
    errors         INTEGER NOT NULL,
    network_errors INTEGER NOT NULL,
    consecutive    INTEGER NOT NULL,
    running        INTEGER NOT NULL CHECK (running IN (0, 1)),
    started_at     INTEGER NOT NULL,
    last_run       INTEGER,
    last_error     TEXT,
    last_network   INTEGER NOT NULL CHECK (last_network IN (0, 1)),
    PRIMARY KEY (sid, node)
) STRICT, WITHOUT ROWID;

-- Versions that are not to run again.
CREATE TABLE worker_settled (
    sid     TEXT    NOT NULL,
    node    TEXT    NOT NULL, -- empty: on all nodes
    version INTEGER NOT NULL,
    reason  TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (sid, node)
) STRICT, WITHOUT ROWID;

CREATE INDEX workers_active ON workers (sid) WHERE active = 1;

CREATE TABLE order_intents (
    client_order_id TEXT    NOT NULL PRIMARY KEY,
    sid             TEXT    NOT NULL,
    epoch           INTEGER NOT NULL,
    venue           TEXT    NOT NULL,
    account         TEXT,
    body            TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('open', 'placed', 'refused')),
    order_id        TEXT,
    at              INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX order_intents_open ON order_intents (sid, at, client_order_id) WHERE state = 'open';
CREATE INDEX order_intents_over ON order_intents (at) WHERE state <> 'open';

CREATE TABLE worker_logs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    sid        TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    level      TEXT    NOT NULL,
    text       TEXT    NOT NULL
) STRICT;

CREATE INDEX worker_logs_sid ON worker_logs (sid, id);
CREATE INDEX worker_logs_generation ON worker_logs (sid, generation);

CREATE TABLE worker_log_files (
    sid        TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    lines      INTEGER NOT NULL,
    modified   INTEGER NOT NULL,
    PRIMARY KEY (sid, generation)
) STRICT, WITHOUT ROWID;

CREATE TABLE kv_spaces (
    space TEXT    NOT NULL PRIMARY KEY,
    stamp INTEGER NOT NULL,
    keys  INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE kv (
    space      TEXT    NOT NULL,
    key        BLOB    NOT NULL, -- sorts as its parts do
    value      TEXT    NOT NULL, -- JSON
    stamp      INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (space, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX kv_expiry ON kv (expires_at) WHERE expires_at IS NOT NULL;
