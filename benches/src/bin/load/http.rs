//! Trades over HTTP: one kept connection for each client, nothing between us and the socket but hyper.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use orrery_kernel::Clock;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::report::{Report, Span, Tally, Window};
use crate::{MachineClock, UserArgs};

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(30);
/// Most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Connections that a client may lose before it gives up.
const RECONNECTS_MAX: u32 = 10;
/// Rupees that a new user is given.
const FUNDS_INR: &str = "1000000";
const PASSWORD: &str = "load-tool-Passw0rd-5527";

/// Where the server is; always this machine.
#[derive(Clone)]
struct Target {
    address: SocketAddr,
    host: String,
}

impl Target {
    async fn parse(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url} is no URL"))?;
        if uri.scheme_str() != Some("http") {
            bail!("{url}: only http:// on this machine");
        }
        let host = uri.host().context("the URL names no host")?;
        let port = uri.port_u16().unwrap_or(80);
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let mut found = tokio::net::lookup_host((name, port)).await.with_context(|| host.to_owned())?;
        let address = found.find(|a| a.ip().is_loopback());
        let address = address.with_context(|| format!("{host} is not this machine; loads are not put on others"))?;
        Ok(Self { address, host: format!("{host}:{port}") })
    }
}

struct Connection {
    target: Target,
    sender: SendRequest<Full<Bytes>>,
    driver: JoinSet<()>,
}

impl Connection {
    async fn open(target: &Target) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(target.address).await.with_context(|| {
            format!("no connection to {} (many clients need many open files: see `ulimit -n`)", target.address)
        })?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // its end shows in the next request
            let _ = connection.await;
        });
        Ok(Self { target: target.clone(), sender, driver })
    }

    async fn post(&mut self, path: &str, headers: &[(&str, &str)], body: Bytes) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut request = Request::post(path)
            .header(header::HOST, &self.target.host)
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body))?;
        timeout(ANSWER, async {
            self.sender.ready().await?;
            let response = self.sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|e| anyhow::anyhow!("{e}"))?.to_bytes();
            anyhow::Ok((status, body))
        })
        .await
        .with_context(|| format!("no answer within {ANSWER:?}"))?
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort_all();
    }
}

fn text_of(body: &[u8], field: &str) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    Some(value.get(field)?.as_str()?.to_owned())
}

/// Tokens of users with money.
async fn users(target: &Target, args: &UserArgs) -> anyhow::Result<Vec<String>> {
    if let Some(file) = &args.tokens {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let tokens: Vec<String> =
            text.lines().map(str::trim).filter(|l| !l.is_empty()).take(10_000).map(Into::into).collect();
        if tokens.is_empty() {
            bail!("{} holds no token", file.display());
        }
        return Ok(tokens);
    }
    let run = MachineClock.now().micros();
    let mut set = JoinSet::new();
    for n in 0..args.http_users {
        let (target, email) = (target.clone(), format!("load-{run}-{n}@example.com"));
        let fund_with = args.fund_with.clone();
        set.spawn(async move {
            let mut connection = Connection::open(&target).await?;
            let body = json!({"email": email, "name": "Load Tool", "password": PASSWORD}).to_string();
            let (status, body) = connection.post("/api/auth/register", &[], body.into()).await?;
            if status != StatusCode::CREATED {
                bail!("registration answered {status}: {}", String::from_utf8_lossy(&body));
            }
            let token = text_of(&body, "token").context("registration gave no token")?;
            if let Some(program) = fund_with {
                fund(&program, &email)?;
            }
            Ok(token)
        });
    }
    set.join_all().await.into_iter().collect()
}

/// Gives a user money by the server's own command.
fn fund(program: &Path, email: &str) -> anyhow::Result<()> {
    let output = std::process::Command::new(program)
        .args(["ledger", "deposit", "--email", email, "--inr", FUNDS_INR])
        .output()
        .with_context(|| program.display().to_string())?;
    if !output.status.success() {
        bail!("{} ledger deposit: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// One client's trades until the window closes.
async fn client(target: Target, token: String, number: u32, run: i64, window: Window) -> anyhow::Result<Tally> {
    let mut tally = Tally::new(window)?;
    let bearer = format!("Bearer {token}");
    let mut connection = Connection::open(&target).await?;
    let (mut n, mut lost) = (0_u64, 0);
    while window.goes_on() {
        // a rupee buys more than is sold at any price below ₹1.2 crore, so that nobody runs out
        let (action, amount, currency) =
            if n.is_multiple_of(2) { ("buy", "1", "inr") } else { ("sell", "0.00000008", "btc") };
        let body = json!({"action": action, "type": "market", "amount": amount, "currency": currency}).to_string();
        let key = format!("{:016x}-{run:x}-{number}-{n}", MachineClock.now().micros());
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key.as_str())];
        let sent = Instant::now();
        match connection.post("/api/trade", &headers, body.into()).await {
            Ok((StatusCode::OK, _)) => tally.done(sent),
            Ok((status, body)) => {
                tally.failed(format!("{} {}", status.as_u16(), text_of(&body, "error").unwrap_or_default()));
                // a refusal comes quickly; a client that repeats at once would measure nothing else
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => {
                tally.failed(error.to_string());
                lost += 1;
                if lost > RECONNECTS_MAX {
                    break;
                }
                connection = Connection::open(&target).await?;
            }
        }
        n += 1;
    }
    Ok(tally)
}

/// `load trade`.
pub(crate) async fn trade(url: &str, args: &UserArgs, clients: u32, span: Span) -> anyhow::Result<Report> {
    let target = Target::parse(url).await?;
    let tokens = users(&target, args).await?;
    let run = MachineClock.now().micros();
    let window = Window::open(span);
    let mut set = JoinSet::new();
    for (number, token) in (0..clients).zip(tokens.iter().cycle()) {
        set.spawn(client(target.clone(), token.clone(), number, run, window));
    }
    let tallies = set.join_all().await.into_iter().collect::<anyhow::Result<_>>()?;
    Report::of("POST /api/trade", clients, window, tallies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_this_machine() {
        for url in ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000", "http://127.8.9.1"] {
            assert!(Target::parse(url).await.is_ok(), "{url}");
        }
        for url in
            ["http://192.0.2.1:8000", "https://127.0.0.1", "http://10.0.0.1", "127.0.0.1:8000", "ftp://localhost"]
        {
            assert!(Target::parse(url).await.is_err(), "{url}");
        }
    }
}
