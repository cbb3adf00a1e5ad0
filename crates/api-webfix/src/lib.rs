//! The STELS document: WebFix over HTTP (`POST /` and `/webfix`), the session socket on the same paths, and workers'
//! logs (`GET /api/worker/logs…`).
//!
//! A client subscribes and then only listens. Any Origin may connect: the session is the proof, and cookies
//! count for nothing. An upgrade is never refused: whoever may not come in is told by a close code, because the
//! documented client takes any other failure for the end of its session and erases its wallet. For the same
//! reason no reason here has the words session, expired or invalid in it unless that is meant.

mod alerts;
mod call;
mod dialect;
mod http;
mod logs;
pub mod markets;
mod methods;
mod publish;
mod reply;
mod scripts;
mod socket;
mod sockets;
mod tiers;

use std::sync::Arc;
use std::time::Duration;

use ::http::Method;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use orrery_app::App;
use orrery_app::hub::Dialect;
use orrery_app::tasks::Tasks;
use orrery_http_kit::websocket::is_upgrade;
use orrery_identity::RateStore;
use tokio::sync::{Notify, watch};

pub use dialect::Session as SessionDialect;
pub use publish::{Figures, NodeFacts};
pub use reply::Shape as WebFixShape;
pub use scripts::ScriptNews;
pub use tiers::Limits;

/// Where the surface is, besides `/`.
pub const PATH: &str = "/webfix";
/// Largest request: a transaction carries up to 2 MiB of data.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Sockets that a session may have.
const PER_SESSION_MAX: u32 = 10;
/// Between two frames of one channel; what is older within it is passed over.
const BATCH: Duration = Duration::from_millis(200);
/// Between pings; the hub's.
const HEARTBEAT: Duration = Duration::from_secs(25);

/// What the surface is configured with.
#[derive(Clone)]
pub struct Options {
    /// The document's limits.
    pub limits: Limits,
    /// Where they are counted.
    pub rates: Arc<dyn RateStore>,
    /// Where clients find this server, if its operator says so: `https://stels.example.org`.
    pub public_url: Option<String>,
    /// Do its own listeners speak TLS?
    pub tls: bool,
    /// What the operator says of this node.
    pub node: NodeFacts,
    /// How the machine is.
    pub figures: Arc<dyn Fn() -> Figures + Send + Sync>,
}

/// What requests and sockets share.
pub(crate) struct Shared {
    app: Arc<App>,
    tasks: Tasks,
    dialect: Arc<dyn Dialect>,
    draining: watch::Receiver<bool>,
    tiers: tiers::Tiers,
    public_url: Option<String>,
    tls: bool,
    node: NodeFacts,
    figures: Arc<dyn Fn() -> Figures + Send + Sync>,
    sockets: sockets::Sockets,
    recheck: Notify,
    log_seats: logs::Seats,
}

impl Shared {
    /// The hub's channel of a topic: `testnet.runtime`. What is published there has the full name as its key.
    fn group(&self, topic: &str) -> String {
        format!("{}.{topic}", self.app.wallets.network())
    }

    /// A session may have ended: look at once.
    fn recheck_sessions(&self) {
        self.recheck.notify_one();
    }
}

/// The surface.
#[derive(Clone)]
pub struct WebFix(Arc<Shared>);

impl WebFix {
    /// Starts it; its tasks end when `tasks` stop.
    pub fn start(app: &Arc<App>, tasks: &Tasks, draining: &watch::Receiver<bool>, options: Options) -> Self {
        let shared = Arc::new(Shared {
            app: app.clone(),
            tasks: tasks.clone(),
            dialect: Arc::new(SessionDialect),
            draining: draining.clone(),
            tiers: tiers::Tiers::new(options.rates, options.limits),
            public_url: options.public_url,
            tls: options.tls,
            node: options.node,
            figures: options.figures,
            sockets: sockets::Sockets::default(),
            recheck: Notify::new(),
            log_seats: logs::Seats::default(),
        });
        for topic in socket::TOPICS {
            app.hub.announce_own(&shared.group(topic));
        }
        tasks.spawn("webfix-publish", publish::run(shared.clone()));
        tasks.spawn("webfix-alerts", alerts::run(shared.clone()));
        tasks.spawn("webfix-accounts", publish::hear_venues(shared.clone()));
        Self(shared)
    }

    /// Puts the surface in front of `router`: upgrades, calls and preflights on `/` and [`PATH`] are its, and workers'
    /// logs; everything else goes on.
    pub fn in_front_of(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.0.clone(), open))
    }
}

async fn open(
    axum::extract::State(shared): axum::extract::State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    if matches!(request.uri().path(), "/" | PATH) {
        if request.method() == Method::GET && is_upgrade(request.headers()) {
            return socket::open(shared, request);
        }
        if matches!(*request.method(), Method::POST | Method::OPTIONS) {
            return http::answer(&shared, request).await;
        }
    }
    if matches!(request.uri().path(), logs::SIZES | logs::STREAM) {
        if *request.method() == Method::GET {
            return logs::answer(&shared, request).await;
        }
        if *request.method() == Method::OPTIONS {
            return http::answer(&shared, request).await;
        }
    }
    next.run(request).await
}
