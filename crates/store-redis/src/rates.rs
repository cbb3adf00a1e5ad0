//! Rate windows that all processes share, by one script an event.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use orrery_identity::RateStore;
use orrery_identity::rate::{Beyond, Policy, Verdict};
use orrery_kernel::{StoreError, Timestamp};

use crate::client::Redis;

/// Rate windows on Redis, and in `local` while it does not answer: then each process counts for itself,
/// which lets through at most as many times more as there are processes.
#[derive(Clone)]
pub struct RedisRates {
    redis: Redis,
    script: redis::Script,
    local: Arc<dyn RateStore>,
    alone: Arc<AtomicBool>,
}

impl RedisRates {
    /// Windows on that server; `local` stands in for it.
    pub fn new(redis: Redis, local: Arc<dyn RateStore>) -> Self {
        let script = redis::Script::new(include_str!("lua/rate.lua"));
        Self { redis, script, local, alone: Arc::default() }
    }

    async fn ask(&self, key: &str, policy: &Policy, now: Timestamp, count: bool) -> Result<Verdict, StoreError> {
        let micros = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
        let (delay, first, most) = match policy.beyond {
            Beyond::Refuse => (0, Duration::ZERO, Duration::ZERO),
            Beyond::Delay { first, most } => (1, first, most),
        };
        let mut call = self.script.key(self.redis.key(&format!("rate:{key}")));
        call.arg(i64::from(count)).arg(now.micros()).arg(policy.max).arg(micros(policy.window));
        call.arg(delay).arg(micros(first)).arg(micros(most));
        let run = async |conn: &mut deadpool_redis::Connection| call.invoke_async::<(i64, u32, String)>(conn).await;
        let (allowed, remaining, wait) = self.redis.run("rate", run).await?;
        let wait: u64 = wait.parse().map_err(|_| StoreError::Unavailable("redis rate: no number".into()))?;
        Ok(Verdict { allowed: allowed == 1, limit: policy.max, remaining, retry_after: Duration::from_micros(wait) })
    }

    /// Notes that the server is (not) answering; says so once.
    fn note(&self, alone: bool, error: Option<&StoreError>) {
        if self.alone.swap(alone, Ordering::Relaxed) != alone {
            match error {
                Some(error) => tracing::warn!(%error, "rate windows are kept by this process alone"),
                None => tracing::info!("rate windows are shared again"),
            }
        }
    }
}

#[async_trait]
impl RateStore for RedisRates {
    async fn take(&self, key: &str, policy: &Policy, now: Timestamp) -> Result<Verdict, StoreError> {
        match self.ask(key, policy, now, true).await {
            Ok(verdict) => {
                self.note(false, None);
                Ok(verdict)
            }
            Err(error) => {
                self.note(true, Some(&error));
                self.local.take(key, policy, now).await
            }
        }
    }

    async fn peek(&self, key: &str, policy: &Policy, now: Timestamp) -> Result<Verdict, StoreError> {
        match self.ask(key, policy, now, false).await {
            Ok(verdict) => Ok(verdict),
            Err(_) => self.local.peek(key, policy, now).await,
        }
    }

    async fn clear(&self, key: &str) -> Result<(), StoreError> {
        self.local.clear(key).await?;
        let name = self.redis.key(&format!("rate:{key}"));
        let clear =
            async |conn: &mut deadpool_redis::Connection| redis::cmd("DEL").arg(&name).query_async::<()>(conn).await;
        // a window that cannot be cleared runs out by itself
        if let Err(error) = self.redis.run("del", clear).await {
            tracing::debug!(%error, "a rate window was not cleared");
        }
        Ok(())
    }
}
