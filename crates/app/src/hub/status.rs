//! How the hub is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use orrery_kernel::Timestamp;

use super::Hub;

/// Accepted messages are averaged over about this long.
const RATE_SPAN: Duration = Duration::from_secs(10);
/// A broker that does not answer for this long is down.
const DOWN_AFTER: Duration = Duration::from_secs(10);
/// A publication that takes longer to come back from the broker is late.
const LATE: Duration = Duration::from_millis(250);

/// Counters.
#[derive(Default)]
pub(super) struct Stats {
    accepted: AtomicU64,
    published: AtomicU64,
    late: AtomicU64,
    rate: Mutex<Rate>,
}

/// An exponentially weighted mean.
#[derive(Clone, Copy, Default)]
struct Rate {
    per_second: f64,
    at: Timestamp,
}

impl Rate {
    /// What is left of it at `now`.
    fn at(self, now: Timestamp) -> Self {
        let gone = now.since(self.at).as_secs_f64() / RATE_SPAN.as_secs_f64();
        Self { per_second: self.per_second * (-gone).exp(), at: now.max(self.at) }
    }
}

impl Stats {
    pub(super) fn connected(&self, active: usize) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("hub_connections_total").increment(1);
        metrics::gauge!("hub_connections").set(active as f64);
    }

    pub(super) fn disconnected(&self, active: usize) {
        metrics::gauge!("hub_connections").set(active as f64);
    }

    /// One more message was accepted; the server's own are not of those that clients are told the rate of.
    pub(super) fn published(&self, by_client: bool, now: Timestamp) {
        metrics::counter!("hub_published_total").increment(1);
        if !by_client {
            return;
        }
        self.published.fetch_add(1, Ordering::Relaxed);
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        *rate = rate.at(now);
        rate.per_second += 1.0 / RATE_SPAN.as_secs_f64();
    }

    pub(super) fn lag(&self, lag: Duration) {
        metrics::histogram!("hub_publish_seconds").record(lag.as_secs_f64());
        if lag > LATE {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// In a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// All works.
    Healthy,
    /// Something is slow, full or lost for a moment.
    Degraded,
    /// Messages cannot be accepted.
    Down,
}

impl Health {
    /// The Aether document's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// The hub's figures.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// In a word.
    pub health: Health,
    /// Connections now.
    pub active: usize,
    /// Connections since the start.
    pub total: u64,
    /// Users with a connection.
    pub users: usize,
    /// Channels with a connection.
    pub channels: usize,
    /// Accepted messages a second, of the last ten or so.
    pub messages_per_second: f64,
    /// Accepted messages since the start.
    pub messages: u64,
    /// Messages that took more than 250 ms through the broker, since the start.
    pub late: u64,
    /// Bytes that wait for connections.
    pub waiting_bytes: usize,
    /// The most that waits for one.
    pub waiting_most: usize,
}

impl Hub {
    /// Figures of this moment.
    pub fn status(&self) -> Status {
        let now = self.now();
        let channels = self.all_channels().iter().filter(|c| c.connections() > 0).count();
        let conns = self.conns();
        let (mut waiting_bytes, mut waiting_most) = (0, 0);
        for conn in conns.all.values() {
            let waiting = conn.waiting_bytes();
            waiting_bytes += waiting;
            waiting_most = waiting_most.max(waiting);
        }
        let lost_for = self
            .broker_lost
            .load(Ordering::Relaxed)
            .then(|| now.since(Timestamp::from_micros(self.broker_lost_at.load(Ordering::Relaxed))));
        let health = match lost_for {
            Some(lost) if lost > DOWN_AFTER => Health::Down,
            Some(_) => Health::Degraded,
            None => Health::Healthy,
        };
        let rate = self.stats.rate.lock().unwrap_or_else(PoisonError::into_inner).at(now);
        Status {
            health,
            active: conns.all.len(),
            total: self.stats.accepted.load(Ordering::Relaxed),
            users: conns.users.len(),
            channels,
            messages_per_second: (rate.per_second * 100.0).round() / 100.0,
            messages: self.stats.published.load(Ordering::Relaxed),
            late: self.stats.late.load(Ordering::Relaxed),
            waiting_bytes,
            waiting_most,
        }
    }
}
