//! The connection and when it is left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_redis::{Connection, Manager, Pool, Runtime};
use orrery_kernel::StoreError;
use tokio::time::Instant;

/// Why a URL cannot be used. Never holds the URL, which may have a password in it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not a `redis://` URL, or one of a cluster.
    #[error("the Redis URL is not a redis:// URL that can be used: {0}")]
    Location(String),
}

/// Bounds and waits.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections, at most.
    pub connections: usize,
    /// How long a command may take.
    pub wait: Duration,
    /// After a failure the server is left alone this long.
    pub pause: Duration,
    /// In front of every key, so that several may share a server; empty for the documented names.
    pub prefix: String,
}

impl Default for Options {
    fn default() -> Self {
        let (wait, pause) = (Duration::from_millis(250), Duration::from_millis(500));
        Self { connections: 16, wait, pause, prefix: String::new() }
    }
}

/// A Redis server. Cheap to clone.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool,
    client: redis::Client,
    options: Options,
    began: Instant,
    /// Milliseconds after `began` until which the server is left alone.
    paused_until: AtomicU64,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

fn unavailable(what: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("redis {what}: {error}"))
}

impl Redis {
    /// A handle on the server at `url`; connects when first used.
    ///
    /// # Errors
    /// When the URL cannot be used.
    pub fn open(url: &str, options: Options) -> Result<Self, OpenError> {
        // the library's words repeat the URL, password and all
        let bad = |_| OpenError::Location("redis://[user:password@]host[:port][/database] is expected".into());
        let client = redis::Client::open(url).map_err(bad)?;
        let manager = Manager::new(url).map_err(bad)?;
        let pool = Pool::builder(manager)
            .max_size(options.connections)
            .wait_timeout(Some(options.wait))
            .create_timeout(Some(options.wait))
            .recycle_timeout(Some(options.wait))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|e| OpenError::Location(e.to_string()))?;
        let (began, paused_until) = (Instant::now(), AtomicU64::new(0));
        Ok(Self { inner: Arc::new(Inner { pool, client, options, began, paused_until }) })
    }

    /// Does the server answer?
    ///
    /// # Errors
    /// When it does not, or is being left alone.
    pub async fn health(&self) -> Result<(), StoreError> {
        self.run("ping", async |conn| redis::cmd("PING").query_async::<()>(conn).await).await
    }

    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.inner.options.prefix)
    }

    /// A connection of its own that listens.
    pub(crate) async fn listener(&self) -> Result<redis::aio::PubSub, StoreError> {
        let connect = self.inner.client.get_async_pubsub();
        match tokio::time::timeout(self.inner.options.wait.max(Duration::from_secs(2)), connect).await {
            Ok(done) => done.map_err(|e| unavailable("connect", e)),
            Err(_) => Err(unavailable("connect", "no answer in time")),
        }
    }

    /// Runs commands on a connection, within the time they may take.
    pub(crate) async fn run<T>(
        &self,
        what: &'static str,
        work: impl AsyncFnOnce(&mut Connection) -> redis::RedisResult<T>,
    ) -> Result<T, StoreError> {
        let inner = &self.inner;
        let now = u64::try_from(inner.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if now < inner.paused_until.load(Ordering::Relaxed) {
            return Err(unavailable(what, "it did not answer a moment ago"));
        }
        let done = tokio::time::timeout(inner.options.wait, async {
            let mut conn = inner.pool.get().await.map_err(|e| unavailable(what, e))?;
            work(&mut conn).await.map_err(|e| unavailable(what, e))
        })
        .await
        .unwrap_or_else(|_| Err(unavailable(what, "no answer in time")));
        let outcome = if done.is_ok() { "ok" } else { "failed" };
        metrics::counter!("redis_commands_total", "command" => what, "outcome" => outcome).increment(1);
        if done.is_err() {
            let pause = u64::try_from(inner.options.pause.as_millis()).unwrap_or(0);
            inner.paused_until.store(now.saturating_add(pause), Ordering::Relaxed);
        }
        done
    }
}
