//! Two gateways and two pollers on one PostgreSQL and one Redis, while parts of it die.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use e2e::{Client, Gateway, Options, Proxy, Upstream, entries_of, eventually, repository};
use orrery_testkit::servers::{PostgresServer, RedisServer, free_port};
use serde_json::json;
use tokio::task::JoinSet;

const CLIENTS: usize = 6;
/// Longest lease, an attempt and a fetch.
const TAKE_OVER: Duration = Duration::from_secs(75);
const SOON: Duration = Duration::from_secs(60);

pub(super) struct House {
    postgres: PostgresServer,
    pub(super) redis: RedisServer,
    database_link: Proxy,
    pub(super) redis_link: Proxy,
    upstream: Upstream,
    data: tempfile::TempDir,
}

impl House {
    pub(super) async fn new() -> Self {
        let (postgres, redis) = (PostgresServer::start().unwrap(), RedisServer::start().unwrap());
        let (database_link, redis_link) = (Proxy::start(postgres.port()).await, Proxy::start(redis.port()).await);
        let upstream = Upstream::start(45_000.0);
        Self { postgres, redis, database_link, redis_link, upstream, data: tempfile::tempdir().unwrap() }
    }

    pub(super) fn options(&self) -> Options {
        let database = format!("postgres://orrery@127.0.0.1:{}/postgres", self.database_link.port());
        Options::default()
            .upstream(&self.upstream)
            .env("DATABASE_URL", &database)
            .env("REDIS_URL", &format!("redis://127.0.0.1:{}", self.redis_link.port()))
            .env("JWT_SECRET", "one-secret-that-all-gateways-of-the-house-share")
            .env("ORRERY_LISTEN", &format!("127.0.0.1:{}", free_port().unwrap()))
    }

    pub(super) fn cli(&self, args: &[&str]) -> (bool, String) {
        let output = self.options().run(self.data.path(), args, "");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), said)
    }

    fn poller(&self) -> Gateway {
        let data = Arc::new(tempfile::tempdir().unwrap());
        Gateway::spawn(data, self.options().poller())
    }
}

/// What one client knows of its keys.
#[derive(Default)]
struct Known {
    user: usize,
    acked: BTreeMap<String, i64>,
    unanswered: Vec<String>,
}

