//! The bus port: what one process tells the others at once.

use async_trait::async_trait;
use bytes::Bytes;
use orrery_kernel::StoreError;

/// Most bytes of a message.
pub const MESSAGE_BYTES_MAX: usize = 65_536;

/// What a listener gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Message(Bytes),
    /// Messages may have been missed: read the state anew.
    Missed,
}

/// Messages of a topic, from the moment of listening. Dropping it ends the listening.
#[async_trait]
pub trait Listening: Send {
    /// The next one; waits for it. After a lost connection it says [`Heard::Missed`] and goes on.
    async fn next(&mut self) -> Heard;
}

/// Tells all listeners of a topic, in this process and others, at most once each. What must not be lost
/// lives in a store; the bus only says that it changed. Passes the contract suite in `orrery-testkit`.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Tells everybody who listens to `topic`. At most [`MESSAGE_BYTES_MAX`] bytes.
    async fn publish(&self, topic: &str, message: Bytes) -> Result<(), StoreError>;

    /// Listens to `topic`. A listener that falls 1,024 messages behind hears [`Heard::Missed`].
    async fn listen(&self, topic: &str) -> Result<Box<dyn Listening>, StoreError>;
}
