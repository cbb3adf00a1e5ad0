//! What is looked at once a second: silent, stuck and expired connections, channels that miss something or
//! that nobody uses, the broker's health.

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use orrery_kernel::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::channel::After;
use super::{Channel, Conn, Ending, Hub, Notice, OPERATORS, Severity, seats};

const PERIOD: Duration = Duration::from_secs(1);
/// A publication that does not come by itself is read after this long.
const MISSING_MAX: Duration = Duration::from_millis(500);
/// A channel that nobody uses is let go after this long.
const UNUSED_MAX: Duration = Duration::from_secs(60);
/// The broker is asked for its health this often.
const HEALTH_TURNS: u32 = 5;
/// A client is told this long before its token runs out, and may still renew it this long after.
const EXPIRY_WARNING: Duration = Duration::from_secs(60);
const EXPIRY_GRACE: Duration = Duration::from_secs(25);

/// What nodes tell each other and keep nowhere.
#[derive(Serialize, Deserialize)]
#[serde(tag = "t")]
pub(super) enum Signal<'a> {
    /// Who came or left.
    #[serde(rename = "p")]
    Presence { user: Option<i64>, client: Cow<'a, str>, here: bool },
    /// An operator's word.
    #[serde(rename = "o")]
    Operator { message: Cow<'a, str>, severity: Cow<'a, str>, channel: Option<Cow<'a, str>> },
}

impl Signal<'_> {
    pub(super) fn bytes(&self) -> Bytes {
        // plain fields always serialise
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

/// What another node, or this one, tells.
pub(super) fn signalled(hub: &Hub, channel: &str, body: &[u8]) {
    match serde_json::from_slice(body) {
        Ok(Signal::Presence { user, client, here }) => {
            if let Some(channel) = hub.known(channel) {
                channel.tell(&Notice::Presence { channel: &channel.name, user, client: &client, here }, hub.now());
            }
        }
        Ok(Signal::Operator { message, severity, channel }) => {
            hub.operator_said(&message, Severity::parse(&severity).unwrap_or(Severity::Info), channel.as_deref());
        }
        Err(error) => tracing::debug!(%error, "a signal of another version"),
    }
}

/// Departures that wait to be told.
const DEPARTURES_MAX: usize = 10_000;

/// Who left which channel.
type Departure = (Arc<str>, Bytes);

/// Who left which channel, for all nodes to hear: a connection ends where nothing can be waited for.
pub(super) struct Departures(pub mpsc::Sender<Departure>, Mutex<Option<mpsc::Receiver<Departure>>>);

impl Default for Departures {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(DEPARTURES_MAX);
        Self(sender, Mutex::new(Some(receiver)))
    }
}

pub(super) async fn tell_departures(hub: Arc<Hub>, stopping: CancellationToken) {
    let taken = hub.departures.1.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut departures) = taken else { return };
    loop {
        let (channel, signal) = tokio::select! {
            () = stopping.cancelled() => return,
            next = departures.recv() => match next {
                Some(next) => next,
                None => return,
            },
        };
        if let Err(error) = hub.ports.broker.signal(&channel, signal).await {
            tracing::debug!(%error, "who left was not told");
        }
    }
}

/// Hears what operators say on any node.
pub(super) async fn follow_operators(hub: Arc<Hub>, stopping: CancellationToken) {
    let mut wait = Duration::from_millis(100);
    while let Err(error) = hub.ports.broker.follow(OPERATORS).await {
        tracing::debug!(%error, "operators are not heard yet");
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(Duration::from_secs(2)),
        }
    }
}

pub(super) async fn run(hub: Arc<Hub>, stopping: CancellationToken) {
    let mut tick = tokio::time::interval(PERIOD);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut turn = 0_u32;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        let now = hub.now();
        let conns: Vec<_> = hub.conns().all.values().cloned().collect();
        let mut waiting = 0;
        for conn in &conns {
            look_at(&hub, conn, now);
            waiting += conn.waiting_bytes();
        }
        metrics::gauge!("hub_waiting_bytes").set(waiting as f64);
        for channel in hub.all_channels() {
            look_at_channel(&hub, &channel, now).await;
        }
        turn = turn.wrapping_add(1);
        if turn.is_multiple_of(HEALTH_TURNS) {
            match hub.ports.broker.health().await {
                Ok(()) => {
                    if hub.broker_lost.swap(false, Ordering::Relaxed) {
                        hub.back.notify_one();
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "the broker does not answer");
                    hub.lost();
                }
            }
        }
    }
}

