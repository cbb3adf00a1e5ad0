//! A socket that two may write to: the HTTP library and what it was upgraded to, and the hub, which hands whole
//! WebSocket frames to the kernel without waking anybody. Neither comes between the bytes of the other's frame.

use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use orrery_app::hub::Direct;
use rustix::io::Errno;
use rustix::net::SendFlags;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

/// The socket and whose turn it is.
pub(super) struct Gate {
    stream: TcpStream,
    turn: Mutex<Turn>,
    both: Arc<Both>,
    /// Wakes both: the runtime remembers one who waits to write, and here there are two.
    waker: Waker,
}

/// Who waits for a full socket.
#[derive(Default)]
struct Both {
    library: Mutex<Option<Waker>>,
    hub: Mutex<Option<Waker>>,
}

impl Wake for Both {
    fn wake(self: Arc<Self>) {
        for slot in [&self.library, &self.hub] {
            let waker = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

#[derive(Default)]
struct Turn {
    library: Library,
    /// The hub has written a part of its frames: the rest comes before anything of the library's.
    hub_is_within: bool,
    library_waits: Option<Waker>,
    hub_waits: Option<Waker>,
}

/// What the library writes.
#[derive(Default, Clone, Copy)]
enum Library {
    /// Answers of HTTP: the hub has no turn.
    #[default]
    Http,
    /// WebSocket frames, of which the current one's header is not whole yet: its bytes so far.
    Header([u8; 10], usize),
    /// Bytes that are left of the current frame.
    Payload(u64),
}

impl Library {
    /// Is the last frame whole?
    fn is_between(self) -> bool {
        matches!(self, Self::Header(_, 0))
    }

    /// These bytes were written.
    fn wrote(&mut self, mut bytes: &[u8]) {
        if let Self::Http = self {
            let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { return };
            if !bytes.starts_with(b"HTTP/1.1 101") {
                return;
            }
            bytes = bytes.get(end + 4..).unwrap_or_default();
            *self = Self::Header([0; 10], 0);
        }
        while !bytes.is_empty() {
            match self {
                Self::Http => return,
                Self::Payload(left) => {
                    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= n as u64;
                    bytes = bytes.get(n..).unwrap_or_default();
                    if *left == 0 {
                        *self = Self::Header([0; 10], 0);
                    }
                }
                Self::Header(header, len) => {
                    let Some((first, rest)) = bytes.split_first() else { return };
                    if let Some(slot) = header.get_mut(*len) {
                        *slot = *first;
                    }
                    *len += 1;
                    bytes = rest;
                    let short = header[1] & 0x7f;
                    let payload = match (*len, short) {
                        (2, 0..=125) => Some(u64::from(short)),
                        (4, 126) => Some(u64::from(u16::from_be_bytes([header[2], header[3]]))),
                        (10, 127) => header[2..].try_into().ok().map(u64::from_be_bytes),
                        _ => None,
                    };
                    match payload {
                        Some(0) => *self = Self::Header([0; 10], 0),
                        Some(left) => *self = Self::Payload(left),
                        None => {}
                    }
                }
            }
        }
    }
}

impl Gate {
    pub(super) fn new(stream: TcpStream) -> Self {
        let both = Arc::<Both>::default();
        Self { stream, turn: Mutex::default(), waker: both.clone().into(), both }
    }

    /// When the full socket takes something again, for whoever's `slot` it is.
    fn poll_ready(&self, slot: &Mutex<Option<Waker>>, cx: &Context<'_>) -> Poll<io::Result<()>> {
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        self.stream.poll_write_ready(&mut Context::from_waker(&self.waker))
    }

    /// Hands bytes to the kernel without asking the runtime first whether it takes any. Only a full socket is the
    /// runtime's to know.
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match rustix::net::send(&self.stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(wrote) => Ok(wrote),
            Err(Errno::AGAIN | Errno::INTR) => self.stream.try_write(bytes),
            Err(error) => Err(error.into()),
        }
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        // every change is whole before the next begins
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn poll_read(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.stream.poll_read_ready(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
            }
            match self.stream.try_read_buf(buf) {
                Ok(_) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// The library's writes.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            let mut turn = self.turn();
            if turn.hub_is_within {
                turn.library_waits = Some(cx.waker().clone());
                return Poll::Pending;
            }
            match self.stream.try_write_vectored(bufs) {
                Ok(wrote) => {
                    let mut left = wrote;
                    for buf in bufs {
                        let n = left.min(buf.len());
                        turn.library.wrote(buf.get(..n).unwrap_or_default());
                        left -= n;
                    }
                    if turn.library.is_between()
                        && let Some(waker) = turn.hub_waits.take()
                    {
                        waker.wake();
                    }
                    return Poll::Ready(Ok(wrote));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    drop(turn);
                    match self.poll_ready(&self.both.library, cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Ready(Ok(())) => {}
                    }
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Nothing more is written.
    pub(super) fn shut_down(&self) -> io::Result<()> {
        match rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write) {
            Ok(()) | Err(Errno::NOTCONN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Direct for Gate {
    fn try_write(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut turn = self.turn();
        if !turn.hub_is_within && !turn.library.is_between() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let all: usize = bufs.iter().map(|b| b.len()).sum();
        let wrote = match bufs {
            [only] => self.send(only)?,
            _ => self.stream.try_write_vectored(bufs)?,
        };
        turn.hub_is_within = wrote < all;
        if !turn.hub_is_within
            && let Some(waker) = turn.library_waits.take()
        {
            waker.wake();
        }
        Ok(wrote)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut turn = self.turn();
        if !turn.hub_is_within && !turn.library.is_between() {
            turn.hub_waits = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(turn);
        self.poll_ready(&self.both.hub, cx)
    }
}

#[cfg(test)]
mod tests {
    use orrery_realtime::frame;

    use super::*;

    #[test]
    fn the_ends_of_frames_are_found_however_they_are_written() {
        let head = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";
        let frames: Vec<_> = [0, 1, 125, 126, 200, 65_535, 65_536].map(|n| frame::text(&vec![b'x'; n])).into();
        for step in [1, 3, 1_000, 100_000] {
            let mut library = Library::default();
            library.wrote(b"HTTP/1.1 200 OK\r\n\r\n");
            assert!(!library.is_between());
            library.wrote(head);
            assert!(library.is_between());
            for frame in &frames {
                for (i, part) in frame.chunks(step).enumerate() {
                    assert!(i == 0 || !library.is_between(), "within a frame");
                    library.wrote(part);
                }
                assert!(library.is_between(), "after a frame of {}", frame.len());
            }
        }
    }
}
