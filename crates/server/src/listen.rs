//! Sockets: bind, accept, serve, drain.
//!
//! Every connection holds a place of [`Bounds::connections`] until its socket is closed, upgraded
//! ones too; while all are taken, further clients wait in the kernel's queue. A client that sends
//! nothing, stops in the middle, or does not read its answer loses its connection after a named time.

mod gate;
mod guarded;
mod polite;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gate::Gate;
use guarded::Guarded;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use orrery_app::hub::DirectSocket;
use orrery_app::tasks::Tasks;
use orrery_http_kit::layers::Edge;
use polite::Polite;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{ListenSpec, Surface};
use crate::tls::Tls;

/// Hyper's own bounds lie above the edge's, so that the edge answers in the surface's shape; they
/// only stop what could not be parsed at all.
const HYPER_HEADERS_MAX: usize = 1_024;
const HYPER_BUFFER_BYTES: usize = 512 * 1_024;
/// Requests at a time on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// Pause after the kernel refused to accept, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a socket could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The name has no address.
    #[error("cannot listen on {spec}: the name {host} has no address")]
    Name {
        /// As configured.
        spec: String,
        /// The name.
        host: String,
    },
    /// Somebody else has it.
    #[error(
        "cannot listen on {spec}: the port is taken by another program; stop that program, or choose another port \
         with PORT or --listen"
    )]
    Taken {
        /// As configured.
        spec: String,
    },
    /// Anything else.
    #[error("cannot listen on {spec}: {cause}")]
    Other {
        /// As configured.
        spec: String,
        /// The kernel's word.
        cause: io::Error,
    },
}

/// A bound socket that nobody is served on yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    /// What is served.
    pub surface: Surface,
    /// Where, with the real port.
    pub address: SocketAddr,
}

/// Binds all or none.
///
/// # Errors
/// The first that fails.
pub async fn bind(specs: &[ListenSpec]) -> Result<Vec<Bound>, BindError> {
    let mut bound = Vec::with_capacity(specs.len());
    for spec in specs {
        let failed = |cause: io::Error| match cause.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken { spec: spec.to_string() },
            _ => BindError::Other { spec: spec.to_string(), cause },
        };
        let address = resolve(spec).await?;
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        bound.push(Bound { listener, surface: spec.surface, address });
    }
    Ok(bound)
}

/// The first address of a name, IPv4 first, since that is what people type.
async fn resolve(spec: &ListenSpec) -> Result<SocketAddr, BindError> {
    if let Ok(ip) = spec.host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, spec.port));
    }
    let none = || BindError::Name { spec: spec.to_string(), host: spec.host.clone() };
    let found = tokio::net::lookup_host((spec.host.as_str(), spec.port)).await.map_err(|_| none())?;
    let all: Vec<SocketAddr> = found.collect();
    all.iter().find(|a| a.is_ipv4()).or_else(|| all.first()).copied().ok_or_else(none)
}

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Open at a time.
    pub connections: usize,
    /// For a request's head, a handshake, and between two requests.
    pub header_timeout: Duration,
    /// For a client that does not read.
    pub write_timeout: Duration,
}

/// Ends the acceptors.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Connections finish what they have begun; new ones are told that the server drains.
    pub drain: CancellationToken,
    /// The sockets close.
    pub close: CancellationToken,
}

/// Everything that the acceptors share.
struct Shared {
    bounds: Bounds,
    places: Arc<Semaphore>,
    tls: Option<Arc<Tls>>,
    stop: Stop,
    /// Connections from before the drain.
    tracker: TaskTracker,
    /// Whom requests are from, where the peer's own address tells nothing.
    seen_as: Option<IpAddr>,
}

/// Accepts on a listener of its own, until `stop` closes it.
pub fn accept_apart(listener: TcpListener, edge: Edge, bounds: Bounds, seen_as: IpAddr, stop: Stop, tasks: &Tasks) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let (tracker, seen_as) = (TaskTracker::new(), Some(seen_as));
    let shared = Arc::new(Shared { bounds, places, tls: None, stop, tracker, seen_as });
    tasks.spawn("acceptor-apart", accept(listener, edge, shared, tasks.clone()));
}

/// The running acceptors.
pub struct Serving {
    tracker: TaskTracker,
    stop: Stop,
}

