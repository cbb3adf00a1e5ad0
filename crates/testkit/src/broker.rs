//! The contract of the broker's port.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use orrery_kernel::Timestamp;
use orrery_realtime::{Appended, Broker, ChannelConfig, Keep, Live, Mode, Position, Publication, Tail};
use tokio::sync::mpsc;

/// Two nodes on the same channels.
pub type Store = (Arc<dyn Broker>, Arc<dyn Broker>);

const PATIENCE: Duration = Duration::from_secs(20);
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn config(size: u32, mode: Mode) -> ChannelConfig {
    ChannelConfig { history_size: size, mode, ..ChannelConfig::default() }
}

fn keep(config: &ChannelConfig, idempotency: Option<&str>) -> Keep {
    Keep { config: config.clone(), idempotency: idempotency.map(Into::into), known: None }
}

/// What a node hears.
fn ears(broker: &Arc<dyn Broker>) -> mpsc::UnboundedReceiver<Live> {
    let (tell, heard) = mpsc::unbounded_channel();
    // an error only says that the test is over
    broker.attach(Arc::new(move |live| drop(tell.send(live))));
    heard
}

async fn publish(broker: &Arc<dyn Broker>, channel: &str, keep: &Keep, key: Option<&str>, text: &str) -> Appended {
    let body = Bytes::copy_from_slice(text.as_bytes());
    broker.publish(channel, keep, key, body, NOW).await.expect("the broker answers")
}

fn new(appended: Appended) -> Position {
    match appended {
        Appended::New(position) => position,
        other => unreachable!("{other:?}"),
    }
}

async fn hear(ears: &mut mpsc::UnboundedReceiver<Live>) -> Live {
    tokio::time::timeout(PATIENCE, ears.recv()).await.expect("something is heard").expect("the broker lives")
}

async fn hear_publication(ears: &mut mpsc::UnboundedReceiver<Live>) -> (String, Position, Publication) {
    match hear(ears).await {
        Live::Published { channel, epoch, publication } => {
            (channel.to_string(), Position { epoch, offset: publication.offset }, publication)
        }
        other => unreachable!("{other:?}"),
    }
}

/// Every node that follows hears every publication in order, with its place; others hear nothing.
pub async fn followers_hear((a, b): Store) {
    let (mut at_a, mut at_b) = (ears(&a), ears(&b));
    let keep = keep(&config(10, Mode::Stream), None);
    for broker in [&a, &b] {
        broker.follow("x/1").await.expect("the broker answers");
    }
    b.follow("y").await.expect("the broker answers");
    for n in 1..=40_u64 {
        let from = if n % 2 == 0 { &a } else { &b };
        assert_eq!(new(publish(from, "x/1", &keep, None, &n.to_string()).await).offset, n);
    }
    new(publish(&a, "y", &keep, Some("k e y"), "last one\n").await);
    let mut epoch = None;
    for ears in [&mut at_a, &mut at_b] {
        for n in 1..=40_u64 {
            let (channel, position, publication) = hear_publication(ears).await;
            assert_eq!((channel.as_str(), position.offset), ("x/1", n));
            assert_eq!(epoch.get_or_insert(position.epoch.clone()), &position.epoch);
            assert_eq!(publication, Publication { offset: n, at: NOW, key: None, body: Bytes::from(n.to_string()) });
        }
    }
    let (_, _, last) = hear_publication(&mut at_b).await;
    assert_eq!((last.key.as_deref(), last.body), (Some("k e y"), Bytes::from("last one\n")));
    a.unfollow("x/1").await.expect("the broker answers");
    b.signal("x/1", Bytes::from_static(b"psst")).await.expect("the broker answers");
    match hear(&mut at_b).await {
        Live::Signal { channel, body } => assert_eq!((&*channel, &*body), ("x/1", &b"psst"[..])),
        other => unreachable!("{other:?}"),
    }
    assert!(at_a.try_recv().is_err(), "it does not follow any more");
}