fn look_at(hub: &Hub, conn: &Conn, now: Timestamp) {
    if conn.is_closed() {
        if conn.stuck_since().is_some_and(|since| now.since(since) > hub.settings.stuck_max) {
            conn.cut_off();
        }
        return;
    }
    if conn.stuck_since().is_some_and(|since| now.since(since) > hub.settings.stuck_max) {
        conn.close_stuck();
        return;
    }
    if conn.dialect.pings() {
        let heard = conn.last_heard();
        let pinged = Timestamp::from_micros(conn.pinged.load(Ordering::Relaxed));
        if pinged > heard {
            if now.since(pinged) > hub.settings.pong_within {
                conn.close(&Ending::Silent);
                return;
            }
        } else if now.since(heard) >= hub.settings.ping_after {
            conn.pinged.store(now.micros(), Ordering::Relaxed);
            conn.tell(&Notice::Ping, now);
        }
    }
    if let Some(at) = conn.expires() {
        if now.since(at) > EXPIRY_GRACE {
            conn.close(&Ending::Expired);
        } else if now.plus(EXPIRY_WARNING) >= at && !conn.warned_of_expiry.swap(true, Ordering::Relaxed) {
            conn.tell(&Notice::TokenExpiring { at }, now);
        }
    }
}

async fn look_at_channel(hub: &Hub, channel: &Arc<Channel>, now: Timestamp) {
    seats::say(hub, channel, now).await;
    if channel.missing_since().is_some_and(|since| now.since(since) >= MISSING_MAX) {
        refill(hub, channel).await;
    }
    if channel.unused_since().is_some_and(|since| now.since(since) > UNUSED_MAX) {
        if channel.position().is_some()
            && let Ok(_one) = channel.preparing.try_lock()
            && channel.let_go()
            && let Err(error) = hub.ports.broker.unfollow(&channel.name).await
        {
            tracing::debug!(%error, "a channel is still followed, which costs only traffic");
        }
        if !channel.configured.load(Ordering::Relaxed) && channel.position().is_none() {
            let mut channels = hub.channels.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            if channel.unused_since().is_some_and(|since| now.since(since) > UNUSED_MAX) {
                channels.remove(&channel.name);
            }
        }
    }
}

async fn refill(hub: &Hub, channel: &Arc<Channel>) {
    let now = hub.now();
    // reading what a broker with an empty memory has would begin a new epoch there
    if hub.may_have_forgotten(now)
        && let Err(error) = hub.give_back(channel).await
    {
        return tracing::debug!(%error, channel = %channel.name, "a channel was not given back");
    }
    match hub.ports.broker.tail(&channel.name, &channel.config(), now).await {
        Ok(tail) => {
            if channel.fill(tail, now) == After::Flush {
                hub.flushes.schedule(channel, now);
            }
        }
        Err(error) => tracing::debug!(%error, channel = %channel.name, "what is missing cannot be read now"),
    }
}

/// After the broker was lost: gives back what it forgot, then reads what was missed.
pub(super) async fn restore(hub: Arc<Hub>, stopping: CancellationToken) {
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = hub.back.notified() => {}
        }
        restore_all(&hub).await;
    }
}

async fn restore_all(hub: &Arc<Hub>) {
    let now = hub.now();
    for channel in hub.all_channels().into_iter().filter(|c| c.position().is_some()) {
        // in case that this fails, the sweep looks again
        channel.suspect(now);
        if let Err(error) = hub.give_back(&channel).await {
            tracing::debug!(%error, channel = %channel.name, "a channel was not given back");
            continue;
        }
        refill(hub, &channel).await;
    }
}

impl Hub {
    /// Gives back and reads what a broker lost that is there again, of every channel. The hub's own task does
    /// it each time that the broker says so; this is for those who run no tasks.
    pub async fn restore_once(self: Arc<Self>) {
        restore_all(&self).await;
    }
}
