//! What belongs to wallets.

use super::Sql;

/// Columns of a session; `rows::session` reads them.
macro_rules! session {
    () => {
        "token, address, public_key, created_at, expires_at"
    };
}

/// Columns of an exchange account.
macro_rules! account {
    () => {
        "a.owner, a.nid, a.exchange, a.viewers, a.content, a.sealed, a.public_key, a.signature, a.updated_at"
    };
}

/// Columns of a transaction.
macro_rules! transaction {
    () => {
        "t.hash, t.kind, t.sender, t.parties, t.token, t.prev_hash, t.body, t.entry, t.at"
    };
}

/// Token, state: null is any.
macro_rules! filters {
    ($token:literal, $state:literal) => {
        concat!(
            "(CAST($",
            $token,
            " AS TEXT) IS NULL OR t.token = $",
            $token,
            ") AND (CAST($",
            $state,
            " AS BIGINT) IS NULL OR (CASE WHEN t.entry IS NULL THEN 0 ELSE 1 END) = $",
            $state,
            ")"
        )
    };
}

pub(crate) const INSERT_LOGIN: Sql = Sql::new(
    "insert_login",
    2,
    0,
    "INSERT INTO wallet_logins (hash, at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING",
);
pub(crate) const SEE_WALLET: Sql = Sql::new(
    "see_wallet",
    2,
    0,
    "INSERT INTO wallets (address, first_seen) VALUES ($1, $2) ON CONFLICT (address) DO NOTHING",
);
pub(crate) const INSERT_SESSION: Sql = Sql::new(
    "insert_wallet_session",
    5,
    0,
    concat!("INSERT INTO wallet_sessions (", session!(), ") VALUES ($1, $2, $3, $4, $5)"),
);
/// Drops all but the newest `$2` sessions of a wallet.
pub(crate) const CAP_SESSIONS: Sql = Sql::new(
    "cap_wallet_sessions",
    2,
    0,
    "DELETE FROM wallet_sessions WHERE address = $1 AND token NOT IN
         (SELECT token FROM wallet_sessions WHERE address = $1 ORDER BY created_at DESC, token LIMIT $2)",
);
pub(crate) const SESSION: Sql =
    Sql::new("wallet_session", 1, 5, concat!("SELECT ", session!(), " FROM wallet_sessions WHERE token = $1"));
pub(crate) const SESSION_LIVES: Sql =
    Sql::new("wallet_session_lives", 2, 1, "SELECT count(*) FROM wallet_sessions WHERE token = $1 AND expires_at > $2");
pub(crate) const END_SESSION: Sql =
    Sql::new("end_wallet_session", 1, 0, "DELETE FROM wallet_sessions WHERE token = $1");
pub(crate) const END_SESSIONS: Sql =
    Sql::new("end_wallet_sessions", 1, 0, "DELETE FROM wallet_sessions WHERE address = $1");
