//! What the files that both databases share (`store-rows/ports`) use of this one.

use futures_util::future::BoxFuture;
use orrery_kernel::StoreError;
use orrery_store_rows::fleet::Turn;

use crate::call::Call;
pub(crate) use crate::call::Fields;
pub(crate) use crate::db::Postgres as Db;
use crate::write::Lock;
pub(crate) use crate::write::Tx;

impl Db {
    /// Runs `work` in a transaction that has its turn.
    pub(crate) async fn alter<T, F>(&self, turn: Turn, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
    {
        let lock = match &turn {
            Turn::Leases => Lock::WorkerLeases,
            Turn::Logs => Lock::Logs,
            Turn::Of(name) => Lock::wallet(name),
        };
        self.write(lock, work).await
    }

    /// Runs a single statement, which is its own transaction and has no turn. For what may be done twice: an error
    /// does not say whether it was done.
    pub(crate) async fn once(&self, call: Call) -> Result<(), StoreError> {
        self.execute(call).await
    }
}
