//! Messages: who may send how many, their place, and an operator's word.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use orrery_identity::rate::{self, Policy};
use orrery_kernel::{Error, ErrorCode, Result, StoreError, Timestamp};
use orrery_realtime::{Appended, Keep, Position, check_name};
use serde_json::value::RawValue;

use super::channel::After;
use super::message::Body;
use super::{Channel, Conn, Hub, Notice, OPERATORS, Severity, sweep, unavailable};

/// How long repeated messages are known; the brokers' too.
const REPEATS_KNOWN: Duration = Duration::from_secs(300);

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

impl Hub {
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

    pub(super) async fn append(
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
    pub(super) fn may_have_forgotten(&self, now: Timestamp) -> bool {
        now.since(Timestamp::from_micros(self.broker_lost_at.load(Ordering::Relaxed))) < REPEATS_KNOWN
    }

    pub(super) async fn give_back(&self, channel: &Arc<Channel>) -> Result<()> {
        let Some(tail) = channel.tail() else { return Ok(()) };
        self.ports.broker.restore(&channel.name, &channel.config(), &tail).await.map_err(|e| unavailable(&e))
    }

    /// One more message of the sender's.
    pub(super) async fn admit(&self, conn: &Conn, channel: &Channel, now: Timestamp) -> Result<()> {
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

    pub(super) fn operator_said(&self, message: &str, severity: Severity, channel: Option<&str>) {
        let now = self.now();
        let conns: Vec<_> = match channel {
            Some(name) => self.known(name).map(|c| c.subscribers()).unwrap_or_default(),
            None => self.conns().all.values().cloned().collect(),
        };
        for conn in &conns {
            conn.tell(&Notice::Operator { message, severity }, now);
        }
    }
}
