//! When something was, twice: as a number and as text.

use orrery_kernel::Timestamp;
use serde::ser::{SerializeMap, SerializeStruct as _};
use serde::{Serialize, Serializer};

/// Milliseconds since 1970, or unknown; in JSON the two fields `timestamp` and `datetime` (ISO 8601, UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Time(pub Option<i64>);

impl Time {
    /// Of digits; a fraction of a millisecond is dropped.
    pub fn parse(digits: Option<&str>) -> Self {
        let whole = digits.and_then(|digits| digits.split('.').next());
        Self(whole.and_then(|whole| whole.parse().ok()))
    }

    /// Of ISO 8601, `2023-11-14T22:13:20.123456Z`, with any offset from UTC and none for UTC; what is finer than a
    /// millisecond is dropped.
    pub fn of_iso(text: Option<&str>) -> Self {
        Self(text.and_then(millis_of_iso))
    }

    /// `231114`, as it stands in symbols of contracts with an end.
    pub fn day(self) -> Option<String> {
        let digits = Timestamp::from_millis(self.0?).date().replace('-', "");
        digits.get(2..).map(str::to_owned)
    }

    /// The two fields in an object, the text as the exchange wrote it if it is given.
    pub(crate) fn entries<M: SerializeMap>(self, written: Option<&str>, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("timestamp", &self.0)?;
        match written {
            Some(text) => map.serialize_entry("datetime", text),
            None => map.serialize_entry("datetime", &self.iso()),
        }
    }

    /// `2023-11-14T22:13:20.000Z`
    pub fn iso(self) -> Option<String> {
        self.0.map(|ms| Timestamp::from_millis(ms).iso())
    }
}

fn millis_of_iso(text: &str) -> Option<i64> {
    let (date, time) = text.split_at_checked(10)?;
    let (clock, offset) = match time.get(1..)?.find(['Z', '+', '-']) {
        Some(end) => time.get(1..)?.split_at_checked(end)?,
        None => (time.get(1..)?, "Z"),
    };
    let number = |digits: &str, most: i64| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number: &i64| plain && *number <= most)
    };
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let days = days(number(year, 9999)?, number(month, 12)?, number(day, 31)?);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let hours = number(parts.next()?, 24)?;
    let (minutes, seconds) = (number(parts.next()?, 59)?, number(parts.next().unwrap_or("0"), 60)?);
    let (first, scale) = match fraction.get(..3) {
        Some(first) => (first, 1),
        None => (fraction, if fraction.len() == 2 { 10 } else { 100 }),
    };
    let thousandths = number(first, 999)? * scale;
    let east = match offset.strip_prefix('-').map(|of| (-1, of)).or_else(|| offset.strip_prefix('+').map(|of| (1, of)))
    {
        Some((sign, of)) => {
            let digits = of.replace(':', "");
            sign * (number(digits.get(..2)?, 23)? * 60 + number(digits.get(2..4).unwrap_or("0"), 59)?)
        }
        None => 0,
    };
    let minutes = (days * 24 + hours) * 60 + minutes - east;
    Some((minutes * 60 + seconds) * 1_000 + thousandths)
}

/// Days since 1970-01-01 (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Time", 2)?;
        fields.serialize_field("timestamp", &self.0)?;
        fields.serialize_field("datetime", &self.iso())?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn iso_is_read() {
        let read = |text| Time::of_iso(Some(text)).0;
        assert_eq!(read("2023-04-04T23:05:34.492746Z"), Some(1_680_649_534_492));
        assert_eq!(read("2015-02-11T16:54:02-08:00"), Some(1_423_702_442_000));
        assert_eq!(read("2015-02-12 00:54:02"), Some(1_423_702_442_000));
        assert_eq!(read("2023-01-18T01:37:38.09Z"), Some(1_674_005_858_090));
        for text in
            ["", "now", "2023-01-18", "1674005858", "2023-13-18T01:37:38Z", "2023-01-18T01:37:xxZ", "é023-01-18T"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn iso_goes_through_unchanged(ms in -62_135_596_800_000i64..253_402_300_799_999) {
            prop_assert_eq!(Time::of_iso(Time(Some(ms)).iso().as_deref()), Time(Some(ms)));
        }
    }
}
