//! `/api/{ngrok,localtunnel,cloudflared}`, `/api/tunnels`, `/api/mobile/tunnel`: tunnels from the internet.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use orrery_app::tunnels::{State as Is, Tunnel, Tunnels};
use orrery_app::{App, Ctx};
use orrery_http_kit::{Fail, JSON_BYTES_MAX, Known, parse_json, read_body};
use orrery_kernel::{Error, ErrorCode, Result, Secret, Timestamp};
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
            started_at: tunnel.since.filter(|_| there).map(Timestamp::iso),
            expires_at: tunnel.until.filter(|_| there).map(Timestamp::iso),
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
            started_at: tunnel.since.filter(|_| running).map(Timestamp::iso),
            process_alive: running,
            last_check: ctx.now.iso(),
        }
    }
}

/// Who asks, and the use cases, where they are switched on.
pub(crate) struct Asker {
    ctx: Ctx,
    tunnels: Arc<Tunnels>,
}

impl FromRequestParts<Arc<App>> for Asker {
    type Rejection = Fail<Localhost>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> std::result::Result<Self, Self::Rejection> {
        let Known(ctx, _) = Known::<Localhost>::from_request_parts(parts, app).await?;
        let off = || Error::new(ErrorCode::Unavailable, "Tunnels are switched off on this server (tunnels.enabled)");
        Ok(Self { ctx, tunnels: app.tunnels.clone().ok_or_else(off)? })
    }
}

impl Asker {
    async fn start(self, kind: Kind, request: Request, message: &'static str) -> Answer<TunnelBody> {
        let tunnel = self.tunnels.start(&self.ctx, kind, asked(request).await?).await?;
        Ok(Reply::new(&self.ctx, TunnelBody { message: Some(message), ..TunnelBody::of(tunnel) }))
    }

    async fn stop(self, kind: Kind, message: &'static str) -> Answer<TunnelBody> {
        let tunnel = self.tunnels.stop(&self.ctx, kind).await?;
        Ok(Reply::new(&self.ctx, TunnelBody { message: Some(message), ..TunnelBody::of(tunnel) }))
    }

    fn status(&self, kind: Kind) -> Answer<TunnelBody> {
        Ok(Reply::new(&self.ctx, TunnelBody::of(self.tunnels.status(&self.ctx, kind)?)))
    }

    fn mobile(&self, tunnel: &Tunnel, message: &'static str) -> Answer<Data<MobileBody>> {
        Ok(Reply::new(&self.ctx, Data { data: MobileBody::of(&self.ctx, tunnel, message) }))
    }
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

/// Open a tunnel by ngrok
///
/// Answers once it is open. One that is open already is left as it is.
#[utoipa::path(post, path = "/ngrok/start", tag = "tunnels", request_body = Option<TunnelRequest>, responses(
    (status = 200, body = Reply<TunnelBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 413, body = Failure), (status = 429, body = Failure),
    (status = 502, description = "The provider's words", body = Failure),
    (status = 503, description = "How to get what is missing", body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn ngrok_start(asker: Asker, request: Request) -> Answer<TunnelBody> {
    asker.start(Kind::Ngrok, request, "Ngrok tunnel started").await
}

/// Close the tunnel by ngrok
#[utoipa::path(post, path = "/ngrok/stop", tag = "tunnels", responses(
    (status = 200, body = Reply<TunnelBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn ngrok_stop(asker: Asker) -> Answer<TunnelBody> {
    asker.stop(Kind::Ngrok, "Ngrok tunnel stopped").await
}

/// The tunnel by ngrok
#[utoipa::path(get, path = "/ngrok/status", tag = "tunnels", responses(
    (status = 200, body = Reply<TunnelBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = [])))]
