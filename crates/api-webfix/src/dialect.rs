//! The document's frames.

use bytes::Bytes;
use orrery_app::hub::{Delivery, Dialect, Ending, Notice};
use orrery_protocol::stels::{ChannelName, Envelope, SessionFrame};
use orrery_realtime::frame;

use crate::scripts::{Words, is_one};

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
        let words: Option<Words<'_>> =
            if is_one(d.channel) { serde_json::from_str(d.content.get()).ok() } else { None };
        let (raw, timestamp) = words.as_ref().map_or((d.content, d.at.millis()), |words| (words.raw, words.timestamp));
        let own = words.as_ref().map(|words| &*words.module).filter(|module| !module.is_empty());
        let module = own.unwrap_or(&module);
        let envelope = || Envelope { channel, module, widget, raw, timestamp };
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

    #[test]
    fn what_a_script_says_is_told_with_its_module_and_time() {
        let content =
            serde_json::value::to_raw_value(&serde_json::json!({ "module": "m", "raw": [1], "timestamp": 7 }));
        let content = content.unwrap();
        let told = |channel: &str| {
            let frame = Session.publication(&Delivery {
                channel,
                epoch: "e",
                offset: 1,
                at: orrery_kernel::Timestamp::from_millis(9),
                id: "i",
                user: None,
                client: "",
                key: Some("testnet.signals.ticker"),
                content: &content,
                client_sequence: None,
                snapshot: false,
            });
            let begin = frame.iter().position(|byte| *byte == b'{').unwrap();
            serde_json::from_slice::<serde_json::Value>(&frame[begin..]).unwrap()["value"].clone()
        };
        let script = told(&crate::scripts::channel("gOwner"));
        assert_eq!((&script["module"], &script["raw"], &script["timestamp"]), (&"m".into(), &[1].into(), &7.into()));
        assert_eq!((&script["channel"], &script["widget"]), (&"testnet.signals.ticker".into(), &"ticker".into()));
        let server = told("testnet.runtime");
        assert_eq!((&server["raw"]["timestamp"], &server["timestamp"]), (&7.into(), &9.into()));
    }

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
