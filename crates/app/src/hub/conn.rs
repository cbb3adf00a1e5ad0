//! One connection as the hub sees it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io::IoSlice;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Poll;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use orrery_identity::SessionId;
use orrery_identity::rate::{self, Policy};
use orrery_kernel::{Clock, Error, ErrorCode, Result, Secret, Timestamp, UserId};
use orrery_realtime::{Bounds, Item, Outbox, Pushed};

use super::channel::Channel;
use super::dialect::{Dialect, Ending, Notice};
use super::direct::{Direct, Flusher, Unwritten, WRITE_BYTES, WRITE_FRAMES};

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
    /// The surface's own matter, which looks at it whenever anybody's permissions change.
    Surface,
}

/// A connection: what waits for it, and what it has joined. What every frame touches comes first and lies together: of
/// a thousand connections none is in a cache when its turn comes, and each further line of memory is waited for.
#[repr(C)]
pub struct Conn {
    /// It waits for its turn with the flusher.
    queued: AtomicBool,
    /// Its socket is full: its own task goes on when it is not.
    blocked: AtomicBool,
    broken: AtomicBool,
    outbox: Mutex<Outbox>,
    /// Unique in this process.
    pub id: u64,
    /// This process.
    pub(super) node: u64,
    pub(super) dialect: Arc<dyn Dialect>,
    pub(super) bounds: Bounds,
    direct: OnceLock<(Arc<dyn Direct>, Arc<Flusher>)>,
    me: Weak<Self>,
    unwritten: Mutex<Unwritten>,
    waker: AtomicWaker,
    /// Who.
    pub who: Who,
    /// Where from, if it counts there.
    pub(super) address: Option<IpAddr>,
    pub(super) joined: Mutex<HashMap<u32, Arc<Channel>>>,
    joins: Mutex<rate::State>,
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
        address: Option<IpAddr>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            id,
            node,
            who,
            address,
            dialect,
            bounds,
            joined: Mutex::default(),
            joins: Mutex::default(),
            outbox: Mutex::default(),
            waker: AtomicWaker::new(),
            me: me.clone(),
            direct: OnceLock::new(),
            unwritten: Mutex::default(),
            queued: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            heard: AtomicI64::new(now.micros()),
            pinged: AtomicI64::new(0),
            credential: Mutex::default(),
            expires: AtomicI64::new(i64::MAX),
            warned_of_expiry: AtomicBool::new(false),
            checked: AtomicU64::new(0),
        })
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

    /// One more join.
    pub(super) fn admit_join(&self, policy: &Policy, most: usize, now: Timestamp) -> Result<()> {
        if self.joined.lock().unwrap_or_else(PoisonError::into_inner).len() >= most {
            return Err(Error::new(ErrorCode::Conflict, format!("A connection may be in {most} channels")));
        }
        let mut state = self.joins.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, verdict) = rate::take(*state, policy, now);
        *state = next;
        if verdict.allowed { Ok(()) } else { Err(Error::rate_limited("Too many joins", verdict.retry_after)) }
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
        self.rouse();
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
            self.rouse();
        }
    }

    /// Something waits: the flusher's turn, where there is one, else the connection's own task.
    fn rouse(&self) {
        let Some((_, flusher)) = self.direct.get() else { return self.waker.wake() };
        // what was queued before its own task cleared this is seen by that task
        if !self.blocked.load(Ordering::SeqCst)
            && !self.queued.swap(true, Ordering::SeqCst)
            && let Some(me) = self.me.upgrade()
        {
            flusher.add(me);
        }
    }

    /// Frames are written straight to `socket` from now on, which nobody else writes to but at the ends of
    /// frames.
    pub(super) fn write_to(&self, socket: Arc<dyn Direct>, flusher: Arc<Flusher>) {
        // a second socket would be a second owner
        let _ = self.direct.set((socket, flusher));
        self.rouse();
    }

    /// Writes what waits, until there is nothing or the socket takes no more.
    pub(super) fn flush(&self, now: Timestamp) {
        self.queued.store(false, Ordering::SeqCst);
        let Some((socket, _)) = self.direct.get() else { return };
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        if self.blocked.load(Ordering::SeqCst) || self.broken.load(Ordering::SeqCst) {
            return;
        }
        let mut wrote = false;
        if unwritten.is_empty() {
            // who keeps up has one frame, which needs no place of its own
            let only = self.outbox().take_only();
            if let Some(frame) = only {
                match socket.try_write(&[IoSlice::new(&frame)]) {
                    // what came since asks for a turn of its own, as `queued` was cleared before
                    Ok(n) if n == frame.len() => return,
                    Ok(n) => {
                        wrote = n > 0;
                        unwritten.keep(frame, n);
                    }
                    Err(error) => {
                        unwritten.keep(frame, 0);
                        return self.stopped(&error, wrote, now);
                    }
                }
            }
        }
        let (mut all, mut over) = (false, false);
        loop {
            if unwritten.is_empty() {
                if all {
                    unwritten.shrink();
                    if over {
                        self.waker.wake();
                    }
                    return;
                }
                let mut outbox = self.outbox();
                if wrote {
                    outbox.moved(now);
                }
                outbox.take(unwritten.room(), WRITE_FRAMES, WRITE_BYTES);
                (all, over) = (outbox.is_empty(), outbox.is_closed());
            }
            if let Err(error) = unwritten.write(&**socket, &mut wrote) {
                return self.stopped(&error, wrote, now);
            }
        }
    }

    /// The socket takes nothing now, or never again.
    fn stopped(&self, error: &std::io::Error, wrote: bool, now: Timestamp) {
        let full = error.kind() == std::io::ErrorKind::WouldBlock;
        (if full { &self.blocked } else { &self.broken }).store(true, Ordering::SeqCst);
        if wrote {
            self.outbox().moved(now);
        }
        self.waker.wake();
    }

    /// The own part of a connection that is written to directly: waits for a full socket, until all was
    /// written and the connection is over.
    ///
    /// # Errors
    /// The socket's.
    pub async fn drive(&self, clock: &dyn Clock) -> std::io::Result<()> {
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            loop {
                if self.broken.load(Ordering::SeqCst) {
                    return Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()));
                }
                if self.blocked.load(Ordering::SeqCst)
                    && let Some((socket, _)) = self.direct.get()
                {
                    match socket.poll_writable(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Ready(Ok(())) => {
                            self.blocked.store(false, Ordering::SeqCst);
                            self.flush(clock.now());
                            continue;
                        }
                    }
                }
                let written = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
                let outbox = self.outbox();
                return if written && outbox.is_empty() && outbox.is_closed() {
                    Poll::Ready(Ok(()))
                } else {
                    Poll::Pending
                };
            }
        })
        .await
    }

    /// Is it written to directly?
    pub fn is_direct(&self) -> bool {
        self.direct.get().is_some()
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

    /// A client that was told to go and takes not even that is cut off.
    pub(super) fn cut_off(&self) {
        self.broken.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Closes a client that takes nothing.
    pub(super) fn close_stuck(&self) {
        let mut outbox = self.outbox();
        let offset = outbox.has();
        outbox.close(self.dialect.close(&Ending::Slow { offset }), false);
        drop(outbox);
        metrics::counter!("hub_slow_closed_total").increment(1);
        self.rouse();
        self.waker.wake();
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.outbox().bytes()
    }

    /// Has it joined the channel?
    pub(super) fn is_in(&self, channel: &Channel) -> bool {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&channel.number)
    }

    pub(super) fn joined_channels(&self) -> Vec<Arc<Channel>> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Names of the joined channels.
    pub fn channels(&self) -> Vec<Arc<str>> {
        self.joined_channels().iter().map(|channel| channel.name.clone()).collect()
    }
}
