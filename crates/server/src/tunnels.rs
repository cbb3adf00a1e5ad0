//! Tunnels: who makes them, and the listeners that they lead to.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result};
use async_trait::async_trait;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use orrery_api_bittrade::BitTrade;
use orrery_app::App;
use orrery_app::tasks::Tasks;
use orrery_app::tunnels::TunnelParts;
use orrery_exec::Runner;
use orrery_http_kit::RequestMeta;
use orrery_http_kit::layers::{Edge, LiveNames, Network, Options};
use orrery_kernel::ErrorCode;
use orrery_tunnel_net::{Localtunnel, Tool, ToolSetup};
use orrery_tunnels::{Door, Doors};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::{Config, Scope};
use crate::listen::{self, Bounds, Stop};
use crate::router;

/// Connections of one tunnel at a time; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 256;
/// Whom requests are from when what brought them does not say: not this machine's usual address, so that strangers
/// don't use up what the operator may ask for.
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 255, 255, 1));

/// Opens the listeners of tunnels, once there is something to serve on them.
pub struct LoopbackDoors {
    edge: OnceLock<Edge>,
    names: LiveNames,
    bounds: Bounds,
    tasks: Tasks,
}

struct LoopbackDoor {
    port: u16,
    stop: Stop,
    names: LiveNames,
    name: Mutex<Option<Arc<str>>>,
}

impl LoopbackDoors {
    /// With the connections' time-outs of `bounds`.
    pub fn new(bounds: Bounds, tasks: &Tasks) -> Arc<Self> {
        let bounds = Bounds { connections: CONNECTIONS_MAX, ..bounds };
        Arc::new(Self { edge: OnceLock::new(), names: LiveNames::default(), bounds, tasks: tasks.clone() })
    }

    /// Names that tunnels have at present.
    pub fn names(&self) -> LiveNames {
        self.names.clone()
    }

    /// From now on that is what is served.
    pub fn serve(&self, edge: Edge) {
        // the first one stays
        let _ = self.edge.set(edge);
    }
}

#[async_trait]
impl Doors for LoopbackDoors {
    async fn open(&self) -> std::io::Result<Arc<dyn Door>> {
        let edge = self.edge.get().cloned().ok_or_else(|| std::io::Error::other("the server starts"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let stop = Stop { close: self.tasks.stopping().child_token(), ..Stop::default() };
        listen::accept_apart(listener, edge, self.bounds, STRANGER, stop.clone(), &self.tasks);
        Ok(Arc::new(LoopbackDoor { port, stop, names: self.names.clone(), name: Mutex::default() }))
    }
}

impl Door for LoopbackDoor {
    fn port(&self) -> u16 {
        self.port
    }

    fn answer_to(&self, host: &str) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.names.hold(host));
    }
}

impl Drop for LoopbackDoor {
    fn drop(&mut self) {
        self.stop.close.cancel();
    }
}

/// Everything that is served, as it is served through tunnels: nobody is the operator at the machine itself, addresses
/// are what the tunnel says they are, and what `tunnels.scope` keeps back is refused.
pub fn edge(
    config: &Config,
    routes: Router,
    options: Options,
    names: LiveNames,
    app: &Arc<App>,
    draining: &watch::Receiver<bool>,
) -> Edge {
    let routes = match config.tunnels.scope {
        Scope::All => routes,
        Scope::Api => routes.layer(from_fn(kept_back)),
    };
    let proxies = STRANGER.to_string().parse::<Network>().into_iter().collect();
    let hosts = orrery_http_kit::layers::HostPolicy { live: names, ..options.hosts.clone() };
    // its own side speaks plain HTTP, whatever other listeners do
    let options = Options { tunnel: true, tls: false, trusted_proxies: proxies, hosts, ..options };
    Edge::new::<BitTrade>(routes, options, app.clock.clone(), app.entropy.clone(), draining.clone())
}

/// Refuses what runs things, opens tunnels, or tells figures.
async fn kept_back(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let figures = path == "/metrics" || path.starts_with("/metrics/");
    if !figures && !orrery_api_localhost::runs_things(path) {
        return next.run(request).await;
    }
    let Some(meta) = request.extensions().get::<RequestMeta>() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let text = "This is not reachable through a tunnel (tunnels.scope)";
    router::refusal(meta, request.uri(), StatusCode::FORBIDDEN, ErrorCode::Forbidden, text)
}

/// What the use cases need; `None` where tunnels are switched off.
///
/// # Errors
/// When the localtunnel host is no address.
pub fn parts(config: &Config, doors: Arc<LoopbackDoors>) -> Result<Option<TunnelParts>> {
    let tunnels = &config.tunnels;
    if !tunnels.enabled {
        return Ok(None);
    }
    // apart from users' runs, whose bounds it does not count against
    let runner: Arc<dyn Runner> = Arc::new(crate::exec::unix(config));
    let setup = ToolSetup {
        runner,
        path: config.exec.path.clone(),
        home: tunnels.home.clone(),
        ngrok_token: tunnels.ngrok_authtoken.clone(),
    };
    let localtunnel = Localtunnel::new(&tunnels.localtunnel_host).context("tunnels.localtunnel_host")?;
    Ok(Some(TunnelParts {
        providers: vec![
            Arc::new(Tool::ngrok(setup.clone())),
            Arc::new(localtunnel),
            Arc::new(Tool::cloudflared(setup)),
        ],
        doors,
        settings: tunnels.settings.clone(),
    }))
}
