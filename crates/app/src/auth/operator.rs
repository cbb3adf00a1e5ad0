//! What the operator does at the command line, where access to the data directory is the proof.

use std::time::Duration;

use orrery_identity::{ApiKey, ApiKeyId, Created, Email, Role, Scope, User};
use orrery_kernel::{Error, ErrorCode, Result, Secret, UserId};

use super::sessions::taken;
use super::{Auth, NewKey, checked_name};

/// Users read at a time.
const PAGE: u32 = 1_000;

impl Auth {
    /// Creates a user with a role.
    pub async fn operator_create_user(
        &self,
        email: &Email,
        name: &str,
        password: &Secret<String>,
        role: Role,
    ) -> Result<User> {
        let name = checked_name(name, 1)?;
        orrery_crypto::check_password(password.expose()).map_err(|e| Error::invalid("password", e.to_string()))?;
        let new = self.new_user(self.clock.now(), email.clone(), name, password, role).await?;
        match self.store.create_user(&new).await? {
            Created::Taken => Err(taken()),
            Created::New(user) => {
                self.access.changed();
                self.note("user_create", format!("user:{} {}", user.id, role.name())).await;
                Ok(user)
            }
        }
    }

    /// All users, by id.
    pub async fn operator_users(&self) -> Result<Vec<User>> {
        let mut users: Vec<User> = Vec::new();
        loop {
            let after = users.last().map_or(UserId(0), |u| u.id);
            let page = self.store.users(after, PAGE).await?;
            if page.is_empty() {
                return Ok(users);
            }
            users.extend(page);
        }
    }

    /// The user of that address.
    pub async fn operator_find(&self, email: &Email) -> Result<User> {
        let found = self.store.credential(email).await?;
        found
            .map(|(user, _)| user)
            .ok_or_else(|| Error::new(ErrorCode::NotFound, format!("there is no user {}", email.as_typed())))
    }

    /// Sets a role; the last administrator keeps theirs.
    pub async fn operator_set_role(&self, email: &Email, role: Role) -> Result<User> {
        let user = self.operator_find(email).await?;
        if role != Role::Admin {
            self.not_the_last_admin(&user).await?;
        }
        self.store.set_role(user.id, role, self.clock.now()).await?;
        self.access.changed();
        self.note("role_change", format!("user:{} {}", user.id, role.name())).await;
        Ok(User { role, ..user })
    }

    /// Sets a password and ends every session and API key of the user.
    pub async fn operator_reset_password(&self, email: &Email, password: &Secret<String>) -> Result<User> {
        orrery_crypto::check_password(password.expose()).map_err(|e| Error::invalid("password", e.to_string()))?;
        let user = self.operator_find(email).await?;
        let hash = self.hashing.hash(password, self.bits()).await?;
        self.store.set_password(user.id, &hash, None, self.clock.now()).await?;
        self.access.changed();
        self.note("password_reset", format!("user:{}", user.id)).await;
        Ok(user)
    }

    /// Deletes a user; their entries in the ledger stay. The last administrator stays.
    pub async fn operator_delete_user(&self, email: &Email) -> Result<User> {
        let user = self.operator_find(email).await?;
        self.not_the_last_admin(&user).await?;
        self.store.delete_user(user.id, self.clock.now()).await?;
        self.access.changed();
        self.note("user_delete", format!("user:{}", user.id)).await;
        Ok(user)
    }

    /// Makes a key for a user.
    pub async fn operator_create_key(
        &self,
        email: &Email,
        name: &str,
        scopes: Vec<Scope>,
        lifetime: Option<Duration>,
    ) -> Result<NewKey> {
        let user = self.operator_find(email).await?;
        let made = self.make_key(user.id, name, scopes, lifetime, self.clock.now()).await?;
        self.note("api_key_create", format!("api_key:{}", made.key.id.0)).await;
        Ok(made)
    }

    /// A user's keys.
    pub async fn operator_keys(&self, email: &Email) -> Result<Vec<ApiKey>> {
        let user = self.operator_find(email).await?;
        Ok(self.store.api_keys(user.id).await?)
    }

    /// Ends a key of a user.
    pub async fn operator_revoke_key(&self, email: &Email, id: ApiKeyId) -> Result<()> {
        let user = self.operator_find(email).await?;
        if !self.store.revoke_api_key(user.id, id, self.clock.now()).await? {
            return Err(Error::new(ErrorCode::NotFound, format!("{} has no live key {}", email.as_typed(), id.0)));
        }
        self.access.changed();
        self.note("api_key_revoke", format!("api_key:{}", id.0)).await;
        Ok(())
    }

    async fn not_the_last_admin(&self, user: &User) -> Result<()> {
        if user.role == Role::Admin && self.store.count_role(Role::Admin).await? <= 1 {
            return Err(Error::new(ErrorCode::Conflict, "this is the last administrator"));
        }
        Ok(())
    }

    async fn note(&self, action: &'static str, target: String) {
        self.record("operator".into(), action, target, "ok", String::new()).await;
    }
}
