//! Users, sessions, API keys, setup token, audit log.

use super::Sql;

/// Columns of a user; [`orrery_store_rows::identity::user`] reads them.
macro_rules! user {
    () => {
        "u.id, u.email, u.name, u.role, u.created_at, u.updated_at"
    };
}

/// Columns of an API key.
macro_rules! api_key {
    () => {
        "k.id, k.user_id, k.name, k.prefix, k.hash, k.scopes, k.created_at, k.expires_at"
    };
}

pub(crate) const INSERT_USER: Sql = Sql::new(
    "insert_user",
    6,
    1,
    "INSERT INTO users (email, email_key, name, password, role, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $6)
     ON CONFLICT (email_key) WHERE deleted_at IS NULL DO NOTHING
     RETURNING id",
);
pub(crate) const USER: Sql =
    Sql::new("user", 1, 6, concat!("SELECT ", user!(), " FROM users u WHERE u.id = $1 AND u.deleted_at IS NULL"));
pub(crate) const CREDENTIAL: Sql = Sql::new(
    "credential",
    1,
    7,
    concat!("SELECT ", user!(), ", u.password FROM users u WHERE u.email_key = $1 AND u.deleted_at IS NULL"),
);
pub(crate) const PASSWORD: Sql =
    Sql::new("password", 1, 1, "SELECT password FROM users WHERE id = $1 AND deleted_at IS NULL");
pub(crate) const USERS: Sql = Sql::new(
    "users",
    2,
    6,
    concat!("SELECT ", user!(), " FROM users u WHERE u.id > $1 AND u.deleted_at IS NULL ORDER BY u.id LIMIT $2"),
);
pub(crate) const COUNT_ROLE: Sql =
    Sql::new("count_role", 1, 1, "SELECT count(*) FROM users WHERE role = $1 AND deleted_at IS NULL");
pub(crate) const SET_PASSWORD: Sql = Sql::new(
    "set_password",
    3,
    0,
    "UPDATE users SET password = $2, updated_at = $3 WHERE id = $1 AND deleted_at IS NULL",
);
pub(crate) const SET_ROLE: Sql =
    Sql::new("set_role", 3, 0, "UPDATE users SET role = $2, updated_at = $3 WHERE id = $1 AND deleted_at IS NULL");
pub(crate) const SET_NAME: Sql =
    Sql::new("set_name", 3, 0, "UPDATE users SET name = $2, updated_at = $3 WHERE id = $1 AND deleted_at IS NULL");
/// Whose address is it?
pub(crate) const EMAIL_OWNER: Sql =
    Sql::new("email_owner", 1, 1, "SELECT id FROM users WHERE email_key = $1 AND deleted_at IS NULL");
pub(crate) const SET_EMAIL: Sql = Sql::new(
    "set_email",
    4,
    0,
    "UPDATE users SET email = $2, email_key = $3, updated_at = $4 WHERE id = $1 AND deleted_at IS NULL",
);
/// The row stays, so that the id and what the audit log says of it stay meaningful; the hash goes.
pub(crate) const DELETE_USER: Sql = Sql::new(
    "delete_user",
    2,
    0,
    "UPDATE users SET deleted_at = $2, updated_at = $2, password = '' WHERE id = $1 AND deleted_at IS NULL",
);

pub(crate) const INSERT_SESSION: Sql = Sql::new(
    "insert_session",
    6,
    0,
    "INSERT INTO sessions (id, user_id, created_at, expires_at, address, agent) VALUES ($1, $2, $3, $4, $5, $6)",
);
/// Drops all but the newest `$3` of the sessions of user `$1` that live at `$2`.
pub(crate) const CAP_SESSIONS: Sql = Sql::new(
    "cap_sessions",
    3,
    0,
    "DELETE FROM sessions WHERE n IN (
         SELECT n FROM sessions WHERE user_id = $1 AND expires_at > $2
         ORDER BY created_at DESC, n DESC OFFSET $3)",
);
pub(crate) const SESSION: Sql = Sql::new(
    "session",
    1,
    12,
    concat!(
        "SELECT s.id, s.user_id, s.created_at, s.expires_at, s.address, s.agent, ",
        user!(),
        " FROM sessions s JOIN users u ON u.id = s.user_id
          WHERE s.id = $1 AND u.deleted_at IS NULL"
    ),
);
// A revoked session is gone; the audit log remembers why.
pub(crate) const REVOKE_SESSION: Sql = Sql::new("revoke_session", 1, 0, "DELETE FROM sessions WHERE id = $1");
/// All sessions of a user but `$2` (null: all).
pub(crate) const REVOKE_SESSIONS: Sql =
    Sql::new("revoke_sessions", 2, 0, "DELETE FROM sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2");
pub(crate) const PRUNE_SESSIONS: Sql = Sql::new(
    "prune_sessions",
    2,
    0,
    "DELETE FROM sessions WHERE n IN (SELECT n FROM sessions WHERE expires_at < $1 LIMIT $2)",
);

