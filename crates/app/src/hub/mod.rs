//! The fan-out: channels, who has joined them, and one way from a publisher to every protocol.
//!
//! A message gets its place from the [`Broker`], is framed once for each protocol, and every connection queues
//! a reference to that frame. Bounds: an outbox ([`Bounds`]), channels in memory
//! ([`HubSettings::channels_max`]), connections a user, messages a window. At an outbox's bound the connection
//! is closed and told how far it came; nothing is dropped silently.

mod access;
mod channel;
mod conn;
mod dialect;
mod direct;
mod flush;
mod message;
mod offers;
mod seats;
mod status;
mod sweep;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use channel::{After, Refused};
use message::Body;
use orrery_identity::RateStore;
use orrery_identity::rate::{self, Policy};
use orrery_kernel::{Clock, Entropy, Error, ErrorCode, Result, StoreError, Timestamp, UserId};
use orrery_realtime::{
    Appended, Bounds, Broker, ChannelConfig, ChannelStore, Keep, Live, Mode, Position, Put, check_name,
};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

pub use channel::Channel;
pub use conn::{Conn, Credential, Who};
pub use dialect::{DIALECTS, Delivery, Dialect, Ending, Notice, Severity};
pub use direct::{Direct, DirectSocket};
pub use offers::Offer;
pub use seats::{Member, Present};
pub use status::{Health, Status};

use crate::auth::Auth;
use crate::events::Events;
use crate::tasks::Tasks;

/// Bounds of the hub.
#[derive(Clone, Debug)]
pub struct HubSettings {
    /// Connections of one user; further ones are refused.
    pub connections_per_user: u32,
    /// Connections without a user that one address may have (of IPv6, one /64).
    pub anonymous_per_address: u32,
    /// Messages of one user, over all channels.
    pub messages: Policy,
    /// Messages of this process a second, over all users.
    pub messages_per_second: u32,
    /// Publications that a client gets back after it was away; beyond that it gets a picture.
    pub recovery_max: usize,
    /// May a user join a channel that nobody configured?
    pub open_channels: bool,
    /// Name of the network, whose channels only the server publishes to.
    pub network: String,
    /// Channels in memory.
    pub channels_max: usize,
    /// Tasks that write to sockets; each has its share of the connections.
    pub writers: usize,
    /// Bounds of a connection's outbox.
    pub outbox: Bounds,
    /// A client that was not heard for this long is pinged.
    pub ping_after: Duration,
    /// Then it has this long to answer.
    pub pong_within: Duration,
    /// A client that takes nothing for this long is closed.
    pub stuck_max: Duration,
}

impl Default for HubSettings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            connections_per_user: 100,
            anonymous_per_address: 2_000,
            messages: Policy::refuse(50, seconds(60)),
            messages_per_second: 10_000,
            recovery_max: 300,
            open_channels: true,
            network: "testnet".into(),
            channels_max: 20_000,
            writers: 1,
            outbox: Bounds::default(),
            ping_after: seconds(25),
            pong_within: seconds(10),
            stuck_max: seconds(10),
        }
    }
}

/// What the hub is made of.
#[derive(Clone)]
pub struct HubPorts {
    /// What several nodes share.
    pub broker: Arc<dyn Broker>,
    /// Configured channels.
    pub channels: Arc<dyn ChannelStore>,
    /// Rate windows.
    pub rates: Arc<dyn RateStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

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

#[derive(Default)]
struct Conns {
    all: HashMap<u64, Arc<Conn>>,
    users: HashMap<UserId, HashMap<Arc<str>, u64>>,
    /// Connections without a user, by where they come from.
    anonymous: HashMap<IpAddr, HashSet<u64>>,
}

/// A message to publish.
pub struct Publish<'a> {
    /// Where.
    pub channel: &'a str,
    /// JSON.
    pub content: &'a RawValue,
    /// What it is the newest value of.
    pub key: Option<&'a str>,
    /// The sender's own number of it: a second one of the same number is the first.
    pub sequence: Option<u64>,
}

