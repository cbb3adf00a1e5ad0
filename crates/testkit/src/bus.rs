//! The contract of the bus port.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use orrery_storage::{Bus, Heard, Listening, MESSAGE_BYTES_MAX};

/// A bus under test.
pub type Store = Arc<dyn Bus>;

const PATIENCE: Duration = Duration::from_secs(20);

async fn listen(bus: &Store, topic: &str) -> Box<dyn Listening> {
    bus.listen(topic).await.expect("the bus answers")
}

async fn tell(bus: &Store, topic: &str, text: &str) {
    bus.publish(topic, Bytes::copy_from_slice(text.as_bytes())).await.expect("the bus answers");
}

async fn hear(listening: &mut Box<dyn Listening>) -> Heard {
    tokio::time::timeout(PATIENCE, listening.next()).await.expect("something is heard")
}

fn message(text: &str) -> Heard {
    Heard::Message(Bytes::copy_from_slice(text.as_bytes()))
}

/// Every listener hears every message of its topic once, in order, from when it began to listen.
pub async fn everybody_hears_in_order(bus: Store) {
    tell(&bus, "a", "before").await;
    let (mut one, mut two, mut other) = (listen(&bus, "a").await, listen(&bus, "a").await, listen(&bus, "b").await);
    for n in 0..50 {
        tell(&bus, "a", &n.to_string()).await;
    }
    tell(&bus, "b", "else").await;
    for listening in [&mut one, &mut two] {
        for n in 0..50 {
            assert_eq!(hear(listening).await, message(&n.to_string()));
        }
    }
    assert_eq!(hear(&mut other).await, message("else"));
}

/// A message that is too long is refused; bytes travel as they are.
pub async fn bounds(bus: Store) {
    let mut listening = listen(&bus, "a").await;
    assert!(bus.publish("a", Bytes::from(vec![0; MESSAGE_BYTES_MAX + 1])).await.is_err());
    let whole = Bytes::from((0..=255_u8).cycle().take(MESSAGE_BYTES_MAX).collect::<Vec<_>>());
    bus.publish("a", whole.clone()).await.expect("the bus answers");
    assert_eq!(hear(&mut listening).await, Heard::Message(whole));
}

/// A listener that is gone is no burden.
pub async fn listeners_go(bus: Store) {
    for _ in 0..20 {
        drop(listen(&bus, "a").await);
    }
    let mut last = listen(&bus, "a").await;
    tell(&bus, "a", "x").await;
    assert_eq!(hear(&mut last).await, message("x"));
}

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! bus_contract {
    ($make:expr) => {
        $crate::bus_contract!(@each $make; everybody_hears_in_order bounds listeners_go);
    };
    (@each $make:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::bus::$name($make.await).await;
            }
        )*
    };
}
