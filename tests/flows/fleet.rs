//! Workers on three nodes beside a gateway, on one Postgres and one Redis, while parts of them die.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use e2e::{Gateway, Options, Proxy, eventually};
use orrery_testkit::servers::{PostgresServer, RedisServer, free_port};
use orrery_testkit::stub_venue::{Fault, StubVenue};
use orrery_venues::Venue;
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Row as _};

use super::webfix::{Holder, roomy};

/// How long anything may take on a busy machine; a lease of the document lasts as long, so what has to be faster than
/// a lease is looked at with leases that last ten times as long.
const SOON: Duration = Duration::from_secs(60);
const LONG: [(&str, &str); 2] = [("ORRERY_WORKERS__LEASE_MS", "600000"), ("ORRERY_WORKERS__RENEW_MS", "30000")];
const SHORT: [(&str, &str); 2] = [("ORRERY_WORKERS__LEASE_MS", "6000"), ("ORRERY_WORKERS__RENEW_MS", "2000")];

/// Counts in the shared store; the order of each number is placed under its name before it is counted.
const COUNTS: &str = r#"
const exchange = new Stels.runtime.cex.binance({ apiKey: "key-of-a-test", secret: "secret-of-a-test" });
const by = Stels.config.nid;
const run = crypto.randomUUID();
let n = (await Stels.net.get(["count"])).value?.count ?? 0;
while (!shouldStop()) {
  try {
    await exchange.createLimitOrder("BTC/USDT", "buy", 0.001, 40000, { clientOrderId: `order-${n}` });
    await Stels.net.set(["seen", n], { n, by, run });
    n += 1;
    await Stels.net.set(["count"], { count: n, by });
  } catch (error) {
    logger.warn(`${error.name}: ${error.message}`);
    await Stels.sleep(100);
  }
  await Stels.sleep(20);
}
"#;

/// Orders under names that say which node placed them, each once.
const ORDERS: &str = r#"
const exchange = new Stels.runtime.cex.binance({ apiKey: "key-of-a-test", secret: "secret-of-a-test" });
for (let n = 0; !shouldStop(); n += 1) {
  try {
    const clientOrderId = `${Stels.config.nid}-${Stels.startTime}-${n}`;
    await exchange.createLimitOrder("BTC/USDT", "buy", 0.001, 40000, { clientOrderId });
  } catch (error) {
    logger.warn(`${error.name}: ${error.message}`);
  }
  await Stels.sleep(50);
}
"#;

/// A node with ways of its own to the database and to Redis.
struct Member {
    name: String,
    database: Proxy,
    process: Gateway,
}

struct Fleet {
    postgres: PostgresServer,
    redis: RedisServer,
    redis_link: Proxy,
    stub: StubVenue,
    gateway: Gateway,
    members: Vec<Member>,
}

/// A number that was counted.
#[derive(Clone, Debug)]
struct Counted {
    n: u64,
    /// The node.
    by: String,
    /// The run, whose name nobody else has.
    run: String,
}

fn at(postgres: u16, redis: u16, stub: &StubVenue) -> Options {
    roomy()
        .env("DATABASE_URL", &format!("postgres://orrery@127.0.0.1:{postgres}/postgres"))
        .env("REDIS_URL", &format!("redis://127.0.0.1:{redis}"))
        .env("JWT_SECRET", "one-secret-that-all-processes-of-the-fleet-share")
        .env("ORRERY_LISTEN", &format!("127.0.0.1:{}", free_port().unwrap()))
        .env("ORRERY_VENUES__BINANCE__REST_URL", &stub.rest_url())
}

async fn save(gateway: &Gateway, script: &str, mode: &str, execution: &str) -> String {
    let holder = Holder::login(gateway, 1).await;
    let create = json!({"scriptContent": script, "dependencies": ["gliesereum"], "version": "1.19.2",
        "executionMode": execution, "priority": "critical", "mode": mode, "note": "", "scope": "local"});
    let made = holder.call("setWorker", &[], &create).await.expect(200).body;
    let mut raw = made["value"]["raw"].clone();
    raw["active"] = json!(true);
    let sid = raw["sid"].as_str().unwrap().to_owned();
    let body = json!({"channel": format!("ami.worker.{sid}"), "raw": raw});
    holder.call("updateWorker", &[], &body).await.expect(200);
    sid
}

impl Fleet {
    async fn start(script: &str, timing: [(&str, &str); 2]) -> Self {
        let (postgres, redis) = (PostgresServer::start().unwrap(), RedisServer::start().unwrap());
        let redis_link = Proxy::start(redis.port()).await;
        let stub = StubVenue::start(Venue::Binance).await;
        let options = at(postgres.port(), redis_link.port(), &stub);
        let data = tempfile::tempdir().unwrap();
        let migrated = options.run(data.path(), &["migrate"], "");
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        let gateway = Gateway::start(options).await;
        let mut members = Vec::new();
        for name in ["one", "two", "three"] {
            let database = Proxy::start(postgres.port()).await;
            let options = at(database.port(), redis_link.port(), &stub).env("ORRERY_NODE__ID", name);
            let options = timing.iter().fold(options, |options, (key, value)| options.env(key, value));
            let process = Gateway::spawn(Arc::new(tempfile::tempdir().unwrap()), options.node());
            members.push(Member { name: name.to_owned(), database, process });
        }
        let fleet = Self { postgres, redis, redis_link, stub, gateway, members };
        eventually("three nodes are heard", SOON, async || {
            let nodes = fleet.rows("SELECT node FROM worker_nodes").await?;
            if nodes.len() == 3 { Ok(()) } else { Err(format!("{nodes:?}")) }
        })
        .await;
        save(&fleet.gateway, script, "loop", "leader").await;
        fleet
    }

