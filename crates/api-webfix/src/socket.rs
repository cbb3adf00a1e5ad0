//! One session socket.

use std::collections::BTreeSet;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use orrery_app::hub::{Conn, Connecting, Ending, Who};
use orrery_app::wallets::View;
use orrery_http_kit::RequestMeta;
use orrery_http_kit::websocket::{self, Inbound, Upgrade};
use orrery_kernel::{ErrorCode, Timestamp};
use orrery_protocol::stels::{Envelope, SessionFrame, Subscribe};
use orrery_realtime::frame;
use orrery_wallets::Session;
use orrery_workers::logs::Numbered;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use crate::Shared;
use crate::methods::{balance_channel, balance_raw};
use crate::publish::private;
use crate::scripts;

/// Largest message of a client: they are two short ones.
const MESSAGE_BYTES_MAX: usize = 65_536;
/// Channels that a socket may subscribe to; of markets the hub allows fewer.
const CHANNELS_MAX: usize = 160;
/// The document's subprotocol.
const PROTOCOL: &str = "webfix";

/// Before the id of a worker: its log.
const LOG_CHANNEL: &str = "worker.log.";
/// Lines from before that a subscriber gets.
const LOG_TAIL: u32 = 100;
/// How often a log that is silent looks whether its socket is still there.
const LOG_LOOK: Duration = Duration::from_secs(5);

/// What there is to be heard.
pub(crate) const TOPICS: [&str; 4] = ["runtime", "sonar", "network", "events"];
/// What everybody hears who subscribes to anything.
const ALWAYS: [&str; 2] = ["network", "events"];

struct Listener {
    shared: Arc<Shared>,
    conn: Arc<Conn>,
    /// The session.
    session: Option<Session>,
    /// Workers whose logs it follows.
    logs: Mutex<BTreeSet<String>>,
}

impl Listener {
    /// The two messages of the client; whatever else it says is let pass, as the original does.
    async fn hear(&self, text: &str) {
        let Ok(Subscribe { method, channel }) = serde_json::from_str(text) else {
            tracing::debug!("a message that is none of the document's");
            return;
        };
        if method != "subscribe" || channel.is_empty() || self.conn.channels().len() >= CHANNELS_MAX {
            return;
        }
        if let Some(sid) = channel.strip_prefix(LOG_CHANNEL) {
            return self.follow(sid).await;
        }
        let (network, sonar) = (self.shared.group(""), self.shared.group("sonar"));
        let channel = match channel.as_str() {
            "sonar" | "runtime" => self.shared.group(&channel),
            name if name.starts_with(&network) => channel,
            _ => return,
        };
        // what everybody's sonar says of money is not what a wallet's own says, and they have one name
        let sonar = match self.session.as_ref().map(|session| &session.address) {
            None => matches!(channel.as_str(), name if name == self.shared.group("runtime")).then_some(sonar),
            Some(address) if channel == sonar => {
                self.shared.tell_own_sonar(address).await;
                return self.join_always().await;
            }
            Some(_) => None,
        };
        self.join(&channel).await;
        if let Some(sonar) = sonar {
            self.join(&sonar).await;
        }
        self.join_always().await;
    }

    /// A worker's log, to its owner. Like any other channel that one may not hear, it stays silent else.
    async fn follow(&self, sid: &str) {
        let Some(session) = &self.session else { return };
        let (shared, conn) = (self.shared.clone(), self.conn.clone());
        if self.logs.lock().unwrap_or_else(PoisonError::into_inner).contains(sid) {
            return;
        }
        let mut follower = match shared.app.workers.follow(session, sid, None, Some(LOG_TAIL)).await {
            Ok(follower) => follower,
            Err(error) => return tracing::debug!(%error, sid, "a log cannot be followed"),
        };
        let Ok(seat) = shared.log_seats.take(&session.token) else { return };
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).insert(sid.to_owned());
        let sid = sid.to_owned();
        self.shared.tasks.clone().spawn_connection("webfix-log", async move {
            let (_seat, stopping) = (seat, shared.tasks.stopping());
            let mut look = tokio::time::interval(LOG_LOOK);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !conn.is_closed() {
                tokio::select! {
                    () = stopping.cancelled() => return,
                    _ = look.tick() => {}
                    lines = follower.next() => match lines {
                        Ok(lines) => tell_lines(&conn, &sid, &lines, shared.app.clock.now()),
                        // it is asked again with the next look
                        Err(_) => drop(look.tick().await),
                    },
                }
            }
        });
    }

    async fn join_always(&self) {
        for topic in ALWAYS {
            self.join(&self.shared.group(topic)).await;
        }
    }

    async fn join(&self, channel: &str) {
        if let Err(error) = self.shared.app.hub.join(&self.conn, channel, None).await {
            tracing::debug!(%error, channel, "a subscription was not possible");
        }
    }

    /// What only the holder of a session is told: the session, as the document says, and its accounts.
    async fn welcome(&self, session: &Session, token: &str) {
        let wallets = &self.shared.app.wallets;
        let raw = json!({
            "session": token,
            "token": token,
            "address": session.address,
            "expires": session.expires_at.millis(),
            "info": { "network": wallets.network(), "title": self.shared.node.title, "pid": wallets.node() },
        });
        self.send(&format!("{}.session", wallets.network()), "session", "session", &raw);
        if let Err(error) = self.shared.app.hub.seat(&self.conn, &private(&session.address)).await {
            tracing::warn!(%error, "a wallet's own channel cannot be heard");
        }
        if let Err(error) = self.shared.app.hub.seat(&self.conn, &scripts::channel(&session.address)).await {
            tracing::warn!(%error, "what a wallet's scripts say cannot be heard");
        }
        match wallets.accounts(session).await {
            Ok(views) => {
                for View { account, .. } in &views {
                    let seen = self.shared.app.venues.snapshot(account).await;
                    self.send(&balance_channel(account), "account", "balance", &balance_raw(account, seen.as_ref()));
                }
            }
            Err(error) => tracing::warn!(%error, "a wallet's accounts were not told"),
        }
    }

    fn send(&self, channel: &str, module: &str, widget: &str, raw: &serde_json::Value) {
        let now = self.shared.app.clock.now();
        if let Some(frame) = framed(channel, module, widget, raw, now) {
            self.conn.send(frame, now);
        }
    }
}

