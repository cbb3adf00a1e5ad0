//! The Aether document's WebSocket channels, and its routes beside them.
//!
//! A socket is a connection of the hub: what is published in a channel reaches it in order, or the client is
//! told that something is missing. Every refusal is an error frame with a code; those that end the connection
//! have a close code too.

mod content;
mod dialect;
mod rest;
mod shape;
mod socket;
mod talk;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::routing::get;
use axum::{Extension, Router};
use orrery_app::App;
use orrery_app::hub::Ending;
use orrery_app::tasks::Tasks;
use tokio::sync::watch;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use dialect::Aether as AetherDialect;
pub use shape::Aether;

/// What the surface is configured with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Path of the socket; the document's is `/ws`.
    pub path: String,
    /// Largest message of a client; beyond it the socket closes with 1009.
    pub message_bytes_max: usize,
    /// Serve `/metrics/…`?
    pub metrics: bool,
}

/// What sockets and routes share.
pub(crate) struct Shared {
    app: Arc<App>,
    tasks: Tasks,
    options: Options,
    dialect: Arc<dyn orrery_app::hub::Dialect>,
    draining: watch::Receiver<bool>,
    errors: Mutex<BTreeMap<&'static str, u64>>,
}

impl Shared {
    /// One more error frame.
    fn count(&self, code: &'static str) {
        metrics::counter!("channels_errors_total", "code" => code).increment(1);
        *self.errors.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }

    fn errors(&self) -> BTreeMap<&'static str, u64> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(OpenApi)]
#[openapi(tags((name = "channels", description = "WebSocket channels (Aether document)")))]
struct Document;

fn documented() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::<Arc<App>>::with_openapi(Document::openapi())
        .routes(routes!(rest::status))
        .routes(routes!(rest::list, rest::configure))
        .routes(routes!(rest::show, rest::remove))
        .routes(routes!(rest::ticket))
        .routes(routes!(rest::broadcast))
}

/// The part of the OpenAPI document that these routes make.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let figures = OpenApiRouter::<Arc<App>>::new()
        .routes(routes!(rest::figures_connections))
        .routes(routes!(rest::figures_messages))
        .routes(routes!(rest::figures_channels))
        .routes(routes!(rest::figures_errors));
    documented().merge(figures).split_for_parts().1
}

/// The surface's parts.
pub struct Channels {
    /// Socket and routes.
    pub router: Router<Arc<App>>,
    /// `/metrics/…` without a token, for a listener of their own.
    pub figures: Router<Arc<App>>,
}

/// Builds the surface. When `draining` is true, its sockets are told so and close.
pub fn channels(app: &Arc<App>, tasks: &Tasks, draining: &watch::Receiver<bool>, options: Options) -> Channels {
    let path = options.path.clone();
    let with_figures = options.metrics;
    let shared = Arc::new(Shared {
        app: app.clone(),
        tasks: tasks.clone(),
        options,
        dialect: Arc::new(AetherDialect),
        draining: draining.clone(),
        errors: Mutex::default(),
    });
    let mut router: Router<Arc<App>> = documented().split_for_parts().0.route(&path, get(socket::open));
    if with_figures {
        router = router.merge(rest::figures_for_users());
    }
    let (hub, mut draining, stopping) = (app.hub.clone(), draining.clone(), tasks.stopping());
    tasks.spawn("channels-drain", async move {
        tokio::select! {
            // an error says that the server is gone already
            _ = draining.wait_for(|draining| *draining) => {}
            () = stopping.cancelled() => {}
        }
        hub.close_all(&Ending::Shutdown);
    });
    let figures = rest::figures_alone().layer(Extension(shared.clone()));
    Channels { router: router.layer(Extension(shared)), figures }
}
