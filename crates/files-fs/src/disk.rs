//! Calls to the file system, off the threads that serve requests.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::{Clock, Entropy, Timestamp};
use orrery_storage::files::BlobError;
use tokio::sync::Semaphore;

/// Calls at the same time; further ones wait.
pub const AT_ONCE: usize = 8;
/// What is younger may still be on its way.
const OLD: Duration = Duration::from_secs(86_400);

/// The file system, time and chance.
#[derive(Clone)]
pub(crate) struct Disk {
    turns: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Disk {
    pub(crate) fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), clock, entropy }
    }

    /// A name that nobody guesses.
    pub(crate) fn name(&self) -> String {
        let mut bits = [0; 16];
        self.entropy.fill(&mut bits);
        hex::encode(bits)
    }

    /// Has it lain for a day?
    pub(crate) fn is_old(&self, modified: io::Result<std::time::SystemTime>) -> bool {
        let Ok(modified) = modified else { return false };
        let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let modified = Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        self.clock.now().since(modified) > OLD
    }

    /// Runs `work` where it may wait.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, BlobError> {
        self.anything(work).await.map_err(|cause| BlobError { doing, cause })
    }

    /// The same for work with errors of its own, which a thread that ends early adds to.
    pub(crate) async fn anything<T, E>(&self, work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<io::Error> + Send + 'static,
    {
        let turn = self.turns.clone().acquire_owned().await.map_err(io::Error::other)?;
        #[expect(clippy::disallowed_methods, reason = "as many at a time as there are turns")]
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(io::Error::other)?
    }
}
