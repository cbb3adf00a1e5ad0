//! Transactions, each under an advisory lock that names what they change.

use futures_util::future::BoxFuture;
use orrery_kernel::StoreError;
use orrery_storage::Lease;
use sqlx::postgres::PgPool;
use sqlx::{Connection, Postgres as Pg, Transaction};

use crate::call::{Call, Fields};
use crate::db::Postgres;
use crate::error::{failed, text};
use crate::options::Fault;
use crate::sql::{control, leases};

/// What a transaction has for itself until it ends; processes of one database exclude each other.
#[derive(Clone, Copy)]
pub(crate) enum Lock {
    /// The journal.
    Ledger,
    /// A user's sessions, keys and plans.
    User(i64),
    /// The audit log's end.
    Audit,
    /// Who is an administrator.
    Admins,
    /// Charts, sentiment and settings.
    Market,
    /// The leases.
    Leases,
    /// Configured channels.
    Channels,
    /// Sessions of any wallet.
    Sessions,
    /// Orders and trades of the exchange `paper`.
    Paper,
    /// What belongs to a wallet, or to another name; see [`Lock::wallet`].
    Wallet(i32),
}

impl Lock {
    /// The lock of what belongs to a wallet. Wallets that share a number wait for each other, and no more.
    pub(crate) fn wallet(name: &str) -> Self {
        // FNV-1a
        let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193));
        Self::Wallet(i32::try_from(hash >> 2).unwrap_or(0))
    }

    /// Two numbers of PostgreSQL's space of locks: ours, and which. `ORRY` in front.
    fn key(self) -> (i32, i32) {
        const OURS: i32 = 0x4f52_5200;
        match self {
            Self::Ledger => (OURS + 1, 0),
            // users that share a number wait for each other, and no more
            Self::User(id) => (OURS + 2, i32::try_from(id.rem_euclid(1 << 30)).unwrap_or(0)),
            Self::Audit => (OURS + 3, 0),
            Self::Admins => (OURS + 4, 0),
            Self::Market => (OURS + 5, 0),
            Self::Leases => (OURS + 6, 0),
            Self::Channels => (OURS + 7, 0),
            Self::Sessions => (OURS + 8, 0),
            Self::Wallet(number) => (OURS + 9, number),
            Self::Paper => (OURS + 10, 0),
        }
    }
}

/// A transaction.
pub(crate) struct Tx {
    tx: Transaction<'static, Pg>,
    fault: Option<Fault>,
    keep: bool,
}

impl Tx {
    /// Nothing was changed: the transaction may be rolled back.
    pub(crate) fn nothing_to_keep(&mut self) {
        self.keep = false;
    }

    pub(crate) async fn execute(&mut self, call: Call) -> Result<u64, StoreError> {
        call.execute(&mut self.tx, self.fault.as_ref()).await
    }

    /// The same in a savepoint: a violation is an answer and does not end the transaction.
    pub(crate) async fn try_execute(&mut self, call: Call) -> Result<Result<u64, sqlx::Error>, StoreError> {
        let mut inner = self.tx.begin().await.map_err(|e| failed("savepoint", &e))?;
        match call.raw_execute(&mut inner, self.fault.as_ref()).await {
            Ok(done) => {
                inner.commit().await.map_err(|e| failed("savepoint", &e))?;
                Ok(Ok(done))
            }
            Err(e) => {
                inner.rollback().await.map_err(|e| failed("savepoint", &e))?;
                Ok(Err(e))
            }
        }
    }

    pub(crate) async fn optional(&mut self, call: Call) -> Result<Option<Fields>, StoreError> {
        call.optional(&mut self.tx, self.fault.as_ref()).await
    }

    pub(crate) async fn one(&mut self, call: Call) -> Result<Fields, StoreError> {
        call.one(&mut self.tx, self.fault.as_ref()).await
    }

    pub(crate) async fn all(&mut self, call: Call) -> Result<Vec<Fields>, StoreError> {
        call.all(&mut self.tx, self.fault.as_ref()).await
    }
}

/// The body of a transaction.
type Body<T> = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send>;

impl Postgres {
    /// Runs `body` in a transaction that has `lock`, and commits.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        lock: Lock,
        body: impl for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let pool = match lock {
            Lock::Ledger => &self.inner.writers,
            _ => &self.inner.pool,
        };
        let fence = match (&self.fence, lock) {
            (Some(fence), Lock::Market) => {
                Some(fence().ok_or_else(|| StoreError::Unavailable("this process does not have the lease".into()))?)
            }
            _ => None,
        };
        run(pool, self.inner.options.fault.clone(), lock, fence, Box::new(body)).await
    }
}

async fn run<T: Send>(
    pool: &PgPool,
    fault: Option<Fault>,
    lock: Lock,
    fence: Option<Lease>,
    body: Body<T>,
) -> Result<T, StoreError> {
    let tx = pool.begin().await.map_err(|e| failed("begin", &e))?;
    let mut tx = Tx { tx, fault, keep: true };
    let (ours, which) = lock.key();
    // a statement of its own: the next one must see what the one before us committed
    tx.one(control::LOCK.call().bind(ours).bind(which)).await?;
    if let Some(lease) = fence {
        let held = leases::HELD.call().bind(lease.key).bind(lease.holder).bind(lease.epoch);
        if tx.optional(held).await?.is_none() {
            return Err(StoreError::Unavailable("the lease is over or somebody else's".into()));
        }
    }
    let value = match body(&mut tx).await {
        Ok(value) => value,
        Err(e) => {
            if let Err(rollback) = tx.tx.rollback().await {
                tracing::debug!(error = %text(&rollback), "rollback failed; the connection is dropped");
            }
            return Err(e);
        }
    };
    if !tx.keep {
        tx.tx.rollback().await.map_err(|e| failed("rollback", &e))?;
        return Ok(value);
    }
    let Tx { tx, fault, .. } = tx;
    let committed = tx.commit().await;
    if let Some(fault) = fault {
        fault("commit").map_err(StoreError::Unknown)?;
    }
    match committed {
        Ok(()) => Ok(value),
        // the server said no: nothing was committed
        Err(sqlx::Error::Database(e)) => Err(StoreError::Unavailable(format!("commit: {}", e.message()))),
        // the answer was lost
        Err(e) => Err(StoreError::Unknown(format!("commit: {}", text(&e)))),
    }
}
