//! Requests within an exchange's rate, for everybody in the process who asks it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use orrery_venues::Rate;
use tokio::time::Instant;

/// Longest a request waits for its turn.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Most of a window that can be saved up: the exchange counts requests when they arrive, not when they are sent.
const SAVED_SHARE: f64 = 0.25;
/// Least that can be saved up where the exchange names no window.
const SAVED_MIN: Duration = Duration::from_secs(1);

/// There are too many requests waiting for the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("requests to the exchange would have to wait {} seconds for their turn", .0.as_secs())]
pub struct TooBusy(pub Duration);

/// Gives out turns. A turn is a share of time; what was not used is saved up to a quarter of the exchange's window.
#[derive(Debug)]
pub struct Throttle {
    pause: Duration,
    saved: Duration,
    /// When everything that was given out is used up.
    until: Mutex<Option<Instant>>,
}

impl Throttle {
    /// By what the exchange says of its rate.
    pub fn new(rate: Rate) -> Self {
        Self { pause: rate.pause, saved: rate.window.mul_f64(SAVED_SHARE).max(SAVED_MIN), until: Mutex::default() }
    }

    /// How long to wait for a request of this cost; the turn is taken.
    ///
    /// Errors: [`TooBusy`] for more than 30 seconds; no turn is taken then.
    pub fn take(&self, cost: f64, now: Instant) -> Result<Duration, TooBusy> {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        // time before this was not used, and is lost
        let floor = now.checked_sub(self.saved).unwrap_or(now);
        let from = until.map_or(floor, |until| until.max(floor));
        let wait = from.saturating_duration_since(now);
        if wait > WAIT_MAX {
            return Err(TooBusy(wait));
        }
        *until = Some(from + self.pause.mul_f64(cost.max(0.0)));
        Ok(wait)
    }

    /// The exchange wants to be left alone for so long.
    pub fn hold(&self, pause: Duration, now: Instant) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = Some(until.map_or(now + pause, |until| until.max(now + pause)));
    }

    /// How far the turns that were given out reach into the future.
    pub fn backlog(&self, now: Instant) -> Duration {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle() -> Throttle {
        Throttle::new(Rate { pause: Duration::from_millis(100), window: Duration::from_secs(4) })
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_a_share_of_time() {
        let (throttle, now) = (throttle(), Instant::now());
        // a second was saved up: ten requests of cost 1
        for _ in 0..10 {
            assert_eq!(throttle.take(1.0, now), Ok(Duration::ZERO));
        }
        assert_eq!(throttle.take(5.0, now), Ok(Duration::ZERO));
        assert_eq!(throttle.take(1.0, now), Ok(Duration::from_millis(500)));
        assert_eq!(throttle.backlog(now), Duration::from_millis(600));
        let later = now + Duration::from_secs(60);
        assert_eq!(throttle.take(1.0, later), Ok(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_too_long_is_told() {
        let (throttle, now) = (throttle(), Instant::now());
        throttle.hold(Duration::from_secs(31), now);
        assert_eq!(throttle.take(1.0, now), Err(TooBusy(Duration::from_secs(31))));
        assert_eq!(throttle.take(1.0, now + Duration::from_secs(2)), Ok(Duration::from_secs(29)));
    }
}
