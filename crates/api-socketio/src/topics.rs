//! Topics of the Localhost Web Server document: what a socket subscribed to, fed by the hub.

use std::sync::Arc;

use bytes::Bytes;
use orrery_app::App;
use orrery_app::hub::{Conn, Connecting, Credential, Delivery, Dialect, DirectSocket, Ending, Notice, Who};
use orrery_app::topics::{channels_of, topic_of};
use orrery_identity::Caller;
use orrery_kernel::{Error, ErrorCode, UserId};
use orrery_protocol::socketio::{NOTIFICATION, TOPIC_MESSAGE, TOPICS, TopicMessage};
use orrery_realtime::frame;
use socketioxide::socket::Sid;

/// In front of a topic's name among channels.
const PREFIX: &str = "topic/";

/// A publication as the JSON of a `topic_message`; the library adds its own header.
pub(crate) struct TopicDialect;

impl Dialect for TopicDialect {
    fn number(&self) -> usize {
        1
    }

    fn publication(&self, d: &Delivery<'_>) -> Bytes {
        let message =
            TopicMessage { topic: topic_of(d.channel), data: d.content, timestamp: d.at.iso(), message_id: d.id };
        serde_json::to_vec(&message).map(Bytes::from).unwrap_or_default()
    }

    fn joins_frames(&self) -> bool {
        false
    }

    fn pings(&self) -> bool {
        false
    }

    // whoever subscribed to nothing that an operator speaks on hears nothing of them
    fn notice(&self, _: &Notice<'_>) -> Option<Bytes> {
        None
    }

    fn close(&self, _: &Ending) -> Bytes {
        Bytes::new()
    }
}

/// The same as whole WebSocket frames of Engine.IO and Socket.IO packets (Engine.IO protocol 4: `4`; Socket.IO
/// protocol 5: `2`), for sockets that the hub writes to itself, between the library's frames.
pub(crate) struct FramedTopicDialect;

/// `42["event",payload]` as a frame.
fn packet(event: &str, payload: &[u8]) -> Bytes {
    let mut text = format!("42[\"{event}\",").into_bytes();
    text.extend_from_slice(payload);
    text.push(b']');
    frame::text(&text)
}

impl Dialect for FramedTopicDialect {
    fn number(&self) -> usize {
        3
    }

    fn publication(&self, d: &Delivery<'_>) -> Bytes {
        let message = packet(TOPIC_MESSAGE, &TopicDialect.publication(d));
        if topic_of(d.channel) != NOTIFICATIONS {
            return message;
        }
        let both = [message, packet(NOTIFICATION, d.content.get().as_bytes())];
        both.concat().into()
    }

    fn pings(&self) -> bool {
        false
    }

    fn notice(&self, _: &Notice<'_>) -> Option<Bytes> {
        None
    }

    fn close(&self, _: &Ending) -> Bytes {
        Bytes::new()
    }
}

/// The topic whose messages are an event of their own too.
const NOTIFICATIONS: &str = "notifications";

/// A socket's subscriptions.
pub(crate) struct Topics {
    app: Arc<App>,
    socket: Sid,
    /// The socket that the hub may write to itself.
    direct: Option<DirectSocket>,
    conn: Option<Arc<Conn>>,
    joined: Joined,
    /// Who subscribed.
    caller: Option<Box<Caller>>,
}

/// Some of [`TOPICS`], as bits.
#[derive(Clone, Copy, Default)]
struct Joined(u8);

const _: () = assert!(TOPICS.len() <= u8::BITS as usize);

impl Joined {
    fn bit(topic: &str) -> u8 {
        TOPICS.iter().position(|known| *known == topic).map_or(0, |at| 1 << at)
    }

    fn has(self, topic: &str) -> bool {
        self.0 & Self::bit(topic) != 0
    }

    fn add(&mut self, topic: &str) {
        self.0 |= Self::bit(topic);
    }

    /// `false`: it was not there.
    fn remove(&mut self, topic: &str) -> bool {
        let had = self.has(topic);
        self.0 &= !Self::bit(topic);
        had
    }
}

/// Lets clients name the topics.
pub(crate) fn announce(app: &App) {
    for topic in TOPICS {
        app.hub.announce_own(&format!("{PREFIX}{topic}"));
    }
}

/// The topics that a client names: `{topics: […]}`, `{topics: "x"}`.
pub(crate) fn named(argument: Option<&serde_json::Value>) -> Result<Vec<String>, &'static str> {
    let topics = argument.and_then(|a| a.get("topics")).ok_or("topics is missing")?;
    match topics {
        serde_json::Value::String(topic) => Ok(vec![topic.clone()]),
        serde_json::Value::Array(topics) if topics.len() <= 64 => {
            topics.iter().map(|t| t.as_str().map(str::to_owned).ok_or("topics must be texts")).collect()
        }
        serde_json::Value::Array(_) => Err("topics has more than 64 entries"),
        _ => Err("topics must be a text or a list of texts"),
    }
}

