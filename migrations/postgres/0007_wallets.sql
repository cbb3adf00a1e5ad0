-- What belongs to wallets: sessions, links, exchange accounts, transactions, tokens; and workers.
CREATE TABLE wallets (
    address    TEXT   PRIMARY KEY,
    first_seen BIGINT NOT NULL,
    user_id    BIGINT -- the user it is linked to
);

CREATE INDEX wallets_user ON wallets (user_id, address) WHERE user_id IS NOT NULL;

CREATE TABLE wallet_sessions (
    token      BYTEA  PRIMARY KEY, -- SHA-256
    address    TEXT   NOT NULL,
    public_key TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX wallet_sessions_address ON wallet_sessions (address, created_at);
CREATE INDEX wallet_sessions_expiry ON wallet_sessions (expires_at);

-- Logins that were used; each is good once.
CREATE TABLE wallet_logins (
    hash TEXT   PRIMARY KEY,
    at   BIGINT NOT NULL
);

CREATE INDEX wallet_logins_at ON wallet_logins (at);

CREATE TABLE exchange_accounts (
    owner      TEXT   NOT NULL,
    nid        TEXT   NOT NULL,
    exchange   TEXT   NOT NULL,
    viewers    TEXT   NOT NULL, -- a JSON list, also below
    content    TEXT   NOT NULL, -- JSON without secrets
    sealed     BYTEA  NOT NULL,
    public_key TEXT   NOT NULL,
    signature  TEXT   NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (owner, nid)
);

CREATE TABLE exchange_viewers (
    viewer TEXT NOT NULL,
    owner  TEXT NOT NULL,
    nid    TEXT NOT NULL,
    PRIMARY KEY (viewer, owner, nid)
);

CREATE INDEX exchange_viewers_account ON exchange_viewers (owner, nid);

CREATE TABLE wallet_transactions (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash      TEXT   NOT NULL UNIQUE,
    kind      TEXT   NOT NULL CHECK (kind IN ('basic', 'smart', 'asset')),
    sender    TEXT   NOT NULL,
    parties   TEXT   NOT NULL, -- a JSON list, also below
    token     TEXT   NOT NULL,
    prev_hash TEXT,
    body      TEXT   NOT NULL,
    entry     BIGINT, -- of the journal; none while it is pending
    at        BIGINT NOT NULL
);

CREATE INDEX wallet_transactions_pending ON wallet_transactions (sender, id) WHERE entry IS NULL;
CREATE INDEX wallet_transactions_smart ON wallet_transactions (sender, entry DESC) WHERE kind = 'smart';

CREATE TABLE wallet_parties (
    address        TEXT   NOT NULL,
    transaction_id BIGINT NOT NULL,
    received       BIGINT NOT NULL CHECK (received >= 0),
    sent           BIGINT NOT NULL CHECK (sent >= 0), -- without the fee
    fee            BIGINT NOT NULL CHECK (fee >= 0),
    PRIMARY KEY (address, transaction_id)
);

CREATE TABLE tokens (
    n          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         TEXT   NOT NULL UNIQUE,
    issuer     TEXT   NOT NULL,
    genesis    TEXT   NOT NULL,
    public_key TEXT   NOT NULL,
    signature  TEXT   NOT NULL,
    at         BIGINT NOT NULL
);

CREATE INDEX tokens_issuer ON tokens (issuer);

CREATE TABLE workers (
    sid        TEXT   PRIMARY KEY,
    n          BIGINT NOT NULL, -- order of creation of its owner's
    nid        TEXT   NOT NULL,
    owner      TEXT   NOT NULL,
    version    BIGINT NOT NULL CHECK (version > 0),
    active     BIGINT NOT NULL CHECK (active IN (0, 1)),
    spec       TEXT   NOT NULL, -- JSON
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX workers_owner ON workers (owner, n);

CREATE TABLE worker_versions (
    sid     TEXT   NOT NULL,
    version BIGINT NOT NULL,
    spec    TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (sid, version)
);
