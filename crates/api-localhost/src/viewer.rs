//! The WebSocket of a terminal.
//!
//! To the client: binary frames are output; texts are JSON, `{"type":"screen","rows","columns","writable"}` (an empty
//! terminal of that size is to be shown; the next two binary frames are what is remembered, and the screen) and
//! `{"type":"ended","return_code"}`. From the client: binary frames are typed; texts are `{"type":"input","data"}` and
//! `{"type":"resize","rows","columns"}`.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use orrery_app::events::Event;
use orrery_app::exec::{Exec, View, Viewed};
use orrery_app::{App, Ctx};
use orrery_http_kit::websocket::Upgrade;
use orrery_http_kit::{Fail, Known, Segment, browser};
use orrery_identity::Proof;
use orrery_realtime::{Decoder, Message, frame};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::broadcast::error::RecvError;

use crate::Localhost;
use crate::execute::exec;
use crate::reply::Failure;
use crate::terminals::size;

/// Longest message of a client.
const MESSAGE_BYTES_MAX: usize = 65_536;
/// Proxies cut connections that are silent for a minute.
const PING: Duration = Duration::from_secs(20);
/// A client that takes nothing for so long is gone.
const WRITE_TIME: Duration = Duration::from_secs(30);

/// What a client says in a text.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said {
    Input { data: String },
    Resize { rows: u16, columns: u16 },
}

/// A terminal's WebSocket
#[utoipa::path(get, path = "/terminal/socket/{session_id}", tag = "terminals",
    params(("session_id" = String, Path, description = "From /api/terminal/open or the list")), responses(
    (status = 101, description = "The terminal follows: its screen first"), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 404, body = Failure),
    (status = 426, description = "It is a WebSocket"), (status = 429, body = Failure),
    (status = 503, body = Failure)), security(("bearer" = []), ("session" = [])))]
pub(crate) async fn socket(State(app): State<Arc<App>>, request: Request) -> Response {
    match begin(&app, request).await {
        Ok(response) => response,
        Err(fail) => fail.into_response(),
    }
}

async fn begin(app: &Arc<App>, request: Request) -> Result<Response, Fail<Localhost>> {
    let (mut parts, body) = request.into_parts();
    // any page can open a WebSocket, and its cookie comes along
    browser::same_site(&parts)?;
    let Known(ctx, _) = Known::<Localhost>::from_request_parts(&mut parts, app).await?;
    let Segment(session, _) = Segment::<Localhost>::from_request_parts(&mut parts, app).await?;
    let exec = exec(app)?.clone();
    let view = exec.view_session(&ctx, &session).await?;
    let upgrade = match Upgrade::of(Request::from_parts(parts, body)) {
        Ok(upgrade) => upgrade,
        Err(response) => return Ok(*response),
    };
    let (response, socket) = upgrade.accept(None);
    let (app, viewer) = (app.clone(), exec.clone());
    exec.spawn_viewer(async move {
        if let Some(socket) = socket.await {
            serve(socket.into_io(), view, &app, &viewer, &ctx).await;
        }
    });
    Ok(response)
}

/// Writes frames; `Break` when the client is gone.
async fn write(to: &mut (impl AsyncWrite + Unpin), frames: &[Bytes]) -> ControlFlow<()> {
    let writing = async {
        for frame in frames {
            to.write_all(frame).await?;
        }
        to.flush().await
    };
    match tokio::time::timeout(WRITE_TIME, writing).await {
        Ok(Ok(())) => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    }
}

fn frames(seen: &Viewed, writable: bool) -> Vec<Bytes> {
    match seen {
        Viewed::Screen { size, scrollback, snapshot } => {
            let text = json!({"type": "screen", "rows": size.rows, "columns": size.columns, "writable": writable});
            vec![frame::text(text.to_string().as_bytes()), frame::binary(scrollback), frame::binary(snapshot)]
        }
        Viewed::Output(bytes) => vec![frame::binary(bytes)],
        Viewed::Ended(code) => {
            let text = json!({"type": "ended", "return_code": code});
            vec![frame::text(text.to_string().as_bytes()), frame::close(1000, "The program ended")]
        }
    }
}

