//! Sockets that take books, and how old these are when they come.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Context as _, Result, bail};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::exchange::now_ms;

/// What stands before the time of a book's last change, and only there.
const TIME: &[u8] = br#"],"timestamp":"#;
/// What stands before a market's number.
const MARKET: &[u8] = b".book.C";
/// How far into a frame its channel stands.
const CHANNEL_WITHIN: usize = 256;

/// What all sockets saw.
pub(crate) struct Tally {
    pub measuring: bool,
    pub frames: u64,
    pub bytes: u64,
    /// Why sockets ended, and how many.
    pub closed: BTreeMap<String, usize>,
    /// Milliseconds from the newest change in a book to its arrival.
    pub age: Histogram<u64>,
    /// Milliseconds from the newest change in the book before: the longest that anything in it waited.
    pub waited: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new() -> Result<Self> {
        let histogram = || Histogram::new_with_bounds(1, 60_000, 3);
        let (age, waited) = (histogram()?, histogram()?);
        Ok(Self { measuring: false, frames: 0, bytes: 0, closed: BTreeMap::new(), age, waited })
    }
}

/// A socket that takes these markets' books for good.
pub(crate) async fn open(gateway: SocketAddr, markets: Vec<usize>, tally: Rc<RefCell<Tally>>) -> Result<()> {
    let mut stream = TcpStream::connect(gateway).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {gateway}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut read).await? == 0 {
            bail!("closed during the handshake: {}", String::from_utf8_lossy(&read));
        }
    };
    if !read.starts_with(b"HTTP/1.1 101") {
        bail!("refused: {}", String::from_utf8_lossy(&read));
    }
    read.drain(..end);
    for market in markets {
        let channel = format!("testnet.runtime.book.C{market:03}/USDT.binance.spot");
        let frame = format!(r#"{{"webfix":"1.0","method":"subscribe","channel":"{channel}"}}"#);
        stream.write_all(&masked(frame.as_bytes())?).await?;
    }
    tokio::task::spawn_local(async move {
        if let Err(error) = take(stream, read, &tally).await {
            *tally.borrow_mut().closed.entry(error.to_string()).or_default() += 1;
        }
    });
    Ok(())
}

/// A frame of text; the mask is of zeros, which is a mask too.
fn masked(payload: &[u8]) -> Result<Vec<u8>> {
    let mut frame = vec![0x81];
    match u8::try_from(payload.len()).ok().filter(|length| *length < 126) {
        Some(length) => frame.push(0x80 | length),
        None => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(payload.len()).context("a short frame")?.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    Ok(frame)
}

/// Where the first frame's payload begins and ends.
fn frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (length, start) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        n => (usize::from(n), 2),
    };
    (bytes.len() >= start + length).then_some((first & 0x0f, start, start + length))
}

async fn take(mut stream: TcpStream, mut read: Vec<u8>, tally: &RefCell<Tally>) -> Result<()> {
    let mut newest: HashMap<u64, u64> = HashMap::new();
    loop {
        let (mut used, now) = (0, now_ms());
        while let Some((opcode, start, end)) = frame(&read[used..]) {
            let payload = &read[used + start..used + end];
            match opcode {
                0x1 => seen(payload, now, &mut newest, &mut tally.borrow_mut()),
                0x8 => bail!("closed: {}", String::from_utf8_lossy(payload)),
                0x9 => stream.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).await?,
                _ => {}
            }
            used += end;
        }
        read.drain(..used);
        if stream.read_buf(&mut read).await? == 0 {
            bail!("gone");
        }
    }
}

fn digits(bytes: &[u8]) -> Option<u64> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    std::str::from_utf8(bytes.get(..end)?).ok()?.parse().ok()
}

fn seen(payload: &[u8], now: u64, newest: &mut HashMap<u64, u64>, tally: &mut Tally) {
    let head = &payload[..payload.len().min(CHANNEL_WITHIN)];
    let market = head.windows(MARKET.len()).position(|some| some == MARKET);
    let market = market.and_then(|at| digits(payload.get(at + MARKET.len()..)?));
    let time = payload.windows(TIME.len()).rposition(|some| some == TIME);
    let time = time.and_then(|at| digits(payload.get(at + TIME.len()..)?));
    let (Some(market), Some(time)) = (market, time) else { return };
    let before = newest.insert(market, time);
    if !tally.measuring {
        return;
    }
    tally.frames += 1;
    tally.bytes += payload.len() as u64;
    tally.age.saturating_record(now.saturating_sub(time).max(1));
    if let Some(before) = before {
        tally.waited.saturating_record(now.saturating_sub(before).max(1));
    }
}
