//! A message as the broker keeps it.

use bytes::Bytes;
use orrery_realtime::Publication;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::conn::Conn;
use super::dialect::Delivery;

/// Content and sender. The names are short because every node reads them.
#[derive(Serialize, Deserialize)]
pub(super) struct Body<'a> {
    /// Message id.
    #[serde(rename = "i")]
    pub id: &'a str,
    /// The sender's user.
    #[serde(rename = "u", skip_serializing_if = "Option::is_none", default)]
    pub user: Option<i64>,
    /// The sender's client.
    #[serde(rename = "c", borrow, default)]
    pub client: std::borrow::Cow<'a, str>,
    /// The sender's own number of it.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none", default)]
    pub sequence: Option<u64>,
    /// The sender's node and connection.
    #[serde(rename = "n", default)]
    pub node: u64,
    #[serde(rename = "o", default)]
    pub conn: u64,
    /// Content.
    #[serde(rename = "m", borrow)]
    pub content: &'a RawValue,
}

impl<'a> Body<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        match serde_json::from_slice(bytes) {
            Ok(body) => Some(body),
            Err(error) => {
                tracing::warn!(%error, "a message that this version does not understand");
                None
            }
        }
    }

    pub(super) fn bytes(&self) -> serde_json::Result<Bytes> {
        serde_json::to_vec(self).map(Bytes::from)
    }

    /// Was it sent on this connection?
    pub(super) fn is_from(&self, conn: &Conn) -> bool {
        self.conn == conn.id && self.node == conn.node
    }

    /// Was it sent by this client, maybe on an earlier connection?
    pub(super) fn is_of(&self, conn: &Conn) -> bool {
        self.client == *conn.who.client && self.user == conn.who.user.map(|u| u.0) && self.sequence.is_some()
    }

    pub(super) fn delivery<'d>(
        &'d self,
        channel: &'d str,
        epoch: &'d str,
        publication: &'d Publication,
        own: bool,
        snapshot: bool,
    ) -> Delivery<'d> {
        Delivery {
            channel,
            epoch,
            offset: publication.offset,
            at: publication.at,
            id: self.id,
            user: self.user,
            client: &self.client,
            key: publication.key.as_deref(),
            content: self.content,
            client_sequence: self.sequence.filter(|_| own),
            snapshot,
        }
    }
}
