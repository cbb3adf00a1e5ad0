//! The document's routes beside the socket.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json as Reply, Router};
use http::StatusCode;
use orrery_app::App;
use orrery_app::events::Event;
use orrery_app::hub::{Channel, Health, Status};
use orrery_http_kit::{Anonymous, Auth, Fail, Json, Segment};
use orrery_identity::Action;
use orrery_kernel::{Error, ErrorCode};
use orrery_protocol::aether::{
    BroadcastData, ChannelBody, ChannelRequest, ChannelsReply, ErrorFrame, Member, StatusChannels, StatusConnections,
    StatusHealth, StatusReply, TicketReply,
};
use orrery_realtime::{ChannelConfig, Mode, Put};
use serde::Serialize;
use utoipa::ToSchema;

use crate::dialect::user_id;
use crate::{Aether, Shared, talk};

/// How the sockets are
#[utoipa::path(get, path = "/ws/status", tag = "channels", responses(
    (status = 200, description = "healthy or degraded", body = StatusReply), (status = 503, body = StatusReply)))]
pub(crate) async fn status(
    State(app): State<Arc<App>>,
    Extension(shared): Extension<Arc<Shared>>,
    Anonymous(_, _): Anonymous<Aether>,
) -> Result<Response, Fail<Aether>> {
    let found = app.hub.status();
    let health = match found.health {
        Health::Healthy if *shared.draining.borrow() => Health::Degraded,
        health => health,
    };
    let code = if health == Health::Down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let body = StatusReply {
        status: health.name(),
        connections: StatusConnections { active: found.active, total: found.total },
        channels: StatusChannels { active: found.channels, messages_per_second: found.messages_per_second },
        active_users: found.users,
        connection_health: StatusHealth { waiting_bytes: found.waiting_bytes, waiting_bytes_most: found.waiting_most },
    };
    Ok((code, Reply(body)).into_response())
}

fn member((user, client): orrery_app::hub::Member) -> Member {
    Member { user_id: user_id(user), client_id: client.to_string() }
}

fn body(channel: &Channel) -> ChannelBody {
    let config = channel.config();
    let position = channel.position();
    let members = || channel.members().into_iter().map(member).collect();
    ChannelBody {
        name: channel.name.to_string(),
        max_connections: config.max_connections,
        message_rate_limit: config.message_rate_limit,
        require_auth: config.require_auth,
        history_size: config.history_size,
        history_ttl_s: config.history_ttl.as_secs(),
        mode: config.mode.name(),
        conflate_ms: u64::try_from(config.conflate.as_millis()).unwrap_or(u64::MAX),
        presence: config.presence,
        connections: channel.connections(),
        offset: position.as_ref().map(|p| p.offset),
        epoch: position.map(|p| p.epoch.to_string()),
        members: config.presence.then(members),
    }
}

/// The same with connections and members of all nodes.
async fn whole(app: &App, channel: &Channel) -> ChannelBody {
    let present = app.hub.present(channel).await;
    let shown = body(channel);
    let members = shown.members.is_some().then(|| present.members.into_iter().map(member).collect());
    ChannelBody { connections: present.connections, members, ..shown }
}

/// Channels configured or in use
#[utoipa::path(get, path = "/ws/channels", tag = "channels", security(("bearer" = [])), responses(
    (status = 200, body = ChannelsReply), (status = 401, body = ErrorFrame<'static>)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<Aether>,
) -> Result<Reply<ChannelsReply>, Fail<Aether>> {
    let caller = ctx.authorize(Action::ReadOwn)?;
    let admin = orrery_identity::authorize(caller, Action::Administer).is_ok();
    let channels = app.hub.list();
    // what others named and use is theirs; who administers sees it all
    let shown: Vec<_> = channels.into_iter().filter(|c| admin || c.is_configured()).collect();
    let totals = app.hub.totals(&shown).await;
    let line = |(channel, connections)| ChannelBody { members: None, connections, ..body(channel) };
    Ok(Reply(ChannelsReply { channels: shown.iter().map(|c| &**c).zip(totals).map(line).collect() }))
}

/// One channel
#[utoipa::path(get, path = "/ws/channels/{name}", tag = "channels", security(("bearer" = [])),
    params(("name" = String, Path)), responses((status = 200, body = ChannelBody),
    (status = 401, body = ErrorFrame<'static>), (status = 404, body = ErrorFrame<'static>)))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<Aether>,
    Segment(name, _): Segment<Aether>,
) -> Result<Reply<ChannelBody>, Fail<Aether>> {
    ctx.authorize(Action::ReadOwn)?;
    let found = app.hub.list().into_iter().find(|c| *c.name == *name);
    let channel = found.ok_or_else(|| Error::new(ErrorCode::NotFound, "Channel not found"))?;
    Ok(Reply(whole(&app, &channel).await))
}

