//! Sockets that read: as little work as there can be, so that the server is what is measured.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{Args, Kind, Tally};

/// In front of a message's number and time.
const MARK: &[u8] = b"@@";
/// Bytes of a read.
const READ_BYTES: usize = 262_144;
const ANSWER: Duration = Duration::from_secs(20);

/// Nanoseconds of a clock that all threads share.
pub(crate) fn now_ns() -> u64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    #[expect(clippy::disallowed_methods, reason = "a load tool measures")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_nanos() as u64
}

/// A message with its number and the time it was meant to be sent.
pub(crate) fn message(number: u64, at: u64, bytes: usize) -> String {
    let mut text = format!("@@{number:016x}{at:016x}");
    text.push_str(&"x".repeat(bytes.saturating_sub(text.len())));
    text
}

/// What one subscriber has seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// The number that comes next.
    pub next: Cell<u64>,
    pub closed: Cell<bool>,
    begun: Cell<bool>,
}

pub(crate) struct Subscriber;

/// A client's frame; the mask is of zeros, which is a mask too.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80 | opcode];
    match payload.len() {
        n @ 0..=125 => out.push(0x80 | n as u8),
        n @ 126..=65_535 => {
            out.push(0x80 | 126);
            out.extend((n as u16).to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend((n as u64).to_be_bytes());
        }
    }
    out.extend([0; 4]);
    out.extend(payload);
    out
}

/// The end of the first frame of `bytes`, and where its payload begins.
pub(crate) fn frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (len, start) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize, 10),
        n => (usize::from(n), 2),
    };
    (bytes.len() >= start + len).then_some((first & 0x0f, start, start + len))
}

/// An open WebSocket and what was read beyond the handshake.
pub(crate) async fn connect(args: &Args, path: &str) -> anyhow::Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(args.address).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        args.address
    );
    stream.write_all(request.as_bytes()).await?;
    let mut read = Vec::new();
    loop {
        let mut some = [0; 4_096];
        let n = timeout(ANSWER, stream.read(&mut some)).await??;
        if n == 0 {
            bail!("closed during the handshake: {}", String::from_utf8_lossy(&read));
        }
        read.extend_from_slice(&some[..n]);
        if let Some(end) = read.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            if !head.starts_with("HTTP/1.1 101") {
                bail!("refused: {head}");
            }
            return Ok((stream, read.split_off(end + 4)));
        }
    }
}

/// Reads frames until one begins with `with`.
pub(crate) async fn expect(stream: &mut TcpStream, rest: &mut Vec<u8>, with: &str) -> anyhow::Result<()> {
    loop {
        while let Some((opcode, start, end)) = frame(rest) {
            let payload = rest[start..end].to_vec();
            rest.drain(..end);
            if opcode == 0x8 {
                bail!("closed: {}", String::from_utf8_lossy(&payload));
            }
            if payload == b"2" {
                stream.write_all(&masked(1, b"3")).await?;
            }
            if payload.starts_with(with.as_bytes()) {
                return Ok(());
            }
        }
        let mut some = [0; 4_096];
        let n = timeout(ANSWER, stream.read(&mut some)).await.with_context(|| format!("no {with}"))??;
        if n == 0 {
            bail!("closed before {with}");
        }
        rest.extend_from_slice(&some[..n]);
    }
}

