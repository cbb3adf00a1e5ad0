//! Sessions of wallets.

use std::time::Duration;

use orrery_crypto::json::JsValue;
use orrery_kernel::{Error, ErrorCode, Result, Secret, Timestamp, UserId};
use orrery_ledger::{Actor, Answer, Command, IdemKey, Operation};
use orrery_wallets::{Action, LOGIN_AGE_MAX, Login, LoginError, Opened, Session};
use tokio_util::sync::CancellationToken;

use super::Wallets;
use crate::Ctx;
use crate::ledger_writer::refused_shape;

/// Between two sweeps of what is over.
const SWEEP_PERIOD: Duration = Duration::from_secs(600);

/// A session just opened, and the only copy of its token.
pub struct LoggedIn {
    /// Whose, and until when.
    pub session: Session,
    /// The token.
    pub token: Secret<String>,
}

fn over() -> Error {
    Error::new(ErrorCode::UnauthenticatedInvalid, "Invalid or expired session")
}

impl Wallets {
    /// Opens a session for a signed login. The login is good once, whichever server it is shown to.
    ///
    /// # Errors
    /// `Invalid` names a field; `BadCredentials` for a login that proves nothing; `Forbidden` for a wallet that the
    /// operator does not let in.
    pub async fn login(&self, ctx: &Ctx, body: &JsValue, action: Action) -> Result<LoggedIn> {
        let login = Login::verify(body, action, &self.settings.network, ctx.now).map_err(|error| match error {
            LoginError::Invalid { field, ref problem } => Error::invalid(field, format!("{field} {problem}")),
            LoginError::Refused(why) => Error::new(ErrorCode::BadCredentials, why),
        })?;
        let address = &login.address;
        if !self.settings.allowed.is_empty() && !self.settings.allowed.contains(address) {
            self.audit(ctx, address, "wallet_login", String::new(), "not let in").await;
            return Err(Error::new(ErrorCode::Forbidden, "The operator does not let this wallet in"));
        }
        let mut bits = [0; 32];
        self.ports.entropy.fill(&mut bits);
        let token = Secret::new(orrery_crypto::token(bits));
        let session = Session {
            token: orrery_crypto::digest(token.expose()),
            address: address.clone(),
            public_key: login.public_key,
            created_at: ctx.now,
            expires_at: ctx.now.plus(self.settings.session_lifetime),
        };
        match self.ports.store.open_session(&session, &login.hash).await? {
            Opened::Replayed => {
                self.audit(ctx, address, "wallet_login", String::new(), "replayed").await;
                Err(Error::new(ErrorCode::BadCredentials, "The login was used before; sign a new one"))
            }
            Opened::New { .. } => {
                self.audit(ctx, address, "wallet_login", String::new(), "ok").await;
                metrics::counter!("wallet_logins_total").increment(1);
                // once a wallet, by its key: a login that could not be followed by it is followed by the next
                self.grant(address).await?;
                Ok(LoggedIn { session, token })
            }
        }
    }

    async fn grant(&self, address: &str) -> Result<()> {
        let Some(amount) = self.settings.grant else { return Ok(()) };
        let key = IdemKey::new(&format!("grant:{address}")).map_err(Error::internal)?;
        let operation = Operation::Grant { wallet: address.into(), amount };
        match self.ports.writer.submit(Command { actor: Actor::System, key, operation }).await? {
            // the amount was another once: what was given stays
            Answer::New(_) | Answer::Replay(_) | Answer::KeyReused => Ok(()),
            other => refused_shape(&other).map_or(Ok(()), Err),
        }
    }

    /// The session that a token opens at `now`.
    ///
    /// # Errors
    /// `UnauthenticatedInvalid`.
    pub async fn session(&self, token: &str, now: Timestamp) -> Result<Session> {
        let found = self.ports.store.session(&orrery_crypto::digest(token)).await?;
        found.filter(|session| session.expires_at > now).ok_or_else(over)
    }

    /// Which of these sessions, by their tokens' digests, are still open.
    pub async fn live(&self, tokens: &[[u8; 32]], now: Timestamp) -> Result<Vec<[u8; 32]>> {
        Ok(self.ports.store.live_sessions(tokens, now).await?)
    }

    /// Ends a session.
    pub async fn logout(&self, ctx: &Ctx, session: &Session) -> Result<()> {
        self.ports.store.end_session(&session.token).await?;
        self.audit(ctx, &session.address, "wallet_logout", String::new(), "ok").await;
        Ok(())
    }

    /// Ends every session of the session's wallet, this one too; gives how many.
    pub async fn logout_everywhere(&self, ctx: &Ctx, session: &Session) -> Result<u64> {
        let ended = self.ports.store.end_sessions(&session.address).await?;
        self.audit(ctx, &session.address, "wallet_logout", "everywhere".into(), "ok").await;
        Ok(ended)
    }

    /// Links the session's wallet to a user, who has proved who they are too.
    ///
    /// # Errors
    /// `Conflict` when it is another user's.
    pub async fn link(&self, ctx: &Ctx, session: &Session, user: UserId) -> Result<()> {
        if !self.ports.store.link(&session.address, user, ctx.now).await? {
            return Err(Error::new(ErrorCode::Conflict, "The wallet is linked to another user"));
        }
        self.audit(ctx, &session.address, "wallet_link", format!("user:{user}"), "ok").await;
        Ok(())
    }

    /// Unlinks it. `false`: it was not that user's.
    pub async fn unlink(&self, ctx: &Ctx, session: &Session, user: UserId) -> Result<bool> {
        let unlinked = self.ports.store.unlink(&session.address, user).await?;
        self.audit(ctx, &session.address, "wallet_unlink", format!("user:{user}"), "ok").await;
        Ok(unlinked)
    }

    /// The wallets linked to a user.
    pub async fn wallets_of(&self, user: UserId) -> Result<Vec<String>> {
        Ok(self.ports.store.wallets_of(user).await?)
    }

    /// Drops what is over, and settles what a crash left open, until `stopping`.
    pub async fn sweep(self: std::sync::Arc<Self>, stopping: CancellationToken) {
        let mut tick = tokio::time::interval(SWEEP_PERIOD);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => {}
            }
            let now = self.ports.clock.now();
            // one that is older would be refused for its age
            let logins = Timestamp::from_micros(
                now.micros().saturating_sub(i64::try_from(2 * LOGIN_AGE_MAX.as_micros()).unwrap_or(i64::MAX)),
            );
            if let Err(error) = self.ports.store.prune_sessions(now, logins).await {
                tracing::warn!(%error, "sessions of wallets were not swept");
            }
            if let Err(error) = self.settle_pending(None, now).await {
                tracing::warn!(%error, "pending transactions were not settled");
            }
        }
    }
}
