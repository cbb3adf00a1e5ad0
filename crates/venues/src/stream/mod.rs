//! Streams: what is sent to an exchange to hear of something, what its messages say, and books that are kept by them.
//!
//! A connector makes the frames and reads the messages; it opens no socket. Whoever does keeps a [`Synced`] for each
//! book, and asks for snapshots where the exchange's [`Rule`] wants it.

mod account;
mod book;
mod checksum;
mod event;
mod fixed;
mod sink;
mod sync;
#[cfg(test)]
mod tests;
mod watch;

pub use account::{Listener, News, Part};
pub use book::{Book, Change, LEVELS_MAX, TooLong};
pub use checksum::Checksum;
pub use event::Event;
pub use fixed::{DIGITS_MAX, Fixed};
pub use sink::{Heard, Sink, Want, What};
pub use sync::{Delta, Follows, Outcome, Rule, Synced, WAITING_MAX};
pub(crate) use watch::Streams;
pub use watch::{Heartbeat, Subscription, Topic, UnknownTopic, Watched};