/// Is the caller still who they were?
async fn still(app: &App, ctx: &Ctx) -> bool {
    match ctx.caller.as_ref().map(|caller| &caller.proof) {
        Some(Proof::Session(id)) => app.auth.authenticate_session(id, app.clock.now()).await.is_ok(),
        Some(Proof::Local) => true,
        // whether a key still holds can only be told with the key
        _ => false,
    }
}

async fn serve(io: impl AsyncRead + AsyncWrite + Send + Unpin, mut view: View, app: &App, exec: &Exec, ctx: &Ctx) {
    let (mut reader, mut writer) = tokio::io::split(io);
    let (stopping, mut events) = (exec.stopping(), app.events.subscribe());
    let mut decoder = Decoder::new(MESSAGE_BYTES_MAX);
    let mut bytes = vec![0; 8_192];
    let mut ping = tokio::time::interval(PING);
    let writable = view.writes();
    loop {
        let flow = tokio::select! {
            () = stopping.cancelled() => {
                let _ = write(&mut writer, &[frame::close(1001, "The server stops")]).await;
                return;
            }
            event = events.recv() => match event {
                Ok(Event::Access) | Err(RecvError::Lagged(_)) if !still(app, ctx).await => {
                    let _ = write(&mut writer, &[frame::close(4401, "Log in again")]).await;
                    return;
                }
                Err(RecvError::Closed) => return,
                _ => ControlFlow::Continue(()),
            },
            _ = ping.tick() => write(&mut writer, &[frame::ping(b"")]).await,
            seen = view.next() => match seen {
                Some(seen) => write(&mut writer, &frames(&seen, writable)).await,
                None => {
                    let _ = write(&mut writer, &[frame::close(1000, "")]).await;
                    return;
                }
            },
            read = reader.read(&mut bytes) => match read {
                Ok(0) | Err(_) => return,
                Ok(n) => {
                    decoder.feed(bytes.get(..n).unwrap_or_default());
                    heard(&mut decoder, &view, &mut writer).await
                }
            },
        };
        if flow.is_break() {
            return;
        }
    }
}

/// Does what the client said.
async fn heard(decoder: &mut Decoder, view: &View, writer: &mut (impl AsyncWrite + Unpin)) -> ControlFlow<()> {
    loop {
        let done = match decoder.next_message() {
            Ok(None) => return ControlFlow::Continue(()),
            Ok(Some(Message::Binary(typed))) => view.write(&typed).await,
            Ok(Some(Message::Text(text))) => match serde_json::from_str(&text) {
                Ok(Said::Input { data }) => view.write(data.as_bytes()).await,
                Ok(Said::Resize { rows, columns }) => match size(Some(rows), Some(columns)) {
                    Ok(size) => view.resize(size),
                    Err(error) => Err(error),
                },
                Err(_) => {
                    write(writer, &[frame::close(1007, "Not understood")]).await?;
                    return ControlFlow::Break(());
                }
            },
            Ok(Some(Message::Ping(payload))) => {
                write(writer, &[frame::pong(&payload)]).await?;
                Ok(())
            }
            Ok(Some(Message::Pong(_))) => Ok(()),
            Ok(Some(Message::Close(why))) => {
                let _ = write(writer, &[frame::close(why.map_or(1000, |c| c.code), "")]).await;
                return ControlFlow::Break(());
            }
            Err(error) => {
                let _ = write(writer, &[frame::close(error.code(), "Not understood")]).await;
                return ControlFlow::Break(());
            }
        };
        if let Err(error) = done {
            let text = json!({"type": "error", "error": error.public});
            write(writer, &[frame::text(text.to_string().as_bytes())]).await?;
        }
    }
}
