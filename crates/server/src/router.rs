//! Which routes each surface's listeners serve, and what is around them.

use std::sync::Arc;

use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::{StatusCode, Uri};
use orrery_api_bittrade::BitTrade;
use orrery_app::App;
use orrery_app::tasks::Tasks;
use orrery_http_kit::layers::{Cors, Edge, Elsewhere, HostPolicy, Options, Origins, Recent, cors, note_route};
use orrery_http_kit::{ErrorShape, JSON_BYTES_MAX, RequestMeta};
use orrery_kernel::{Entropy, Error, ErrorCode};
use tokio::sync::watch;

use crate::backup;
use crate::config::{Config, Surface};
use crate::health::{self, Health};
use crate::system::{self, SystemEntropy};
use crate::tunnels::{self, LoopbackDoors};

/// The machine-readable description of every route.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, mut document) = orrery_api_bittrade::router();
    document.merge(orrery_api_channels::openapi());
    document.merge(orrery_api_localhost::openapi());
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    name_operations(&mut document);
    document
}

/// Gives every operation a name of its own: handlers of several surfaces are called the same, and those of the
/// Localhost document stand twice.
fn name_operations(document: &mut utoipa::openapi::OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let words =
            path.split(['/', '-', '.']).map(|word| word.trim_matches(['{', '}'])).filter(|word| !word.is_empty());
        let name = words.collect::<Vec<_>>().join("_");
        let operations = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
            ("head", &mut item.head),
            ("options", &mut item.options),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(format!("{method}_{name}"));
            }
        }
    }
}

/// The service of each surface.
pub struct Surfaces {
    all: Edge,
    trading: Edge,
    channels: Edge,
    figures: Edge,
    webfix: Edge,
    localhost: Edge,
}

impl Surfaces {
    /// Builds them. `tasks` carry the sockets' background work.
    pub fn new(
        config: &Config,
        app: &Arc<App>,
        health: Arc<Health>,
        tasks: &Tasks,
        draining: &watch::Receiver<bool>,
        doors: &LoopbackDoors,
        ui: Option<orrery_api_localhost::Ui>,
    ) -> Self {
        let origins = Origins { named: config.cors.allowed_origins.clone(), localhost: config.cors.allow_localhost };
        let origins: Cors = Arc::new(origins);
        let recent = Recent::default();
        let localhost_options = localhost_options(config, &recent);
        let (routes, _) = orrery_api_bittrade::router();
        let routes = routes.with_state(app.clone());
        let routes = orrery_api_localhost::bound_logins::<BitTrade>(routes, app, &localhost_options);
        let routes = own_405(routes).layer(from_fn_with_state(origins.clone(), cors));
        let figures = health::figures_alone(&health);
        let socketio_options = orrery_api_socketio::Options { suite: config.socketio_suite, ..Default::default() };
        let described = Router::new()
            .route("/api/openapi.json", get(document))
            .route("/api/v1/openapi.json", get(document))
            .layer(from_fn_with_state(origins.clone(), cors));
        let described = own_405(described);
        let common = own_405(health::router(health).merge(orrery_console::router()));
        let sockets =
            orrery_api_socketio::router(app, tasks, socketio_options).layer(from_fn_with_state(origins.clone(), cors));
        let channel_options = orrery_api_channels::Options {
            path: config.realtime.path.clone(),
            message_bytes_max: config.realtime.message_bytes_max,
            metrics: config.metrics,
        };
        let channels = orrery_api_channels::channels(app, tasks, draining, channel_options);
        let figures = figures.merge(channels.figures.with_state(app.clone()));
        let channels =
            own_405(channels.router.with_state(app.clone())).layer(from_fn_with_state(origins.clone(), cors));
        let trading = routes.merge(sockets).merge(described.clone());
        let mut localhost = orrery_api_localhost::router(app, &localhost_options).with_state(app.clone());
        if let Some(files) = ui {
            localhost = localhost.merge(orrery_api_localhost::ui(app, files));
        }
        let localhost = own_405(localhost);
        let webfix = orrery_api_webfix::WebFix::start(app, tasks, draining, webfix_options(config, app));
        let session_socket = |router| webfix.in_front_of(outer(router));
        let edge = |router| {
            let (clock, entropy) = (app.clock.clone(), app.entropy.clone());
            Edge::new::<BitTrade>(router, options(config, &recent), clock, entropy, draining.clone())
                .with_elsewhere(LOCALHOST)
        };
        let all =
            session_socket(common.clone().merge(trading.clone()).merge(channels.clone()).merge(localhost.clone()));
        let tunnel = tunnels::edge(config, all.clone(), options(config, &recent), doors.names(), app, draining);
        doors.serve(tunnel.with_elsewhere(LOCALHOST));
        Self {
            all: edge(all),
            trading: edge(outer(common.clone().merge(trading))),
            channels: edge(outer(common.clone().merge(channels))),
            figures: edge(outer(figures)),
            webfix: edge(session_socket(common.clone())),
            localhost: edge(outer(common.clone().merge(localhost).merge(described))),
        }
    }

