//! The Localhost Web Server document's HTTP API.
//!
//! Every handler: extract, call one use case, render. Answers are `Reply`s, errors leave in the shape
//! [`Localhost`]. Every route of the document stands below `/api` and, the same, below `/api/v1`.

mod data;
mod docs;
mod download;
mod execute;
mod files;
mod http_date;
mod json_text;
mod programs;
mod reply;
mod runs;
mod session;
mod shape;
mod system;
mod terminals;
mod tiers;
mod tunnels;
mod tus;
mod ui;
mod viewer;

use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
pub use files::FORM_BYTES;
use orrery_app::App;
use orrery_http_kit::ErrorShape;
use orrery_http_kit::layers::Recent;
pub use shape::{Localhost, refusal};
pub use system::{Backup, Steps, System};
use tiers::Around;
pub use tiers::Limits;
pub use ui::{Ui, ui};
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the surface is configured with.
#[derive(Clone)]
pub struct Options {
    /// Bounds on requests from one address.
    pub limits: Limits,
    /// What only the program around the surface knows.
    pub system: Arc<dyn System>,
    /// The last requests, as the edge remembers them.
    pub recent: Recent,
}

#[derive(OpenApi)]
#[openapi(tags(
    (name = "access", description = "Sessions and the token against forged requests"),
    (name = "data", description = "Documents by key"),
    (name = "files", description = "Files, also in parts"),
    (name = "programs", description = "Programs and projects"),
    (name = "commands", description = "Commands and interactive sessions"),
    (name = "terminals", description = "Shells and terminals"),
    (name = "tunnels", description = "Ways from the internet to this server"),
    (name = "system", description = "Health, numbers, copies"),
))]
struct Document;

/// The routes without their prefix.
fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(session::csrf))
        .routes(routes!(data::all, data::store))
        .routes(routes!(data::get, data::remove))
        .routes(routes!(files::upload))
        .routes(routes!(files::list))
        .routes(routes!(files::storage_info))
        .routes(routes!(files::storage))
        .routes(routes!(files::remove))
        .routes(routes!(download::download))
        .routes(routes!(tus::options, tus::create))
        .routes(routes!(tus::look, tus::part, tus::drop_upload, tus::overridden))
        .routes(routes!(programs::upload))
        .routes(routes!(programs::upload_zip))
        .routes(routes!(programs::upload_multiple))
        .routes(routes!(programs::list))
        .routes(routes!(programs::info))
        .routes(routes!(programs::files))
        .routes(routes!(programs::set_main))
        .routes(routes!(programs::remove))
        .routes(routes!(programs::storage_info))
        .routes(routes!(runs::execute))
        .routes(routes!(runs::execute_terminal))
        .routes(routes!(execute::execute))
        .routes(routes!(execute::interactive))
        .routes(routes!(execute::send_input))
        .routes(routes!(execute::terminate))
        .routes(routes!(terminals::create))
        .routes(routes!(terminals::execute))
        .routes(routes!(terminals::close))
        .routes(routes!(terminals::list))
        .routes(routes!(terminals::open))
        .routes(routes!(terminals::share))
        .routes(routes!(viewer::socket))
        .routes(routes!(terminals::init))
        .routes(routes!(terminals::execute_in))
        .routes(routes!(tunnels::ngrok_start))
        .routes(routes!(tunnels::ngrok_stop))
        .routes(routes!(tunnels::ngrok_status))
        .routes(routes!(tunnels::localtunnel_start))
        .routes(routes!(tunnels::localtunnel_stop))
        .routes(routes!(tunnels::localtunnel_status))
        .routes(routes!(tunnels::cloudflared_start))
        .routes(routes!(tunnels::cloudflared_stop))
        .routes(routes!(tunnels::cloudflared_status))
        .routes(routes!(tunnels::all))
        .routes(routes!(tunnels::stop_all))
        .routes(routes!(tunnels::mobile_start))
        .routes(routes!(tunnels::mobile_stop))
        .routes(routes!(tunnels::mobile_status))
}

