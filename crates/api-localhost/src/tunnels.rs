//! `/api/{ngrok,localtunnel,cloudflared}`, `/api/tunnels`, `/api/mobile/tunnel`: tunnels from the internet.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use orrery_app::tunnels::{State as Is, Tunnel, Tunnels};
use orrery_app::{App, Ctx};
use orrery_http_kit::{Fail, JSON_BYTES_MAX, Known, parse_json, read_body};
use orrery_kernel::{Error, ErrorCode, Result, Secret};
use orrery_tunnels::{Asked, Kind, Name};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Localhost;
use crate::reply::{Data, Failure, Reply};

/// Longest token, bytes.
const TOKEN_BYTES_MAX: usize = 512;

type Answer<T> = std::result::Result<Reply<T>, Fail<Localhost>>;

/// What a tunnel is asked to be. The body may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct TunnelRequest {
    /// Its name at the provider, which may give another.
    subdomain: Option<String>,
    /// ngrok's, unless the server has one. Never kept.
    #[schema(value_type = Option<String>, format = Password)]
    auth_token: Option<Secret<String>>,
}

/// A tunnel.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TunnelBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    service: &'static str,
    /// `stopped`, `starting`, `running`, or `error: ` and why.
    status: String,
    /// `stopped`, `starting`, `running`, `degraded` (lost, and asked for again), `stopping`, `failed`.
    state: &'static str,
    /// Where it begins, while it is open.
    public_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// The last lines that its program wrote, oldest first.
    log: Vec<String>,
}

impl TunnelBody {
    fn of(tunnel: Tunnel) -> Self {
        let there = !matches!(tunnel.state, Is::Stopped | Is::Failed(_));
        Self {
            message: None,
            service: tunnel.kind.name(),
            status: word(&tunnel),
            state: tunnel.state.name(),
            public_url: tunnel.url,
            started_at: tunnel.since.filter(|_| there).map(|at| at.iso()),
            expires_at: tunnel.until.filter(|_| there).map(|at| at.iso()),
            log: tunnel.log,
        }
    }
}

/// The document's word for how it is.
fn word(tunnel: &Tunnel) -> String {
    match &tunnel.state {
        Is::Failed(error) => format!("error: {error}"),
        // its address is asked for again
        Is::Degraded(_) => "running".to_owned(),
        Is::Stopping => "stopped".to_owned(),
        other => other.name().to_owned(),
    }
}

/// A tunnel in the list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TunnelLine {
    status: String,
    public_url: Option<String>,
}

/// All tunnels, by service.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TunnelsBody {
    tunnels: BTreeMap<&'static str, TunnelLine>,
}

/// Which were stopped, by service.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoppedBody {
    message: &'static str,
    results: BTreeMap<&'static str, bool>,
}

/// In the `data` of `/api/mobile/tunnel`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MobileBody {
    running: bool,
    url: Option<String>,
    status: String,
    message: &'static str,
    started_at: Option<String>,
    process_alive: bool,
    last_check: String,
}

impl MobileBody {
    fn of(ctx: &Ctx, tunnel: &Tunnel, message: &'static str) -> Self {
        let running = matches!(tunnel.state, Is::Running | Is::Degraded(_));
        Self {
            running,
            url: tunnel.url.clone(),
            status: word(tunnel),
            message,
            started_at: tunnel.since.filter(|_| running).map(|at| at.iso()),
            process_alive: running,
            last_check: ctx.now.iso(),
        }
    }
}

/// The use cases, where they are switched on.
fn tunnels(app: &App) -> Result<&Arc<Tunnels>> {
    let off = || Error::new(ErrorCode::Unavailable, "Tunnels are switched off on this server (tunnels.enabled)");
    app.tunnels.as_ref().ok_or_else(off)
}

