//! Identity's port.

use async_trait::async_trait;
use orrery_identity::{
    ApiKey, ApiKeyId, AuditEvent, AuditRecord, Created, Email, IdentityStore, NewApiKey, NewUser, PasswordHash, Role,
    Session, SessionId, User,
};
use orrery_kernel::{StoreError, Timestamp, UserId};

use orrery_store_rows::identity as rows;

use crate::call::Call;
use crate::db::Sqlite;
use crate::sql::identity as sql;
use crate::write::Tx;

/// Live sessions a user may have.
const SESSIONS_MAX: i64 = 100;
/// Live API keys a user may have.
const API_KEYS_MAX: u64 = 50;
/// Sessions dropped in one call.
const PRUNE_MAX: i64 = 10_000;

impl Tx {
    async fn insert_user(&mut self, user: &NewUser, role: Role) -> Result<Created<User>, StoreError> {
        let insert = sql::INSERT_USER
            .call()
            .bind(user.email.as_typed().to_owned())
            .bind(user.email.key().to_owned())
            .bind(user.name.clone())
            .bind(user.password.0.clone())
            .bind(role.name())
            .bind(user.at.micros());
        let Some(row) = self.optional(insert).await? else { return Ok(Created::Taken) };
        Ok(Created::New(User {
            id: UserId(row.get(0)?),
            email: user.email.as_typed().to_owned(),
            name: user.name.clone(),
            role,
            created_at: user.at,
            updated_at: user.at,
        }))
    }

    async fn raise_version(&mut self) -> Result<(), StoreError> {
        self.execute(sql::RAISE_VERSION.call()).await.map(|_| ())
    }

    async fn revoke_all(&mut self, id: UserId, keep: Option<String>, at: Timestamp) -> Result<(), StoreError> {
        self.execute(sql::REVOKE_SESSIONS.call().bind(id.0).bind(keep)).await?;
        self.execute(sql::REVOKE_API_KEYS.call().bind(id.0).bind(at.micros())).await?;
        Ok(())
    }
}

impl Sqlite {
    /// A change of one user that may change what they may do. `false`: no such user.
    async fn change_user(
        &self,
        update: Call,
        revoke: Option<(UserId, Option<String>, Timestamp)>,
        raise: bool,
    ) -> Result<bool, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                if tx.execute(update).await? == 0 {
                    tx.nothing_to_keep();
                    return Ok(false);
                }
                if let Some((id, keep, at)) = revoke {
                    tx.revoke_all(id, keep, at).await?;
                }
                if raise {
                    tx.raise_version().await?;
                }
                Ok(true)
            })
        })
        .await
    }
}

#[async_trait]
impl IdentityStore for Sqlite {
    async fn create_user(&self, user: &NewUser) -> Result<Created<User>, StoreError> {
        let user = user.clone();
        self.write(move |tx| Box::pin(async move { tx.insert_user(&user, user.role).await })).await
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.optional(sql::USER.call().bind(id.0)).await?.map(|row| rows::user(&row, 0)).transpose()
    }

    async fn credential(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, StoreError> {
        let row = self.optional(sql::CREDENTIAL.call().bind(email.key().to_owned())).await?;
        row.map(|row| Ok((rows::user(&row, 0)?, PasswordHash(row.get(6)?)))).transpose()
    }

    async fn password(&self, id: UserId) -> Result<Option<PasswordHash>, StoreError> {
        let row = self.optional(sql::PASSWORD.call().bind(id.0)).await?;
        row.map(|row| row.get(0).map(PasswordHash)).transpose()
    }

    async fn users(&self, after: UserId, limit: u32) -> Result<Vec<User>, StoreError> {
        self.all(sql::USERS.call().bind(after.0).bind(limit)).await?.iter().map(|row| rows::user(row, 0)).collect()
    }

    async fn count_role(&self, role: Role) -> Result<u64, StoreError> {
        self.one(sql::COUNT_ROLE.call().bind(role.name())).await?.count(0)
    }

    async fn set_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        keep: Option<&SessionId>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = sql::SET_PASSWORD.call().bind(id.0).bind(hash.0.clone()).bind(at.micros());
        self.change_user(update, Some((id, keep.map(|k| k.as_str().to_owned()), at)), true).await
    }

