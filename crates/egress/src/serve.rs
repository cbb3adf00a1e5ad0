//! Requests that scripts answer, over HTTP/1.1 (RFC 9112).

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use orrery_workers::ingress::{
    ANSWER_BYTES_MAX, Ingress, IngressAnswer, IngressError, IngressListener, IngressRequest, Ports, REQUEST_BYTES_MAX,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::fetch::CONNECTION;

/// Ports of all scripts together; more are refused.
const LISTENERS_MAX: usize = 256;
/// Connections of a port; more wait to be accepted.
const CONNECTIONS_MAX: usize = 64;
/// Requests of a port that wait for their script; more are answered 503.
const WAITING_MAX: usize = 64;
/// Ports that are tried for one that is free.
const TRIES: u16 = 64;
/// After a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(50);

/// Times that clients and scripts are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeTimes {
    /// For a client to send its request; a connection without one is closed.
    pub request: Duration,
    /// For a script to answer; then 504.
    pub answer: Duration,
}

impl Default for ServeTimes {
    fn default() -> Self {
        Self { request: Duration::from_secs(15), answer: Duration::from_secs(30) }
    }
}

/// Ports of this machine.
pub struct NetIngress {
    host: IpAddr,
    ports: Ports,
    times: ServeTimes,
    rooms: Arc<Semaphore>,
}

impl NetIngress {
    /// At that address.
    #[must_use]
    pub fn new(host: IpAddr, ports: Ports, times: ServeTimes) -> Self {
        Self { host, ports, times, rooms: Arc::new(Semaphore::new(LISTENERS_MAX)) }
    }

    async fn bind(&self, port: u16) -> Result<TcpListener, IngressError> {
        if port == 0 {
            for _ in 0..TRIES {
                let found = self.bound(0).await?;
                let at = found.local_addr().map_err(|error| IngressError::Broken(error.to_string()))?;
                if self.ports.admit(at.port()) {
                    return Ok(found);
                }
            }
            return Err(IngressError::Refused(0));
        }
        if !self.ports.admit(port) {
            return Err(IngressError::Refused(port));
        }
        self.bound(port).await
    }

    async fn bound(&self, port: u16) -> Result<TcpListener, IngressError> {
        TcpListener::bind(SocketAddr::new(self.host, port)).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => IngressError::InUse(port),
            _ => IngressError::Broken(error.to_string()),
        })
    }
}

#[async_trait]
impl Ingress for NetIngress {
    async fn listen(&self, port: u16) -> Result<Box<dyn IngressListener>, IngressError> {
        let full = |_| IngressError::Full("scripts listen at too many ports of this node");
        let room = self.rooms.clone().try_acquire_owned().map_err(full)?;
        let listener = self.bind(port).await?;
        let address = listener.local_addr().map_err(|error| IngressError::Broken(error.to_string()))?;
        let (sender, requests) = mpsc::channel(WAITING_MAX);
        let waiting = Waiting::default();
        let door =
            Arc::new(Door { address, sender, waiting: waiting.clone(), next: AtomicU64::new(0), times: self.times });
        let closed = CancellationToken::new();
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, door, closed.clone()));
        Ok(Box::new(Listener {
            address,
            requests: tokio::sync::Mutex::new(requests),
            waiting,
            closed,
            _accepting: accepting,
            _room: room,
        }))
    }
}

/// Requests that a script has, by their numbers.
#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<HashMap<u64, oneshot::Sender<IngressAnswer>>>>);

impl Waiting {
    fn all(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<IngressAnswer>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request is over, answered or not.
struct Over<'w>(&'w Waiting, u64);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.all().remove(&self.1);
    }
}

/// What connections of a port share.
struct Door {
    address: SocketAddr,
    sender: mpsc::Sender<IngressRequest>,
    waiting: Waiting,
    next: AtomicU64,
    times: ServeTimes,
}

struct Listener {
    address: SocketAddr,
    requests: tokio::sync::Mutex<mpsc::Receiver<IngressRequest>>,
    waiting: Waiting,
    closed: CancellationToken,
    /// Ends with it.
    _accepting: JoinSet<()>,
    _room: OwnedSemaphorePermit,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

#[async_trait]
impl IngressListener for Listener {
    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn next(&self) -> Option<IngressRequest> {
        let mut requests = self.requests.lock().await;
        tokio::select! {
            biased;
            () = self.closed.cancelled() => None,
            request = requests.recv() => request,
        }
    }