pub(crate) async fn ngrok_status(asker: Asker) -> Answer<TunnelBody> {
    asker.status(Kind::Ngrok)
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
pub(crate) async fn localtunnel_start(asker: Asker, request: Request) -> Answer<TunnelBody> {
    asker.start(Kind::Localtunnel, request, "Localtunnel started").await
}

/// Close the tunnel by localtunnel
#[utoipa::path(post, path = "/localtunnel/stop", tag = "tunnels", responses(
    (status = 200, body = Reply<TunnelBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn localtunnel_stop(asker: Asker) -> Answer<TunnelBody> {
    asker.stop(Kind::Localtunnel, "Localtunnel stopped").await
}

/// The tunnel by localtunnel
#[utoipa::path(get, path = "/localtunnel/status", tag = "tunnels", responses(
    (status = 200, body = Reply<TunnelBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = [])))]
pub(crate) async fn localtunnel_status(asker: Asker) -> Answer<TunnelBody> {
    asker.status(Kind::Localtunnel)
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
pub(crate) async fn cloudflared_start(asker: Asker, request: Request) -> Answer<TunnelBody> {
    asker.start(Kind::Cloudflared, request, "Cloudflared tunnel started").await
}

/// Close the tunnel by cloudflared
#[utoipa::path(post, path = "/cloudflared/stop", tag = "tunnels", responses(
    (status = 200, body = Reply<TunnelBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn cloudflared_stop(asker: Asker) -> Answer<TunnelBody> {
    asker.stop(Kind::Cloudflared, "Cloudflared tunnel stopped").await
}

/// The tunnel by cloudflared
#[utoipa::path(get, path = "/cloudflared/status", tag = "tunnels", responses(
    (status = 200, body = Reply<TunnelBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = [])))]
pub(crate) async fn cloudflared_status(asker: Asker) -> Answer<TunnelBody> {
    asker.status(Kind::Cloudflared)
}

/// All tunnels
#[utoipa::path(get, path = "/tunnels/status", tag = "tunnels", responses(
    (status = 200, body = Reply<TunnelsBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = [])))]
pub(crate) async fn all(asker: Asker) -> Answer<TunnelsBody> {
    let mut found = BTreeMap::new();
    for kind in Kind::ALL {
        let tunnel = asker.tunnels.status(&asker.ctx, kind)?;
        found.insert(kind.name(), TunnelLine { status: word(&tunnel), public_url: tunnel.url });
    }
    Ok(Reply::new(&asker.ctx, TunnelsBody { tunnels: found }))
}

/// Close all tunnels
#[utoipa::path(post, path = "/tunnels/stop-all", tag = "tunnels", responses(
    (status = 200, body = Reply<StoppedBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn stop_all(asker: Asker) -> Answer<StoppedBody> {
    let mut results = BTreeMap::new();
    for kind in Kind::ALL {
        asker.tunnels.stop(&asker.ctx, kind).await?;
        results.insert(kind.name(), true);
    }
    Ok(Reply::new(&asker.ctx, StoppedBody { message: "All tunnels stopped", results }))
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
pub(crate) async fn mobile_start(asker: Asker) -> Answer<Data<MobileBody>> {
    let tunnel = asker.tunnels.start(&asker.ctx, Kind::Cloudflared, Asked::default()).await?;
    asker.mobile(&tunnel, "Tunnel started")
}

/// Close the tunnel for a telephone
#[utoipa::path(post, path = "/mobile/tunnel/stop", tag = "tunnels", responses(
    (status = 200, body = Reply<Data<MobileBody>>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn mobile_stop(asker: Asker) -> Answer<Data<MobileBody>> {
    let tunnel = asker.tunnels.stop(&asker.ctx, Kind::Cloudflared).await?;
    asker.mobile(&tunnel, "Tunnel stopped")
}

/// The tunnel for a telephone
#[utoipa::path(get, path = "/mobile/tunnel/status", tag = "tunnels", responses(
    (status = 200, body = Reply<Data<MobileBody>>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 429, body = Failure), (status = 503, body = Failure)),
    security(("bearer" = []), ("session" = [])))]
pub(crate) async fn mobile_status(asker: Asker) -> Answer<Data<MobileBody>> {
    let tunnel = asker.tunnels.status(&asker.ctx, Kind::Cloudflared)?;
    asker.mobile(&tunnel, "")
}
