//! Tokens of open connections are checked again when anybody's permissions change.

use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::{Error, ErrorCode, Result};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::{Conn, Credential, Ending, Hub};
use crate::auth::Auth;
use crate::events::{Event, Events};

/// Between looks at the API keys of connections that say nothing.
const KEYS_PERIOD: Duration = Duration::from_secs(30);

impl Hub {
    fn keyed(&self) -> Vec<Arc<Conn>> {
        let all: Vec<_> = self.conns().all.values().cloned().collect();
        all.into_iter().filter(|c| matches!(c.credential(), Some(Credential::Key(_)))).collect()
    }

    /// Checks a connection's proof, if anything changed since it was checked or if it is an API key. Closes it when it is no longer
    /// good.
    ///
    /// # Errors
    /// When it is not, or cannot be checked.
    pub async fn recheck(&self, auth: &Auth, conn: &Conn) -> Result<()> {
        let credential = conn.credential();
        // a key runs out by itself, which no change tells; looking is a glance at what is remembered
        if !self.is_unchecked(conn) && !matches!(credential, Some(Credential::Key(_))) {
            return Ok(());
        }
        let (access, now) = (self.access_count(), self.now());
        let checked = match credential {
            None => Ok(None),
            Some(Credential::Surface) => {
                self.checked(conn, access);
                return Ok(());
            }
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

async fn recheck_all(hub: &Hub, auth: &Auth, conns: Vec<Arc<Conn>>) {
    for conn in conns {
        if let Err(error) = hub.recheck(auth, &conn).await {
            tracing::debug!(%error, conn = conn.id, "a connection's proof was not good");
        }
    }
}

pub(super) async fn run(hub: Arc<Hub>, auth: Arc<Auth>, events: Events, stopping: CancellationToken) {
    let mut events = events.subscribe();
    let mut keys = tokio::time::interval(KEYS_PERIOD);
    keys.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let event = tokio::select! {
            () = stopping.cancelled() => return,
            event = events.recv() => event,
            _ = keys.tick() => {
                recheck_all(&hub, &auth, hub.keyed()).await;
                continue;
            }
        };
        match event {
            Ok(Event::Access) | Err(RecvError::Lagged(_)) => {
                hub.access_changed();
                recheck_all(&hub, &auth, hub.unchecked()).await;
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
