//! Where users, sessions, keys, audit events and rate windows are kept.

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp, UserId};

use crate::{
    ApiKey, ApiKeyId, AuditEvent, AuditRecord, Email, NewApiKey, NewUser, PasswordHash, Role, Session, SessionId, User,
};

/// Result of an insert under a unique name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created<T> {
    /// Stored.
    New(T),
    /// The name is taken; nothing changed.
    Taken,
}

/// Keeps users, sessions, API keys and the audit log. Passes the contract suite in
/// `orrery-testkit`.
///
/// Every write that can change what somebody may do (role, password, deletion, revocation, keys)
/// raises [`IdentityStore::version`] in the same transaction.
#[async_trait]
pub trait IdentityStore: Send + Sync {
    /// Stores a user under a new id.
    async fn create_user(&self, user: &NewUser) -> Result<Created<User>, StoreError>;
    /// A user by id.
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;
    /// A user and password hash by address (compared by [`Email::key`]).
    async fn credential(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, StoreError>;
    /// A user's password hash by id.
    async fn password(&self, id: UserId) -> Result<Option<PasswordHash>, StoreError>;
    /// Users by id after `after`, at most `limit`.
    async fn users(&self, after: UserId, limit: u32) -> Result<Vec<User>, StoreError>;
    /// How many users have the role.
    async fn count_role(&self, role: Role) -> Result<u64, StoreError>;
    /// Sets the password and revokes every session of the user except `keep`, and every API key.
    /// `false`: no such user.
    async fn set_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        keep: Option<&SessionId>,
        at: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Sets the role. `false`: no such user.
    async fn set_role(&self, id: UserId, role: Role, at: Timestamp) -> Result<bool, StoreError>;
    /// Sets the display name. `false`: no such user.
    async fn set_name(&self, id: UserId, name: &str, at: Timestamp) -> Result<bool, StoreError>;
    /// Sets the address. `Created::New(false)`: no such user.
    async fn set_email(&self, id: UserId, email: &Email, at: Timestamp) -> Result<Created<bool>, StoreError>;
    /// Marks the user deleted, frees the address, revokes sessions and keys; the id is never used
    /// again. `false`: no such user.
    async fn delete_user(&self, id: UserId, at: Timestamp) -> Result<bool, StoreError>;

    /// Stores a session. At most 100 live ones a user: beyond that the oldest are revoked.
    async fn create_session(&self, session: &Session) -> Result<(), StoreError>;
    /// A session that is not revoked, with its user as they are now; expiry is the caller's to judge.
    async fn session(&self, id: &SessionId) -> Result<Option<(Session, User)>, StoreError>;
    /// Revokes one session; revoking twice is fine.
    async fn revoke_session(&self, id: &SessionId, at: Timestamp) -> Result<(), StoreError>;
    /// Drops sessions that ended before `before`, at most 10,000 a call; gives how many.
    async fn prune_sessions(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Stores a key under a new number. At most 50 live ones a user: beyond that [`Created::Taken`].
    async fn create_api_key(&self, key: &NewApiKey) -> Result<Created<ApiKey>, StoreError>;
    /// An unrevoked key by hash, with its owner as they are now; expiry is the caller's to judge.
    async fn api_key(&self, hash: &[u8; 32]) -> Result<Option<(ApiKey, User)>, StoreError>;
    /// A user's unrevoked keys, newest first.
    async fn api_keys(&self, user: UserId) -> Result<Vec<ApiKey>, StoreError>;
    /// Revokes a key of that user. `false`: no such live key of theirs.
    async fn revoke_api_key(&self, user: UserId, id: ApiKeyId, at: Timestamp) -> Result<bool, StoreError>;

    /// Remembers the hash of the one-time token that may create the first administrator, replacing
    /// any earlier one.
    async fn put_setup_token(&self, hash: &[u8; 32], expires_at: Timestamp) -> Result<(), StoreError>;
    /// Consumes the token and stores the user as administrator, whatever role they came with, in one step. `None`: no such live token, or
    /// there is an administrator already.
    async fn create_first_admin(&self, token: &[u8; 32], user: &NewUser) -> Result<Option<Created<User>>, StoreError>;

    /// Appends to the audit log, which nothing changes or shortens; each event is linked to the one
    /// before it by its hash.
    async fn audit(&self, event: &AuditEvent) -> Result<(), StoreError>;
    /// Audit events after `after` in order, at most `limit`.
    async fn audit_trail(&self, after: i64, limit: u32) -> Result<Vec<AuditRecord>, StoreError>;
    /// Newest audit events first, at most `limit`.
    async fn audit_events(&self, limit: u32) -> Result<Vec<AuditEvent>, StoreError>;

    /// Rises with every change of permission, also by other processes on the same store.
    async fn version(&self) -> Result<i64, StoreError>;
}

/// Keeps counts of recent events per key, for throttles and rate limits. The arithmetic is
/// [`crate::rate`]'s; a store only keeps the state. Bounded: when full, the stalest keys go.
#[async_trait]
pub trait RateStore: Send + Sync {
    /// Applies `policy` to one more event under `key` at `now`.
    async fn take(
        &self,
        key: &str,
        policy: &crate::rate::Policy,
        now: Timestamp,
    ) -> Result<crate::rate::Verdict, StoreError>;
    /// What [`RateStore::take`] would answer, without counting.
    async fn peek(
        &self,
        key: &str,
        policy: &crate::rate::Policy,
        now: Timestamp,
    ) -> Result<crate::rate::Verdict, StoreError>;
    /// Forgets `key`.
    async fn clear(&self, key: &str) -> Result<(), StoreError>;
}
