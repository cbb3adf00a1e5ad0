//! A request body that may not dawdle, and what becomes of a body that no route wanted.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep, sleep};

/// Most bytes of an unwanted body that are read and thrown away.
pub(super) const DISCARD_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Longest time that is spent on it.
const DISCARD_TIME_MAX: Duration = Duration::from_secs(10);

/// What the edge keeps of a body that it handed to a route.
#[derive(Clone, Default)]
pub struct Remains {
    expired: Arc<AtomicBool>,
    unread: Arc<Mutex<Option<Body>>>,
}

impl Remains {
    /// Did the client take too long?
    pub fn expired(&self) -> bool {
        self.expired.load(Ordering::Relaxed)
    }

    /// Reads what the route left, so that a client which sends its whole request before it reads gets
    /// the answer and no reset connection. Bounded in bytes and time; beyond that the connection
    /// closes.
    pub async fn discard(&self) {
        let body = self.unread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut body) = body else { return };
        let reading = async {
            let mut left = DISCARD_BYTES_MAX;
            while let Some(Ok(frame)) = body.frame().await {
                let size = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(size) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
        };
        // giving up is fine: the answer is sent all the same
        let _ = tokio::time::timeout(DISCARD_TIME_MAX, reading).await;
    }
}

/// Fails when nothing comes for a while; every frame gives it new time.
pub struct IdleBody {
    inner: Body,
    patience: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    failed: bool,
    remains: Remains,
}

impl IdleBody {
    /// Wraps `inner`, which may pause for `patience`.
    pub fn new(inner: Body, patience: Duration) -> (Self, Remains) {
        let remains = Remains::default();
        (Self { inner, patience, sleep: None, failed: false, remains: remains.clone() }, remains)
    }
}

impl http_body::Body for IdleBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            // the timer is made only when a body is slow, and kept for its next pause
            if let Some(sleep) = &mut this.sleep {
                sleep.as_mut().reset(Instant::now() + this.patience);
            }
            this.failed = matches!(frame, Some(Err(_)));
            return Poll::Ready(frame);
        }
        let sleep = this.sleep.get_or_insert_with(|| Box::pin(sleep(this.patience)));
        match sleep.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                this.failed = true;
                this.remains.expired.store(true, Ordering::Relaxed);
                Poll::Ready(Some(Err(axum::Error::new("the request body took too long"))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for IdleBody {
    fn drop(&mut self) {
        if !self.failed && !self.inner.is_end_stream() {
            let unread = std::mem::take(&mut self.inner);
            *self.remains.unread.lock().unwrap_or_else(PoisonError::into_inner) = Some(unread);
        }
    }
}
