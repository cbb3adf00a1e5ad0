//! The exchange `paper`.

use super::Sql;

/// Columns of an order; `rows::order` reads them.
macro_rules! order {
    () => {
        "symbol, n, account, client_id, side, kind, time_in_force, price, lots, filled, cost, fee, held, remainder, \
         status, created_at, updated_at, traded_at"
    };
}

/// Columns of a trade; `rows::trade` reads them.
macro_rules! trade {
    () => {
        "symbol, n, price, lots, taker, buyer, buyer_order, buyer_fee, seller, seller_order, seller_fee, freed, at"
    };
}

/// Of an account, in one market or in all, in a range of states, from a time on.
macro_rules! orders {
    ($order:literal) => {
        concat!(
            "SELECT ",
            order!(),
            " FROM paper_orders WHERE account = $1 AND ($2 = '' OR symbol = $2) AND status BETWEEN $3 AND $4
              AND created_at >= $5 ORDER BY ",
            $order,
            " LIMIT $6"
        )
    };
}

/// Of an account, in one market or in all, from a time on, of one order or of all.
macro_rules! own_trades {
    ($order:literal) => {
        concat!(
            "SELECT ",
            trade!(),
            " FROM paper_trades WHERE (buyer = $1 OR seller = $1) AND ($2 = '' OR symbol = $2) AND at >= $3
              AND (CAST($4 AS BIGINT) = 0 OR buyer = $1 AND buyer_order = $4 OR seller = $1 AND seller_order = $4)
              ORDER BY ",
            $order,
            " LIMIT $5"
        )
    };
}

macro_rules! market_trades {
    ($order:literal) => {
        concat!("SELECT ", trade!(), " FROM paper_trades WHERE symbol = $1 AND at >= $2 ORDER BY ", $order, " LIMIT $3")
    };
}

pub(crate) const PAPER_MARKET: Sql =
    Sql::new("paper_market", 1, 4, "SELECT version, settled, orders, trades FROM paper_markets WHERE symbol = $1");
pub(crate) const PAPER_VERSIONS: Sql =
    Sql::new("paper_versions", 0, 2, "SELECT symbol, version FROM paper_markets ORDER BY symbol LIMIT 1000");
pub(crate) const PUT_PAPER_MARKET: Sql = Sql::new(
    "put_paper_market",
    5,
    0,
    "INSERT INTO paper_markets (symbol, version, settled, orders, trades) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (symbol) DO UPDATE SET version = excluded.version, settled = excluded.settled,
         orders = excluded.orders, trades = excluded.trades",
);
pub(crate) const PUT_PAPER_ORDER: Sql = Sql::new(
    "put_paper_order",
    19,
    0,
    "INSERT INTO paper_orders (symbol, n, account, client_id, side, kind, time_in_force, price, lots, filled, cost, fee,
         held, remainder, status, created_at, updated_at, traded_at, step)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
     ON CONFLICT (symbol, n) DO UPDATE SET filled = excluded.filled, cost = excluded.cost, fee = excluded.fee,
         remainder = excluded.remainder, status = excluded.status, updated_at = excluded.updated_at,
         traded_at = excluded.traded_at, step = excluded.step",
);
pub(crate) const INSERT_PAPER_TRADE: Sql = Sql::new(
    "insert_paper_trade",
    14,
    0,
    "INSERT INTO paper_trades (symbol, n, price, lots, taker, buyer, buyer_order, buyer_fee, seller, seller_order,
         seller_fee, freed, at, step)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
);
pub(crate) const PAPER_ORDER: Sql =
    Sql::new("paper_order", 2, 18, concat!("SELECT ", order!(), " FROM paper_orders WHERE symbol = $1 AND n = $2"));
pub(crate) const PAPER_ORDER_NAMED: Sql = Sql::new(
    "paper_order_named",
    2,
    18,
    concat!("SELECT ", order!(), " FROM paper_orders WHERE account = $1 AND client_id = $2"),
);
/// As many as a market may have open, and those that are pending.
pub(crate) const LIVE_PAPER_ORDERS: Sql = Sql::new(
    "live_paper_orders",
    1,
    18,
    concat!("SELECT ", order!(), " FROM paper_orders WHERE symbol = $1 AND status < 2 ORDER BY n"),
);
pub(crate) const PAPER_ORDERS_OVER: Sql = Sql::new(
    "paper_orders_over",
    2,
    18,
    concat!("SELECT ", order!(), " FROM paper_orders WHERE symbol = $1 AND step > $2 AND status >= 2 ORDER BY n"),
);
pub(crate) const PAPER_TRADES_DUE: Sql = Sql::new(
    "paper_trades_due",
    2,
    13,
    concat!("SELECT ", trade!(), " FROM paper_trades WHERE symbol = $1 AND step > $2 ORDER BY n"),
);
pub(crate) const FIRST_PAPER_ORDERS: Sql = Sql::new("first_paper_orders", 6, 18, orders!("created_at, symbol, n"));
pub(crate) const LAST_PAPER_ORDERS: Sql =
    Sql::new("last_paper_orders", 6, 18, orders!("created_at DESC, symbol DESC, n DESC"));
pub(crate) const FIRST_OWN_PAPER_TRADES: Sql = Sql::new("first_own_paper_trades", 5, 13, own_trades!("at, symbol, n"));
pub(crate) const LAST_OWN_PAPER_TRADES: Sql =
    Sql::new("last_own_paper_trades", 5, 13, own_trades!("at DESC, symbol DESC, n DESC"));
pub(crate) const FIRST_PAPER_TRADES: Sql = Sql::new("first_paper_trades", 3, 13, market_trades!("n"));
pub(crate) const LAST_PAPER_TRADES: Sql = Sql::new("last_paper_trades", 3, 13, market_trades!("n DESC"));

#[cfg(test)]
pub(super) const ALL: &[&Sql] = &[
    &PAPER_MARKET,
    &PAPER_VERSIONS,
    &PUT_PAPER_MARKET,
    &PUT_PAPER_ORDER,
    &INSERT_PAPER_TRADE,
    &PAPER_ORDER,
    &PAPER_ORDER_NAMED,
    &LIVE_PAPER_ORDERS,
    &PAPER_ORDERS_OVER,
    &PAPER_TRADES_DUE,
    &FIRST_PAPER_ORDERS,
    &LAST_PAPER_ORDERS,
    &FIRST_OWN_PAPER_TRADES,
    &LAST_OWN_PAPER_TRADES,
    &FIRST_PAPER_TRADES,
    &LAST_PAPER_TRADES,
];
