//! What administrators do to other users.

use orrery_identity::{Action, Role, User};
use orrery_kernel::{Error, ErrorCode, Result, Secret, UserId};

use super::Auth;
use crate::Ctx;

impl Auth {
    /// Marks a user deleted; ends their sessions and keys. The last administrator stays.
    pub async fn delete_user(&self, ctx: &Ctx, id: UserId) -> Result<User> {
        ctx.authorize(Action::Administer)?;
        let user = self.of(id).await?;
        if user.role == Role::Admin && self.store.count_role(Role::Admin).await? <= 1 {
            return Err(Error::new(ErrorCode::Conflict, "The last administrator cannot be deleted"));
        }
        if !self.store.delete_user(id, ctx.now).await? {
            return Err(Error::new(ErrorCode::NotFound, "User not found"));
        }
        self.access.changed();
        self.audit(ctx, "user_delete", format!("user:{id}"), "ok").await;
        Ok(user)
    }

    /// Sets a user's password; ends their sessions and keys.
    pub async fn set_password_of(&self, ctx: &Ctx, id: UserId, password: &Secret<String>) -> Result<User> {
        ctx.authorize(Action::Administer)?;
        orrery_crypto::check_password(password.expose()).map_err(|e| Error::invalid("password", e.to_string()))?;
        let user = self.of(id).await?;
        let _place = self.hashing.admit()?;
        let hash = self.hashing.hash(password, self.bits()).await?;
        self.store.set_password(id, &hash, None, ctx.now).await?;
        self.access.changed();
        self.audit(ctx, "password_reset", format!("user:{id}"), "ok").await;
        Ok(user)
    }

    /// Sets a user's role. The last administrator keeps theirs.
    pub async fn set_role_of(&self, ctx: &Ctx, id: UserId, role: Role) -> Result<User> {
        ctx.authorize(Action::Administer)?;
        let user = self.of(id).await?;
        if user.role == Role::Admin && role != Role::Admin && self.store.count_role(Role::Admin).await? <= 1 {
            return Err(Error::new(ErrorCode::Conflict, "The last administrator cannot be demoted"));
        }
        self.store.set_role(id, role, ctx.now).await?;
        self.access.changed();
        self.audit(ctx, "role_change", format!("user:{id} {}", role.name()), "ok").await;
        Ok(User { role, ..user })
    }

    async fn of(&self, id: UserId) -> Result<User> {
        self.store.user(id).await?.ok_or_else(|| Error::new(ErrorCode::NotFound, "User not found"))
    }
}
