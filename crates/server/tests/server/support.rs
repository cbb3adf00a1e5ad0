//! A server around a few test routes, and a client that sends exactly what it is told.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use orrery_api_bittrade::BitTrade;
use orrery_app::App;
use orrery_app::tasks::Tasks;
use orrery_feeds::Simulated;
use orrery_http_kit::layers::{Edge, HostPolicy, Options, note_route};
use orrery_http_kit::{ErrorShape, RequestMeta, read_body};
use orrery_server::config::{Config, ListenSpec, Sources, Surface, load};
use orrery_server::listen::{self, Bounds, Serving};
use orrery_server::system::{SystemClock, SystemEntropy};
use orrery_server::tls::Tls;
use orrery_server::wire;
use orrery_testkit::assembled::ports;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

/// Longer than anything here takes; only a broken server lets it pass.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Server {
    pub address: SocketAddr,
    pub serving: Arc<Serving>,
    pub draining: watch::Sender<bool>,
    pub tasks: Tasks,
    /// Lets requests to `/wait` go on.
    pub go: Arc<Notify>,
    /// Told when a request to `/wait` has begun.
    pub began: Arc<Notify>,
}

pub fn options() -> Options {
    Options {
        uri_bytes_max: 1_000,
        headers_max: 50,
        header_bytes_max: 10_000,
        body_bytes_max: 1_048_576,
        waiting_paths: vec!["/poll/"],
        body_timeout: PATIENCE,
        hosts: HostPolicy::default(),
        trusted_proxies: Vec::new(),
        tls: false,
        tunnel: false,
        recent: orrery_http_kit::layers::Recent::default(),
    }
}

pub fn bounds() -> Bounds {
    Bounds { connections: 100, header_timeout: PATIENCE, write_timeout: PATIENCE }
}

fn routes(go: Arc<Notify>, began: Arc<Notify>) -> Router {
    let wait = move || async move {
        began.notify_one();
        go.notified().await;
        "done"
    };
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/item/{id}", get(|| async { "item" }))
        .route("/panic", get(panics))
        .route(
            "/whoami",
            get(|r: Request| async move { r.extensions().get::<RequestMeta>().unwrap().address.to_string() }),
        )
        .route("/body", post(body))
        .route("/ignore", post(|| async { "ignored" }))
        .route("/wait", get(wait.clone()))
        .route("/poll/x", get(wait))
        .route("/upgrade", get(upgrade))
        .layer(from_fn(note_route))
}

async fn panics() -> &'static str {
    panic!("a handler broke")
}

async fn body(request: Request) -> Response {
    match read_body(request, 1_048_576).await {
        Ok(bytes) => bytes.len().to_string().into_response(),
        Err(e) => (BitTrade::status(e.code), axum::Json(BitTrade::body(&e))).into_response(),
    }
}

/// Echoes one word back in capitals over whatever protocol was asked for.
async fn upgrade(request: Request) -> Response {
    #[expect(clippy::disallowed_methods, reason = "a test's handler")]
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(request).await.unwrap();
        let mut io = hyper_util::rt::TokioIo::new(upgraded);
        let mut word = [0; 4];
        io.read_exact(&mut word).await.unwrap();
        io.write_all(&word.to_ascii_uppercase()).await.unwrap();
        io.flush().await.unwrap();
    });
    let headers = [("connection", "upgrade"), ("upgrade", "test")];
    (http::StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
}

pub async fn start() -> Server {
    start_with(options(), bounds(), None).await
}

pub async fn start_with(options: Options, bounds: Bounds, tls: Option<Arc<Tls>>) -> Server {
    let (go, began) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (draining, drained) = watch::channel(false);
    let router = routes(go.clone(), began.clone());
    let edge = Edge::new::<BitTrade>(router, options, Arc::new(SystemClock), Arc::new(SystemEntropy), drained);
    let spec = ListenSpec { host: "127.0.0.1".into(), port: 0, surface: Surface::All };
    let bound = listen::bind(&[spec]).await.unwrap();
    let address = bound[0].address;
    let tasks = Tasks::new();
    let serving = Arc::new(Serving::start(bound, |_| edge.clone(), bounds, tls, &tasks));
    Server { address, serving, draining, tasks, go, began }
}

/// Use cases in memory with a simulated market, and the configuration they were made of.
pub async fn in_memory(dir: &Path, env: &[(&str, &str)], tasks: &Tasks) -> (Config, Arc<App>) {
    let env = env.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let config = load(&Sources { cwd: dir.to_owned(), env, ..Sources::default() }).unwrap().config;
    orrery_server::secret::prepare_data_dir(&config.server.data_dir).unwrap();
    let simulated = Arc::new(Simulated::new(1, 50_000));
    let ports = ports(Arc::new(SystemClock), Arc::new(SystemEntropy), simulated);
    let settings = wire::settings(&config, &SystemEntropy).unwrap();
    let app = App::start(ports, settings, tasks).await.unwrap();
    (config, app)
}

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// Reads one answer with a declared length. `None`: the connection ended first.
pub async fn read_answer(io: &mut (impl AsyncRead + Unpin)) -> Option<Answer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> =
        lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned())).collect();
    let length = headers.iter().find(|(n, _)| n == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
    let mut body = vec![0; length];
    io.read_exact(&mut body).await.ok()?;
    Some(Answer { status, headers, body: String::from_utf8(body).unwrap() })
}

/// Sends `request` whole, then reads one answer.
pub async fn exchange(io: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &[u8]) -> Option<Answer> {
    io.write_all(request).await.ok()?;
    io.flush().await.ok()?;
    tokio::time::timeout(PATIENCE, read_answer(io)).await.expect("the server answers or closes")
}

pub async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// One request on its own connection.
pub async fn ask(server: &Server, request: &str) -> Answer {
    let mut io = connect(server).await;
    exchange(&mut io, request.as_bytes()).await.expect("an answer")
}

/// A `GET` with a good `Host` and further header lines.
pub async fn get_with(server: &Server, target: &str, headers: &str) -> Answer {
    ask(server, &format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")).await
}

/// Waits until the server ends the connection.
pub async fn until_closed(io: &mut (impl AsyncRead + Unpin)) {
    let mut rest = Vec::new();
    // a reset is an end too
    let _ = tokio::time::timeout(PATIENCE, io.read_to_end(&mut rest)).await.expect("the server closes");
}
