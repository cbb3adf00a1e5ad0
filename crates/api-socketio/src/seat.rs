//! One socket as others see it: what is new for it, and what its client asked.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// A socket as others see it. What is marked or queued wakes its task.
#[derive(Default)]
pub(crate) struct Seat {
    pub(crate) wake: Notify,
    news: AtomicU8,
    /// A task talks to the socket.
    served: AtomicBool,
    waiting: Mutex<Waiting>,
}

/// Orders whose execution may wait to be told; of more, the oldest are only seen in the history.
const FILLED_MAX: usize = 64;

/// Queues in the order of arrival. No channels of tokio's, whose first block alone is a kilobyte a socket.
#[derive(Default)]
struct Waiting {
    commands: VecDeque<Command>,
    filled: Vec<Seq>,
}

impl Seat {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // every change is whole before the next begins
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody talks to the socket from now on; `true` once.
    pub(crate) fn serve(&self) -> bool {
        !self.served.swap(true, Ordering::AcqRel)
    }

    /// An order of the socket's user was executed.
    pub(crate) fn filled(&self, order: Seq) {
        let filled = &mut self.waiting().filled;
        if filled.len() == FILLED_MAX {
            filled.remove(0);
        }
        filled.push(order);
    }

    /// The orders executed since this was last asked.
    pub(crate) fn take_filled(&self) -> Vec<Seq> {
        std::mem::take(&mut self.waiting().filled)
    }

    /// Marks the socket; its task looks when it can.
    pub(crate) fn news(&self, news: News) {
        self.news.fetch_or(news as u8, Ordering::AcqRel);
        self.wake.notify_one();
    }

    /// What was marked since this was last asked; 0: nothing.
    pub(crate) fn take_news(&self) -> u8 {
        self.news.swap(0, Ordering::AcqRel)
    }

    /// Queues a command in the order of arrival.
    pub(crate) fn command(&self, command: Command) {
        let mut waiting = self.waiting();
        let flooded = waiting.commands.len() == COMMANDS_MAX;
        if !flooded {
            waiting.commands.push_back(command);
        }
        drop(waiting);
        if flooded {
            self.news(News::Flooded);
        } else {
            self.wake.notify_one();
        }
    }

    /// The next command.
    pub(crate) fn take_command(&self) -> Option<Command> {
        let commands = &mut self.waiting().commands;
        let next = commands.pop_front();
        if commands.is_empty() {
            // sockets ask when they begin, and then are silent for hours
            *commands = VecDeque::new();
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_keep_their_order_and_their_bound() {
        let seat = Seat::default();
        let ping = |n: usize| Command::Ping(Args(vec![n.into()]));
        (0..COMMANDS_MAX).for_each(|n| seat.command(ping(n)));
        assert_eq!(seat.take_news(), 0);
        seat.command(ping(COMMANDS_MAX));
        assert_eq!(seat.take_news(), News::Flooded as u8);
        for n in 0..COMMANDS_MAX {
            let Some(Command::Ping(args)) = seat.take_command() else { panic!("command {n} is missing") };
            assert_eq!(args.0, [n]);
        }
        assert!(seat.take_command().is_none());
        assert_eq!(seat.waiting().commands.capacity(), 0, "a silent socket keeps nothing");
    }

    #[test]
    fn a_socket_is_served_once() {
        let seat = Seat::default();
        assert!(seat.serve() && !seat.serve());
    }

    #[test]
    fn of_many_executed_orders_the_newest_are_told() {
        let seat = Seat::default();
        (0..100).for_each(|order| seat.filled(order));
        assert_eq!(seat.take_filled(), (36..100).collect::<Vec<_>>());
        assert!(seat.take_filled().is_empty());
    }
}