/// A frame of the document's for a message that is in no channel of the hub.
pub(crate) fn framed(
    channel: &str,
    module: &str,
    widget: &str,
    raw: &serde_json::Value,
    now: Timestamp,
) -> Option<Bytes> {
    let raw = serde_json::value::to_raw_value(raw).ok()?;
    let envelope = || Envelope { channel, module, widget, raw: &raw, timestamp: now.millis() };
    let sent = SessionFrame { key: [channel], value: envelope(), flat: envelope() };
    match serde_json::to_vec(&sent) {
        Ok(json) => Some(frame::text(&json)),
        Err(error) => {
            tracing::error!(%error, "a frame could not be written");
            None
        }
    }
}

impl Shared {
    /// Tells the sockets that a wallet has at this server.
    pub(crate) fn tell_here(&self, address: &str, channel: &str, module: &str, widget: &str, raw: &serde_json::Value) {
        let now = self.app.clock.now();
        let conns = self.sockets.of(address);
        let Some(frame) = (!conns.is_empty()).then(|| framed(channel, module, widget, raw, now)).flatten() else {
            return;
        };
        for conn in conns {
            conn.send(frame.clone(), now);
        }
    }
}

impl Inbound for Listener {
    fn text(&mut self, text: String) -> Pin<Box<dyn Future<Output = ControlFlow<()>> + Send + '_>> {
        Box::pin(async move {
            self.hear(&text).await;
            if self.conn.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    }
}

fn tell_lines(conn: &Conn, sid: &str, lines: &[Numbered], now: Timestamp) {
    let line = |Numbered { id, line }: &Numbered| json!({ "id": id, "timestamp": line.at.millis(), "level": line.level.name(), "text": line.text });
    let raw = json!({ "sid": sid, "lines": lines.iter().map(line).collect::<Vec<_>>() });
    if let Some(frame) = framed(&format!("{LOG_CHANNEL}{sid}"), "worker", "log", &raw, now) {
        conn.send(frame, now);
    }
}

/// The session of a query; tokens need no escapes.
fn session(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("session=")).filter(|session| !session.is_empty())
}

fn other(code: u16, reason: &'static str) -> Ending {
    Ending::Other { code, reason: reason.into() }
}

/// The session that a token opens, or how to turn the client away.
async fn admit(shared: &Shared, token: &str) -> Result<Session, Ending> {
    match shared.app.wallets.session(token, shared.app.clock.now()).await {
        Ok(session) if shared.sockets.has_room(&session.token) => Ok(session),
        Ok(_) => Err(other(1013, "Too many connections")),
        Err(error) if error.code == ErrorCode::UnauthenticatedInvalid => Err(Ending::Expired),
        Err(error) => {
            tracing::warn!(%error, "a session could not be looked up");
            Err(other(1013, "Try again later"))
        }
    }
}

pub(crate) fn open(shared: Arc<Shared>, request: Request) -> Response {
    let token = session(request.uri().query().unwrap_or_default()).map(str::to_owned);
    let address = request.extensions().get::<RequestMeta>().map(|meta| meta.address);
    let upgrade = match Upgrade::of(request) {
        Ok(upgrade) => upgrade,
        Err(refusal) => return *refusal,
    };
    // Chromium fails the handshake when what it offered is not echoed
    let protocol = upgrade.protocols.iter().find(|p| *p == PROTOCOL).map(|_| PROTOCOL);
    let (response, socket) = upgrade.accept(protocol);
    shared.tasks.clone().spawn_connection("webfix-socket", async move {
        let Some(socket) = socket.await else { return };
        let dialect = shared.dialect.clone();
        if *shared.draining.borrow() {
            return websocket::turn_away(socket, &[dialect.close(&Ending::Shutdown)]).await;
        }
        let session = match &token {
            None => None,
            Some(token) => match admit(&shared, token).await {
                Ok(session) => Some(session),
                Err(ending) => return websocket::turn_away(socket, &[dialect.close(&ending)]).await,
            },
        };
        let who = Who { user: None, client: "webfix".into() };
        // a session's sockets are counted by the session
        let address = address.filter(|_| session.is_none());
        let connecting = Connecting { who, dialect: dialect.clone(), exclusive: false, address };
        let Ok(conn) = shared.app.hub.connect(connecting) else {
            return websocket::turn_away(socket, &[dialect.close(&other(1013, "Too many connections"))]).await;
        };
        let of = session.as_ref().map(|session| session.token);
        if !shared.sockets.add(session.as_ref(), &conn) {
            shared.app.hub.disconnect(&conn);
            return websocket::turn_away(socket, &[dialect.close(&other(1013, "Too many connections"))]).await;
        }
        let listener =
            Listener { shared: shared.clone(), conn: conn.clone(), session: session.clone(), logs: Mutex::default() };
        if let (Some(session), Some(token)) = (&session, &token) {
            listener.welcome(session, token).await;
        }
        let (hub, clock) = (&shared.app.hub, shared.app.clock.clone());
        websocket::serve(socket, hub, conn.clone(), clock, MESSAGE_BYTES_MAX, listener).await;
        shared.sockets.remove(of, &conn);
        shared.app.hub.disconnect(&conn);
    });
    response
}
