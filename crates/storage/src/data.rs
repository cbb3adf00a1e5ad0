//! Documents that users keep under names of their own.

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp, UserId};

/// Most characters of a key.
pub const KEY_CHARS_MAX: usize = 255;
/// Most bytes of a value's JSON.
pub const VALUE_BYTES_MAX: usize = 262_144;
/// Most documents of an owner.
pub const DOCUMENTS_MAX: u64 = 10_000;
/// Most bytes of an owner's keys and values together.
pub const BYTES_MAX: u64 = 16 * 1_024 * 1_024;

/// The text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing at all.
    #[error("Key is required")]
    Empty,
    /// Beyond [`KEY_CHARS_MAX`].
    #[error("Key must be at most 255 characters long")]
    Long,
    /// What no address can name.
    #[error("Key must not contain control characters")]
    Control,
}

/// Is it a good key?
///
/// # Errors
/// What is wrong with it.
pub fn check_key(key: &str) -> Result<(), KeyError> {
    if key.trim().is_empty() {
        return Err(KeyError::Empty);
    }
    if key.chars().count() > KEY_CHARS_MAX {
        return Err(KeyError::Long);
    }
    if key.chars().any(char::is_control) { Err(KeyError::Control) } else { Ok(()) }
}

/// Result of keeping a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is on the disk.
    Done,
    /// The owner has [`DOCUMENTS_MAX`] or [`BYTES_MAX`] already; nothing changed.
    Full,
}

/// Keeps documents by owner and key. Passes the contract suite in `orrery-testkit`.
///
/// A write is whole or not there, also after a crash, and answered only when it is durable. Writers at the same time
/// each get their turn.
#[async_trait]
pub trait DataStore: Send + Sync {
    /// Keeps `value`, which is JSON, under `key`, in place of what was there.
    async fn put_document(&self, owner: UserId, key: &str, value: &str, at: Timestamp) -> Result<Kept, StoreError>;
    /// The document under `key`.
    async fn document(&self, owner: UserId, key: &str) -> Result<Option<String>, StoreError>;
    /// All of an owner's, by key; bounded by what an owner may keep.
    async fn documents(&self, owner: UserId) -> Result<Vec<(String, String)>, StoreError>;
    /// Drops one. `false`: there is none.
    async fn remove_document(&self, owner: UserId, key: &str) -> Result<bool, StoreError>;
    /// Drops all of an owner's; gives how many.
    async fn forget_documents(&self, owner: UserId) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for good in ["a", "user_preferences", "a/b", "ключ", "a b", "<b>", &"é".repeat(KEY_CHARS_MAX)] {
            assert_eq!(check_key(good), Ok(()), "{good}");
        }
        assert_eq!(check_key(""), Err(KeyError::Empty));
        assert_eq!(check_key("  "), Err(KeyError::Empty));
        assert_eq!(check_key("a\0b"), Err(KeyError::Control));
        assert_eq!(check_key(&"a".repeat(KEY_CHARS_MAX + 1)), Err(KeyError::Long));
    }
}