/// The tail holds the newest publications, as many as the channel keeps, with the count.
pub async fn history((a, b): Store) {
    let stream = config(5, Mode::Stream);
    let empty = a.tail("s", &stream, NOW).await.expect("the broker answers");
    assert_eq!((empty.position.offset, empty.kept.len()), (0, 0));
    let mut epoch = empty.position.epoch;
    for n in 1..=300 {
        epoch = new(publish(&a, "s", &keep(&stream, None), None, &n.to_string()).await).epoch;
    }
    let tail = b.tail("s", &stream, NOW).await.expect("the broker answers");
    let offsets: Vec<u64> = tail.kept.iter().map(|p| p.offset).collect();
    assert_eq!((tail.position, offsets), (Position { epoch, offset: 300 }, (296..=300).collect()));
    let later = NOW.plus(stream.history_ttl + Duration::from_secs(1));
    assert!(b.tail("s", &stream, later).await.expect("the broker answers").kept.is_empty());

    let latest = config(3, Mode::Latest);
    for (key, text) in [("p", "1"), ("q", "2"), ("p", "3"), ("r", "4"), ("s", "5")] {
        new(publish(&b, "l", &keep(&latest, None), Some(key), text).await);
    }
    let tail = a.tail("l", &latest, NOW).await.expect("the broker answers");
    let values: Vec<(&str, &[u8])> =
        tail.kept.iter().map(|p| (p.key.as_deref().unwrap_or_default(), p.body.as_ref())).collect();
    assert_eq!(values, [("p", &b"3"[..]), ("r", b"4"), ("s", b"5")]);
    assert_eq!(tail.position.offset, 5);

    let nothing = config(0, Mode::Stream);
    assert_eq!(new(publish(&a, "n", &keep(&nothing, None), None, "x").await).offset, 1);
    let tail = b.tail("n", &nothing, NOW).await.expect("the broker answers");
    assert_eq!((tail.position.offset, tail.kept.len()), (1, 0));
    a.forget("n").await.expect("the broker answers");
    assert_eq!(new(publish(&b, "n", &keep(&nothing, None), None, "x").await).offset, 1);
}

/// A repeated publication gets the place of the first, at whichever node; another key is another one.
pub async fn repeated((a, b): Store) {
    let stream = config(10, Mode::Stream);
    let mut heard = ears(&b);
    b.follow("x").await.expect("the broker answers");
    let first = new(publish(&a, "x", &keep(&stream, Some("u c 1")), None, "one").await);
    assert_eq!(publish(&b, "x", &keep(&stream, Some("u c 1")), None, "one").await, Appended::Duplicate(first.clone()));
    let second = new(publish(&b, "x", &keep(&stream, Some("u c 2")), None, "two").await);
    assert_eq!(publish(&a, "x", &keep(&stream, Some("u c 1")), None, "1").await, Appended::Duplicate(first));
    assert_eq!(second.offset, 2);
    // of another channel
    assert_eq!(new(publish(&a, "y", &keep(&stream, Some("u c 1")), None, "one").await).offset, 1);
    for n in 1..=2 {
        assert_eq!(hear_publication(&mut heard).await.1.offset, n);
    }
    assert!(heard.try_recv().is_err(), "a repeated one is not told");
}

/// Many nodes publish at once: no offset twice, none left out, everybody hears the same order.
pub async fn one_order((a, b): Store) {
    let stream = config(100, Mode::Stream);
    let (mut at_a, mut at_b) = (ears(&a), ears(&b));
    for broker in [&a, &b] {
        broker.follow("x").await.expect("the broker answers");
    }
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let (broker, keep) = (if task % 2 == 0 { a.clone() } else { b.clone() }, keep(&stream, None));
            tokio::spawn(async move {
                let mut offsets = Vec::new();
                for n in 0..25 {
                    offsets.push(new(publish(&broker, "x", &keep, None, &format!("{task}-{n}")).await).offset);
                }
                assert!(offsets.is_sorted(), "one after another");
                offsets
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("it ends"));
    }
    all.sort_unstable();
    assert_eq!(all, (1..=200).collect::<Vec<u64>>());
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for (ears, order) in [(&mut at_a, &mut one), (&mut at_b, &mut other)] {
        for n in 1..=200 {
            let (_, position, publication) = hear_publication(ears).await;
            assert_eq!(position.offset, n);
            order.push(publication.body);
        }
    }
    assert_eq!(one, other);
}

