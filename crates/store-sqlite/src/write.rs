//! Write transactions on the one connection that writes.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use orrery_kernel::StoreError;
use sqlx::SqliteConnection;
use sqlx::migrate::{MigrateError, Migrator};
use tokio::sync::OwnedMutexGuard;

use crate::call::{Call, Fields};
use crate::db::Sqlite;
use crate::location::Location;
use crate::open;
use crate::options::Fault;
use crate::sql::control;

/// The writing connection, held by one task.
pub(crate) struct Writer {
    slot: OwnedMutexGuard<Option<SqliteConnection>>,
}

impl Writer {
    pub(crate) fn get(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.slot.as_mut().ok_or_else(lost)
    }
}

fn lost() -> StoreError {
    StoreError::Unavailable("the writing connection was lost".into())
}

/// An open write transaction.
pub(crate) struct Tx {
    conn: SqliteConnection,
    fault: Option<Fault>,
    keep: bool,
}

impl Tx {
    /// Runs a statement; gives how many rows it changed.
    pub(crate) async fn execute(&mut self, call: Call) -> Result<u64, StoreError> {
        call.execute(&mut self.conn, self.fault.as_ref()).await
    }

    /// Runs a statement; gives its only row, if there is one.
    pub(crate) async fn optional(&mut self, call: Call) -> Result<Option<Fields>, StoreError> {
        call.optional(&mut self.conn, self.fault.as_ref()).await
    }

    /// Runs a statement; gives its only row.
    pub(crate) async fn one(&mut self, call: Call) -> Result<Fields, StoreError> {
        call.one(&mut self.conn, self.fault.as_ref()).await
    }

    /// Runs a statement; gives all rows.
    pub(crate) async fn all(&mut self, call: Call) -> Result<Vec<Fields>, StoreError> {
        call.all(&mut self.conn, self.fault.as_ref()).await
    }

    /// There is nothing to keep: end without a commit.
    pub(crate) fn nothing_to_keep(&mut self) {
        self.keep = false;
    }

    /// Rolls back. `false`: the connection is in an unknown state.
    async fn undo(&mut self) -> bool {
        match sqlx::query(control::ROLLBACK.text).execute(&mut self.conn).await {
            Ok(_) => true,
            // SQLite itself rolls back after some errors, such as a full disk
            Err(e) => e.as_database_error().is_some_and(|e| e.message().contains("no transaction is active")),
        }
    }

    /// Runs the migrator in this transaction.
    pub(crate) async fn migrate(&mut self, migrator: &Migrator) -> Result<(), MigrateError> {
        self.point("migrate").map_err(|e| MigrateError::Execute(sqlx::Error::Protocol(e)))?;
        migrator.run_direct(None, &mut self.conn, false).await
    }

    fn point(&self, name: &str) -> Result<(), String> {
        self.fault.as_ref().map_or(Ok(()), |fault| fault(name))
    }
}

impl Sqlite {
    /// Waits for the writing connection, opening another when the last was lost.
    pub(crate) async fn lock_writer(&self) -> Result<Writer, StoreError> {
        let inner = &self.inner;
        let locked = tokio::time::timeout(inner.options.wait, inner.writer.clone().lock_owned()).await;
        let mut slot = locked.map_err(|_| StoreError::Unavailable("the writing connection is busy".into()))?;
        if slot.is_none() {
            let closed = inner.readers.as_ref().is_some_and(sqlx::Pool::is_closed);
            if closed || inner.location == Location::Memory {
                return Err(lost());
            }
            let conn = open::writer(&inner.location, &inner.options).await;
            *slot = Some(conn.map_err(|e| StoreError::Unavailable(e.to_string()))?);
        }
        Ok(Writer { slot })
    }

    /// Runs `work` in a write transaction and commits it. An error of `work` rolls back; an error of
    /// the commit itself is [`StoreError::Unknown`].
    ///
    /// Waiting for the connection ends with the caller; from then on everything runs in a task of its
    /// own, so that a caller who goes away leaves no transaction open.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
    {
        let mut writer = self.lock_writer().await?;
        let fault = self.inner.options.fault.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "one at a time, by the lock it holds; ends with its transaction, which the caller awaits"
        )]
        let task = tokio::spawn(async move {
            // out of the slot for the while: whatever ends this task early also closes the connection, which rolls back
            let conn = writer.slot.take().ok_or_else(lost)?;
            let (conn, result) = transact(Tx { conn, fault, keep: true }, work).await;
            *writer.slot = conn;
            drop(writer);
            result
        });
        let result = task.await.unwrap_or_else(|e| Err(StoreError::Unknown(format!("write: {e}"))));
        if result.is_ok() {
            self.committed();
        }
        result
    }

    /// Runs one statement, which is its own transaction, on the writing connection; as with [`Self::write`] it is
    /// done whatever becomes of the caller.
    pub(crate) async fn write_once(&self, call: Call) -> Result<(), StoreError> {
        let mut writer = self.lock_writer().await?;
        let fault = self.inner.options.fault.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "one at a time, by the lock it holds; ends with its statement, which the caller awaits"
        )]
        let task = tokio::spawn(async move { call.execute(writer.get()?, fault.as_ref()).await });
        let result = task.await.unwrap_or_else(|e| Err(StoreError::Unknown(format!("write: {e}"))));
        if result.is_ok() {
            self.committed();
        }
        result.map(drop)
    }
}

async fn transact<T, F>(mut tx: Tx, work: F) -> (Option<SqliteConnection>, Result<T, StoreError>)
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>>,
{
    let result = match tx.execute(control::BEGIN.call()).await {
        Ok(_) => AssertUnwindSafe(work(&mut tx))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("a write panicked; it was rolled back".into()))),
        Err(e) => Err(e),
    };
    let result = match result {
        Ok(value) if tx.keep => match commit(&mut tx).await {
            Ok(()) => return (Some(tx.conn), Ok(value)),
            Err(e) => Err(e),
        },
        other => other,
    };
    let usable = tx.undo().await;
    if !usable {
        tracing::error!("a rollback failed; the writing connection is opened anew");
    }
    (usable.then_some(tx.conn), result)
}

async fn commit(tx: &mut Tx) -> Result<(), StoreError> {
    // the hook is asked inside, by the statement's name
    tx.execute(control::COMMIT.call()).await.map_err(|e| StoreError::Unknown(e.to_string()))?;
    tx.point("committed").map_err(StoreError::Unknown)
}
