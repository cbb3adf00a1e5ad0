//! A log as server-sent events.
//!
//! The documented client takes what stands between two blank lines for an event if it begins with `data: `; ids and
//! heartbeats are therefore blocks of their own, which browsers understand all the same.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use orrery_app::workers::Follower;
use orrery_kernel::Result;
use orrery_wallets::Session;
use orrery_workers::logs::Numbered;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::Seat;
use crate::Shared;

/// Between two signs of life.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Between two looks whether the session is still there.
const CHECK: Duration = Duration::from_secs(5);

/// What a stream waits for.
enum Heard {
    Draining,
    Check,
    Lines(Result<Vec<Numbered>>),
    Heartbeat,
}

struct Events {
    shared: Arc<Shared>,
    session: Session,
    sid: String,
    follower: Follower,
    follow: bool,
    begun: bool,
    over: bool,
    heartbeat: Interval,
    check: Interval,
    draining: watch::Receiver<bool>,
    _seat: Seat,
}

/// The stream's blocks. It ends when all was sent and nobody asked for more, with the session, and with the server.
pub(super) fn events(
    shared: Arc<Shared>,
    session: Session,
    sid: String,
    follower: Follower,
    follow: bool,
    seat: Seat,
) -> impl Stream<Item = std::result::Result<Bytes, Infallible>> {
    let every = |period: Duration| {
        let mut every = interval_at(Instant::now() + period, period);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        every
    };
    let draining = shared.draining.clone();
    let (heartbeat, check) = (every(HEARTBEAT), every(CHECK));
    let (begun, over) = (false, false);
    let events =
        Events { shared, session, sid, follower, follow, begun, over, heartbeat, check, draining, _seat: seat };
    stream::unfold(events, async |mut events| {
        let text = events.next().await?;
        Some((Ok(Bytes::from(text)), events))
    })
}

fn data(event: &Value) -> String {
    format!("data: {event}\n\n")
}

fn lines(lines: &[Numbered]) -> String {
    let mut text = String::new();
    for Numbered { id, line } in lines {
        let event = json!({ "type": "log", "content": format!("{}\n", line.shown()), "id": id });
        // writing to a text cannot fail
        let _ = write!(text, "{}id: {id}\n\n", data(&event));
    }
    text
}

impl Events {
    /// The next blocks; none at the end.
    async fn next(&mut self) -> Option<String> {
        if self.over {
            return None;
        }
        if !self.begun {
            self.begun = true;
            return Some(data(&json!({ "type": "connected", "sid": self.sid })));
        }
        if !self.follow {
            return Some(match self.follower.now().await {
                Ok(found) if found.is_empty() => self.last(&json!({ "type": "complete" })),
                Ok(found) => lines(&found),
                Err(_) => self.fails("The log cannot be read at the moment"),
            });
        }
        loop {
            return Some(match self.hear().await {
                Heard::Check if self.is_live().await => continue,
                Heard::Check => self.fails("The session has ended"),
                Heard::Draining => self.fails("The server restarts; connect again"),
                Heard::Lines(Ok(found)) => lines(&found),
                Heard::Lines(Err(_)) => self.fails("The log cannot be read at the moment"),
                Heard::Heartbeat => ": still here\n\n".to_owned(),
            });
        }
    }

    async fn hear(&mut self) -> Heard {
        let draining = async {
            // an error says that the server is gone altogether
            let _ = self.draining.wait_for(|draining| *draining).await;
        };
        tokio::select! {
            () = draining => Heard::Draining,
            _ = self.check.tick() => Heard::Check,
            found = self.follower.next() => Heard::Lines(found),
            _ = self.heartbeat.tick() => Heard::Heartbeat,
        }
    }

    async fn is_live(&self) -> bool {
        let now = self.shared.app.clock.now();
        match self.shared.app.wallets.live(&[self.session.token], now).await {
            Ok(live) => live.contains(&self.session.token),
            Err(error) => {
                tracing::warn!(%error, "a session was not checked");
                true
            }
        }
    }

    fn last(&mut self, event: &Value) -> String {
        self.over = true;
        data(event)
    }

    fn fails(&mut self, message: &str) -> String {
        self.last(&json!({ "type": "error", "message": message }))
    }
}
