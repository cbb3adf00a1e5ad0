//! Users, sessions, API keys and the audit log in process.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orrery_identity::{
    ApiKey, ApiKeyId, AuditEvent, AuditRecord, Created, Email, IdentityStore, NewApiKey, NewUser, PasswordHash, Role,
    Session, SessionId, User,
};
use orrery_kernel::{StoreError, Timestamp, UserId};

/// Live sessions a user.
const SESSIONS_MAX: usize = 100;
/// Live API keys a user.
const KEYS_MAX: usize = 50;

/// Identity in memory.
#[derive(Debug, Default)]
pub struct MemoryIdentity {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last_user: i64,
    users: BTreeMap<UserId, (User, PasswordHash)>,
    by_email: HashMap<String, UserId>,
    sessions: HashMap<SessionId, Session>,
    last_key: i64,
    keys: BTreeMap<ApiKeyId, NewApiKey>,
    setup: Option<([u8; 32], Timestamp)>,
    audit: Vec<AuditRecord>,
    version: i64,
}

impl State {
    fn create(&mut self, new: &NewUser) -> Created<User> {
        if self.by_email.contains_key(new.email.key()) {
            return Created::Taken;
        }
        self.last_user += 1;
        let id = UserId(self.last_user);
        let user = User {
            id,
            email: new.email.as_typed().to_owned(),
            name: new.name.clone(),
            role: new.role,
            created_at: new.at,
            updated_at: new.at,
        };
        self.by_email.insert(new.email.key().to_owned(), id);
        self.users.insert(id, (user.clone(), new.password.clone()));
        Created::New(user)
    }

    fn drop_access(&mut self, id: UserId, keep: Option<&SessionId>) {
        self.sessions.retain(|sid, s| s.user != id || Some(sid) == keep);
        self.keys.retain(|_, k| k.user != id);
        self.version += 1;
    }

    fn change(&mut self, id: UserId, at: Timestamp, change: impl FnOnce(&mut User)) -> bool {
        let Some((user, _)) = self.users.get_mut(&id) else { return false };
        change(user);
        user.updated_at = at;
        self.version += 1;
        true
    }
}

impl MemoryIdentity {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl IdentityStore for MemoryIdentity {
    async fn create_user(&self, user: &NewUser) -> Result<Created<User>, StoreError> {
        Ok(self.state().create(user))
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.state().users.get(&id).map(|(user, _)| user.clone()))
    }

    async fn credential(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, StoreError> {
        let state = self.state();
        Ok(state.by_email.get(email.key()).and_then(|id| state.users.get(id)).cloned())
    }

    async fn password(&self, id: UserId) -> Result<Option<PasswordHash>, StoreError> {
        Ok(self.state().users.get(&id).map(|(_, hash)| hash.clone()))
    }

    async fn users(&self, after: UserId, limit: u32) -> Result<Vec<User>, StoreError> {
        let state = self.state();
        let later = state.users.range((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded));
        Ok(later.take(limit as usize).map(|(_, (user, _))| user.clone()).collect())
    }

    async fn count_role(&self, role: Role) -> Result<u64, StoreError> {
        Ok(self.state().users.values().filter(|(user, _)| user.role == role).count() as u64)
    }

    async fn set_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        keep: Option<&SessionId>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some((user, stored)) = state.users.get_mut(&id) else { return Ok(false) };
        *stored = hash.clone();
        user.updated_at = at;
        state.drop_access(id, keep);
        Ok(true)
    }

    async fn set_role(&self, id: UserId, role: Role, at: Timestamp) -> Result<bool, StoreError> {
        Ok(self.state().change(id, at, |user| user.role = role))
    }

    async fn set_name(&self, id: UserId, name: &str, at: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state();
        let version = state.version;
        let done = state.change(id, at, |user| user.name = name.to_owned());
        // a name is no permission
        state.version = version;
        Ok(done)
    }

    async fn set_email(&self, id: UserId, email: &Email, at: Timestamp) -> Result<Created<bool>, StoreError> {
        let mut state = self.state();
        if !state.users.contains_key(&id) {
            return Ok(Created::New(false));
        }
        if state.by_email.get(email.key()).is_some_and(|owner| *owner != id) {
            return Ok(Created::Taken);
        }
        if !state.change(id, at, |user| user.email = email.as_typed().to_owned()) {
            return Ok(Created::New(false));
        }
        state.by_email.retain(|_, owner| *owner != id);
        state.by_email.insert(email.key().to_owned(), id);
        Ok(Created::New(true))
    }

    async fn delete_user(&self, id: UserId, _at: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.users.remove(&id).is_none() {
            return Ok(false);
        }
        state.by_email.retain(|_, owner| *owner != id);
        state.drop_access(id, None);
        Ok(true)
    }

