-- What users keep: documents by key, files, and room that is kept for what is on its way. The owner 0 is the operator at
-- the machine itself.
CREATE TABLE documents (
    owner INTEGER NOT NULL,
    key   TEXT    NOT NULL,
    value TEXT    NOT NULL, -- JSON
    size  INTEGER NOT NULL, -- bytes of key and value
    at    INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE files (
    owner      INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    original   TEXT    NOT NULL,
    blob       TEXT    NOT NULL, -- where the bytes are
    size       INTEGER NOT NULL CHECK (size >= 0),
    sha256     TEXT    NOT NULL,
    media_type TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (owner, name)
) STRICT;

CREATE UNIQUE INDEX files_blob ON files (blob);

CREATE TABLE storage_holds (
    id    TEXT    NOT NULL PRIMARY KEY,
    owner INTEGER NOT NULL,
    pool  TEXT    NOT NULL CHECK (pool IN ('files', 'programs')),
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    until INTEGER NOT NULL -- counts no more from then on
) STRICT, WITHOUT ROWID;

CREATE INDEX storage_holds_owner ON storage_holds (owner, pool);

CREATE TABLE uploads (
    id       TEXT    NOT NULL PRIMARY KEY,
    owner    INTEGER NOT NULL,
    original TEXT    NOT NULL,
    length   INTEGER NOT NULL CHECK (length >= 0),
    metadata TEXT    NOT NULL,
    until    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX uploads_owner ON uploads (owner);
CREATE INDEX uploads_until ON uploads (until);
