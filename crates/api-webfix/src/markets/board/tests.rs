//! What the board tells, and when.

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use orrery_app::hub::{Conn, Connecting, Delivery, Dialect, Ending, HubPorts, HubSettings, Notice, Who};
use orrery_kernel::Timestamp;
use orrery_testkit::assembled;
use orrery_testkit::fakes::SeededEntropy;
use orrery_venues::Number;
use orrery_venues::unified::{Ticker, Time};
use serde_json::Value;

use super::*;

/// A clock that each look moves by a millisecond.
struct Passing(AtomicI64);

impl Clock for Passing {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// A line of name and content for each publication.
struct Lines;

impl Dialect for Lines {
    fn number(&self) -> usize {
        0
    }
    fn publication(&self, d: &Delivery<'_>) -> Bytes {
        format!("{} {}\n", d.key.unwrap_or_default(), d.content).into()
    }
    fn notice(&self, _: &Notice<'_>) -> Option<Bytes> {
        None
    }
    fn close(&self, _: &Ending) -> Bytes {
        Bytes::new()
    }
}

struct Bench {
    board: Arc<Board>,
    hub: Arc<Hub>,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(Passing(AtomicI64::new(1_700_000_000_000)));
        let entropy = Arc::new(SeededEntropy::new(1));
        let feed = Arc::new(orrery_feeds::Simulated::new(1, 50_000));
        let ports = assembled::ports(clock.clone(), entropy.clone(), feed);
        let ports = HubPorts {
            broker: ports.broker,
            channels: ports.channels,
            rates: ports.rates,
            clock: clock.clone(),
            entropy,
        };
        let hub = Hub::new(ports, HubSettings::default());
        hub.offer(orrery_app::hub::Offer {
            is_one: Box::new(|name| Topic::of("testnet", name).is_some()),
            most: 100,
            per_connection: 100,
        });
        Self { board: Board::new(hub.clone(), clock), hub }
    }

    async fn watcher(&self, name: &str) -> Arc<Conn> {
        let who = Who { user: None, client: "x".into() };
        let conn =
            self.hub.connect(Connecting { who, dialect: Arc::new(Lines), exclusive: false, address: None }).unwrap();
        self.hub.join(&conn, name, None).await.unwrap();
        conn
    }

    fn carry(&self, topics: &[Topic]) {
        let mut targets = Targets::default();
        for topic in topics {
            for name in topic.names("testnet") {
                targets.add_own(topic.clone(), &name);
            }
        }
        self.board.carry(targets);
    }

    /// Tells what is due after so many milliseconds.
    async fn tell_after(&self, ms: u64) {
        for telling in self.board.due(Instant::now() + Duration::from_millis(ms)).0 {
            self.board.tell(telling).await;
        }
    }
}

/// What a connection was told since the last time: the names, and the contents.
async fn told(conn: &Conn) -> Vec<(String, Value)> {
    let mut batch = Vec::new();
    // nothing waits: that is an answer too
    let _ = tokio::time::timeout(Duration::from_millis(20), conn.next(&mut batch, 1_000, 1 << 20)).await;
    let text = String::from_utf8(batch.concat()).unwrap();
    let line = |line: &str| {
        let (name, content) = line.split_once(' ').unwrap();
        (name.to_owned(), serde_json::from_str(content).unwrap())
    };
    text.lines().map(line).collect()
}

fn ticker(last: u32) -> Heard {
    Heard::Ticker(Ticker { last: Some(Number::from(last)), ..Ticker::default() })
}

fn trades(ids: std::ops::Range<u32>) -> Heard {
    let trade = |id: u32| Trade { id: Some(id.to_string()), time: Time(Some(i64::from(id))), ..Trade::default() };
    Heard::Trades(ids.map(trade).collect())
}

fn ids(content: &Value) -> Vec<u32> {
    let id = |trade: &Value| trade["id"].as_str().unwrap().parse().unwrap();
    content["trades"].as_array().unwrap().iter().map(id).collect()
}

const CLIENT: &str = "testnet.runtime.ticker.BTC/USDT.binance.spot";
const DOCUMENT: &str = "testnet.runtime.connector.exchange.crypto.binance.spot.BTC/USDT.ticker";

#[tokio::test(start_paused = true)]
async fn the_newest_is_told_under_both_names_and_no_more_than_ten_times_a_second() {
    let bench = Bench::new();
    let (client, document) = (bench.watcher(CLIENT).await, bench.watcher(DOCUMENT).await);
    bench.board.heard("binance", "BTC/USDT", ticker(1), None);
    bench.carry(&Topic::all_of("binance", "BTC/USDT"));
    bench.tell_after(0).await;
    assert!(told(&client).await.is_empty(), "what was heard before it was wanted is not kept");
    bench.board.heard("binance", "BTC/USDT", ticker(2), Some(-5));
    bench.tell_after(0).await;
    for (conn, name) in [(&client, CLIENT), (&document, DOCUMENT)] {
        let seen = told(conn).await;
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].0.as_str(), &seen[0].1["last"], &seen[0].1["latency"]), (name, &2.into(), &0.into()));
    }
    bench.board.heard("binance", "BTC/USDT", ticker(3), None);
    bench.board.heard("binance", "BTC/USDT", ticker(4), None);
    bench.tell_after(0).await;
    assert!(told(&client).await.is_empty(), "it was told a moment ago");
    bench.tell_after(100).await;
    let seen = told(&client).await;
    assert_eq!((seen.len(), &seen[0].1["last"]), (1, &4.into()));
}

#[tokio::test(start_paused = true)]
async fn who_comes_late_is_told_what_the_others_know() {
    let bench = Bench::new();
    let mut targets = Targets::default();
    let topic = Topic::of("testnet", CLIENT).unwrap();
    targets.add_to_group(&topic, "testnet", "runtime");
    bench.board.carry(targets.clone());
    bench.board.heard("binance", "BTC/USDT", ticker(5), None);
    bench.tell_after(0).await;
    let late = bench.watcher(CLIENT).await;
    assert!(told(&late).await.is_empty());
    targets.add_own(topic, CLIENT);
    bench.board.carry(targets);
    bench.tell_after(0).await;
    let seen = told(&late).await;
    assert_eq!((seen.len(), &seen[0].1["last"]), (1, &5.into()));
    // the group has it under both names
    bench.hub.announce_own("testnet.runtime");
    let all = bench.watcher("testnet.runtime").await;
    let names: Vec<_> = told(&all).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 2);
    assert!(names.iter().any(|name| name == CLIENT) && names.iter().any(|name| name == DOCUMENT), "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn no_trade_is_passed_over_but_beyond_the_bound() {
    let bench = Bench::new();
    let name = "testnet.runtime.trades.BTC/USDT.binance.spot";
    let conn = bench.watcher(name).await;
    bench.carry(&Topic::all_of("binance", "BTC/USDT"));
    let hear = |ids| bench.board.heard("binance", "BTC/USDT", trades(ids), None);
    hear(0..3);
    hear(3..60);
    bench.tell_after(0).await;
    assert_eq!(ids(&told(&conn).await[0].1), (0..60).collect::<Vec<_>>());
    hear(60..62);
    bench.tell_after(100).await;
    assert_eq!(ids(&told(&conn).await[0].1), (12..62).collect::<Vec<_>>(), "the last ones are told again");
    hear(62..700);
    bench.tell_after(200).await;
    assert_eq!(ids(&told(&conn).await[0].1), (200..700).collect::<Vec<_>>());
}
