//! Channels over two gateways and a Redis, while parts of it die.
#![expect(clippy::disallowed_methods, reason = "a test's own tasks, which it waits for")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use e2e::socket::Socket;
use e2e::{Client as Http, Gateway, eventually};
use orrery_client::{Client, Event, Options};
use serde_json::json;

use super::scale::House;

const SOON: Duration = Duration::from_secs(60);

fn client(gateway: &Gateway, user: &Http) -> (Client, orrery_client::Events) {
    let url = format!("{}/ws", gateway.base().replacen("http", "ws", 1));
    let options = Options {
        max_delay: Duration::from_millis(500),
        ack_timeout: Duration::from_secs(2),
        queue_max: 10_000,
        ..Options::token(user.token().unwrap())
    };
    Client::connect(&url, options).unwrap()
}

/// What somebody heard: content by offset, in one epoch, without a hole.
#[derive(Default)]
struct Heard {
    by_offset: BTreeMap<u64, String>,
    gaps: Vec<String>,
}

/// Listens until `last` is heard.
async fn listen(client: Client, mut events: orrery_client::Events, channel: &str, last: &str) -> Heard {
    client.join(channel).await.unwrap();
    let mut heard = Heard::default();
    let mut newest = 0;
    while let Some(event) = events.next().await {
        match event {
            Event::Message(message) => {
                let content = message.content.as_str().unwrap().to_owned();
                assert_eq!(message.metadata.sequence, newest + 1, "in order and without a hole");
                newest = message.metadata.sequence;
                let over = content == last;
                heard.by_offset.insert(message.metadata.sequence, content);
                if over {
                    break;
                }
            }
            Event::Gap { position, .. } => heard.gaps.push(format!("{position:?}")),
            Event::Ended(why) => panic!("{why}"),
            _ => {}
        }
    }
    heard
}

/// Speaks, one message after another, until told to stop; gives what was acknowledged where.
async fn speak(
    client: Client,
    name: &'static str,
    stop: Arc<AtomicBool>,
    acks: Arc<AtomicU64>,
) -> BTreeMap<String, u64> {
    let mut acked = BTreeMap::new();
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let content = format!("{name} {n}");
        let ack = client.send("main", json!(content)).await.unwrap();
        acked.insert(content, ack.offset);
        acks.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    acked
}

async fn goes_on(acks: &AtomicU64, after: &str) {
    let before = acks.load(Ordering::SeqCst);
    eventually(&format!("messages are accepted after {after}"), SOON, async || {
        let now = acks.load(Ordering::SeqCst);
        if now > before + 60 { Ok(()) } else { Err(format!("{now} after {before}")) }
    })
    .await;
}