async fn enter(args: &Args) -> anyhow::Result<(TcpStream, Vec<u8>)> {
    match args.kind {
        Kind::Plain => connect(args, "/").await,
        Kind::Nats => {
            let (mut stream, mut rest) = connect(args, "/").await?;
            expect(&mut stream, &mut rest, "INFO").await?;
            let hello = b"CONNECT {\"verbose\":false}\r\nSUB load 1\r\nPING\r\n";
            stream.write_all(&masked(2, hello)).await?;
            expect(&mut stream, &mut rest, "PONG").await?;
            Ok((stream, rest))
        }
        Kind::Channels => {
            let (mut stream, mut rest) = connect(args, &format!("/ws?token={}&channel=load", args.token)).await?;
            expect(&mut stream, &mut rest, r#"{"type":"connection","action":"connect""#).await?;
            Ok((stream, rest))
        }
        Kind::Socketio | Kind::Topics => {
            let (mut stream, mut rest) = connect(args, "/socket.io/?EIO=4&transport=websocket").await?;
            expect(&mut stream, &mut rest, "0").await?;
            stream.write_all(&masked(1, b"40")).await?;
            expect(&mut stream, &mut rest, "40").await?;
            if args.kind == Kind::Topics {
                let auth = format!(r#"42["authenticate","{}"]"#, args.token);
                stream.write_all(&masked(1, auth.as_bytes())).await?;
                expect(&mut stream, &mut rest, r#"42["authentication_success""#).await?;
                let subscribe = br#"42["subscribe",{"topics":["performance_metrics"]}]"#;
                stream.write_all(&masked(1, subscribe)).await?;
                expect(&mut stream, &mut rest, r#"42["subscribed""#).await?;
            }
            Ok((stream, rest))
        }
    }
}

impl Subscriber {
    /// A connection that reads for good.
    pub(crate) async fn open(args: &Args, tally: Rc<RefCell<Tally>>) -> anyhow::Result<Rc<Seen>> {
        let (stream, rest) = enter(args).await?;
        let seen = Rc::new(Seen::default());
        let reading = Reading {
            socketio: matches!(args.kind, Kind::Socketio | Kind::Topics),
            nats: args.kind == Kind::Nats,
            keyed: args.keys > 0,
        };
        let this = seen.clone();
        tokio::task::spawn_local(async move {
            // an error ends this connection, which the report tells
            let _ = read(stream, rest, &this, &tally, reading).await;
            this.closed.set(true);
        });
        Ok(seen)
    }

    /// A connection that never reads.
    pub(crate) async fn open_stalled(args: &Args) -> anyhow::Result<TcpStream> {
        Ok(enter(args).await?.0)
    }
}

/// How frames are read.
#[derive(Clone, Copy)]
struct Reading {
    socketio: bool,
    nats: bool,
    keyed: bool,
}

thread_local! {
    /// One for all: nothing waits while it is used.
    static SPACE: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

async fn read(
    mut stream: TcpStream,
    mut rest: Vec<u8>,
    seen: &Seen,
    tally: &RefCell<Tally>,
    reading: Reading,
) -> anyhow::Result<()> {
    let mut split = Vec::new();
    let socketio = reading.socketio;
    loop {
        let mut pong = false;
        let used = walk(&rest, seen, tally, reading, &mut split, &mut pong)?;
        rest.drain(..used);
        if pong {
            let answer = if socketio { masked(1, b"3") } else { masked(0xa, b"") };
            stream.write_all(&answer).await?;
        }
        stream.readable().await?;
        loop {
            let read = SPACE.with_borrow_mut(|space| {
                let n = stream.try_read(space)?;
                if n == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                tally.borrow_mut().reads += 1;
                // what is whole is read in place; only the rest is kept
                if rest.is_empty() {
                    let used = walk(&space[..n], seen, tally, reading, &mut split, &mut pong).unwrap_or(n);
                    rest.extend_from_slice(&space[used..n]);
                } else {
                    rest.extend_from_slice(&space[..n]);
                    let used = walk(&rest, seen, tally, reading, &mut split, &mut pong).unwrap_or(rest.len());
                    rest.drain(..used);
                }
                Ok::<_, std::io::Error>(n)
            });
            match read {
                Ok(n) if n < READ_BYTES => break,
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e.into()),
            }
        }
        if pong {
            let answer = if socketio { masked(1, b"3") } else { masked(0xa, b"") };
            stream.write_all(&answer).await?;
        }
    }
}

/// Takes whole frames; gives how many bytes they were.
fn walk(
    bytes: &[u8],
    seen: &Seen,
    tally: &RefCell<Tally>,
    reading: Reading,
    split: &mut Vec<u8>,
    pong: &mut bool,
) -> anyhow::Result<usize> {
    let mut used = 0;
    let mut tally = tally.borrow_mut();
    while let Some((opcode, start, end)) = frame(&bytes[used..]) {
        let payload = &bytes[used + start..used + end];
        used += end;
        match opcode {
            0x1 if reading.socketio && payload == b"2" => *pong = true,
            _ if reading.nats && opcode <= 0x2 => {
                // a stream of bytes, whose frames end anywhere
                split.extend_from_slice(payload);
                let mut from = 0;
                while let Some(at) = split[from..].windows(MARK.len()).position(|w| w == MARK) {
                    if split.len() < from + at + 34 {
                        from += at;
                        break;
                    }
                    take(&split[from + at..from + at + 34], seen, &mut tally, reading.keyed);
                    from += at + 34;
                }
                // what is left holds no whole mark: only a begun one is kept
                let begun = split[from..].windows(MARK.len()).position(|w| w == MARK).map(|at| from + at);
                split.drain(..begun.unwrap_or(split.len().saturating_sub(1)));
            }
            0x1 => take(payload, seen, &mut tally, reading.keyed),
            0x8 => bail!("closed"),
            0x9 => *pong = true,
            _ => {}
        }
    }
    Ok(used)
}

fn take(payload: &[u8], seen: &Seen, tally: &mut Tally, keyed: bool) {
    let Some(at) = payload.windows(MARK.len()).position(|w| w == MARK) else { return };
    let digits = |from: usize| {
        let text = payload.get(at + 2 + from..at + 18 + from)?;
        u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
    };
    let (Some(number), Some(sent)) = (digits(0), digits(16)) else { return };
    let next = seen.next.get();
    if !keyed && seen.begun.get() && number != next {
        tally.lost += number.abs_diff(next);
    }
    seen.begun.set(true);
    seen.next.set(number + 1);
    tally.seen += 1;
    if tally.measuring {
        let micros = now_ns().saturating_sub(sent) / 1_000;
        tally.latency.saturating_record(micros.max(1));
    }
}
