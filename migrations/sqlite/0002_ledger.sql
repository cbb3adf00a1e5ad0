-- The double-entry journal and what is derived from it.
-- Amounts are minor units (paise, satoshis); times are microseconds since 1970 UTC.

-- Prices that entries name.
CREATE TABLE snapshots (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    source        TEXT    NOT NULL,
    btc_usd_cents INTEGER NOT NULL,
    buy_mult_e4   INTEGER NOT NULL,
    sell_mult_e4  INTEGER NOT NULL,
    buy_rate      INTEGER NOT NULL,
    sell_rate     INTEGER NOT NULL,
    observed_at   INTEGER NOT NULL,
    received_at   INTEGER NOT NULL,
    CHECK (0 < sell_rate AND sell_rate <= buy_rate)
) STRICT;

CREATE TABLE journal (
    seq         INTEGER PRIMARY KEY CHECK (seq > 0),
    kind        INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    idem_key    TEXT    NOT NULL,
    snapshot_id INTEGER REFERENCES snapshots (id),
    size_inr    INTEGER, -- the size a trade was asked in: one of these two
    size_btc    INTEGER,
    refs        INTEGER REFERENCES journal (seq),
    at          INTEGER NOT NULL,
    prev        BLOB    NOT NULL CHECK (length(prev) = 32),
    hash        BLOB    NOT NULL CHECK (length(hash) = 32),
    CHECK (size_inr IS NULL OR size_btc IS NULL),
    CHECK (refs IS NULL OR refs < seq)
) STRICT;

-- An entry is undone at most once.
CREATE UNIQUE INDEX journal_refs ON journal (refs) WHERE refs IS NOT NULL;

CREATE TABLE legs (
    seq          INTEGER NOT NULL REFERENCES journal (seq),
    n            INTEGER NOT NULL CHECK (n >= 0),
    from_account TEXT    NOT NULL,
    to_account   TEXT    NOT NULL CHECK (to_account <> from_account),
    amount       INTEGER NOT NULL CHECK (amount > 0),
    from_after   INTEGER NOT NULL,
    to_after     INTEGER NOT NULL,
    PRIMARY KEY (seq, n)
) STRICT, WITHOUT ROWID;

-- Balance of each account: the fold of its legs. The bounds hold at every commit, whatever wrote it.
CREATE TABLE accounts (
    code    TEXT    PRIMARY KEY CHECK (code = owner || '/' || asset || '/' || bucket),
    owner   TEXT    NOT NULL,
    asset   TEXT    NOT NULL,
    bucket  TEXT    NOT NULL,
    balance INTEGER NOT NULL CHECK (balance BETWEEN -4000000000000000000 AND 4000000000000000000),
    CONSTRAINT bounds CHECK (
        CASE
            WHEN owner = 'world' OR bucket IN ('borrowed', 'interest') THEN balance <= 0
            WHEN owner = 'house' AND bucket = 'inventory' THEN TRUE -- may go short; the floor is configured
            ELSE balance >= 0
        END
    )
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    actor       TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    outcome     BLOB NOT NULL,
    PRIMARY KEY (key, actor) -- keys that rise with time stay together
) STRICT;

-- Which entries move a user's money.
CREATE TABLE statement (
    user_id INTEGER NOT NULL,
    seq     INTEGER NOT NULL REFERENCES journal (seq),
    PRIMARY KEY (user_id, seq)
) STRICT, WITHOUT ROWID;

-- The journal grows at its end, without a gap. Being judged before the insert, this also stops an
-- INSERT OR REPLACE, whose deletions run no triggers.
CREATE TRIGGER journal_append BEFORE INSERT ON journal
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM journal)
BEGIN SELECT RAISE(ABORT, 'journal is append-only'); END;

CREATE TRIGGER journal_keep BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'journal is append-only'); END;
CREATE TRIGGER journal_hold BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'journal is append-only'); END;
CREATE TRIGGER legs_keep BEFORE UPDATE ON legs BEGIN SELECT RAISE(ABORT, 'legs is append-only'); END;
CREATE TRIGGER legs_hold BEFORE DELETE ON legs BEGIN SELECT RAISE(ABORT, 'legs is append-only'); END;
CREATE TRIGGER statement_keep BEFORE UPDATE ON statement BEGIN SELECT RAISE(ABORT, 'statement is append-only'); END;
CREATE TRIGGER statement_hold BEFORE DELETE ON statement BEGIN SELECT RAISE(ABORT, 'statement is append-only'); END;
CREATE TRIGGER idempotency_keep BEFORE UPDATE ON idempotency BEGIN SELECT RAISE(ABORT, 'idempotency is append-only'); END;
CREATE TRIGGER idempotency_hold BEFORE DELETE ON idempotency BEGIN SELECT RAISE(ABORT, 'idempotency is append-only'); END;
CREATE TRIGGER snapshots_keep BEFORE UPDATE ON snapshots BEGIN SELECT RAISE(ABORT, 'snapshots is append-only'); END;
CREATE TRIGGER snapshots_hold BEFORE DELETE ON snapshots BEGIN SELECT RAISE(ABORT, 'snapshots is append-only'); END;
CREATE TRIGGER accounts_hold BEFORE DELETE ON accounts BEGIN SELECT RAISE(ABORT, 'accounts are never deleted'); END;
