//! Channels: names and configuration.

use std::time::Duration;

/// Most bytes of a channel's name.
const NAME_BYTES_MAX: usize = 200;

/// The text is no channel's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a channel's name has 1 to 200 of the characters A-Z a-z 0-9 _ . : / @ -")]
pub struct BadName;

/// Letters, digits and `_ . : / @ -`, at most 200: no spaces, no control characters, nothing that a URL's
/// path or a log would have to escape but `/`.
///
/// # Errors
/// It is none.
pub fn check_name(name: &str) -> Result<(), BadName> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"_.:/@-".contains(&b);
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(good) { Ok(()) } else { Err(BadName) }
}

/// What a channel keeps for those who come late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Every message, in order.
    #[default]
    Stream,
    /// The newest message of each key.
    Latest,
}

impl Mode {
    /// The name in requests and stores.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Latest => "latest",
        }
    }

    /// The mode of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Stream, Self::Latest].into_iter().find(|m| m.name() == name)
    }
}

/// A channel's configuration (Aether document, "Channel Management"; the last five are ours).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelConfig {
    /// Connections at a time; 0: no bound of its own.
    pub max_connections: u32,
    /// Messages of one user in a rate window (`RATE_LIMIT_WINDOW_S`).
    pub message_rate_limit: u32,
    /// Only for those who proved who they are.
    pub require_auth: bool,
    /// Messages kept (stream) or keys kept (latest).
    pub history_size: u32,
    /// How long after the last message they are kept.
    pub history_ttl: Duration,
    /// What is kept.
    pub mode: Mode,
    /// Newest-wins messages of a key are told at most once in this time; zero: at once.
    pub conflate: Duration,
    /// Tell subscribers who comes and goes.
    pub presence: bool,
}

impl Default for ChannelConfig {
    fn default() -> Self {
        Self {
            max_connections: 1_000,
            message_rate_limit: 100,
            require_auth: true,
            history_size: 100,
            history_ttl: Duration::from_secs(3_600),
            mode: Mode::Stream,
            conflate: Duration::ZERO,
            presence: false,
        }
    }
}

/// A field out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be {range}")]
pub struct ConfigError {
    /// Which.
    pub field: &'static str,
    /// What is allowed.
    pub range: &'static str,
}

impl ChannelConfig {
    /// Checks every bound.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<(), ConfigError> {
        let fault = |field, range| Err(ConfigError { field, range });
        if self.max_connections > 1_000_000 {
            return fault("max_connections", "0 to 1000000");
        }
        if !(1..=1_000_000).contains(&self.message_rate_limit) {
            return fault("message_rate_limit", "1 to 1000000");
        }
        if self.history_size > 10_000 {
            return fault("history_size", "0 to 10000");
        }
        if !(1..=604_800).contains(&self.history_ttl.as_secs()) {
            return fault("history_ttl_s", "1 to 604800");
        }
        if self.conflate > Duration::from_secs(10) {
            return fault("conflate_ms", "0 to 10000");
        }
        if !self.conflate.is_zero() && self.mode == Mode::Stream {
            return fault("conflate_ms", "0 unless mode is latest");
        }
        Ok(())
    }
}
