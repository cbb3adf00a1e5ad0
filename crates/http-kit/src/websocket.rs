//! WebSockets (RFC 6455) for connections of the hub: the handshake, then one task that reads what the client
//! sends and writes what the hub queued, merged into as few writes as it fits in.
//!
//! Bounds: a message of the client as given, 64 frames a write. Nothing is buffered for a silent
//! connection: reads go through a piece of the stack.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use orrery_app::hub::{Conn, DirectSocket, Ending, Hub};
use orrery_kernel::Clock;
use orrery_realtime::{Decoder, FrameError, Message, frame};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Frames of one write.
const WRITE_FRAMES: usize = 64;
/// Bytes of one write, about.
const WRITE_BYTES: usize = 262_144;
/// Bytes of one read.
const READ_BYTES: usize = 16_384;
/// How long a client may take to close after it was told to.
const LINGER: Duration = Duration::from_secs(2);
/// RFC 6455 §1.3.
const ACCEPT_SALT: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A WebSocket that was agreed on and is not open yet.
pub struct Upgrade {
    on: OnUpgrade,
    direct: Option<DirectSocket>,
    /// Subprotocols that the client offers, in its order.
    pub protocols: Vec<String>,
    accept: HeaderValue,
}

/// An open WebSocket that nobody reads or writes yet.
pub struct Socket(TokioIo<Upgraded>, Option<DirectSocket>);

impl Socket {
    /// The bytes themselves, for who speaks frames without the hub.
    pub fn into_io(self) -> impl AsyncRead + AsyncWrite + Send + Unpin + 'static {
        self.0
    }
}

fn has(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    let values = headers.get_all(name);
    values
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|w| w.trim().eq_ignore_ascii_case(word))
}

/// Does the request ask for a WebSocket?
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    has(headers, header::UPGRADE, "websocket") && has(headers, header::CONNECTION, "upgrade")
}

