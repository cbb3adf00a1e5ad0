//! The cache port: the documented keys and lifetimes.

use async_trait::async_trait;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use orrery_kernel::{StoreError, Timestamp};
use orrery_storage::{Cache, CacheKey};

use crate::client::Redis;

/// Values as `time of expiry (8 bytes, microseconds, little-endian) ‖ bytes`: the caller's clock
/// decides, and the server forgets what is over by its own.
#[derive(Clone, Debug)]
pub struct RedisCache(Redis);

impl RedisCache {
    /// A cache on that server.
    pub fn new(redis: Redis) -> Self {
        Self(redis)
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &CacheKey, now: Timestamp) -> Result<Option<Bytes>, StoreError> {
        let name = self.0.key(key.name());
        let get = async |conn: &mut deadpool_redis::Connection| {
            redis::cmd("GET").arg(&name).query_async::<Option<Vec<u8>>>(conn).await
        };
        let Some(stored) = self.0.run("get", get).await? else { return Ok(None) };
        let mut stored = Bytes::from(stored);
        // what another program wrote counts as absent
        if stored.len() < 8 {
            return Ok(None);
        }
        let expires = Timestamp::from_micros(stored.get_i64_le());
        Ok((now < expires).then_some(stored))
    }

    async fn put(&self, key: &CacheKey, value: Bytes, now: Timestamp) -> Result<(), StoreError> {
        let (name, ttl) = (self.0.key(key.name()), key.ttl());
        let mut stored = BytesMut::with_capacity(value.len() + 8);
        stored.put_i64_le(now.plus(ttl).micros());
        stored.extend_from_slice(&value);
        let ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let put = async |conn: &mut deadpool_redis::Connection| {
            redis::cmd("SET").arg(&name).arg(stored.as_ref()).arg("PX").arg(ms).query_async::<()>(conn).await
        };
        self.0.run("set", put).await
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        let name = self.0.key(key.name());
        let remove =
            async |conn: &mut deadpool_redis::Connection| redis::cmd("DEL").arg(&name).query_async::<()>(conn).await;
        self.0.run("del", remove).await
    }
}
