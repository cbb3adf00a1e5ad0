//! The one real clock and the one real source of randomness.

use orrery_kernel::{Clock, Entropy, Timestamp};
use rand::Rng;

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the real clock")]
        let now = std::time::SystemTime::now();
        // a clock before 1970 counts as 1970; `doctor` says so
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A generator seeded, and reseeded, by the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) {
        #[expect(clippy::disallowed_methods, reason = "this is the real source")]
        rand::rng().fill_bytes(out);
    }
}
