//! The windows of conflation. They end at whole multiples of their length, so that channels with the same
//! window are written together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orrery_kernel::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Channel, Hub};

/// Channels whose window has begun, by its end in milliseconds.
#[derive(Default)]
pub(super) struct Flushes {
    due: Mutex<BTreeMap<i64, Vec<Arc<Channel>>>>,
    wake: Notify,
}

impl Flushes {
    pub(super) fn schedule(&self, channel: &Arc<Channel>, now: Timestamp) {
        let window = i64::try_from(channel.config().conflate.as_millis()).unwrap_or(i64::MAX).max(1);
        let end = (now.millis() / window + 1).saturating_mul(window);
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = due.keys().next().is_none_or(|first| end < *first);
        due.entry(end).or_default().push(channel.clone());
        drop(due);
        if earliest {
            self.wake.notify_one();
        }
    }

    /// Takes what is due; else gives when something is.
    fn take(&self, now: i64) -> Result<Vec<Arc<Channel>>, Option<i64>> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        match due.first_entry() {
            Some(first) if *first.key() <= now => Ok(first.remove()),
            Some(first) => Err(Some(*first.key())),
            None => Err(None),
        }
    }
}

pub(super) async fn run(hub: Arc<Hub>, stopping: CancellationToken) {
    loop {
        let now = hub.now();
        let wait = match hub.flushes.take(now.millis()) {
            Ok(channels) => {
                for channel in channels {
                    channel.flush(now);
                }
                // so that the connections get to write between two windows
                tokio::task::yield_now().await;
                continue;
            }
            Err(wait) => wait,
        };
        let sleep = async {
            match wait {
                Some(at) => {
                    let left = u64::try_from(at - now.millis()).unwrap_or(1);
                    tokio::time::sleep(Duration::from_millis(left)).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stopping.cancelled() => return,
            () = sleep => {}
            () = hub.flushes.wake.notified() => {}
        }
    }
}
