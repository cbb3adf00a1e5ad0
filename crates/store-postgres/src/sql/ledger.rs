//! The journal and what is derived from it. A commit is one reading statement and one writing one,
//! whatever its size: lists come as arrays and are spread by `unnest`; what is read comes as JSON texts
//! of the shape that the other database gives too. 64-bit integers stay exact in both.

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
        "json_build_array(o.id, o.user_id, o.side, o.size_inr, o.size_btc, o.limit_rate, o.reserved, o.expires_at, \
         o.status, o.closed_at, o.inr, o.btc, o.rate)::text"
    };
}

/// A hold as a JSON array.
macro_rules! hold {
    () => {
        "json_build_array(h.id, h.user_id, h.asset, h.amount, h.paid, h.expires_at, h.status, h.closed_at)::text"
    };
}

/// A loan as a JSON array.
macro_rules! loan {
    () => {
        "json_build_array(n.user_id, n.opened, n.rate_bps, n.accrued_to, n.carry)::text"
    };
}

/// An entry with its legs, what resolved it, its snapshot, and the order or hold it began: 26 columns.
/// `$from` names the rows `j`.
macro_rules! posted {
    ($from:expr, $tail:literal) => {
        concat!(
            "SELECT j.seq, j.kind, j.actor, j.idem_key, j.snapshot_id, j.size_inr, j.size_btc, j.refs, j.at, j.prev, \
             j.hash, (SELECT json_agg(json_build_array(l.from_account, l.to_account, l.amount, l.from_after, \
             l.to_after) ORDER BY l.n)::text FROM legs l WHERE l.seq = j.seq), r.seq, ",
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

/// What a commit has to see, as one row: head, balances of all accounts of the owners `$1` (a user's few
/// accounts lie side by side, so that one look finds them) and of the accounts `$2`, outcomes under the
/// actors `$3` and keys `$4`, prices `$5`.
pub(crate) const VIEW: Sql = Sql::new(
    "view",
    5,
    4,
    "SELECT
       (SELECT json_build_array(seq, encode(hash, 'hex'), at)::text FROM journal ORDER BY seq DESC LIMIT 1),
       (SELECT coalesce(json_agg(json_build_array(b.code, b.balance))::text, '[]') FROM (
          SELECT a.code, a.balance FROM unnest($1::text[]) w (owner)
            JOIN accounts a ON a.code > (w.owner || '/') COLLATE \"C\" AND a.code < (w.owner || '0') COLLATE \"C\"
          UNION ALL
          SELECT a.code, a.balance FROM unnest($2::text[]) w (code) JOIN accounts a ON a.code = w.code COLLATE \"C\") b),
       (SELECT coalesce(json_agg(json_build_array(i.actor, i.key, encode(i.fingerprint, 'hex'),
                                                  encode(i.outcome, 'hex')))::text, '[]')
          FROM unnest($3::text[], $4::text[]) w (actor, key)
          JOIN idempotency i ON i.key = w.key AND i.actor = w.actor),
       (SELECT coalesce(json_agg(json_build_array(s.id, s.source, s.btc_usd_cents, s.buy_mult_e4, s.sell_mult_e4,
                                           s.buy_rate, s.sell_rate, s.observed_at, s.received_at))::text, '[]')
          FROM snapshots s WHERE s.id = ANY($5))",
);
/// Balances of the accounts `$1` and of all accounts of the owners `$2`.
pub(crate) const WIDER_BALANCES: Sql = Sql::new(
    "wider_balances",
    2,
    2,
    "SELECT a.code, a.balance FROM accounts a WHERE a.code = ANY($1)
     UNION
     SELECT a.code, a.balance FROM unnest($2::text[]) w (owner)
       JOIN accounts a ON a.code > (w.owner || '/') COLLATE \"C\" AND a.code < (w.owner || '0') COLLATE \"C\"",
);
pub(crate) const ENTRIES_BY_SEQ: Sql =
    Sql::new("entries_by_seq", 1, 26, posted!("journal j", "WHERE j.seq = ANY($1) ORDER BY j.seq"));
/// A whole batch: entries (`$1`–`$13`), legs (`$14`–`$20`), changed balances (`$21`–`$23`: account, what it
/// was, what it is), new accounts (`$24`–`$28`), lines (`$29`, `$30`), outcomes (`$31`–`$34`); gives how
/// many rows of each were written. A balance that is not what the batch was decided on is not written.
pub(crate) const WRITE_BATCH: Sql = Sql::new(
    "write_batch",
    34,
    6,
    "WITH j AS (
         INSERT INTO journal (seq, kind, actor, idem_key, snapshot_id, size_inr, size_btc, refs, at, prev, hash,
                              term_rate, term_until)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
                              $7::bigint[], $8::bigint[], $9::bigint[], $10::bytea[], $11::bytea[], $12::bigint[],
                              $13::bigint[])
         RETURNING 1),
     l AS (
         INSERT INTO legs (seq, n, from_account, to_account, amount, from_after, to_after)
         SELECT * FROM unnest($14::bigint[], $15::bigint[], $16::text[], $17::text[], $18::bigint[], $19::bigint[],
                              $20::bigint[])
         RETURNING 1),
     a AS (
         UPDATE accounts a SET balance = w.after
         FROM unnest($21::text[], $22::bigint[], $23::bigint[]) w (code, before, after)
         WHERE a.code = w.code COLLATE \"C\" AND a.balance = w.before
         RETURNING 1),
     n AS (
         INSERT INTO accounts (code, owner, asset, bucket, balance)
         SELECT * FROM unnest($24::text[], $25::text[], $26::text[], $27::text[], $28::bigint[])
         RETURNING 1),
     t AS (
         INSERT INTO statement (user_id, seq) SELECT * FROM unnest($29::bigint[], $30::bigint[])
         RETURNING 1),
     i AS (
         INSERT INTO idempotency (actor, key, fingerprint, outcome)
         SELECT * FROM unnest($31::text[], $32::text[], $33::bytea[], $34::bytea[])
         RETURNING 1)
     SELECT (SELECT count(*) FROM j), (SELECT count(*) FROM l), (SELECT count(*) FROM a), (SELECT count(*) FROM n),
            (SELECT count(*) FROM t), (SELECT count(*) FROM i)",
);

/// Outcomes under the actors `$1` and keys `$2`.
pub(crate) const RECORDED: Sql = Sql::new(
    "recorded",
    2,
    4,
    "SELECT i.actor, i.key, i.fingerprint, i.outcome
     FROM unnest($1::text[], $2::text[]) w (actor, key) JOIN idempotency i ON i.key = w.key AND i.actor = w.actor",
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
            (SELECT coalesce(json_agg(json_build_array(code, balance))::text, '[]') FROM accounts
              WHERE code > ($1 || '/') COLLATE \"C\" AND code < ($1 || '0') COLLATE \"C\")",
);
pub(crate) const USER_TOTALS: Sql = Sql::new(
    "user_totals",
    0,
    3,
    "SELECT asset, bucket, least(greatest(sum(balance), -9223372036854775807), 9223372036854775807)::bigint
     FROM accounts WHERE code > 'user:' AND code < 'user;' GROUP BY asset, bucket",
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
            " ORDER BY w.seq DESC LIMIT $3 OFFSET $4) w JOIN journal j ON j.seq = w.seq"
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
    "SELECT j.kind, l.n, split_part(l.from_account, '/', 2), count(*),
            sum(l.amount / 1000000)::bigint, sum(l.amount % 1000000)::bigint
     FROM journal j JOIN legs l ON l.seq = j.seq AND l.n < 2
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
        ", (SELECT coalesce(json_agg(json_build_array(a.code, a.balance))::text, '[]') FROM accounts a \
            WHERE a.code > ('user:' || n.user_id || '/') COLLATE \"C\" \
              AND a.code < ('user:' || n.user_id || '0') COLLATE \"C\") \
         FROM loans n WHERE n.user_id > $1 AND n.user_id <= $2 ORDER BY n.user_id LIMIT $3"
    ),
);
/// Orders, holds and loans that a commit has to see.
pub(crate) const ORDERS_BY_ID: Sql =
    Sql::new("orders_by_id", 1, 1, concat!("SELECT ", order!(), " FROM orders o WHERE o.id = ANY($1)"));
pub(crate) const HOLDS_BY_ID: Sql =
    Sql::new("holds_by_id", 1, 1, concat!("SELECT ", hold!(), " FROM holds h WHERE h.id = ANY($1)"));
pub(crate) const LOANS_BY_USER: Sql =
    Sql::new("loans_by_user", 1, 1, concat!("SELECT ", loan!(), " FROM loans n WHERE n.user_id = ANY($1)"));
// lists of JSON arrays: orders and holds are few beside trades
pub(crate) const PUT_ORDERS: Sql = Sql::new(
    "put_orders",
    1,
    0,
    "INSERT INTO orders (id, user_id, side, size_inr, size_btc, limit_rate, reserved, expires_at, status, closed_at,
                         inr, btc, rate)
     SELECT (v ->> 0)::bigint, (v ->> 1)::bigint, (v ->> 2)::bigint, (v ->> 3)::bigint, (v ->> 4)::bigint,
            (v ->> 5)::bigint, (v ->> 6)::bigint, (v ->> 7)::bigint, (v ->> 8)::bigint, (v ->> 9)::bigint,
            (v ->> 10)::bigint, (v ->> 11)::bigint, (v ->> 12)::bigint FROM json_array_elements($1::json) v
     ON CONFLICT (id) DO UPDATE SET status = excluded.status, closed_at = excluded.closed_at, inr = excluded.inr,
                                    btc = excluded.btc, rate = excluded.rate",
);
pub(crate) const PUT_HOLDS: Sql = Sql::new(
    "put_holds",
    1,
    0,
    "INSERT INTO holds (id, user_id, asset, amount, paid, expires_at, status, closed_at)
     SELECT (v ->> 0)::bigint, (v ->> 1)::bigint, v ->> 2, (v ->> 3)::bigint, (v ->> 4)::bigint, (v ->> 5)::bigint,
            (v ->> 6)::bigint, (v ->> 7)::bigint FROM json_array_elements($1::json) v
     ON CONFLICT (id) DO UPDATE SET status = excluded.status, closed_at = excluded.closed_at, paid = excluded.paid",
);
pub(crate) const PUT_LOANS: Sql = Sql::new(
    "put_loans",
    1,
    0,
    "INSERT INTO loans (user_id, opened, rate_bps, accrued_to, carry)
     SELECT (v ->> 0)::bigint, (v ->> 1)::bigint, (v ->> 2)::bigint, (v ->> 3)::bigint, (v ->> 4)::bigint
     FROM json_array_elements($1::json) v
     ON CONFLICT (user_id) DO UPDATE SET opened = excluded.opened, rate_bps = excluded.rate_bps,
                                         accrued_to = excluded.accrued_to, carry = excluded.carry",
);
pub(crate) const END_LOANS: Sql = Sql::new("end_loans", 1, 0, "DELETE FROM loans WHERE user_id = ANY($1)");
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
    "SELECT a.code, a.balance FROM unnest($1::text[]) w (owner)
       JOIN accounts a ON a.code > (w.owner || '/') COLLATE \"C\" AND a.code < (w.owner || '0') COLLATE \"C\"",
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
            AND (l.from_account LIKE 'user:' || t.user_id || '/%' OR l.to_account LIKE 'user:' || t.user_id || '/%'))
     ORDER BY t.user_id, t.seq",
);
/// Legs of users that their statements miss.
pub(crate) const AUDIT_LINES_MISSING: Sql = Sql::new(
    "audit_lines_missing",
    0,
    2,
    "SELECT DISTINCT e.owner, e.seq FROM (
         SELECT seq, split_part(from_account, '/', 1) AS owner FROM legs
         UNION ALL
         SELECT seq, split_part(to_account, '/', 1) FROM legs) e
     JOIN journal j ON j.seq = e.seq AND j.kind NOT IN (8, 9, 10, 11, 15, 16, 17)
     WHERE e.owner LIKE 'user:%' AND NOT EXISTS (
         SELECT 1 FROM statement t WHERE t.user_id = substr(e.owner, 6)::bigint AND t.seq = e.seq)
     ORDER BY e.seq",
);

#[cfg(test)]
pub(super) const ALL: &[&Sql] = &[
    &VIEW,
    &WIDER_BALANCES,
    &ENTRIES_BY_SEQ,
    &WRITE_BATCH,
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
    &ORDERS_BY_ID,
    &HOLDS_BY_ID,
    &LOANS_BY_USER,
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