fn changed(old: &ChannelConfig, request: &ChannelRequest) -> Result<ChannelConfig, Error> {
    let mode = match request.mode.as_deref() {
        None => old.mode,
        Some(name) => Mode::parse(name).ok_or_else(|| Error::invalid("mode", "mode must be stream or latest"))?,
    };
    Ok(ChannelConfig {
        max_connections: request.max_connections.unwrap_or(old.max_connections),
        message_rate_limit: request.message_rate_limit.unwrap_or(old.message_rate_limit),
        require_auth: request.require_auth.unwrap_or(old.require_auth),
        history_size: request.history_size.unwrap_or(old.history_size),
        history_ttl: request.history_ttl_s.map_or(old.history_ttl, |s| Duration::from_secs(u64::from(s))),
        mode,
        conflate: request.conflate_ms.map_or(old.conflate, |ms| Duration::from_millis(u64::from(ms))),
        presence: request.presence.unwrap_or(old.presence),
    })
}

/// Create a channel or change it
#[utoipa::path(post, path = "/ws/channels", tag = "channels", security(("bearer" = [])), request_body = ChannelRequest,
    responses((status = 201, description = "created", body = ChannelBody),
    (status = 200, description = "changed", body = ChannelBody), (status = 400, body = ErrorFrame<'static>),
    (status = 401, body = ErrorFrame<'static>), (status = 403, body = ErrorFrame<'static>)))]
pub(crate) async fn configure(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<Aether>,
    Json(request, _): Json<Aether, ChannelRequest>,
) -> Result<Response, Fail<Aether>> {
    ctx.authorize(Action::Administer)?;
    let known = app.hub.list().into_iter().find(|c| *c.name == *request.name);
    let old = known.map(|c| c.config().as_ref().clone()).unwrap_or_default();
    let put = app.hub.configure(&request.name, changed(&old, &request)?).await?;
    app.auth.record_act(&ctx, "channel", request.name.clone()).await;
    app.events.send(Event::Channels);
    let code = if put == Put::Created { StatusCode::CREATED } else { StatusCode::OK };
    let found = app.hub.list().into_iter().find(|c| *c.name == *request.name);
    let channel = found.ok_or_else(|| Error::internal("the channel is gone again"))?;
    Ok((code, Reply(whole(&app, &channel).await)).into_response())
}

/// What was removed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Removed {
    /// Name.
    name: String,
    /// `true`.
    deleted: bool,
}

/// Remove a channel's configuration and history
#[utoipa::path(delete, path = "/ws/channels/{name}", tag = "channels", security(("bearer" = [])),
    params(("name" = String, Path)), responses((status = 200, body = Removed),
    (status = 401, body = ErrorFrame<'static>), (status = 403, body = ErrorFrame<'static>),
    (status = 404, body = ErrorFrame<'static>)))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<Aether>,
    Segment(name, _): Segment<Aether>,
) -> Result<Reply<Removed>, Fail<Aether>> {
    ctx.authorize(Action::Administer)?;
    app.hub.remove(&name).await?;
    app.auth.record_act(&ctx, "channel-remove", name.clone()).await;
    app.events.send(Event::Channels);
    Ok(Reply(Removed { name, deleted: true }))
}

/// A one-time ticket for the socket's URL
#[utoipa::path(post, path = "/ws/ticket", tag = "channels", security(("bearer" = [])), responses(
    (status = 200, body = TicketReply), (status = 401, body = ErrorFrame<'static>),
    (status = 403, description = "API keys have no session", body = ErrorFrame<'static>)))]
pub(crate) async fn ticket(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<Aether>,
) -> Result<Reply<TicketReply>, Fail<Aether>> {
    let ticket = app.auth.issue_ticket(&ctx)?;
    Ok(Reply(TicketReply { ticket: ticket.expose().clone(), expires_in_s: 30 }))
}

/// An operator's word.
#[derive(serde::Deserialize, ToSchema)]
pub(crate) struct BroadcastRequest {
    /// Words.
    message: String,
    /// `info`, `warning` or `error`.
    #[serde(default)]
    severity: Option<String>,
    /// Only there.
    #[serde(default)]
    channel: Option<String>,
}

/// What was said.
#[derive(Serialize, ToSchema)]
pub(crate) struct Said {
    /// `true`.
    sent: bool,
}

/// Say something to everybody, or to a channel
#[utoipa::path(post, path = "/ws/broadcast", tag = "channels", security(("bearer" = [])),
    request_body = BroadcastRequest, responses((status = 200, body = Said), (status = 400, body = ErrorFrame<'static>),
    (status = 401, body = ErrorFrame<'static>), (status = 403, body = ErrorFrame<'static>)))]
pub(crate) async fn broadcast(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<Aether>,
    Json(request, _): Json<Aether, BroadcastRequest>,
) -> Result<Reply<Said>, Fail<Aether>> {
    ctx.authorize(Action::Administer)?;
    let BroadcastRequest { message, severity, channel } = request;
    let asked = BroadcastData { message, severity, channel };
    let severity = talk::severity(asked.severity.as_deref())?;
    talk::say(&app, &asked, severity).await?;
    app.auth.record_act(&ctx, "broadcast", asked.channel.unwrap_or_default()).await;
    Ok(Reply(Said { sent: true }))
}

/// Connections.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConnectionFigures {
    active: usize,
    total: u64,
    users: usize,
    waiting_bytes: usize,
    waiting_bytes_most: usize,
}

/// Messages.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageFigures {
    accepted_total: u64,
    per_second: f64,
    late_total: u64,
}

