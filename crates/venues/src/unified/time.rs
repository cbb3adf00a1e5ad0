//! When something was, twice: as a number and as text.

use orrery_kernel::Timestamp;
use serde::ser::SerializeStruct as _;
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

    /// `231114`, as it stands in symbols of contracts with an end.
    pub fn day(self) -> Option<String> {
        let digits = Timestamp::from_millis(self.0?).date().replace('-', "");
        digits.get(2..).map(str::to_owned)
    }

    /// `2023-11-14T22:13:20.000Z`
    pub fn iso(self) -> Option<String> {
        self.0.map(|ms| Timestamp::from_millis(ms).iso())
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Time", 2)?;
        fields.serialize_field("timestamp", &self.0)?;
        fields.serialize_field("datetime", &self.iso())?;
        fields.end()
    }
}