/// What the body asks for.
async fn asked(request: Request) -> Result<Asked> {
    let body = read_body(request, JSON_BYTES_MAX).await?;
    let TunnelRequest { subdomain, auth_token } =
        if body.is_empty() { TunnelRequest::default() } else { parse_json(&body)? };
    let name = match subdomain.filter(|name| !name.is_empty()) {
        None => None,
        Some(name) => Some(
            Name::new(&name)
                .ok_or_else(|| Error::invalid("subdomain", "subdomain must be letters, digits and hyphens"))?,
        ),
    };
    let token = auth_token.filter(|token| !token.expose().is_empty());
    let plain = |token: &Secret<String>| {
        token.expose().len() <= TOKEN_BYTES_MAX && token.expose().bytes().all(|b| b.is_ascii_graphic())
    };
    if token.as_ref().is_some_and(|token| !plain(token)) {
        return Err(Error::invalid("auth_token", "auth_token is no token"));
    }
    Ok(Asked { name, token })
}

async fn start(app: &App, ctx: &Ctx, kind: Kind, request: Request, message: &'static str) -> Answer<TunnelBody> {
    let asked = asked(request).await?;
    let tunnel = tunnels(app)?.start(ctx, kind, asked).await?;
    Ok(Reply::new(ctx, TunnelBody { message: Some(message), ..TunnelBody::of(tunnel) }))
}

async fn stop(app: &App, ctx: &Ctx, kind: Kind, message: &'static str) -> Answer<TunnelBody> {
    let tunnel = tunnels(app)?.stop(ctx, kind).await?;
    Ok(Reply::new(ctx, TunnelBody { message: Some(message), ..TunnelBody::of(tunnel) }))
}

fn status(app: &App, ctx: &Ctx, kind: Kind) -> Answer<TunnelBody> {
    Ok(Reply::new(ctx, TunnelBody::of(tunnels(app)?.status(ctx, kind)?)))
}

/// Open a tunnel by ngrok
///
/// Answers once it is open. One that is open already is left as it is.
#[utoipa::path(post, path = "/ngrok/start", tag = "tunnels", request_body = Option<TunnelRequest>, responses(
    (status = 200, body = Reply<TunnelBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 413, body = Failure), (status = 429, body = Failure),
    (status = 502, description = "The provider's words", body = Failure),
    (status = 503, description = "How to get what is missing", body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn ngrok_start(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    request: Request,
) -> Answer<TunnelBody> {
    start(&app, &ctx, Kind::Ngrok, request, "Ngrok tunnel started").await
}

/// Close the tunnel by ngrok
#[utoipa::path(post, path = "/ngrok/stop", tag = "tunnels", responses(
    (status = 200, body = Reply<TunnelBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn ngrok_stop(State(app): State<Arc<App>>, Known(ctx, _): Known<Localhost>) -> Answer<TunnelBody> {
    stop(&app, &ctx, Kind::Ngrok, "Ngrok tunnel stopped").await
}

/// The tunnel by ngrok
#[utoipa::path(get, path = "/ngrok/status", tag = "tunnels", responses(
    (status = 200, body = Reply<TunnelBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = [])))]
pub(crate) async fn ngrok_status(State(app): State<Arc<App>>, Known(ctx, _): Known<Localhost>) -> Answer<TunnelBody> {
    status(&app, &ctx, Kind::Ngrok)
}

/// Open a tunnel by localtunnel
///
/// Answers once it is open. One that is open already is left as it is.
#[utoipa::path(post, path = "/localtunnel/start", tag = "tunnels", request_body = Option<TunnelRequest>, responses(
    (status = 200, body = Reply<TunnelBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 413, body = Failure), (status = 429, body = Failure),
    (status = 502, description = "The provider's words", body = Failure),
    (status = 503, description = "How to get what is missing", body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn localtunnel_start(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    request: Request,
) -> Answer<TunnelBody> {
    start(&app, &ctx, Kind::Localtunnel, request, "Localtunnel started").await
}

/// Close the tunnel by localtunnel
#[utoipa::path(post, path = "/localtunnel/stop", tag = "tunnels", responses(
    (status = 200, body = Reply<TunnelBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn localtunnel_stop(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
) -> Answer<TunnelBody> {
    stop(&app, &ctx, Kind::Localtunnel, "Localtunnel stopped").await
}

/// The tunnel by localtunnel
#[utoipa::path(get, path = "/localtunnel/status", tag = "tunnels", responses(
    (status = 200, body = Reply<TunnelBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = [])))]
pub(crate) async fn localtunnel_status(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
) -> Answer<TunnelBody> {
    status(&app, &ctx, Kind::Localtunnel)
}

