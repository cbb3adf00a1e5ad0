//! Time and randomness that tests control.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use orrery_kernel::{Clock, Entropy, Timestamp};
use rand::{Rng, SeedableRng};

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.micros()))
    }

    /// Moves on by `by`.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).expect("a sane step"), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Entropy that repeats itself for a seed.
pub struct SeededEntropy(Mutex<rand::rngs::StdRng>);

impl SeededEntropy {
    /// The stream of that seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(rand::rngs::StdRng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, out: &mut [u8]) {
        self.0.lock().expect("not poisoned").fill_bytes(out);
    }
}

/// Master keys that everybody knows.
pub fn keyring() -> std::sync::Arc<orrery_crypto::seal::Keyring> {
    let key = zeroize::Zeroizing::new([7; orrery_crypto::seal::MASTER_KEY_BYTES]);
    std::sync::Arc::new(orrery_crypto::seal::Keyring::new([(1, key)]).expect("one key"))
}
