//! Trades over HTTP: one keep-alive connection a client.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::Figures;
use crate::compare::run;

struct Client {
    host: String,
    connection: SendRequest<Full<Bytes>>,
}

impl Client {
    async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = tokio::net::TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        #[expect(clippy::disallowed_methods, reason = "a tool; the driver ends with its connection")]
        tokio::spawn(driver);
        Ok(Self { host: address.to_string(), connection })
    }

    async fn post(&mut self, path: &str, headers: &[(&str, &str)], body: Bytes) -> Result<(StatusCode, Bytes)> {
        self.connection.ready().await?;
        let mut request = Request::post(path).header("host", &self.host).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.connection.send_request(request.body(Full::new(body))?).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

/// The loopback address of a URL; traffic goes nowhere else.
fn loopback(url: &str) -> Result<SocketAddr> {
    let uri: Uri = url.parse().context("the URL")?;
    let host = uri.host().context("a URL with a host")?.trim_matches(['[', ']']);
    let ip: IpAddr =
        if host == "localhost" { IpAddr::from([127, 0, 0, 1]) } else { host.parse().context("an IP address")? };
    if !ip.is_loopback() {
        bail!("{host} is not this machine: load goes to loopback only");
    }
    Ok(SocketAddr::new(ip, uri.port_u16().unwrap_or(80)))
}

/// Registers users at `url` (they must start with money, as those of `demo` do) and keeps `clients`
/// connections trading for `time`: each buys and sells a rupee's worth in turn, every trade under a
/// key of its own.
pub async fn trades(url: &str, clients: usize, users: usize, time: Duration) -> Result<Figures> {
    let address = loopback(url)?;
    let mut setup = Client::connect(address).await?;
    let mut tokens = Vec::new();
    let run_id = std::process::id();
    for user in 0..users.max(1) {
        let body = json!({
            "email": format!("load-{run_id}-{user}@example.com"), "name": "Load", "password": "correct horse battery"
        });
        let (status, reply) = setup.post("/api/auth/register", &[], body.to_string().into()).await?;
        let reply: Value = serde_json::from_slice(&reply).unwrap_or_default();
        let Some(token) = reply["token"].as_str() else { bail!("register: {status} {reply}") };
        tokens.push(format!("Bearer {token}"));
    }
    let mut connections = Vec::new();
    for i in 0..clients {
        connections.push((Client::connect(address).await?, tokens[i % tokens.len()].clone()));
    }
    let pool = Arc::new(Mutex::new(connections));
    let next = Arc::new(AtomicU64::new(0));
    let mut figures = Figures::new(&format!("HTTP, {clients} clients"));
    let taken = pool.clone();
    figures.took = run(clients, time, &mut figures, move || {
        let (pool, next) = (taken.clone(), next.clone());
        async move {
            // as many connections as callers, so there is always one
            let (mut client, token) = pool.lock().await.pop().context("a connection")?;
            let n = next.fetch_add(1, Ordering::Relaxed);
            let action = if n % 2 == 0 { "buy" } else { "sell" };
            let body = format!(r#"{{"action":"{action}","type":"market","amount":"1","currency":"inr"}}"#);
            let key = format!("load-{run_id}-{n}");
            let headers = [("authorization", token.as_str()), ("idempotency-key", key.as_str())];
            let (status, reply) = client.post("/api/trade", &headers, body.into()).await?;
            pool.lock().await.push((client, token));
            if status == StatusCode::OK { Ok(()) } else { bail!("{status} {}", String::from_utf8_lossy(&reply)) }
        }
    })
    .await;
    Ok(figures)
}
