//! Which sockets belong to which session.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use orrery_app::hub::{Conn, Ending};
use orrery_wallets::Session;

use crate::{PER_SESSION_MAX, Shared};

/// The sockets of one session, and its wallet.
struct Seats {
    address: String,
    conns: Vec<Arc<Conn>>,
}

/// Open sockets: those without a session counted, the others by their session.
#[derive(Default)]
pub(crate) struct Sockets {
    anonymous: AtomicUsize,
    sessions: Mutex<HashMap<[u8; 32], Seats>>,
}

impl Sockets {
    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Seats>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the session room for one more?
    pub(crate) fn has_room(&self, session: &[u8; 32]) -> bool {
        self.sessions().get(session).is_none_or(|seats| seats.conns.len() < PER_SESSION_MAX as usize)
    }

    /// One more. `false`: the session has too many.
    pub(crate) fn add(&self, session: Option<&Session>, conn: &Arc<Conn>) -> bool {
        let Some(session) = session else {
            self.anonymous.fetch_add(1, Ordering::Relaxed);
            return true;
        };
        let mut sessions = self.sessions();
        let seats = || Seats { address: session.address.clone(), conns: Vec::new() };
        let conns = &mut sessions.entry(session.token).or_insert_with(seats).conns;
        let room = conns.len() < PER_SESSION_MAX as usize;
        if room {
            conns.push(conn.clone());
        }
        room
    }

    /// It is gone.
    pub(crate) fn remove(&self, session: Option<[u8; 32]>, conn: &Arc<Conn>) {
        let Some(session) = session else {
            self.anonymous.fetch_sub(1, Ordering::Relaxed);
            return;
        };
        let mut sessions = self.sessions();
        if let Some(seats) = sessions.get_mut(&session) {
            seats.conns.retain(|there| !Arc::ptr_eq(there, conn));
            if seats.conns.is_empty() {
                sessions.remove(&session);
            }
        }
    }

    /// The sockets of a wallet.
    pub(crate) fn of(&self, address: &str) -> Vec<Arc<Conn>> {
        let sessions = self.sessions();
        let own = sessions.values().filter(|seats| seats.address == address);
        own.flat_map(|seats| seats.conns.iter().cloned()).collect()
    }

    /// The wallets that have a socket here, each once.
    pub(crate) fn addresses(&self) -> std::collections::BTreeSet<String> {
        self.sessions().values().map(|seats| seats.address.clone()).collect()
    }
}

impl Shared {
    /// Sockets without a session, with one, and how many sessions those are.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let sessions = self.sockets.sessions();
        let authenticated = sessions.values().map(|seats| seats.conns.len()).sum();
        (self.sockets.anonymous.load(Ordering::Relaxed), authenticated, sessions.len())
    }

    /// Closes the sockets of sessions that ended, here or on another node.
    pub(crate) async fn end_dead_sessions(&self) {
        let open: Vec<[u8; 32]> = self.sockets.sessions().keys().copied().collect();
        if open.is_empty() {
            return;
        }
        match self.app.wallets.live(&open, self.app.clock.now()).await {
            Ok(live) => {
                let live: std::collections::HashSet<_> = live.into_iter().collect();
                let sessions = self.sockets.sessions();
                let dead = open.iter().filter(|s| !live.contains(*s)).filter_map(|s| sessions.get(s));
                dead.flat_map(|seats| &seats.conns).for_each(|conn| conn.close(&Ending::Revoked));
            }
            // they stay: a client that is closed would take its session for over
            Err(error) => tracing::warn!(%error, "sessions were not checked"),
        }
    }
}
