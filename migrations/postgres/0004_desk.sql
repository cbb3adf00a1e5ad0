-- Orders, withdrawals in two steps, and loans: what the journal's entries made of them, kept to be
-- found. All of it can be derived from the journal again, which `ledger verify` does.

-- What an order, a hold or a loan was agreed on: a limit or an interest, and when it runs out.
ALTER TABLE journal ADD COLUMN term_rate BIGINT;
ALTER TABLE journal ADD COLUMN term_until BIGINT;

CREATE TABLE orders (
    id         BIGINT PRIMARY KEY REFERENCES journal (seq), -- the entry that placed it
    user_id    BIGINT NOT NULL,
    side       BIGINT NOT NULL CHECK (side IN (1, 2)), -- 1 buy, 2 sell
    size_inr   BIGINT, -- the size it was asked in: one of these two
    size_btc   BIGINT,
    limit_rate BIGINT NOT NULL CHECK (limit_rate > 0),
    reserved   BIGINT NOT NULL CHECK (reserved > 0),
    expires_at BIGINT,
    status     BIGINT NOT NULL CHECK (status BETWEEN 1 AND 4), -- open, filled, cancelled, expired
    closed_at  BIGINT CHECK ((closed_at IS NULL) = (status = 1)),
    inr        BIGINT NOT NULL,
    btc        BIGINT NOT NULL,
    rate       BIGINT NOT NULL,
    CHECK ((size_inr IS NULL) <> (size_btc IS NULL))
);
CREATE INDEX orders_open ON orders (side, limit_rate) WHERE status = 1;
CREATE INDEX orders_expiry ON orders (expires_at) WHERE status = 1 AND expires_at IS NOT NULL;

CREATE TABLE holds (
    id         BIGINT PRIMARY KEY REFERENCES journal (seq), -- the entry that made it
    user_id    BIGINT NOT NULL,
    asset      TEXT    NOT NULL,
    amount     BIGINT NOT NULL CHECK (amount > 0),
    paid       BIGINT NOT NULL CHECK (paid BETWEEN 0 AND amount),
    expires_at BIGINT,
    status     BIGINT NOT NULL CHECK (status BETWEEN 1 AND 4), -- pending, posted, voided, expired
    closed_at  BIGINT CHECK ((closed_at IS NULL) = (status = 1))
);
CREATE INDEX holds_pending ON holds (id) WHERE status = 1;
CREATE INDEX holds_expiry ON holds (expires_at) WHERE status = 1 AND expires_at IS NOT NULL;

CREATE TABLE loans (
    user_id    BIGINT PRIMARY KEY,
    opened     BIGINT NOT NULL REFERENCES journal (seq),
    rate_bps   BIGINT NOT NULL CHECK (rate_bps >= 0),
    accrued_to BIGINT NOT NULL, -- whole seconds, in microseconds
    carry      BIGINT NOT NULL CHECK (carry >= 0)
);

-- An order or a hold ends once.
CREATE FUNCTION is_over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the row of % is over', TG_TABLE_NAME;
END $$;
CREATE TRIGGER orders_end BEFORE UPDATE ON orders FOR EACH ROW WHEN (OLD.status <> 1) EXECUTE FUNCTION is_over();
CREATE TRIGGER orders_hold BEFORE DELETE OR TRUNCATE ON orders FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER holds_end BEFORE UPDATE ON holds FOR EACH ROW WHEN (OLD.status <> 1) EXECUTE FUNCTION is_over();
CREATE TRIGGER holds_hold BEFORE DELETE OR TRUNCATE ON holds FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Statements of all users, newest first.
CREATE INDEX statement_seq ON statement (seq);

-- Plans that trade at fixed times, and their runs.
CREATE TABLE plans (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id      BIGINT NOT NULL,
    side         BIGINT NOT NULL CHECK (side IN (1, 2)), -- 1 buy, 2 sell
    size_inr     BIGINT, -- what a run trades: one of these two
    size_btc     BIGINT,
    frequency    TEXT    NOT NULL CHECK (frequency IN ('HOURLY', 'DAILY', 'WEEKLY', 'MONTHLY')),
    min_rate     BIGINT,
    max_rate     BIGINT,
    remaining    BIGINT,
    created_at   BIGINT NOT NULL,
    anchor       BIGINT NOT NULL,
    next_due     BIGINT NOT NULL,
    status       TEXT    NOT NULL CHECK (status IN ('ACTIVE', 'PAUSED', 'COMPLETED')),
    notice       TEXT,
    executed     BIGINT NOT NULL,
    inr          BIGINT NOT NULL,
    btc          BIGINT NOT NULL,
    completed_at BIGINT,
    CHECK ((size_inr IS NULL) <> (size_btc IS NULL))
);
CREATE INDEX plans_user ON plans (user_id, id);
CREATE INDEX plans_due ON plans (next_due) WHERE status = 'ACTIVE';

CREATE TABLE plan_runs (
    plan_id BIGINT NOT NULL REFERENCES plans (id),
    due     BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    seq     BIGINT REFERENCES journal (seq), -- the trade, if one was made
    inr     BIGINT,
    btc     BIGINT,
    rate    BIGINT,
    reason  TEXT, -- why none was
    PRIMARY KEY (plan_id, due), -- one run a period
    CHECK ((seq IS NULL) = (reason IS NOT NULL))
);

-- What an administrator set.
CREATE TABLE settings (
    name       TEXT    PRIMARY KEY,
    value_e4   BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Each event of the audit log is linked to the one before it.
ALTER TABLE audit_log ADD COLUMN hash BYTEA;

-- Who does what only one process may do; times are the database's.
CREATE TABLE leases (
    key        TEXT   PRIMARY KEY,
    holder     TEXT   NOT NULL,
    epoch      BIGINT NOT NULL CHECK (epoch > 0), -- rises with each change of holder
    expires_at BIGINT NOT NULL
);
