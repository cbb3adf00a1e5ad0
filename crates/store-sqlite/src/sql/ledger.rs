//! The journal and what is derived from it. Lists travel as one JSON parameter, and as one JSON
//! column where many small rows would cost more than the query: a commit is a handful of round trips
//! to the connection's thread, whatever its size. SQLite and `serde_json` both keep 64-bit integers
//! exact; blobs travel as hex. `jsonb_each` spares the rows of a list being printed and parsed again for each
//! column.

use super::Sql;

/// Columns of a snapshot.
macro_rules! snapshot {
    () => {
        "s.id, s.source, s.btc_usd_cents, s.buy_mult_e4, s.sell_mult_e4, s.buy_rate, s.sell_rate, \
         s.observed_at, s.received_at"
    };
}

/// An order as a JSON array.
macro_rules! order {
    () => {
        "json_array(o.id, o.user_id, o.side, o.size_inr, o.size_btc, o.limit_rate, o.reserved, o.expires_at, \
         o.status, o.closed_at, o.inr, o.btc, o.rate)"
    };
}

/// A hold as a JSON array.
macro_rules! hold {
    () => {
        "json_array(h.id, h.user_id, h.asset, h.amount, h.paid, h.expires_at, h.status, h.closed_at)"
    };
}

/// A loan as a JSON array.
macro_rules! loan {
    () => {
        "json_array(n.user_id, n.opened, n.rate_bps, n.accrued_to, n.carry)"
    };
}

/// An entry with its legs, what resolved it, its snapshot, and the order or hold it began: 26 columns.
/// `$from` names the rows `j`.
macro_rules! posted {
    ($from:expr, $tail:literal) => {
        concat!(
            "SELECT j.seq, j.kind, j.actor, j.idem_key, j.snapshot_id, j.size_inr, j.size_btc, j.refs, j.at, j.prev, \
             j.hash, (SELECT json_group_array(json_array(l.from_account, l.to_account, l.amount, l.from_after, \
             l.to_after) ORDER BY l.n) FROM legs l WHERE l.seq = j.seq), r.seq, ",
            snapshot!(),
            ", j.term_rate, j.term_until, (SELECT ",
            order!(),
            " FROM orders o WHERE o.id = j.seq AND j.kind IN (6, 7)), (SELECT ",
            hold!(),
            " FROM holds h WHERE h.id = j.seq AND j.kind = 14) FROM ",
            $from,
            " LEFT JOIN journal r ON r.refs = j.seq LEFT JOIN snapshots s ON s.id = j.snapshot_id ",
            $tail
        )
    };
}

/// Lines that are still to be shown: no order cancelled or expired, no hold called off. `w` names the
/// lines.
macro_rules! shown {
    () => {
        "NOT EXISTS (SELECT 1 FROM orders o WHERE o.id = w.seq AND o.status > 2) \
         AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.id = w.seq AND h.status > 2)"
    };
}

/// What a commit has to see, as one row: head, balances of the accounts `$1`, outcomes under the keys
/// `$2` (`[[actor, key], …]`), prices `$3`.
pub(crate) const VIEW: Sql = Sql::new(
    "view",
    3,
    4,
    "SELECT
       (SELECT json_array(seq, hex(hash), at) FROM journal ORDER BY seq DESC LIMIT 1),
       (SELECT json_group_array(json_array(a.code, a.balance))
          FROM json_each($1) w CROSS JOIN accounts a ON a.code = w.value),
       (SELECT json_group_array(json_array(i.actor, i.key, hex(i.fingerprint), hex(i.outcome)))
          FROM jsonb_each($2) w CROSS JOIN idempotency i ON i.key = w.value ->> 1 AND i.actor = w.value ->> 0),
       (SELECT json_group_array(json_array(s.id, s.source, s.btc_usd_cents, s.buy_mult_e4, s.sell_mult_e4,
                                           s.buy_rate, s.sell_rate, s.observed_at, s.received_at))
          FROM json_each($3) w CROSS JOIN snapshots s ON s.id = w.value)",
);
/// Balances of the accounts `$1` and of all accounts of the owners `$2`.
pub(crate) const WIDER_BALANCES: Sql = Sql::new(
    "wider_balances",
    2,
    2,
    "SELECT a.code, a.balance FROM json_each($1) w CROSS JOIN accounts a ON a.code = w.value
     UNION
     SELECT a.code, a.balance FROM json_each($2) w
       CROSS JOIN accounts a ON a.code > w.value || '/' AND a.code < w.value || '0'",
);
pub(crate) const ENTRIES_BY_SEQ: Sql = Sql::new(
    "entries_by_seq",
    1,
    26,
    posted!("json_each($1) w CROSS JOIN journal j ON j.seq = w.value", "ORDER BY j.seq"),
);

