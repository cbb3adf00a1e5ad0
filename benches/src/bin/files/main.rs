//! Files against nginx: the same file up and down, and reads of a document a second.
//!
//! `files --gateway target/release/orrery-gateway`; nginx (Debian: nginx-light) is found on the path. Both are started on
//! the loopback with data of their own and end with this. Meant for a quiet machine; it takes about half a minute.

mod http;

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use http::Connection;
use rustix::process::{Pid, Signal, kill_process};

/// Times that each thing is done; the median counts.
const ROUNDS: usize = 7;
/// Who read documents at a time, and for how long.
const READERS: usize = 8;
const READING: Duration = Duration::from_secs(5);

#[derive(Parser)]
struct Arguments {
    /// The server's program
    #[arg(long)]
    gateway: PathBuf,
    /// Size of the file
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=96))]
    mib: u64,
}

/// A server that ends with this.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // asked, and not killed: nginx would leave its workers behind
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if pid.is_none_or(|pid| kill_process(pid, Signal::TERM).is_err()) {
            // it may have ended on its own
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "this is what is measured")]
fn now() -> Instant {
    Instant::now()
}

fn gateway(program: &Path, data: &Path) -> Result<Server> {
    let mut command = Command::new(program);
    command.arg("serve").env_clear().current_dir(data).env("ORRERY_DATA_DIR", data).env("ORRERY_LISTEN", "127.0.0.1:0");
    // refused at once, so that nothing leaves the machine
    command.env("COINGECKO_API_URL", "http://127.0.0.1:9").env("FEAR_GREED_API_URL", "http://127.0.0.1:9");
    for tier in ["API", "UPLOAD"] {
        command.env(format!("ORRERY_LIMITS__{tier}_MAX"), "100000000");
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().context("the gateway")?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let found = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, rest) = line.split_once("http://")?;
        rest.split_whitespace().next()?.trim_end_matches('/').parse().ok()
    });
    std::thread::spawn(move || lines.for_each(drop));
    match found {
        Some(address) => Ok(Server { child, address }),
        None => {
            child.kill()?;
            bail!("the gateway did not say where it listens")
        }
    }
}

fn nginx(folder: &Path) -> Result<Server> {
    // `user`: root alone may read the folder, and to who is not root it says nothing
    // free by now; taken by others only by bad luck
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let here = folder.display();
    let config = format!(
        "daemon off; user root; worker_processes auto; pid {here}/pid; error_log {here}/error.log;\n\
         events {{ worker_connections 256; }}\n\
         http {{ access_log off; sendfile on; client_body_temp_path {here}/temp; client_max_body_size 1g;\n\
         server {{ listen {address}; root {here}; location / {{ dav_methods PUT; }} }} }}\n"
    );
    std::fs::write(folder.join("nginx.conf"), config)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf")).stderr(Stdio::null());
    let server = Server { child: command.spawn().context("nginx (Debian: nginx-light)")?, address };
    let until = now() + Duration::from_secs(10);
    while Connection::open(address).is_err() {
        if now() > until {
            bail!("nginx does not listen");
        }
        std::thread::yield_now();
    }
    Ok(server)
}

/// A new user's token.
fn register(address: SocketAddr) -> Result<String> {
    let body = br#"{"email":"bench@example.com","name":"Bench","password":"bench-Passw0rd-9902"}"#;
    let mut connection = Connection::open(address)?;
    let (status, answer) =
        connection.send("POST", "/api/auth/register", "Content-Type: application/json\r\n", &[body])?;
    let answer: serde_json::Value =
        serde_json::from_slice(&answer).with_context(|| format!("registration: {status}"))?;
    Ok(answer["token"].as_str().context("no token")?.to_owned())
}

/// The median of what `work` takes, as MB/s of `bytes`.
fn rate(bytes: u64, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let began = now();
        work()?;
        took.push(began.elapsed().as_secs_f64());
    }
    took.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let megabytes = bytes as f64 / 1e6;
    Ok(megabytes / took[ROUNDS / 2])
}

fn good(status: u16) -> Result<()> {
    if (200..300).contains(&status) { Ok(()) } else { bail!("answered {status}") }
}

/// Downloads by one, then by four at a time.
fn downloads(address: SocketAddr, path: &str, headers: &str, bytes: u64) -> Result<(f64, f64)> {
    let mut connection = Connection::open(address)?;
    let one = rate(bytes, || good(connection.send("GET", path, headers, &[])?.0))?;
    let four = rate(bytes * 4, || {
        std::thread::scope(|scope| {
            let each = || good(Connection::open(address)?.send("GET", path, headers, &[])?.0);
            let all: Vec<_> = (0..4).map(|_| scope.spawn(each)).collect();
            all.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
        })
    })?;
    Ok((one, four))
}

/// Reads of a document a second.
fn reads(address: SocketAddr, headers: &str) -> Result<f64> {
    let json = format!("{headers}Content-Type: application/json\r\n");
    let body = br#"{"key":"k","value":{"name":"a document","numbers":[1,2,3,4,5,6,7,8]}}"#;
    good(Connection::open(address)?.send("POST", "/api/data", &json, &[body])?.0)?;
    let began = now();
    let count: Result<Vec<u64>> = std::thread::scope(|scope| {
        let each = || {
            let (mut connection, mut n) = (Connection::open(address)?, 0_u64);
            while began.elapsed() < READING {
                good(connection.send("GET", "/api/data/k", headers, &[])?.0)?;
                n += 1;
            }
            Ok(n)
        };
        let all: Vec<_> = (0..READERS).map(|_| scope.spawn(each)).collect();
        all.into_iter().map(|one| one.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?).collect()
    });
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let count = count?.iter().sum::<u64>() as f64;
    Ok(count / began.elapsed().as_secs_f64())
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (data, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let bytes = arguments.mib << 20;
    // nothing that could be packed
    let mut state = 1_u64;
    let file: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    })
    .take(usize::try_from(bytes)?)
    .collect();
    let (ours, theirs) = (gateway(&arguments.gateway, data.path())?, nginx(folder.path())?);
    let token = register(ours.address)?;
    let bearer = format!("Authorization: Bearer {token}\r\n");

    let mut connection = Connection::open(theirs.address)?;
    let put = rate(bytes, || good(connection.send("PUT", "/a.bin", "", &[&file])?.0))?;
    let form = format!("{bearer}Content-Type: multipart/form-data; boundary=B\r\n");
    let head = b"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n";
    let (mut connection, mut url) = (Connection::open(ours.address)?, String::new());
    let posted = rate(bytes, || {
        let (status, answer) = connection.send("POST", "/api/files/upload", &form, &[head, &file, b"\r\n--B--\r\n"])?;
        good(status)?;
        let answer: serde_json::Value = serde_json::from_slice(&answer)?;
        answer["url"].as_str().context("no url")?.clone_into(&mut url);
        Ok(())
    })?;
    let (one, four) = downloads(ours.address, &url, &bearer, bytes)?;
    let (their_one, their_four) = downloads(theirs.address, "/a.bin", "", bytes)?;
    println!("{} MiB, MB/s, median of {ROUNDS}       gateway      nginx   ratio", arguments.mib);
    for (what, ours, theirs) in
        [("upload", posted, put), ("download", one, their_one), ("download, four at a time", four, their_four)]
    {
        println!("{what:<30} {ours:>10.0} {theirs:>10.0} {:>7.2}", ours / theirs);
    }
    println!("reads of a document, {READERS} connections: {:.0}/s", reads(ours.address, &bearer)?);
    Ok(())
}
