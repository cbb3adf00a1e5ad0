-- Observed prices, charts and sentiment. Times are microseconds since 1970 UTC; dollar figures that
-- are only shown are decimal text.

CREATE TABLE prices (
    id                BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source            TEXT   NOT NULL,
    usd_cents         BIGINT NOT NULL CHECK (usd_cents > 0),
    market_cap_usd    TEXT,
    volume_24h_usd    TEXT,
    high_24h_usd      TEXT,
    ath_usd           TEXT,
    ath_date          TEXT,
    ath_change_pct    TEXT,
    source_updated_at BIGINT,
    observed_at       BIGINT NOT NULL
);

CREATE TABLE charts (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    timeframe   TEXT   NOT NULL,
    source      TEXT   NOT NULL,
    points      TEXT   NOT NULL, -- JSON: [[time, US cents], ...]
    observed_at BIGINT NOT NULL
);

CREATE INDEX charts_timeframe ON charts (timeframe, id);

CREATE TABLE sentiment (
    id             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    data_date      TEXT   NOT NULL UNIQUE,
    source         TEXT   NOT NULL,
    value          BIGINT NOT NULL CHECK (value BETWEEN 0 AND 100),
    classification TEXT   NOT NULL,
    observed_at    BIGINT NOT NULL
);
