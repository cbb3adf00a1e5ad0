//! The only place that spawns: every task has a name, an owner and an end.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Runs named background tasks and ends them together.
///
/// A task gets no cancellation by force on drain: it watches [`Tasks::stopping`] and returns.
#[derive(Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stopping: CancellationToken,
    failed: Arc<AtomicBool>,
}

impl Tasks {
    /// An empty supervisor.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `future` to its end. A panic in it is logged, ends the task and stops the whole
    /// process in an orderly way, since a missing task would mean a half-alive server.
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let (stopping, failed) = (self.stopping.clone(), self.failed.clone());
        self.tracker.spawn(async move {
            #[expect(clippy::disallowed_methods, reason = "this is the supervisor")]
            let ended = tokio::spawn(future).await;
            if let Err(error) = ended {
                tracing::error!(task = name, %error, "task failed; stopping");
                failed.store(true, Ordering::SeqCst);
                stopping.cancel();
            }
        });
    }

    /// Runs the `future` of one connection to its end. A panic in it ends that connection only.
    pub fn spawn_connection(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        // no second task that waits for it, and no block around it, which would keep the room of the future twice
        self.tracker.spawn(AssertUnwindSafe(future).catch_unwind().map(move |ended| {
            if let Err(panic) = ended {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let panic = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
                tracing::error!(task = name, panic, "connection task failed");
            }
        }));
    }

    /// Resolves when the process is to stop; tasks then finish what they have begun.
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Ends the whole process in an orderly way, as a failed task does.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::SeqCst);
        self.stopping.cancel();
    }

    /// Did a task fail?
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Asks every task to end and waits until all have.
    pub async fn drain(&self) {
        self.stopping.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
