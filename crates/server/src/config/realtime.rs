//! `[realtime]`: channels and their limits.

use std::time::Duration;

use super::check::Reader;

/// `[realtime]`.
#[derive(Clone, Debug)]
pub struct Realtime {
    /// Begins with a slash.
    pub path: String,
    /// At a time.
    pub connections_per_user: u32,
    /// At a time, without a user.
    pub anonymous_per_address: u32,
    /// A user in the window.
    pub messages: u32,
    /// The window.
    pub window: Duration,
    /// All users of this process.
    pub messages_per_second: u32,
    /// Largest message.
    pub message_bytes_max: usize,
    /// Channels that nobody configured.
    pub open_channels: bool,
}

/// Reads them, reporting what is wrong.
pub(super) fn read(r: &mut Reader<'_>) -> Realtime {
    Realtime {
        path: r.checked("realtime.path", |path| {
            let good = |c: char| c.is_ascii_alphanumeric() || "/_-.".contains(c);
            let whole = path.len() > 1 && path.starts_with('/') && !path.ends_with('/') && path.chars().all(good);
            let own = ["/api", "/metrics", "/health", "/socket.io"]
                .iter()
                .any(|taken| path.strip_prefix(taken).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
            match (whole, own) {
                (true, false) => Ok(()),
                (false, _) => Err("must be a path like /ws".to_owned()),
                (_, true) => Err("belongs to something else".to_owned()),
            }
        }),
        connections_per_user: r.whole("realtime.connections_per_user", "", 1..=50_000),
        anonymous_per_address: r.whole("realtime.anonymous_per_address", "", 1..=1_000_000),
        messages: r.whole("realtime.messages", "", 1..=1_000_000_000),
        window: r.seconds("realtime.window_s", 1..=86_400),
        messages_per_second: r.whole("realtime.messages_per_second", "", 1..=10_000_000),
        message_bytes_max: r.whole("realtime.message_bytes_max", "bytes", 1_024..=16_777_216),
        open_channels: r.flag("realtime.open_channels"),
    }
}