    /// The first column of what a query finds.
    async fn rows(&self, query: &'static str) -> Result<Vec<String>, String> {
        let said = |error: sqlx::Error| error.to_string();
        let mut connection = PgConnection::connect(&self.postgres.url()).await.map_err(said)?;
        let rows = sqlx::query(query).fetch_all(&mut connection).await.map_err(said)?;
        rows.iter().map(|row| row.try_get::<String, _>(0).map_err(said)).collect()
    }

    /// The numbers that were counted and by whom, in order; and how far the counter is.
    async fn counted(&self) -> Result<(Vec<Counted>, u64), String> {
        let (mut seen, mut count) = (Vec::new(), 0);
        for text in self.rows("SELECT value FROM kv ORDER BY key").await? {
            let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
            match value["n"].as_u64() {
                Some(n) => seen.push(Counted { n, by: text("by"), run: text("run") }),
                None => count = value["count"].as_u64().unwrap_or_default(),
            }
        }
        Ok((seen, count))
    }

    /// Waits until more was counted by who leads now; says who that is.
    async fn goes_on(&self, after: &str) -> String {
        let before = eventually("the database answers", SOON, async || self.counted().await).await.1;
        eventually(&format!("somebody counts on after {after}"), SOON, async || {
            let holders = self.rows("SELECT holder FROM worker_leases WHERE released = 0").await?;
            let (seen, count) = self.counted().await?;
            assert!(count >= before, "the counter went back from {before} to {count}");
            let holder = holders.first().and_then(|holder| holder.split('/').next()).unwrap_or_default();
            let newest = seen.iter().rev().take(10).filter(|counted| counted.by == holder).count();
            if count > before + 20 && newest == 10 {
                Ok(holder.to_owned())
            } else {
                Err(format!("{count} {holders:?}"))
            }
        })
        .await
    }

    /// Waits until another than `old` leads.
    async fn replaced(&self, old: &str, after: &str) -> String {
        eventually(&format!("another leads after {after}"), SOON, async || {
            let holders = self.rows("SELECT holder FROM worker_leases WHERE released = 0").await?;
            let other = holders.iter().any(|holder| !holder.starts_with(&format!("{old}/")));
            if other { Ok(()) } else { Err(format!("{holders:?}")) }
        })
        .await;
        self.goes_on(after).await
    }

    /// How often a node's orders were sent, whatever the exchange said of them.
    fn sent(&self, node: &str) -> usize {
        let seen = self.stub.seen();
        seen.iter().filter(|seen| seen.verb == "POST" && seen.body.contains(&format!("={node}-"))).count()
    }

    /// The node whose orders are being taken, another than `old`.
    async fn orders_of_another(&self, old: Option<&str>) -> String {
        let taken = || -> usize {
            self.stub.orders().keys().filter(|name| old.is_none_or(|old| !name.starts_with(old))).count()
        };
        let before = taken();
        eventually("orders are taken", SOON, async || {
            let taken = taken();
            if taken > before + 5 { Ok(()) } else { Err(format!("{taken}")) }
        })
        .await;
        let holders = self.rows("SELECT holder FROM worker_leases WHERE released = 0").await.unwrap();
        holders[0].split('/').next().unwrap().to_owned()
    }

    fn member(&mut self, name: &str) -> &mut Member {
        self.members.iter_mut().find(|member| member.name == name).unwrap()
    }

