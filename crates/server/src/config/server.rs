//! `[server]`: where it listens, and the bounds of what it is sent.

use std::path::{Path, PathBuf};
use std::time::Duration;

use orrery_http_kit::layers::Network;

use super::check::{self, ListenSpec, Reader};

/// `[server]`.
#[derive(Clone, Debug)]
pub struct Server {
    /// At least one.
    pub listen: Vec<ListenSpec>,
    /// Absolute.
    pub data_dir: PathBuf,
    /// Lower case.
    pub allowed_hosts: Vec<String>,
    /// Believed about client addresses.
    pub trusted_proxies: Vec<Network>,
    /// Open connections.
    pub connections_max: usize,
    /// Head of a request.
    pub header_timeout: Duration,
    /// Pause within a body.
    pub body_timeout: Duration,
    /// Drain.
    pub shutdown_grace: Duration,
    /// Request target, bytes.
    pub uri_bytes_max: usize,
    /// Header fields.
    pub headers_max: usize,
    /// Bytes of header fields.
    pub header_bytes_max: usize,
}

/// Reads them, reporting what is wrong.
pub(super) fn read(r: &mut Reader<'_>, cwd: &Path) -> Server {
    let listen = r.parsed_list("server.listen", check::listen);
    if r.list("server.listen").is_empty() {
        r.fault("server.listen", "must name at least one host:port");
    }
    let data_dir = r.text("server.data_dir");
    if data_dir.is_empty() {
        r.fault("server.data_dir", "must name a directory");
    }
    Server {
        listen,
        data_dir: cwd.join(data_dir.strip_prefix("./").unwrap_or(&data_dir)),
        allowed_hosts: r.parsed_list("server.allowed_hosts", check::host_name),
        trusted_proxies: r.parsed_list("server.trusted_proxies", check::network),
        connections_max: r.whole("server.connections_max", "", 1..=1_000_000),
        header_timeout: r.seconds("server.header_timeout_s", 1..=3_600),
        body_timeout: r.seconds("server.body_timeout_s", 1..=3_600),
        shutdown_grace: r.seconds("server.shutdown_grace_s", 0..=3_600),
        uri_bytes_max: r.whole("server.uri_bytes_max", "bytes", 256..=60_000),
        headers_max: r.whole("server.headers_max", "", 10..=500),
        header_bytes_max: r.whole("server.header_bytes_max", "bytes", 1_024..=262_144),
    }
}
