//! The fan-out: channels, who has joined them, and one way from a publisher to every protocol.
//!
//! A message gets its place from the [`Broker`](orrery_realtime::Broker), is framed once for each protocol, and every connection queues
//! a reference to that frame. Bounds: an outbox ([`Bounds`](orrery_realtime::Bounds)), channels in memory
//! ([`HubSettings::channels_max`]), connections a user, messages a window. At an outbox's bound the connection
//! is closed and told how far it came; nothing is dropped silently.

mod access;
mod channel;
mod configured;
mod conn;
mod connections;
mod dialect;
mod direct;
mod flush;
mod joining;
mod message;
mod names;
mod offers;
mod publish;
mod seats;
mod settings;
mod status;
mod sweep;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use channel::After;
use connections::Conns;
use orrery_identity::rate;
use orrery_kernel::{Error, StoreError, Timestamp};
use orrery_realtime::Live;
use tokio_util::sync::CancellationToken;

pub use channel::Channel;
pub use conn::{Conn, Credential, Who};
pub use connections::Connecting;
pub use dialect::{DIALECTS, Delivery, Dialect, Ending, Notice, Severity};
pub use direct::{Direct, DirectSocket};
pub use offers::Offer;
pub use publish::{Accepted, Publish};
pub use seats::{Member, Present};
pub use settings::{HubPorts, HubSettings};
pub use status::{Health, Status};

use crate::auth::Auth;
use crate::events::Events;
use crate::tasks::Tasks;

/// The fan-out of this process.
pub struct Hub {
    ports: HubPorts,
    settings: HubSettings,
    node: u64,
    channels: RwLock<HashMap<Arc<str>, Arc<Channel>>>,
    /// The server's own channels that clients may name before anything was published there.
    own: RwLock<HashSet<String>>,
    offered: OnceLock<Offer>,
    /// Somebody is the first in an offered channel.
    first_in: tokio::sync::Notify,
    conns: Mutex<Conns>,
    flushes: flush::Flushes,
    flushers: Vec<Arc<direct::Flusher>>,
    numbers: AtomicU32,
    ids: AtomicU64,
    global: Mutex<rate::State>,
    stats: status::Stats,
    /// Changes of permissions so far; a connection that was checked before the last is checked again.
    access: AtomicU64,
    broker_lost: AtomicBool,
    broker_lost_at: AtomicI64,
    back: tokio::sync::Notify,
    departures: sweep::Departures,
    elsewhere: tokio::sync::Mutex<seats::Elsewhere>,
    /// Nothing is written any more.
    written_out: CancellationToken,
}

/// Where nodes tell each other what operators say; no channel's name, so that nobody joins it.
const OPERATORS: &str = "!operators";

fn unavailable(error: &StoreError) -> Error {
    tracing::warn!(%error, "the broker or the store of channels does not answer");
    Error::unavailable("Channels are not available; try again", Duration::from_secs(1))
}

impl Hub {
    /// A hub with nobody in it.
    pub fn new(ports: HubPorts, settings: HubSettings) -> Arc<Self> {
        let mut bits = [0; 8];
        ports.entropy.fill(&mut bits);
        let hub = Arc::new(Self {
            // JSON numbers are whole up to 2^53
            node: u64::from_be_bytes(bits) >> 11,
            ports,
            flushers: (0..settings.writers.max(1)).map(|_| Arc::default()).collect(),
            settings,
            channels: RwLock::default(),
            own: RwLock::default(),
            offered: OnceLock::new(),
            first_in: tokio::sync::Notify::new(),
            conns: Mutex::default(),
            flushes: flush::Flushes::default(),
            numbers: AtomicU32::new(1),
            ids: AtomicU64::new(1),
            global: Mutex::default(),
            stats: status::Stats::default(),
            access: AtomicU64::new(0),
            broker_lost: AtomicBool::new(false),
            broker_lost_at: AtomicI64::new(0),
            back: tokio::sync::Notify::new(),
            departures: sweep::Departures::default(),
            elsewhere: tokio::sync::Mutex::default(),
            written_out: CancellationToken::new(),
        });
        let weak = Arc::downgrade(&hub);
        hub.ports.broker.attach(Arc::new(move |live| {
            if let Some(hub) = weak.upgrade() {
                hub.heard(live);
            }
        }));
        hub
    }

    /// Starts the hub's own tasks, which end when `tasks` stop.
    pub fn start(self: &Arc<Self>, auth: &Arc<Auth>, events: &Events, tasks: &Tasks) {
        let access = access::run(self.clone(), auth.clone(), events.clone(), tasks.stopping());
        tasks.spawn("hub-access", access);
        for flusher in &self.flushers {
            // not ended by the drain, which these carry out; they end with the process
            let (clock, never) = (self.ports.clock.clone(), self.written_out.clone());
            tasks.spawn("hub-write", flusher.clone().run(clock, never));
        }
        tasks.spawn("hub-drained", connections::drained(self.clone(), tasks.stopping()));
        tasks.spawn("hub-flush", flush::run(self.clone(), tasks.stopping()));
        tasks.spawn("hub-operators", sweep::follow_operators(self.clone(), tasks.stopping()));
        tasks.spawn("hub-departures", sweep::tell_departures(self.clone(), tasks.stopping()));
        tasks.spawn("hub-sweep", sweep::run(self.clone(), tasks.stopping()));
        tasks.spawn("hub-restore", sweep::restore(self.clone(), tasks.stopping()));
    }

    fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    fn conns(&self) -> std::sync::MutexGuard<'_, Conns> {
        self.conns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, name: &str) -> Option<Arc<Channel>> {
        self.channels.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn all_channels(&self) -> Vec<Arc<Channel>> {
        self.channels.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// What the broker says: in order, at once.
    fn heard(&self, live: Live) {
        match live {
            Live::Published { channel, epoch, publication } => {
                let Some(channel) = self.known(&channel) else { return };
                let now = self.now();
                self.stats.lag(now.since(publication.at));
                if channel.take(&epoch, publication, now) == After::Flush {
                    self.flushes.schedule(&channel, now);
                }
            }
            Live::Signal { channel, body } => sweep::signalled(self, &channel, &body),
            Live::Lost => self.lost(),
            Live::Back => {
                self.broker_lost.store(false, Ordering::Relaxed);
                self.back.notify_one();
            }
        }
    }

    fn lost(&self) {
        if !self.broker_lost.swap(true, Ordering::Relaxed) {
            self.broker_lost_at.store(self.now().micros(), Ordering::Relaxed);
        }
    }
}