pub(crate) const PRUNE_SESSIONS: Sql = Sql::new(
    "prune_wallet_sessions",
    2,
    0,
    "DELETE FROM wallet_sessions WHERE token IN
         (SELECT token FROM wallet_sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
);
pub(crate) const PRUNE_LOGINS: Sql = Sql::new(
    "prune_wallet_logins",
    2,
    0,
    "DELETE FROM wallet_logins WHERE hash IN (SELECT hash FROM wallet_logins WHERE at < $1 ORDER BY at LIMIT $2)",
);

pub(crate) const LINK: Sql = Sql::new(
    "link_wallet",
    3,
    0,
    "INSERT INTO wallets (address, user_id, first_seen) VALUES ($1, $2, $3)
     ON CONFLICT (address) DO UPDATE SET user_id = excluded.user_id
         WHERE wallets.user_id IS NULL OR wallets.user_id = excluded.user_id",
);
pub(crate) const UNLINK: Sql =
    Sql::new("unlink_wallet", 2, 0, "UPDATE wallets SET user_id = NULL WHERE address = $1 AND user_id = $2");
pub(crate) const LINKED: Sql = Sql::new("linked_wallet", 1, 1, "SELECT user_id FROM wallets WHERE address = $1");
pub(crate) const WALLETS_OF: Sql =
    Sql::new("wallets_of", 1, 1, "SELECT address FROM wallets WHERE user_id = $1 ORDER BY address LIMIT 1000");

/// How many an owner has, and whether one is of that name.
pub(crate) const COUNT_ACCOUNTS: Sql = Sql::new(
    "count_accounts",
    2,
    2,
    "SELECT (SELECT count(*) FROM exchange_accounts WHERE owner = $1),
            (SELECT count(*) FROM exchange_accounts WHERE owner = $1 AND nid = $2)",
);
pub(crate) const PUT_ACCOUNT: Sql = Sql::new(
    "put_account",
    9,
    0,
    "INSERT INTO exchange_accounts (owner, nid, exchange, viewers, content, sealed, public_key, signature, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (owner, nid) DO UPDATE SET
         exchange = excluded.exchange, viewers = excluded.viewers, content = excluded.content,
         sealed = excluded.sealed, public_key = excluded.public_key, signature = excluded.signature,
         updated_at = excluded.updated_at",
);
pub(crate) const CLEAR_VIEWERS: Sql =
    Sql::new("clear_viewers", 2, 0, "DELETE FROM exchange_viewers WHERE owner = $1 AND nid = $2");
pub(crate) const ADD_VIEWER: Sql =
    Sql::new("add_viewer", 3, 0, "INSERT INTO exchange_viewers (viewer, owner, nid) VALUES ($1, $2, $3)");
pub(crate) const ACCOUNT: Sql = Sql::new(
    "account",
    2,
    9,
    concat!("SELECT ", account!(), " FROM exchange_accounts a WHERE a.owner = $1 AND a.nid = $2"),
);
pub(crate) const ACCOUNTS_SEEN_BY: Sql = Sql::new(
    "accounts_seen_by",
    2,
    9,
    concat!(
        "SELECT ",
        account!(),
        " FROM exchange_accounts a WHERE a.owner = $1
          UNION ALL
          SELECT ",
        account!(),
        " FROM exchange_viewers v JOIN exchange_accounts a ON a.owner = v.owner AND a.nid = v.nid
          WHERE v.viewer = $1 AND v.owner <> $1
          ORDER BY 1, 2 LIMIT $2"
    ),
);
pub(crate) const ACCOUNTS_AFTER: Sql = Sql::new(
    "accounts_after",
    3,
    9,
    concat!(
        "SELECT ",
        account!(),
        " FROM exchange_accounts a WHERE a.owner > $1 OR (a.owner = $1 AND a.nid > $2)
          ORDER BY a.owner, a.nid LIMIT $3"
    ),
);
pub(crate) const RESEAL: Sql =
    Sql::new("reseal", 4, 0, "UPDATE exchange_accounts SET sealed = $4 WHERE owner = $1 AND nid = $2 AND sealed = $3");

pub(crate) const INSERT_TRANSACTION: Sql = Sql::new(
    "insert_wallet_transaction",
    9,
    1,
    "INSERT INTO wallet_transactions (hash, kind, sender, parties, token, prev_hash, body, entry, at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (hash) DO NOTHING
     RETURNING id",
);
pub(crate) const ADD_PARTY: Sql = Sql::new(
    "add_party",
    5,
    0,
    "INSERT INTO wallet_parties (address, transaction_id, received, sent, fee) VALUES ($1, $2, $3, $4, $5)",
);
pub(crate) const PARTY_TOTALS: Sql = Sql::new(
    "party_totals",
    1,
    4,
    "SELECT CAST(coalesce(sum(p.received), 0) AS BIGINT), CAST(coalesce(sum(p.sent), 0) AS BIGINT),
            CAST(coalesce(sum(p.fee), 0) AS BIGINT), count(*)
     FROM wallet_parties p JOIN wallet_transactions t ON t.id = p.transaction_id
     WHERE p.address = $1 AND t.entry IS NOT NULL",
);
pub(crate) const SETTLE_TRANSACTION: Sql =
    Sql::new("settle_wallet_transaction", 2, 0, "UPDATE wallet_transactions SET entry = $2 WHERE hash = $1");
pub(crate) const FORGET_PARTIES: Sql = Sql::new(
    "forget_parties",
    1,
    0,
    "DELETE FROM wallet_parties WHERE transaction_id IN
         (SELECT id FROM wallet_transactions WHERE hash = $1 AND entry IS NULL)",
);
pub(crate) const FORGET_TRANSACTION: Sql =
    Sql::new("forget_wallet_transaction", 1, 0, "DELETE FROM wallet_transactions WHERE hash = $1 AND entry IS NULL");
pub(crate) const TRANSACTION: Sql = Sql::new(
    "wallet_transaction",
    1,
    9,
    concat!("SELECT ", transaction!(), " FROM wallet_transactions t WHERE t.hash = $1"),
);
pub(crate) const TRANSACTIONS_OF: Sql = Sql::new(
    "wallet_transactions_of",
    5,
    9,
    concat!(
        "SELECT ",
        transaction!(),
        " FROM wallet_parties p JOIN wallet_transactions t ON t.id = p.transaction_id WHERE p.address = $1 AND ",
        filters!("2", "3"),
        " ORDER BY p.transaction_id DESC LIMIT $4 OFFSET $5"
    ),
);
pub(crate) const COUNT_TRANSACTIONS_OF: Sql = Sql::new(
    "count_wallet_transactions_of",
    3,
    1,
    concat!(
        "SELECT count(*) FROM wallet_parties p JOIN wallet_transactions t ON t.id = p.transaction_id
         WHERE p.address = $1 AND ",
        filters!("2", "3")
    ),
);
pub(crate) const TRANSACTIONS: Sql = Sql::new(
    "wallet_transactions",
    4,
    9,
    concat!(
        "SELECT ",
        transaction!(),
        " FROM wallet_transactions t WHERE ",
        filters!("1", "2"),
        " ORDER BY t.id DESC LIMIT $3 OFFSET $4"
    ),
);
pub(crate) const COUNT_TRANSACTIONS: Sql = Sql::new(
    "count_wallet_transactions",
    2,
    1,
    concat!("SELECT count(*) FROM wallet_transactions t WHERE ", filters!("1", "2")),
);
pub(crate) const PENDING_TRANSACTIONS: Sql = Sql::new(
    "pending_wallet_transactions",
    2,
    9,
    concat!(
        "SELECT ",
        transaction!(),
        " FROM wallet_transactions t WHERE t.entry IS NULL AND (CAST($1 AS TEXT) IS NULL OR t.sender = $1)
          ORDER BY t.id LIMIT $2"
    ),
);
pub(crate) const LAST_SMART: Sql = Sql::new(
    "last_smart",
    1,
    1,
    "SELECT hash FROM wallet_transactions WHERE sender = $1 AND kind = 'smart' AND entry IS NOT NULL
     ORDER BY entry DESC LIMIT 1",
);

/// How many an issuer has.
pub(crate) const COUNT_TOKENS: Sql = Sql::new("count_tokens", 1, 1, "SELECT count(*) FROM tokens WHERE issuer = $1");
pub(crate) const INSERT_TOKEN: Sql = Sql::new(
    "insert_token",
    6,
    0,
    "INSERT INTO tokens (id, issuer, genesis, public_key, signature, at) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (id) DO NOTHING",
);
pub(crate) const TOKENS: Sql =
    Sql::new("tokens", 1, 6, "SELECT id, issuer, genesis, public_key, signature, at FROM tokens ORDER BY n LIMIT $1");

#[cfg(test)]
pub(super) const ALL: &[&Sql] = &[
    &INSERT_LOGIN,
    &SEE_WALLET,
    &INSERT_SESSION,
    &CAP_SESSIONS,
    &SESSION,
    &SESSION_LIVES,
    &END_SESSION,
    &END_SESSIONS,
    &PRUNE_SESSIONS,
    &PRUNE_LOGINS,
    &LINK,
    &UNLINK,
    &LINKED,
    &WALLETS_OF,
    &COUNT_ACCOUNTS,
    &PUT_ACCOUNT,
    &CLEAR_VIEWERS,
    &ADD_VIEWER,
    &ACCOUNT,
    &ACCOUNTS_SEEN_BY,
    &ACCOUNTS_AFTER,
    &RESEAL,
    &INSERT_TRANSACTION,
    &ADD_PARTY,
    &PARTY_TOTALS,
    &SETTLE_TRANSACTION,
    &FORGET_PARTIES,
    &FORGET_TRANSACTION,
    &TRANSACTION,
    &TRANSACTIONS_OF,
    &COUNT_TRANSACTIONS_OF,
    &TRANSACTIONS,
    &COUNT_TRANSACTIONS,
    &PENDING_TRANSACTIONS,
    &LAST_SMART,
    &COUNT_TOKENS,
    &INSERT_TOKEN,
    &TOKENS,
];
