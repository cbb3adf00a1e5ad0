-- Observed prices, charts and sentiment. Times are microseconds since 1970 UTC; dollar figures that
-- are only shown are decimal text.

CREATE TABLE prices (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    source            TEXT    NOT NULL,
    usd_cents         INTEGER NOT NULL CHECK (usd_cents > 0),
    market_cap_usd    TEXT,
    volume_24h_usd    TEXT,
    high_24h_usd      TEXT,
    ath_usd           TEXT,
    ath_date          TEXT,
    ath_change_pct    TEXT,
    source_updated_at INTEGER,
    observed_at       INTEGER NOT NULL
) STRICT;

CREATE TABLE charts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    timeframe   TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    points      TEXT    NOT NULL, -- JSON: [[time, US cents], ...]
    observed_at INTEGER NOT NULL
) STRICT;

CREATE INDEX charts_timeframe ON charts (timeframe, id);

CREATE TABLE sentiment (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    data_date      TEXT    NOT NULL UNIQUE,
    source         TEXT    NOT NULL,
    value          INTEGER NOT NULL CHECK (value BETWEEN 0 AND 100),
    classification TEXT    NOT NULL,
    observed_at    INTEGER NOT NULL
) STRICT;
