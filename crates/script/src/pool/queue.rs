//! Runs that wait for a thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::task::Task;

/// A line of runs, served by one thread or several. Every run stands in it at most once.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<VecDeque<Arc<Task>>>,
    changed: Condvar,
    closed: AtomicBool,
}

/// What a thread is to do next.
pub(super) enum Next {
    Task(Arc<Task>),
    /// Nothing came.
    Idle,
    /// Nothing will come any more.
    Closed,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Arc<Task>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, task: Arc<Task>) {
        self.waiting().push_back(task);
        self.changed.notify_one();
    }

    /// Waits for a run, at most so long.
    pub fn next(&self, patience: Duration) -> Next {
        let waiting = self.waiting();
        let idle = |waiting: &mut VecDeque<_>| waiting.is_empty() && !self.closed();
        let waited = self.changed.wait_timeout_while(waiting, patience, idle);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match waiting.pop_front() {
            Some(task) => Next::Task(task),
            None if self.closed() => Next::Closed,
            None => Next::Idle,
        }
    }

    /// Ends the threads that serve it, once it is empty.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let _waiting = self.waiting();
        self.changed.notify_all();
    }

    pub fn closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }
}
