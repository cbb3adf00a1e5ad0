//! A socket that loses its patience.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};

use super::Bounds;
use super::gate::Gate;

/// A socket with its place and its patience: it fails when no request came in time, or when the
/// client does not take what is written.
pub(super) struct Guarded {
    io: Arc<Gate>,
    /// Until something was asked.
    first: Option<Pin<Box<Sleep>>>,
    asked: Arc<AtomicBool>,
    write: Option<Pin<Box<Sleep>>>,
    write_timeout: Duration,
    _place: OwnedSemaphorePermit,
}

impl Guarded {
    pub(super) fn new(io: Arc<Gate>, bounds: Bounds, asked: Arc<AtomicBool>, place: OwnedSemaphorePermit) -> Self {
        let first = Some(Box::pin(sleep(bounds.header_timeout)));
        Self { io, first, asked, write: None, write_timeout: bounds.write_timeout, _place: place }
    }

    /// Lets a pending write wait, but not for ever.
    fn wait<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.write = None;
            return polled;
        }
        let timeout = self.write_timeout;
        let timer = self.write.get_or_insert_with(|| Box::pin(sleep(timeout)));
        match timer.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Poll::Ready(read) = this.io.poll_read(cx, buf) {
            return Poll::Ready(read);
        }
        if this.asked.load(Ordering::Relaxed) {
            this.first = None;
        }
        if let Some(first) = &mut this.first
            && (first.deadline() <= Instant::now() || first.as_mut().poll(cx).is_ready())
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let polled = this.io.poll_write(cx, &[io::IoSlice::new(buf)]);
        this.wait(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let polled = Poll::Ready(Ok(()));
        this.wait(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let polled = Poll::Ready(this.io.shut_down());
        this.wait(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let polled = this.io.poll_write(cx, bufs);
        this.wait(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
