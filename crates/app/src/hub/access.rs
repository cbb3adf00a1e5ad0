//! Tokens of open connections are checked again when anybody's permissions change.

use std::sync::Arc;

use orrery_kernel::{Error, ErrorCode, Result};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::{Conn, Credential, Ending, Hub};
use crate::auth::Auth;
use crate::events::{Event, Events};

impl Hub {
    /// Checks a connection's proof, if anything changed since it was checked. Closes it when it is no longer
    /// good.
    ///
    /// # Errors
    /// When it is not, or cannot be checked.
    pub async fn recheck(&self, auth: &Auth, conn: &Conn) -> Result<()> {
        if !self.is_unchecked(conn) {
            return Ok(());
        }
        let (access, now) = (self.access_count(), self.now());
        let checked = match conn.credential() {
            None => Ok(None),
            Some(Credential::Session(id)) => auth.authenticate_session(&id, now).await.map(Some),
            Some(Credential::Key(key)) => auth.authenticate(key.expose(), now).await.map(Some),
        };
        match checked {
            Ok(caller) if caller.as_ref().map(|c| c.user) == conn.who.user => {
                self.checked(conn, access);
                Ok(())
            }
            Ok(_) => Err(end(conn, Error::new(ErrorCode::UnauthenticatedInvalid, "Unauthorized"))),
            // within the time to renew it, the sweep decides
            Err(error) if error.code == ErrorCode::UnauthenticatedExpired && conn.expires().is_some() => Err(error),
            Err(error) if is_refusal(&error) => Err(end(conn, error)),
            Err(error) => Err(error),
        }
    }
}

fn is_refusal(error: &Error) -> bool {
    use ErrorCode::{Forbidden, UnauthenticatedExpired, UnauthenticatedInvalid, UnauthenticatedMissing};
    matches!(error.code, UnauthenticatedMissing | UnauthenticatedInvalid | UnauthenticatedExpired | Forbidden)
}

fn end(conn: &Conn, error: Error) -> Error {
    conn.close(&Ending::Revoked);
    error
}

pub(super) async fn run(hub: Arc<Hub>, auth: Arc<Auth>, events: Events, stopping: CancellationToken) {
    let mut events = events.subscribe();
    loop {
        let event = tokio::select! {
            () = stopping.cancelled() => return,
            event = events.recv() => event,
        };
        match event {
            Ok(Event::Access) | Err(RecvError::Lagged(_)) => {
                hub.access_changed();
                for conn in hub.unchecked() {
                    if let Err(error) = hub.recheck(&auth, &conn).await {
                        tracing::debug!(%error, conn = conn.id, "a connection's token was not good");
                    }
                }
            }
            Ok(Event::Channels) => {
                if let Err(error) = hub.reload().await {
                    tracing::warn!(%error, "the configured channels were not read");
                }
            }
            Ok(_) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
