//! The port to what several nodes share: who publishes where, and what was published.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use orrery_kernel::{StoreError, Timestamp};

use crate::ChannelConfig;

/// How far a channel is. Offsets count from 1 without a hole; a new epoch begins when the count was lost.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// Which count.
    pub epoch: Arc<str>,
    /// The newest offset; 0: nothing yet.
    pub offset: u64,
}

/// One accepted message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its place.
    pub offset: u64,
    /// When it was accepted.
    pub at: Timestamp,
    /// What it is the newest value of, in channels of the newest.
    pub key: Option<Arc<str>>,
    /// Content; the broker does not look inside.
    pub body: Bytes,
}

/// How a publication is kept.
#[derive(Clone, Debug)]
pub struct Keep {
    /// The channel's bounds.
    pub config: ChannelConfig,
    /// A repeated publication under the same key within five minutes is the first one.
    pub idempotency: Option<String>,
    /// How far the publisher knows the channel to be: a broker that lost some of it says so instead of giving
    /// an offset twice.
    pub known: Option<Position>,
}

/// What became of a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It has this place.
    New(Position),
    /// It was there already, at this place.
    Duplicate(Position),
    /// The broker has lost the channel: give back what is known with [`Broker::restore`], and publish again,
    /// which may say the same for as long as other nodes are giving back what they know.
    Lost,
}

/// What is kept of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Epoch and newest offset.
    pub position: Position,
    /// Oldest first.
    pub kept: Vec<Publication>,
}

/// What a node hears of the channels it follows.
#[derive(Clone, Debug)]
pub enum Live {
    /// A publication, of this node or another.
    Published {
        /// Where.
        channel: Arc<str>,
        /// Of which epoch.
        epoch: Arc<str>,
        /// What.
        publication: Publication,
    },
    /// Something that is told once and kept nowhere.
    Signal {
        /// Where.
        channel: Arc<str>,
        /// What.
        body: Bytes,
    },
    /// Nothing is heard for now.
    Lost,
    /// It is heard again; what came meanwhile was missed.
    Back,
}

/// How long connections of a node are counted after it last spoke of them.
pub const SEATS_HELD: Duration = Duration::from_secs(30);

/// Most channels of which connections are counted at a time.
pub const COUNTED_MAX: usize = 256;

/// Who of a node is in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seats {
    /// The node.
    pub node: u64,
    /// Its connections.
    pub connections: u32,
    /// Who they are; the broker does not look inside. `None`: as before.
    pub members: Option<Bytes>,
}

/// Takes what is heard: in order for each channel, at once, without waiting.
pub type Sink = Arc<dyn Fn(Live) + Send + Sync>;

/// Channels that all nodes share. A publication is told to every node that follows the channel, by best
/// effort; whoever counts offsets notices what it missed and reads it from [`Broker::tail`]. Passes the
/// contract suite in `orrery-testkit`.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Where everything that is heard goes; once, before anything is followed.
    fn attach(&self, sink: Sink);

    /// Does it answer?
    async fn health(&self) -> Result<(), StoreError>;

    /// Hears a channel from now on.
    async fn follow(&self, channel: &str) -> Result<(), StoreError>;

    /// Hears it no more.
    async fn unfollow(&self, channel: &str) -> Result<(), StoreError>;

    /// Accepts a message, keeps it and tells the followers.
    async fn publish(
        &self,
        channel: &str,
        keep: &Keep,
        key: Option<&str>,
        body: Bytes,
        now: Timestamp,
    ) -> Result<Appended, StoreError>;

    /// Tells the followers, and keeps nothing.
    async fn signal(&self, channel: &str, body: Bytes) -> Result<(), StoreError>;

    /// What is kept, oldest first; begins the channel's first epoch where it has none.
    async fn tail(&self, channel: &str, config: &ChannelConfig, now: Timestamp) -> Result<Tail, StoreError>;

    /// Gives back what a broker lost. It takes what it does not have if it has no epoch, or the same one
    /// with a lower offset; else it keeps what it has.
    async fn restore(&self, channel: &str, config: &ChannelConfig, tail: &Tail) -> Result<(), StoreError>;

    /// A node has so many connections in the channel from now on, if with those of all others these are at most
    /// `most` (`None`: in any case); gives whether. Counted for [`SEATS_HELD`].
    async fn take_seats(
        &self,
        channel: &str,
        seats: &Seats,
        most: Option<u32>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Who is in the channel, of every node that has somebody there.
    async fn seats(&self, channel: &str, now: Timestamp) -> Result<Vec<Seats>, StoreError>;

    /// How many connections all nodes but `node` have in each of the channels, in the order of these; of at most
    /// [`COUNTED_MAX`].
    async fn seats_beside(&self, node: u64, channels: &[Arc<str>], now: Timestamp) -> Result<Vec<u32>, StoreError>;

    /// Forgets a channel.
    async fn forget(&self, channel: &str) -> Result<(), StoreError>;
}
