//! From rows to identity's records.

use orrery_identity::{ApiKey, ApiKeyId, AuditEvent, NewApiKey, Role, Scope, Session, SessionId, User};
use orrery_kernel::{StoreError, Timestamp, UserId};

use crate::{Columns, corrupt};

/// Six columns from `at`: id, email, name, role, created_at, updated_at.
pub fn user(row: &dyn Columns, at: usize) -> Result<User, StoreError> {
    let role: &str = row.get(at + 3)?;
    Ok(User {
        id: UserId(row.get(at)?),
        email: row.get(at + 1)?,
        name: row.get(at + 2)?,
        role: Role::parse(role).ok_or_else(|| corrupt("users.role", role))?,
        created_at: row.time(at + 4)?,
        updated_at: row.time(at + 5)?,
    })
}

/// The first six columns: id, user, created_at, expires_at, address, agent.
pub fn session(row: &dyn Columns) -> Result<Session, StoreError> {
    Ok(Session {
        id: SessionId::parse(row.get(0)?).ok_or_else(|| corrupt("sessions.id", "not 32 hex digits"))?,
        user: UserId(row.get(1)?),
        created_at: row.time(2)?,
        expires_at: row.time(3)?,
        address: row.get(4)?,
        agent: row.get(5)?,
    })
}

/// The first eight columns: id, user, name, prefix, hash, scopes, created_at, expires_at.
pub fn api_key(row: &dyn Columns) -> Result<ApiKey, StoreError> {
    let expires_at: Option<i64> = row.get(7)?;
    Ok(ApiKey {
        id: ApiKeyId(row.get(0)?),
        key: NewApiKey {
            user: UserId(row.get(1)?),
            name: row.get(2)?,
            prefix: row.get(3)?,
            hash: row.hash(4)?,
            scopes: scopes(row.get(5)?)?,
            created_at: row.time(6)?,
            expires_at: expires_at.map(Timestamp::from_micros),
        },
    })
}

pub fn audit_event(row: &dyn Columns) -> Result<AuditEvent, StoreError> {
    Ok(AuditEvent {
        at: row.time(0)?,
        actor: row.get(1)?,
        action: row.get(2)?,
        target: row.get(3)?,
        outcome: row.get(4)?,
        address: row.get(5)?,
    })
}

pub fn scopes_text(scopes: &[Scope]) -> String {
    scopes.iter().map(|s| s.name()).collect::<Vec<_>>().join(",")
}

fn scopes(text: &str) -> Result<Vec<Scope>, StoreError> {
    let parse = |name| Scope::parse(name).ok_or_else(|| corrupt("api_keys.scopes", name));
    text.split(',').filter(|name| !name.is_empty()).map(parse).collect()
}
