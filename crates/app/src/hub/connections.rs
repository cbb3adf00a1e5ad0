//! Who is connected, how many may be, and how they end.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use orrery_kernel::{Error, Result, UserId};
use tokio_util::sync::CancellationToken;

use super::{Conn, Dialect, DirectSocket, Ending, Hub, Who};

/// How long clients may take what waits for them when the server stops.
const DRAIN_MAX: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Conns {
    pub(super) all: HashMap<u64, Arc<Conn>>,
    pub(super) users: HashMap<UserId, HashMap<Arc<str>, u64>>,
    /// Connections without a user, by where they come from.
    anonymous: HashMap<IpAddr, HashSet<u64>>,
}

/// What connects.
pub struct Connecting {
    /// Who.
    pub who: Who,
    /// How frames look.
    pub dialect: Arc<dyn Dialect>,
    /// A client that comes twice is there once.
    pub exclusive: bool,
    /// Where from: connections that prove no user are counted by it. `None`: somebody else bounds them.
    pub address: Option<IpAddr>,
}

/// What one client is likely to have: of IPv6 a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
        four => four,
    }
}

/// After the process was told to stop, what is queued is still written until every connection is gone.
pub(super) async fn drained(hub: Arc<Hub>, stopping: CancellationToken) {
    stopping.cancelled().await;
    let until = tokio::time::Instant::now() + DRAIN_MAX;
    loop {
        let left: Vec<_> = hub.conns().all.values().cloned().collect();
        if left.is_empty() {
            break;
        }
        if tokio::time::Instant::now() > until {
            // it does not take its goodbye
            left.iter().for_each(|conn| conn.cut_off());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    hub.written_out.cancel();
}

impl Hub {
    /// A new connection; [`Self::disconnect`] ends it.
    ///
    /// # Errors
    /// `RateLimited` when the user, or the address of somebody without one, has as many as they may.
    pub fn connect(&self, connecting: Connecting) -> Result<Arc<Conn>> {
        let Connecting { who, dialect, exclusive, address } = connecting;
        let too_many = || Error::rate_limited("Connection limit exceeded", Duration::from_secs(30));
        let now = self.now();
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let mut conns = self.conns();
        let mut replaced = None;
        if let Some(user) = who.user {
            let clients = conns.users.entry(user).or_default();
            let name: Arc<str> = if exclusive { who.client.clone() } else { format!("{} {id}", who.client).into() };
            replaced = clients.get(&name).copied();
            if replaced.is_none() && clients.len() >= self.settings.connections_per_user as usize {
                return Err(too_many());
            }
            clients.insert(name, id);
        } else if let Some(address) = address {
            let there = conns.anonymous.entry(network(address)).or_default();
            if there.len() >= self.settings.anonymous_per_address as usize {
                return Err(too_many());
            }
            there.insert(id);
        }
        if let Some(older) = replaced.and_then(|id| conns.all.get(&id)) {
            older.close(&Ending::Replaced);
        }
        let conn = Conn::new((self.node, id), who, dialect, self.settings.outbox, now, address);
        conn.checked.store(self.access.load(Ordering::Relaxed), Ordering::Relaxed);
        conns.all.insert(id, conn.clone());
        self.stats.connected(conns.all.len());
        Ok(conn)
    }

    /// What is queued for the connection goes straight to its socket from now on.
    pub fn write_to(&self, conn: &Conn, socket: DirectSocket) {
        let which = usize::try_from(conn.id).unwrap_or(0) % self.flushers.len();
        conn.write_to(socket.0, self.flushers[which].clone());
    }

    /// The connection is gone.
    pub fn disconnect(&self, conn: &Arc<Conn>) {
        let now = self.now();
        for channel in conn.joined_channels() {
            self.left(&channel, conn, now);
        }
        let mut conns = self.conns();
        conns.all.remove(&conn.id);
        if let Some(user) = conn.who.user
            && let Some(clients) = conns.users.get_mut(&user)
        {
            clients.retain(|_, id| *id != conn.id);
            if clients.is_empty() {
                conns.users.remove(&user);
            }
        }
        if let Some(address) = conn.address.map(network)
            && let Some(there) = conns.anonymous.get_mut(&address)
        {
            there.remove(&conn.id);
            if there.is_empty() {
                conns.anonymous.remove(&address);
            }
        }
        self.stats.disconnected(conns.all.len());
    }

    /// Closes every connection; what waits for it is written first.
    pub fn close_all(&self, ending: &Ending) {
        let all: Vec<_> = self.conns().all.values().cloned().collect();
        for conn in all {
            conn.close(ending);
        }
    }

    /// Somebody's permissions changed: every token is checked again.
    pub fn access_changed(&self) {
        self.access.fetch_add(1, Ordering::Relaxed);
    }

    /// Must the connection's token be checked before anything else is done for it?
    pub fn is_unchecked(&self, conn: &Conn) -> bool {
        conn.checked.load(Ordering::Relaxed) != self.access.load(Ordering::Relaxed)
    }

    /// Connections whose token must be checked.
    pub fn unchecked(&self) -> Vec<Arc<Conn>> {
        let access = self.access.load(Ordering::Relaxed);
        let conns = self.conns();
        conns.all.values().filter(|c| c.checked.load(Ordering::Relaxed) != access).cloned().collect()
    }

    /// The token was good after that many changes; see [`Self::access_count`].
    pub fn checked(&self, conn: &Conn, access: u64) {
        conn.checked.store(access, Ordering::Relaxed);
    }

    /// Changes of permissions so far: read before a check.
    pub fn access_count(&self) -> u64 {
        self.access.load(Ordering::Relaxed)
    }
}
