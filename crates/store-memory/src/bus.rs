//! The bus in process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use orrery_kernel::StoreError;
use orrery_storage::{Bus, Heard, Listening, MESSAGE_BYTES_MAX};
use tokio::sync::broadcast::{self, error::RecvError};

/// Messages that may wait for a listener.
const WAITING_MAX: usize = 1_024;

/// One channel a topic; topics are a handful, named by the program.
#[derive(Debug, Default)]
pub struct MemoryBus {
    topics: Mutex<HashMap<String, broadcast::Sender<Bytes>>>,
}

impl MemoryBus {
    fn topic(&self, name: &str) -> broadcast::Sender<Bytes> {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.entry(name.to_owned()).or_insert_with(|| broadcast::channel(WAITING_MAX).0).clone()
    }
}

struct Receiver {
    messages: broadcast::Receiver<Bytes>,
    /// Keeps the topic open.
    _topic: broadcast::Sender<Bytes>,
}

#[async_trait]
impl Listening for Receiver {
    async fn next(&mut self) -> Heard {
        match self.messages.recv().await {
            Ok(message) => Heard::Message(message),
            Err(RecvError::Lagged(_)) => Heard::Missed,
            // it cannot close while `_topic` is there
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Bus for MemoryBus {
    async fn publish(&self, topic: &str, message: Bytes) -> Result<(), StoreError> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(StoreError::Unavailable(format!("a message of {} bytes is too long", message.len())));
        }
        // an error only says that nobody listens
        let _ = self.topic(topic).send(message);
        Ok(())
    }

    async fn listen(&self, topic: &str) -> Result<Box<dyn Listening>, StoreError> {
        let topic = self.topic(topic);
        Ok(Box::new(Receiver { messages: topic.subscribe(), _topic: topic }))
    }
}
