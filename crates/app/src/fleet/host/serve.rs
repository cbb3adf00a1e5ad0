//! `Deno.serve`: ports that a run listens at, as long as it runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orrery_workers::ingress::{IngressAnswer, IngressError, IngressListener};
use orrery_workers::script::HostError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Result, WorkerHost, read, type_error};

/// Ports of one run; more are refused.
const PORTS_MAX: usize = 4;

/// What a run listens at.
#[derive(Default)]
pub(super) struct Serving(Mutex<Ports>);

#[derive(Default)]
struct Ports {
    last: u64,
    open: HashMap<u64, Arc<dyn IngressListener>>,
}

#[derive(Deserialize)]
struct Wanted {
    port: u16,
}

#[derive(Deserialize)]
struct Said {
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
}

fn failed(error: &IngressError) -> HostError {
    let class = match error {
        IngressError::Refused(_) => "PermissionDenied",
        IngressError::InUse(_) => "AddrInUse",
        IngressError::Full(_) => "QuotaExceeded",
        IngressError::Invalid(_) => "TypeError",
        IngressError::Broken(_) => "NetworkError",
    };
    HostError::new(class, error.to_string())
}

fn full() -> HostError {
    HostError::new("QuotaExceeded", format!("a worker listens at most at {PORTS_MAX} ports"))
}

impl Serving {
    fn ports(&self) -> MutexGuard<'_, Ports> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, listener: Arc<dyn IngressListener>) -> Result<u64> {
        let mut ports = self.ports();
        if ports.open.len() >= PORTS_MAX {
            return Err(full());
        }
        ports.last += 1;
        let id = ports.last;
        ports.open.insert(id, listener);
        Ok(id)
    }

    fn listener(&self, id: u64) -> Option<Arc<dyn IngressListener>> {
        self.ports().open.get(&id).cloned()
    }
}

impl WorkerHost {
    pub(super) async fn serve(&self, act: &str, arguments: &str) -> Result<String> {
        let answer = match act {
            "listen" => {
                let (wanted,): (Wanted,) = read("Deno.serve", arguments)?;
                self.listen(wanted.port).await?
            }
            "next" => {
                let (id,): (u64,) = read("Deno.serve", arguments)?;
                self.next_request(id).await
            }
            "answer" => {
                let (id, request, said): (u64, u64, Said) = read("Deno.serve", arguments)?;
                let body = STANDARD.decode(&said.body).map_err(|_| type_error("bytes are not in base64"))?;
                let answer = IngressAnswer { status: said.status, headers: said.headers, body };
                if let Some(listener) = self.serving.listener(id) {
                    listener.answer(request, answer).await.map_err(|error| failed(&error))?;
                }
                Value::Null
            }
            "close" => {
                let (id,): (u64,) = read("Deno.serve", arguments)?;
                if let Some(listener) = self.serving.ports().open.remove(&id) {
                    listener.close();
                }
                Value::Null
            }
            _ => return Err(HostError::new("NotSupported", format!("Deno.serve has no {act:?}"))),
        };
        Ok(answer.to_string())
    }

    async fn listen(&self, port: u16) -> Result<Value> {
        if self.serving.ports().open.len() >= PORTS_MAX {
            return Err(full());
        }
        let listener = self.shared.ports.ingress.listen(port).await.map_err(|error| failed(&error))?;
        let address = listener.address();
        let id = self.serving.add(listener.into())?;
        Ok(json!({ "id": id, "hostname": address.ip().to_string(), "port": address.port() }))
    }

    async fn next_request(&self, id: u64) -> Value {
        let Some(listener) = self.serving.listener(id) else { return Value::Null };
        match listener.next().await {
            Some(request) => json!({
                "id": request.id,
                "method": request.method,
                "url": request.url,
                "headers": request.headers,
                "body": STANDARD.encode(request.body),
                "from": request.from,
            }),
            None => Value::Null,
        }
    }
}
