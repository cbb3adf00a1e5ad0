//! The contract suites of the shared ports on a real server, and what happens without one.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use orrery_identity::RateStore;
use orrery_identity::rate::Policy;
use orrery_kernel::Timestamp;
use orrery_storage::{Bus, Cache, CacheKey, Heard};
use orrery_store_redis::{Options, Redis, RedisBroker, RedisBus, RedisCache, RedisRates};
use orrery_testkit::servers::{REDIS, RedisServer, named};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn open(url: &str) -> Redis {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let prefix = format!("t{}-{}:", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
    // tests share two cores: a slow answer is still one
    Redis::open(url, Options { prefix, wait: Duration::from_secs(10), ..Options::default() }).unwrap()
}

/// Never asked while the server is there.
struct Nobody;

#[async_trait::async_trait]
impl RateStore for Nobody {
    async fn take(
        &self,
        _: &str,
        _: &Policy,
        _: Timestamp,
    ) -> Result<orrery_identity::rate::Verdict, orrery_kernel::StoreError> {
        Err(orrery_kernel::StoreError::Unavailable("the server was not asked".into()))
    }

    async fn peek(
        &self,
        _: &str,
        _: &Policy,
        _: Timestamp,
    ) -> Result<orrery_identity::rate::Verdict, orrery_kernel::StoreError> {
        Err(orrery_kernel::StoreError::Unavailable("the server was not asked".into()))
    }

    async fn clear(&self, _: &str) -> Result<(), orrery_kernel::StoreError> {
        Ok(())
    }
}

mod cache {
    use super::*;

    async fn fresh() -> orrery_testkit::cache::Store {
        Arc::new(RedisCache::new(open(&named(REDIS))))
    }

    // how much a server keeps is its own configuration
    orrery_testkit::cache_contract!(@each fresh(); lifetime replacing_and_removing);
}

mod rate {
    use super::*;

    async fn fresh() -> orrery_testkit::rate::Store {
        Arc::new(RedisRates::new(open(&named(REDIS)), Arc::new(Nobody)))
    }

    orrery_testkit::rate_contract!(fresh());
}

mod broker {
    use super::*;

    async fn fresh() -> orrery_testkit::broker::Store {
        let redis = open(&named(REDIS));
        let node = |seed| {
            let broker = RedisBroker::new(redis.clone(), Arc::new(orrery_testkit::fakes::SeededEntropy::new(seed)));
            tokio::spawn(broker.clone().run(tokio_util::sync::CancellationToken::new()));
            Arc::new(broker)
        };
        (node(1), node(2))
    }

    orrery_testkit::broker_contract!(fresh());
    orrery_testkit::broker_contract!(@each fresh(); restored);
}

mod bus {
    use super::*;

    async fn fresh() -> orrery_testkit::bus::Store {
        Arc::new(RedisBus::new(open(&named(REDIS))))
    }

    orrery_testkit::bus_contract!(fresh());
}

#[tokio::test]
async fn without_a_server_each_answers_quickly_and_rates_are_local() {
    let port = orrery_testkit::servers::free_port().unwrap();
    let redis = Redis::open(&format!("redis://:hunter2@127.0.0.1:{port}"), Options::default()).unwrap();
    let error = redis.health().await.unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
    let cache = RedisCache::new(redis.clone());
    assert!(cache.get(&CacheKey::sentiment(), NOW).await.is_err());
    let rates = RedisRates::new(redis, Arc::new(orrery_store_memory::MemoryRates::default()));
    let policy = Policy::refuse(2, Duration::from_secs(60));
    let mut allowed = 0;
    for _ in 0..5 {
        allowed += u32::from(rates.take("k", &policy, NOW).await.unwrap().allowed);
    }
    assert_eq!(allowed, 2);
    assert!(Redis::open("http://hunter2@x", Options::default()).is_err_and(|e| !e.to_string().contains("hunter2")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_server_is_found_again() {
    let mut server = RedisServer::start().unwrap();
    let redis = open(&server.url());
    let bus = RedisBus::new(redis.clone());
    let mut listening = bus.listen("a").await.unwrap();
    bus.publish("a", Bytes::from_static(b"one")).await.unwrap();
    assert_eq!(listening.next().await, Heard::Message(Bytes::from_static(b"one")));
    server.stop_immediately().unwrap();
    let heard = tokio::spawn(async move {
        let missed = listening.next().await;
        (missed, listening.next().await)
    });
    assert!(redis.health().await.is_err());
    server.start_again().unwrap();
    // told until it is heard: the listener may not be back at once
    let told = async {
        loop {
            let _ = bus.publish("a", Bytes::from_static(b"two")).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let heard = tokio::select! {
        heard = heard => heard.unwrap(),
        () = told => unreachable!("it goes on"),
        () = tokio::time::sleep(Duration::from_secs(30)) => unreachable!("nothing is heard"),
    };
    assert_eq!(heard, (Heard::Missed, Heard::Message(Bytes::from_static(b"two"))));
    redis.health().await.unwrap();
}
