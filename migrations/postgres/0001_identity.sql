-- Users, sessions, API keys, the setup token and the audit log.
-- Times are microseconds since 1970 UTC.

CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;

CREATE TABLE users (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email      TEXT   NOT NULL,
    email_key  TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    password   TEXT   NOT NULL,
    role       TEXT   NOT NULL CHECK (role IN ('viewer', 'trader', 'operator', 'admin')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);

CREATE UNIQUE INDEX users_email_key ON users (email_key) WHERE deleted_at IS NULL;
CREATE INDEX users_role ON users (role) WHERE deleted_at IS NULL;

CREATE TABLE sessions (
    n          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- order of creation
    id         TEXT   NOT NULL UNIQUE,
    user_id    BIGINT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    address    TEXT   NOT NULL,
    agent      TEXT   NOT NULL
);

CREATE INDEX sessions_user ON sessions (user_id, created_at, n);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE api_keys (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    BIGINT NOT NULL REFERENCES users (id),
    name       TEXT   NOT NULL,
    prefix     TEXT   NOT NULL,
    hash       BYTEA  NOT NULL UNIQUE CHECK (length(hash) = 32),
    scopes     TEXT   NOT NULL, -- names with commas between
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);

CREATE INDEX api_keys_live ON api_keys (user_id, id) WHERE revoked_at IS NULL;

CREATE TABLE setup_token (
    "only"     BIGINT PRIMARY KEY CHECK ("only" = 1),
    hash       BYTEA  NOT NULL CHECK (length(hash) = 32),
    expires_at BIGINT NOT NULL
);

CREATE TABLE identity_version (
    "only" BIGINT PRIMARY KEY CHECK ("only" = 1),
    n    BIGINT NOT NULL
);

INSERT INTO identity_version ("only", n) VALUES (1, 1);

CREATE TABLE audit_log (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    action  TEXT   NOT NULL,
    target  TEXT   NOT NULL,
    outcome TEXT   NOT NULL,
    address TEXT   NOT NULL
);

CREATE TRIGGER audit_log_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
