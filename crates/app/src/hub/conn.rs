//! One connection as the hub sees it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use orrery_identity::SessionId;
use orrery_kernel::{Secret, Timestamp, UserId};
use orrery_realtime::{Bounds, Item, Outbox, Pushed};

use super::channel::Channel;
use super::dialect::{Dialect, Ending, Notice};

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Who {
    /// The user, if they proved it.
    pub user: Option<UserId>,
    /// The client's own name for itself.
    pub client: Arc<str>,
}

/// A proof that can be checked again.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A session.
    Session(SessionId),
    /// An API key's text.
    Key(Secret<String>),
}

/// A connection: what waits for it, and what it has joined.
pub struct Conn {
    /// Unique in this process.
    pub id: u64,
    /// This process.
    pub(super) node: u64,
    /// Who.
    pub who: Who,
    pub(super) dialect: Arc<dyn Dialect>,
    pub(super) bounds: Bounds,
    pub(super) joined: Mutex<HashMap<u32, Arc<Channel>>>,
    outbox: Mutex<Outbox>,
    waker: AtomicWaker,
    /// When the client was last heard, and when it was last pinged; microseconds.
    heard: AtomicI64,
    pub(super) pinged: AtomicI64,
    /// What proves who it is, to be checked again.
    credential: Mutex<Option<Credential>>,
    /// When the token runs out; `i64::MAX`: never.
    expires: AtomicI64,
    pub(super) warned_of_expiry: AtomicBool,
    /// The change of permissions up to which the token was checked.
    pub(super) checked: AtomicU64,
}

impl Conn {
    pub(super) fn new(
        (node, id): (u64, u64),
        who: Who,
        dialect: Arc<dyn Dialect>,
        bounds: Bounds,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            node,
            who,
            dialect,
            bounds,
            joined: Mutex::default(),
            outbox: Mutex::default(),
            waker: AtomicWaker::new(),
            heard: AtomicI64::new(now.micros()),
            pinged: AtomicI64::new(0),
            credential: Mutex::default(),
            expires: AtomicI64::new(i64::MAX),
            warned_of_expiry: AtomicBool::new(false),
            checked: AtomicU64::new(0),
        }
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        // every change is whole before the next begins
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something came from the client.
    pub fn heard(&self, now: Timestamp) {
        self.heard.store(now.micros(), Ordering::Relaxed);
    }

    pub(super) fn last_heard(&self) -> Timestamp {
        Timestamp::from_micros(self.heard.load(Ordering::Relaxed))
    }

    /// When the token runs out.
    pub fn expires(&self) -> Option<Timestamp> {
        let at = self.expires.load(Ordering::Relaxed);
        (at != i64::MAX).then(|| Timestamp::from_micros(at))
    }

    fn set_expiry(&self, at: Option<Timestamp>) {
        self.expires.store(at.map_or(i64::MAX, Timestamp::micros), Ordering::Relaxed);
        self.warned_of_expiry.store(false, Ordering::Relaxed);
    }

