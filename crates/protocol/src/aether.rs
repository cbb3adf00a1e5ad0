//! Frames and bodies of the Aether document.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A client's frame: "Message Formats". `data` is read by its type and action.
#[derive(Debug, Deserialize)]
pub struct ClientFrame<'a> {
    /// `connection`, `message`, `system` or `ping`.
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    /// What to do.
    #[serde(borrow, default)]
    pub action: Option<Cow<'a, str>>,
    /// The rest.
    #[serde(borrow, default)]
    pub data: Option<&'a RawValue>,
}

/// `data` of `connection/connect`, `/disconnect` and `/refresh`.
#[derive(Debug, Default, Deserialize)]
pub struct ConnectionData {
    /// Which channel.
    #[serde(default)]
    pub channel: Option<String>,
    /// The newest offset that the client has seen there.
    #[serde(default)]
    pub since: Option<u64>,
    /// And its epoch.
    #[serde(default)]
    pub epoch: Option<String>,
    /// A new token.
    #[serde(default)]
    pub token: Option<String>,
}

/// `data` of `message/send` and `/retry`.
#[derive(Debug, Deserialize)]
pub struct MessageData<'a> {
    /// Any JSON; the document's is a string.
    #[serde(borrow, default)]
    pub content: Option<&'a RawValue>,
    /// Where.
    #[serde(borrow, default)]
    pub channel: Option<Cow<'a, str>>,
    /// May be absent.
    #[serde(borrow, default)]
    pub metadata: Option<MessageMetadata<'a>>,
}

/// `metadata` of a client's message; its `timestamp` is the client's own affair.
#[derive(Debug, Default, Deserialize)]
pub struct MessageMetadata<'a> {
    /// The client's own number of the message.
    #[serde(default)]
    pub sequence: Option<u64>,
    /// What the message is the newest value of, in channels of the newest.
    #[serde(borrow, default)]
    pub key: Option<Cow<'a, str>>,
}

/// `data` of an operator's `system/broadcast`.
#[derive(Debug, Deserialize)]
pub struct BroadcastData {
    /// Words.
    pub message: String,
    /// `info`, `warning` or `error`.
    #[serde(default)]
    pub severity: Option<String>,
    /// Only there.
    #[serde(default)]
    pub channel: Option<String>,
}

/// A frame of the server but an error.
#[derive(Debug, Serialize)]
pub struct ServerFrame<'a, D> {
    /// `connection`, `message` or `system`.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// What happened.
    pub action: &'a str,
    /// The rest.
    pub data: D,
}

/// `data` of `connection/connect` and `/disconnect`.
#[derive(Debug, Serialize)]
pub struct Joined<'a> {
    /// The client's own name for itself.
    pub client_id: &'a str,
    /// Empty for those without proof.
    pub user_id: String,
    /// Which channel; null: the connection itself.
    pub channel: Option<&'a str>,
    /// Newest offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Of which epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<&'a str>,
    /// What was missed follows, whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered: Option<bool>,
}

/// `data` of a broadcast `message/send`.
#[derive(Debug, Serialize)]
pub struct Broadcast<'a> {
    /// As it was sent.
    pub content: &'a RawValue,
    /// Where.
    pub channel: &'a str,
    /// The sender's client; empty: the server.
    pub client_id: &'a str,
    /// The sender's user; empty: the server.
    pub user_id: String,
    /// Place and time.
    pub metadata: BroadcastMetadata<'a>,
}

/// `metadata` of a broadcast.
#[derive(Debug, Serialize)]
pub struct BroadcastMetadata<'a> {
    /// Unique.
    pub id: &'a str,
    /// The channel's offset.
    pub sequence: u64,
    /// Of which epoch.
    pub epoch: &'a str,
    /// When it was accepted, ISO 8601.
    pub timestamp: String,
    /// The sender's own number, to the sender alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_sequence: Option<u64>,
    /// What it is the newest value of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'a str>,
    /// It is part of a picture of now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub snapshot: bool,
}

/// `data` of `message/ack`.
#[derive(Debug, Serialize)]
pub struct Ack<'a> {
    /// Where.
    pub channel: &'a str,
    /// Its place.
    pub metadata: AckMetadata<'a>,
}

/// `metadata` of an ack.
#[derive(Debug, Serialize)]
pub struct AckMetadata<'a> {
    /// The client's own number, or null.
    pub sequence: Option<u64>,
    /// The channel's offset.
    pub offset: u64,
    /// Of which epoch.
    pub epoch: &'a str,
    /// It had been accepted before.
    pub duplicate: bool,
}