impl Serving {
    /// Starts to accept on each socket; `edge_of` gives what a surface serves.
    pub fn start(
        bound: Vec<Bound>,
        edge_of: impl Fn(Surface) -> Edge,
        bounds: Bounds,
        tls: Option<Arc<Tls>>,
        tasks: &Tasks,
    ) -> Self {
        let stop = Stop::default();
        let tracker = TaskTracker::new();
        let places = Arc::new(Semaphore::new(bounds.connections));
        let shared =
            Arc::new(Shared { bounds, places, tls, stop: stop.clone(), tracker: tracker.clone(), seen_as: None });
        for Bound { listener, surface, .. } in bound {
            tasks.spawn("acceptor", accept(listener, edge_of(surface), shared.clone(), tasks.clone()));
        }
        Self { tracker, stop }
    }

    /// Lets connections finish, while newcomers are told that the server drains; then closes the
    /// sockets. Resolves when nothing from before is left, which the caller bounds in time.
    pub async fn drain(&self) {
        self.stop.drain.cancel();
        self.tracker.close();
        self.tracker.wait().await;
        self.stop.close.cancel();
    }

    /// Closes the sockets at once.
    pub fn close(&self) {
        self.stop.drain.cancel();
        self.stop.close.cancel();
    }
}

async fn accept(listener: TcpListener, edge: Edge, shared: Arc<Shared>, tasks: Tasks) {
    let serve = async {
        loop {
            // a closed semaphore is the only error, and nobody closes this one
            let Ok(place) = shared.places.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let connection = connection(stream, peer, edge.clone(), shared.clone(), place);
                    if shared.stop.drain.is_cancelled() {
                        tasks.spawn_connection("connection", connection);
                    } else {
                        tasks.spawn_connection("connection", shared.tracker.track_future(connection));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = serve => {}
        () = shared.stop.close.cancelled() => {}
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, edge: Edge, shared: Arc<Shared>, place: OwnedSemaphorePermit) {
    // answers are small and wait for no more
    let _ = stream.set_nodelay(true);
    let asked = Arc::new(AtomicBool::new(false));
    let gate = Arc::new(Gate::new(stream));
    let guard = |gate| Guarded::new(gate, shared.bounds, asked.clone(), place);
    match &shared.tls {
        None => {
            let direct = DirectSocket(gate.clone());
            serve(guard(gate), peer, edge, &shared, &asked, Some(direct)).await;
        }
        Some(tls) => {
            let late = shared.stop.drain.is_cancelled();
            let handshake = tokio::select! {
                // bounded by the guard's patience for a first request
                handshake = tls.acceptor().accept(guard(gate)) => handshake,
                () = shared.stop.drain.cancelled(), if !late => return,
                () = shared.stop.close.cancelled() => return,
            };
            match handshake {
                Ok(stream) => serve(stream, peer, edge, &shared, &asked, None).await,
                Err(error) => tracing::debug!(%peer, %error, "TLS handshake failed"),
            }
        }
    }
}

async fn serve<I>(
    io: I,
    peer: SocketAddr,
    edge: Edge,
    shared: &Shared,
    asked: &Arc<AtomicBool>,
    direct: Option<DirectSocket>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let drain = &shared.stop.drain;
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.bounds.header_timeout)
        .max_headers(HYPER_HEADERS_MAX)
        .max_buf_size(HYPER_BUFFER_BYTES)
        .keep_alive(!drain.is_cancelled());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HYPER_BUFFER_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(shared.bounds.header_timeout)
        .keep_alive_timeout(shared.bounds.header_timeout);
    let from = shared.seen_as.unwrap_or(peer.ip());
    let io = Polite::new(io, edge.clone(), from);
    let service = {
        let asked = asked.clone();
        service_fn(move |mut request: hyper::Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            if let Some(direct) = &direct
                && request.headers().contains_key(http::header::UPGRADE)
            {
                request.extensions_mut().insert(direct.clone());
            }
            let edge = edge.clone();
            async move { edge.call(request, from).await }
        })
    };
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(io), service);
    tokio::pin!(connection);
    let late = drain.is_cancelled();
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = drain.cancelled(), if !late => {
            if !asked.load(Ordering::Relaxed) {
                // it has asked for nothing, so there is nothing to finish
                return;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = shared.stop.close.cancelled() => return,
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, error = %error, "connection ended early");
    }
}
