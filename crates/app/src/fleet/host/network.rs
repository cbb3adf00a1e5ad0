//! `fetch` and `WebSocket`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orrery_workers::egress::{EgressError, EgressSocket, FetchRequest, Message, Redirect};
use orrery_workers::script::HostError;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{Result, WorkerHost, read, type_error};

/// Requests of one run at a time; more wait.
const FETCHES_MAX: usize = 16;
/// Open sockets of one run; more are refused.
const SOCKETS_MAX: usize = 32;
/// How a socket ends that broke.
const BROKEN: u16 = 1006;

/// What a run has open.
pub(super) struct Network {
    turns: Semaphore,
    sockets: Mutex<Sockets>,
}

#[derive(Default)]
struct Sockets {
    last: u64,
    /// Those that are being opened hold a place.
    open: HashMap<u64, Option<Arc<dyn EgressSocket>>>,
}

impl Default for Network {
    fn default() -> Self {
        Self { turns: Semaphore::new(FETCHES_MAX), sockets: Mutex::default() }
    }
}

#[derive(Deserialize)]
struct Asked {
    url: String,
    #[serde(default = "get")]
    method: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: Option<String>,
    redirect: Option<String>,
}

fn get() -> String {
    "GET".into()
}

#[derive(Deserialize)]
struct Address {
    url: String,
    #[serde(default)]
    protocols: Vec<String>,
}

#[derive(Deserialize)]
struct Sent {
    text: Option<String>,
    bytes: Option<String>,
}

/// An error of the network is CCXT's `NetworkError`, so that a worker's statistics tell it from a fault of the script.
fn failed(error: &EgressError) -> HostError {
    let class = match error {
        EgressError::Refused(_) => "PermissionDenied",
        EgressError::Invalid(_) => "TypeError",
        EgressError::TooLarge(_) => "RangeError",
        EgressError::Timeout => "RequestTimeout",
        EgressError::Broken(_) => "NetworkError",
    };
    HostError::new(class, error.to_string())
}

fn decoded(text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|_| type_error("bytes are not in base64"))
}

/// A place among a run's sockets; it is given up when it is dropped before it was filled.
struct Place<'n>(&'n Network, u64);

impl Network {
    fn sockets(&self) -> std::sync::MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self) -> Result<Place<'_>> {
        let mut sockets = self.sockets();
        if sockets.open.len() >= SOCKETS_MAX {
            return Err(HostError::new("QuotaExceeded", format!("a worker has at most {SOCKETS_MAX} sockets")));
        }
        sockets.last += 1;
        let id = sockets.last;
        sockets.open.insert(id, None);
        Ok(Place(self, id))
    }

    fn socket(&self, id: u64) -> Result<Arc<dyn EgressSocket>> {
        let closed = || HostError::new("InvalidStateError", "there is no such socket");
        self.sockets().open.get(&id).cloned().flatten().ok_or_else(closed)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut sockets = self.0.sockets();
        if sockets.open.get(&self.1).is_some_and(Option::is_none) {
            sockets.open.remove(&self.1);
        }
    }
}

impl WorkerHost {
    pub(super) async fn fetch(&self, arguments: &str) -> Result<String> {
        let (asked,): (Asked,) = read("fetch", arguments)?;
        let redirect = asked.redirect.as_deref().map_or(Some(Redirect::Follow), Redirect::parse);
        let request = FetchRequest {
            url: asked.url,
            method: asked.method,
            headers: asked.headers,
            body: asked.body.as_deref().map(decoded).transpose()?,
            redirect: redirect.ok_or_else(|| type_error("redirect is follow, error or manual"))?,
        };
        let _turn = self.network.turns.acquire().await.map_err(|_| failed(&EgressError::Timeout))?;
        self.gate()?;
        let answer = self.shared.ports.egress.fetch(request).await.map_err(|error| failed(&error))?;
        let answer = json!({
            "url": answer.url,
            "status": answer.status,
            "statusText": answer.status_text,
            "headers": answer.headers,
            "redirected": answer.redirected,
            "body": STANDARD.encode(answer.body),
        });
        Ok(answer.to_string())
    }

    pub(super) async fn socket(&self, act: &str, arguments: &str) -> Result<String> {
        let answer = match act {
            "open" => {
                let (address,): (Address,) = read("WebSocket", arguments)?;
                self.open_socket(&address).await?
            }
            "next" => {
                let (id,): (u64,) = read("WebSocket", arguments)?;
                self.next_message(id).await?
            }
            "send" => {
                let (id, sent): (u64, Sent) = read("WebSocket", arguments)?;
                let message = match (sent.text, sent.bytes) {
                    (Some(text), _) => Message::Text(text),
                    (None, Some(bytes)) => Message::Bytes(decoded(&bytes)?),
                    (None, None) => return Err(type_error("a message is a text or bytes")),
                };
                self.network.socket(id)?.send(message).await.map_err(|error| failed(&error))?;
                Value::Null
            }
            "close" => {
                let (id, code, reason): (u64, u16, String) = read("WebSocket", arguments)?;
                let socket = self.network.socket(id)?;
                socket.send(Message::Close { code, reason }).await.map_err(|error| failed(&error))?;
                Value::Null
            }
            _ => return Err(HostError::new("NotSupported", format!("sockets have no {act:?}"))),
        };
        Ok(answer.to_string())
    }

    async fn open_socket(&self, address: &Address) -> Result<Value> {
        let place = self.network.place()?;
        let opened = self.shared.ports.egress.open(&address.url, &address.protocols).await;
        let socket = opened.map_err(|error| failed(&error))?;
        let answer = json!({ "id": place.1, "protocol": socket.protocol() });
        self.network.sockets().open.insert(place.1, Some(socket.into()));
        Ok(answer)
    }

    async fn next_message(&self, id: u64) -> Result<Value> {
        let socket = self.network.socket(id)?;
        let end = |code: u16, reason: &str| {
            self.network.sockets().open.remove(&id);
            json!({ "type": "close", "code": code, "reason": reason })
        };
        Ok(match socket.next().await {
            Ok(Message::Text(text)) => json!({ "type": "message", "text": text }),
            Ok(Message::Bytes(bytes)) => json!({ "type": "message", "bytes": STANDARD.encode(bytes) }),
            Ok(Message::Close { code, reason }) => end(code, &reason),
            Err(error) => end(BROKEN, &error.to_string()),
        })
    }
}
