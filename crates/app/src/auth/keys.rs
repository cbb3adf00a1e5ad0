//! API keys.

use std::time::Duration;

use orrery_identity::{Action, ApiKey, ApiKeyId, Caller, Created, NewApiKey, Proof, Scope};
use orrery_kernel::{Error, ErrorCode, Result, Secret, Timestamp, UserId};

use super::{Auth, NewKey, checked_name};
use crate::Ctx;

/// Characters of a key that are shown to recognise it by.
const PREFIX_CHARS: usize = 10;

impl Auth {
    /// Makes a key of the caller's; needs a session, so that a key cannot make keys.
    pub async fn create_api_key(
        &self,
        ctx: &Ctx,
        name: &str,
        scopes: Vec<Scope>,
        lifetime: Option<Duration>,
    ) -> Result<NewKey> {
        let user = ctx.authorize(Action::ManageSelf)?.user;
        let made = self.make_key(user, name, scopes, lifetime, ctx.now).await?;
        self.audit(ctx, "api_key_create", format!("api_key:{}", made.key.id.0), "ok").await;
        Ok(made)
    }

    pub(super) async fn make_key(
        &self,
        user: UserId,
        name: &str,
        mut scopes: Vec<Scope>,
        lifetime: Option<Duration>,
        now: Timestamp,
    ) -> Result<NewKey> {
        let name = checked_name(name, 1)?;
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(Error::invalid("scopes", "scopes must name at least one of read, trade, files, exec, admin"));
        }
        let secret = orrery_crypto::api_key(self.bits());
        let key = NewApiKey {
            user,
            name,
            prefix: secret.chars().take(PREFIX_CHARS).collect(),
            hash: orrery_crypto::digest(&secret),
            scopes,
            created_at: now,
            expires_at: lifetime.map(|l| now.plus(l)),
        };
        match self.store.create_api_key(&key).await? {
            Created::Taken => Err(Error::new(ErrorCode::Conflict, "There are 50 API keys already; revoke one first")),
            Created::New(key) => {
                self.access.changed();
                Ok(NewKey { secret: Secret::new(secret), key })
            }
        }
    }

    /// The caller's keys, newest first.
    pub async fn api_keys(&self, ctx: &Ctx) -> Result<Vec<ApiKey>> {
        let user = ctx.authorize(Action::ManageSelf)?.user;
        Ok(self.store.api_keys(user).await?)
    }

    /// Ends a key of the caller's.
    pub async fn revoke_api_key(&self, ctx: &Ctx, id: ApiKeyId) -> Result<()> {
        let user = ctx.authorize(Action::ManageSelf)?.user;
        if !self.store.revoke_api_key(user, id, ctx.now).await? {
            return Err(Error::new(ErrorCode::NotFound, "API key not found"));
        }
        self.access.changed();
        self.audit(ctx, "api_key_revoke", format!("api_key:{}", id.0), "ok").await;
        Ok(())
    }

    pub(super) async fn authenticate_key(&self, text: &str, now: Timestamp) -> Result<Caller> {
        let bad = |code| Error::new(code, "Invalid or expired token");
        let found = self.access.api_key(&orrery_crypto::digest(text)).await?;
        let (key, user) = found.ok_or_else(|| bad(ErrorCode::UnauthenticatedInvalid))?;
        if key.key.expires_at.is_some_and(|end| now >= end) {
            return Err(bad(ErrorCode::UnauthenticatedExpired));
        }
        Ok(Caller { user: user.id, email: user.email, role: user.role, proof: Proof::ApiKey(key.key.scopes) })
    }
}