async fn status(gateway: &Gateway, expected: &[&str]) {
    let client = gateway.client();
    // the interface's word: within 25 s
    eventually(&format!("/ws/status says {expected:?}"), Duration::from_secs(25), async || {
        let body = client.get("/ws/status").await.body;
        let said = body["status"].as_str().unwrap_or_default().to_owned();
        if expected.contains(&said.as_str()) { Ok(()) } else { Err(said) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_is_taken_at_one_gateway_is_taken_at_all() {
    let house = House::new().await;
    let (migrated, said) = house.cli(&["migrate"]);
    assert!(migrated, "{said}");
    let (a, b) = (Gateway::start(house.options()).await, Gateway::start(house.options()).await);
    let root = a.user_of_role("root@example.com", "admin").await;
    let form = json!({"name": "small", "max_connections": 1, "presence": true});
    assert_eq!(root.post("/ws/channels", &form).await.status, 201);
    let show =
        async |gateway: &Gateway| gateway.client().with_token(root.token().unwrap()).get("/ws/channels/small").await;
    eventually("the other gateway knows it", SOON, async || match show(&b).await {
        shown if shown.status == 200 => Ok(()),
        shown => Err(shown.body.to_string()),
    })
    .await;
    let path = format!("/ws?token={}&channel=small&client_id=", root.token().unwrap());
    let mut first = Socket::open(a.base(), &format!("{path}one")).await;
    first.until("connection", "connect").await;
    let mut second = Socket::open(b.base(), &format!("{path}two")).await;
    assert_eq!(second.until("error", "").await["code"], "channel_full");
    eventually("who is there is told", SOON, async || {
        let shown = show(&b).await.body;
        let told = shown["connections"] == 1 && shown["members"][0]["client_id"] == "one";
        if told { Ok(()) } else { Err(shown.to_string()) }
    })
    .await;
    let listed = async |gateway: &Gateway| gateway.client().with_token(root.token().unwrap()).get("/ws/channels").await;
    for gateway in [&a, &b] {
        eventually("the list counts it at both", SOON, async || match listed(gateway).await.body {
            list if list["channels"][0]["connections"] == 1 => Ok(()),
            list => Err(list.to_string()),
        })
        .await;
    }
    let figures = b.client().with_token(root.token().unwrap()).get("/metrics/channels").await.body;
    let figure = &figures["channels"][0];
    assert!(figure["connections"] == 1 && figure["connections_here"] == 0, "{figures}");
    drop(first);
    eventually("the place is free again", SOON, async || {
        let mut again = Socket::open(b.base(), &format!("{path}two")).await;
        match again.json().await {
            joined if joined["action"] == "connect" => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_nodes_and_redis_die() {
    let mut house = House::new().await;
    let (migrated, said) = house.cli(&["migrate"]);
    assert!(migrated, "{said}");
    let options = || house.options().env("RATE_LIMIT_MESSAGES", "1000000");
    let (mut a, b) = (Gateway::start(options()).await, Gateway::start(options()).await);
    let root = a.user_of_role("root@example.com", "admin").await;
    let form = json!({"name": "main", "history_size": 10_000, "message_rate_limit": 1_000_000});
    assert_eq!(root.post("/ws/channels", &form).await.status, 201);
    eventually("the other gateway knows it", SOON, async || {
        let listed = b.client().with_token(root.token().unwrap()).get("/ws/channels").await.body;
        if listed["channels"][0]["history_size"] == 10_000 { Ok(()) } else { Err(listed.to_string()) }
    })
    .await;

    let (stop, acks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut listening = Vec::new();
    for gateway in [&a, &b] {
        let (client, events) = client(gateway, &root);
        listening.push(tokio::spawn(listen(client, events, "main", "the end")));
    }
    // both are there before the first message, and each gateway knows of the other's
    for gateway in [&a, &b] {
        eventually("two listen", SOON, async || {
            let shown = gateway.client().with_token(root.token().unwrap()).get("/ws/channels/main").await.body;
            if shown["connections"] == 2 { Ok(()) } else { Err(shown.to_string()) }
        })
        .await;
    }
    let mut speaking = Vec::new();
    for (gateway, name) in [(&a, "a"), (&b, "b")] {
        let (client, mut events) = client(gateway, &root);
        tokio::spawn(async move { while events.next().await.is_some() {} });
        speaking.push(tokio::spawn(speak(client, name, stop.clone(), acks.clone())));
    }
    goes_on(&acks, "the start").await;

    a.kill9();
    goes_on(&acks, "the death of a node").await;
    a.restart().await;
    goes_on(&acks, "its return").await;

    house.redis_link.cut();
    goes_on(&acks, "the link to Redis was cut").await;

    // Redis keeps nothing over this; the nodes do
    house.redis_link.refuse(true);
    house.redis.stop_immediately().unwrap();
    for gateway in [&a, &b] {
        status(gateway, &["degraded", "down"]).await;
    }
    house.redis.start_again().unwrap();
    house.redis_link.refuse(false);
    for gateway in [&a, &b] {
        status(gateway, &["healthy"]).await;
    }
    goes_on(&acks, "Redis died and came back").await;

    stop.store(true, Ordering::SeqCst);
    let mut acked = BTreeMap::new();
    for speaking in speaking {
        acked.extend(speaking.await.unwrap());
    }
    let (last, _events) = client(&b, &root);
    last.send("main", json!("the end")).await.unwrap();
    assert!(acked.len() > 200, "{}", acked.len());
    let mut orders = Vec::new();
    for listening in listening {
        let heard = tokio::time::timeout(SOON, listening).await.expect("the end is heard").unwrap();
        assert_eq!(heard.gaps, Vec::<String>::new());
        for (content, offset) in &acked {
            assert_eq!(heard.by_offset.get(offset), Some(content), "it was acknowledged at {offset}");
        }
        let mut contents: Vec<_> = heard.by_offset.values().collect();
        contents.sort_unstable();
        let all = contents.len();
        contents.dedup();
        assert_eq!(contents.len(), all, "nothing is told twice");
        orders.push(heard.by_offset);
    }
    assert_eq!(orders[0], orders[1], "one order everywhere");
}
