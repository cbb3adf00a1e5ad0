//! One-time tickets: a session's proof for a URL, where a token would stay in logs and histories.

use std::time::Duration;

use orrery_crypto::{Algorithm, Claims, JwtKey, WeakSecret};
use orrery_identity::rate::Policy;
use orrery_identity::{Action, Proof, SessionId};
use orrery_kernel::{Error, ErrorCode, Result, Secret, Timestamp};

use super::Auth;
use crate::Ctx;

/// How long a ticket works.
const LIFETIME: Duration = Duration::from_secs(30);
/// How long a used one is known; longer than it works.
const USED_FOR: Duration = Duration::from_secs(120);

/// A key of its own, so that no ticket is a token and no token a ticket.
pub(super) fn key(secret: &[u8]) -> std::result::Result<JwtKey, WeakSecret> {
    JwtKey::new(&orrery_crypto::sha256(&[b"orrery ticket ", secret].concat()), Algorithm::Hs256)
}

impl Auth {
    /// A ticket for the caller's session.
    ///
    /// # Errors
    /// `Forbidden` for an API key, which has no session.
    pub fn issue_ticket(&self, ctx: &Ctx) -> Result<Secret<String>> {
        let caller = ctx.authorize(Action::ReadOwn)?;
        let Proof::Session(session) = &caller.proof else {
            return Err(Error::new(ErrorCode::Forbidden, "Tickets are for sessions; an API key may connect as it is"));
        };
        let issued = ctx.now.secs();
        let claims = Claims {
            id: caller.user.0,
            email: String::new(),
            name: orrery_crypto::token(self.bits()),
            sid: session.as_str().to_owned(),
            iat: issued,
            exp: issued + i64::try_from(LIFETIME.as_secs()).unwrap_or(30),
        };
        Ok(Secret::new(self.tickets.issue(&claims).map_err(Error::internal)?))
    }

    /// The session that a ticket was issued for. Once: a second time it is refused, on every server that
    /// shares the rate windows.
    ///
    /// # Errors
    /// `UnauthenticatedInvalid`, `UnauthenticatedExpired`.
    pub async fn redeem_ticket(&self, ticket: &str, now: Timestamp) -> Result<SessionId> {
        let bad = || Error::new(ErrorCode::UnauthenticatedInvalid, "Invalid ticket");
        let claims = self.tickets.verify(ticket, now.secs()).map_err(|_| bad())?;
        let session = SessionId::parse(&claims.sid).ok_or_else(bad)?;
        let once = Policy::refuse(1, USED_FOR);
        match self.rates.take(&format!("ticket:{}", claims.name), &once, now).await? {
            verdict if verdict.allowed => Ok(session),
            _ => Err(bad()),
        }
    }
}
