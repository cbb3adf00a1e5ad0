//! The one real clock, the one real source of randomness, and how the machine is.

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

/// Time since the machine was started, the time that it slept included: goes on while a process is stopped, and never
/// goes back. What it shows is no date.
#[derive(Clone, Copy, Debug, Default)]
pub struct MonotonicClock;

impl Clock for MonotonicClock {
    fn now(&self) -> Timestamp {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Timestamp::from_micros(time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_nsec / 1_000))
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
