//! Room for runs: some of each user at once, some of all, and a queue with an end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use orrery_kernel::{Error, Result, UserId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// When to come back when the queue is full.
const AGAIN: Duration = Duration::from_secs(5);

/// Who runs, and who waits.
pub(super) struct Slots {
    per_user: usize,
    queue: usize,
    all: Arc<Semaphore>,
    /// Of users who run or wait; others are forgotten.
    users: Mutex<HashMap<UserId, Weak<Semaphore>>>,
    waiting: AtomicUsize,
}

/// Room for one run, until it is dropped.
pub(super) struct Slot {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

struct Waiting<'s>(&'s AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slots {
    pub(super) fn new(per_user: usize, all: usize, queue: usize) -> Self {
        let all = Arc::new(Semaphore::new(all));
        Self { per_user, queue, all, users: Mutex::default(), waiting: AtomicUsize::new(0) }
    }

    fn of(&self, user: UserId) -> Arc<Semaphore> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|_, semaphore| semaphore.strong_count() > 0);
        if let Some(semaphore) = users.get(&user).and_then(Weak::upgrade) {
            return semaphore;
        }
        let semaphore = Arc::new(Semaphore::new(self.per_user));
        users.insert(user, Arc::downgrade(&semaphore));
        semaphore
    }

    /// Waits for room.
    ///
    /// # Errors
    /// `RateLimited` when too many wait already.
    pub(super) async fn take(&self, user: UserId) -> Result<Slot> {
        let own = self.of(user);
        let full = || Error::rate_limited("Too many commands are waiting. Please try again later.", AGAIN);
        if let (Ok(own), Ok(all)) = (own.clone().try_acquire_owned(), self.all.clone().try_acquire_owned()) {
            return Ok(Slot { _all: all, _own: own });
        }
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if waiting >= self.queue {
            return Err(full());
        }
        let own = own.acquire_owned().await.map_err(|_| full())?;
        let all = self.all.clone().acquire_owned().await.map_err(|_| full())?;
        Ok(Slot { _all: all, _own: own })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use orrery_kernel::ErrorCode;

    use super::*;

    #[tokio::test]
    async fn room_is_shared() {
        let slots = Slots::new(1, 2, 1);
        let (a, b) = (UserId(1), UserId(2));
        let first = slots.take(a).await.unwrap();
        let mut second = Box::pin(slots.take(a));
        assert!(second.as_mut().now_or_never().is_none(), "one at once of each");
        let refused = slots.take(a).await.err().unwrap();
        assert_eq!(refused.code, ErrorCode::RateLimited);
        let others = slots.take(b).await.unwrap();
        drop(first);
        assert!(second.await.is_ok());
        drop(others);
        slots.take(b).await.unwrap();
        assert_eq!(slots.waiting.load(Ordering::Relaxed), 0);
        assert!(slots.users.lock().unwrap().len() <= 2);
    }
}
