//! Sockets (RFC 6455).

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use orrery_workers::egress::{EgressError, EgressSocket, MESSAGE_BYTES_MAX, Message, Policy, Scheme};
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, OwnedSemaphorePermit};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Error, error::CapacityError};
use url::Url;

use crate::fetch::judged;
use crate::resolve::{Resolver, admitted};

/// Subprotocols that are offered.
const PROTOCOLS_MAX: usize = 16;
/// A goodbye without a code.
const NO_CODE: u16 = 1005;

trait Carrier: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Carrier for T {}

type Stream = WebSocketStream<Box<dyn Carrier>>;

/// A socket that was opened.
pub(crate) struct Opened {
    stream: Stream,
    protocol: String,
}

impl Opened {
    /// In use; it gives its room back when it is dropped.
    pub(crate) fn with(self, send: Duration, room: OwnedSemaphorePermit) -> Socket {
        let (sink, stream) = self.stream.split();
        Socket { protocol: self.protocol, sink: Mutex::new(sink), stream: Mutex::new(stream), send, _room: room }
    }
}

/// A socket in use.
pub(crate) struct Socket {
    protocol: String,
    sink: Mutex<SplitSink<Stream, tungstenite::Message>>,
    stream: Mutex<SplitStream<Stream>>,
    send: Duration,
    _room: OwnedSemaphorePermit,
}

fn broken(why: &str) -> EgressError {
    EgressError::Broken(why.into())
}

fn failed(error: &Error) -> EgressError {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => EgressError::TooLarge(MESSAGE_BYTES_MAX),
        Error::Http(_) | Error::HttpFormat(_) => broken("there is no socket"),
        _ => broken("the connection broke"),
    }
}

fn tls() -> Result<Arc<rustls::ClientConfig>, EgressError> {
    static CONFIG: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let config = rustls::ClientConfig::with_platform_verifier().map_err(|_| broken("TLS is not available"))?;
    Ok(CONFIG.get_or_init(|| Arc::new(config)).clone())
}

/// Opens a socket to an address that is admitted.
pub(crate) async fn open(
    policy: &Policy,
    resolver: &dyn Resolver,
    address: &str,
    protocols: &[String],
) -> Result<Opened, EgressError> {
    let url = judged(policy, Scheme::Socket, address)?;
    let carrier = connect(policy, resolver, &url).await?;
    let invalid = |what: &str| EgressError::Invalid(format!("the socket has {what} that cannot be sent"));
    let mut request = url.as_str().into_client_request().map_err(|_| invalid("an address"))?;
    if !protocols.is_empty() {
        let all = protocols.iter().take(PROTOCOLS_MAX).cloned().collect::<Vec<_>>().join(", ");
        let all = all.parse().map_err(|_| invalid("a protocol"))?;
        request.headers_mut().insert(http::header::SEC_WEBSOCKET_PROTOCOL, all);
    }
    let config =
        WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX)).max_frame_size(Some(MESSAGE_BYTES_MAX));
    let upgraded = tokio_tungstenite::client_async_with_config(request, carrier, Some(config)).await;
    let (stream, response) = upgraded.map_err(|error| failed(&error))?;
    let protocol = response.headers().get(http::header::SEC_WEBSOCKET_PROTOCOL);
    let protocol = protocol.and_then(|chosen| chosen.to_str().ok()).unwrap_or_default().to_owned();
    Ok(Opened { stream, protocol })
}

async fn connect(policy: &Policy, resolver: &dyn Resolver, url: &Url) -> Result<Box<dyn Carrier>, EgressError> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or_default();
    let addresses = match host.parse() {
        // an address was judged with the rest
        Ok(address) => vec![address],
        Err(_) => admitted(policy, resolver, &host).await?,
    };
    let addresses: Vec<_> = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
    let none = |_| broken("no connection could be made");
    let tcp = TcpStream::connect(&*addresses).await.map_err(none)?;
    tcp.set_nodelay(true).map_err(none)?;
    if url.scheme() != "wss" {
        return Ok(Box::new(tcp));
    }
    let name = rustls::pki_types::ServerName::try_from(host).map_err(|_| broken("the name has no certificates"))?;
    let secured = TlsConnector::from(tls()?).connect(name, tcp).await.map_err(none)?;
    Ok(Box::new(secured))
}

#[async_trait]
impl EgressSocket for Socket {
    fn protocol(&self) -> &str {
        &self.protocol
    }

    async fn next(&self) -> Result<Message, EgressError> {
        let mut stream = self.stream.lock().await;
        loop {
            let message = match stream.next().await {
                None | Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => {
                    return Err(broken("the connection is closed"));
                }
                Some(message) => message.map_err(|error| failed(&error))?,
            };
            match message {
                tungstenite::Message::Text(text) => return Ok(Message::Text(text.as_str().to_owned())),
                tungstenite::Message::Binary(bytes) => return Ok(Message::Bytes(bytes.to_vec())),
                tungstenite::Message::Close(why) => {
                    let (code, reason) =
                        why.map_or((NO_CODE, String::new()), |why| (why.code.into(), why.reason.as_str().to_owned()));
                    return Ok(Message::Close { code, reason });
                }
                _ => {}
            }
        }
    }

    async fn send(&self, message: Message) -> Result<(), EgressError> {
        let message = match message {
            Message::Text(text) => tungstenite::Message::text(text),
            Message::Bytes(bytes) => tungstenite::Message::binary(bytes),
            Message::Close { code, reason } => {
                tungstenite::Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
            }
        };
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(EgressError::TooLarge(MESSAGE_BYTES_MAX));
        }
        let sent = async { self.sink.lock().await.send(message).await };
        let sent = tokio::time::timeout(self.send, sent).await.map_err(|_| EgressError::Timeout)?;
        sent.map_err(|error| failed(&error))
    }
}
