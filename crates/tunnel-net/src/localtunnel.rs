//! localtunnel: a request for a place, then connections to it that each bring one of the internet's.
//!
//! Protocol: `GET {host}/?new` or `GET {host}/{name}` answers `{id, port, max_conn_count, url}`. The client holds up to
//! `max_conn_count` connections to that port of the host, and opens another for each that is closed.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use orrery_tunnels::{Asked, Heard, Kind, Name, Opened, TunnelError, TunnelProvider, redact};
use serde::Deserialize;
use tokio::io::{AsyncWriteExt as _, copy};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// For the request, and for each connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;
/// Most connections, whatever the host allows.
const CONNECTIONS_MAX: u32 = 16;
/// Connections when the host names no number.
const CONNECTIONS: u32 = 10;
/// Before another try after a connection that failed, or ended without having brought anything.
const PAUSE: Duration = Duration::from_secs(1);
/// Failures in a row, for each connection, after which the place counts as lost.
const FAILURES_MAX: u32 = 5;
/// How long the other side may stay open once ours has ended.
const LINGER: Duration = Duration::from_secs(10);

/// The host cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not an `http` or `https` URL with a host.
    #[error("{0} is not an http or https URL")]
    Url(String),
    /// The HTTP library refused.
    #[error("the HTTP client cannot be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// Tunnels of one localtunnel host.
pub struct Localtunnel {
    base: reqwest::Url,
    client: reqwest::Client,
}

#[derive(Deserialize)]
struct Place {
    id: String,
    port: u16,
    max_conn_count: Option<u32>,
    url: String,
}

/// What a host says when it refuses.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl Localtunnel {
    /// Tunnels of the host at that address, such as `https://localtunnel.me`.
    ///
    /// # Errors
    /// When that is no such address.
    pub fn new(host: &str) -> Result<Self, OpenError> {
        // an error says that there is a provider already
        let _ = rustls::crypto::ring::default_provider().install_default();
        let good = |url: &reqwest::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        let base = reqwest::Url::parse(host).ok().filter(good).ok_or_else(|| OpenError::Url(host.to_owned()))?;
        let client = reqwest::Client::builder()
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            // the operator named the host
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("orrery")
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { base, client })
    }

    async fn place(&self, name: Option<&Name>) -> Result<Place, TunnelError> {
        let mut url = self.base.clone();
        url.set_path(name.map_or("/", Name::as_str));
        url.set_query(name.is_none().then_some("new"));
        let unreachable =
            |error: reqwest::Error| TunnelError::Unreachable(format!("the localtunnel host: {}", error.without_url()));
        let mut response = self.client.get(url).send().await.map_err(unreachable)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(unreachable)? {
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(TunnelError::Unreachable("the localtunnel host answered too much".into()));
            }
            body.extend_from_slice(&piece);
        }
        let strange = || TunnelError::Unreachable(format!("the localtunnel host answered {status} and no place"));
        if let Ok(place) = serde_json::from_slice::<Place>(&body)
            && status.is_success()
        {
            return if place.port == 0 { Err(strange()) } else { Ok(place) };
        }
        let said = serde_json::from_slice::<Refusal>(&body).map(|refusal| refusal.message);
        match said {
            Ok(said) if !said.trim().is_empty() => {
                Err(TunnelError::Refused(redact(&said, None).chars().take(300).collect()))
            }
            _ => Err(strange()),
        }
    }
}

#[async_trait]
impl TunnelProvider for Localtunnel {
    fn kind(&self) -> Kind {
        Kind::Localtunnel
    }

    async fn carry(&self, asked: &Asked, port: u16, heard: Arc<dyn Heard>) -> TunnelError {
        let place = match self.place(asked.name.as_ref()).await {
            Ok(place) => place,
            Err(error) => return error,
        };
        let Some(opened) = Opened::new(&place.url, Name::new(&place.id)) else {
            return TunnelError::Unreachable("the localtunnel host named no address".into());
        };
        let host = self.base.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let count = place.max_conn_count.unwrap_or(CONNECTIONS).clamp(1, CONNECTIONS_MAX);
        heard.line(&format!("{count} connections to port {} of {host}", place.port));
        heard.opened(opened);
        let failures = AtomicU32::new(0);
        let way = Way { host, remote: place.port, port, failures: &failures, most: FAILURES_MAX * count };
        let mut connections: FuturesUnordered<_> = (0..count).map(|_| way.connections()).collect();
        let lost = connections.next().await.unwrap_or_else(|| "no connections".to_owned());
        TunnelError::Ended(format!("the localtunnel host takes no connections any more: {lost}"))
    }
}

/// Between the place and the door.
struct Way<'a> {
    host: String,
    remote: u16,
    port: u16,
    /// In a row, of all connections.
    failures: &'a AtomicU32,
    most: u32,
}

impl Way<'_> {
    /// One connection after the other, until the place is lost; why.
    async fn connections(&self) -> String {
        loop {
            let connecting = timeout(PATIENCE, TcpStream::connect((self.host.as_str(), self.remote))).await;
            let failed = match connecting {
                Ok(Ok(remote)) => {
                    let began = Instant::now();
                    match self.bring(remote).await {
                        Ok(true) => {
                            self.failures.store(0, Ordering::Relaxed);
                            continue;
                        }
                        // one that nobody used for a while is given up now and then
                        Ok(false) if began.elapsed() >= PAUSE => continue,
                        Ok(false) => "they end at once".to_owned(),
                        Err(error) => error.kind().to_string(),
                    }
                }
                Ok(Err(error)) => error.kind().to_string(),
                Err(_) => "no answer".to_owned(),
            };
            if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= self.most {
                return failed;
            }
            sleep(PAUSE).await;
        }
    }

    /// Brings one of the internet's connections to the door; did anything come?
    async fn bring(&self, mut remote: TcpStream) -> std::io::Result<bool> {
        let _ = remote.set_nodelay(true);
        // a door that is opened before somebody is there would be closed again for its silence
        if remote.peek(&mut [0]).await? == 0 {
            return Ok(false);
        }
        let mut local = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        let _ = local.set_nodelay(true);
        let ((mut from_them, mut to_them), (mut from_us, mut to_us)) = (remote.split(), local.split());
        let asking = async {
            let copied = copy(&mut from_them, &mut to_us).await;
            let _ = to_us.shutdown().await;
            copied
        };
        let answering = async {
            let copied = copy(&mut from_us, &mut to_them).await;
            let _ = to_them.shutdown().await;
            copied
        };
        tokio::pin!(asking, answering);
        // how it ended is the business of the two ends
        tokio::select! {
            _ = &mut asking => drop(answering.await),
            _ = &mut answering => drop(timeout(LINGER, asking).await),
        }
        Ok(true)
    }
}
