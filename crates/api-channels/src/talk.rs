//! What a client says, one frame after another.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;

use orrery_app::hub::{Conn, Credential, Ending, Publish, Severity};
use orrery_app::{App, Ctx};
use orrery_http_kit::RequestMeta;
use orrery_http_kit::websocket::Inbound;
use orrery_identity::{Action, Proof};
use orrery_kernel::{Error, ErrorCode, Secret};
use orrery_protocol::aether::{
    Ack, AckMetadata, BroadcastData, ClientFrame, ConnectionData, ErrorDetails, ErrorFrame, Joined, MessageData,
    ServerFrame,
};
use orrery_protocol::socketio::Notification;
use orrery_realtime::{Position, frame};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::{text, user_id};
use crate::socket::known_code;
use crate::{Shared, content, shape};

/// Messages refused for their rate in a row that are forgiven; the next closes the connection.
const STRIKES_MAX: u32 = 3;
/// Longest word of an operator.
const SAID_CHARS_MAX: usize = 2_000;
/// Topics among channels.
const TOPIC_PREFIX: &str = "topic/";
/// Where notifications of everybody are published.
const NOTIFICATIONS: &str = "topic/notifications";
/// Largest number that JavaScript counts with.
const SEQUENCE_MAX: u64 = (1 << 53) - 1;

/// The talk with one client.
pub(crate) struct Talk {
    shared: Arc<Shared>,
    conn: Arc<Conn>,
    /// The query's channel: where a message goes that names none.
    first_channel: Option<String>,
    meta: RequestMeta,
    strikes: u32,
}

/// A refused frame: the error, and what it was about.
struct Refused {
    error: Box<ErrorFrame<'static>>,
    channel: Option<String>,
    sequence: Option<u64>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        if let Some(cause) = &error.internal {
            tracing::debug!(%cause, "a frame was refused");
        }
        Self { error: Box::new(shape::frame(&error)), channel: None, sequence: None }
    }
}

fn refused(code: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> Refused {
    let details = ErrorDetails { component: "channels".into(), reason: code.into(), ..ErrorDetails::default() };
    let error = ErrorFrame { kind: "error".into(), code: code.into(), message: message.into(), details };
    Refused { error: Box::new(error), channel: None, sequence: None }
}

/// `data` as `T`; absent counts as empty.
fn data<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Result<T, Refused> {
    serde_json::from_str(raw.map_or("{}", RawValue::get))
        .map_err(|e| refused("bad_request", format!("data is not as documented: {}", plain(&e))))
}

/// The parser's words without the input that they may quote.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
    text
}

impl Talk {
    pub(crate) fn new(shared: Arc<Shared>, conn: Arc<Conn>, first_channel: Option<String>, meta: RequestMeta) -> Self {
        Self { shared, conn, first_channel, meta, strikes: 0 }
    }

