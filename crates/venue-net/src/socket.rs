//! One connection that an exchange sends messages over.

use std::io::Read as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderName, HeaderValue};
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use url::Url;

/// Time to connect, with TLS and the upgrade.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time to hand a frame to the operating system.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest message, in bytes, also after it is unpacked; the longest are snapshots of all markets.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Why a connection is of no use. Addresses may hold tokens, and are not named.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// It is no `ws` or `wss` address.
    #[error("the stream's address is none")]
    Address,
    /// It took too long.
    #[error("the exchange did not answer in time")]
    Timeout,
    /// The connection could not be made, or broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The exchange closed it.
    #[error("the exchange closed the connection: {0}")]
    Closed(String),
    /// A message was not text, or longer than 16 MiB.
    #[error("a message could not be read")]
    Unreadable,
}

trait Carrier: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Carrier for T {}

/// A connection.
pub struct Socket {
    stream: WebSocketStream<Box<dyn Carrier>>,
}

fn tls() -> Result<Arc<rustls::ClientConfig>, SocketError> {
    static CONFIG: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    // an error says that there is a provider already
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = rustls::ClientConfig::with_platform_verifier().map_err(|error| broken(&error))?;
    Ok(CONFIG.get_or_init(|| Arc::new(config)).clone())
}

fn broken(error: &dyn std::fmt::Display) -> SocketError {
    SocketError::Broken(error.to_string())
}

impl Socket {
    /// Connects.
    ///
    /// Errors: [`SocketError`].
    pub async fn connect(address: &str) -> Result<Self, SocketError> {
        Self::connect_with(address, &[]).await
    }

    /// Connects, with these headers beside the protocol's own. They may hold a secret.
    ///
    /// Errors: [`SocketError`].
    pub async fn connect_with(address: &str, headers: &[(&'static str, String)]) -> Result<Self, SocketError> {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, Self::connect_now(address, headers)).await;
        connected.map_err(|_| SocketError::Timeout)?
    }

    async fn connect_now(address: &str, headers: &[(&'static str, String)]) -> Result<Self, SocketError> {
        let url = Url::parse(address).map_err(|_| SocketError::Address)?;
        let host = url.host_str().ok_or(SocketError::Address)?.trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().ok_or(SocketError::Address)?;
        let tcp = TcpStream::connect((host.as_str(), port)).await.map_err(|error| broken(&error))?;
        tcp.set_nodelay(true).map_err(|error| broken(&error))?;
        let carrier: Box<dyn Carrier> = if url.scheme() == "wss" {
            let name = rustls::pki_types::ServerName::try_from(host).map_err(|_| SocketError::Address)?;
            let connected = TlsConnector::from(tls()?).connect(name, tcp).await;
            Box::new(connected.map_err(|error| broken(&error))?)
        } else {
            Box::new(tcp)
        };
        let mut request = address.into_client_request().map_err(|_| SocketError::Address)?;
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| SocketError::Address)?;
            let mut value = HeaderValue::from_str(value).map_err(|_| SocketError::Address)?;
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let upgraded = tokio_tungstenite::client_async_with_config(request, carrier, Some(config)).await;
        let (stream, _) = upgraded.map_err(|error| broken(&error))?;
        Ok(Self { stream })
    }

    /// Sends a frame of text.
    ///
    /// Errors: [`SocketError`].
    pub async fn send(&mut self, text: &str) -> Result<(), SocketError> {
        self.send_message(Message::text(text)).await
    }

    /// Sends a ping of the protocol.
    ///
    /// Errors: [`SocketError`].
    pub async fn ping(&mut self) -> Result<(), SocketError> {
        self.send_message(Message::Ping(bytes::Bytes::new())).await
    }

    async fn send_message(&mut self, message: Message) -> Result<(), SocketError> {
        let sent = tokio::time::timeout(SEND_TIMEOUT, self.stream.send(message)).await;
        sent.map_err(|_| SocketError::Timeout)?.map_err(|error| broken(&error))
    }

    /// The next message, as text; packed ones are unpacked. None for a sign of life that says nothing. Pings are answered.
    ///
    /// Errors: [`SocketError`]; the connection is of no use then.
    pub async fn receive(&mut self) -> Result<Option<String>, SocketError> {
        let message = self.stream.next().await.ok_or_else(|| SocketError::Closed("without a word".to_owned()))?;
        match message.map_err(|error| broken(&error))? {
            Message::Text(text) => Ok(Some(text.as_str().to_owned())),
            Message::Binary(bytes) => unpacked(&bytes).map(Some),
            Message::Close(why) => {
                let why = why.map_or_else(String::new, |why| format!("{} {}", u16::from(why.code), why.reason));
                Err(SocketError::Closed(why))
            }
            _ => Ok(None),
        }
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        // who is gone hears no goodbye
        let _ = tokio::time::timeout(SEND_TIMEOUT, self.stream.close(None)).await;
    }
}

/// Text of a binary message: gzip (RFC 1952), or text as it is.
fn unpacked(bytes: &[u8]) -> Result<String, SocketError> {
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut unpacking = flate2::read::GzDecoder::new(bytes).take(MESSAGE_BYTES_MAX as u64 + 1);
        unpacking.read_to_string(&mut text).map_err(|_| SocketError::Unreadable)?;
    } else {
        std::str::from_utf8(bytes).map_err(|_| SocketError::Unreadable)?.clone_into(&mut text);
    }
    if text.len() > MESSAGE_BYTES_MAX { Err(SocketError::Unreadable) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn packed_messages_are_bounded() {
        let pack = |bytes: &[u8]| {
            let mut packing = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            packing.write_all(bytes).unwrap();
            packing.finish().unwrap()
        };
        assert_eq!(unpacked(&pack(br#"{"ping":1}"#)).unwrap(), r#"{"ping":1}"#);
        assert_eq!(unpacked(b"pong").unwrap(), "pong");
        assert!(unpacked(&pack(&vec![b' '; MESSAGE_BYTES_MAX + 1])).is_err());
        assert!(unpacked(&[0x1f, 0x8b, 0]).is_err());
        assert!(unpacked(&[0xff]).is_err());
    }
}
