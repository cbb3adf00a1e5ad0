//! Channels that administrators configure.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use orrery_kernel::{Error, ErrorCode, Result};
use orrery_realtime::{ChannelConfig, Put, check_name};

use super::{Channel, Hub, Notice, Severity, unavailable};

impl Hub {
    /// Reads the configured channels, at the start and after another process changed them.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn reload(&self) -> Result<()> {
        let stored = self.ports.channels.channels().await.map_err(|e| unavailable(&e))?;
        let names: HashSet<&str> = stored.iter().map(|(name, _)| name.as_str()).collect();
        for channel in self.all_channels() {
            if channel.configured.load(Ordering::Relaxed) && !names.contains(&*channel.name) {
                self.unconfigure(&channel);
            }
        }
        for (name, config) in &stored {
            let channel = self.add(name, config.clone(), true)?;
            channel.config.store(Arc::new(config.clone()));
            channel.configured.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(super) fn unconfigure(&self, channel: &Arc<Channel>) {
        channel.configured.store(false, Ordering::Relaxed);
        channel.config.store(Arc::new(ChannelConfig::default()));
    }

    /// Creates a channel or changes its configuration; lower bounds do not send anybody away.
    ///
    /// # Errors
    /// `Invalid` names the field; `Conflict` when there are too many.
    pub async fn configure(&self, name: &str, config: ChannelConfig) -> Result<Put> {
        check_name(name).map_err(|e| Error::invalid("name", e.to_string()))?;
        if self.is_reserved(name) {
            return Err(Error::invalid("name", "name belongs to the server's own channels"));
        }
        config.check().map_err(|e| Error::invalid(e.field, e.to_string()))?;
        let put = self.ports.channels.put_channel(name, &config).await.map_err(|e| unavailable(&e))?;
        if put == Put::Full {
            return Err(Error::new(ErrorCode::Conflict, "There are too many channels"));
        }
        let channel = self.add(name, config.clone(), true)?;
        channel.config.store(Arc::new(config));
        channel.configured.store(true, Ordering::Relaxed);
        Ok(put)
    }

    /// Removes a channel's configuration and history; who is in it is let out.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn remove(&self, name: &str) -> Result<()> {
        if !self.ports.channels.remove_channel(name).await.map_err(|e| unavailable(&e))? {
            return Err(Error::new(ErrorCode::NotFound, "Channel not found"));
        }
        if let Some(channel) = self.known(name) {
            let now = self.now();
            for conn in channel.subscribers() {
                channel.leave(&conn, now);
                conn.tell(&Notice::Operator { message: "The channel was removed", severity: Severity::Warning }, now);
            }
            self.unconfigure(&channel);
            channel.let_go();
        }
        self.ports.broker.forget(name).await.map_err(|e| unavailable(&e))
    }

    /// Configured channels and those in use, by name.
    pub fn list(&self) -> Vec<Arc<Channel>> {
        let mut all = self.all_channels();
        all.retain(|c| c.configured.load(Ordering::Relaxed) || c.connections() > 0);
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        all
    }
}
