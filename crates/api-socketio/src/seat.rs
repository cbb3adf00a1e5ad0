//! One socket as others see it: what is new for it, and what its client asked.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use orrery_ledger::Seq;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use tokio::sync::Notify;

/// Commands of a client that may wait; a client that sends more at once is closed.
const COMMANDS_MAX: usize = 64;

/// The arguments of an event, however many.
#[derive(Debug, Default)]
pub(crate) struct Args(pub(crate) Vec<serde_json::Value>);

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Args;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the arguments of an event")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Args, A::Error> {
                let mut args = Vec::new();
                while let Some(arg) = seq.next_element()? {
                    args.push(arg);
                }
                Ok(Args(args))
            }
        }
        // the library spreads an event's arguments over types that ask for a tuple
        d.deserialize_tuple(1, Any)
    }
}

/// What a client asks.
pub(crate) enum Command {
    Authenticate(Args),
    Subscribe(Args),
    Unsubscribe(Args),
    Ping(Args),
}

/// What may be new for a socket.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum News {
    Price = 1,
    Ledger = 2,
    Access = 4,
    /// The client asked too much at once.
    Flooded = 8,
    Gone = 16,
    Plans = 32,
    /// Something that administrators see.
    House = 64,
    Settings = 128,
}

/// A socket as others see it.
pub(crate) struct Seat {
    pub(crate) news: AtomicU8,
    pub(crate) wake: Notify,
    commands: Arc<Commands>,
    filled: Mutex<Vec<Seq>>,
}

/// Orders whose execution may wait to be told; of more, the oldest are only seen in the history.
const FILLED_MAX: usize = 64;

/// Commands in the order of arrival. No channel of tokio's, whose first block alone is a kilobyte a socket.
#[derive(Default)]
struct Commands {
    waiting: Mutex<VecDeque<Command>>,
    came: Notify,
}

/// What a socket's task listens to.
pub(crate) struct Inbox(Arc<Commands>);

impl Inbox {
    /// The next command; waits for one.
    pub(crate) async fn next(&mut self) -> Command {
        loop {
            let next = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match next {
                Some(command) => return command,
                // one that came since the look has left a permit
                None => self.0.came.notified().await,
            }
        }
    }
}

impl Seat {
    pub(crate) fn new() -> (Self, Inbox) {
        let commands = Arc::new(Commands::default());
        let inbox = Inbox(commands.clone());
        (Self { news: AtomicU8::new(0), wake: Notify::new(), commands, filled: Mutex::default() }, inbox)
    }

    /// An order of the socket's user was executed.
    pub(crate) fn filled(&self, order: Seq) {
        let mut filled = self.filled.lock().unwrap_or_else(PoisonError::into_inner);
        if filled.len() == FILLED_MAX {
            filled.remove(0);
        }
        filled.push(order);
    }

    /// The orders executed since this was last asked.
    pub(crate) fn take_filled(&self) -> Vec<Seq> {
        std::mem::take(&mut *self.filled.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Marks the socket; its task looks when it can.
    pub(crate) fn news(&self, news: News) {
        self.news.fetch_or(news as u8, Ordering::AcqRel);
        self.wake.notify_one();
    }

    /// Queues a command in the order of arrival.
    pub(crate) fn command(&self, command: Command) {
        let mut waiting = self.commands.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let flooded = waiting.len() == COMMANDS_MAX;
        if !flooded {
            waiting.push_back(command);
        }
        drop(waiting);
        if flooded {
            self.news(News::Flooded);
        } else {
            self.commands.came.notify_one();
        }
    }
}
