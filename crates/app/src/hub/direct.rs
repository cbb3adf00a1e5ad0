//! Writing without waking anybody: one task goes through the connections that something was queued for and
//! hands it to the kernel, as many frames at a time as wait. A connection's own task is woken only when its
//! socket is full, broken, or over.

use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use orrery_kernel::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Conn;

/// Frames of one write.
pub(super) const WRITE_FRAMES: usize = 64;
/// Bytes of one write, about.
pub(super) const WRITE_BYTES: usize = 262_144;
/// Connections between two breaths for other tasks: some milliseconds. More often would send the rest to
/// another processor each time.
const BREATH: usize = 1_024;

/// A socket that takes bytes at once, beside whoever reads it.
pub trait Direct: Send + Sync {
    /// Writes what the socket takes now. Less than all means that the rest comes next, and nothing of anybody
    /// else's before it.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing now; any other ends the connection.
    fn try_write(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;

    /// When it takes something again.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// The handle of a request's own socket, among the request's extensions where there is one.
#[derive(Clone)]
pub struct DirectSocket(pub Arc<dyn Direct>);

/// Frames that were taken from an outbox and are not all written.
#[derive(Default)]
pub(super) struct Unwritten {
    frames: Vec<Bytes>,
    first: usize,
    offset: usize,
}

impl Unwritten {
    pub(super) fn is_empty(&self) -> bool {
        self.first >= self.frames.len()
    }

    /// Room for the next frames.
    pub(super) fn room(&mut self) -> &mut Vec<Bytes> {
        self.frames.clear();
        (self.first, self.offset) = (0, 0);
        &mut self.frames
    }

    /// A frame whose first bytes were written.
    pub(super) fn keep(&mut self, frame: Bytes, offset: usize) {
        self.room().push(frame);
        self.offset = offset;
    }

    /// Frees what a burst took.
    pub(super) fn shrink(&mut self) {
        if self.frames.capacity() > 4 {
            *self = Self::default();
        } else {
            self.frames.clear();
        }
    }

    /// Writes until nothing is left, or the socket takes no more; `moved` when it took anything at all.
    pub(super) fn write(&mut self, socket: &dyn Direct, moved: &mut bool) -> io::Result<()> {
        while !self.is_empty() {
            let rest = &self.frames[self.first..];
            let mut wrote = match rest {
                [only] => socket.try_write(&[IoSlice::new(&only[self.offset..])])?,
                _ => {
                    let mut slices = [IoSlice::new(&[]); WRITE_FRAMES];
                    for (slice, frame) in slices.iter_mut().zip(rest) {
                        *slice = IoSlice::new(frame);
                    }
                    if let Some(frame) = rest.first() {
                        slices[0] = IoSlice::new(&frame[self.offset..]);
                    }
                    socket.try_write(&slices[..rest.len().min(WRITE_FRAMES)])?
                }
            };
            if wrote == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            *moved = true;
            while let Some(frame) = self.frames.get(self.first) {
                let left = frame.len() - self.offset;
                if wrote < left {
                    self.offset += wrote;
                    break;
                }
                wrote -= left;
                (self.first, self.offset) = (self.first + 1, 0);
            }
        }
        Ok(())
    }
}

/// Connections that something was queued for.
#[derive(Default)]
pub(super) struct Flusher {
    dirty: Mutex<Vec<Arc<Conn>>>,
    wake: Notify,
}

impl Flusher {
    pub(super) fn add(&self, conn: Arc<Conn>) {
        let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
        dirty.push(conn);
        let first = dirty.len() == 1;
        drop(dirty);
        if first {
            self.wake.notify_one();
        }
    }

    pub(super) async fn run(self: Arc<Self>, clock: Arc<dyn Clock>, ended: CancellationToken) {
        let mut conns = Vec::new();
        loop {
            std::mem::swap(&mut conns, &mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner));
            if conns.is_empty() {
                tokio::select! {
                    () = self.wake.notified() => {}
                    () = ended.cancelled() => return,
                }
                continue;
            }
            let now = clock.now();
            for (i, conn) in conns.drain(..).enumerate() {
                conn.flush(now);
                if i % BREATH == BREATH - 1 {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes three bytes at a time, and nothing every other time.
    #[derive(Default)]
    struct Trickle {
        full: std::sync::atomic::AtomicBool,
        taken: Mutex<Vec<u8>>,
    }

    impl Direct for Trickle {
        fn try_write(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
            if self.full.fetch_not(std::sync::atomic::Ordering::Relaxed) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let some: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).take(3).collect();
            self.taken.lock().unwrap().extend(&some);
            Ok(some.len())
        }

        fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_client_that_takes_a_little_is_not_stuck() {
        let (socket, mut unwritten) = (Trickle::default(), Unwritten::default());
        unwritten.room().extend([Bytes::from_static(b"abcd"), Bytes::from_static(b"ef")]);
        let mut moved = false;
        assert_eq!(unwritten.write(&socket, &mut moved).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(moved, "three bytes went");
        moved = false;
        unwritten.write(&socket, &mut moved).unwrap();
        assert!(moved && unwritten.is_empty());
        assert_eq!(*socket.taken.lock().unwrap(), b"abcdef");
    }
}