/// Open a tunnel by cloudflared
///
/// Answers once it is open. One that is open already is left as it is.
#[utoipa::path(post, path = "/cloudflared/start", tag = "tunnels", request_body = Option<TunnelRequest>, responses(
    (status = 200, body = Reply<TunnelBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 413, body = Failure), (status = 429, body = Failure),
    (status = 502, description = "The provider's words", body = Failure),
    (status = 503, description = "How to get what is missing", body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn cloudflared_start(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    request: Request,
) -> Answer<TunnelBody> {
    start(&app, &ctx, Kind::Cloudflared, request, "Cloudflared tunnel started").await
}

/// Close the tunnel by cloudflared
#[utoipa::path(post, path = "/cloudflared/stop", tag = "tunnels", responses(
    (status = 200, body = Reply<TunnelBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn cloudflared_stop(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
) -> Answer<TunnelBody> {
    stop(&app, &ctx, Kind::Cloudflared, "Cloudflared tunnel stopped").await
}

/// The tunnel by cloudflared
#[utoipa::path(get, path = "/cloudflared/status", tag = "tunnels", responses(
    (status = 200, body = Reply<TunnelBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = [])))]
pub(crate) async fn cloudflared_status(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
) -> Answer<TunnelBody> {
    status(&app, &ctx, Kind::Cloudflared)
}

/// All tunnels
#[utoipa::path(get, path = "/tunnels/status", tag = "tunnels", responses(
    (status = 200, body = Reply<TunnelsBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = [])))]
pub(crate) async fn all(State(app): State<Arc<App>>, Known(ctx, _): Known<Localhost>) -> Answer<TunnelsBody> {
    let mut found = BTreeMap::new();
    for kind in Kind::ALL {
        let tunnel = tunnels(&app)?.status(&ctx, kind)?;
        found.insert(kind.name(), TunnelLine { status: word(&tunnel), public_url: tunnel.url });
    }
    Ok(Reply::new(&ctx, TunnelsBody { tunnels: found }))
}

/// Close all tunnels
#[utoipa::path(post, path = "/tunnels/stop-all", tag = "tunnels", responses(
    (status = 200, body = Reply<StoppedBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn stop_all(State(app): State<Arc<App>>, Known(ctx, _): Known<Localhost>) -> Answer<StoppedBody> {
    let mut results = BTreeMap::new();
    for kind in Kind::ALL {
        tunnels(&app)?.stop(&ctx, kind).await?;
        results.insert(kind.name(), true);
    }
    Ok(Reply::new(&ctx, StoppedBody { message: "All tunnels stopped", results }))
}

/// Open a tunnel for a telephone
///
/// By cloudflared.
#[utoipa::path(post, path = "/mobile/tunnel/start", tag = "tunnels", responses(
    (status = 200, body = Reply<Data<MobileBody>>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 413, body = Failure), (status = 429, body = Failure),
    (status = 502, description = "The provider's words", body = Failure),
    (status = 503, description = "How to get what is missing", body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn mobile_start(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
) -> Answer<Data<MobileBody>> {
    let tunnel = tunnels(&app)?.start(&ctx, Kind::Cloudflared, Asked::default()).await?;
    Ok(Reply::new(&ctx, Data { data: MobileBody::of(&ctx, &tunnel, "Tunnel started") }))
}

/// Close the tunnel for a telephone
#[utoipa::path(post, path = "/mobile/tunnel/stop", tag = "tunnels", responses(
    (status = 200, body = Reply<Data<MobileBody>>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn mobile_stop(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
) -> Answer<Data<MobileBody>> {
    let tunnel = tunnels(&app)?.stop(&ctx, Kind::Cloudflared).await?;
    Ok(Reply::new(&ctx, Data { data: MobileBody::of(&ctx, &tunnel, "Tunnel stopped") }))
}

/// The tunnel for a telephone
#[utoipa::path(get, path = "/mobile/tunnel/status", tag = "tunnels", responses(
    (status = 200, body = Reply<Data<MobileBody>>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = [])))]
pub(crate) async fn mobile_status(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
) -> Answer<Data<MobileBody>> {
    let tunnel = tunnels(&app)?.status(&ctx, Kind::Cloudflared)?;
    Ok(Reply::new(&ctx, Data { data: MobileBody::of(&ctx, &tunnel, "") }))
}