/// Connections are counted over all nodes, and never more are taken than may be, however many nodes ask at once.
pub async fn places((a, b): Store) {
    let seats = |node, connections, members: Option<&'static str>| {
        let members = members.map(|text| Bytes::from_static(text.as_bytes()));
        orrery_realtime::Seats { node, connections, members }
    };
    let take = async |broker: &Arc<dyn Broker>, seats, most| {
        broker.take_seats("x", &seats, most, NOW).await.expect("the broker answers")
    };
    let there = async |broker: &Arc<dyn Broker>| {
        let mut all = broker.seats("x", NOW).await.expect("the broker answers");
        all.sort_unstable_by_key(|seats| seats.node);
        all
    };
    assert_eq!(there(&a).await, []);
    assert!(take(&a, seats(1, 2, Some("[1 2]")), Some(3)).await);
    assert!(take(&b, seats(2, 1, None), Some(3)).await);
    assert!(!take(&b, seats(2, 2, None), Some(3)).await, "one too many");
    assert_eq!(there(&b).await, [seats(1, 2, Some("[1 2]")), seats(2, 1, Some(""))], "and nothing changed");
    // a node's own count is what it says, its members as before unless it says so
    assert!(take(&a, seats(1, 1, None), Some(3)).await);
    assert!(take(&b, seats(2, 2, Some("two\nlines")), Some(3)).await);
    assert_eq!(there(&a).await, [seats(1, 1, Some("[1 2]")), seats(2, 2, Some("two\nlines"))]);
    assert!(take(&a, seats(1, 9, Some("")), None).await, "a count without a bound");
    assert!(!take(&b, seats(2, 2, None), Some(3)).await);
    assert!(take(&a, seats(1, 0, None), Some(3)).await, "whoever is gone is never refused");
    assert_eq!(there(&a).await, [seats(2, 2, Some("two\nlines"))]);
    assert_eq!(a.seats("y", NOW).await.expect("the broker answers"), [], "another channel");
    assert!(take(&a, seats(3, 4, Some("[3]")), None).await);
    let beside = async |broker: &Arc<dyn Broker>, node, channels: &[&str]| {
        let channels: Vec<_> = channels.iter().map(|name| Arc::from(*name)).collect();
        broker.seats_beside(node, &channels, NOW).await.expect("the broker answers")
    };
    assert_eq!(beside(&a, 3, &["y", "x"]).await, [0, 2]);
    assert_eq!(beside(&b, 2, &["x"]).await, [4]);
    assert_eq!(beside(&b, 9, &["x", "x", "y"]).await, [6, 6, 0]);
    assert_eq!(beside(&a, 9, &[]).await, [] as [u32; 0]);
    assert!(take(&b, seats(3, 0, None), None).await);
    let asked: Vec<_> = (10..30)
        .map(|node| {
            let (broker, seats) = (if node % 2 == 0 { a.clone() } else { b.clone() }, seats(node, 1, None));
            tokio::spawn(async move { broker.take_seats("x", &seats, Some(7), NOW).await.expect("the broker answers") })
        })
        .collect();
    let mut taken = 0;
    for asked in asked {
        taken += u32::from(asked.await.expect("it ends"));
    }
    assert_eq!(taken, 5, "two were taken");
}

/// A broker with a memory of its own takes back what it lost, and nothing else.
pub async fn restored((a, b): Store) {
    let stream = config(10, Mode::Stream);
    let mut last = Position { epoch: "".into(), offset: 0 };
    for n in 1..=6 {
        last = new(publish(&a, "x", &keep(&stream, None), None, &n.to_string()).await);
    }
    let tail = a.tail("x", &stream, NOW).await.expect("the broker answers");
    let known = Keep { known: Some(last.clone()), ..keep(&stream, None) };
    a.forget("x").await.expect("the broker answers");
    assert_eq!(publish(&b, "x", &known, None, "7").await, Appended::Lost);
    // a node that knows less, then one that knows more, then the first again
    let part = Tail { position: Position { offset: 4, ..last.clone() }, kept: tail.kept[..4].to_vec() };
    for tail in [&part, &tail, &part] {
        b.restore("x", &stream, tail).await.expect("the broker answers");
    }
    assert_eq!(b.tail("x", &stream, NOW).await.expect("the broker answers"), tail);
    // nothing new for as long as others may know more
    let accepted = tokio::time::timeout(PATIENCE, async {
        loop {
            match publish(&b, "x", &known, None, "7").await {
                Appended::Lost => tokio::time::sleep(Duration::from_millis(100)).await,
                other => break other,
            }
        }
    });
    let accepted = accepted.await.expect("the wait ends");
    assert_eq!(new(accepted), Position { offset: 7, ..last.clone() });
    // whoever knows more than the broker is not given an offset again
    let further = Keep { known: Some(Position { offset: 9, ..last }), ..keep(&stream, None) };
    assert_eq!(publish(&a, "x", &further, None, "8").await, Appended::Lost);
}

/// Expands to the whole contract as tests, for an expression that makes two nodes (async).
#[macro_export]
macro_rules! broker_contract {
    ($make:expr) => {
        $crate::broker_contract!(@each $make; followers_hear history repeated one_order places);
    };
    (@each $make:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::broker::$name($make.await).await;
            }
        )*
    };
}