impl Upgrade {
    /// Checks the handshake (RFC 6455 §4.2.1).
    ///
    /// # Errors
    /// The answer to give instead: 426, 400.
    pub fn of(mut request: Request) -> Result<Self, Box<Response>> {
        let headers = request.headers();
        if request.version() != Version::HTTP_11 || !is_upgrade(headers) {
            let asks = [(header::UPGRADE, "websocket"), (header::CONNECTION, "upgrade")];
            return Err(Box::new(
                (StatusCode::UPGRADE_REQUIRED, asks, "A WebSocket handshake is needed here").into_response(),
            ));
        }
        if !has(headers, header::SEC_WEBSOCKET_VERSION, "13") {
            let knows = [(header::SEC_WEBSOCKET_VERSION, "13")];
            return Err(Box::new(
                (StatusCode::UPGRADE_REQUIRED, knows, "WebSocket version 13 is needed").into_response(),
            ));
        }
        let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
        if STANDARD.decode(key).map_or(0, |nonce| nonce.len()) != 16 {
            return Err(Box::new(
                (StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is not 16 bytes in base64").into_response(),
            ));
        }
        let accept = STANDARD.encode(Sha1::new().chain_update(key).chain_update(ACCEPT_SALT).finalize());
        // base64 needs no escaping
        let accept = HeaderValue::from_str(&accept).unwrap_or(HeaderValue::from_static(""));
        let protocols = headers
            .get_all(header::SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(','))
            .map(|p| p.trim().to_owned())
            .collect();
        let direct = request.extensions().get::<DirectSocket>().cloned();
        Ok(Self { on: hyper::upgrade::on(&mut request), direct, protocols, accept })
    }

    /// The answer 101 with the chosen subprotocol, and the socket once that is written.
    pub fn accept(self, protocol: Option<&str>) -> (Response, impl Future<Output = Option<Socket>> + Send + 'static) {
        let mut response =
            (StatusCode::SWITCHING_PROTOCOLS, [(header::UPGRADE, "websocket"), (header::CONNECTION, "upgrade")])
                .into_response();
        let headers = response.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(protocol) = protocol.and_then(|p| HeaderValue::from_str(p).ok()) {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        // a body's length has no place in a 101
        headers.remove(header::CONTENT_LENGTH);
        let (on, direct) = (self.on, self.direct);
        (response, async move {
            match on.await {
                Ok(upgraded) => Some(Socket(TokioIo::new(upgraded), direct)),
                Err(error) => {
                    tracing::debug!(%error, "a client left before its WebSocket was open");
                    None
                }
            }
        })
    }
}

/// What becomes of a client's messages.
pub trait Inbound: Send {
    /// A text. The next one is read when this one is dealt with.
    fn text(&mut self, text: String) -> Pin<Box<dyn Future<Output = ControlFlow<()>> + Send + '_>>;
}

/// Writes the frames and closes: for those who may not come in.
pub async fn turn_away(socket: Socket, frames: &[Bytes]) {
    let mut io = socket.0;
    let write = async {
        for frame in frames {
            io.write_all(frame).await?;
        }
        io.flush().await
    };
    if tokio::time::timeout(LINGER, write).await.is_ok_and(|written| written.is_ok()) {
        linger(&mut io).await;
    }
}

/// Serves the connection to its end.
pub async fn serve(
    socket: Socket,
    hub: &Hub,
    conn: Arc<Conn>,
    clock: Arc<dyn Clock>,
    bytes_max: usize,
    inbound: impl Inbound,
) {
    let Socket(io, direct) = socket;
    if let Some(direct) = direct {
        hub.write_to(&conn, direct);
    }
    let (mut reader, mut writer) = tokio::io::split(io);
    let gone = {
        let reading = read(&mut reader, &conn, &*clock, bytes_max, inbound);
        let writing = async {
            match conn.is_direct() {
                true => conn.drive(&*clock).await,
                false => write(&mut writer, &conn, &*clock).await,
            }
        };
        tokio::pin!(reading, writing);
        tokio::select! {
            biased;
            written = &mut writing => written.is_err(),
            ended = &mut reading => match ended {
                // the goodbye, and what was queued before it
                Ok(()) => !tokio::time::timeout(LINGER, writing).await.is_ok_and(|written| written.is_ok()),
                Err(_) => true,
            },
        }
    };
    if !gone {
        let mut io = reader.unsplit(writer);
        linger(&mut io).await;
    }
}

/// Closes our side, and reads until the client closes its own: an early reset would take away what is not
/// read yet.
async fn linger(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let ending = async {
        io.shutdown().await?;
        let mut rest = [0; 512];
        while io.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(LINGER, ending).await;
}

/// `Ok`: the connection is to close, and its last frame is queued.
async fn read(
    reader: &mut (impl AsyncRead + Unpin),
    conn: &Conn,
    clock: &dyn Clock,
    bytes_max: usize,
    mut inbound: impl Inbound,
) -> io::Result<()> {
    let mut decoder = Decoder::new(bytes_max);
    loop {
        let read = poll_fn(|cx| {
            let mut space = [MaybeUninit::uninit(); READ_BYTES];
            let mut space = ReadBuf::uninit(&mut space);
            match Pin::new(&mut *reader).poll_read(cx, &mut space) {
                Poll::Ready(Ok(())) => {
                    decoder.feed(space.filled());
                    Poll::Ready(Ok(space.filled().len()))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        conn.heard(clock.now());
        loop {
            let close = |code: u16, reason: &str| conn.close(&Ending::Other { code, reason: reason.to_owned() });
            match decoder.next_message() {
                Ok(None) => break,
                Ok(Some(Message::Text(text))) => {
                    if inbound.text(text).await.is_break() {
                        return Ok(());
                    }
                }
                Ok(Some(Message::Binary(_))) => {
                    close(1003, "Text is expected");
                    return Ok(());
                }
                Ok(Some(Message::Ping(payload))) => conn.send(frame::pong(&payload), clock.now()),
                Ok(Some(Message::Pong(_))) => {}
                Ok(Some(Message::Close(why))) => {
                    close(why.map_or(1000, |c| c.code), "");
                    return Ok(());
                }
                Err(error) => {
                    let reason = match error {
                        FrameError::TooLarge => "Message too large".to_owned(),
                        other => other.to_string(),
                    };
                    close(error.code(), &reason);
                    return Ok(());
                }
            }
        }
    }
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), conn: &Conn, clock: &dyn Clock) -> io::Result<()> {
    loop {
        let mut batch = Vec::new();
        if conn.next(&mut batch, WRITE_FRAMES, WRITE_BYTES).await.is_none() {
            return Ok(());
        }
        write_batch(writer, &batch).await?;
        conn.wrote(clock.now());
    }
}

async fn write_batch(writer: &mut (impl AsyncWrite + Unpin), batch: &[Bytes]) -> io::Result<()> {
    if let [only] = batch {
        return writer.write_all(only).await;
    }
    let (mut first, mut offset) = (0, 0);
    while first < batch.len() {
        let mut wrote = poll_fn(|cx| {
            let mut slices = [IoSlice::new(&[]); WRITE_FRAMES];
            let rest = &batch[first..];
            for (slice, frame) in slices.iter_mut().zip(rest) {
                *slice = IoSlice::new(frame);
            }
            if let Some(frame) = rest.first() {
                slices[0] = IoSlice::new(&frame[offset..]);
            }
            Pin::new(&mut *writer).poll_write_vectored(cx, &slices[..rest.len().min(WRITE_FRAMES)])
        })
        .await?;
        if wrote == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while let Some(frame) = batch.get(first) {
            let left = frame.len() - offset;
            if wrote < left {
                offset += wrote;
                break;
            }
            (wrote, offset, first) = (wrote - left, 0, first + 1);
        }
    }
    Ok(())
}