    async fn hear(&mut self, text: &str) -> ControlFlow<()> {
        match self.deal_with(text).await {
            Ok(()) => {}
            Err(refused) => self.refuse(refused),
        }
        if self.conn.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn refuse(&mut self, refused: Refused) {
        let Refused { mut error, channel, sequence } = refused;
        error.details.channel = channel.map(Into::into);
        error.details.sequence = sequence;
        let code = known_code(&error.code);
        self.shared.count(code);
        self.send(&error);
        match code {
            "rate_limited" => {
                self.strikes += 1;
                if self.strikes > STRIKES_MAX {
                    let reason = "Rate limit exceeded".to_owned();
                    self.conn.close(&Ending::Other { code: shape::close_code(code), reason });
                }
            }
            "token_expired" => self.conn.close(&Ending::Expired),
            "unauthorized" if self.conn.who.user.is_some() => self.conn.close(&Ending::Revoked),
            _ => {}
        }
    }

    fn send(&self, value: &impl serde::Serialize) {
        self.conn.send(text(value), self.shared.app.clock.now());
    }

    async fn deal_with(&mut self, text: &str) -> Result<(), Refused> {
        let parsed: ClientFrame<'_> = serde_json::from_str(text).map_err(|e| match e.classify() {
            serde_json::error::Category::Data => {
                refused("bad_request", format!("Invalid message format: {}", plain(&e)))
            }
            _ => refused("invalid_json", "Invalid message format: not JSON"),
        })?;
        let action = parsed.action.as_deref().unwrap_or_default();
        let refreshing = (&*parsed.kind, action) == ("connection", "refresh");
        self.check(refreshing).await?;
        match (&*parsed.kind, action) {
            ("message", "send" | "retry") => self.publish(data(parsed.data)?).await,
            ("connection", "connect") => self.join(data(parsed.data)?).await,
            ("connection", "disconnect") => self.leave(data(parsed.data)?).await,
            ("connection", "refresh") => self.refresh(data(parsed.data)?).await,
            ("system", "broadcast") => self.broadcast(data(parsed.data)?).await,
            ("ping", _) => {
                self.conn.send(frame::text(br#"{"type":"pong"}"#), self.shared.app.clock.now());
                Ok(())
            }
            ("pong", _) => Ok(()),
            ("message" | "connection" | "system", _) => Err(refused("bad_request", "Unknown action for this type")),
            _ => Err(refused("unknown_type", "Unknown message type")),
        }
    }

    /// Is the token still good? Asked for every message; a look at two numbers unless something changed.
    async fn check(&self, refreshing: bool) -> Result<(), Refused> {
        let expired = || refused("token_expired", "Token expired");
        if !refreshing && self.conn.expires().is_some_and(|at| self.shared.app.clock.now() >= at) {
            return Err(expired());
        }
        match self.shared.app.hub.recheck(&self.shared.app.auth, &self.conn).await {
            Ok(()) => Ok(()),
            Err(error) if error.code == ErrorCode::UnauthenticatedExpired => {
                if refreshing {
                    Ok(())
                } else {
                    Err(expired())
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn publish(&mut self, message: MessageData<'_>) -> Result<(), Refused> {
        let metadata = message.metadata.unwrap_or_default();
        let sequence = metadata.sequence;
        let channel = match message.channel.as_deref().filter(|c| !c.is_empty()).or(self.first_channel.as_deref()) {
            Some(channel) => channel.to_owned(),
            None => return Err(refused("bad_request", "channel is missing")),
        };
        let about = |refused: Refused| Refused { channel: Some(channel.clone()), sequence, ..refused };
        if sequence.is_some_and(|n| n > SEQUENCE_MAX) {
            return Err(about(refused("bad_request", "metadata.sequence must be below 2^53")));
        }
        let Some(raw) = message.content else { return Err(about(refused("bad_request", "content is missing"))) };
        let key = metadata.key.as_deref();
        if key.is_some_and(|key| key.len() > 64 || key.chars().any(char::is_control)) {
            return Err(about(refused("bad_request", "metadata.key must have at most 64 bytes")));
        }
        let content = content::clean(raw).map_err(|e| about(e.into()))?;
        let message = Publish { channel: &channel, content: &content, key, sequence };
        let accepted = match channel.starts_with(TOPIC_PREFIX) {
            true => self.feed(&message).await,
            false => self.shared.app.hub.publish(&self.conn, &message).await,
        };
        let accepted = accepted.map_err(|e| about(e.into()))?;
        self.strikes = 0;
        let metadata = AckMetadata {
            sequence,
            offset: accepted.position.offset,
            epoch: &accepted.position.epoch,
            duplicate: accepted.duplicate,
        };
        self.send(&ServerFrame { kind: "message", action: "ack", data: Ack { channel: &channel, metadata } });
        Ok(())
    }

    async fn join(&self, asked: ConnectionData) -> Result<(), Refused> {
        let Some(channel) = asked.channel else { return Err(refused("bad_request", "channel is missing")) };
        let since = asked.since.map(|offset| Position { epoch: asked.epoch.unwrap_or_default().into(), offset });
        let joined = self.shared.app.hub.join(&self.conn, &channel, since.as_ref()).await;
        joined.map_err(|e| Refused { channel: Some(channel), ..e.into() })
    }

    async fn leave(&self, asked: ConnectionData) -> Result<(), Refused> {
        let Some(channel) = asked.channel else { return Err(refused("bad_request", "channel is missing")) };
        if !self.shared.app.hub.leave(&self.conn, &channel).await {
            return Err(Refused { channel: Some(channel), ..refused("channel_not_found", "Not in this channel") });
        }
        let data = Joined {
            client_id: &self.conn.who.client,
            user_id: user_id(self.conn.who.user.map(|u| u.0)),
            channel: Some(&channel),
            offset: None,
            epoch: None,
            recovered: None,
        };
        self.send(&ServerFrame { kind: "connection", action: "disconnect", data });
        Ok(())
    }

    /// A new token of the same user takes the place of the old one.
    async fn refresh(&self, asked: ConnectionData) -> Result<(), Refused> {
        let Some(token) = asked.token.map(Secret::new) else {
            return Err(refused("bad_request", "token is missing"));
        };
        let app = &self.shared.app;
        let access = app.hub.access_count();
        let caller =
            app.auth.authenticate(token.expose(), app.clock.now()).await.map_err(|error| match error.code {
                // the old one may still be good: that is not the end
                ErrorCode::UnauthenticatedInvalid | ErrorCode::UnauthenticatedExpired => {
                    refused("bad_request", "The new token is not good")
                }
                _ => error.into(),
            })?;
        if self.conn.who.user != Some(caller.user) {
            return Err(refused("forbidden", "The new token is another user's"));
        }
        let until = app.auth.expiry(token.expose());
        let credential = match caller.proof {
            Proof::Session(id) => Credential::Session(id),
            Proof::ApiKey(_) | Proof::Local => Credential::Key(token),
        };
        self.conn.prove(credential, until);
        app.hub.checked(&self.conn, access);
        let data = Joined {
            client_id: &self.conn.who.client,
            user_id: user_id(self.conn.who.user.map(|u| u.0)),
            channel: None,
            offset: None,
            epoch: None,
            recovered: None,
        };
        self.send(&ServerFrame { kind: "connection", action: "refresh", data });
        Ok(())
    }

    /// An administrator's program may feed the server's topics.
    async fn feed(&self, message: &Publish<'_>) -> Result<orrery_app::hub::Accepted, Error> {
        self.ctx().await?.authorize(Action::Administer)?;
        let idempotency = message.sequence.map(|n| format!("{n} {}", self.conn.who.client));
        self.shared.app.hub.publish_own(message, idempotency).await
    }

    /// Who speaks, checked now.
    async fn ctx(&self) -> Result<Ctx, Error> {
        let app = &self.shared.app;
        let caller = match self.conn.credential() {
            Some(Credential::Session(id)) => Some(app.auth.authenticate_session(&id, app.clock.now()).await?),
            Some(Credential::Key(key)) => Some(app.auth.authenticate(key.expose(), app.clock.now()).await?),
            Some(Credential::Surface) | None => None,
        };
        Ok(RequestMeta { now: app.clock.now(), ..self.meta.clone() }.ctx(caller))
    }

    async fn broadcast(&self, asked: BroadcastData) -> Result<(), Refused> {
        let app = &self.shared.app;
        let ctx = self.ctx().await?;
        ctx.authorize(Action::Administer)?;
        let severity = severity(asked.severity.as_deref())?;
        say(app, &asked, severity).await?;
        app.auth.record_act(&ctx, "broadcast", asked.channel.unwrap_or_default()).await;
        Ok(())
    }
}

/// An operator's word: to channels' connections, and as a notification to those who subscribed to them.
pub(crate) async fn say(app: &App, said: &BroadcastData, severity: Severity) -> Result<(), Error> {
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if said.message.trim().is_empty() || said.message.chars().count() > SAID_CHARS_MAX || said.message.contains(odd) {
        return Err(Error::invalid(
            "message",
            "message must have 1 to 2000 characters, none of them control characters",
        ));
    }
    let topic = said.channel.as_deref().filter(|channel| channel.starts_with(TOPIC_PREFIX));
    if topic.is_none() {
        app.hub.operator_says(&said.message, severity, said.channel.as_deref()).await?;
    }
    if topic.is_some() || said.channel.is_none() {
        let notification = Notification {
            kind: "system",
            title: "Message of the operator",
            message: &said.message,
            severity: severity.name(),
        };
        let content = serde_json::value::to_raw_value(&notification).map_err(Error::internal)?;
        let publish = Publish { channel: topic.unwrap_or(NOTIFICATIONS), content: &content, key: None, sequence: None };
        app.hub.publish_own(&publish, None).await?;
    }
    Ok(())
}

/// The document's words.
pub(crate) fn severity(word: Option<&str>) -> Result<Severity, Error> {
    match word {
        None => Ok(Severity::Info),
        Some(word) => {
            let bad = || Error::invalid("severity", "severity must be info, warning or error");
            Severity::parse(word).ok_or_else(bad)
        }
    }
}

impl Inbound for Talk {
    fn text(&mut self, text: String) -> Pin<Box<dyn Future<Output = ControlFlow<()>> + Send + '_>> {
        Box::pin(async move { self.hear(&text).await })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever a client writes, it is understood or refused.
        #[test]
        fn any_text_is_parsed_or_not(text in ".{0,300}") {
            let parsed: Result<ClientFrame<'_>, _> = serde_json::from_str(&text);
            if let Ok(frame) = parsed {
                let _ = data::<MessageData<'_>>(frame.data);
            }
        }

        #[test]
        fn any_data_is_parsed_or_not(
            kind in "message|connection|system|x", action in "send|retry|connect|y", json in json(),
        ) {
            let text = format!(r#"{{"type":"{kind}","action":"{action}","data":{json}}}"#);
            let frame: ClientFrame<'_> = serde_json::from_str(&text).unwrap();
            let _ = (data::<MessageData<'_>>(frame.data), data::<ConnectionData>(frame.data), data::<BroadcastData>(frame.data));
        }
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<i64>().prop_map(|n| n.to_string()),
            any::<f64>().prop_map(|n| serde_json::to_string(&n).unwrap()),
            ".{0,10}".prop_map(|s| serde_json::to_string(&s).unwrap()),
        ];
        leaf.prop_recursive(4, 24, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(","))),
                proptest::collection::vec(
                    ("channel|content|metadata|sequence|since|epoch|token|message|key", inner),
                    0..5
                )
                .prop_map(|fields| {
                    let fields: Vec<_> = fields.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
                    format!("{{{}}}", fields.join(","))
                }),
            ]
        })
    }
}