impl Topics {
    pub(crate) fn new(app: &Arc<App>, socket: Sid, direct: Option<DirectSocket>) -> Self {
        Self { app: app.clone(), socket, direct, conn: None, joined: Joined::default(), caller: None }
    }

    fn conn(&mut self, user: Option<UserId>) -> Result<Arc<Conn>, Error> {
        if let Some(conn) = &self.conn {
            return Ok(conn.clone());
        }
        let who = Who { user, client: self.socket.as_str().into() };
        let dialect: Arc<dyn Dialect> = match &self.direct {
            Some(_) => Arc::new(FramedTopicDialect),
            None => Arc::new(TopicDialect),
        };
        let conn = self.app.hub.connect(Connecting { who, dialect, exclusive: false, address: None })?;
        // the socket's task looks at its token by itself
        conn.prove(Credential::Surface, None);
        if let Some(direct) = &self.direct {
            self.app.hub.write_to(&conn, direct.clone());
        }
        self.conn = Some(conn.clone());
        Ok(conn)
    }

    /// Subscribes as `caller`; a second time is fine.
    pub(crate) async fn subscribe(&mut self, topic: &str, caller: Option<&Caller>) -> Result<(), Error> {
        let unknown = || Error::new(ErrorCode::Invalid, format!("Invalid topic: {topic}"));
        let topic = TOPICS.into_iter().find(|known| *known == topic).ok_or_else(unknown)?;
        let conn = self.conn(caller.map(|caller| caller.user))?;
        if !self.joined.has(topic) {
            self.app.hub.join(&conn, &format!("{PREFIX}{topic}"), None).await?;
            self.joined.add(topic);
            self.caller = caller.cloned().map(Box::new);
            for channel in caller.iter().flat_map(|caller| channels_of(caller, topic)) {
                self.app.hub.seat(&conn, &channel).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn unsubscribe(&mut self, topic: &str) {
        if let (Some(conn), true) = (&self.conn, self.joined.remove(topic)) {
            self.app.hub.leave(conn, &format!("{PREFIX}{topic}")).await;
            for channel in self.caller.iter().flat_map(|caller| channels_of(caller, topic)) {
                self.app.hub.leave(conn, &channel).await;
            }
        }
    }

    /// The socket speaks for somebody else now: what they may not hear ends.
    pub(crate) async fn identify(&mut self, caller: Option<&Caller>) {
        let same = |of: &Caller| (of.user, of.role);
        if self.conn.is_none() || self.caller.as_deref().map(same) == caller.map(same) {
            return;
        }
        let joined = std::mem::take(&mut self.joined);
        self.end();
        for topic in TOPICS.into_iter().filter(|topic| joined.has(topic)) {
            if let Err(error) = self.subscribe(topic, caller).await {
                tracing::debug!(%error, topic, "a subscription ended with its user");
            }
        }
    }

    /// The next messages; waits for them. `None`: the client does not keep up.
    pub(crate) async fn next(&self, batch: &mut Vec<Bytes>) -> Option<()> {
        match &self.conn {
            Some(conn) if conn.is_direct() => {
                // an error says that the socket is gone, as its end does
                let _ = conn.drive(&*self.app.clock).await;
                None
            }
            Some(conn) => {
                let next = conn.next(batch, 64, 65_536).await;
                conn.wrote(self.app.clock.now());
                // the last frame is empty here: Socket.IO has no close codes
                batch.retain(|frame| !frame.is_empty());
                next
            }
            None => std::future::pending().await,
        }
    }

    pub(crate) fn end(&mut self) {
        self.joined = Joined::default();
        if let Some(conn) = self.conn.take() {
            self.app.hub.disconnect(&conn);
        }
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_topics() {
        let mut joined = Joined::default();
        TOPICS.into_iter().for_each(|topic| joined.add(topic));
        assert!(TOPICS.into_iter().all(|topic| joined.has(topic)));
        assert!(joined.remove(NOTIFICATIONS) && !joined.has(NOTIFICATIONS) && !joined.remove(NOTIFICATIONS));
        assert!(joined.has("system_status") && !joined.has("weather"));
    }

    #[test]
    fn names() {
        let named = |json: &str| named(serde_json::from_str::<serde_json::Value>(json).ok().as_ref());
        assert_eq!(named(r#"{"topics":["a","b"]}"#).unwrap(), ["a", "b"]);
        assert_eq!(named(r#"{"topics":"a"}"#).unwrap(), ["a"]);
        for bad in ["{}", "[]", "1", r#"{"topics":1}"#, r#"{"topics":[1]}"#, "null"] {
            assert!(named(bad).is_err(), "{bad}");
        }
    }
}
