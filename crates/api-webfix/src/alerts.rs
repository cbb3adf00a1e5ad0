//! Tells owners at once of workers that gave up because of their errors.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use orrery_app::workers::GivenUp;
use orrery_kernel::Timestamp;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use crate::Shared;
use crate::methods::{stamp, worker_channel};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(2);
/// Clocks of nodes may be apart by so much.
const APART: Duration = Duration::from_secs(60);
/// Read at once.
const PAGE: u32 = 500;

/// A worker, where it gave up (none: everywhere), and its version.
type Told = HashMap<(String, Option<String>, i64), Timestamp>;

/// Looks again and again, until everything stops. Every server tells its own sockets.
pub(crate) async fn run(shared: Arc<Shared>) {
    let stopping = shared.tasks.stopping();
    let begun = shared.app.clock.now();
    let mut told = Told::new();
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        shared.tell_given_up(begun, &mut told).await;
    }
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_micros(at.micros().saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}

impl Shared {
    async fn tell_given_up(&self, begun: Timestamp, told: &mut Told) {
        let now = self.app.clock.now();
        told.retain(|_, at| *at >= earlier(now, 2 * APART));
        let mut after = begun.max(earlier(now, APART));
        loop {
            let found = match self.app.workers.given_up_after(after, PAGE).await {
                Ok(found) => found,
                Err(error) => return tracing::debug!(%error, "who gave up is told later"),
            };
            for one in &found {
                let settled = &one.seen.settled;
                let key = (settled.sid.clone(), settled.node.clone(), settled.version);
                if told.insert(key, one.seen.at).is_none() {
                    self.tell_owner(one);
                }
            }
            match found.last() {
                Some(last) if found.len() == PAGE as usize && last.seen.at > after => after = last.seen.at,
                _ => return,
            }
        }
    }

    fn tell_owner(&self, one: &GivenUp) {
        let settled = &one.seen.settled;
        let raw = json!({
            "sid": settled.sid,
            "channel": worker_channel(&settled.sid),
            "note": one.note,
            "reason": settled.reason.name(),
            "node": settled.node,
            "versionstamp": stamp(settled.version),
            "lastError": one.last_error,
            "timestamp": one.seen.at.millis(),
        });
        self.tell_here(&one.seen.owner, &format!("worker.alert.{}", settled.sid), "worker", "alert", &raw);
    }
}
