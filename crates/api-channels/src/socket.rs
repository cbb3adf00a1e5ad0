//! From a request to an open, known connection.

use std::sync::Arc;

use axum::Extension;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use orrery_app::hub::{Connecting, Credential, Who};
use orrery_http_kit::websocket::{self, Socket, Upgrade};
use orrery_http_kit::{ErrorShape, RequestMeta};
use orrery_identity::{Caller, Proof};
use orrery_kernel::{Error, ErrorCode, Secret, Timestamp};
use orrery_protocol::aether::{Joined, ServerFrame};
use orrery_realtime::{Position, frame};

use crate::dialect::{text, user_id};
use crate::talk::Talk;
use crate::{Aether, Shared, shape};

/// Longest name that a client may give itself.
const CLIENT_CHARS_MAX: usize = 128;
/// In front of a token in `Sec-WebSocket-Protocol`.
const BEARER_PROTOCOL: &str = "bearer.";

/// The query's parameters; further ones are ignored.
#[derive(Default)]
struct Asked {
    token: Option<Secret<String>>,
    ticket: Option<Secret<String>>,
    client_id: Option<String>,
    channel: Option<String>,
    since: Option<u64>,
    epoch: Option<String>,
}

impl Asked {
    fn of(query: &str) -> Result<Self, Error> {
        let bad = |field: &'static str| Error::invalid(field, format!("{field} is not valid"));
        let uri = http::Uri::builder().path_and_query(format!("/?{query}")).build().map_err(|_| bad("query"))?;
        let pairs: Vec<(String, String)> = axum::extract::Query::try_from_uri(&uri)
            .map(|axum::extract::Query(pairs)| pairs)
            .map_err(|_| bad("query"))?;
        let mut asked = Self::default();
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            match name.as_str() {
                "token" => asked.token = Some(Secret::new(value)),
                "ticket" => asked.ticket = Some(Secret::new(value)),
                "client_id" => asked.client_id = Some(value),
                "channel" => asked.channel = Some(value),
                "since" => asked.since = Some(value.parse().map_err(|_| bad("since"))?),
                "epoch" => asked.epoch = Some(value),
                _ => {}
            }
        }
        let fits = |id: &String| id.chars().count() <= CLIENT_CHARS_MAX && !id.chars().any(char::is_control);
        if !asked.client_id.as_ref().is_none_or(fits) {
            return Err(Error::invalid(
                "client_id",
                "client_id must have at most 128 characters and no control characters",
            ));
        }
        Ok(asked)
    }
}

/// What was offered as proof.
enum Offered {
    Nothing,
    Token(Secret<String>),
    Ticket(Secret<String>),
}

fn offered(asked: &mut Asked, headers: &HeaderMap, protocols: &[String]) -> Offered {
    if let Some(ticket) = asked.ticket.take() {
        return Offered::Ticket(ticket);
    }
    let header = || {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim().to_owned()))
    };
    let protocol = || protocols.iter().find_map(|p| p.strip_prefix(BEARER_PROTOCOL)).map(|t| Secret::new(t.to_owned()));
    asked.token.take().or_else(header).or_else(protocol).map_or(Offered::Nothing, Offered::Token)
}

/// A user, their proof, and until when it holds.
struct Known {
    caller: Caller,
    credential: Credential,
    until: Option<Timestamp>,
}

async fn know(shared: &Shared, offered: Offered, now: Timestamp) -> Result<Option<Known>, Error> {
    let auth = &shared.app.auth;
    match offered {
        Offered::Nothing => Ok(None),
        Offered::Token(token) => {
            let caller = auth.authenticate(token.expose(), now).await?;
            let until = auth.expiry(token.expose());
            let credential = match &caller.proof {
                Proof::Session(id) => Credential::Session(id.clone()),
                Proof::ApiKey(_) | Proof::Local => Credential::Key(token),
            };
            Ok(Some(Known { caller, credential, until }))
        }
        Offered::Ticket(ticket) => {
            let session = auth.redeem_ticket(ticket.expose(), now).await?;
            let caller = auth.authenticate_session(&session, now).await?;
            let until = auth.session_expiry(&session).await?;
            Ok(Some(Known { caller, credential: Credential::Session(session), until }))
        }
    }
}

