//! A run as its threads see it: a future that is polled when it was woken.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use super::queue::Queue;

pub(super) type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const RUNNING: u8 = 2;
/// It was woken while it ran.
const AGAIN: u8 = 3;
/// How often a run may take long before it gets a thread of its own.
const LONG_MAX: u8 = 3;

/// One run.
pub(super) struct Task {
    /// `None` once it is over.
    future: Mutex<Option<Running>>,
    state: AtomicU8,
    /// The line it waits in.
    queue: Mutex<Arc<Queue>>,
    long: AtomicU8,
}

impl Task {
    pub fn new(future: Running, queue: Arc<Queue>) -> Arc<Self> {
        Arc::new(Self {
            future: Mutex::new(Some(future)),
            state: AtomicU8::new(IDLE),
            queue: Mutex::new(queue),
            long: AtomicU8::new(0),
        })
    }

    fn queue(&self) -> MutexGuard<'_, Arc<Queue>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it waits in that line.
    pub fn move_to(&self, queue: Arc<Queue>) {
        *self.queue() = queue;
    }

    fn enqueue(self: &Arc<Self>) {
        let queue = self.queue().clone();
        queue.push(self.clone());
    }

    /// Polls it once. `true`: it is over.
    pub fn run(self: &Arc<Self>) -> bool {
        self.state.store(RUNNING, Ordering::SeqCst);
        let waker = Waker::from(self.clone());
        let over = {
            let mut future = self.future.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(running) = future.as_mut() else { return true };
            let mut context = Context::from_waker(&waker);
            // a panic is that run's end and nobody else's
            let polled = catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(&mut context).is_ready()));
            let over = polled.unwrap_or(true);
            if over {
                *future = None;
            }
            over
        };
        if over {
            return true;
        }
        if self.state.compare_exchange(RUNNING, IDLE, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            self.state.store(QUEUED, Ordering::SeqCst);
            self.enqueue();
        }
        false
    }

    /// Notes how long it ran. `true`: it has now been long too often.
    pub fn took(&self, time: Duration, long: Duration) -> bool {
        time > long && self.long.fetch_add(1, Ordering::Relaxed) + 1 == LONG_MAX
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        Self::wake_by_ref(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let next = |state| match state {
            IDLE => Some(QUEUED),
            RUNNING => Some(AGAIN),
            _ => None,
        };
        let before = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
        if before == Ok(IDLE) {
            self.enqueue();
        }
    }
}