pub(crate) const INSERT_JOURNAL: Sql = Sql::new(
    "insert_journal",
    1,
    0,
    "INSERT INTO journal (seq, kind, actor, idem_key, snapshot_id, size_inr, size_btc, refs, at, prev, hash,
                          term_rate, term_until)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
            value ->> 8, unhex(value ->> 9), unhex(value ->> 10), value ->> 11, value ->> 12
     FROM jsonb_each($1)",
);
pub(crate) const INSERT_LEGS: Sql = Sql::new(
    "insert_legs",
    1,
    0,
    "INSERT INTO legs (seq, n, from_account, to_account, amount, from_after, to_after)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
     FROM jsonb_each($1)",
);
pub(crate) const PUT_BALANCES: Sql = Sql::new(
    "put_balances",
    1,
    0,
    // WHERE TRUE: without it the parser takes ON for a join's
    "INSERT INTO accounts (code, owner, asset, bucket, balance)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM jsonb_each($1) WHERE TRUE
     ON CONFLICT (code) DO UPDATE SET balance = excluded.balance",
);
pub(crate) const INSERT_OUTCOMES: Sql = Sql::new(
    "insert_outcomes",
    1,
    0,
    "INSERT INTO idempotency (actor, key, fingerprint, outcome)
     SELECT value ->> 0, value ->> 1, unhex(value ->> 2), unhex(value ->> 3) FROM jsonb_each($1)",
);
pub(crate) const INSERT_STATEMENT: Sql = Sql::new(
    "insert_statement",
    1,
    0,
    "INSERT INTO statement (user_id, seq) SELECT value ->> 0, value ->> 1 FROM jsonb_each($1)",
);

pub(crate) const RECORDED: Sql = Sql::new(
    "recorded",
    1,
    4,
    "SELECT i.actor, i.key, i.fingerprint, i.outcome
     FROM jsonb_each($1) w CROSS JOIN idempotency i ON i.key = w.value ->> 1 AND i.actor = w.value ->> 0",
);
pub(crate) const INSERT_SNAPSHOT: Sql = Sql::new(
    "insert_snapshot",
    8,
    1,
    "INSERT INTO snapshots (source, btc_usd_cents, buy_mult_e4, sell_mult_e4, buy_rate, sell_rate, observed_at,
                            received_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
);
pub(crate) const LATEST_SNAPSHOT: Sql =
    Sql::new("latest_snapshot", 0, 9, concat!("SELECT ", snapshot!(), " FROM snapshots s ORDER BY s.id DESC LIMIT 1"));
