-- The exchange `paper`: markets by their steps, orders and trades. Prices in ticks, amounts in lots, money in minor units;
-- the money itself is in the journal.
CREATE TABLE paper_markets (
    symbol  TEXT   NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL CHECK (version > 0),
    settled INTEGER NOT NULL CHECK (settled BETWEEN 0 AND version), -- the step up to which the journal has everything
    orders  INTEGER NOT NULL, -- number of the last
    trades  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE paper_orders (
    symbol        TEXT   NOT NULL,
    n             INTEGER NOT NULL CHECK (n > 0),
    account       TEXT   NOT NULL,
    client_id     TEXT,
    side          TEXT   NOT NULL CHECK (side IN ('buy', 'sell')),
    kind          TEXT   NOT NULL CHECK (kind IN ('limit', 'market')),
    time_in_force TEXT   NOT NULL CHECK (time_in_force IN ('GTC', 'IOC', 'FOK', 'PO')),
    price         INTEGER NOT NULL CHECK (price > 0),
    lots          INTEGER NOT NULL CHECK (lots > 0),
    filled        INTEGER NOT NULL CHECK (filled BETWEEN 0 AND lots),
    cost          INTEGER NOT NULL CHECK (cost >= 0),
    fee           INTEGER NOT NULL CHECK (fee >= 0),
    held          INTEGER NOT NULL CHECK (held > 0),
    remainder     INTEGER NOT NULL CHECK (remainder BETWEEN 0 AND held),
    status        INTEGER NOT NULL CHECK (status BETWEEN 0 AND 5), -- below 2 it is live
    step          INTEGER NOT NULL, -- of its last change
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    traded_at     INTEGER,
    PRIMARY KEY (symbol, n)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX paper_orders_named ON paper_orders (account, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX paper_orders_account ON paper_orders (account, created_at);
CREATE INDEX paper_orders_live ON paper_orders (symbol, n) WHERE status < 2;
CREATE INDEX paper_orders_step ON paper_orders (symbol, step);

CREATE TABLE paper_trades (
    symbol       TEXT   NOT NULL,
    n            INTEGER NOT NULL CHECK (n > 0),
    price        INTEGER NOT NULL CHECK (price > 0),
    lots         INTEGER NOT NULL CHECK (lots > 0),
    taker        TEXT   NOT NULL CHECK (taker IN ('buy', 'sell')),
    buyer        TEXT, -- none: the market around the users
    buyer_order  INTEGER,
    buyer_fee    INTEGER,
    seller       TEXT,
    seller_order INTEGER,
    seller_fee   INTEGER,
    freed        INTEGER NOT NULL CHECK (freed >= 0),
    step         INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (symbol, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX paper_trades_buyer ON paper_trades (buyer, at) WHERE buyer IS NOT NULL;
CREATE INDEX paper_trades_seller ON paper_trades (seller, at) WHERE seller IS NOT NULL;
CREATE INDEX paper_trades_step ON paper_trades (symbol, step);
