-- The double-entry journal and what is derived from it.
-- Amounts are minor units (paise, satoshis); times are microseconds since 1970 UTC.

-- Prices that entries name.
CREATE TABLE snapshots (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source        TEXT   NOT NULL,
    btc_usd_cents BIGINT NOT NULL,
    buy_mult_e4   BIGINT NOT NULL,
    sell_mult_e4  BIGINT NOT NULL,
    buy_rate      BIGINT NOT NULL,
    sell_rate     BIGINT NOT NULL,
    observed_at   BIGINT NOT NULL,
    received_at   BIGINT NOT NULL,
    CHECK (0 < sell_rate AND sell_rate <= buy_rate)
);

CREATE TABLE journal (
    seq         BIGINT PRIMARY KEY CHECK (seq > 0),
    kind        BIGINT NOT NULL,
    actor       TEXT   NOT NULL,
    idem_key    TEXT   NOT NULL,
    snapshot_id BIGINT, -- refers to snapshots (id)
    size_inr    BIGINT, -- the size a trade was asked in: one of these two
    size_btc    BIGINT,
    refs        BIGINT REFERENCES journal (seq),
    at          BIGINT NOT NULL,
    prev        BYTEA  NOT NULL CHECK (length(prev) = 32),
    hash        BYTEA  NOT NULL CHECK (length(hash) = 32),
    CHECK (size_inr IS NULL OR size_btc IS NULL),
    CHECK (refs IS NULL OR refs < seq)
);

-- An entry is undone at most once.
CREATE UNIQUE INDEX journal_refs ON journal (refs) WHERE refs IS NOT NULL;

CREATE TABLE legs (
    seq          BIGINT NOT NULL, -- refers to journal (seq)
    n            BIGINT NOT NULL CHECK (n >= 0),
    from_account TEXT   NOT NULL,
    to_account   TEXT   NOT NULL CHECK (to_account <> from_account),
    amount       BIGINT NOT NULL CHECK (amount > 0),
    from_after   BIGINT NOT NULL,
    to_after     BIGINT NOT NULL,
    PRIMARY KEY (seq, n)
);

-- Balance of each account: the fold of its legs. The bounds hold at every commit, whatever wrote it.
-- Codes compare by bytes, so that an owner's accounts are a range.
CREATE TABLE accounts (
    code    TEXT COLLATE "C" PRIMARY KEY CHECK (code = owner || '/' || asset || '/' || bucket),
    owner   TEXT   NOT NULL,
    asset   TEXT   NOT NULL,
    bucket  TEXT   NOT NULL,
    balance BIGINT NOT NULL CHECK (balance BETWEEN -4000000000000000000 AND 4000000000000000000),
    CONSTRAINT bounds CHECK (
        CASE
            WHEN owner = 'world' OR bucket IN ('borrowed', 'interest') THEN balance <= 0
            WHEN owner = 'house' AND bucket = 'inventory' THEN TRUE -- may go short; the floor is configured
            ELSE balance >= 0
        END
    )
) WITH (fillfactor = 70);

CREATE TABLE idempotency (
    actor       TEXT  NOT NULL,
    key         TEXT  NOT NULL,
    fingerprint BYTEA NOT NULL CHECK (length(fingerprint) = 32),
    outcome     BYTEA NOT NULL,
    PRIMARY KEY (key, actor) -- keys that rise with time stay together
);

-- Which entries move a user's money.
CREATE TABLE statement (
    user_id BIGINT NOT NULL,
    seq     BIGINT NOT NULL, -- refers to journal (seq)
    PRIMARY KEY (user_id, seq)
);

-- The journal grows at its end, without a gap.
CREATE FUNCTION journal_appended() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    first BIGINT; last BIGINT; rows BIGINT; before BIGINT;
BEGIN
    SELECT min(seq), max(seq), count(*) INTO first, last, rows FROM added;
    IF rows = 0 THEN RETURN NULL; END IF;
    SELECT seq INTO before FROM journal WHERE seq < first ORDER BY seq DESC LIMIT 1;
    IF last - first + 1 <> rows OR first <> coalesce(before, 0) + 1
       OR EXISTS (SELECT 1 FROM journal WHERE seq > last) THEN
        RAISE EXCEPTION 'journal is append-only';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER journal_append AFTER INSERT ON journal REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION journal_appended();

-- References that every trade makes, checked once a statement: as foreign keys they would be a query and a
-- row lock for each of a batch's thousand rows. Nothing they refer to can be deleted or renumbered.
-- Arguments: the column, the table it refers to.
CREATE FUNCTION seq_refers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM added a WHERE NOT EXISTS (SELECT 1 FROM journal j WHERE j.seq = a.seq)) THEN
        RAISE foreign_key_violation USING MESSAGE = TG_TABLE_NAME || ' refers to an entry that is not there';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION snapshot_refers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM (SELECT DISTINCT snapshot_id AS id FROM added WHERE snapshot_id IS NOT NULL) a
               WHERE NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.id = a.id)) THEN
        RAISE foreign_key_violation USING MESSAGE = TG_TABLE_NAME || ' refers to a price that is not there';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER journal_refers AFTER INSERT ON journal REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION snapshot_refers('snapshot_id', 'snapshots');
CREATE TRIGGER legs_refer AFTER INSERT ON legs REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION seq_refers('seq', 'journal');
CREATE TRIGGER statement_refers AFTER INSERT ON statement REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION seq_refers('seq', 'journal');

CREATE TRIGGER journal_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER legs_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON legs
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER statement_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON statement
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER idempotency_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON idempotency
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER snapshots_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON snapshots
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER accounts_hold BEFORE DELETE OR TRUNCATE ON accounts
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
