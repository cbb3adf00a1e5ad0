//! Frames, as the Aether document has them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How far a channel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which count.
    pub epoch: String,
    /// The newest offset.
    pub offset: u64,
}

/// A message of a channel.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Message {
    /// Content.
    pub content: Value,
    /// Where.
    pub channel: String,
    /// The sender's client; empty: the server.
    #[serde(default)]
    pub client_id: String,
    /// The sender's user; empty: the server.
    #[serde(default)]
    pub user_id: String,
    /// Place and time.
    pub metadata: Metadata,
}

/// Place and time of a message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    /// Unique.
    pub id: String,
    /// The channel's offset.
    pub sequence: u64,
    /// Of which epoch.
    pub epoch: String,
    /// ISO 8601.
    pub timestamp: String,
    /// The sender's own number, for the sender alone.
    #[serde(default)]
    pub client_sequence: Option<u64>,
    /// What it is the newest value of.
    #[serde(default)]
    pub key: Option<String>,
    /// Part of a picture of now.
    #[serde(default)]
    pub snapshot: bool,
}

/// An acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The channel's offset.
    pub offset: u64,
    /// Of which epoch.
    pub epoch: String,
    /// It had been accepted before.
    pub duplicate: bool,
}

#[derive(Deserialize)]
pub(crate) struct Frame {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub action: String,
    #[serde(default)]
    pub data: Value,
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub details: Details,
}

#[derive(Default, Deserialize)]
pub(crate) struct Details {
    #[serde(default)]
    pub sequence: Option<u64>,
    #[serde(default)]
    pub retry_after_ms: Option<u64>,
    #[serde(default)]
    pub temporary: bool,
}

#[derive(Deserialize)]
pub(crate) struct JoinedData {
    #[serde(default)]
    pub channel: Option<String>,
    #[serde(default)]
    pub offset: Option<u64>,
    #[serde(default)]
    pub epoch: Option<String>,
    #[serde(default)]
    pub recovered: bool,
}

#[derive(Deserialize)]
pub(crate) struct AckData {
    pub metadata: AckMetadata,
}

#[derive(Deserialize)]
pub(crate) struct AckMetadata {
    pub sequence: Option<u64>,
    pub offset: u64,
    pub epoch: String,
    pub duplicate: bool,
}

#[derive(Serialize)]
pub(crate) struct Sent<'a, D> {
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub action: &'a str,
    pub data: D,
}