pub(crate) const HEAD: Sql = Sql::new("head", 0, 3, "SELECT seq, hash, at FROM journal ORDER BY seq DESC LIMIT 1");
/// The accounts of an owner, and the position they are exact at, in one statement.
pub(crate) const OWNER_BALANCES: Sql = Sql::new(
    "owner_balances",
    1,
    2,
    "SELECT (SELECT coalesce(max(seq), 0) FROM journal),
            (SELECT json_group_array(json_array(code, balance)) FROM accounts
              WHERE code > $1 || '/' AND code < $1 || '0')",
);
pub(crate) const USER_TOTALS: Sql = Sql::new(
    "user_totals",
    0,
    3,
    "SELECT asset, bucket, sum(balance) FROM accounts WHERE code > 'user:' AND code < 'user;'
     GROUP BY asset, bucket",
);
/// Lines of user `$1` before entry `$2`, `$4` skipped, at most `$3`.
pub(crate) const STATEMENT: Sql = Sql::new(
    "statement",
    4,
    26,
    posted!(
        concat!(
            "(SELECT w.seq FROM statement w WHERE w.user_id = $1 AND w.seq < $2 AND ",
            shown!(),
            " ORDER BY w.seq DESC LIMIT $3 OFFSET $4) w CROSS JOIN journal j ON j.seq = w.seq"
        ),
        "ORDER BY j.seq DESC"
    ),
);
/// Users of the lines of all statements before entry `$1`, `$3` skipped, at most `$2`.
pub(crate) const RECENT: Sql = Sql::new(
    "recent",
    3,
    2,
    concat!(
        "SELECT w.user_id, w.seq FROM statement w WHERE w.seq < $1 AND ",
        shown!(),
        " ORDER BY w.seq DESC, w.user_id LIMIT $2 OFFSET $3"
    ),
);
/// What the first two legs of the entries of each kind moved; sums in millions and rest, since a sum
/// may pass 64 bits.
pub(crate) const TOTALS: Sql = Sql::new(
    "totals",
    0,
    6,
    "SELECT kind, n, substr(rest, 1, instr(rest, '/') - 1), count(*), sum(amount / 1000000), sum(amount % 1000000)
     FROM (SELECT j.kind, l.n, l.amount, substr(l.from_account, instr(l.from_account, '/') + 1) AS rest
           FROM journal j JOIN legs l ON l.seq = j.seq AND l.n < 2)
     GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
);
pub(crate) const CROSSED_ORDERS: Sql = Sql::new(
    "crossed_orders",
    4,
    1,
    concat!(
        "SELECT ",
        order!(),
        " FROM orders o WHERE o.status = 1 AND (o.side = 1 AND o.limit_rate >= $1 OR o.side = 2 AND o.limit_rate <= $2) \
          AND o.id > $3 \
         ORDER BY o.id LIMIT $4"
    ),
);
pub(crate) const EXPIRED_ORDERS: Sql = Sql::new(
    "expired_orders",
    2,
    1,
    concat!("SELECT ", order!(), " FROM orders o WHERE o.status = 1 AND o.expires_at <= $1 ORDER BY o.id LIMIT $2"),
);
pub(crate) const PENDING_HOLDS: Sql = Sql::new(
    "pending_holds",
    2,
    1,
    concat!("SELECT ", hold!(), " FROM holds h WHERE h.status = 1 AND h.id > $1 ORDER BY h.id LIMIT $2"),
);
pub(crate) const EXPIRED_HOLDS: Sql = Sql::new(
    "expired_holds",
    2,
    1,
    concat!("SELECT ", hold!(), " FROM holds h WHERE h.status = 1 AND h.expires_at <= $1 ORDER BY h.id LIMIT $2"),
);
/// Loans of users after `$1` up to `$2`, each with the user's balances.
pub(crate) const LOANS: Sql = Sql::new(
    "loans",
    3,
    2,
    concat!(
        "SELECT ",
        loan!(),
        ", (SELECT json_group_array(json_array(a.code, a.balance)) FROM accounts a \
            WHERE a.code > 'user:' || n.user_id || '/' AND a.code < 'user:' || n.user_id || '0') \
         FROM loans n WHERE n.user_id > $1 AND n.user_id <= $2 ORDER BY n.user_id LIMIT $3"
    ),
);
/// Orders `$1`, holds `$2` and loans of the users `$3` that a commit has to see.
pub(crate) const DEALS: Sql = Sql::new(
    "deals",
    3,
    3,
    concat!(
        "SELECT (SELECT json_group_array(json(",
        order!(),
        ")) FROM json_each($1) w CROSS JOIN orders o ON o.id = w.value), (SELECT json_group_array(json(",
        hold!(),
        ")) FROM json_each($2) w CROSS JOIN holds h ON h.id = w.value), (SELECT json_group_array(json(",
        loan!(),
        ")) FROM json_each($3) w CROSS JOIN loans n ON n.user_id = w.value)"
    ),
);
pub(crate) const PUT_ORDERS: Sql = Sql::new(
    "put_orders",
    1,
    0,
    "INSERT INTO orders (id, user_id, side, size_inr, size_btc, limit_rate, reserved, expires_at, status, closed_at,
                         inr, btc, rate)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
            value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12 FROM jsonb_each($1) WHERE TRUE
     ON CONFLICT (id) DO UPDATE SET status = excluded.status, closed_at = excluded.closed_at, inr = excluded.inr,
                                    btc = excluded.btc, rate = excluded.rate",
);
pub(crate) const PUT_HOLDS: Sql = Sql::new(
    "put_holds",
    1,
    0,
    "INSERT INTO holds (id, user_id, asset, amount, paid, expires_at, status, closed_at)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
     FROM jsonb_each($1) WHERE TRUE
     ON CONFLICT (id) DO UPDATE SET status = excluded.status, closed_at = excluded.closed_at, paid = excluded.paid",
);
pub(crate) const PUT_LOANS: Sql = Sql::new(
    "put_loans",
    1,
    0,
    "INSERT INTO loans (user_id, opened, rate_bps, accrued_to, carry)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM jsonb_each($1) WHERE TRUE
     ON CONFLICT (user_id) DO UPDATE SET opened = excluded.opened, rate_bps = excluded.rate_bps,
                                         accrued_to = excluded.accrued_to, carry = excluded.carry",
);
pub(crate) const END_LOANS: Sql =
    Sql::new("end_loans", 1, 0, "DELETE FROM loans WHERE user_id IN (SELECT value FROM json_each($1))");
pub(crate) const AUDIT_ORDERS: Sql =
    Sql::new("audit_orders", 0, 1, concat!("SELECT ", order!(), " FROM orders o ORDER BY o.id"));
