//! The pace of one run's calls: a second's worth at once, then evenly.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Turns at a rate.
pub(super) struct Pace {
    /// When the next turn would be if there were no burst.
    next: Mutex<Instant>,
    every: Duration,
}

/// How far ahead turns may be taken.
const BURST: Duration = Duration::from_secs(1);

impl Pace {
    pub(super) fn new(per_second: u32) -> Self {
        Self { next: Mutex::new(Instant::now()), every: BURST / per_second.max(1) }
    }

    /// Waits for a turn. At most as many wait as the run may have calls.
    pub(super) async fn turn(&self) {
        let now = Instant::now();
        let at = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let at = (*next).max(now);
            *next = at + self.every;
            at
        };
        let early = at.saturating_duration_since(now);
        if early > BURST {
            tokio::time::sleep(early - BURST).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn beyond_a_seconds_worth_calls_wait() {
        let (pace, began) = (Pace::new(100), Instant::now());
        for _ in 0..100 {
            pace.turn().await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        for _ in 0..100 {
            pace.turn().await;
        }
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(900) && took <= Duration::from_millis(1_100), "{took:?}");
    }
}