/// `GET /ws`. Whoever may not come in learns why from a frame, since browsers hide the answer to a refused
/// handshake.
pub(crate) async fn open(Extension(shared): Extension<Arc<Shared>>, request: Request) -> Response {
    let Some(meta) = request.extensions().get::<RequestMeta>().cloned() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if !websocket::is_upgrade(request.headers()) {
        let error = Error::new(ErrorCode::Invalid, "A WebSocket handshake is needed here");
        return (StatusCode::UPGRADE_REQUIRED, axum::Json(Aether::body(&error))).into_response();
    }
    let asked = Asked::of(request.uri().query().unwrap_or_default());
    let headers = request.headers().clone();
    let upgrade = match Upgrade::of(request) {
        Ok(upgrade) => upgrade,
        Err(refusal) => return *refusal,
    };
    // a browser wants one of what it offered; the token's own protocol only where there is no other
    let protocols = &upgrade.protocols;
    let chosen = protocols.iter().find(|p| !p.starts_with(BEARER_PROTOCOL)).or(protocols.first()).cloned();
    let (asked, proof) = match asked {
        Ok(mut asked) => {
            let proof = offered(&mut asked, &headers, protocols);
            (Ok(asked), proof)
        }
        Err(error) => (Err(error), Offered::Nothing),
    };
    let (response, socket) = upgrade.accept(chosen.as_deref());
    shared.tasks.clone().spawn_connection("channels-socket", async move {
        let Some(socket) = socket.await else { return };
        let begun = match asked {
            Ok(asked) => begin(&shared, asked, proof, &meta).await,
            Err(error) => Err(shape::frame(&error)),
        };
        match begun {
            Ok((talk, conn)) => {
                let (clock, bytes_max) = (shared.app.clock.clone(), shared.options.message_bytes_max);
                websocket::serve(socket, &shared.app.hub, conn.clone(), clock, bytes_max, talk).await;
                shared.app.hub.disconnect(&conn);
            }
            Err(error) => turn_away(&shared, socket, &error).await,
        }
    });
    response
}

type Refusal = orrery_protocol::aether::ErrorFrame<'static>;
type Begun = (Talk, Arc<orrery_app::hub::Conn>);

async fn turn_away(shared: &Shared, socket: Socket, error: &Refusal) {
    let code = known_code(&error.code);
    shared.count(code);
    let reason = match code {
        "token_expired" => "Session expired".into(),
        _ => error.message.clone(),
    };
    let frames: [Bytes; 2] = [text(error), frame::close(shape::close_code(code), &reason)];
    websocket::turn_away(socket, &frames).await;
}

/// The same text, known at compile time: for counting.
pub(crate) fn known_code(code: &str) -> &'static str {
    const CODES: [&str; 14] = [
        "bad_request",
        "invalid_json",
        "unknown_type",
        "message_too_large",
        "unauthorized",
        "token_expired",
        "forbidden",
        "channel_not_found",
        "channel_full",
        "connection_limit",
        "rate_limited",
        "unavailable",
        "shutdown",
        "internal",
    ];
    CODES.into_iter().find(|known| *known == code).unwrap_or("internal")
}

async fn begin(shared: &Arc<Shared>, asked: Asked, offered: Offered, meta: &RequestMeta) -> Result<Begun, Refusal> {
    let (app, now) = (&shared.app, shared.app.clock.now());
    if *shared.draining.borrow() {
        let error = Error::unavailable("Server is going away; reconnect", std::time::Duration::from_secs(1));
        return Err(shape::frame(&error));
    }
    // what changes after this is found by the next check
    let access = app.hub.access_count();
    let known = know(shared, offered, now).await.map_err(|e| refusal(&e))?;
    if known.is_none() && !asked.channel.as_deref().is_some_and(|name| app.hub.is_public(name)) {
        return Err(refusal(&Error::new(ErrorCode::UnauthenticatedMissing, "Unauthorized")));
    }
    let exclusive = asked.client_id.is_some();
    let client = asked.client_id.unwrap_or_else(|| {
        let mut bits = [0; 8];
        app.entropy.fill(&mut bits);
        format!("c{:016x}", u64::from_be_bytes(bits))
    });
    let who = Who { user: known.as_ref().map(|k| k.caller.user), client: client.into() };
    let connecting = Connecting { who, dialect: shared.dialect.clone(), exclusive, address: Some(meta.address) };
    let conn = app.hub.connect(connecting).map_err(|error| {
        let mut frame = shape::frame(&error);
        (frame.code, frame.details.reason) = ("connection_limit".into(), "connection_limit".into());
        frame
    })?;
    if let Some(known) = known {
        conn.prove(known.credential, known.until);
    }
    app.hub.checked(&conn, access);
    let joined = match &asked.channel {
        Some(channel) => {
            let since = asked.since.map(|offset| Position { epoch: asked.epoch.unwrap_or_default().into(), offset });
            app.hub.join(&conn, channel, since.as_ref()).await
        }
        None => {
            let data = Joined {
                client_id: &conn.who.client,
                user_id: user_id(conn.who.user.map(|u| u.0)),
                channel: None,
                offset: None,
                epoch: None,
                recovered: None,
            };
            conn.send(text(&ServerFrame { kind: "connection", action: "connect", data }), now);
            Ok(())
        }
    };
    if let Err(error) = joined {
        app.hub.disconnect(&conn);
        let mut frame = shape::frame(&error);
        frame.details.channel = asked.channel.map(Into::into);
        return Err(frame);
    }
    Ok((Talk::new(shared.clone(), conn.clone(), asked.channel, meta.clone()), conn))
}

/// Why a proof was not good, in the words of the document's system.
fn refusal(error: &Error) -> Refusal {
    let mut frame = shape::frame(error);
    match &*frame.code {
        "unauthorized" => frame.message = "Unauthorized".into(),
        "token_expired" => frame.message = "Token expired".into(),
        _ => {}
    }
    frame.details.component = "auth".into();
    frame
}
