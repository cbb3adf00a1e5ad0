-- What belongs to wallets: sessions, links, exchange accounts, transactions, tokens; and workers.
CREATE TABLE wallets (
    address    TEXT   NOT NULL PRIMARY KEY,
    first_seen INTEGER NOT NULL,
    user_id    INTEGER -- the user it is linked to
) STRICT, WITHOUT ROWID;

CREATE INDEX wallets_user ON wallets (user_id, address) WHERE user_id IS NOT NULL;

CREATE TABLE wallet_sessions (
    token      BLOB   NOT NULL PRIMARY KEY, -- SHA-256
    address    TEXT   NOT NULL,
    public_key TEXT   NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX wallet_sessions_address ON wallet_sessions (address, created_at);
CREATE INDEX wallet_sessions_expiry ON wallet_sessions (expires_at);

-- Logins that were used; each is good once.
CREATE TABLE wallet_logins (
    hash TEXT   NOT NULL PRIMARY KEY,
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX wallet_logins_at ON wallet_logins (at);

CREATE TABLE exchange_accounts (
    owner      TEXT   NOT NULL,
    nid        TEXT   NOT NULL,
    exchange   TEXT   NOT NULL,
    viewers    TEXT   NOT NULL, -- a JSON list, also below
    content    TEXT   NOT NULL, -- JSON without secrets
    sealed     BLOB   NOT NULL,
    public_key TEXT   NOT NULL,
    signature  TEXT   NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (owner, nid)
) STRICT, WITHOUT ROWID;

CREATE TABLE exchange_viewers (
    viewer TEXT NOT NULL,
    owner  TEXT NOT NULL,
    nid    TEXT NOT NULL,
    PRIMARY KEY (viewer, owner, nid)
) STRICT, WITHOUT ROWID;

CREATE INDEX exchange_viewers_account ON exchange_viewers (owner, nid);

CREATE TABLE wallet_transactions (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    hash      TEXT   NOT NULL UNIQUE,
    kind      TEXT   NOT NULL CHECK (kind IN ('basic', 'smart', 'asset')),
    sender    TEXT   NOT NULL,
    parties   TEXT   NOT NULL, -- a JSON list, also below
    token     TEXT   NOT NULL,
    prev_hash TEXT,
    body      TEXT   NOT NULL,
    entry     INTEGER, -- of the journal; none while it is pending
    at        INTEGER NOT NULL
) STRICT;

CREATE INDEX wallet_transactions_pending ON wallet_transactions (sender, id) WHERE entry IS NULL;
CREATE INDEX wallet_transactions_smart ON wallet_transactions (sender, entry DESC) WHERE kind = 'smart';

CREATE TABLE wallet_parties (
    address        TEXT   NOT NULL,
    transaction_id INTEGER NOT NULL,
    received       INTEGER NOT NULL CHECK (received >= 0),
    sent           INTEGER NOT NULL CHECK (sent >= 0), -- without the fee
    fee            INTEGER NOT NULL CHECK (fee >= 0),
    PRIMARY KEY (address, transaction_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT   NOT NULL UNIQUE,
    issuer     TEXT   NOT NULL,
    genesis    TEXT   NOT NULL,
    public_key TEXT   NOT NULL,
    signature  TEXT   NOT NULL,
    at         INTEGER NOT NULL
) STRICT;

CREATE INDEX tokens_issuer ON tokens (issuer);

CREATE TABLE workers (
    sid        TEXT   NOT NULL PRIMARY KEY,
    n          INTEGER NOT NULL, -- order of creation of its owner's
    nid        TEXT   NOT NULL,
    owner      TEXT   NOT NULL,
    version    INTEGER NOT NULL CHECK (version > 0),
    active     INTEGER NOT NULL CHECK (active IN (0, 1)),
    spec       TEXT   NOT NULL, -- JSON
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX workers_owner ON workers (owner, n);

CREATE TABLE worker_versions (
    sid     TEXT   NOT NULL,
    version INTEGER NOT NULL,
    spec    TEXT   NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (sid, version)
) STRICT, WITHOUT ROWID;
