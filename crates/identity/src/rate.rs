//! Pure window arithmetic for rate limits and for the delay after failed logins. The same
//! arithmetic runs in every store.

use std::time::Duration;

use orrery_kernel::Timestamp;

/// A bound on events in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Events allowed in a window.
    pub max: u32,
    /// Length of the window.
    pub window: Duration,
    /// What happens beyond `max`.
    pub beyond: Beyond,
}

/// What happens beyond the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// Refuse until enough of the window has passed.
    Refuse,
    /// Each further event doubles the wait, from `first` up to `most`.
    Delay {
        /// The first wait.
        first: Duration,
        /// The longest wait.
        most: Duration,
    },
}

/// What a store keeps under a key: the sliding-window counter (the current fixed window and its
/// predecessor, weighted by overlap) and the time of the last event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Start of the current fixed window.
    pub window_start: Timestamp,
    /// Events in it.
    pub current: u32,
    /// Events in the window before it.
    pub previous: u32,
    /// When the last allowed event came.
    pub last: Timestamp,
}

/// The answer to one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// May it pass?
    pub allowed: bool,
    /// The policy's `max`.
    pub limit: u32,
    /// Events left in the window.
    pub remaining: u32,
    /// When refused: how long to wait, at least 1 s. When allowed: until the window is whole again.
    pub retry_after: Duration,
}