/// Channels.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChannelFigures {
    active: usize,
    known: usize,
    channels: Vec<ChannelFigure>,
}

/// A channel with connections.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChannelFigure {
    name: String,
    /// Of all nodes.
    connections: usize,
    /// Of this one.
    connections_here: usize,
    offset: u64,
}

/// Error frames by code.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorFigures {
    total: u64,
    by_code: BTreeMap<String, u64>,
}

/// Most channels listed in [`ChannelFigures`], the fullest first.
const FIGURES_MAX: usize = 1_000;

fn connections(status: &Status) -> ConnectionFigures {
    ConnectionFigures {
        active: status.active,
        total: status.total,
        users: status.users,
        waiting_bytes: status.waiting_bytes,
        waiting_bytes_most: status.waiting_most,
    }
}

fn messages(status: &Status) -> MessageFigures {
    MessageFigures { accepted_total: status.messages, per_second: status.messages_per_second, late_total: status.late }
}

async fn channel_figures(app: &App) -> ChannelFigures {
    let all = app.hub.list();
    let totals = app.hub.totals(&all).await;
    let mut channels: Vec<_> = all
        .iter()
        .zip(totals)
        .map(|(c, connections)| ChannelFigure {
            name: c.name.to_string(),
            connections,
            connections_here: c.connections(),
            offset: c.position().map_or(0, |p| p.offset),
        })
        .filter(|c| c.connections > 0)
        .collect();
    channels.sort_by(|a, b| b.connections.cmp(&a.connections).then(a.name.cmp(&b.name)));
    let active = channels.len();
    channels.truncate(FIGURES_MAX);
    ChannelFigures { active, known: all.len(), channels }
}

fn error_figures(shared: &Shared) -> ErrorFigures {
    let by_code: BTreeMap<String, u64> = shared.errors().into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    ErrorFigures { total: by_code.values().sum(), by_code }
}

/// Figures of connections
#[utoipa::path(get, path = "/metrics/connections", tag = "channels", security(("bearer" = [])), responses(
    (status = 200, body = ConnectionFigures), (status = 401, body = ErrorFrame<'static>)))]
pub(crate) async fn figures_connections(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<Aether>,
) -> Result<Reply<ConnectionFigures>, Fail<Aether>> {
    ctx.authorize(Action::ReadOwn)?;
    Ok(Reply(connections(&app.hub.status())))
}

/// Figures of messages
#[utoipa::path(get, path = "/metrics/messages", tag = "channels", security(("bearer" = [])), responses(
    (status = 200, body = MessageFigures), (status = 401, body = ErrorFrame<'static>)))]
pub(crate) async fn figures_messages(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<Aether>,
) -> Result<Reply<MessageFigures>, Fail<Aether>> {
    ctx.authorize(Action::ReadOwn)?;
    Ok(Reply(messages(&app.hub.status())))
}

/// Figures of channels
#[utoipa::path(get, path = "/metrics/channels", tag = "channels", security(("bearer" = [])), responses(
    (status = 200, body = ChannelFigures), (status = 401, body = ErrorFrame<'static>),
    (status = 403, body = ErrorFrame<'static>)))]
pub(crate) async fn figures_channels(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<Aether>,
) -> Result<Reply<ChannelFigures>, Fail<Aether>> {
    ctx.authorize(Action::ReadOwn)?;
    Ok(Reply(channel_figures(&app).await))
}

/// Error frames so far
#[utoipa::path(get, path = "/metrics/errors", tag = "channels", security(("bearer" = [])), responses(
    (status = 200, body = ErrorFigures), (status = 401, body = ErrorFrame<'static>)))]
pub(crate) async fn figures_errors(
    Extension(shared): Extension<Arc<Shared>>,
    Auth(ctx, _): Auth<Aether>,
) -> Result<Reply<ErrorFigures>, Fail<Aether>> {
    ctx.authorize(Action::ReadOwn)?;
    Ok(Reply(error_figures(&shared)))
}

pub(crate) fn figures_for_users() -> Router<Arc<App>> {
    Router::new()
        .route("/metrics/connections", get(figures_connections))
        .route("/metrics/messages", get(figures_messages))
        .route("/metrics/channels", get(figures_channels))
        .route("/metrics/errors", get(figures_errors))
}

/// The same without a token: for a listener that only this machine reaches.
pub(crate) fn figures_alone() -> Router<Arc<App>> {
    Router::new()
        .route("/metrics/connections", get(async |State(app): State<Arc<App>>| Reply(connections(&app.hub.status()))))
        .route("/metrics/messages", get(async |State(app): State<Arc<App>>| Reply(messages(&app.hub.status()))))
        .route("/metrics/channels", get(async |State(app): State<Arc<App>>| Reply(channel_figures(&app).await)))
        .route("/metrics/errors", get(async |Extension(shared): Extension<Arc<Shared>>| Reply(error_figures(&shared))))
}
