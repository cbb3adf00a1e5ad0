//! The one real clock, the one real source of randomness, and how the machine is.

use std::time::Duration;

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

/// Shows the system's time of when it was made and goes on from there, whatever is done to the system's clock: also
/// while a process is stopped or the machine sleeps, and never back. Schedules of workers go by it, so it shows dates.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock {
    made: Timestamp,
    since_boot: Duration,
}

impl MonotonicClock {
    /// One that shows the system's time now.
    pub fn new() -> Self {
        Self { made: SystemClock.now(), since_boot: since_boot() }
    }
}

impl Default for MonotonicClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for MonotonicClock {
    fn now(&self) -> Timestamp {
        self.made.plus(since_boot().saturating_sub(self.since_boot))
    }
}

/// Time since the machine was started, the time that it slept included.
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
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

/// Load and memory as Linux tells them; zeros elsewhere.
pub fn figures() -> orrery_api_webfix::Figures {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut parts = load.split(' ').map(|part| part.parse().unwrap_or(0.0));
    let mut next = || parts.next().unwrap_or(0.0);
    let load = [next(), next(), next()];
    let kilobytes = |file: &str, key: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0)
    };
    orrery_api_webfix::Figures {
        load,
        resident: kilobytes("/proc/self/status", "VmRSS:") * 1_024,
        memory: kilobytes("/proc/meminfo", "MemTotal:") * 1_024,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_clock_shows_dates_and_goes_on() {
        let (system, clock) = (SystemClock.now(), MonotonicClock::new());
        let (first, second) = (clock.now(), clock.now());
        assert!(first <= second);
        // schedules of workers are read by it: the same day and hour, give or take a start at its end
        assert!(first.since(system) < Duration::from_secs(3_600) && system.since(first) < Duration::from_secs(3_600));
    }
}
