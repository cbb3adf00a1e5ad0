//! What the official protocol suites of Engine.IO v4 and Socket.IO v5 expect of a server: echoes and short
//! timings. Mounted only by a switch for tests, in place of everything else.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use engineioxide::config::EngineIoConfig;
use engineioxide::handler::EngineIoHandler;
use engineioxide::service::EngineIoService;
use engineioxide::{DisconnectReason, Socket, Str};
use orrery_app::tasks::Tasks;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeTuple, Serializer};
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;

use crate::{PATH, READ_BUFFER_BYTES};

/// The suites' reference servers.
const PING_INTERVAL: Duration = Duration::from_millis(300);
const PING_TIMEOUT: Duration = Duration::from_millis(200);
const PAYLOAD_MAX: u64 = 1_000_000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) fn router(tasks: &Tasks) -> Router {
    tracing::warn!("this server runs the Socket.IO suites' echo handlers and nothing else on {PATH}");
    let (service, io) = SocketIo::builder()
        .req_path("/socket.io")
        .ping_interval(PING_INTERVAL)
        .ping_timeout(PING_TIMEOUT)
        .max_payload(PAYLOAD_MAX)
        .connect_timeout(CONNECT_TIMEOUT)
        .ws_read_buffer_size(READ_BUFFER_BYTES)
        .build_svc();
    // registered before the client is told that it is connected, so that nothing it sends at once is lost
    let prepare = async |socket: SocketRef| {
        socket.on("message", async |socket: SocketRef, TryData(args): TryData<Echo>| {
            if let Err(error) = socket.emit("message-back", &args.unwrap_or_default()) {
                tracing::debug!(%error, "an echo was not sent");
            }
        });
        socket.on("message-with-ack", async |TryData(args): TryData<Echo>, ack: AckSender| {
            if let Err(error) = ack.send(&args.unwrap_or_default()) {
                tracing::debug!(%error, "an ack was not sent");
            }
        });
        Ok::<(), std::convert::Infallible>(())
    };
    let greet = async |socket: SocketRef, TryData(auth): TryData<serde_json::Value>| {
        let auth = auth.ok().filter(|auth| !auth.is_null()).unwrap_or_else(|| serde_json::json!({}));
        if let Err(error) = socket.emit("auth", &auth) {
            tracing::debug!(%error, "the auth payload was not sent");
        }
    };
    io.ns("/", greet.with(prepare));
    io.ns("/custom", greet.with(prepare));
    let config = EngineIoConfig::builder()
        .req_path("/engine.io")
        .ping_interval(PING_INTERVAL)
        .ping_timeout(PING_TIMEOUT)
        .max_payload(PAYLOAD_MAX)
        .build();
    let engine = EngineIoService::with_config(Arc::new(EngineEcho), config);
    let stopping = tasks.stopping();
    tasks.spawn("socketio-suite", async move {
        stopping.cancelled().await;
        io.close().await;
    });
    Router::new().route_service(PATH, service).route_service("/engine.io/", engine)
}

/// What the Engine.IO suite expects: everything comes back.
#[derive(Debug)]
struct EngineEcho;

impl EngineIoHandler for EngineEcho {
    type Data = ();

    fn on_connect(self: Arc<Self>, _: Arc<Socket<()>>) {}

    fn on_disconnect(&self, _: Arc<Socket<()>>, _: DisconnectReason) {}

    fn on_message(self: &Arc<Self>, message: Str, socket: Arc<Socket<()>>) {
        if let Err(error) = socket.emit(message) {
            tracing::debug!(%error, "an echo was not sent");
        }
    }

    fn on_binary(self: &Arc<Self>, data: Bytes, socket: Arc<Socket<()>>) {
        if let Err(error) = socket.emit_binary(data) {
            tracing::debug!(%error, "an echo was not sent");
        }
    }
}

/// The arguments of an event, however many, sent back as they came.
#[derive(Default)]
struct Echo(Vec<Item>);

/// JSON, with bytes where a client attached them.
enum Item {
    Json(serde_json::Value),
    Bytes(Vec<u8>),
    List(Vec<Item>),
    Map(Vec<(String, Item)>),
}

impl<'de> Deserialize<'de> for Echo {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Echo;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the arguments of an event")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Echo, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Echo(items))
            }
        }
        // the library spreads an event's arguments over types that ask for a tuple
        d.deserialize_tuple(1, All)
    }
}

impl Serialize for Echo {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut tuple = s.serialize_tuple(self.0.len())?;
        for item in &self.0 {
            tuple.serialize_element(item)?;
        }
        tuple.end()
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(value) => value.serialize(s),
            Self::Bytes(bytes) => s.serialize_bytes(bytes),
            Self::List(items) => items.serialize(s),
            Self::Map(fields) => {
                let mut map = s.serialize_map(Some(fields.len()))?;
                for (name, item) in fields {
                    map.serialize_entry(name, item)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Item;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON or bytes")
            }

            fn visit_unit<E>(self) -> Result<Item, E> {
                Ok(Item::Json(serde_json::Value::Null))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Item, E> {
                Ok(Item::Json(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Item, E> {
                Ok(Item::Json(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Item, E> {
                Ok(Item::Json(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Item, E> {
                Ok(Item::Json(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Item, E> {
                Ok(Item::Json(value.into()))
            }

            fn visit_bytes<E>(self, value: &[u8]) -> Result<Item, E> {
                Ok(Item::Bytes(value.to_vec()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Item, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Item::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Item::Map(fields))
            }
        }
        d.deserialize_any(Any)
    }
}
