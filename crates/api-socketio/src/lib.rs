//! The Socket.IO server of the BitTrade and the Localhost Web Server documents on `/socket.io/`, Engine.IO v4, both transports.
//!
//! One task a socket sends everything to it, so order holds: `connection_established` first, then
//! the price, then what concerns the user once a token was accepted. Between the events of the
//! application and a socket there is no queue: an event marks the socket, and the task sends the
//! state as it is by then (newest wins). Handlers are registered before the client is told that it
//! is connected, so an event sent at once is not lost.

mod hub;
mod lean;
mod seat;
mod shared;
mod suite;
mod talk;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hub::Hub;
use orrery_app::App;
use orrery_app::tasks::Tasks;
use socketioxide::SocketIo;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{Event, SocketRef, TryData};
use socketioxide::handler::{ConnectHandler, FromMessageParts, MessageHandler, Value};
use socketioxide::socket::Socket;

use orrery_protocol::socketio::{AUTHENTICATE, PING, SUBSCRIBE, UNSUBSCRIBE};

use crate::seat::{Args, Command, News, Seat};

/// Where Engine.IO listens (BitTrade document: the default path).
pub const PATH: &str = "/socket.io/";

/// Bounds and timings; the defaults are the documented server's.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Between heartbeats.
    pub ping_interval: Duration,
    /// Without an answer to a heartbeat the socket is closed.
    pub ping_timeout: Duration,
    /// Most bytes of an incoming message.
    pub payload_max: u64,
    /// Open sockets; further ones are refused with a `connect_error`.
    pub sockets_max: usize,
    /// Only what the official protocol suites need; for tests.
    pub suite: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            payload_max: 1_000_000,
            sockets_max: 20_000,
            suite: false,
        }
    }
}

/// Packets that may wait for a slow client inside the library; beyond them the socket's task waits,
/// and closes the socket when that lasts.
const PACKETS_WAITING_MAX: usize = 128;
/// Bytes of the read buffer of a WebSocket, which grows with what comes and stays so; the library's default is far more
/// than clients send.
const READ_BUFFER_BYTES: usize = 256;

/// What clients ask, in the order of arrival. One handler for all events, and none of the library's own kind: those
/// cost an entry for each event in each socket, and run in a task for each message.
struct Asking(Arc<Seat>);

impl MessageHandler<LocalAdapter, Asking> for Asking {
    fn call(&self, socket: Arc<Socket>, mut value: Value, ack: Option<i64>) {
        let Ok(Event(event)) = Event::from_message_parts(&socket, &mut value, &ack) else { return };
        let command = match event.as_str() {
            AUTHENTICATE => Command::Authenticate,
            SUBSCRIBE => Command::Subscribe,
            UNSUBSCRIBE => Command::Unsubscribe,
            PING => Command::Ping,
            _ => return,
        };
        let Ok(TryData(args)) = TryData::<Args>::from_message_parts(&socket, &mut value, &ack);
        self.0.command(command(args.unwrap_or_default()));
    }
}

/// The routes under [`PATH`]. Its tasks end when `tasks` stop.
///
/// A service and not the library's layer: a layer is put on anew for each route, and for a fallback
/// even for each request, and every copy would have sessions of its own.
pub fn router(app: &Arc<App>, tasks: &Tasks, options: Options) -> Router {
    if options.suite {
        return suite::router(tasks);
    }
    let (service, io) = SocketIo::builder()
        .req_path("/socket.io")
        .ping_interval(options.ping_interval)
        .ping_timeout(options.ping_timeout)
        .max_payload(options.payload_max)
        .max_buffer_size(PACKETS_WAITING_MAX)
        .ws_read_buffer_size(READ_BUFFER_BYTES)
        .build_svc();
    let hub = Arc::new(Hub::new(options.sockets_max));
    topics::announce(app);

    let admit = {
        let hub = hub.clone();
        move |socket: SocketRef| {
            let hub = hub.clone();
            async move {
                let seat = Arc::new(Seat::default());
                if !hub.seat(socket.id, seat.clone()) {
                    return Err("the server has no room for more sockets");
                }
                socket.on_fallback(Asking(seat));
                let (gone, id) = (hub.clone(), socket.id);
                socket.on_disconnect(async move || gone.leave(id));
                Ok(())
            }
        }
    };
    let serve = {
        let (hub, app, tasks) = (hub.clone(), app.clone(), tasks.clone());
        move |socket: SocketRef| {
            let (hub, app, tasks) = (hub.clone(), app.clone(), tasks.clone());
            async move {
                if let Some(seat) = hub.take(&socket) {
                    // whoever was seated before is told by the events' task
                    let late = tasks.stopping().is_cancelled();
                    if late {
                        seat.news(News::Gone);
                    }
                    tasks.spawn_connection("socketio-socket", talk::run(seat, socket, app, hub));
                }
            }
        }
    };
    io.ns("/", serve.with(admit));
    tasks.spawn("socketio-events", hub::dispatch(hub, app.clone(), io, tasks.stopping()));
    Router::new().route_service(PATH, service).layer(axum::middleware::map_request(lean::own))
}