    /// What proves who it is.
    pub fn credential(&self) -> Option<Credential> {
        self.credential.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What proves who it is, from now on, and until when.
    pub fn prove(&self, credential: Credential, until: Option<Timestamp>) {
        *self.credential.lock().unwrap_or_else(PoisonError::into_inner) = Some(credential);
        self.set_expiry(until);
    }

    /// Queues a frame of no channel.
    pub fn send(&self, frame: Bytes, now: Timestamp) {
        self.push(Item::loose(frame), now);
    }

    /// Tells the client something, if its protocol has words for it.
    pub fn tell(&self, notice: &Notice<'_>, now: Timestamp) {
        if let Some(frame) = self.dialect.notice(notice) {
            self.send(frame, now);
        }
    }

    /// Queues a frame in order; closes a connection that does not take what it is sent.
    pub(super) fn push(&self, item: Item, now: Timestamp) {
        let mut outbox = self.outbox();
        let idle = outbox.is_empty();
        match outbox.push(item, &self.bounds) {
            Pushed::Closed => return,
            Pushed::Full(offset) => {
                metrics::counter!("hub_slow_closed_total").increment(1);
                let bytes = outbox.bytes();
                outbox.close(self.dialect.close(&Ending::Slow { offset }), false);
                tracing::info!(conn = self.id, bytes, offset, "closed a client that does not keep up");
            }
            Pushed::Slow => {
                metrics::counter!("hub_slow_warned_total").increment(1);
                if let Some(frame) = self.dialect.notice(&Notice::Slow) {
                    outbox.push(Item::loose(frame), &self.bounds);
                }
            }
            Pushed::Queued | Pushed::Conflated => {}
        }
        self.wake(outbox, idle, now);
    }

    /// Queues frames of which only the newest of each key matters; `block` is all of them in one.
    pub(super) fn push_latest(&self, block: &Item, each: &[(u64, Bytes)], now: Timestamp) {
        let mut outbox = self.outbox();
        let idle = outbox.is_empty();
        if outbox.is_quick(&self.bounds) {
            if outbox.push(block.clone(), &self.bounds) == Pushed::Closed {
                return;
            }
        } else {
            let conflated =
                each.iter().filter(|(key, frame)| outbox.push_latest(*key, frame.clone()) == Pushed::Conflated).count();
            metrics::counter!("hub_conflated_total").increment(conflated as u64);
        }
        self.wake(outbox, idle, now);
    }

    /// Writes `ending`'s frame, then nothing more. What waits goes before it, unless the client does not take
    /// it anyway.
    pub fn close(&self, ending: &Ending) {
        let flush = !matches!(ending, Ending::Slow { .. });
        let mut outbox = self.outbox();
        if !outbox.is_closed() {
            outbox.close(self.dialect.close(ending), flush);
        }
        drop(outbox);
        self.waker.wake();
    }

    /// Is nothing taken any more?
    pub fn is_closed(&self) -> bool {
        self.outbox().is_closed()
    }

    fn wake(&self, mut outbox: MutexGuard<'_, Outbox>, idle: bool, now: Timestamp) {
        if idle {
            outbox.moved(now);
        }
        drop(outbox);
        if idle {
            self.waker.wake();
        }
    }

    /// The next frames to write, up to `frames` and about `bytes`; waits for them. `None`: all was written
    /// and the connection is over. One task only.
    pub async fn next(&self, batch: &mut Vec<Bytes>, frames: usize, bytes: usize) -> Option<()> {
        poll_fn(|cx| {
            if self.take(batch, frames, bytes) {
                return Poll::Ready(Some(()));
            }
            self.waker.register(cx.waker());
            // what came between the look and the registration
            if self.take(batch, frames, bytes) {
                return Poll::Ready(Some(()));
            }
            if self.outbox().is_closed() { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }

    fn take(&self, batch: &mut Vec<Bytes>, frames: usize, bytes: usize) -> bool {
        self.outbox().take(batch, frames, bytes);
        !batch.is_empty()
    }

    /// What [`Self::next`] gave was written.
    pub fn wrote(&self, now: Timestamp) {
        self.outbox().moved(now);
    }

    /// Since when the client has taken nothing of what waits.
    pub(super) fn stuck_since(&self) -> Option<Timestamp> {
        self.outbox().stuck_since()
    }

    /// Closes a client that takes nothing.
    pub(super) fn close_stuck(&self) {
        let mut outbox = self.outbox();
        let offset = outbox.has();
        outbox.close(self.dialect.close(&Ending::Slow { offset }), false);
        drop(outbox);
        metrics::counter!("hub_slow_closed_total").increment(1);
        self.waker.wake();
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.outbox().bytes()
    }

    /// Names of the joined channels.
    pub fn channels(&self) -> Vec<Arc<str>> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner).values().map(|c| c.name.clone()).collect()
    }
}
