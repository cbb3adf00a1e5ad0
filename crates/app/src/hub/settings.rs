//! What a hub is made of, and its bounds.

use std::sync::Arc;
use std::time::Duration;

use orrery_identity::RateStore;
use orrery_identity::rate::Policy;
use orrery_kernel::{Clock, Entropy};
use orrery_realtime::{Bounds, Broker, ChannelStore};

/// Bounds of the hub.
#[derive(Clone, Debug)]
pub struct HubSettings {
    /// Connections of one user; further ones are refused.
    pub connections_per_user: u32,
    /// Connections without a user that one address may have (of IPv6, one /64).
    pub anonymous_per_address: u32,
    /// Messages of one user, over all channels.
    pub messages: Policy,
    /// Messages of this process a second, over all users.
    pub messages_per_second: u32,
    /// Publications that a client gets back after it was away; beyond that it gets a picture.
    pub recovery_max: usize,
    /// May a user join a channel that nobody configured?
    pub open_channels: bool,
    /// Name of the network, whose channels only the server publishes to.
    pub network: String,
    /// Channels in memory.
    pub channels_max: usize,
    /// Tasks that write to sockets; each has its share of the connections.
    pub writers: usize,
    /// Bounds of a connection's outbox.
    pub outbox: Bounds,
    /// A client that was not heard for this long is pinged.
    pub ping_after: Duration,
    /// Then it has this long to answer.
    pub pong_within: Duration,
    /// A client that takes nothing for this long is closed.
    pub stuck_max: Duration,
}

impl Default for HubSettings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            connections_per_user: 100,
            anonymous_per_address: 2_000,
            messages: Policy::refuse(50, seconds(60)),
            messages_per_second: 10_000,
            recovery_max: 300,
            open_channels: true,
            network: "testnet".into(),
            channels_max: 20_000,
            writers: 1,
            outbox: Bounds::default(),
            ping_after: seconds(25),
            pong_within: seconds(10),
            stuck_max: seconds(10),
        }
    }
}

/// What the hub is made of.
#[derive(Clone)]
pub struct HubPorts {
    /// What several nodes share.
    pub broker: Arc<dyn Broker>,
    /// Configured channels.
    pub channels: Arc<dyn ChannelStore>,
    /// Rate windows.
    pub rates: Arc<dyn RateStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}
