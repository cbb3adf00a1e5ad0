//! One session socket.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::Request;
use axum::response::Response;
use orrery_app::hub::{Conn, Connecting, Ending, Who};
use orrery_http_kit::websocket::{self, Inbound, Upgrade};
use orrery_protocol::stels::Subscribe;

use crate::{NETWORK, Shared};

/// Largest message of a client: they are two short ones.
const MESSAGE_BYTES_MAX: usize = 65_536;
/// Channels that a socket may subscribe to.
const CHANNELS_MAX: usize = 64;
/// The document's subprotocol.
const PROTOCOL: &str = "webfix";

/// What there is to be heard.
pub(crate) const TOPICS: [&str; 3] = ["runtime", "sonar", "network"];

/// The hub's channel of a topic: `testnet.runtime`. What is published there has the full name as its key.
pub(crate) fn group(topic: &str) -> String {
    format!("{NETWORK}.{topic}")
}

struct Listener {
    shared: Arc<Shared>,
    conn: Arc<Conn>,
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
        let channel = match channel.as_str() {
            "sonar" | "runtime" => group(&channel),
            name if name.starts_with(NETWORK) => channel,
            _ => return,
        };
        for channel in [channel, group("network")] {
            if let Err(error) = self.shared.app.hub.join(&self.conn, &channel, None).await {
                tracing::debug!(%error, channel, "a subscription was not possible");
            }
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

/// Has the query a session?
fn session(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("session=")).filter(|session| !session.is_empty())
}

pub(crate) fn open(shared: Arc<Shared>, request: Request) -> Response {
    let session = session(request.uri().query().unwrap_or_default()).map(str::to_owned);
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
        if session.is_some() {
            // sessions are opened by wallets; one that nobody opened here is an old one
            return websocket::turn_away(socket, &[dialect.close(&Ending::Expired)]).await;
        }
        if *shared.draining.borrow() {
            return websocket::turn_away(socket, &[dialect.close(&Ending::Shutdown)]).await;
        }
        let who = Who { user: None, client: "webfix".into() };
        // without a user there is no bound that could refuse it
        let Ok(conn) = shared.app.hub.connect(Connecting { who, dialect, exclusive: false }) else { return };
        shared.anonymous.fetch_add(1, Ordering::Relaxed);
        let listener = Listener { shared: shared.clone(), conn: conn.clone() };
        let (hub, clock) = (&shared.app.hub, shared.app.clock.clone());
        websocket::serve(socket, hub, conn.clone(), clock, MESSAGE_BYTES_MAX, listener).await;
        shared.anonymous.fetch_sub(1, Ordering::Relaxed);
        shared.app.hub.disconnect(&conn);
    });
    response
}
