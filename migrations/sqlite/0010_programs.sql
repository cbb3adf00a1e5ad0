-- Programs that users keep.
CREATE TABLE programs (
    owner         INTEGER NOT NULL,
    id            TEXT    NOT NULL,
    kind          TEXT    NOT NULL CHECK (kind IN ('single', 'project')),
    name          TEXT    NOT NULL,
    original      TEXT    NOT NULL,
    description   TEXT    NOT NULL,
    language      TEXT    NOT NULL,
    size          INTEGER NOT NULL CHECK (size >= 0),
    file_count    INTEGER NOT NULL,
    main_file     TEXT,
    at            INTEGER NOT NULL,
    executions    INTEGER NOT NULL,
    last_executed INTEGER,
    files         TEXT    NOT NULL, -- JSON: [path, size, language]
    runs          TEXT    NOT NULL, -- JSON, newest first: [at, command, return code, microseconds]
    PRIMARY KEY (owner, id)
) STRICT;
