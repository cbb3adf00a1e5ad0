//! Time and randomness as arguments.

/// A point in time: whole microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_micros(us: i64) -> Self {
        Self(us)
    }

    /// From milliseconds since the epoch; saturates.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms.saturating_mul(1_000))
    }

    /// From seconds since the epoch; saturates.
    pub const fn from_secs(s: i64) -> Self {
        Self(s.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Seconds since the epoch, rounded down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This time plus `d`; saturates.
    pub fn plus(self, d: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// ISO 8601 in UTC with milliseconds, as JavaScript's `toISOString` prints it:
    /// `2024-07-20T10:30:00.000Z`. Years outside 0..=9999 are clamped.
    ///
    /// ```
    /// # use orrery_kernel::Timestamp;
    /// assert_eq!(Timestamp::from_secs(1_721_471_400).iso(), "2024-07-20T10:30:00.000Z");
    /// ```
    pub fn iso(self) -> String {
        let ms = self.millis().clamp(-62_167_219_200_000, 253_402_300_799_999);
        let days = ms.div_euclid(86_400_000);
        let of_day = ms.rem_euclid(86_400_000);
        let (y, m, d) = civil(days);
        format!(
            "{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}.{:03}Z",
            of_day / 3_600_000,
            of_day / 60_000 % 60,
            of_day / 1_000 % 60,
            of_day % 1_000
        )
    }

    /// The UTC date, `2024-07-20`.
    pub fn date(self) -> String {
        let mut iso = self.iso();
        iso.truncate(10);
        iso
    }
}

/// Days since 1970-01-01 to year, month, day in the proleptic Gregorian calendar
/// (the era arithmetic of H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let d = doy - (153 * mp + 2) / 5 + 1;
    let m = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(m <= 2), m, d)
}

/// Tells the time. Core crates take a [`Timestamp`]; only composition holds a `Clock`.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// Gives unpredictable bytes, fit for keys and tokens.
pub trait Entropy: Send + Sync {
    /// Fills `out` whole.
    fn fill(&self, out: &mut [u8]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (s, iso) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
            (1_795_518_600, "2026-11-24T11:10:00.000Z"),
        ] {
            assert_eq!(Timestamp::from_secs(s).iso(), iso);
        }
    }

    #[test]
    fn since_never_goes_below_zero() {
        let a = Timestamp::from_secs(1);
        assert_eq!(a.since(Timestamp::from_secs(2)), std::time::Duration::ZERO);
    }
}
