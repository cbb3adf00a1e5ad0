//! The port of configured channels.

use async_trait::async_trait;
use orrery_kernel::StoreError;

use crate::ChannelConfig;

/// Channels that may be configured.
pub const CHANNELS_MAX: u32 = 10_000;

/// What became of a channel's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// There was none of this name.
    Created,
    /// It took the place of another.
    Updated,
    /// There are [`CHANNELS_MAX`] already.
    Full,
}

/// Keeps what administrators configured. Passes the contract suite in `orrery-testkit`.
#[async_trait]
pub trait ChannelStore: Send + Sync {
    /// All of them, by name.
    async fn channels(&self) -> Result<Vec<(String, ChannelConfig)>, StoreError>;

    /// Creates or replaces one.
    async fn put_channel(&self, name: &str, config: &ChannelConfig) -> Result<Put, StoreError>;

    /// Removes one; `false`: there was none.
    async fn remove_channel(&self, name: &str) -> Result<bool, StoreError>;
}