    /// Each order reached the exchange once, none is missing, and no run counted after another had.
    async fn is_sound(&self) {
        let (seen, count) = self.counted().await.unwrap();
        let numbers: Vec<u64> = seen.iter().map(|counted| counted.n).collect();
        let gapless: Vec<u64> = (0..).take(numbers.len()).collect();
        assert_eq!(numbers, gapless);
        assert!(count <= gapless.len() as u64 && count + 1 >= gapless.len() as u64);
        let mut runs: Vec<(String, String)> = seen.into_iter().map(|counted| (counted.by, counted.run)).collect();
        runs.dedup();
        let once: BTreeSet<_> = runs.iter().collect();
        assert_eq!(once.len(), runs.len(), "a run counted after another had: {runs:?}");
        let orders = self.stub.orders();
        let twice: Vec<_> = orders.iter().filter(|(_, taken)| **taken != 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
        assert!((0..count).all(|n| orders.contains_key(&format!("order-{n}"))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_are_replaced_long_before_their_lease_is_over() {
    let mut fleet = Fleet::start(COUNTS, LONG).await;
    let first = fleet.goes_on("the start").await;
    fleet.member(&first).process.kill9();
    let second = fleet.replaced(&first, "a kill -9").await;

    let status = fleet.member(&second).process.stop().await;
    assert_eq!(status.code(), Some(0), "SIGTERM");
    let third = fleet.replaced(&second, "a SIGTERM").await;
    assert_eq!([&first, &second, &third].into_iter().collect::<BTreeSet<_>>().len(), 3);

    // Redis only wakes nodes up
    fleet.redis_link.cut();
    assert_eq!(fleet.goes_on("the links to Redis were cut").await, third);
    fleet.redis.stop_immediately().unwrap();
    assert_eq!(fleet.goes_on("Redis died").await, third);
    fleet.redis.start_again().unwrap();
    assert_eq!(fleet.goes_on("Redis came back").await, third);

    fleet.postgres.stop_immediately().unwrap();
    fleet.postgres.start_again().unwrap();
    assert_eq!(fleet.goes_on("the database died and came back").await, third);
    fleet.is_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_lost_its_lease_does_nothing_more() {
    let mut fleet = Fleet::start(COUNTS, SHORT).await;
    let first = fleet.goes_on("the start").await;
    fleet.member(&first).process.signal("STOP");
    let second = fleet.replaced(&first, "a SIGSTOP").await;
    fleet.member(&first).process.signal("CONT");
    fleet.goes_on("the first leader's return").await;
    eventually("the first leader is heard again", SOON, async || {
        let heard = "SELECT node FROM worker_nodes WHERE beat_at >= (SELECT MAX(beat_at) FROM worker_nodes) - 2000000";
        let nodes = fleet.rows(heard).await?;
        if nodes.contains(&first) { Ok(()) } else { Err(format!("{nodes:?}")) }
    })
    .await;

    fleet.member(&second).database.refuse(true);
    fleet.replaced(&second, "the leader's partition").await;
    fleet.member(&second).database.refuse(false);
    fleet.goes_on("the end of the partition").await;
    fleet.is_sound().await;
    for member in &mut fleet.members {
        assert_eq!(member.process.stop().await.code(), Some(0), "{}", member.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_waits_in_a_paused_leader_is_never_sent() {
    let mut fleet = Fleet::start(ORDERS, SHORT).await;
    let first = fleet.orders_of_another(None).await;
    // the exchange wants to be left alone for longer than a lease: the next order waits for its turn
    let pause = Duration::from_secs(15);
    fleet.stub.fail("/api/v3/order", Fault::Status(429, Some(15)));
    eventually("an order waits", SOON, async || {
        let open = fleet.rows("SELECT client_order_id FROM order_intents WHERE state = 'open'").await?;
        let seen = fleet.stub.seen();
        let waits = |key: &String| !seen.iter().any(|seen| seen.body.contains(key.rsplit('/').next().unwrap()));
        if open.iter().any(waits) { Ok(()) } else { Err(format!("{open:?}")) }
    })
    .await;
    let asked = tokio::time::Instant::now();
    fleet.member(&first).process.signal("STOP");
    let sent = fleet.sent(&first);
    let second = fleet.orders_of_another(Some(&first)).await;
    assert_ne!(first, second);
    fleet.member(&first).process.signal("CONT");
    tokio::time::sleep(pause.saturating_sub(asked.elapsed())).await;
    fleet.orders_of_another(Some(&first)).await;
    // what was written down is settled once its turn came, and found to be no more the first one's to send
    assert_eq!(fleet.sent(&first), sent, "it was sent when its turn came");
    assert!(fleet.stub.orders().values().all(|taken| *taken == 1));
    assert_eq!(fleet.member(&first).process.stop().await.code(), Some(0));
    assert_eq!(fleet.sent(&first), sent);
}

#[tokio::test]
async fn a_gateway_runs_workers_unless_it_is_told_not_to() {
    let options = roomy().env("ORRERY_WORKERS__EMBEDDED", "false");
    let mut gateway = Gateway::start(options.clone()).await;
    let sid = save(&gateway, "logger.info('it ran')", "single", "parallel").await;
    let file = SqliteConnectOptions::new().filename(gateway.database());
    let rows = async |query: &'static str| {
        let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
        sqlx::query(query).fetch_all(&mut connection).await.unwrap()
    };
    assert_eq!(gateway.stop().await.code(), Some(0));
    assert!(rows("SELECT node FROM worker_nodes").await.is_empty());
    assert!(rows("SELECT id FROM worker_runs").await.is_empty());

    gateway.restart_with(options.without("ORRERY_WORKERS__EMBEDDED")).await;
    eventually("the worker ran", SOON, async || {
        let runs = rows("SELECT sid FROM worker_runs WHERE outcome = 'good'").await;
        let ran = runs.iter().any(|row| row.get::<String, _>(0) == sid);
        if ran { Ok(()) } else { Err(format!("{} runs", runs.len())) }
    })
    .await;
}
