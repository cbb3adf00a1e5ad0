//! Configured channels in process.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use orrery_kernel::StoreError;
use orrery_realtime::{CHANNELS_MAX, ChannelConfig, ChannelStore, Put};

/// Configured channels, lost with the process.
#[derive(Debug, Default)]
pub struct MemoryChannels(Mutex<BTreeMap<String, ChannelConfig>>);

#[async_trait]
impl ChannelStore for MemoryChannels {
    async fn channels(&self) -> Result<Vec<(String, ChannelConfig)>, StoreError> {
        let channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(channels.iter().map(|(name, config)| (name.clone(), config.clone())).collect())
    }

    async fn put_channel(&self, name: &str, config: &ChannelConfig) -> Result<Put, StoreError> {
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !channels.contains_key(name) && channels.len() >= CHANNELS_MAX as usize {
            return Ok(Put::Full);
        }
        Ok(match channels.insert(name.to_owned(), config.clone()) {
            None => Put::Created,
            Some(_) => Put::Updated,
        })
    }

    async fn remove_channel(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name).is_some())
    }
}