async fn trade_on(client: Client, user: usize, name: String, stop: Arc<AtomicBool>, acks: Arc<AtomicUsize>) -> Known {
    let mut known = Known { user, ..Known::default() };
    let mut n = 0;
    while !stop.load(Ordering::SeqCst) {
        let key = format!("{name}-{n}");
        n += 1;
        match client.trade_or_lost("buy", "1", "inr", &key).await {
            Some(answer) if answer.status == 200 => {
                known.acked.insert(key, answer.int("id"));
                acks.fetch_add(1, Ordering::SeqCst);
            }
            // to be repeated under its key
            Some(answer) if answer.status == 503 => {
                known.unanswered.push(key);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Some(answer) => panic!("{key}: {} {}", answer.status, answer.body),
            None => {
                known.unanswered.push(key);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    known
}

async fn health(gateway: &Gateway, status: u16, word: &str) {
    let client = gateway.client();
    eventually(&format!("/health says {status} {word}"), SOON, async || {
        match client.try_send("GET", "/health", &[], None).await {
            Ok(answer) if answer.status == status && answer.body["status"] == json!(word) => Ok(()),
            Ok(answer) => Err(format!("{} {}", answer.status, answer.body)),
            Err(e) => Err(e.to_string()),
        }
    })
    .await;
}

/// Waits until more trades were acknowledged than there were.
async fn goes_on(acks: &AtomicUsize, what: &str) {
    let before = acks.load(Ordering::SeqCst);
    eventually(&format!("trading goes on after {what}"), SOON, async || {
        let now = acks.load(Ordering::SeqCst);
        if now >= before + 30 { Ok(()) } else { Err(format!("{} trades since", now - before)) }
    })
    .await;
}

/// The official Socket.IO client at every gateway, and what it said.
struct Watch {
    process: std::process::Child,
    lines: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Watch {
    fn start(gateways: &[&Gateway], token: &str) -> Self {
        let urls: Vec<String> = gateways.iter().map(|g| g.base().to_owned()).collect();
        let mut process = std::process::Command::new("node")
            .arg("watch.mjs")
            .current_dir(repository().join("tests/js"))
            .env("ORRERY_URLS", urls.join(","))
            .env("ORRERY_TOKEN", token)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, out) = (Arc::new(std::sync::Mutex::new(Vec::new())), process.stdout.take().unwrap());
        let kept = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self { process, lines }
    }

    /// How often a gateway's client said something that begins so.
    fn count(&self, gateway: &Gateway, what: &str) -> usize {
        let line = format!("{} {what}", gateway.base());
        self.lines.lock().unwrap().iter().filter(|l| l.starts_with(&line)).count()
    }

    async fn says(&self, gateway: &Gateway, what: &str, times: usize) {
        eventually(&format!("the socket at {} says {what}", gateway.base()), SOON, async || {
            let heard = self.count(gateway, what);
            if heard >= times { Ok(()) } else { Err(self.lines.lock().unwrap().join("\n")) }
        })
        .await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_any_part_dies() {
    let mut house = House::new().await;
    let (good, said) = house.cli(&["serve"]);
    assert!(!good && said.contains("migrate"), "an unmigrated database: {said}");
    for _ in 0..2 {
        let (good, said) = house.cli(&["migrate"]);
        assert!(good, "{said}");
    }
    let mut a = Gateway::start(house.options()).await;
    let b = Gateway::start(house.options()).await;
    let (mut first, second) = (house.poller(), house.poller());
    assert_eq!(a.priced().await, (4_095_000, 3_960_000));
    assert_eq!(b.priced().await, (4_095_000, 3_960_000));
    let leads = |poller: &Gateway| poller.logs().contains("this process leads");
    let mut second = second;
    eventually("one of the pollers leads", SOON, async || {
        if leads(&first) != leads(&second) { Ok(()) } else { Err("both or none".into()) }
    })
    .await;
    if leads(&second) {
        std::mem::swap(&mut first, &mut second);
    }

    // a session and an account of one gateway are the other's too
    let mut users = Vec::new();
    for n in 0..2 {
        let user = a.funded(&format!("user{n}@example.com"), "100000", 0).await;
        assert_eq!(b.client().with_token(user.token().unwrap()).funds().await, (10_000_000, 0));
        users.push(user.token().unwrap().to_owned());
    }
    let other = a.client().login("user0@example.com").await;
    other.post("/api/auth/logout", &json!({})).await.expect(200);
    let elsewhere = b.client().with_token(other.token().unwrap());
    eventually("a logout counts everywhere", SOON, async || {
        let status = elsewhere.get("/api/balance").await.status;
        if status == 403 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;

    let watch = Watch::start(&[&a, &b], &users[0]);
    for gateway in [&a, &b] {
        watch.says(gateway, "authenticated", 1).await;
    }
    // waits for a price that only the second poller will bring
    let order = json!({"type": "LIMIT_BUY", "inr_amount": 1_000, "execution_price": 4_010_000});
    let order = b.client().with_token(&users[0]).post("/api/orders", &order).await.expect(201).int("transactionId");

    let (stop, acks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut load = JoinSet::new();
    for (g, gateway) in [&a, &b].into_iter().enumerate() {
        for c in 0..CLIENTS {
            let user = c % users.len();
            let client = gateway.client().with_token(&users[user]);
            load.spawn(trade_on(client, user, format!("g{g}-c{c}"), stop.clone(), acks.clone()));
        }
    }
    goes_on(&acks, "the start").await;

    a.kill9();
    goes_on(&acks, "the death of a gateway").await;
    a.restart().await;
    watch.says(&a, "authenticated", 2).await;

    first.kill9();
    house.upstream.set_price(44_000.0);

    house.database_link.cut();
    goes_on(&acks, "the database link was cut").await;
    house.database_link.delay(Duration::from_millis(20));
    goes_on(&acks, "the database link became slow").await;
    house.database_link.delay(Duration::ZERO);

    house.redis_link.refuse(true);
    house.redis.stop_immediately().unwrap();
    health(&a, 200, "degraded").await;
    goes_on(&acks, "Redis died").await;
    house.redis.start_again().unwrap();
    house.redis_link.refuse(false);

    house.postgres.stop_immediately().unwrap();
    health(&b, 503, "unhealthy").await;
    house.postgres.start_again().unwrap();
    goes_on(&acks, "PostgreSQL died and came back").await;

    for gateway in [&a, &b] {
        let client = gateway.client();
        eventually("the other poller's price arrives", TAKE_OVER, async || {
            let answer = client.get("/api/market-rates").await;
            let there = answer.status == 200 && answer.int("btc_usd_price") == 44_000;
            if there { Ok(()) } else { Err(format!("{} {}", answer.status, answer.body)) }
        })
        .await;
    }
    assert!(leads(&second), "{}", second.logs());
    for gateway in [&a, &b] {
        watch.says(gateway, "price 44000", 1).await;
        watch.says(gateway, &format!("executed {order}"), 1).await;
    }

    stop.store(true, Ordering::SeqCst);
    let known = load.join_all().await;
    let acked: BTreeMap<String, i64> = known.iter().flat_map(|k| k.acked.clone()).collect();
    assert!(acked.len() > 200, "{} trades", acked.len());
    // what was not answered is asked again, and is one trade
    for known in &known {
        let client = b.client().with_token(&users[known.user]);
        for key in &known.unanswered {
            client.trade("buy", "1", "inr", Some(key)).await.expect(200);
        }
    }
    health(&b, 200, "healthy").await;
    let (entries, head) = entries_of(&b.cli(&["ledger", "export"]));
    let seqs: Vec<i64> = entries.iter().map(|e| e.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as i64).collect::<Vec<_>>(), "gap-free");
    let keys: BTreeMap<&str, i64> = entries.iter().map(|e| (e.key.as_str(), e.seq)).collect();
    let unique: BTreeSet<(&str, &str)> = entries.iter().map(|e| (e.actor.as_str(), e.key.as_str())).collect();
    assert_eq!(unique.len(), entries.len(), "a key made two entries");
    for (key, id) in &acked {
        assert_eq!(keys.get(key.as_str()), Some(id), "{key} was acknowledged");
    }
    let fills = entries.iter().filter(|e| e.key.starts_with(&format!("fill-{order}-"))).count();
    assert_eq!(fills, 1, "an order is filled once");
    let verified = b.cli(&["ledger", "verify"]);
    assert!(verified.contains(&head), "{verified}");

    // a copy by pg_dump comes back into an empty database
    let copy = house.data.path().join("copy");
    b.cli(&["backup", "--to", copy.to_str().unwrap()]);
    let admin = sqlx::PgPool::connect(&house.postgres.url()).await.unwrap();
    sqlx::query("CREATE DATABASE restored").execute(&admin).await.unwrap();
    admin.close().await;
    let restored = format!("postgres://orrery@127.0.0.1:{}/restored", house.postgres.port());
    let options = house.options().env("DATABASE_URL", &restored);
    let output = options.run(house.data.path(), &["restore", "--from", copy.to_str().unwrap(), "--verify"], "");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains(&head), "{said}");
}
