//! Into channels and out of them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use orrery_identity::rate::Policy;
use orrery_kernel::{Error, ErrorCode, Result, Timestamp, UserId};
use orrery_realtime::{ChannelConfig, Position, check_name};

use super::channel::{After, Refused};
use super::names::{CLOSED, starts};
use super::{Channel, Conn, Hub, Notice, seats, sweep, unavailable};

/// Channels that a connection may be in.
const JOINED_MAX: usize = 512;
/// Joins of a connection a minute: each may be told to everybody in the channel.
const JOINS: Policy = Policy::refuse(1_200, Duration::from_secs(60));
/// Channels a minute that a user may make by naming them.
const MADE: Policy = Policy::refuse(1_000, Duration::from_secs(60));

impl Hub {
    /// Is anybody of this process in that channel?
    pub fn is_heard(&self, name: &str) -> bool {
        self.known(name).is_some_and(|channel| channel.connections() > 0)
    }

    /// Refuses a user who makes channels by the thousand.
    pub(super) async fn admit_new(&self, name: &str, user: Option<UserId>) -> Result<()> {
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
    pub(super) fn channel(&self, name: &str, known_user: bool) -> Result<Arc<Channel>> {
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

    pub(super) fn add(&self, name: &str, config: ChannelConfig, configured: bool) -> Result<Arc<Channel>> {
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

    /// Follows the channel and reads its history, once.
    pub(super) async fn ready(&self, channel: &Arc<Channel>) -> Result<()> {
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

    pub(super) fn left(&self, channel: &Arc<Channel>, conn: &Arc<Conn>, now: Timestamp) {
        if channel.leave(conn, now) && channel.config().presence {
            let (user, client) = (conn.who.user.map(|u| u.0), conn.who.client.clone());
            let signal = sweep::Signal::Presence { user, client: (&*client).into(), here: false }.bytes();
            if self.departures.0.try_send((channel.name.clone(), signal)).is_err() {
                // too many leave at once: the others here are told, those elsewhere learn it by looking
                channel.tell(&Notice::Presence { channel: &channel.name, user, client: &client, here: false }, now);
            }
        }
    }

    pub(super) async fn announce(&self, channel: &Arc<Channel>, conn: &Arc<Conn>, here: bool) {
        let user = conn.who.user.map(|u| u.0);
        let body = sweep::Signal::Presence { user, client: (&*conn.who.client).into(), here }.bytes();
        if let Err(error) = self.ports.broker.signal(&channel.name, body).await {
            tracing::debug!(%error, "who came or left was not told");
        }
    }
}