/// What only stands below `/api/v1`.
fn versioned() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(system::health))
        .routes(routes!(system::dashboard))
        .routes(routes!(system::backup))
}

fn parts() -> (Router<Arc<App>>, utoipa::openapi::OpenApi) {
    let (router, mut document) = OpenApiRouter::with_openapi(Document::openapi())
        .nest("/api", routes())
        .nest("/api/v1", routes().merge(versioned()))
        .split_for_parts();
    let components = document.components.get_or_insert_default();
    for (name, header, text) in [
        ("session", "X-Session-ID", "`session_id` of a login; the cookie is taken too"),
        (
            "csrf",
            "X-CSRF-Token",
            "From /api/csrf; with every write by cookie, or by the operator at the machine itself",
        ),
    ] {
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(header, text)));
        components.add_security_scheme(name, scheme);
    }
    (router, document)
}

/// The part of the OpenAPI document that this surface makes.
pub fn openapi() -> utoipa::openapi::OpenApi {
    parts().1
}

/// The routes.
pub fn router(app: &Arc<App>, options: &Options) -> Router<Arc<App>> {
    let around = Around { app: app.clone(), limits: options.limits };
    let shared = system::Shared { system: options.system.clone(), recent: options.recent.clone() };
    let pages = Router::new().nest("/api", docs::router()).nest("/api/v1", docs::router());
    parts().0.merge(pages).layer(Extension(shared)).layer(from_fn_with_state(around, tiers::around))
}

/// Puts the bound on failed logins around the login route of a surface whose errors have the shape `S`.
pub fn bound_logins<S: ErrorShape>(router: Router, app: &Arc<App>, options: &Options) -> Router {
    let around = Around { app: app.clone(), limits: options.limits };
    router.layer(from_fn_with_state(around, tiers::logins::<S>))
}

/// First parts of the surface's paths, after `/api/` or `/api/v1/`.
const FAMILIES: [&str; 15] = [
    "backup",
    "cloudflared",
    "csrf",
    "dashboard",
    "data",
    "docs",
    "execute",
    "files",
    "localtunnel",
    "mobile",
    "ngrok",
    "programs",
    "programs-terminal",
    "terminal",
    "tunnels",
];

/// Is the path this surface's, whether there is something or not?
pub fn owns(path: &str) -> bool {
    if path == "/api/v1" || path.starts_with("/api/v1/") {
        return true;
    }
    let first = path.strip_prefix("/api/").map(|rest| rest.split('/').next().unwrap_or_default());
    first.is_some_and(|first| FAMILIES.contains(&first))
}

/// Does the path run something on this machine, or open a way to it?
pub fn runs_things(path: &str) -> bool {
    let rest = path.strip_prefix("/api/v1/").or_else(|| path.strip_prefix("/api/")).unwrap_or_default();
    let mut parts = rest.split('/').filter(|part| !part.is_empty());
    match (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) {
        ("execute" | "terminal" | "programs-terminal", _) => true,
        ("ngrok" | "localtunnel" | "cloudflared" | "tunnels" | "mobile", _) => true,
        ("programs", second) => second.starts_with("execute"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{owns, runs_things};

    #[test]
    fn paths_that_run_things() {
        for path in ["/api/execute", "/api/v1/execute/send-input", "/api/terminal/socket/x", "/api//terminal/list"] {
            assert!(runs_things(path), "{path}");
        }
        for path in ["/api/programs/execute/p", "/api/v1/programs/execute-terminal/p", "/api/tunnels/stop-all"] {
            assert!(runs_things(path), "{path}");
        }
        for path in ["/api/data/execute", "/api/programs/list", "/execute", "/api/v1/health", "/health", "/"] {
            assert!(!runs_things(path), "{path}");
        }
    }

    #[test]
    fn paths_of_this_surface() {
        for own in ["/api/v1", "/api/v1/x", "/api/data", "/api/data/a", "/api/files/none", "/api/execute"] {
            assert!(owns(own), "{own}");
        }
        for other in ["/", "/api", "/api/", "/api/balance", "/api/v10", "/api/database", "/api/health", "/data"] {
            assert!(!owns(other), "{other}");
        }
    }
}
