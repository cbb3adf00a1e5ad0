//! Rate windows in process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orrery_identity::RateStore;
use orrery_identity::rate::{Policy, State, Verdict, peek, take};
use orrery_kernel::{StoreError, Timestamp};

/// Most keys remembered; beyond that the half that was idle longest is forgotten.
const KEYS_MAX: usize = 100_000;

/// Windows of up to 100,000 keys.
#[derive(Debug, Default)]
pub struct MemoryRates {
    windows: Mutex<HashMap<String, State>>,
}

impl MemoryRates {
    fn windows(&self) -> MutexGuard<'_, HashMap<String, State>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops the half of the keys that was idle longest: linear, but once in 50,000 new keys.
fn forget_half(windows: &mut HashMap<String, State>) {
    let mut last: Vec<_> = windows.values().map(|s| s.last.max(s.window_start)).collect();
    let middle = last.len() / 2;
    let (_, median, _) = last.select_nth_unstable(middle);
    let median = *median;
    windows.retain(|_, s| s.last.max(s.window_start) > median);
}

#[async_trait]
impl RateStore for MemoryRates {
    async fn take(&self, key: &str, policy: &Policy, now: Timestamp) -> Result<Verdict, StoreError> {
        let mut windows = self.windows();
        if let Some(state) = windows.get_mut(key) {
            let (next, verdict) = take(*state, policy, now);
            *state = next;
            return Ok(verdict);
        }
        if windows.len() >= KEYS_MAX {
            forget_half(&mut windows);
        }
        let (state, verdict) = take(State::default(), policy, now);
        windows.insert(key.to_owned(), state);
        Ok(verdict)
    }

    async fn peek(&self, key: &str, policy: &Policy, now: Timestamp) -> Result<Verdict, StoreError> {
        Ok(peek(self.windows().get(key).copied().unwrap_or_default(), policy, now))
    }

    async fn clear(&self, key: &str) -> Result<(), StoreError> {
        self.windows().remove(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn memory_is_bounded_and_busy_keys_stay() {
        let (store, policy) = (MemoryRates::default(), Policy::refuse(2, Duration::from_secs(60)));
        for i in 0..150_000_i64 {
            let now = Timestamp::from_millis(1_000_000 + i);
            store.take(&i.to_string(), &policy, now).await.unwrap();
            if i % 1_000 == 0 {
                store.take("busy", &policy, now).await.unwrap();
            }
        }
        assert!(store.windows().len() <= KEYS_MAX);
        assert!(!store.peek("busy", &policy, Timestamp::from_millis(1_150_000)).await.unwrap().allowed);
    }
}