pub(crate) const COUNT_API_KEYS: Sql = Sql::new(
    "count_api_keys",
    2,
    1,
    "SELECT count(*) FROM api_keys
     WHERE user_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)",
);
pub(crate) const INSERT_API_KEY: Sql = Sql::new(
    "insert_api_key",
    7,
    1,
    "INSERT INTO api_keys (user_id, name, prefix, hash, scopes, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (hash) DO NOTHING RETURNING id",
);
pub(crate) const API_KEY: Sql = Sql::new(
    "api_key",
    1,
    14,
    concat!(
        "SELECT ",
        api_key!(),
        ", ",
        user!(),
        " FROM api_keys k JOIN users u ON u.id = k.user_id
          WHERE k.hash = $1 AND k.revoked_at IS NULL AND u.deleted_at IS NULL"
    ),
);
pub(crate) const API_KEYS: Sql = Sql::new(
    "api_keys",
    1,
    8,
    concat!("SELECT ", api_key!(), " FROM api_keys k WHERE k.user_id = $1 AND k.revoked_at IS NULL ORDER BY k.id DESC"),
);
pub(crate) const REVOKE_API_KEY: Sql = Sql::new(
    "revoke_api_key",
    3,
    0,
    "UPDATE api_keys SET revoked_at = $3 WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL",
);
pub(crate) const REVOKE_API_KEYS: Sql =
    Sql::new("revoke_api_keys", 2, 0, "UPDATE api_keys SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL");

pub(crate) const PUT_SETUP_TOKEN: Sql = Sql::new(
    "put_setup_token",
    2,
    0,
    "INSERT INTO setup_token (\"only\", hash, expires_at) VALUES (1, $1, $2)
     ON CONFLICT (\"only\") DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at",
);
/// Does the token live at `$2`, with no administrator yet?
pub(crate) const SETUP_OPEN: Sql = Sql::new(
    "setup_open",
    2,
    1,
    "SELECT EXISTS (SELECT 1 FROM setup_token WHERE hash = $1 AND expires_at > $2)
        AND NOT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND deleted_at IS NULL)",
);
pub(crate) const DROP_SETUP_TOKEN: Sql = Sql::new("drop_setup_token", 0, 0, "DELETE FROM setup_token");

pub(crate) const INSERT_AUDIT: Sql = Sql::new(
    "insert_audit",
    7,
    0,
    "INSERT INTO audit_log (at, actor, action, target, outcome, address, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)",
);
/// The hash of the last event; an event older than hashes has none.
pub(crate) const LAST_AUDIT: Sql = Sql::new(
    "last_audit",
    0,
    1,
    "SELECT coalesce(hash, decode(repeat('00', 32), 'hex')) FROM audit_log ORDER BY id DESC LIMIT 1",
);
pub(crate) const AUDIT_TRAIL: Sql = Sql::new(
    "audit_trail",
    2,
    8,
    "SELECT at, actor, action, target, outcome, address, id, coalesce(hash, decode(repeat('00', 32), 'hex'))
     FROM audit_log WHERE id > $1 ORDER BY id LIMIT $2",
);
pub(crate) const AUDIT_EVENTS: Sql = Sql::new(
    "audit_events",
    1,
    6,
    "SELECT at, actor, action, target, outcome, address FROM audit_log ORDER BY id DESC LIMIT $1",
);

pub(crate) const VERSION: Sql = Sql::new("version", 0, 1, "SELECT n FROM identity_version");
pub(crate) const RAISE_VERSION: Sql = Sql::new("raise_version", 0, 0, "UPDATE identity_version SET n = n + 1");

#[cfg(test)]
pub(super) const ALL: &[&Sql] = &[
    &INSERT_USER,
    &USER,
    &CREDENTIAL,
    &PASSWORD,
    &USERS,
    &COUNT_ROLE,
    &SET_PASSWORD,
    &SET_ROLE,
    &SET_NAME,
    &EMAIL_OWNER,
    &SET_EMAIL,
    &DELETE_USER,
    &INSERT_SESSION,
    &CAP_SESSIONS,
    &SESSION,
    &REVOKE_SESSION,
    &REVOKE_SESSIONS,
    &PRUNE_SESSIONS,
    &COUNT_API_KEYS,
    &INSERT_API_KEY,
    &API_KEY,
    &API_KEYS,
    &REVOKE_API_KEY,
    &REVOKE_API_KEYS,
    &PUT_SETUP_TOKEN,
    &SETUP_OPEN,
    &DROP_SETUP_TOKEN,
    &INSERT_AUDIT,
    &AUDIT_EVENTS,
    &LAST_AUDIT,
    &AUDIT_TRAIL,
    &VERSION,
    &RAISE_VERSION,
];
