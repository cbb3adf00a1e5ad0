//! The server's own channels: which names are theirs, and who may hear them.

use std::sync::PoisonError;
use std::time::Duration;

use orrery_realtime::{ChannelConfig, Mode};

use super::{Hub, offers};

/// Names that only the server publishes to.
const RESERVED: [&str; 6] = ["topic/", "testnet.", "mainnet.", "account.", "user/", "wallet/"];
/// Channels that are told to everybody who asks, proof or not.
const PUBLIC: [&str; 3] = ["topic/notifications", "testnet.", "mainnet."];
/// Channels that nobody may join by name.
pub(super) const CLOSED: [&str; 3] = ["account.", "user/", "wallet/"];

pub(super) fn starts(name: &str, with: &[&str]) -> bool {
    with.iter().any(|prefix| name.starts_with(prefix))
}

impl Hub {
    /// Does the name begin with the network's?
    pub(super) fn is_of_network(&self, name: &str) -> bool {
        name.strip_prefix(&*self.settings.network).is_some_and(|rest| rest.starts_with('.'))
    }

    pub(super) fn is_reserved(&self, name: &str) -> bool {
        starts(name, &RESERVED) || self.is_of_network(name)
    }

    /// The configuration of the server's own channels.
    pub(super) fn built_in(&self, name: &str) -> Option<ChannelConfig> {
        if !self.is_reserved(name) {
            return None;
        }
        let require_auth = !starts(name, &PUBLIC) && !self.is_of_network(name);
        let own = ChannelConfig { max_connections: 0, require_auth, mode: Mode::Latest, ..ChannelConfig::default() };
        Some(if name.starts_with("topic/") || name.ends_with(".events") {
            ChannelConfig { mode: Mode::Stream, ..own }
        } else if name.starts_with("user/") || name.starts_with("wallet/") && !name.ends_with("/scripts") {
            // who may hear what changes: nothing is kept for later
            ChannelConfig { mode: Mode::Stream, history_size: 0, ..own }
        } else if self.is_offered(name) {
            // its publisher keeps to a pace of its own
            ChannelConfig { history_size: 1, history_ttl: offers::FRESH, ..own }
        } else if self.is_of_network(name) {
            // the document's batching
            ChannelConfig { conflate: Duration::from_millis(200), ..own }
        } else {
            own
        })
    }

    /// Clients may join this channel of the server's own although nothing was published there yet. Others of
    /// its names are not found: a client cannot make them.
    pub fn announce_own(&self, name: &str) {
        self.own.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    pub(super) fn own_config(&self, name: &str) -> Option<ChannelConfig> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner).contains(name);
        if own || self.is_offered(name) { self.built_in(name) } else { None }
    }

    /// Is this a channel that anybody may join without proof?
    pub fn is_public(&self, name: &str) -> bool {
        let config = self.known(name).map(|c| c.config().as_ref().clone()).or_else(|| self.own_config(name));
        config.is_some_and(|c| !c.require_auth)
    }
}
