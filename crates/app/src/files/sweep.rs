//! Dropping what nobody asks for any more.

use std::sync::Arc;
use std::time::Duration;

use orrery_identity::IdentityStore;
use tokio_util::sync::CancellationToken;

use super::{Files, Leaving, disk};
use crate::programs::Programs;

/// Between two sweeps.
const PERIOD: Duration = Duration::from_secs(3_600);
/// Uploads that are dropped at a time.
const BATCH: u32 = 100;

impl Files {
    /// Drops uploads that are over, what users left, and bytes that belong to nothing: a crash leaves such between the
    /// disk and the database. Until `stopping`.
    pub(crate) async fn sweep(
        self: Arc<Self>,
        programs: Arc<Programs>,
        leaving: Leaving,
        users: Arc<dyn IdentityStore>,
        stopping: CancellationToken,
    ) {
        let mut tick = tokio::time::interval(PERIOD);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => {}
            }
            let left = leaving.sweep(users.as_ref()).await;
            for swept in [left, self.sweep_once().await, programs.sweep_once().await] {
                if let Err(error) = swept {
                    tracing::warn!(%error, cause = ?error.internal, "a sweep was not finished");
                }
            }
        }
    }

    /// One sweep.
    ///
    /// # Errors
    /// When the store or the disk does not answer.
    pub async fn sweep_once(&self) -> orrery_kernel::Result<()> {
        self.room.tidy().await;
        for upload in self.index.uploads_over(self.clock.now(), BATCH).await? {
            self.drop_upload(&upload.id).await?;
        }
        for blob in self.blobs.old().await.map_err(disk)? {
            if !self.index.uses(&blob).await? {
                self.blobs.remove(&blob).await.map_err(disk)?;
            }
        }
        Ok(())
    }
}
