//! Who watches keys is woken when their space changes, here or on another node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use orrery_storage::{Bus, Heard};
use orrery_workers::kv::Space;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The bus's topic; a message is the space that changed.
const TOPIC: &str = "worker-kv";
/// Wait before the bus is listened to again, after that failed.
const LISTEN_WAIT: Duration = Duration::from_secs(2);

/// Spaces that somebody watches.
#[derive(Clone)]
pub(super) struct Changes {
    bus: Arc<dyn Bus>,
    watched: Arc<Mutex<HashMap<String, watch::Sender<()>>>>,
}

impl Changes {
    pub(super) fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus, watched: Arc::default() }
    }

    /// Marked whenever the space changes from now on. Spaces that nobody watches any more are forgotten.
    pub(super) fn of(&self, space: &Space) -> watch::Receiver<()> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, sender| sender.receiver_count() > 0);
        watched.entry(space.as_str().to_owned()).or_insert_with(|| watch::channel(()).0).subscribe()
    }

    fn wake(&self, space: &str) {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = watched.get(space) {
            sender.send_replace(());
        }
    }

    /// A space changed; with `all`, other nodes see it too.
    pub(super) async fn tell(&self, space: &Space, all: bool) {
        self.wake(space.as_str());
        if all && let Err(error) = self.bus.publish(TOPIC, Bytes::copy_from_slice(space.as_str().as_bytes())).await {
            // who watches looks from time to time too
            tracing::debug!(%error, "other nodes were not told of a change");
        }
    }

    fn heard(&self, heard: &Heard) {
        match heard {
            Heard::Message(space) => self.wake(&String::from_utf8_lossy(space)),
            Heard::Missed => {
                let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
                for sender in watched.values() {
                    sender.send_replace(());
                }
            }
        }
    }

    /// Hears what other nodes change, until the process stops.
    pub(super) async fn listen(self, stopping: CancellationToken) {
        let listen = async {
            loop {
                match self.bus.listen(TOPIC).await {
                    Ok(mut listening) => loop {
                        let heard = listening.next().await;
                        self.heard(&heard);
                    },
                    Err(error) => {
                        tracing::debug!(%error, "changes of other nodes are not heard");
                        tokio::time::sleep(LISTEN_WAIT).await;
                    }
                }
            }
        };
        tokio::select! {
            () = stopping.cancelled() => {}
            () = listen => {}
        }
    }
}
