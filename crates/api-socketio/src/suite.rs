//! What the official protocol suites of Engine.IO v4 and Socket.IO v5 expect of a server: echoes and short
//! timings. Mounted only by a switch for tests, in place of everything else.

use std::time::Duration;

use axum::Router;
use orrery_app::tasks::Tasks;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;

use crate::seat::Args;
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
        socket.on("message", async |socket: SocketRef, TryData(args): TryData<Args>| {
            if let Err(error) = socket.emit("message-back", &args.unwrap_or_default()) {
                tracing::debug!(%error, "an echo was not sent");
            }
        });
        socket.on("message-with-ack", async |TryData(args): TryData<Args>, ack: AckSender| {
            if let Err(error) = ack.send(&args.unwrap_or_default()) {
                tracing::debug!(%error, "an ack was not sent");
            }
        });
        Ok::<(), std::convert::Infallible>(())
    };
    let greet = async |socket: SocketRef, Data(auth): Data<serde_json::Value>| {
        let auth = if auth.is_null() { serde_json::json!({}) } else { auth };
        if let Err(error) = socket.emit("auth", &auth) {
            tracing::debug!(%error, "the auth payload was not sent");
        }
    };
    io.ns("/", greet.with(prepare));
    io.ns("/custom", greet.with(prepare));
    let stopping = tasks.stopping();
    tasks.spawn("socketio-suite", async move {
        stopping.cancelled().await;
        io.close().await;
    });
    Router::new().route_service(PATH, service)
}