/// An accepted message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its place.
    pub position: Position,
    /// It had been accepted before.
    pub duplicate: bool,
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

/// Where nodes tell each other what operators say; no channel's name, so that nobody joins it.
const OPERATORS: &str = "!operators";
/// How long clients may take what waits for them when the server stops.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// How long repeated messages are known; the brokers' too.
const REPEATS_KNOWN: Duration = Duration::from_secs(300);
/// Names that only the server publishes to.
const RESERVED: [&str; 6] = ["topic/", "testnet.", "mainnet.", "account.", "user/", "wallet/"];
/// Channels that are told to everybody who asks, proof or not.
const PUBLIC: [&str; 3] = ["topic/notifications", "testnet.", "mainnet."];
/// Channels that nobody may join by name.
const CLOSED: [&str; 3] = ["account.", "user/", "wallet/"];

/// What one client is likely to have: of IPv6 a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
        four => four,
    }
}

/// After the process was told to stop, what is queued is still written until every connection is gone.
async fn drained(hub: Arc<Hub>, stopping: CancellationToken) {
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

fn starts(name: &str, with: &[&str]) -> bool {
    with.iter().any(|prefix| name.starts_with(prefix))
}

/// Channels that a connection may be in.
const JOINED_MAX: usize = 512;
/// Joins of a connection a minute: each may be told to everybody in the channel.
const JOINS: Policy = Policy::refuse(1_200, Duration::from_secs(60));
/// Channels a minute that a user may make by naming them.
const MADE: Policy = Policy::refuse(1_000, Duration::from_secs(60));

fn unavailable(error: &StoreError) -> Error {
    tracing::warn!(%error, "the broker or the store of channels does not answer");
    Error::unavailable("Channels are not available; try again", Duration::from_secs(1))
}

impl Hub {
    /// Does the name begin with the network's?
    fn is_of_network(&self, name: &str) -> bool {
        name.strip_prefix(&*self.settings.network).is_some_and(|rest| rest.starts_with('.'))
    }

    fn is_reserved(&self, name: &str) -> bool {
        starts(name, &RESERVED) || self.is_of_network(name)
    }

    /// The configuration of the server's own channels.
    fn built_in(&self, name: &str) -> Option<ChannelConfig> {
        if !self.is_reserved(name) {
            return None;
        }
        let require_auth = !starts(name, &PUBLIC) && !self.is_of_network(name);
        let own = ChannelConfig { max_connections: 0, require_auth, mode: Mode::Latest, ..ChannelConfig::default() };
        Some(if name.starts_with("topic/") || name.ends_with(".events") {
            ChannelConfig { mode: Mode::Stream, ..own }
        } else if name.starts_with("user/") || name.starts_with("wallet/") && !name.ends_with("/scripts") {
            // who may hear what changes: nothing is kept for later
            ChannelConfig { mode: Mode::Stream, history_size: 0, ..own }
        } else if self.is_offered(name) {
            // its publisher keeps to a pace of its own
            ChannelConfig { history_size: 1, history_ttl: offers::FRESH, ..own }
        } else if self.is_of_network(name) {
            // the document's batching
            ChannelConfig { conflate: Duration::from_millis(200), ..own }
        } else {
            own
        })
    }

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
        tasks.spawn("hub-drained", drained(self.clone(), tasks.stopping()));
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

    // connections

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

    // channels

    /// Clients may join this channel of the server's own although nothing was published there yet. Others of
    /// its names are not found: a client cannot make them.
    pub fn announce_own(&self, name: &str) {
        self.own.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    /// Is anybody of this process in that channel?
    pub fn is_heard(&self, name: &str) -> bool {
        self.known(name).is_some_and(|channel| channel.connections() > 0)
    }

    fn own_config(&self, name: &str) -> Option<ChannelConfig> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner).contains(name);
        if own || self.is_offered(name) { self.built_in(name) } else { None }
    }

    /// Refuses a user who makes channels by the thousand.
    async fn admit_new(&self, name: &str, user: Option<UserId>) -> Result<()> {
        let Some(user) = user.filter(|_| self.known(name).is_none()) else { return Ok(()) };
        match self.ports.rates.take(&format!("hub:made:{user}"), &MADE, self.now()).await {
            Ok(verdict) if !verdict.allowed => Err(Error::rate_limited("Too many new channels", verdict.retry_after)),
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::warn!(%error, "rate windows unavailable; letting the channel be made");
                Ok(())
            }
        }
    }

    /// The channel, if `user` may know it. One that nobody configured is made where that is allowed.
    fn channel(&self, name: &str, known_user: bool) -> Result<Arc<Channel>> {
        check_name(name).map_err(|e| Error::invalid("channel", e.to_string()))?;
        if starts(name, &CLOSED) {
            return Err(Error::new(ErrorCode::Forbidden, "Not authorized"));
        }
        let channel = match self.known(name) {
            Some(channel) => channel,
            None => {
                let config = match self.own_config(name) {
                    Some(config) => config,
                    None if self.is_reserved(name) => {
                        return Err(Error::new(ErrorCode::NotFound, "Channel not found"));
                    }
                    None if self.settings.open_channels && known_user => ChannelConfig::default(),
                    None => return Err(Error::new(ErrorCode::NotFound, "Channel not found")),
                };
                self.add(name, config, false)?
            }
        };
        if channel.config().require_auth && !known_user {
            return Err(Error::new(ErrorCode::UnauthenticatedMissing, "Unauthorized"));
        }
        Ok(channel)
    }

    fn add(&self, name: &str, config: ChannelConfig, configured: bool) -> Result<Arc<Channel>> {
        let mut channels = self.channels.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(name) {
            return Ok(channel.clone());
        }
        if channels.len() >= self.settings.channels_max {
            return Err(Error::unavailable("There are too many channels", Duration::from_secs(60)));
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let name: Arc<str> = name.into();
        let offered = self.is_offered(&name);
        let channel = Arc::new(Channel::new(name.clone(), number, config, (configured, offered), self.now()));
        channels.insert(name, channel.clone());
        Ok(channel)
    }

    /// Is this a channel that anybody may join without proof?
    pub fn is_public(&self, name: &str) -> bool {
        let config = self.known(name).map(|c| c.config().as_ref().clone()).or_else(|| self.own_config(name));
        config.is_some_and(|c| !c.require_auth)
    }

    /// Follows the channel and reads its history, once.
    async fn ready(&self, channel: &Arc<Channel>) -> Result<()> {
        if channel.position().is_some() {
            return Ok(());
        }
        let _one = channel.preparing.lock().await;
        if channel.position().is_some() {
            return Ok(());
        }
        let broker = &self.ports.broker;
        broker.follow(&channel.name).await.map_err(|e| unavailable(&e))?;
        let now = self.now();
        let tail = broker.tail(&channel.name, &channel.config(), now).await.map_err(|e| unavailable(&e))?;
        if channel.fill(tail, now) == After::Flush {
            self.flushes.schedule(channel, now);
        }
        Ok(())
    }

    /// Lets a connection into a channel; the answer and what it missed are queued for it. With `since`, what
    /// came after that, or a picture of now when some of it is no longer kept.
    ///
    /// # Errors
    /// `Invalid` for a bad name, `NotFound`, `Forbidden`, `UnauthenticatedMissing`, `Conflict` when the
    /// channel is full, `Unavailable`.
    pub async fn join(&self, conn: &Arc<Conn>, name: &str, since: Option<&Position>) -> Result<()> {
        conn.admit_join(&JOINS, JOINED_MAX, self.now())?;
        self.admit_offered(conn, name)?;
        self.admit_new(name, conn.who.user).await?;
        // a channel that nobody used may be let go meanwhile: once more then
        for _ in 0..3 {
            let channel = self.channel(name, conn.who.user.is_some())?;
            channel.touch(self.now());
            self.ready(&channel).await?;
            if !self.known(name).is_some_and(|known| Arc::ptr_eq(&known, &channel)) {
                continue;
            }
            let seating = self.sit(&channel, conn).await?;
            let joined = channel.join(conn, since, self.settings.recovery_max, self.now());
            drop(seating);
            match joined {
                Ok(new) => {
                    if new {
                        self.came_in(&channel);
                    }
                    if new && channel.config().presence {
                        self.announce(&channel, conn, true).await;
                    }
                    return Ok(());
                }
                Err(Refused::Full) => return Err(seats::full()),
                Err(Refused::NotReady) => {}
            }
        }
        Err(Error::unavailable("Channels are not available; try again", Duration::from_secs(1)))
    }

    /// Puts a connection into a channel of the server's own that nobody may join by name; who may hear it is for the
    /// caller to know.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn seat(&self, conn: &Arc<Conn>, name: &str) -> Result<()> {
        for _ in 0..3 {
            let channel = match self.known(name) {
                Some(channel) => channel,
                None => self.add(name, self.built_in(name).unwrap_or_default(), false)?,
            };
            channel.touch(self.now());
            self.ready(&channel).await?;
            let current = self.known(name).is_some_and(|known| Arc::ptr_eq(&known, &channel));
            if current && channel.join(conn, None, self.settings.recovery_max, self.now()).is_ok() {
                return Ok(());
            }
        }
        Err(Error::unavailable("Channels are not available; try again", Duration::from_secs(1)))
    }

    /// Lets a connection out of a channel; `false`: it was not in it.
    pub async fn leave(&self, conn: &Arc<Conn>, name: &str) -> bool {
        let Some(channel) = self.known(name) else { return false };
        let left = channel.leave(conn, self.now());
        if left && channel.config().presence {
            self.announce(&channel, conn, false).await;
        }
        left
    }

    fn left(&self, channel: &Arc<Channel>, conn: &Arc<Conn>, now: Timestamp) {
        if channel.leave(conn, now) && channel.config().presence {
            let (user, client) = (conn.who.user.map(|u| u.0), conn.who.client.clone());
            let signal = sweep::Signal::Presence { user, client: (&*client).into(), here: false }.bytes();
            if self.departures.0.try_send((channel.name.clone(), signal)).is_err() {
                // too many leave at once: the others here are told, those elsewhere learn it by looking
                channel.tell(&Notice::Presence { channel: &channel.name, user, client: &client, here: false }, now);
            }
        }
    }

    async fn announce(&self, channel: &Arc<Channel>, conn: &Arc<Conn>, here: bool) {
        let user = conn.who.user.map(|u| u.0);
        let body = sweep::Signal::Presence { user, client: (&*conn.who.client).into(), here }.bytes();
        if let Err(error) = self.ports.broker.signal(&channel.name, body).await {
            tracing::debug!(%error, "who came or left was not told");
        }
    }

    // messages

    /// Accepts a message of a client and tells everybody in the channel, here and elsewhere.
    ///
    /// # Errors
    /// As [`Self::join`], `RateLimited`, `Forbidden` for the server's own channels.
    pub async fn publish(&self, conn: &Arc<Conn>, message: &Publish<'_>) -> Result<Accepted> {
        if self.is_reserved(message.channel) {
            return Err(Error::new(ErrorCode::Forbidden, "Not authorized"));
        }
        self.admit_new(message.channel, conn.who.user).await?;
        let channel = self.channel(message.channel, conn.who.user.is_some())?;
        let now = self.now();
        self.admit(conn, &channel, now).await?;
        let sender = conn.who.user.map_or_else(|| format!("-{}", conn.id), |u| u.to_string());
        let idempotency = message.sequence.map(|n| format!("{sender} {n} {}", conn.who.client));
        self.append(&channel, message, Some(conn), idempotency, now).await
    }

    /// Publishes for the server itself. A second one under the same `idempotency` is the first.
    ///
    /// # Errors
    /// `Invalid` for a bad name, `Unavailable`.
    pub async fn publish_own(&self, message: &Publish<'_>, idempotency: Option<String>) -> Result<Accepted> {
        check_name(message.channel).map_err(|e| Error::invalid("channel", e.to_string()))?;
        let channel = match self.known(message.channel) {
            Some(channel) => channel,
            None => self.add(message.channel, self.built_in(message.channel).unwrap_or_default(), false)?,
        };
        self.append(&channel, message, None, idempotency, self.now()).await
    }

    async fn append(
        &self,
        channel: &Arc<Channel>,
        message: &Publish<'_>,
        conn: Option<&Arc<Conn>>,
        idempotency: Option<String>,
        now: Timestamp,
    ) -> Result<Accepted> {
        channel.touch(now);
        self.ready(channel).await?;
        let mut bits = [0; 8];
        self.ports.entropy.fill(&mut bits);
        let id = format!("m{:016x}", u64::from_be_bytes(bits));
        let body = Body {
            id: &id,
            user: conn.and_then(|c| c.who.user).map(|u| u.0),
            client: conn.map_or("", |c| &c.who.client).into(),
            sequence: message.sequence,
            node: conn.map_or(0, |_| self.node),
            conn: conn.map_or(0, |c| c.id),
            content: message.content,
        };
        let body = body.bytes().map_err(Error::internal)?;
        let keep = Keep {
            config: channel.config().as_ref().clone(),
            idempotency,
            known: channel.position().filter(|p| p.offset > 0),
        };
        // a broker that lost its memory has forgotten which messages it knows; this node has not
        if self.may_have_forgotten(now)
            && let (Some(conn), Some(sequence)) = (conn, message.sequence)
            && let Some(position) = channel.find(conn.who.user.map(|u| u.0), &conn.who.client, sequence)
        {
            return Ok(Accepted { position, duplicate: true });
        }
        let publish = async || {
            let published = self.ports.broker.publish(&channel.name, &keep, message.key, body.clone(), now).await;
            published.map_err(|e| unavailable(&e))
        };
        let mut appended = publish().await?;
        if appended == Appended::Lost {
            self.give_back(channel).await?;
            appended = publish().await?;
        }
        let (position, duplicate) = match appended {
            Appended::New(position) => (position, false),
            Appended::Duplicate(position) => (position, true),
            Appended::Lost => return Err(unavailable(&StoreError::Unavailable("the channel was lost again".into()))),
        };
        if duplicate {
            metrics::counter!("hub_duplicates_total").increment(1);
        } else {
            self.stats.published(conn.is_some(), now);
            // the broker's own word of it may still be on its way, or lost
            let publication = orrery_realtime::Publication {
                offset: position.offset,
                at: now,
                key: message.key.map(Into::into),
                body,
            };
            if channel.take(&position.epoch, publication, now) == After::Flush {
                self.flushes.schedule(channel, now);
            }
        }
        Ok(Accepted { position, duplicate })
    }

    /// Was the broker lost not long ago?
    fn may_have_forgotten(&self, now: Timestamp) -> bool {
        now.since(Timestamp::from_micros(self.broker_lost_at.load(Ordering::Relaxed))) < REPEATS_KNOWN
    }

    async fn give_back(&self, channel: &Arc<Channel>) -> Result<()> {
        let Some(tail) = channel.tail() else { return Ok(()) };
        self.ports.broker.restore(&channel.name, &channel.config(), &tail).await.map_err(|e| unavailable(&e))
    }

    /// One more message of the sender's.
    async fn admit(&self, conn: &Conn, channel: &Channel, now: Timestamp) -> Result<()> {
        let refused = |retry_after| {
            metrics::counter!("hub_rate_limited_total").increment(1);
            Err(Error::rate_limited("Rate limit exceeded", retry_after))
        };
        let global = Policy::refuse(self.settings.messages_per_second, Duration::from_secs(1));
        let verdict = {
            let mut state = self.global.lock().unwrap_or_else(PoisonError::into_inner);
            let (next, verdict) = rate::take(*state, &global, now);
            *state = next;
            verdict
        };
        if !verdict.allowed {
            return refused(verdict.retry_after);
        }
        let sender = conn.who.user.map_or_else(|| format!("conn:{}:{}", self.node, conn.id), |u| format!("user:{u}"));
        let of_channel = Policy::refuse(channel.config().message_rate_limit, self.settings.messages.window);
        for (key, policy) in [
            (format!("hub:{sender}"), &self.settings.messages),
            (format!("hub:{sender}:{}", channel.name), &of_channel),
        ] {
            match self.ports.rates.take(&key, policy, now).await {
                Ok(verdict) if verdict.allowed => {}
                Ok(verdict) => return refused(verdict.retry_after),
                Err(error) => tracing::warn!(%error, "rate windows unavailable; letting the message pass"),
            }
        }
        Ok(())
    }

    /// An operator's word, to everybody on every node or to a channel's connections.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn operator_says(&self, message: &str, severity: Severity, channel: Option<&str>) -> Result<()> {
        let signal = sweep::Signal::Operator {
            message: message.into(),
            severity: severity.name().into(),
            channel: channel.map(Into::into),
        };
        self.ports.broker.signal(OPERATORS, signal.bytes()).await.map_err(|e| unavailable(&e))
    }

    fn operator_said(&self, message: &str, severity: Severity, channel: Option<&str>) {
        let now = self.now();
        let conns: Vec<_> = match channel {
            Some(name) => self.known(name).map(|c| c.subscribers()).unwrap_or_default(),
            None => self.conns().all.values().cloned().collect(),
        };
        for conn in &conns {
            conn.tell(&Notice::Operator { message, severity }, now);
        }
    }

    // configuration

    /// Reads the configured channels, at the start and after another process changed them.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn reload(&self) -> Result<()> {
        let stored = self.ports.channels.channels().await.map_err(|e| unavailable(&e))?;
        let names: HashSet<&str> = stored.iter().map(|(name, _)| name.as_str()).collect();
        for channel in self.all_channels() {
            if channel.configured.load(Ordering::Relaxed) && !names.contains(&*channel.name) {
                self.unconfigure(&channel);
            }
        }
        for (name, config) in &stored {
            let channel = self.add(name, config.clone(), true)?;
            channel.config.store(Arc::new(config.clone()));
            channel.configured.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn unconfigure(&self, channel: &Arc<Channel>) {
        channel.configured.store(false, Ordering::Relaxed);
        channel.config.store(Arc::new(ChannelConfig::default()));
    }

    /// Creates a channel or changes its configuration; lower bounds do not send anybody away.
    ///
    /// # Errors
    /// `Invalid` names the field; `Conflict` when there are too many.
    pub async fn configure(&self, name: &str, config: ChannelConfig) -> Result<Put> {
        check_name(name).map_err(|e| Error::invalid("name", e.to_string()))?;
        if self.is_reserved(name) {
            return Err(Error::invalid("name", "name belongs to the server's own channels"));
        }
        config.check().map_err(|e| Error::invalid(e.field, e.to_string()))?;
        let put = self.ports.channels.put_channel(name, &config).await.map_err(|e| unavailable(&e))?;
        if put == Put::Full {
            return Err(Error::new(ErrorCode::Conflict, "There are too many channels"));
        }
        let channel = self.add(name, config.clone(), true)?;
        channel.config.store(Arc::new(config));
        channel.configured.store(true, Ordering::Relaxed);
        Ok(put)
    }

    /// Removes a channel's configuration and history; who is in it is let out.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn remove(&self, name: &str) -> Result<()> {
        if !self.ports.channels.remove_channel(name).await.map_err(|e| unavailable(&e))? {
            return Err(Error::new(ErrorCode::NotFound, "Channel not found"));
        }
        if let Some(channel) = self.known(name) {
            let now = self.now();
            for conn in channel.subscribers() {
                channel.leave(&conn, now);
                conn.tell(&Notice::Operator { message: "The channel was removed", severity: Severity::Warning }, now);
            }
            self.unconfigure(&channel);
            channel.let_go();
        }
        self.ports.broker.forget(name).await.map_err(|e| unavailable(&e))
    }

    /// Configured channels and those in use, by name.
    pub fn list(&self) -> Vec<Arc<Channel>> {
        let mut all = self.all_channels();
        all.retain(|c| c.configured.load(Ordering::Relaxed) || c.connections() > 0);
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        all
    }
}
