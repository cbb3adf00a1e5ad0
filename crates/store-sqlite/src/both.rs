//! What the files that both databases share (`store-rows/ports`) use of this one.

use futures_util::future::BoxFuture;
use orrery_kernel::StoreError;
use orrery_store_rows::Columns;
use orrery_store_rows::fleet::Turn;

use crate::call::Call;
pub(crate) use crate::call::Fields;
pub(crate) use crate::db::Sqlite as Db;
pub(crate) use crate::write::Tx;

impl Db {
    /// Runs `work` in a transaction. All writes take turns here.
    pub(crate) async fn alter<T, F>(&self, _turn: Turn, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
    {
        self.write(work).await
    }

    /// Runs a single statement, which is its own transaction. For what may be done twice: an error does not say
    /// whether it was done.
    pub(crate) async fn once(&self, call: Call) -> Result<(), StoreError> {
        self.write_once(call).await
    }
}

impl Fields {
    /// The columns, as rows of both databases are read.
    pub(crate) fn columns(&self) -> &dyn Columns {
        self
    }
}
