//! A plain WebSocket client: what it hears, and how it was closed.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const PATIENCE: Duration = Duration::from_secs(30);

/// What comes from a socket.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A text of JSON.
    Json(Value),
    /// The end, with code and reason.
    Close(u16, String),
    /// The end without a goodbye.
    Gone,
}

/// An open WebSocket.
pub struct Socket {
    inner: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The subprotocol that the server chose.
    pub protocol: Option<String>,
}

impl Socket {
    /// Opens one; panics when the server refuses the handshake.
    pub async fn open(base: &str, path: &str) -> Self {
        Self::try_open(base, path, &[]).await.unwrap_or_else(|status| panic!("{path}: refused with {status}"))
    }

    /// Opens one with header fields; gives the status of a refusal.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn try_open(base: &str, path: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let url = format!("{}{path}", base.replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap_or_else(|e| panic!("{path}: {e}"));
        for (name, value) in headers {
            let name: reqwest::header::HeaderName = name.parse().unwrap_or_else(|e| panic!("{name}: {e}"));
            request.headers_mut().insert(name, value.parse().unwrap_or_else(|e| panic!("{value}: {e}")));
        }
        match tokio::time::timeout(PATIENCE, connect_async(request)).await {
            Ok(Ok((inner, response))) => {
                let protocol = response.headers().get("sec-websocket-protocol");
                let protocol = protocol.and_then(|v| v.to_str().ok()).map(str::to_owned);
                Ok(Self { inner, protocol })
            }
            Ok(Err(Error::Http(response))) => Err(response.status().as_u16()),
            Ok(Err(error)) => panic!("{path}: {error}"),
            Err(_) => panic!("{path}: no answer"),
        }
    }

    /// Sends JSON.
    pub async fn send(&mut self, value: Value) {
        self.send_text(value.to_string()).await;
    }

    /// Sends a text.
    pub async fn send_text(&mut self, text: String) {
        // an error shows when something is expected to be heard
        let _ = self.inner.send(Message::text(text)).await;
    }

    /// The next thing heard.
    pub async fn next(&mut self) -> Heard {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.inner.next()).await;
            match next.unwrap_or_else(|_| panic!("nothing was heard")) {
                Some(Ok(Message::Text(text))) => {
                    let json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
                    return Heard::Json(json);
                }
                Some(Ok(Message::Close(why))) => {
                    let (code, reason) = why.map_or((1005, String::new()), |c| (c.code.into(), c.reason.to_string()));
                    return Heard::Close(code, reason);
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Heard::Gone,
            }
        }
    }

    /// The next frame, which must be JSON.
    #[track_caller]
    pub fn json(&mut self) -> impl Future<Output = Value> + '_ {
        let at = std::panic::Location::caller();
        async move {
            match self.next().await {
                Heard::Json(value) => value,
                other => panic!("{at}: {other:?}"),
            }
        }
    }

    /// The next frame of this type and action; others in between are let pass.
    pub async fn until(&mut self, kind: &str, action: &str) -> Value {
        loop {
            match self.next().await {
                Heard::Json(value) if value["type"] == kind && (action.is_empty() || value["action"] == action) => {
                    return value;
                }
                Heard::Json(_) => {}
                other => panic!("{kind}/{action} was expected: {other:?}"),
            }
        }
    }

    /// How it ends; frames before that are let pass.
    pub async fn end(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Heard::Json(_) => {}
                Heard::Close(code, reason) => return (code, reason),
                Heard::Gone => return (1006, String::new()),
            }
        }
    }
}
