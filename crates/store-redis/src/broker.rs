//! The broker on Redis: a stream for history, publish and subscribe for what is live, one script a publish.
//!
//! Keys of channel `c`: `ch:{c}:count`, `ch:{c}:kept`, `ch:{c}:keys`, `ch:{c}:seen:…`, `ch:{c}:seats`; pub/sub
//! channel `ch:{c}`. A server that keeps nothing over a restart loses the history; nodes give back what they know of
//! it ([`Broker::restore`]).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::Connection;
use futures_util::StreamExt;
use orrery_kernel::{Entropy, StoreError, Timestamp};
use orrery_realtime::{
    Appended, Broker, COUNTED_MAX, ChannelConfig, Keep, Live, Mode, Position, Publication, SEATS_HELD, Seats, Sink,
    Tail,
};
use redis::aio::PubSubSink;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::client::Redis;

/// How long a repeated publication is known.
const KNOWN_MS: u64 = 300_000;
/// How long a count without messages is kept.
const COUNT_MS: u64 = 86_400_000;
/// After the first node gave back what was lost, the others have this long before anything new is accepted:
/// longer than it takes them to hear that Redis is there again.
const GIVING_BACK_MS: u64 = 3_000;
/// Publications that a node gives back at most.
const RESTORED_MAX: usize = 1_000;
/// Changes of what is followed that may wait.
const WISHES_MAX: usize = 1_024;
/// Channels asked for at a time after the connection was lost.
const SUBSCRIBED_AT_ONCE: usize = 256;
/// How long a subscription may take.
const SUBSCRIBE_WAIT: Duration = Duration::from_secs(2);
/// Between attempts to listen again.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MOST: Duration = Duration::from_secs(2);

/// A broker on that server. [`Self::run`] must run.
#[derive(Clone)]
pub struct RedisBroker(Arc<Inner>);

struct Inner {
    redis: Redis,
    entropy: Arc<dyn Entropy>,
    publish: redis::Script,
    tail: redis::Script,
    restore: redis::Script,
    take_seats: redis::Script,
    seats: redis::Script,
    count_seats: redis::Script,
    sink: OnceLock<Sink>,
    followed: Mutex<BTreeSet<String>>,
    wishes: mpsc::Sender<Wish>,
    wished: Mutex<Option<mpsc::Receiver<Wish>>>,
}

/// A change of what is followed.
struct Wish {
    channel: String,
    follow: bool,
    done: oneshot::Sender<Result<(), String>>,
}

fn unavailable(what: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("redis {what}: {error}"))
}

impl RedisBroker {
    /// A broker on that server; `entropy` names epochs.
    pub fn new(redis: Redis, entropy: Arc<dyn Entropy>) -> Self {
        let (wishes, wished) = mpsc::channel(WISHES_MAX);
        let script = redis::Script::new;
        Self(Arc::new(Inner {
            redis,
            entropy,
            publish: script(include_str!("lua/publish.lua")),
            tail: script(include_str!("lua/tail.lua")),
            restore: script(include_str!("lua/restore.lua")),
            take_seats: script(include_str!("lua/take_seats.lua")),
            seats: script(include_str!("lua/seats.lua")),
            count_seats: script(include_str!("lua/count_seats.lua")),
            sink: OnceLock::new(),
            followed: Mutex::default(),
            wishes,
            wished: Mutex::new(Some(wished)),
        }))
    }

