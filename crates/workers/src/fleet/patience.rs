//! How patient the engine is with a script that fails (document, "Worker Priority System").

use std::time::Duration;

use crate::Priority;

/// Errors in a row that stop a worker, and how long it waits after each.
///
/// Waits double from `first` to `most`, so that a worker that only fails stops within about a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// This many errors in a row stop it.
    pub errors_max: u32,
    /// After the first error; also between two passes of a loop.
    pub first: Duration,
    /// The longest wait.
    pub most: Duration,
}

impl Patience {
    /// The row of the documented table, with the longest wait that keeps to a minute.
    pub const fn of(priority: Priority) -> Self {
        let (errors_max, first, most) = match priority {
            Priority::Critical => (50, 1, 1_500),
            Priority::High => (20, 10, 5_000),
            Priority::Normal => (10, 100, 30_000),
            Priority::Low => (5, 1_000, 30_000),
        };
        Self { errors_max, first: Duration::from_millis(first), most: Duration::from_millis(most) }
    }

    /// How long to wait after the `n`th error in a row, counted from 1.
    pub fn wait(&self, n: u32) -> Duration {
        let doubled = 2_u32.checked_pow(n.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(doubled).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_a_budget_lasts_about_a_minute() {
        for (priority, errors, first) in [
            (Priority::Critical, 50, 1),
            (Priority::High, 20, 10),
            (Priority::Normal, 10, 100),
            (Priority::Low, 5, 1_000),
        ] {
            let patience = Patience::of(priority);
            assert_eq!((patience.errors_max, patience.wait(1)), (errors, Duration::from_millis(first)));
            assert_eq!(patience.wait(3), Duration::from_millis(first * 4));
            assert_eq!(patience.wait(u32::MAX), patience.most);
            let whole: Duration = (1..errors).map(|n| patience.wait(n)).sum();
            assert!(whole <= Duration::from_secs(60), "{priority:?} gives up after {whole:?}");
        }
    }
}
