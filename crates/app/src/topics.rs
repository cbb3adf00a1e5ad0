//! The Localhost document's topics, as far as the server itself speaks on them.

use std::sync::Arc;

use orrery_kernel::Error;
use serde_json::Value;
use serde_json::value::to_raw_value;

use crate::hub::{Hub, Publish};

/// In front of a topic's name among channels.
const PREFIX: &str = "topic/";

/// Speaks on topics. What is said there is heard by everybody who subscribed: nothing that is one user's alone.
#[derive(Clone)]
pub struct Topics(Arc<Hub>);

impl Topics {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self(hub)
    }

    /// Tells `data` to those who subscribed to `topic`. That nobody could be told is no failure of what is told.
    pub async fn tell(&self, topic: &str, data: Value) {
        let channel = format!("{PREFIX}{topic}");
        let told = async {
            let content = to_raw_value(&data).map_err(Error::internal)?;
            let message = Publish { channel: &channel, content: &content, key: None, sequence: None };
            self.0.publish_own(&message, None).await
        };
        if let Err(error) = told.await {
            tracing::debug!(%error, topic, "not told");
        }
    }
}
