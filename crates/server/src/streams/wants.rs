//! Which channels of markets clients are in: told by every process that has clients, heard by those that run feeds.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use orrery_app::hub::Hub;
use orrery_storage::{Bus, MESSAGE_BYTES_MAX};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// The bus's topic. A message is names of channels, each on a line; it may be heard twice or not at all.
pub const TOPIC: &str = "markets";
/// Between two tellings of everything; what is new is told at once.
const TELL: Duration = Duration::from_secs(10);
/// A name that was not heard for this long is told nothing more.
const FORGET: Duration = Duration::from_secs(30);
/// Its market is streamed this long, for those who only come back.
const GRACE: Duration = Duration::from_secs(60);
/// Names that are kept, of all processes; further ones are not heard until others are forgotten.
const NAMES_MAX: usize = 20_000;

/// Tells which channels clients of this process are in.
pub async fn tell(hub: Arc<Hub>, bus: Arc<dyn Bus>, stopping: CancellationToken) {
    let mut told: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut tick = tokio::time::interval(TELL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let all = tokio::select! {
            () = stopping.cancelled() => return,
            _ = tick.tick() => true,
            () = hub.wanted_more() => false,
        };
        let wanted: BTreeSet<Arc<str>> = hub.wanted().into_iter().collect();
        let news: Vec<&str> = wanted.iter().filter(|name| all || !told.contains(*name)).map(|name| &**name).collect();
        for message in messages(&news) {
            if let Err(error) = bus.publish(TOPIC, message).await {
                tracing::debug!(%error, "which markets are watched is told again");
            }
        }
        told = wanted;
    }
}

/// As few messages as the bus's bound allows.
fn messages(names: &[&str]) -> Vec<Bytes> {
    let mut messages: Vec<String> = Vec::new();
    for name in names {
        match messages.last_mut().filter(|last| last.len() + 1 + name.len() <= MESSAGE_BYTES_MAX) {
            Some(last) => {
                last.push('\n');
                last.push_str(name);
            }
            None => messages.push((*name).to_owned()),
        }
    }
    messages.into_iter().map(Bytes::from).collect()
}

/// The names that were heard, and when last.
#[derive(Debug, Default)]
pub struct Heard(HashMap<String, Instant>);

impl Heard {
    /// Takes a message; `true`: there is a name in it that was not known.
    pub fn hear(&mut self, message: &[u8], now: Instant) -> bool {
        let mut new = false;
        for name in String::from_utf8_lossy(message).lines() {
            if let Some(at) = self.0.get_mut(name) {
                new |= now.saturating_duration_since(*at) > FORGET;
                *at = now;
            } else if self.0.len() < NAMES_MAX {
                self.0.insert(name.to_owned(), now);
                new = true;
            } else {
                metrics::counter!("market_wants_refused_total").increment(1);
            }
        }
        new
    }

    /// Forgets what was not heard for long.
    pub fn forget(&mut self, now: Instant) {
        self.0.retain(|_, at| now.saturating_duration_since(*at) <= GRACE);
    }

    /// Names that somebody is in, and `false` for those that nobody is in any more but may come back to.
    pub fn names(&self, now: Instant) -> impl Iterator<Item = (&str, bool)> {
        self.0.iter().map(move |(name, at)| (name.as_str(), now.saturating_duration_since(*at) <= FORGET))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_forgotten_when_they_are_heard_no_more() {
        let (mut heard, from) = (Heard::default(), Instant::now());
        let at = |seconds: u64| from + Duration::from_secs(seconds);
        assert!(heard.hear(b"a\nb", at(0)));
        assert!(!heard.hear(b"a", at(10)), "it was known");
        let names = |heard: &Heard, now| {
            let mut names: Vec<_> = heard.names(now).map(|(name, here)| format!("{name} {here}")).collect();
            names.sort();
            names
        };
        assert_eq!(names(&heard, at(35)), ["a true", "b false"]);
        assert!(heard.hear(b"b", at(45)), "whoever comes back is new");
        heard.forget(at(71));
        assert_eq!(names(&heard, at(71)), ["b true"]);
    }

    #[test]
    fn there_is_a_bound_on_names() {
        let (mut heard, now) = (Heard::default(), Instant::now());
        let names: Vec<String> = (0..NAMES_MAX + 5).map(|n| format!("testnet.runtime.ticker.{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let messages = messages(&names);
        assert!(messages.iter().all(|message| message.len() <= MESSAGE_BYTES_MAX));
        assert!(messages.len() > 1);
        for message in &messages {
            heard.hear(message, now);
        }
        assert_eq!(heard.names(now).count(), NAMES_MAX);
    }
}
