//! Between rows and configured channels.

use std::time::Duration;

use orrery_kernel::StoreError;
use orrery_realtime::{ChannelConfig, Mode};

use crate::{Columns, corrupt};

/// A channel's name and configuration, of nine columns.
pub fn channel(row: &dyn Columns) -> Result<(String, ChannelConfig), StoreError> {
    let name: &str = row.get(0)?;
    let number = |i: usize, what: &'static str| {
        let n: i64 = row.get(i)?;
        u32::try_from(n).map_err(|_| corrupt(what, n))
    };
    let mode: &str = row.get(6)?;
    let config = ChannelConfig {
        max_connections: number(1, "channels.max_connections")?,
        message_rate_limit: number(2, "channels.message_rate_limit")?,
        require_auth: number(3, "channels.require_auth")? == 1,
        history_size: number(4, "channels.history_size")?,
        history_ttl: Duration::from_secs(u64::from(number(5, "channels.history_ttl_s")?)),
        mode: Mode::parse(mode).ok_or_else(|| corrupt("channels.mode", mode))?,
        conflate: Duration::from_millis(u64::from(number(7, "channels.conflate_ms")?)),
        presence: number(8, "channels.presence")? == 1,
    };
    Ok((name.to_owned(), config))
}

/// The columns of numbers after the name, and the mode: `max_connections`, `message_rate_limit`,
/// `require_auth`, `history_size`, `history_ttl_s`; then `conflate_ms` and `presence`.
pub fn numbers(config: &ChannelConfig) -> ([i64; 5], &'static str, [i64; 2]) {
    let whole = |n: u128| i64::try_from(n).unwrap_or(i64::MAX);
    (
        [
            i64::from(config.max_connections),
            i64::from(config.message_rate_limit),
            i64::from(config.require_auth),
            i64::from(config.history_size),
            whole(u128::from(config.history_ttl.as_secs())),
        ],
        config.mode.name(),
        [whole(config.conflate.as_millis()), i64::from(config.presence)],
    )
}