pub(crate) const AUDIT_HOLDS: Sql =
    Sql::new("audit_holds", 0, 1, concat!("SELECT ", hold!(), " FROM holds h ORDER BY h.id"));
pub(crate) const AUDIT_LOANS: Sql =
    Sql::new("audit_loans", 0, 1, concat!("SELECT ", loan!(), " FROM loans n ORDER BY n.user_id"));
/// Balances of all accounts of the owners `$1`.
pub(crate) const SHEETS: Sql = Sql::new(
    "sheets",
    1,
    2,
    "SELECT a.code, a.balance FROM json_each($1) w
       CROSS JOIN accounts a ON a.code > w.value || '/' AND a.code < w.value || '0'",
);
pub(crate) const ENTRIES_AFTER: Sql =
    Sql::new("entries_after", 2, 26, posted!("journal j", "WHERE j.seq > $1 ORDER BY j.seq LIMIT $2"));

pub(crate) const AUDIT_ENTRIES: Sql = Sql::new("audit_entries", 0, 26, posted!("journal j", "ORDER BY j.seq"));
pub(crate) const AUDIT_BALANCES: Sql =
    Sql::new("audit_balances", 0, 5, "SELECT code, owner, asset, bucket, balance FROM accounts ORDER BY code");
pub(crate) const AUDIT_OUTCOMES: Sql =
    Sql::new("audit_outcomes", 0, 4, "SELECT actor, key, fingerprint, outcome FROM idempotency ORDER BY key, actor");
/// Legs of entries that are not there.
pub(crate) const AUDIT_ORPHANS: Sql = Sql::new(
    "audit_orphans",
    0,
    2,
    "SELECT l.seq, l.n FROM legs l WHERE NOT EXISTS (SELECT 1 FROM journal j WHERE j.seq = l.seq) ORDER BY l.seq, l.n",
);
/// Lines of statements that no leg accounts for.
pub(crate) const AUDIT_LINES_EXTRA: Sql = Sql::new(
    "audit_lines_extra",
    0,
    2,
    "SELECT t.user_id, t.seq FROM statement t WHERE NOT EXISTS (
         SELECT 1 FROM legs l JOIN journal j ON j.seq = l.seq WHERE l.seq = t.seq
            AND j.kind NOT IN (8, 9, 10, 11, 15, 16, 17)
            AND (l.from_account GLOB 'user:' || t.user_id || '/*' OR l.to_account GLOB 'user:' || t.user_id || '/*'))
     ORDER BY t.user_id, t.seq",
);
/// Legs of users that their statements miss.
pub(crate) const AUDIT_LINES_MISSING: Sql = Sql::new(
    "audit_lines_missing",
    0,
    2,
    "SELECT DISTINCT e.owner, e.seq FROM (
         SELECT seq, substr(from_account, 1, instr(from_account, '/') - 1) AS owner FROM legs
         UNION ALL
         SELECT seq, substr(to_account, 1, instr(to_account, '/') - 1) FROM legs) e
     JOIN journal j ON j.seq = e.seq AND j.kind NOT IN (8, 9, 10, 11, 15, 16, 17)
     WHERE e.owner GLOB 'user:*' AND NOT EXISTS (
         SELECT 1 FROM statement t WHERE t.user_id = CAST(substr(e.owner, 6) AS INTEGER) AND t.seq = e.seq)
     ORDER BY e.seq",
);

#[cfg(test)]
pub(super) const ALL: &[&Sql] = &[
    &VIEW,
    &WIDER_BALANCES,
    &ENTRIES_BY_SEQ,
    &INSERT_JOURNAL,
    &INSERT_LEGS,
    &PUT_BALANCES,
    &INSERT_OUTCOMES,
    &INSERT_STATEMENT,
    &RECORDED,
    &INSERT_SNAPSHOT,
    &LATEST_SNAPSHOT,
    &HEAD,
    &OWNER_BALANCES,
    &USER_TOTALS,
    &STATEMENT,
    &RECENT,
    &TOTALS,
    &CROSSED_ORDERS,
    &EXPIRED_ORDERS,
    &PENDING_HOLDS,
    &EXPIRED_HOLDS,
    &LOANS,
    &DEALS,
    &PUT_ORDERS,
    &PUT_HOLDS,
    &PUT_LOANS,
    &END_LOANS,
    &AUDIT_ORDERS,
    &AUDIT_HOLDS,
    &AUDIT_LOANS,
    &SHEETS,
    &ENTRIES_AFTER,
    &AUDIT_ENTRIES,
    &AUDIT_BALANCES,
    &AUDIT_OUTCOMES,
    &AUDIT_ORPHANS,
    &AUDIT_LINES_EXTRA,
    &AUDIT_LINES_MISSING,
];
