-- What users keep: documents by key, files, and room that is kept for what is on its way. The owner 0 is the operator at
-- the machine itself.
CREATE TABLE documents (
    owner BIGINT NOT NULL,
    key   TEXT   NOT NULL,
    value TEXT   NOT NULL, -- JSON
    size  BIGINT NOT NULL, -- bytes of key and value
    at    BIGINT NOT NULL,
    PRIMARY KEY (owner, key)
);

CREATE TABLE files (
    owner      BIGINT NOT NULL,
    name       TEXT   NOT NULL,
    original   TEXT   NOT NULL,
    blob       TEXT   NOT NULL, -- where the bytes are
    size       BIGINT NOT NULL CHECK (size >= 0),
    sha256     TEXT   NOT NULL,
    media_type TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (owner, name)
);

CREATE UNIQUE INDEX files_blob ON files (blob);

CREATE TABLE storage_holds (
    id    TEXT   PRIMARY KEY,
    owner BIGINT NOT NULL,
    pool  TEXT   NOT NULL CHECK (pool IN ('files', 'programs')),
    bytes BIGINT NOT NULL CHECK (bytes >= 0),
    until BIGINT NOT NULL -- counts no more from then on
);

CREATE INDEX storage_holds_owner ON storage_holds (owner, pool);

CREATE TABLE uploads (
    id       TEXT   PRIMARY KEY,
    owner    BIGINT NOT NULL,
    original TEXT   NOT NULL,
    length   BIGINT NOT NULL CHECK (length >= 0),
    metadata TEXT   NOT NULL,
    until    BIGINT NOT NULL
);

CREATE INDEX uploads_owner ON uploads (owner);
CREATE INDEX uploads_until ON uploads (until);