    /// What a listener of that surface serves. The page and health are everywhere.
    pub fn edge(&self, surface: Surface) -> Edge {
        match surface {
            Surface::All => self.all.clone(),
            Surface::BitTrade => self.trading.clone(),
            Surface::Aether => self.channels.clone(),
            Surface::Figures => self.figures.clone(),
            Surface::WebFix => self.webfix.clone(),
            Surface::Localhost => self.localhost.clone(),
        }
    }
}

fn options(config: &Config, recent: &Recent) -> Options {
    let server = &config.server;
    let mut names = server.allowed_hosts.clone();
    // the name that the operator bound is theirs
    names.extend(server.listen.iter().map(|l| l.host.to_ascii_lowercase()));
    Options {
        uri_bytes_max: server.uri_bytes_max,
        headers_max: server.headers_max,
        header_bytes_max: server.header_bytes_max,
        // routes have narrower bounds of their own
        body_bytes_max: ((JSON_BYTES_MAX.max(orrery_api_webfix::BODY_BYTES_MAX)) as u64)
            .max(config.files.file_bytes.saturating_add(orrery_api_localhost::FORM_BYTES)),
        waiting_paths: vec![orrery_api_socketio::PATH],
        body_timeout: server.body_timeout,
        hosts: HostPolicy { names, ..HostPolicy::default() },
        trusted_proxies: server.trusted_proxies.clone(),
        tls: config.tls.is_some(),
        tunnel: false,
        recent: recent.clone(),
    }
}

/// Refusals on the Localhost document's paths.
const LOCALHOST: Elsewhere = Elsewhere { owns: orrery_api_localhost::owns, body: orrery_api_localhost::refusal };

fn localhost_options(config: &Config, recent: &Recent) -> orrery_api_localhost::Options {
    let limits = &config.limits;
    orrery_api_localhost::Options {
        limits: orrery_api_localhost::Limits {
            api: limits.api,
            upload: limits.upload,
            command: limits.command,
            auth: limits.auth,
            tunnel: limits.tunnel,
        },
        system: Arc::new(backup::Host::new(config)),
        recent: recent.clone(),
    }
}

fn webfix_options(config: &Config, app: &App) -> orrery_api_webfix::Options {
    let limits = &config.limits;
    let node = &config.node;
    orrery_api_webfix::Options {
        limits: orrery_api_webfix::Limits {
            worker: limits.webfix_worker,
            account: limits.webfix_account,
            wallet: limits.webfix_wallet,
            login: limits.webfix_login,
            trade: limits.webfix_trade,
        },
        rates: app.limits.store(),
        public_url: config.stels.public_url.clone(),
        tls: config.tls.is_some(),
        node: orrery_api_webfix::NodeFacts {
            title: node.title.clone(),
            latitude: node.latitude,
            longitude: node.longitude,
            city: node.city.clone(),
            country: node.country.clone(),
            country_name: node.country_name.clone(),
            timezone: node.timezone.clone(),
            markets: vec!["BTC/INR".into()],
        },
        figures: Arc::new(system::figures),
    }
}

/// Gives routes their 405. Done before layers are put on, so that a preflight reaches them.
fn own_405(router: Router) -> Router {
    router.method_not_allowed_fallback(async |meta: Extension<RequestMeta>, uri: Uri| {
        refusal(&meta, &uri, StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Invalid, "Method not allowed")
    })
}

fn outer(router: Router) -> Router {
    router.fallback(nothing).layer(from_fn(note_route))
}

/// What paths without a route are answered.
async fn nothing(meta: Extension<RequestMeta>, uri: Uri) -> Response {
    refusal(&meta, &uri, StatusCode::NOT_FOUND, ErrorCode::NotFound, "Endpoint not found")
}

/// A refusal in the shape of the surface that the path belongs to.
pub(crate) fn refusal(
    meta: &RequestMeta,
    uri: &Uri,
    status: StatusCode,
    code: ErrorCode,
    text: &'static str,
) -> Response {
    let error = Error::new(code, text);
    if !(LOCALHOST.owns)(uri.path()) {
        return (status, axum::Json(BitTrade::body(&error))).into_response();
    }
    let mut chance = [0; 4];
    SystemEntropy.fill(&mut chance);
    (status, axum::Json((LOCALHOST.body)(&error, meta, u32::from_be_bytes(chance)))).into_response()
}

async fn document() -> Response {
    axum::Json(openapi()).into_response()
}
