//! Moving what was committed from the write-ahead log into the database file, beside the writes.
//!
//! SQLite would do it inside the commit that fills the log, and everybody in that commit would wait. Here
//! a connection of its own does it while writing goes on. SQLite's own limit stays as the last resort: it
//! is a multiple of [`RESTART`].

use std::sync::atomic::Ordering;

use orrery_kernel::StoreError;
use sqlx::SqliteConnection;

use crate::db::Sqlite;
use crate::error::failed;
use crate::location::Location;
use crate::open;
use crate::sql::control;

/// Commits between two looks at the log.
const EVERY: u64 = 16;

/// Pages in the log (4 KiB each) from which writing is held up for the few that the last look left over:
/// the next write then starts at the log's beginning. Moved beside the writes alone it would never be empty.
const RESTART: i64 = 4_000;

impl Sqlite {
    /// Notes a commit; now and then starts a checkpoint, of which there is at most one.
    pub(crate) fn committed(&self) {
        let inner = &self.inner;
        let n = inner.checkpointer.commits.fetch_add(1, Ordering::Relaxed) + 1;
        if inner.location == Location::Memory || !n.is_multiple_of(EVERY) || inner.checkpointer.conn.try_lock().is_err()
        {
            return;
        }
        let db = self.clone();
        #[expect(clippy::disallowed_methods, reason = "one at a time, by the lock it takes; ends with its checkpoint")]
        tokio::spawn(async move {
            let Ok(mut slot) = db.inner.checkpointer.conn.try_lock() else { return };
            match db.checkpoint(slot.take()).await {
                Ok(conn) => *slot = Some(conn),
                Err(error) => tracing::debug!(%error, "a checkpoint was put off"),
            }
        });
    }

    async fn checkpoint(&self, conn: Option<SqliteConnection>) -> Result<SqliteConnection, StoreError> {
        let mut conn = match conn {
            Some(conn) => conn,
            None => open::checkpointer(&self.inner.location, &self.inner.options)
                .await
                .map_err(|e| failed("checkpointer", &e))?,
        };
        let row = control::CHECKPOINT.call().one(&mut conn, None).await?;
        if row.get::<i64>(1)? > RESTART {
            control::CHECKPOINT.call().one(self.lock_writer().await?.get()?, None).await?;
        }
        Ok(conn)
    }
}
