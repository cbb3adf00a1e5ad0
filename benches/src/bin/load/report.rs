//! What was measured.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::time::Instant;

/// The longest latency told apart, in microseconds; longer ones count as this.
const LONGEST_US: u64 = 120_000_000;

/// When to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// Not counted.
    pub(crate) warm_up: Duration,
    /// Counted.
    pub(crate) measured: Duration,
}

/// The span from a moment on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    begin: Instant,
    end: Instant,
}

impl Window {
    /// Warm-up begins now.
    pub(crate) fn open(span: Span) -> Self {
        let begin = Instant::now() + span.warm_up;
        Self { begin, end: begin + span.measured }
    }

    /// Is there still time to begin another trade?
    pub(crate) fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    fn seconds(&self) -> f64 {
        (self.end - self.begin).as_secs_f64()
    }
}

/// One client's measurements.
pub(crate) struct Tally {
    window: Window,
    latency: Histogram<u64>,
    errors: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn new(window: Window) -> anyhow::Result<Self> {
        Ok(Self { window, latency: Histogram::new_with_max(LONGEST_US, 3)?, errors: BTreeMap::new() })
    }

    /// A trade that was sent at `sent` and acknowledged now. Only those that end within the window
    /// count, so that rates of slow and fast runs mean the same.
    pub(crate) fn done(&mut self, sent: Instant) {
        let now = Instant::now();
        if now >= self.window.begin && now < self.window.end {
            self.took(u64::try_from((now - sent).as_micros()).unwrap_or(LONGEST_US));
        }
    }

    /// A trade that another program measured within the window.
    pub(crate) fn took(&mut self, us: u64) {
        self.latency.saturating_record(us.clamp(1, LONGEST_US));
    }

    /// A trade that failed, whenever that was.
    pub(crate) fn failed(&mut self, why: impl Into<String>) {
        *self.errors.entry(why.into()).or_default() += 1;
    }
}

/// All clients together.
pub(crate) struct Report {
    label: String,
    in_flight: u32,
    seconds: f64,
    latency: Histogram<u64>,
    errors: BTreeMap<String, u64>,
    note: String,
}

impl Report {
    pub(crate) fn of(label: &str, in_flight: u32, window: Window, tallies: Vec<Tally>) -> anyhow::Result<Self> {
        let mut latency = Histogram::new_with_max(LONGEST_US, 3)?;
        let mut errors: BTreeMap<String, u64> = BTreeMap::new();
        for tally in tallies {
            latency.add(&tally.latency)?;
            for (why, count) in tally.errors {
                *errors.entry(why).or_default() += count;
            }
        }
        Ok(Self { label: label.into(), in_flight, seconds: window.seconds(), latency, errors, note: String::new() })
    }

    /// Adds what was checked afterwards.
    #[must_use]
    pub(crate) fn note(mut self, note: String) -> Self {
        self.note = note;
        self
    }

    fn rate(&self) -> f64 {
        self.latency.len() as f64 / self.seconds
    }

    fn at(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1_000.0
    }

    /// As JSON; times in milliseconds.
    pub(crate) fn json(&self) -> Value {
        json!({
            "what": self.label,
            "in_flight": self.in_flight,
            "seconds": self.seconds,
            "trades": self.latency.len(),
            "trades_per_second": self.rate(),
            "p50_ms": self.at(0.5),
            "p90_ms": self.at(0.9),
            "p99_ms": self.at(0.99),
            "max_ms": self.latency.max() as f64 / 1_000.0,
            "errors": self.errors,
            "note": self.note,
        })
    }
}

/// A table for people, with what each line is against the first.
pub(crate) fn table(reports: &[Report]) -> String {
    let mut text = format!(
        "{:<34} {:>9} {:>9} {:>10} {:>9} {:>9} {:>9} {:>9}\n",
        "", "in flight", "trades", "trades/s", "p50 ms", "p90 ms", "p99 ms", "max ms"
    );
    for r in reports {
        let max = r.latency.max() as f64 / 1_000.0;
        // writing to a string doesn't fail
        let _ = writeln!(
            text,
            "{:<34} {:>9} {:>9} {:>10.0} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
            r.label,
            r.in_flight,
            r.latency.len(),
            r.rate(),
            r.at(0.5),
            r.at(0.9),
            r.at(0.99),
            max
        );
    }
    if let Some((first, others)) = reports.split_first() {
        for r in others {
            let _ = writeln!(
                text,
                "{} against {}: {:.2} times the rate, p99 {:.3} of its",
                r.label,
                first.label,
                r.rate() / first.rate().max(f64::MIN_POSITIVE),
                r.at(0.99) / first.at(0.99).max(f64::MIN_POSITIVE)
            );
        }
    }
    for r in reports {
        for (why, count) in &r.errors {
            let _ = writeln!(text, "{}: {count} × {why}", r.label);
        }
        if !r.note.is_empty() {
            let _ = writeln!(text, "{}: {}", r.label, r.note);
        }
    }
    text
}