/// `data` of `system/status` and `/broadcast`.
#[derive(Debug, Serialize)]
pub struct SystemData<'a> {
    /// Words.
    pub message: &'a str,
    /// `info`, `warning` or `error`.
    pub severity: &'a str,
    /// What a program goes by: `slow`, `gap`, `token_expiring`, `draining`, `presence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'a str>,
    /// About which channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<&'a str>,
    /// Newest offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Of which epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<&'a str>,
    /// When the token runs out, ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Who came or left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<&'a str>,
    /// Their user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// `join` or `leave`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<&'a str>,
}

/// "Error Responses": a frame, and the body of a refused request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorFrame<'a> {
    /// `error`.
    #[serde(rename = "type")]
    pub kind: Cow<'a, str>,
    /// What a program goes by.
    pub code: Cow<'a, str>,
    /// Words.
    pub message: Cow<'a, str>,
    /// More.
    pub details: ErrorDetails<'a>,
}

/// `details` of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorDetails<'a> {
    /// Which part of the server, or which field.
    pub component: Cow<'a, str>,
    /// Why.
    pub reason: Cow<'a, str>,
    /// Which channel the refused frame named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Cow<'a, str>>,
    /// The refused message's own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// When to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// It may work later.
    pub temporary: bool,
}

/// "Status Check", with more than the document has.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusReply {
    /// `healthy`, `degraded` or `down`.
    pub status: &'static str,
    /// Connections.
    pub connections: StatusConnections,
    /// Channels.
    pub channels: StatusChannels,
    /// Users with a connection.
    pub active_users: usize,
    /// What waits for slow clients.
    pub connection_health: StatusHealth,
}

/// Part of [`StatusReply`].
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusConnections {
    /// Now.
    pub active: usize,
    /// Since the start.
    pub total: u64,
}

/// Part of [`StatusReply`].
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusChannels {
    /// With a connection.
    pub active: usize,
    /// Accepted messages a second.
    pub messages_per_second: f64,
}

/// Part of [`StatusReply`].
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusHealth {
    /// Bytes that wait for all connections.
    pub waiting_bytes: usize,
    /// The most that waits for one.
    pub waiting_bytes_most: usize,
}

/// "Channel Management". All but the name may be absent: a new channel then gets the defaults, an existing one
/// keeps what it has.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ChannelRequest {
    /// Name.
    #[serde(default)]
    pub name: String,
    /// Connections at a time; 0: no bound.
    #[serde(default)]
    pub max_connections: Option<u32>,
    /// Messages of a user in the window.
    #[serde(default)]
    pub message_rate_limit: Option<u32>,
    /// Only for those with proof.
    #[serde(default)]
    pub require_auth: Option<bool>,
    /// Messages (or keys) kept.
    #[serde(default)]
    pub history_size: Option<u32>,
    /// For how long, in seconds.
    #[serde(default)]
    pub history_ttl_s: Option<u32>,
    /// `stream` or `latest`.
    #[serde(default)]
    pub mode: Option<String>,
    /// Newest values of a key at most once in this time.
    #[serde(default)]
    pub conflate_ms: Option<u32>,
    /// Tell who comes and goes.
    #[serde(default)]
    pub presence: Option<bool>,
}

/// A channel as it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChannelBody {
    /// Name.
    pub name: String,
    /// Connections at a time; 0: no bound.
    pub max_connections: u32,
    /// Messages of a user in the window.
    pub message_rate_limit: u32,
    /// Only for those with proof.
    pub require_auth: bool,
    /// Messages (or keys) kept.
    pub history_size: u32,
    /// For how long, in seconds.
    pub history_ttl_s: u64,
    /// `stream` or `latest`.
    pub mode: &'static str,
    /// Newest values of a key at most once in this time.
    pub conflate_ms: u64,
    /// Tell who comes and goes.
    pub presence: bool,
    /// Connections to this process.
    pub connections: usize,
    /// Newest offset, once anything happened here.
    pub offset: Option<u64>,
    /// Of which epoch.
    pub epoch: Option<String>,
    /// Who is here (this process), where presence is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
}

/// Who is in a channel.
#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    /// User; empty without proof.
    pub user_id: String,
    /// Client.
    pub client_id: String,
}

/// `GET /ws/channels`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChannelsReply {
    /// Those configured and those in use.
    pub channels: Vec<ChannelBody>,
}

/// `POST /ws/ticket`.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketReply {
    /// Works once, as `?ticket=`.
    pub ticket: String,
    /// For so long.
    pub expires_in_s: u32,
}
