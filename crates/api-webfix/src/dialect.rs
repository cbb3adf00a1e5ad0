//! The document's frames.

use bytes::Bytes;
use orrery_app::hub::{Delivery, Dialect, Ending, Notice};
use orrery_protocol::stels::{ChannelName, Envelope, SessionFrame};
use orrery_realtime::frame;

/// Plain WebSocket frames: flat fields, and the same in `value`.
pub struct Session;

impl Dialect for Session {
    fn number(&self) -> usize {
        2
    }

    /// The publication's key is the channel that clients see; the hub's channel is what they subscribed to.
    fn publication(&self, d: &Delivery<'_>) -> Bytes {
        let channel = d.key.unwrap_or(d.channel);
        let name: Option<ChannelName> = channel.parse().ok();
        let module = name.as_ref().map(ChannelName::module).unwrap_or_default();
        let widget = name.as_ref().and_then(ChannelName::widget).map_or_else(|| last(channel), |w| w.name());
        let envelope = || Envelope { channel, module: &module, widget, raw: d.content, timestamp: d.at.millis() };
        let frame = SessionFrame { key: [channel], value: envelope(), flat: envelope() };
        match serde_json::to_vec(&frame) {
            Ok(json) => frame::text(&json),
            Err(error) => {
                tracing::error!(%error, "a frame could not be written");
                frame::text(b"{}")
            }
        }
    }

    fn notice(&self, notice: &Notice<'_>) -> Option<Bytes> {
        match notice {
            Notice::Ping => Some(frame::ping(b"")),
            // the client understands data alone
            _ => None,
        }
    }

    fn close(&self, ending: &Ending) -> Bytes {
        match ending {
            Ending::Slow { .. } => frame::close(1013, "Too slow; connect again"),
            Ending::Expired | Ending::Revoked => frame::close(4401, "Session expired"),
            Ending::Replaced | Ending::Silent => frame::close(1001, "Connect again"),
            Ending::Shutdown => frame::close(1012, "Service restart; connect again"),
            Ending::Other { code, reason } => frame::close(*code, reason),
        }
    }
}

fn last(channel: &str) -> &str {
    channel.rsplit('.').next().unwrap_or(channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reasons that the documented client looks for.
    #[test]
    fn no_reason_sounds_like_the_end_of_a_session_but_one() {
        let text = |ending: &Ending| String::from_utf8_lossy(&Session.close(ending)[4..]).to_lowercase();
        for ending in [Ending::Slow { offset: 1 }, Ending::Replaced, Ending::Silent, Ending::Shutdown] {
            let text = text(&ending);
            assert!(["session", "expired", "invalid", "logged out"].iter().all(|w| !text.contains(w)), "{text}");
        }
        assert_eq!(text(&Ending::Expired), "session expired");
        assert_eq!(text(&Ending::Revoked), "session expired");
        for error in [
            orrery_realtime::FrameError::Protocol("x"),
            orrery_realtime::FrameError::Utf8,
            orrery_realtime::FrameError::TooLarge,
        ] {
            let text = error.to_string();
            assert!(["session", "expired", "invalid"].iter().all(|w| !text.contains(w)), "{text}");
        }
    }
}
