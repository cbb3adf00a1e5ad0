//! A clock that agrees with an exchange's, by which requests are signed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use orrery_kernel::{Clock, Timestamp};
use orrery_venues::{Exchange, Fields, VenueError};

/// How often the exchange is asked at a time.
const SAMPLES: usize = 5;

/// The machine's clock, less its difference from the exchange's.
pub struct VenueClock {
    machine: Arc<dyn Clock>,
    /// Milliseconds that the exchange is ahead.
    ahead: AtomicI64,
}

impl VenueClock {
    /// Agrees with the machine until it is synchronised.
    pub fn new(machine: Arc<dyn Clock>) -> Self {
        Self { machine, ahead: AtomicI64::new(0) }
    }

    /// Milliseconds that the exchange is ahead of the machine.
    pub fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }

    /// Asks the exchange five times what time it is, takes half of each way off, and keeps the middle difference: a
    /// slow answer tells little. Exchanges without `fetchTime` leave the clock as it is.
    ///
    /// Errors: those of the way there, if no answer came at all.
    pub async fn synchronise(&self, exchange: &Exchange) -> Result<(), VenueError> {
        let mut differences = Vec::with_capacity(SAMPLES);
        let mut failed = None;
        for _ in 0..SAMPLES {
            let asked = self.machine.now();
            match exchange.fetch_time(Fields::new()).await {
                Ok(there) => {
                    let way = self.machine.now().since(asked) / 2;
                    differences.push(there - asked.plus(way).millis());
                }
                Err(error) if error.class() == orrery_venues::ErrorClass::NotSupported => return Ok(()),
                Err(error) => failed = Some(error),
            }
        }
        differences.sort_unstable();
        match (differences.get(differences.len() / 2), failed) {
            (Some(middle), _) => {
                self.ahead.store(*middle, Ordering::Relaxed);
                Ok(())
            }
            (None, Some(error)) => Err(error),
            (None, None) => Ok(()),
        }
    }
}

impl Clock for VenueClock {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead();
        let now = self.machine.now();
        match u64::try_from(ahead) {
            Ok(ahead) => now.plus(Duration::from_millis(ahead)),
            Err(_) => Timestamp::from_millis(now.millis().saturating_add(ahead)),
        }
    }
}
