//! Listens to the bus for what makes a node look at once. Whatever is missed is found by looking anyway.

use std::sync::Arc;
use std::time::Duration;

use orrery_storage::Bus;
use tokio_util::sync::CancellationToken;

/// Before a bus that could not be listened to is asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// The bus, until everything stops.
#[derive(Clone)]
pub(super) struct Hearing {
    pub bus: Arc<dyn Bus>,
    pub stopping: CancellationToken,
}

impl Hearing {
    /// Calls `then` at each message of the topic, and when some may have been missed.
    pub async fn hear(self, topic: &'static str, then: impl Fn() + Send + 'static) {
        let stopping = self.stopping.clone();
        let listen = async {
            loop {
                match self.bus.listen(topic).await {
                    Ok(mut listening) => loop {
                        listening.next().await;
                        then();
                    },
                    Err(error) => tracing::debug!(%error, topic, "the bus cannot be listened to"),
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::select! {
            () = listen => {}
            () = stopping.cancelled() => {}
        }
    }
}
