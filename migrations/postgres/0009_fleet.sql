-- What the nodes of a fleet share: who lives, who leads, what ran, which orders were meant, logs, the scripts' store.
-- Times of nodes, leases and expiry are the database's clock.
CREATE TABLE worker_nodes (
    holder   TEXT   PRIMARY KEY, -- a process of the node
    node     TEXT   NOT NULL,
    version  TEXT   NOT NULL,
    capacity BIGINT NOT NULL,
    running  BIGINT NOT NULL,
    draining BIGINT NOT NULL CHECK (draining IN (0, 1)),
    beat_at  BIGINT NOT NULL
);

-- Rows stay, for their epochs must not begin anew.
CREATE TABLE worker_leases (
    sid         TEXT   PRIMARY KEY,
    holder      TEXT   NOT NULL,
    epoch       BIGINT NOT NULL CHECK (epoch > 0),
    acquired_at BIGINT NOT NULL,
    renewed_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    released    BIGINT NOT NULL CHECK (released IN (0, 1)), -- given back by its last holder
    clean       BIGINT NOT NULL CHECK (clean IN (0, 1)) -- the one before had given it back
);

CREATE INDEX worker_leases_holder ON worker_leases (holder, expires_at);

CREATE TABLE worker_runs (
    id         TEXT   PRIMARY KEY,
    sid        TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    node       TEXT   NOT NULL,
    epoch      BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at   BIGINT,
    outcome    TEXT,
    error      TEXT,
    calls      BIGINT NOT NULL,
    cpu_ms     BIGINT NOT NULL
);

CREATE INDEX worker_runs_sid ON worker_runs (sid, started_at, id);

CREATE TABLE worker_totals (
    sid            TEXT   NOT NULL,
    node           TEXT   NOT NULL,
    executions     BIGINT NOT NULL,
    errors         BIGINT NOT NULL,
    network_errors BIGINT NOT NULL,
    consecutive    BIGINT NOT NULL,
    running        BIGINT NOT NULL CHECK (running IN (0, 1)),
    started_at     BIGINT NOT NULL,
    last_run       BIGINT,
    last_error     TEXT,
    last_network   BIGINT NOT NULL CHECK (last_network IN (0, 1)),
    PRIMARY KEY (sid, node)
);

-- Versions that are not to run again.
CREATE TABLE worker_settled (
    sid     TEXT   NOT NULL,
    node    TEXT   NOT NULL, -- empty: on all nodes
    version BIGINT NOT NULL,
    reason  TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (sid, node)
);

CREATE INDEX workers_active ON workers (sid) WHERE active = 1;

CREATE TABLE order_intents (
    client_order_id TEXT   PRIMARY KEY,
    sid             TEXT   NOT NULL,
    epoch           BIGINT NOT NULL,
    venue           TEXT   NOT NULL,
    account         TEXT,
    body            TEXT   NOT NULL,
    state           TEXT   NOT NULL CHECK (state IN ('open', 'placed', 'refused')),
    order_id        TEXT,
    at              BIGINT NOT NULL
);

CREATE INDEX order_intents_open ON order_intents (sid, at, client_order_id) WHERE state = 'open';
CREATE INDEX order_intents_over ON order_intents (at) WHERE state <> 'open';

CREATE TABLE worker_logs (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sid        TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    level      TEXT   NOT NULL,
    text       TEXT   NOT NULL
);

CREATE INDEX worker_logs_sid ON worker_logs (sid, id);
CREATE INDEX worker_logs_generation ON worker_logs (sid, generation);

CREATE TABLE worker_log_files (
    sid        TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    bytes      BIGINT NOT NULL,
    lines      BIGINT NOT NULL,
    modified   BIGINT NOT NULL,
    PRIMARY KEY (sid, generation)
);

CREATE TABLE kv_spaces (
    space TEXT   PRIMARY KEY,
    stamp BIGINT NOT NULL,
    keys  BIGINT NOT NULL,
    bytes BIGINT NOT NULL
);

CREATE TABLE kv (
    space      TEXT   NOT NULL,
    key        BYTEA  NOT NULL, -- sorts as its parts do
    value      TEXT   NOT NULL, -- JSON
    stamp      BIGINT NOT NULL,
    size       BIGINT NOT NULL,
    expires_at BIGINT,
    PRIMARY KEY (space, key)
);

CREATE INDEX kv_expiry ON kv (expires_at) WHERE expires_at IS NOT NULL;
