//! The document's frames.

use bytes::Bytes;
use orrery_app::hub::{Delivery, Dialect, Ending, Notice};
use orrery_protocol::aether::{Broadcast, BroadcastMetadata, Joined, ServerFrame, SystemData};
use orrery_realtime::frame;
use serde::Serialize;

/// Plain WebSocket frames of JSON.
pub struct Aether;

/// A frame of JSON.
pub(crate) fn text(value: &impl Serialize) -> Bytes {
    match serde_json::to_vec(value) {
        Ok(json) => frame::text(&json),
        Err(error) => {
            tracing::error!(%error, "a frame could not be written");
            frame::text(b"{}")
        }
    }
}

/// How users are shown: as text, empty for nobody.
pub(crate) fn user_id(user: Option<i64>) -> String {
    user.map(|id| id.to_string()).unwrap_or_default()
}

fn system<'a>(message: &'a str, severity: &'a str) -> SystemData<'a> {
    SystemData {
        message,
        severity,
        code: None,
        channel: None,
        offset: None,
        epoch: None,
        expires_at: None,
        client_id: None,
        user_id: None,
        event: None,
    }
}

fn status(data: SystemData<'_>) -> Option<Bytes> {
    Some(text(&ServerFrame { kind: "system", action: "status", data }))
}

impl Dialect for Aether {
    fn number(&self) -> usize {
        0
    }

    fn publication(&self, d: &Delivery<'_>) -> Bytes {
        let data = Broadcast {
            content: d.content,
            channel: d.channel,
            client_id: d.client,
            user_id: user_id(d.user),
            metadata: BroadcastMetadata {
                id: d.id,
                sequence: d.offset,
                epoch: d.epoch,
                timestamp: d.at.iso(),
                client_sequence: d.client_sequence,
                key: d.key,
                snapshot: d.snapshot,
            },
        };
        text(&ServerFrame { kind: "message", action: "send", data })
    }

    fn notice(&self, notice: &Notice<'_>) -> Option<Bytes> {
        match notice {
            Notice::Joined { who, channel, epoch, offset, recovered } => {
                let data = Joined {
                    client_id: &who.client,
                    user_id: user_id(who.user.map(|u| u.0)),
                    channel: Some(channel),
                    offset: Some(*offset),
                    epoch: Some(epoch),
                    recovered: Some(*recovered),
                };
                Some(text(&ServerFrame { kind: "connection", action: "connect", data }))
            }
            Notice::Slow => {
                let data = system("Messages wait for this connection; it will be closed if they go on", "warning");
                status(SystemData { code: Some("slow"), ..data })
            }
            Notice::Gap { channel, epoch, offset } => {
                let data = system("Messages of this channel were lost; read its state anew", "warning");
                status(SystemData {
                    code: Some("gap"),
                    channel: Some(channel),
                    epoch: Some(epoch),
                    offset: Some(*offset),
                    ..data
                })
            }
            Notice::TokenExpiring { at } => {
                let data = system("The token runs out soon; send connection/refresh with a new one", "warning");
                status(SystemData { code: Some("token_expiring"), expires_at: Some(at.iso()), ..data })
            }
            Notice::Operator { message, severity } => {
                let data = system(message, severity.name());
                Some(text(&ServerFrame { kind: "system", action: "broadcast", data }))
            }
            Notice::Presence { channel, user, client, here } => {
                let data = system(if *here { "Somebody came" } else { "Somebody left" }, "info");
                status(SystemData {
                    code: Some("presence"),
                    channel: Some(channel),
                    client_id: Some(client),
                    user_id: Some(user_id(*user)),
                    event: Some(if *here { "join" } else { "leave" }),
                    ..data
                })
            }
            Notice::Ping => Some(frame::ping(b"")),
        }
    }

    fn close(&self, ending: &Ending) -> Bytes {
        match ending {
            Ending::Slow { offset } => frame::close(4008, &format!("Slow consumer; last offset {offset}")),
            Ending::Expired => frame::close(4401, "Session expired"),
            Ending::Revoked => frame::close(4401, "Unauthorized"),
            Ending::Replaced => frame::close(4409, "Replaced by a newer connection of this client"),
            Ending::Silent => frame::close(4002, "No answer to a ping"),
            Ending::Shutdown => frame::close(1001, "Server is going away; reconnect"),
            Ending::Other { code, reason } => frame::close(*code, reason),
        }
    }
}