    async fn create_session(&self, session: &Session) -> Result<(), StoreError> {
        let mut state = self.state();
        let mut own: Vec<_> = state
            .sessions
            .values()
            .filter(|s| s.user == session.user && s.expires_at > session.created_at)
            .map(|s| (s.created_at, s.id.clone()))
            .collect();
        if own.len() >= SESSIONS_MAX {
            own.sort_unstable();
            let surplus = own.len() + 1 - SESSIONS_MAX;
            for (_, id) in own.into_iter().take(surplus) {
                state.sessions.remove(&id);
            }
            state.version += 1;
        }
        state.sessions.insert(session.id.clone(), session.clone());
        Ok(())
    }

    async fn session(&self, id: &SessionId) -> Result<Option<(Session, User)>, StoreError> {
        let state = self.state();
        Ok(state.sessions.get(id).and_then(|s| Some((s.clone(), state.users.get(&s.user)?.0.clone()))))
    }

    async fn revoke_session(&self, id: &SessionId, _at: Timestamp) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.sessions.remove(id).is_some() {
            state.version += 1;
        }
        Ok(())
    }

    async fn prune_sessions(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.state();
        let ended: Vec<_> =
            state.sessions.values().filter(|s| s.expires_at < before).take(10_000).map(|s| s.id.clone()).collect();
        for id in &ended {
            state.sessions.remove(id);
        }
        Ok(ended.len() as u64)
    }

    async fn create_api_key(&self, key: &NewApiKey) -> Result<Created<ApiKey>, StoreError> {
        let mut state = self.state();
        let live = |k: &&NewApiKey| k.user == key.user && k.expires_at.is_none_or(|end| end > key.created_at);
        if state.keys.values().filter(live).count() >= KEYS_MAX {
            return Ok(Created::Taken);
        }
        state.last_key += 1;
        let id = ApiKeyId(state.last_key);
        state.keys.insert(id, key.clone());
        state.version += 1;
        Ok(Created::New(ApiKey { id, key: key.clone() }))
    }

    async fn api_key(&self, hash: &[u8; 32]) -> Result<Option<(ApiKey, User)>, StoreError> {
        let state = self.state();
        let found = state.keys.iter().find(|(_, k)| k.hash == *hash);
        Ok(found.and_then(|(id, key)| {
            let (user, _) = state.users.get(&key.user)?;
            Some((ApiKey { id: *id, key: key.clone() }, user.clone()))
        }))
    }

    async fn api_keys(&self, user: UserId) -> Result<Vec<ApiKey>, StoreError> {
        let state = self.state();
        let own = state.keys.iter().rev().filter(|(_, k)| k.user == user);
        Ok(own.map(|(id, key)| ApiKey { id: *id, key: key.clone() }).collect())
    }

    async fn revoke_api_key(&self, user: UserId, id: ApiKeyId, _at: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.keys.get(&id).is_none_or(|k| k.user != user) {
            return Ok(false);
        }
        state.keys.remove(&id);
        state.version += 1;
        Ok(true)
    }

    async fn put_setup_token(&self, hash: &[u8; 32], expires_at: Timestamp) -> Result<(), StoreError> {
        self.state().setup = Some((*hash, expires_at));
        Ok(())
    }

    async fn create_first_admin(&self, token: &[u8; 32], user: &NewUser) -> Result<Option<Created<User>>, StoreError> {
        let mut state = self.state();
        let live = state.setup.is_some_and(|(hash, expires)| hash == *token && user.at < expires);
        if !live || state.users.values().any(|(u, _)| u.role == Role::Admin) {
            return Ok(None);
        }
        let created = state.create(&NewUser { role: Role::Admin, ..user.clone() });
        if let Created::New(_) = created {
            state.setup = None;
            state.version += 1;
        }
        Ok(Some(created))
    }

    async fn audit(&self, event: &AuditEvent) -> Result<(), StoreError> {
        let mut state = self.state();
        let hash = event.link(state.audit.last().map_or([0; 32], |last| last.hash));
        let id = i64::try_from(state.audit.len()).unwrap_or(i64::MAX) + 1;
        state.audit.push(AuditRecord { id, event: event.clone(), hash });
        Ok(())
    }

    async fn audit_trail(&self, after: i64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        let skip = usize::try_from(after.max(0)).unwrap_or(usize::MAX);
        Ok(self.state().audit.iter().skip(skip).take(limit as usize).cloned().collect())
    }

    async fn audit_events(&self, limit: u32) -> Result<Vec<AuditEvent>, StoreError> {
        Ok(self.state().audit.iter().rev().take(limit as usize).map(|r| r.event.clone()).collect())
    }

    async fn version(&self) -> Result<i64, StoreError> {
        Ok(self.state().version)
    }
}
