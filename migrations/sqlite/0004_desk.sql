-- Orders, withdrawals in two steps, and loans: what the journal's entries made of them, kept to be
-- found. All of it can be derived from the journal again, which `ledger verify` does.

-- What an order, a hold or a loan was agreed on: a limit or an interest, and when it runs out.
ALTER TABLE journal ADD COLUMN term_rate INTEGER;
ALTER TABLE journal ADD COLUMN term_until INTEGER;

CREATE TABLE orders (
    id         INTEGER PRIMARY KEY REFERENCES journal (seq), -- the entry that placed it
    user_id    INTEGER NOT NULL,
    side       INTEGER NOT NULL CHECK (side IN (1, 2)), -- 1 buy, 2 sell
    size_inr   INTEGER, -- the size it was asked in: one of these two
    size_btc   INTEGER,
    limit_rate INTEGER NOT NULL CHECK (limit_rate > 0),
    reserved   INTEGER NOT NULL CHECK (reserved > 0),
    expires_at INTEGER,
    status     INTEGER NOT NULL CHECK (status BETWEEN 1 AND 4), -- open, filled, cancelled, expired
    closed_at  INTEGER CHECK ((closed_at IS NULL) = (status = 1)),
    inr        INTEGER NOT NULL,
    btc        INTEGER NOT NULL,
    rate       INTEGER NOT NULL,
    CHECK ((size_inr IS NULL) <> (size_btc IS NULL))
) STRICT;
CREATE INDEX orders_open ON orders (side, limit_rate) WHERE status = 1;
CREATE INDEX orders_expiry ON orders (expires_at) WHERE status = 1 AND expires_at IS NOT NULL;

CREATE TABLE holds (
    id         INTEGER PRIMARY KEY REFERENCES journal (seq), -- the entry that made it
    user_id    INTEGER NOT NULL,
    asset      TEXT    NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount > 0),
    paid       INTEGER NOT NULL CHECK (paid BETWEEN 0 AND amount),
    expires_at INTEGER,
    status     INTEGER NOT NULL CHECK (status BETWEEN 1 AND 4), -- pending, posted, voided, expired
    closed_at  INTEGER CHECK ((closed_at IS NULL) = (status = 1))
) STRICT;
CREATE INDEX holds_pending ON holds (id) WHERE status = 1;
CREATE INDEX holds_expiry ON holds (expires_at) WHERE status = 1 AND expires_at IS NOT NULL;

CREATE TABLE loans (
    user_id    INTEGER PRIMARY KEY,
    opened     INTEGER NOT NULL REFERENCES journal (seq),
    rate_bps   INTEGER NOT NULL CHECK (rate_bps >= 0),
    accrued_to INTEGER NOT NULL, -- whole seconds, in microseconds
    carry      INTEGER NOT NULL CHECK (carry >= 0)
) STRICT;

-- An order or a hold ends once.
CREATE TRIGGER orders_end BEFORE UPDATE ON orders WHEN OLD.status <> 1
BEGIN SELECT RAISE(ABORT, 'the order is over'); END;
CREATE TRIGGER orders_hold BEFORE DELETE ON orders BEGIN SELECT RAISE(ABORT, 'orders are never deleted'); END;
CREATE TRIGGER holds_end BEFORE UPDATE ON holds WHEN OLD.status <> 1
BEGIN SELECT RAISE(ABORT, 'the hold is over'); END;
CREATE TRIGGER holds_hold BEFORE DELETE ON holds BEGIN SELECT RAISE(ABORT, 'holds are never deleted'); END;

-- Statements of all users, newest first.
CREATE INDEX statement_seq ON statement (seq);

-- Plans that trade at fixed times, and their runs.
CREATE TABLE plans (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id      INTEGER NOT NULL,
    side         INTEGER NOT NULL CHECK (side IN (1, 2)), -- 1 buy, 2 sell
    size_inr     INTEGER, -- what a run trades: one of these two
    size_btc     INTEGER,
    frequency    TEXT    NOT NULL CHECK (frequency IN ('HOURLY', 'DAILY', 'WEEKLY', 'MONTHLY')),
    min_rate     INTEGER,
    max_rate     INTEGER,
    remaining    INTEGER,
    created_at   INTEGER NOT NULL,
    anchor       INTEGER NOT NULL,
    next_due     INTEGER NOT NULL,
    status       TEXT    NOT NULL CHECK (status IN ('ACTIVE', 'PAUSED', 'COMPLETED')),
    notice       TEXT,
    executed     INTEGER NOT NULL,
    inr          INTEGER NOT NULL,
    btc          INTEGER NOT NULL,
    completed_at INTEGER,
    CHECK ((size_inr IS NULL) <> (size_btc IS NULL))
) STRICT;
CREATE INDEX plans_user ON plans (user_id, id);
CREATE INDEX plans_due ON plans (next_due) WHERE status = 'ACTIVE';

CREATE TABLE plan_runs (
    plan_id INTEGER NOT NULL REFERENCES plans (id),
    due     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    seq     INTEGER REFERENCES journal (seq), -- the trade, if one was made
    inr     INTEGER,
    btc     INTEGER,
    rate    INTEGER,
    reason  TEXT, -- why none was
    PRIMARY KEY (plan_id, due), -- one run a period
    CHECK ((seq IS NULL) = (reason IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- What an administrator set.
CREATE TABLE settings (
    name       TEXT    PRIMARY KEY,
    value_e4   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Each event of the audit log is linked to the one before it.
ALTER TABLE audit_log ADD COLUMN hash BLOB;

-- Who does what only one process may do; times are the database's.
CREATE TABLE leases (
    key        TEXT    PRIMARY KEY,
    holder     TEXT    NOT NULL,
    epoch      INTEGER NOT NULL CHECK (epoch > 0), -- rises with each change of holder
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
