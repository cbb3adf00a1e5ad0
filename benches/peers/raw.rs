//! The practical limit: one thread, epoll, frames built once, `writev` of what waits. What comes on `/?pub` is
//! passed on to every other connection. It never closes a slow client and keeps everything for it, which no
//! server should.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use anyhow::Context;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use orrery_realtime::{Decoder, Message, frame};

const LISTENER: Token = Token(0);
const FRAMES: usize = 64;

struct Conn {
    stream: TcpStream,
    /// The handshake, until it is whole.
    head: Vec<u8>,
    open: bool,
    publishes: bool,
    decoder: Decoder,
    queue: VecDeque<Arc<[u8]>>,
    offset: usize,
}

fn main() -> anyhow::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    println!("listening on {}", listener.local_addr()?);
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut conns: Vec<Option<Conn>> = Vec::new();
    let mut events = Events::with_capacity(1_024);
    let mut space = vec![0; 262_144];
    loop {
        poll.poll(&mut events, None)?;
        let mut published = Vec::new();
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let token = Token(conns.len() + 1);
                    poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
                    conns.push(Some(Conn {
                        stream,
                        head: Vec::new(),
                        open: false,
                        publishes: false,
                        decoder: Decoder::new(1 << 20),
                        queue: VecDeque::new(),
                        offset: 0,
                    }));
                }
                continue;
            }
            let slot = conns.get_mut(event.token().0 - 1).context("no such connection")?;
            let Some(conn) = slot else { continue };
            let read = if event.is_readable() { read(conn, &mut space, &mut published) } else { Ok(()) };
            if read.and_then(|()| write(conn)).is_err() {
                *slot = None;
            }
        }
        if published.is_empty() {
            continue;
        }
        for slot in &mut conns {
            let Some(conn) = slot.as_mut().filter(|c| c.open && !c.publishes) else { continue };
            conn.queue.extend(published.iter().cloned());
            if write(conn).is_err() {
                *slot = None;
            }
        }
    }
}

fn read(conn: &mut Conn, space: &mut [u8], published: &mut Vec<Arc<[u8]>>) -> io::Result<()> {
    loop {
        match conn.stream.read(space) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) if conn.open => conn.decoder.feed(&space[..n]),
            Ok(n) => {
                conn.head.extend_from_slice(&space[..n]);
                let Some(end) = conn.head.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
                let head = String::from_utf8_lossy(&conn.head[..end]).into_owned();
                conn.publishes = head.starts_with("GET /?pub");
                conn.decoder.feed(&conn.head[end + 4..]);
                conn.open = true;
                // the accept key of the key that the load tool sends (RFC 6455's sample)
                let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                               Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
                conn.queue.push_back(Arc::from(&answer[..]));
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) => return Err(e),
        }
    }
    while let Ok(Some(message)) = conn.decoder.next_message() {
        match message {
            Message::Text(text) => published.push(Arc::from(frame::text(text.as_bytes()).as_ref())),
            Message::Close(_) => return Err(io::ErrorKind::ConnectionAborted.into()),
            _ => {}
        }
    }
    Ok(())
}

fn write(conn: &mut Conn) -> io::Result<()> {
    while !conn.queue.is_empty() {
        let mut slices = [IoSlice::new(&[]); FRAMES];
        for (slice, frame) in slices.iter_mut().zip(&conn.queue) {
            *slice = IoSlice::new(frame);
        }
        if let Some(first) = conn.queue.front() {
            slices[0] = IoSlice::new(&first[conn.offset..]);
        }
        match conn.stream.write_vectored(&slices[..conn.queue.len().min(FRAMES)]) {
            Ok(mut wrote) => {
                while let Some(first) = conn.queue.front() {
                    let left = first.len() - conn.offset;
                    if wrote < left {
                        conn.offset += wrote;
                        break;
                    }
                    wrote -= left;
                    conn.offset = 0;
                    conn.queue.pop_front();
                }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
