//! The STELS document's session socket: on `/` and `/webfix`, subprotocol `webfix`.
//!
//! A client subscribes and then only listens. Any Origin may connect: the session is the proof, and cookies
//! count for nothing. An upgrade is never refused: whoever may not come in is told by a close code, because the
//! documented client takes any other failure for the end of its session and erases its wallet. For the same
//! reason no reason here has the words session, expired or invalid in it unless that is meant.

mod dialect;
mod socket;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::Method;
use orrery_app::App;
use orrery_app::hub::{Dialect, Publish};
use orrery_app::tasks::Tasks;
use orrery_http_kit::websocket::is_upgrade;
use orrery_protocol::stels::{ChannelName, NetworkConnections};
use tokio::sync::watch;

pub use dialect::Session as SessionDialect;

/// Name of the network, as channels begin with it.
pub const NETWORK: &str = "testnet";
/// Where the socket is, besides `/`.
pub const PATH: &str = "/webfix";

/// Sockets that a session may have.
const PER_SESSION_MAX: u32 = 10;
/// Between two frames of `network.connections`.
const CONNECTIONS_PERIOD: Duration = Duration::from_secs(5);
/// Between pings; the hub's.
const HEARTBEAT: Duration = Duration::from_secs(25);

/// What sockets share.
pub(crate) struct Shared {
    app: Arc<App>,
    tasks: Tasks,
    dialect: Arc<dyn Dialect>,
    draining: watch::Receiver<bool>,
    anonymous: AtomicUsize,
}

/// The surface.
#[derive(Clone)]
pub struct WebFix(Arc<Shared>);

impl WebFix {
    /// Starts it; its tasks end when `tasks` stop.
    pub fn start(app: &Arc<App>, tasks: &Tasks, draining: &watch::Receiver<bool>) -> Self {
        let shared = Arc::new(Shared {
            app: app.clone(),
            tasks: tasks.clone(),
            dialect: Arc::new(SessionDialect),
            draining: draining.clone(),
            anonymous: AtomicUsize::new(0),
        });
        for topic in socket::TOPICS {
            app.hub.announce_own(&socket::group(topic));
        }
        tasks.spawn("webfix-connections", tell_connections(shared.clone()));
        Self(shared)
    }

    /// Puts the socket in front of `router`: upgrades on `/` and [`PATH`] are its, everything else goes on.
    pub fn in_front_of(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.0.clone(), open))
    }
}

async fn open(
    axum::extract::State(shared): axum::extract::State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let here = matches!(request.uri().path(), "/" | PATH);
    if here && request.method() == Method::GET && is_upgrade(request.headers()) {
        return socket::open(shared, request);
    }
    next.run(request).await
}

/// Tells how many are connected to this process.
async fn tell_connections(shared: Arc<Shared>) {
    let stopping = shared.tasks.stopping();
    let mut tick = tokio::time::interval(CONNECTIONS_PERIOD);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let channel = ChannelName::Connections(NETWORK.into()).to_string();
    let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        let anonymous = shared.anonymous.load(Ordering::Relaxed);
        if anonymous == 0 {
            continue;
        }
        let raw = NetworkConnections {
            network: NETWORK,
            total_clients: anonymous,
            anonymous_clients: anonymous,
            authenticated_clients: 0,
            session_count: 0,
            max_connections_per_session: PER_SESSION_MAX,
            streaming_active: true,
            data_transmission_interval: millis(CONNECTIONS_PERIOD),
            heartbeat_interval: millis(HEARTBEAT),
            cleanup_running: true,
            timestamp: shared.app.clock.now().millis(),
        };
        let Ok(content) = serde_json::value::to_raw_value(&raw) else { continue };
        let publish =
            Publish { channel: &socket::group("network"), content: &content, key: Some(&channel), sequence: None };
        if let Err(error) = shared.app.hub.publish_own(&publish, None).await {
            tracing::debug!(%error, "the number of connections was not told");
        }
    }
}
