//! What the hub makes of what a broker says, in any order.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use orrery_app::hub::{Connecting, Delivery, Dialect, Ending, Hub, HubPorts, HubSettings, Notice, Publish, Who};
use orrery_kernel::{StoreError, Timestamp};
use orrery_realtime::{Appended, Broker, ChannelConfig, Keep, Live, Mode, Position, Publication, Seats, Sink, Tail};
use orrery_store_memory::{MemoryBroker, MemoryChannels, MemoryRates};
use orrery_testkit::fakes::{ManualClock, SeededEntropy};
use orrery_testkit::ledger::START;

/// A broker that says what the test tells it to.
#[derive(Default)]
struct Script {
    sink: OnceLock<Sink>,
    tail: Mutex<Option<Tail>>,
}

fn position(offset: u64) -> Position {
    Position { epoch: "e".into(), offset }
}

fn publication(offset: u64, key: Option<&str>) -> Publication {
    let body = format!(r#"{{"i":"m{offset}","m":{offset}}}"#);
    Publication { offset, at: START, key: key.map(Into::into), body: Bytes::from(body) }
}

impl Script {
    fn say(&self, offset: u64, key: Option<&str>) {
        let publication = publication(offset, key);
        (self.sink.get().unwrap())(Live::Published { channel: "c".into(), epoch: "e".into(), publication });
    }

    fn keeps(&self, offset: u64, kept: Vec<Publication>) {
        *self.tail.lock().unwrap() = Some(Tail { position: position(offset), kept });
    }
}

#[async_trait]
impl Broker for Script {
    fn attach(&self, sink: Sink) {
        assert!(self.sink.set(sink).is_ok());
    }
    async fn health(&self) -> Result<(), StoreError> {
        Ok(())
    }
    async fn follow(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
    async fn unfollow(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
    async fn publish(
        &self,
        _: &str,
        _: &Keep,
        _: Option<&str>,
        _: Bytes,
        _: Timestamp,
    ) -> Result<Appended, StoreError> {
        Err(StoreError::Unavailable("only the test speaks".into()))
    }
    async fn signal(&self, _: &str, _: Bytes) -> Result<(), StoreError> {
        Ok(())
    }
    async fn tail(&self, _: &str, _: &ChannelConfig, _: Timestamp) -> Result<Tail, StoreError> {
        Ok(self.tail.lock().unwrap().clone().unwrap())
    }
    async fn restore(&self, _: &str, _: &ChannelConfig, _: &Tail) -> Result<(), StoreError> {
        Ok(())
    }
    async fn take_seats(&self, _: &str, _: &Seats, _: Option<u32>, _: Timestamp) -> Result<bool, StoreError> {
        Ok(true)
    }
    async fn seats(&self, _: &str, _: Timestamp) -> Result<Vec<Seats>, StoreError> {
        Ok(Vec::new())
    }
    async fn seats_beside(&self, _: u64, channels: &[Arc<str>], _: Timestamp) -> Result<Vec<u32>, StoreError> {
        Ok(vec![0; channels.len()])
    }
    async fn forget(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Frames that a test reads.
struct Plain;

impl Dialect for Plain {
    fn number(&self) -> usize {
        0
    }
    fn publication(&self, d: &Delivery<'_>) -> Bytes {
        format!("{}{};", d.offset, if d.snapshot { "*" } else { "" }).into()
    }
    fn notice(&self, notice: &Notice<'_>) -> Option<Bytes> {
        match notice {
            Notice::Joined { offset, recovered, .. } => Some(format!("joined {offset} {recovered};").into()),
            Notice::Gap { offset, .. } => Some(format!("gap {offset};").into()),
            _ => None,
        }
    }
    fn close(&self, _: &Ending) -> Bytes {
        "close;".into()
    }
}

fn hub(broker: Arc<dyn Broker>) -> Arc<Hub> {
    let ports = HubPorts {
        broker,
        channels: Arc::new(MemoryChannels::default()),
        rates: Arc::new(MemoryRates::default()),
        clock: Arc::new(ManualClock::at(START)),
        entropy: Arc::new(SeededEntropy::new(1)),
    };
    Hub::new(ports, HubSettings::default())
}

fn guest(hub: &Hub) -> Arc<orrery_app::hub::Conn> {
    let who = Who { user: Some(orrery_kernel::UserId(1)), client: "x".into() };
    hub.connect(Connecting { who, dialect: Arc::new(Plain), exclusive: false, address: None }).unwrap()
}

/// Everything that waits for a connection, as one text.
async fn heard(conn: &orrery_app::hub::Conn) -> String {
    let mut batch = Vec::new();
    let next = tokio::time::timeout(std::time::Duration::from_millis(50), conn.next(&mut batch, 1_000, 1 << 20));
    // nothing waits: that is an answer too
    let _ = next.await;
    String::from_utf8(batch.concat()).unwrap()
}

async fn refill(hub: &Arc<Hub>, script: &Script) {
    let tasks = orrery_app::tasks::Tasks::new();
    tasks.spawn("restore", hub.clone().restore_once());
    (script.sink.get().unwrap())(Live::Back);
    tasks.drain().await;
}

#[tokio::test]
async fn told_in_order_whatever_the_order_of_hearing() {
    let script = Arc::new(Script::default());
    let hub = hub(script.clone());
    script.keeps(2, vec![publication(1, None), publication(2, None)]);
    let conn = guest(&hub);
    hub.join(&conn, "c", Some(&position(1))).await.unwrap();
    assert_eq!(heard(&conn).await, "joined 2 true;2;");
    for offset in [3, 3, 6, 5, 2, 4, 6] {
        script.say(offset, None);
    }
    assert_eq!(heard(&conn).await, "3;4;5;6;");
    // 7 is missing: it comes from what is kept
    script.say(8, None);
    assert_eq!(heard(&conn).await, "");
    script.keeps(8, vec![publication(7, None), publication(8, None)]);
    refill(&hub, &script).await;
    assert_eq!(heard(&conn).await, "7;8;");
    // 9 and 10 are kept nowhere: that is said, before what follows
    script.keeps(11, vec![publication(11, None)]);
    script.say(12, None);
    refill(&hub, &script).await;
    assert_eq!(heard(&conn).await, "gap 10;11;12;");
    // the broker counts anew
    *script.tail.lock().unwrap() = Some(Tail { position: Position { epoch: "f".into(), offset: 1 }, kept: vec![] });
    refill(&hub, &script).await;
    assert_eq!(heard(&conn).await, "gap 1;");
}

#[tokio::test]
async fn the_newest_values_have_holes_and_no_gaps() {
    let script = Arc::new(Script::default());
    let hub = hub(script.clone());
    let config = ChannelConfig { mode: Mode::Latest, ..ChannelConfig::default() };
    hub.configure("c", config).await.unwrap();
    script.keeps(9, vec![publication(3, Some("a")), publication(7, Some("b"))]);
    let conn = guest(&hub);
    hub.join(&conn, "c", None).await.unwrap();
    assert_eq!(heard(&conn).await, "joined 9 false;3*;7*;");
    script.say(10, Some("a"));
    assert_eq!(heard(&conn).await, "10;");
    script.keeps(20, vec![publication(10, Some("a")), publication(18, Some("b"))]);
    refill(&hub, &script).await;
    assert_eq!(heard(&conn).await, "18;");
    script.say(21, Some("a"));
    assert_eq!(heard(&conn).await, "21;");
}

#[tokio::test]
async fn the_same_message_again_is_the_first() {
    let hub = hub(Arc::new(MemoryBroker::new(Arc::new(SeededEntropy::new(2)))));
    let conn = guest(&hub);
    hub.join(&conn, "c", None).await.unwrap();
    let content = serde_json::value::RawValue::from_string("1".into()).unwrap();
    let message = Publish { channel: "c", content: &content, key: None, sequence: Some(5) };
    let first = hub.publish(&conn, &message).await.unwrap();
    let again = hub.publish(&conn, &message).await.unwrap();
    assert_eq!((first.duplicate, again.duplicate, &again.position), (false, true, &first.position));
    assert_eq!(heard(&conn).await, "joined 0 false;1;");
    hub.close_all(&Ending::Shutdown);
    assert_eq!(heard(&conn).await, "close;");
    assert!(conn.next(&mut Vec::new(), 1, 1).await.is_none());
}

#[tokio::test]
async fn clients_cannot_make_channels_without_end() {
    let hub = hub(Arc::new(MemoryBroker::new(Arc::new(SeededEntropy::new(2)))));
    hub.announce_own("testnet.runtime");
    let who = Who { user: None, client: "x".into() };
    let anonymous = hub.connect(Connecting { who, dialect: Arc::new(Plain), exclusive: false, address: None }).unwrap();
    hub.join(&anonymous, "testnet.runtime", None).await.unwrap();
    // the server's names, but none that it has
    for name in ["testnet.x", "mainnet.runtime", "topic/nope", "room"] {
        assert!(!hub.is_public(name), "{name}");
        let refused = hub.join(&anonymous, name, None).await.unwrap_err();
        assert_eq!(refused.code, orrery_kernel::ErrorCode::NotFound, "{name}");
    }
    let conn = guest(&hub);
    for n in 0..512 {
        hub.join(&conn, &format!("c{n}"), None).await.unwrap();
    }
    let refused = hub.join(&conn, "one-more", None).await.unwrap_err();
    assert_eq!(refused.code, orrery_kernel::ErrorCode::Conflict);
    // out and in again, which others may have to hear
    let (other, mut joins) = (guest(&hub), 0);
    let refused = loop {
        match hub.join(&other, "c0", None).await {
            Ok(()) => joins += 1,
            Err(error) => break error,
        }
        hub.leave(&other, "c0").await;
    };
    assert_eq!((refused.code, joins), (orrery_kernel::ErrorCode::RateLimited, 1_200));
    let mut made = 512;
    let third = guest(&hub);
    while hub.join(&third, &format!("d{made}"), None).await.is_ok() {
        hub.leave(&third, &format!("d{made}")).await;
        made += 1;
    }
    assert_eq!(made, 1_000, "channels that one user made in a minute");
}

#[tokio::test]
async fn a_channels_places_are_counted_over_all_nodes() {
    let shared = MemoryBroker::new(Arc::new(SeededEntropy::new(2)));
    let clock = Arc::new(ManualClock::at(START));
    let channels = Arc::new(MemoryChannels::default());
    let node = |seed| {
        let ports = HubPorts {
            broker: Arc::new(shared.node()),
            channels: channels.clone(),
            rates: Arc::new(MemoryRates::default()),
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::new(seed)),
        };
        Hub::new(ports, HubSettings::default())
    };
    let (here, elsewhere) = (node(1), node(2));
    let config = ChannelConfig { max_connections: 2, presence: true, ..ChannelConfig::default() };
    here.configure("room", config).await.unwrap();
    elsewhere.reload().await.unwrap();
    let (one, two, three) = (guest(&here), guest(&elsewhere), guest(&here));
    here.join(&one, "room", None).await.unwrap();
    elsewhere.join(&two, "room", None).await.unwrap();
    let refused = here.join(&three, "room", None).await.unwrap_err();
    assert_eq!(refused.code, orrery_kernel::ErrorCode::Conflict);
    // coming again takes no second place
    elsewhere.join(&two, "room", None).await.unwrap();
    let channel = here.list().into_iter().find(|c| &*c.name == "room").unwrap();
    assert_eq!(here.present(&channel).await.connections, 2);
    elsewhere.say_once().await;
    assert_eq!(here.present(&channel).await.members.len(), 2, "also who is elsewhere");
    elsewhere.leave(&two, "room").await;
    elsewhere.say_once().await;
    here.join(&three, "room", None).await.unwrap();
    let refused = elsewhere.join(&two, "room", None).await.unwrap_err();
    assert_eq!(refused.code, orrery_kernel::ErrorCode::Conflict);
    // a node that died says nothing more
    clock.advance(orrery_realtime::SEATS_HELD + std::time::Duration::from_secs(1));
    elsewhere.join(&two, "room", None).await.unwrap();
}

#[tokio::test]
async fn an_address_has_so_many_connections_without_a_user() {
    let ports = HubPorts {
        broker: Arc::new(MemoryBroker::new(Arc::new(SeededEntropy::new(2)))),
        channels: Arc::new(MemoryChannels::default()),
        rates: Arc::new(MemoryRates::default()),
        clock: Arc::new(ManualClock::at(START)),
        entropy: Arc::new(SeededEntropy::new(1)),
    };
    let hub = Hub::new(ports, HubSettings { anonymous_per_address: 2, ..HubSettings::default() });
    let from = |address: &str, user| {
        let (who, address) = (Who { user, client: "x".into() }, Some(address.parse().unwrap()));
        hub.connect(Connecting { who, dialect: Arc::new(Plain), exclusive: false, address })
    };
    let first = from("192.0.2.1", None).unwrap();
    // the same address, written as one of IPv6
    let second = from("::ffff:192.0.2.1", None).unwrap();
    assert_eq!(from("192.0.2.1", None).err().unwrap().code, orrery_kernel::ErrorCode::RateLimited);
    from("192.0.2.2", None).unwrap();
    from("192.0.2.1", Some(orrery_kernel::UserId(1))).unwrap();
    hub.disconnect(&first);
    from("192.0.2.1", None).unwrap();
    assert!(from("192.0.2.1", None).is_err());
    hub.disconnect(&second);
    from("192.0.2.1", None).unwrap();
    // a client of IPv6 has as many addresses as it likes below its own /64
    from("2001:db8::1", None).unwrap();
    from("2001:db8::2:0:0:2", None).unwrap();
    assert!(from("2001:db8::3", None).is_err());
    from("2001:db8:0:1::3", None).unwrap();
}

#[tokio::test]
async fn offered_channels_are_wanted_while_somebody_is_in_them() {
    let hub = hub(Arc::new(MemoryBroker::new(Arc::new(SeededEntropy::new(2)))));
    let is_one = |name: &str| name.starts_with("testnet.runtime.ticker.");
    hub.offer(orrery_app::hub::Offer { is_one: Box::new(is_one), most: 3, per_connection: 2 });
    let anonymous = || {
        let who = Who { user: None, client: "x".into() };
        hub.connect(Connecting { who, dialect: Arc::new(Plain), exclusive: false, address: None }).unwrap()
    };
    let name = |n: u32| format!("testnet.runtime.ticker.{n}");
    let (a, b) = (anonymous(), anonymous());
    assert!(hub.is_public(&name(1)) && !hub.is_public("testnet.runtime.other"));
    assert!(hub.wanted().is_empty());
    for n in [1, 2, 1] {
        hub.join(&a, &name(n), None).await.unwrap();
    }
    hub.wanted_more().await;
    let wanted = |hub: &Hub| hub.wanted().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(wanted(&hub), [name(1), name(2)]);
    let refused = hub.join(&a, &name(3), None).await.unwrap_err();
    assert_eq!(refused.code, orrery_kernel::ErrorCode::Conflict, "one connection has its bound");
    hub.join(&b, &name(3), None).await.unwrap();
    let c = anonymous();
    let refused = hub.join(&c, &name(4), None).await.unwrap_err();
    assert_eq!(refused.code, orrery_kernel::ErrorCode::Unavailable, "all together have one");
    // what is watched already costs nothing more
    hub.join(&c, &name(1), None).await.unwrap();
    hub.disconnect(&a);
    assert_eq!(wanted(&hub), [name(1), name(3)]);
    // whoever comes is told the newest at once
    let content = serde_json::value::RawValue::from_string("1".into()).unwrap();
    for _ in 0..2 {
        let message = Publish { channel: &name(3), content: &content, key: Some(&name(3)), sequence: None };
        hub.publish_own(&message, None).await.unwrap();
    }
    assert_eq!(heard(&b).await, "joined 0 false;1;2;");
    hub.join(&c, &name(3), None).await.unwrap();
    assert!(heard(&c).await.ends_with("joined 2 false;2*;"));
}
