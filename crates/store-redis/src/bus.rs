//! The bus on Redis' publish and subscribe.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use orrery_kernel::StoreError;
use orrery_storage::{Bus, Heard, Listening, MESSAGE_BYTES_MAX};

use crate::client::Redis;

/// Waits between attempts to listen again; the last one goes on.
const RETRY_WAITS: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// A bus on that server.
#[derive(Clone, Debug)]
pub struct RedisBus(Redis);

impl RedisBus {
    /// A bus on that server.
    pub fn new(redis: Redis) -> Self {
        Self(redis)
    }

    async fn subscribe(&self, channel: &str) -> Result<redis::aio::PubSub, StoreError> {
        let mut pubsub = self.0.listener().await?;
        let subscribed = pubsub.subscribe(channel).await;
        subscribed.map_err(|e| StoreError::Unavailable(format!("redis subscribe: {e}")))?;
        Ok(pubsub)
    }
}

struct Listener {
    bus: RedisBus,
    channel: String,
    /// `None` while the connection is lost.
    pubsub: Option<redis::aio::PubSub>,
}

#[async_trait]
impl Listening for Listener {
    async fn next(&mut self) -> Heard {
        if let Some(pubsub) = &mut self.pubsub {
            if let Some(message) = pubsub.on_message().next().await {
                return Heard::Message(Bytes::from(message.get_payload_bytes().to_vec()));
            }
            tracing::warn!(channel = self.channel, "the bus is lost; listening again");
            self.pubsub = None;
        }
        let mut waits = RETRY_WAITS.into_iter();
        loop {
            tokio::time::sleep(waits.next().unwrap_or(RETRY_WAITS[RETRY_WAITS.len() - 1])).await;
            match self.bus.subscribe(&self.channel).await {
                Ok(pubsub) => {
                    tracing::info!(channel = self.channel, "the bus is there again");
                    self.pubsub = Some(pubsub);
                    return Heard::Missed;
                }
                Err(error) => tracing::debug!(%error, "the bus does not answer"),
            }
        }
    }
}

#[async_trait]
impl Bus for RedisBus {
    async fn publish(&self, topic: &str, message: Bytes) -> Result<(), StoreError> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(StoreError::Unavailable(format!("a message of {} bytes is too long", message.len())));
        }
        let channel = self.0.key(&format!("bus:{topic}"));
        let publish = async |conn: &mut deadpool_redis::Connection| {
            redis::cmd("PUBLISH").arg(&channel).arg(message.as_ref()).query_async::<()>(conn).await
        };
        self.0.run("publish", publish).await
    }

    /// A server that does not answer is no error: the listener hears [`Heard::Missed`] once it does.
    async fn listen(&self, topic: &str) -> Result<Box<dyn Listening>, StoreError> {
        let channel = self.0.key(&format!("bus:{topic}"));
        let pubsub = match self.subscribe(&channel).await {
            Ok(pubsub) => Some(pubsub),
            Err(error) => {
                tracing::warn!(%error, "the bus does not answer; listening when it does");
                None
            }
        };
        Ok(Box::new(Listener { bus: self.clone(), channel, pubsub }))
    }
}
