//! A user's own profile (BitTrade client: name, address, password; each with the current password).

use orrery_identity::{Action, Caller, Created, Email, Proof, User};
use orrery_kernel::{Error, ErrorCode, Result, Secret, UserId};

use super::{Auth, checked_name};
use crate::Ctx;

impl Auth {
    /// The caller as stored.
    pub async fn me(&self, ctx: &Ctx) -> Result<User> {
        let user = ctx.authorize(Action::ReadOwn)?.user;
        self.stored(user).await
    }

    async fn stored(&self, user: UserId) -> Result<User> {
        self.store.user(user).await?.ok_or_else(|| Error::new(ErrorCode::NotFound, "User not found"))
    }

    /// Changes the display name (2 to 100 characters).
    pub async fn change_name(&self, ctx: &Ctx, name: &str, current: &Secret<String>) -> Result<User> {
        let user = ctx.authorize(Action::ManageSelf)?.user;
        let name = checked_name(name, 2)?;
        self.confirm(ctx, user, current).await?;
        self.store.set_name(user, &name, ctx.now).await?;
        self.access.changed();
        self.audit(ctx, "name_change", format!("user:{user}"), "ok").await;
        self.stored(user).await
    }

    /// Changes the address, which is stored in lower case.
    pub async fn change_email(&self, ctx: &Ctx, email: &str, current: &Secret<String>) -> Result<User> {
        let user = ctx.authorize(Action::ManageSelf)?.user;
        let email = Email::parse(&email.trim().to_lowercase()).map_err(|e| Error::invalid("email", e.to_string()))?;
        self.confirm(ctx, user, current).await?;
        match self.store.set_email(user, &email, ctx.now).await? {
            Created::Taken => Err(Error::new(ErrorCode::Conflict, "Email is already in use by another account")),
            Created::New(_) => {
                self.access.changed();
                self.audit(ctx, "email_change", format!("user:{user}"), "ok").await;
                self.stored(user).await
            }
        }
    }

    /// Changes the password and ends every other session and every API key of the user.
    pub async fn change_password(
        &self,
        ctx: &Ctx,
        current: &Secret<String>,
        new: &Secret<String>,
        confirm: Option<&Secret<String>>,
    ) -> Result<()> {
        let caller: &Caller = ctx.authorize(Action::ManageSelf)?;
        let user = caller.user;
        if current.expose().is_empty() || new.expose().is_empty() {
            return Err(Error::invalid("newPassword", "All fields are required"));
        }
        if confirm.is_some_and(|c| c != new) {
            return Err(Error::invalid("confirmPassword", "Passwords do not match"));
        }
        orrery_crypto::check_password(new.expose()).map_err(|e| Error::invalid("newPassword", e.to_string()))?;
        self.confirm(ctx, user, current).await?;
        let _place = self.hashing.admit()?;
        let hash = self.hashing.hash(new, self.bits()).await?;
        let keep = match &caller.proof {
            Proof::Session(id) => Some(id),
            Proof::ApiKey(_) | Proof::Local => None,
        };
        self.store.set_password(user, &hash, keep, ctx.now).await?;
        self.access.changed();
        self.audit(ctx, "password_change", format!("user:{user}"), "ok").await;
        Ok(())
    }

    /// Checks the current password; failures wait as failed logins do.
    async fn confirm(&self, ctx: &Ctx, user: UserId, current: &Secret<String>) -> Result<()> {
        let stored = self.stored(user).await?;
        let account = format!("login:account:{}", Email::parse(&stored.email).as_ref().map_or("", Email::key));
        let _place = self.hashing.admit()?;
        let _turn = self.turns.of(&account).await;
        self.throttle(ctx, &account).await?;
        let hash = self.store.password(user).await?;
        if self.hashing.verify(current, hash).await? {
            return Ok(());
        }
        self.failed(ctx, &account).await;
        self.audit(ctx, "confirm_password", format!("user:{user}"), "bad credentials").await;
        Err(Error::new(ErrorCode::BadCredentials, "Current password is incorrect"))
    }
}
