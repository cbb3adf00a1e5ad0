//! HTTP/1.1 by hand: one kept connection, bodies counted and thrown away, nothing between us and the socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Longest wait for bytes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of an answer that is kept.
const KEPT_MAX: u64 = 65_536;

/// A connection to a server of this machine.
pub struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| address.to_string())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::with_capacity(262_144, stream), host: address.to_string() })
    }

    /// Sends a request whose body is in parts; gives the status and, when it is small, the answer's body.
    pub fn send(&mut self, method: &str, path: &str, headers: &str, body: &[&[u8]]) -> Result<(u16, Vec<u8>)> {
        let length: usize = body.iter().map(|part| part.len()).sum();
        let host = &self.host;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{headers}\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        for part in body {
            stream.write_all(part)?;
        }
        self.answer()
    }

    fn answer(&mut self) -> Result<(u16, Vec<u8>)> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).context("no status line")?;
        let mut length = 0_u64;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().context("Content-Length")?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                bail!("an answer of unknown length");
            }
        }
        let mut body = Vec::new();
        let mut rest = (&mut self.stream).take(length);
        if length <= KEPT_MAX {
            rest.read_to_end(&mut body)?;
            return Ok((status, body));
        }
        let mut buffer = vec![0; 262_144];
        let mut read = 0;
        while read < length {
            let n = rest.read(&mut buffer)?;
            if n == 0 {
                bail!("the answer ended after {read} of {length} bytes");
            }
            read += n as u64;
        }
        Ok((status, body))
    }
}