    async fn answer(&self, id: u64, answer: IngressAnswer) -> Result<(), IngressError> {
        if answer.body.len() > ANSWER_BYTES_MAX {
            return Err(IngressError::Invalid("an answer has at most 4 MiB"));
        }
        response(&answer)?;
        if let Some(sender) = self.waiting.all().remove(&id) {
            // a client that left hears nothing
            let _ = sender.send(answer);
        }
        Ok(())
    }

    fn close(&self) {
        self.closed.cancel();
    }
}

/// Takes connections until it is closed, and ends them with it.
async fn accept(listener: TcpListener, door: Arc<Door>, closed: CancellationToken) {
    let rooms = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let room = rooms.clone().acquire_owned().await;
            (room, listener.accept().await)
        };
        let (room, accepted) = tokio::select! {
            () = closed.cancelled() => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            next = next => next,
        };
        match (room, accepted) {
            (Ok(room), Ok((stream, from))) => {
                let talk = talk(stream, from, door.clone());
                connections.spawn(async move {
                    talk.await;
                    drop(room);
                });
            }
            (_, Err(error)) => {
                tracing::debug!(%error, "a connection to a script was not accepted");
                tokio::time::sleep(PAUSE).await;
            }
            (Err(_), _) => return,
        }
    }
}

async fn talk(stream: TcpStream, from: SocketAddr, door: Arc<Door>) {
    let request = door.times.request;
    let service = service_fn(move |request| {
        let door = door.clone();
        async move { Ok::<_, Infallible>(ask(&door, from, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(request)
        .max_buf_size(64 * 1_024)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to a script ended");
    }
}

/// Asks the script, and waits for what it says.
async fn ask(door: &Door, from: SocketAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let read = tokio::time::timeout(door.times.request, read(door, from, request));
    let request = match read.await {
        Ok(Ok(request)) => request,
        Ok(Err(status)) => return plain(status),
        Err(_) => return plain(StatusCode::REQUEST_TIMEOUT),
    };
    let (sender, answer) = oneshot::channel();
    let over = Over(&door.waiting, request.id);
    door.waiting.all().insert(request.id, sender);
    if door.sender.try_send(request).is_err() {
        return plain(StatusCode::SERVICE_UNAVAILABLE);
    }
    let answered = tokio::time::timeout(door.times.answer, answer).await;
    drop(over);
    match answered {
        // what cannot be sent was refused when the script gave it
        Ok(Ok(answer)) => response(&answer).unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR)),
        Ok(Err(_)) => plain(StatusCode::SERVICE_UNAVAILABLE),
        Err(_) => plain(StatusCode::GATEWAY_TIMEOUT),
    }
}

async fn read(door: &Door, from: SocketAddr, request: Request<Incoming>) -> Result<IngressRequest, StatusCode> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, REQUEST_BYTES_MAX).collect().await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let host = parts.headers.get(header::HOST).map_or_else(|| door.address.to_string(), text);
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    Ok(IngressRequest {
        id: door.next.fetch_add(1, Ordering::Relaxed),
        method: parts.method.to_string(),
        url: format!("http://{host}{path}"),
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: body.to_bytes().to_vec(),
        from: from.to_string(),
    })
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(status.canonical_reason().unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn response(answer: &IngressAnswer) -> Result<Response<Full<Bytes>>, IngressError> {
    let status = StatusCode::from_u16(answer.status).ok().filter(|status| status.as_u16() >= 200);
    let mut response = Response::new(Full::from(answer.body.clone()));
    *response.status_mut() = status.ok_or(IngressError::Invalid("an answer's status is 200 to 599"))?;
    for (name, value) in &answer.headers {
        let unfit = IngressError::Invalid("the answer has a header that cannot be sent");
        let Ok(name) = HeaderName::try_from(name.as_str()) else { return Err(unfit) };
        let Ok(value) = HeaderValue::try_from(value.as_str()) else { return Err(unfit) };
        if !CONNECTION.contains(&name.as_str()) {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}
