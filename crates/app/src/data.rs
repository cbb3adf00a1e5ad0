//! Documents of users.

use std::sync::Arc;

use orrery_identity::{Action, Caller};
use orrery_kernel::{Error, ErrorCode, Result};
use orrery_storage::data::{DataStore, Kept, VALUE_BYTES_MAX, check_key};

use crate::Ctx;

/// Keeps documents for their owners.
pub struct Data {
    store: Arc<dyn DataStore>,
}

fn not_found() -> Error {
    Error::new(ErrorCode::NotFound, "Key not found")
}

impl Data {
    pub(crate) fn new(store: Arc<dyn DataStore>) -> Self {
        Self { store }
    }

    /// Does the store answer?
    pub async fn works(&self) -> bool {
        self.store.document(Caller::LOCAL, "").await.is_ok()
    }

    /// Keeps `value`, which is JSON, under `key`.
    ///
    /// # Errors
    /// `Invalid` for a bad key, `TooLarge` for too much.
    pub async fn put(&self, ctx: &Ctx, key: &str, value: &str) -> Result<()> {
        let owner = ctx.authorize(Action::Store)?.user;
        check_key(key).map_err(|e| Error::invalid("key", e.to_string()))?;
        if value.len() > VALUE_BYTES_MAX {
            let text = format!("Value must be at most {VALUE_BYTES_MAX} bytes long");
            return Err(Error { field: Some("value"), ..Error::new(ErrorCode::TooLarge, text) });
        }
        match self.store.put_document(owner, key, value, ctx.now).await? {
            Kept::Done => Ok(()),
            Kept::Full => Err(Error::new(ErrorCode::TooLarge, "There is no room for more data; delete some first")),
        }
    }

    /// The JSON under `key`.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, ctx: &Ctx, key: &str) -> Result<String> {
        let owner = ctx.authorize(Action::ReadOwn)?.user;
        if check_key(key).is_err() {
            return Err(not_found());
        }
        self.store.document(owner, key).await?.ok_or_else(not_found)
    }

    /// Everything of the caller's, by key.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn all(&self, ctx: &Ctx) -> Result<Vec<(String, String)>> {
        let owner = ctx.authorize(Action::ReadOwn)?.user;
        Ok(self.store.documents(owner).await?)
    }

    /// Drops what is under `key`.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn remove(&self, ctx: &Ctx, key: &str) -> Result<()> {
        let owner = ctx.authorize(Action::Store)?.user;
        let removed = check_key(key).is_ok() && self.store.remove_document(owner, key).await?;
        if removed { Ok(()) } else { Err(not_found()) }
    }
}