    /// Hears what is followed until `stopping`; once.
    pub async fn run(self, stopping: CancellationToken) {
        let wished = self.0.wished.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut wished) = wished else { return };
        let (mut wait, mut lost) = (RETRY_FIRST, false);
        loop {
            let hearing = async {
                let pubsub = self.0.redis.listener().await?;
                let (mut sink, mut stream) = pubsub.split();
                self.subscribe_all(&mut sink).await?;
                if std::mem::take(&mut lost) {
                    tracing::info!("channels are heard again");
                    self.tell(Live::Back);
                }
                wait = RETRY_FIRST;
                loop {
                    tokio::select! {
                        message = stream.next() => match message {
                            Some(message) => self.heard(&message),
                            None => return Err(unavailable("subscribe", "the connection ended")),
                        },
                        wish = wished.recv() => match wish {
                            Some(wish) => Self::grant(&mut sink, wish).await?,
                            None => return Ok::<_, StoreError>(()),
                        },
                    }
                }
            };
            let ended = tokio::select! {
                () = stopping.cancelled() => return,
                ended = hearing => ended,
            };
            if let Err(error) = ended
                && !std::mem::replace(&mut lost, true)
            {
                tracing::warn!(%error, "channels are not heard; listening again");
                self.tell(Live::Lost);
            }
            // what was wished meanwhile is subscribed with the rest, once there is a connection
            let pause = tokio::time::sleep(wait);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = stopping.cancelled() => return,
                    () = &mut pause => break,
                    Some(wish) = wished.recv() => {
                        let _ = wish.done.send(Err("it does not answer".into()));
                    }
                }
            }
            wait = (wait * 2).min(RETRY_MOST);
        }
    }

    async fn subscribe_all(&self, sink: &mut PubSubSink) -> Result<(), StoreError> {
        let all: Vec<String> = {
            let followed = self.0.followed.lock().unwrap_or_else(PoisonError::into_inner);
            followed.iter().map(|c| self.live(c)).collect()
        };
        for some in all.chunks(SUBSCRIBED_AT_ONCE) {
            let subscribed = tokio::time::timeout(SUBSCRIBE_WAIT, sink.subscribe(some)).await;
            subscribed.map_err(|e| unavailable("subscribe", e))?.map_err(|e| unavailable("subscribe", e))?;
        }
        Ok(())
    }

    async fn grant(sink: &mut PubSubSink, wish: Wish) -> Result<(), StoreError> {
        let change = async {
            match wish.follow {
                true => sink.subscribe(&wish.channel).await,
                false => sink.unsubscribe(&wish.channel).await,
            }
        };
        let granted = match tokio::time::timeout(SUBSCRIBE_WAIT, change).await {
            Ok(done) => done.map_err(|e| e.to_string()),
            Err(_) => Err("no answer in time".into()),
        };
        let ended = granted.as_ref().err().cloned();
        // whoever wished may be gone
        let _ = wish.done.send(granted);
        ended.map_or(Ok(()), |error| Err(unavailable("subscribe", error)))
    }

    async fn wish(&self, channel: &str, follow: bool) -> Result<(), StoreError> {
        let (done, answer) = oneshot::channel();
        let wish = Wish { channel: self.live(channel), follow, done };
        self.0.wishes.try_send(wish).map_err(|e| unavailable("subscribe", e))?;
        match answer.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(unavailable("subscribe", error)),
            Err(_) => Err(unavailable("subscribe", "the listener ended")),
        }
    }

    fn heard(&self, message: &redis::Msg) {
        let prefix = self.0.redis.key("ch:");
        let Some(channel) = message.get_channel_name().strip_prefix(&prefix) else { return };
        let channel: Arc<str> = channel.into();
        match message.get_payload_bytes().split_first() {
            Some((b's', body)) => self.tell(Live::Signal { channel, body: Bytes::copy_from_slice(body) }),
            Some((b'p', rest)) => {
                let space = rest.iter().position(|b| *b == b' ').unwrap_or(rest.len());
                let epoch = std::str::from_utf8(&rest[..space]);
                let record = rest.get(space + 1..).and_then(publication);
                match (epoch, record) {
                    (Ok(epoch), Some(publication)) => {
                        self.tell(Live::Published { channel, epoch: epoch.into(), publication });
                    }
                    _ => tracing::debug!("a message of another version"),
                }
            }
            _ => tracing::debug!("a message of another version"),
        }
    }

    fn tell(&self, live: Live) {
        if let Some(sink) = self.0.sink.get() {
            sink(live);
        }
    }

    fn live(&self, channel: &str) -> String {
        self.0.redis.key(&format!("ch:{channel}"))
    }

    fn keys(&self, channel: &str) -> [String; 3] {
        // in braces, so that a cluster would keep them together
        ["count", "kept", "keys"].map(|part| self.0.redis.key(&format!("ch:{{{channel}}}:{part}")))
    }

    fn giving_back(&self, channel: &str) -> String {
        self.0.redis.key(&format!("ch:{{{channel}}}:giving-back"))
    }

    fn seats_key(&self, channel: &str) -> String {
        self.0.redis.key(&format!("ch:{{{channel}}}:seats"))
    }

    fn fresh_epoch(&self) -> String {
        let mut bits = [0; 8];
        self.0.entropy.fill(&mut bits);
        bits.iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// `offset time length-of-key key body`, as the scripts write it.
fn publication(record: &[u8]) -> Option<Publication> {
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.parse::<u64>().ok();
    let mut parts = record.splitn(4, |b| *b == b' ');
    let (offset, at, len) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    let rest = parts.next()?;
    let (key, body) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    let key = std::str::from_utf8(key).ok()?;
    Some(Publication {
        offset,
        at: Timestamp::from_micros(i64::try_from(at).ok()?),
        key: (!key.is_empty()).then(|| key.into()),
        body: Bytes::copy_from_slice(body),
    })
}

fn record(publication: &Publication) -> Vec<u8> {
    let key = publication.key.as_deref().unwrap_or_default();
    let mut out = format!("{} {} {} {key}", publication.offset, publication.at.micros(), key.len()).into_bytes();
    out.extend_from_slice(&publication.body);
    out
}

fn held_ms() -> u64 {
    u64::try_from(SEATS_HELD.as_millis()).unwrap_or(u64::MAX)
}

fn ttl(config: &ChannelConfig) -> u64 {
    u64::try_from(config.history_ttl.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl Broker for RedisBroker {
    fn attach(&self, sink: Sink) {
        // a second sink would be a second owner of the node
        let _ = self.0.sink.set(sink);
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.0.redis.health().await
    }

    async fn follow(&self, channel: &str) -> Result<(), StoreError> {
        self.wish(channel, true).await?;
        self.0.followed.lock().unwrap_or_else(PoisonError::into_inner).insert(channel.to_owned());
        Ok(())
    }

    async fn unfollow(&self, channel: &str) -> Result<(), StoreError> {
        self.0.followed.lock().unwrap_or_else(PoisonError::into_inner).remove(channel);
        self.wish(channel, false).await
    }

    async fn publish(
        &self,
        channel: &str,
        keep: &Keep,
        key: Option<&str>,
        body: Bytes,
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        let [count, kept, keys] = self.keys(channel);
        let seen = self.0.redis.key(&format!("ch:{{{channel}}}:seen:{}", keep.idempotency.as_deref().unwrap_or("")));
        let mut call = self.0.publish.key(count);
        call.key(kept).key(keys).key(seen).key(self.giving_back(channel));
        let (known, known_offset) = keep.known.as_ref().map_or(("", 0), |p| (&*p.epoch, p.offset));
        call.arg(self.fresh_epoch()).arg(known);
        call.arg(keep.config.mode.name()).arg(keep.config.history_size).arg(ttl(&keep.config));
        call.arg(key.unwrap_or_default()).arg(body.as_ref()).arg(now.micros());
        call.arg(i64::from(keep.idempotency.is_some())).arg(KNOWN_MS).arg(self.live(channel)).arg(known_offset);
        let run = async |conn: &mut Connection| call.invoke_async::<(String, String, String)>(conn).await;
        let (what, epoch, offset) = self.0.redis.run("channel-publish", run).await?;
        let offset = offset.parse().map_err(|_| unavailable("channel-publish", "no offset"))?;
        let position = Position { epoch: epoch.into(), offset };
        Ok(match what.as_str() {
            "new" => Appended::New(position),
            "duplicate" => Appended::Duplicate(position),
            _ => Appended::Lost,
        })
    }

    async fn signal(&self, channel: &str, body: Bytes) -> Result<(), StoreError> {
        let message = [b"s", body.as_ref()].concat();
        let name = self.live(channel);
        let publish =
            async |conn: &mut Connection| redis::cmd("PUBLISH").arg(&name).arg(&message).query_async::<()>(conn).await;
        self.0.redis.run("publish", publish).await
    }

    async fn tail(&self, channel: &str, config: &ChannelConfig, now: Timestamp) -> Result<Tail, StoreError> {
        let [count, kept, _] = self.keys(channel);
        let mut call = self.0.tail.key(count);
        call.key(kept).arg(self.fresh_epoch()).arg(config.mode.name()).arg(config.history_size);
        call.arg(ttl(config).saturating_add(COUNT_MS));
        let run = async |conn: &mut Connection| call.invoke_async::<(String, u64, Vec<Vec<u8>>)>(conn).await;
        let (epoch, offset, records) = self.0.redis.run("channel-tail", run).await?;
        let mut kept = records
            .iter()
            .map(|r| publication(r))
            .collect::<Option<Vec<_>>>()
            .ok_or(StoreError::Corrupt { what: "redis channel", detail: "a record that is none".into() })?;
        kept.retain(|p| now.since(p.at) <= config.history_ttl);
        kept.sort_unstable_by_key(|p| p.offset);
        Ok(Tail { position: Position { epoch: epoch.into(), offset }, kept })
    }

    async fn restore(&self, channel: &str, config: &ChannelConfig, tail: &Tail) -> Result<(), StoreError> {
        if config.mode == Mode::Latest || tail.position.offset == 0 {
            // the next value of each key comes by itself
            return Ok(());
        }
        let [count, kept, _] = self.keys(channel);
        let mut call = self.0.restore.key(count);
        call.key(kept).key(self.giving_back(channel)).arg(tail.position.epoch.as_ref()).arg(tail.position.offset);
        call.arg(config.history_size).arg(ttl(config)).arg(self.live(channel)).arg(GIVING_BACK_MS);
        for publication in tail.kept.iter().skip(tail.kept.len().saturating_sub(RESTORED_MAX)) {
            call.arg(publication.offset).arg(record(publication));
        }
        let run = async |conn: &mut Connection| call.invoke_async::<i64>(conn).await;
        self.0.redis.run("channel-restore", run).await.map(|_| ())
    }

    async fn take_seats(
        &self,
        channel: &str,
        seats: &Seats,
        most: Option<u32>,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut call = self.0.take_seats.key(self.seats_key(channel));
        call.arg(seats.node).arg(seats.connections).arg(most.map_or(-1, i64::from)).arg(held_ms());
        call.arg(i64::from(seats.members.is_some())).arg(seats.members.as_deref().unwrap_or_default());
        let run = async |conn: &mut Connection| call.invoke_async::<bool>(conn).await;
        self.0.redis.run("channel-take-seats", run).await
    }

    async fn seats(&self, channel: &str, _: Timestamp) -> Result<Vec<Seats>, StoreError> {
        let mut call = self.0.seats.key(self.seats_key(channel));
        call.arg(held_ms());
        let run = async |conn: &mut Connection| call.invoke_async::<Vec<(u64, u32, Vec<u8>)>>(conn).await;
        let all = self.0.redis.run("channel-seats", run).await?;
        Ok(all
            .into_iter()
            .map(|(node, connections, members)| Seats { node, connections, members: Some(members.into()) })
            .collect())
    }

    async fn seats_beside(&self, node: u64, channels: &[Arc<str>], _: Timestamp) -> Result<Vec<u32>, StoreError> {
        let (script, mut all) = (&self.0.count_seats, redis::pipe());
        for channel in channels.iter().take(COUNTED_MAX) {
            let call = all.cmd("EVALSHA").arg(script.get_hash()).arg(1).arg(self.seats_key(channel));
            call.arg(node).arg(held_ms());
        }
        if channels.is_empty() {
            return Ok(Vec::new());
        }
        let run = async |conn: &mut Connection| {
            // it is no longer there after a restart of Redis
            script.prepare_invoke().load_async(conn).await?;
            all.query_async::<Vec<u32>>(conn).await
        };
        self.0.redis.run("channel-count-seats", run).await
    }

    async fn forget(&self, channel: &str) -> Result<(), StoreError> {
        let keys = self.keys(channel);
        let delete = async |conn: &mut Connection| redis::cmd("DEL").arg(&keys).query_async::<()>(conn).await;
        self.0.redis.run("del", delete).await
    }
}
