//! Places in channels that somebody configured, counted over all nodes. What a node last said of itself is counted for
//! [`SEATS_HELD`], so a node that dies gives its places back by then.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use orrery_kernel::{Error, ErrorCode, Result, Timestamp};
use orrery_realtime::{COUNTED_MAX, SEATS_HELD, Seats};
use tokio::sync::MutexGuard;

use super::{Channel, Conn, Hub};

/// Between two times that a node says who is there, when nobody comes or leaves; a third, so that one that is lost does
/// no harm.
const RENEW: Duration = Duration::from_secs(SEATS_HELD.as_secs() / 3);
/// Members that a node tells of; of more, any.
const MEMBERS_MAX: usize = 1_000;
/// Other nodes' connections of all channels are counted at most this often.
const COUNTED_EVERY: Duration = Duration::from_secs(1);

/// Somebody in a channel: their user and the client's name for itself.
pub type Member = (Option<i64>, Arc<str>);

/// Who is in a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// Connections of all nodes, where an administrator made the channel.
    pub connections: usize,
    /// Who they are, where the channel has presence on.
    pub members: Vec<Member>,
}

pub(super) fn full() -> Error {
    Error::new(ErrorCode::Conflict, "The channel is full")
}

impl Channel {
    fn bound(&self) -> Option<u32> {
        Some(self.config().max_connections).filter(|most| *most > 0)
    }

    /// Do the nodes tell each other who is here?
    fn is_shared(&self) -> bool {
        self.is_configured()
    }

    fn seats(&self, node: u64, more: usize) -> Seats {
        let connections = u32::try_from(self.connections() + more).unwrap_or(u32::MAX);
        let members = self.config().presence.then(|| {
            let members: Vec<_> = self.members().into_iter().take(MEMBERS_MAX).collect();
            let members: Vec<_> = members.iter().map(|(user, client)| (user, &**client)).collect();
            // numbers and texts always serialise
            serde_json::to_vec(&members).unwrap_or_default().into()
        });
        Seats { node, connections, members }
    }
}

impl Hub {
    /// A place for one more, which is its for as long as the guard is held; `None` where they are not counted over all
    /// nodes. While the other nodes cannot be asked, only those here count.
    pub(super) async fn sit<'a>(&self, channel: &'a Channel, conn: &Conn) -> Result<Option<MutexGuard<'a, ()>>> {
        let Some(most) = channel.bound().filter(|_| channel.is_configured()) else { return Ok(None) };
        // not one time-out after the other for those who come back while the broker is away
        if self.broker_lost.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let seating = channel.seating.lock().await;
        if conn.is_in(channel) {
            return Ok(Some(seating));
        }
        let seats = Seats { members: None, ..channel.seats(self.node, 1) };
        match self.ports.broker.take_seats(&channel.name, &seats, Some(most), self.now()).await {
            Ok(true) => Ok(Some(seating)),
            Ok(false) => Err(full()),
            Err(error) => {
                tracing::debug!(%error, channel = %channel.name, "connections of other nodes are not counted");
                Ok(Some(seating))
            }
        }
    }

    /// Who is in the channel, here and on the other nodes; what these say may be a second old.
    pub async fn present(&self, channel: &Channel) -> Present {
        let mut present = Present { connections: channel.connections(), members: channel.members() };
        if !channel.is_shared() {
            return present;
        }
        match self.ports.broker.seats(&channel.name, self.now()).await {
            Ok(all) => {
                for seats in all.into_iter().filter(|seats| seats.node != self.node) {
                    present.connections += seats.connections as usize;
                    let members =
                        serde_json::from_slice::<Vec<(Option<i64>, String)>>(&seats.members.unwrap_or_default());
                    // another version's are passed over
                    present.members.extend(members.unwrap_or_default().into_iter().map(|(u, c)| (u, c.into())));
                }
            }
            Err(error) => tracing::debug!(%error, channel = %channel.name, "other nodes' connections are not known"),
        }
        present
    }
}

/// What other nodes have in channels, as it was known last.
#[derive(Default)]
pub(super) struct Elsewhere {
    at: Option<Timestamp>,
    connections: HashMap<Arc<str>, usize>,
}

impl Hub {
    /// How many connections each channel has over all nodes, in the order of `channels`; what other nodes say may be two
    /// seconds old. However many ask, the broker is asked once a second, and while it does not answer only those here
    /// count.
    pub async fn totals(&self, channels: &[Arc<Channel>]) -> Vec<usize> {
        let mut elsewhere = self.elsewhere.lock().await;
        let now = self.now();
        let fresh = elsewhere.at.is_some_and(|at| at <= now && now.since(at) < COUNTED_EVERY);
        if !fresh && !self.broker_lost.load(Ordering::Relaxed) {
            elsewhere.connections = self.count_elsewhere(now).await;
            elsewhere.at = Some(now);
        }
        let beside = |channel: &Channel| elsewhere.connections.get(&channel.name).copied().unwrap_or(0);
        channels.iter().map(|channel| channel.connections() + beside(channel)).collect()
    }

    /// Of all channels that nodes tell each other of.
    async fn count_elsewhere(&self, now: Timestamp) -> HashMap<Arc<str>, usize> {
        let all = self.all_channels();
        let names: Vec<_> = all.iter().filter(|c| c.is_shared()).map(|c| c.name.clone()).collect();
        let mut found = HashMap::new();
        for names in names.chunks(COUNTED_MAX) {
            match self.ports.broker.seats_beside(self.node, names, now).await {
                Ok(counts) => {
                    let there = names.iter().zip(counts).filter(|(_, count)| *count > 0);
                    found.extend(there.map(|(name, count)| (name.clone(), count as usize)));
                }
                Err(error) => {
                    tracing::debug!(%error, "other nodes' connections are not known");
                    break;
                }
            }
        }
        found
    }

    /// Tells the other nodes who is in each channel where that changed. The hub's own task does it each second; this is
    /// for those who run no tasks.
    pub async fn say_once(&self) {
        for channel in self.all_channels() {
            say(self, &channel, self.now()).await;
        }
    }
}

/// Tells the other nodes who is here, when that changed or it is time to.
pub(super) async fn say(hub: &Hub, channel: &Channel, now: Timestamp) {
    let said = Timestamp::from_micros(channel.said.load(Ordering::Relaxed));
    let due = channel.connections() > 0 && now.since(said) >= RENEW;
    if hub.broker_lost.load(Ordering::Relaxed)
        || !channel.is_shared()
        || !(channel.unsaid.swap(false, Ordering::Relaxed) || due)
    {
        return;
    }
    let _one = channel.seating.lock().await;
    match hub.ports.broker.take_seats(&channel.name, &channel.seats(hub.node, 0), None, now).await {
        Ok(_) => channel.said.store(now.micros(), Ordering::Relaxed),
        Err(error) => {
            channel.unsaid.store(true, Ordering::Relaxed);
            tracing::debug!(%error, channel = %channel.name, "other nodes were not told who is here");
        }
    }
}