    async fn set_role(&self, id: UserId, role: Role, at: Timestamp) -> Result<bool, StoreError> {
        self.change_user(sql::SET_ROLE.call().bind(id.0).bind(role.name()).bind(at.micros()), None, true).await
    }

    async fn set_name(&self, id: UserId, name: &str, at: Timestamp) -> Result<bool, StoreError> {
        self.change_user(sql::SET_NAME.call().bind(id.0).bind(name.to_owned()).bind(at.micros()), None, false).await
    }

    async fn set_email(&self, id: UserId, email: &Email, at: Timestamp) -> Result<Created<bool>, StoreError> {
        let email = email.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let known = tx.optional(sql::USER.call().bind(id.0)).await?.is_some();
                let owner = tx.optional(sql::EMAIL_OWNER.call().bind(email.key().to_owned())).await?;
                let owner: Option<i64> = owner.map(|row| row.get(0)).transpose()?;
                if !known || owner.is_some_and(|owner| owner != id.0) {
                    tx.nothing_to_keep();
                    return Ok(if known { Created::Taken } else { Created::New(false) });
                }
                let update = sql::SET_EMAIL
                    .call()
                    .bind(id.0)
                    .bind(email.as_typed().to_owned())
                    .bind(email.key().to_owned())
                    .bind(at.micros());
                tx.execute(update).await?;
                // no permission, but callers carry the address
                tx.raise_version().await?;
                Ok(Created::New(true))
            })
        })
        .await
    }

    async fn delete_user(&self, id: UserId, at: Timestamp) -> Result<bool, StoreError> {
        let update = sql::DELETE_USER.call().bind(id.0).bind(at.micros());
        self.change_user(update, Some((id, None, at)), true).await
    }

    async fn create_session(&self, session: &Session) -> Result<(), StoreError> {
        let (user, at) = (session.user.0, session.created_at.micros());
        let insert = sql::INSERT_SESSION
            .call()
            .bind(session.id.as_str().to_owned())
            .bind(user)
            .bind(at)
            .bind(session.expires_at.micros())
            .bind(session.address.clone())
            .bind(session.agent.clone());
        self.write(move |tx| {
            Box::pin(async move {
                tx.execute(insert).await?;
                if tx.execute(sql::CAP_SESSIONS.call().bind(user).bind(at).bind(SESSIONS_MAX)).await? > 0 {
                    tx.raise_version().await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn session(&self, id: &SessionId) -> Result<Option<(Session, User)>, StoreError> {
        let row = self.optional(sql::SESSION.call().bind(id.as_str().to_owned())).await?;
        row.map(|row| Ok((rows::session(&row)?, rows::user(&row, 6)?))).transpose()
    }

    async fn revoke_session(&self, id: &SessionId, _at: Timestamp) -> Result<(), StoreError> {
        let revoke = sql::REVOKE_SESSION.call().bind(id.as_str().to_owned());
        self.change_user(revoke, None, true).await.map(|_| ())
    }

    async fn prune_sessions(&self, before: Timestamp) -> Result<u64, StoreError> {
        let prune = sql::PRUNE_SESSIONS.call().bind(before.micros()).bind(PRUNE_MAX);
        self.write(|tx| Box::pin(tx.execute(prune))).await
    }

    async fn create_api_key(&self, key: &NewApiKey) -> Result<Created<ApiKey>, StoreError> {
        let key = key.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let at = key.created_at.micros();
                let live = tx.one(sql::COUNT_API_KEYS.call().bind(key.user.0).bind(at)).await?.count(0)?;
                if live >= API_KEYS_MAX {
                    tx.nothing_to_keep();
                    return Ok(Created::Taken);
                }
                let insert = sql::INSERT_API_KEY
                    .call()
                    .bind(key.user.0)
                    .bind(key.name.clone())
                    .bind(key.prefix.clone())
                    .bind(key.hash.to_vec())
                    .bind(rows::scopes_text(&key.scopes))
                    .bind(at)
                    .bind(key.expires_at.map(Timestamp::micros));
                let Some(row) = tx.optional(insert).await? else {
                    tx.nothing_to_keep();
                    return Ok(Created::Taken);
                };
                tx.raise_version().await?;
                Ok(Created::New(ApiKey { id: ApiKeyId(row.get(0)?), key }))
            })
        })
        .await
    }

    async fn api_key(&self, hash: &[u8; 32]) -> Result<Option<(ApiKey, User)>, StoreError> {
        let row = self.optional(sql::API_KEY.call().bind(hash.to_vec())).await?;
        row.map(|row| Ok((rows::api_key(&row)?, rows::user(&row, 8)?))).transpose()
    }

    async fn api_keys(&self, user: UserId) -> Result<Vec<ApiKey>, StoreError> {
        self.all(sql::API_KEYS.call().bind(user.0)).await?.iter().map(|row| rows::api_key(row)).collect()
    }

    async fn revoke_api_key(&self, user: UserId, id: ApiKeyId, at: Timestamp) -> Result<bool, StoreError> {
        let revoke = sql::REVOKE_API_KEY.call().bind(user.0).bind(id.0).bind(at.micros());
        self.change_user(revoke, None, true).await
    }

    async fn put_setup_token(&self, hash: &[u8; 32], expires_at: Timestamp) -> Result<(), StoreError> {
        let put = sql::PUT_SETUP_TOKEN.call().bind(hash.to_vec()).bind(expires_at.micros());
        self.write(|tx| Box::pin(tx.execute(put))).await.map(|_| ())
    }

    async fn create_first_admin(&self, token: &[u8; 32], user: &NewUser) -> Result<Option<Created<User>>, StoreError> {
        let (token, user) = (token.to_vec(), user.clone());
        self.write(move |tx| {
            Box::pin(async move {
                let open = tx.one(sql::SETUP_OPEN.call().bind(token).bind(user.at.micros())).await?;
                if !open.get::<bool>(0)? {
                    tx.nothing_to_keep();
                    return Ok(None);
                }
                let created = tx.insert_user(&user, Role::Admin).await?;
                if matches!(created, Created::New(_)) {
                    tx.execute(sql::DROP_SETUP_TOKEN.call()).await?;
                    tx.raise_version().await?;
                }
                Ok(Some(created))
            })
        })
        .await
    }

    async fn audit(&self, event: &AuditEvent) -> Result<(), StoreError> {
        let event = event.clone();
        self.write(|tx| {
            Box::pin(async move {
                let last = tx.optional(sql::LAST_AUDIT.call()).await?;
                let prev = last.map_or(Ok([0; 32]), |row| row.hash(0))?;
                let hash = event.link(prev).to_vec();
                let insert = sql::INSERT_AUDIT
                    .call()
                    .bind(event.at.micros())
                    .bind(event.actor)
                    .bind(event.action)
                    .bind(event.target)
                    .bind(event.outcome)
                    .bind(event.address)
                    .bind(hash);
                tx.execute(insert).await.map(|_| ())
            })
        })
        .await
    }

    async fn audit_trail(&self, after: i64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        let found = self.all(sql::AUDIT_TRAIL.call().bind(after).bind(limit)).await?;
        let record = |row: &crate::call::Fields| {
            Ok(AuditRecord { id: row.get(6)?, event: rows::audit_event(row)?, hash: row.hash(7)? })
        };
        found.iter().map(record).collect()
    }

    async fn audit_events(&self, limit: u32) -> Result<Vec<AuditEvent>, StoreError> {
        self.all(sql::AUDIT_EVENTS.call().bind(limit)).await?.iter().map(|row| rows::audit_event(row)).collect()
    }

    async fn version(&self) -> Result<i64, StoreError> {
        self.one(sql::VERSION.call()).await?.get(0)
    }
}
