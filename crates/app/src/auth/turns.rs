//! One attempt at a time on one account.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// More than the hashes that ever run at a time; accounts that share a turn wait for each other.
const STRIPES: usize = 64;

/// Turns by name, in bounded memory.
pub(super) struct Turns {
    stripes: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        Self { stripes: (0..STRIPES).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }
}

impl Turns {
    /// Waits for the turn of `name`; those who wait are bounded by the hashing queue.
    pub(super) async fn of(&self, name: &str) -> MutexGuard<'_, ()> {
        let stripe = self.hasher.hash_one(name) % STRIPES as u64;
        // the index is below the number of stripes
        self.stripes[usize::try_from(stripe).unwrap_or(0)].lock().await
    }
}
