//! The port of configured channels.

use async_trait::async_trait;
use orrery_kernel::StoreError;
use orrery_realtime::{CHANNELS_MAX, ChannelConfig, ChannelStore, Put};
use orrery_store_rows::channels::{channel, numbers};

use crate::db::Postgres;
use crate::sql::channels as sql;
use crate::write::Lock;

#[async_trait]
impl ChannelStore for Postgres {
    async fn channels(&self) -> Result<Vec<(String, ChannelConfig)>, StoreError> {
        self.all(sql::CHANNELS.call()).await?.iter().map(|row| channel(row)).collect()
    }

    async fn put_channel(&self, name: &str, config: &ChannelConfig) -> Result<Put, StoreError> {
        let name = name.to_owned();
        let ([connections, rate, auth, size, ttl], mode, [conflate, presence]) = numbers(config);
        self.write(Lock::Channels, move |tx| {
            Box::pin(async move {
                let row = tx.one(sql::COUNT_CHANNELS.call().bind(name.clone())).await?;
                let (all, same) = (row.columns().count(0)?, row.columns().count(1)?);
                if same == 0 && all >= u64::from(CHANNELS_MAX) {
                    tx.nothing_to_keep();
                    return Ok(Put::Full);
                }
                let put =
                    sql::PUT_CHANNEL.call().bind(name).bind(connections).bind(rate).bind(auth).bind(size).bind(ttl);
                tx.execute(put.bind(mode).bind(conflate).bind(presence)).await?;
                Ok(if same == 0 { Put::Created } else { Put::Updated })
            })
        })
        .await
    }

    async fn remove_channel(&self, name: &str) -> Result<bool, StoreError> {
        let remove = sql::REMOVE_CHANNEL.call().bind(name.to_owned());
        self.write(Lock::Channels, |tx| Box::pin(async move { Ok(tx.execute(remove).await? == 1) })).await
    }
}
