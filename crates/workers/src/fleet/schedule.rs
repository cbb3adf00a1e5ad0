//! Times at which a worker begins, as cron writes them.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use orrery_kernel::Timestamp;

/// Longest schedule, bytes.
const LENGTH_MAX: usize = 128;

/// A schedule of five fields, or six with seconds in front, in UTC.
#[derive(Clone, Debug)]
pub struct Schedule {
    text: String,
    cron: croner::Cron,
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Schedule {}

impl Schedule {
    /// Reads one.
    ///
    /// Errors: what is wrong with it, for who wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LENGTH_MAX {
            return Err(format!("has to be at most {LENGTH_MAX} characters"));
        }
        if !(5..=6).contains(&text.split_whitespace().count()) {
            return Err("has to have five fields, or six with seconds in front".into());
        }
        let parser = croner::parser::CronParser::builder().seconds(croner::parser::Seconds::Optional).build();
        let cron = parser.parse(text).map_err(|e| format!("is none that cron knows: {e}"))?;
        Ok(Self { text: text.to_owned(), cron })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first time after `now`; none where there is never one, such as on 30 February.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let now: DateTime<Utc> = DateTime::from_timestamp(now.secs(), 0)?;
        let next = self.cron.find_next_occurrence(&now, false).ok()?;
        Some(Timestamp::from_micros(next.timestamp_micros()))
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: i64) -> Option<i64> {
        Schedule::parse(schedule).unwrap().next(Timestamp::from_secs(after)).map(Timestamp::secs)
    }

    #[test]
    fn five_and_six_fields_in_utc() {
        let midnight = 1_795_478_400; // 2026-11-24T00:00:00Z, a Tuesday
        assert_eq!(next("*/5 * * * *", midnight), Some(midnight + 300));
        assert_eq!(next("*/10 * * * * *", midnight), Some(midnight + 10));
        assert_eq!(next("30 9 * * MON", midnight), Some(midnight + 6 * 86_400 + 34_200));
        assert_eq!(next("0 0 30 2 *", midnight), None);
    }

    #[test]
    fn others_are_refused() {
        for text in ["", "x", "* * * *", "61 * * * *", "* * * * * * *", &"*".repeat(200)] {
            assert!(Schedule::parse(text).is_err(), "{text:?}");
        }
    }
}
