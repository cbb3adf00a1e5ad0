//! Numbers of exchanges: from digits to exact decimals and back to digits; a float only at the JSON edge.

use std::str::FromStr as _;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Digits after the point that a quotient keeps; the rest is cut off.
const QUOTIENT_DIGITS: u32 = 18;

/// A decimal that is a number in JSON: the double that is nearest to it, as scripts know numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Number(pub Decimal);

impl Number {
    /// The number of these digits (`12.50`, `1e-7`), or none: for no digits, for words, and for what is beyond
    /// 28 digits.
    ///
    /// ```
    /// use orrery_venues::Number;
    ///
    /// assert_eq!(Number::parse("0.00001000").unwrap().to_string(), "0.00001");
    /// assert_eq!(Number::parse("2.5e-7").unwrap().to_string(), "0.00000025");
    /// assert_eq!(Number::parse("NaN"), None);
    /// ```
    pub fn parse(digits: &str) -> Option<Self> {
        if let Some(short) = short(digits) {
            return Some(Self(short));
        }
        let read = match digits.split_once(['e', 'E']) {
            // zeros at the end count as digits of what is read
            Some((mantissa, exponent)) => {
                let mantissa = Decimal::from_str(mantissa).ok()?.normalize();
                if mantissa.is_zero() {
                    return Some(Self(mantissa));
                }
                Decimal::from_scientific(&format!("{mantissa}e{exponent}"))
            }
            None => Decimal::from_str(digits),
        };
        read.ok().map(|decimal| Self(decimal.normalize()))
    }

    /// Ten to the power of minus `digits`: the step of numbers with so many digits after the point.
    pub fn step(digits: u32) -> Option<Self> {
        Decimal::try_from_i128_with_scale(1, digits).ok().map(|step| Self(step.normalize()))
    }

    /// Digits after the point.
    pub fn digits(self) -> u32 {
        self.0.normalize().scale()
    }

    /// Nothing for zero: the way many exchanges say that there is no value.
    pub fn nonzero(self) -> Option<Self> {
        (!self.0.is_zero()).then_some(self)
    }

    /// The sum, unless it is beyond 28 digits.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(|sum| Self(sum.normalize()))
    }

    /// The difference, unless it is beyond 28 digits.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(|difference| Self(difference.normalize()))
    }

    /// The product, unless it is beyond 28 digits.
    pub fn times(self, other: Self) -> Option<Self> {
        self.0.checked_mul(other.0).map(|product| Self(product.normalize()))
    }

    /// The quotient, cut off after 18 digits; none for a divisor of zero.
    pub fn over(self, divisor: Self) -> Option<Self> {
        self.over_to(divisor, QUOTIENT_DIGITS)
    }

    /// The quotient, cut off after so many digits; none for a divisor of zero.
    pub fn over_to(self, divisor: Self, digits: u32) -> Option<Self> {
        let quotient = self.0.checked_div(divisor.0)?;
        Some(Self(quotient.round_dp_with_strategy(digits, RoundingStrategy::ToZero).normalize()))
    }

    /// Half of it, cut off after so many digits.
    pub fn halved_to(self, digits: u32) -> Option<Self> {
        let half = self.0.checked_mul(Decimal::new(5, 1))?;
        Some(Self(half.trunc_with_scale(digits).normalize()))
    }

    /// Without its sign.
    #[must_use]
    pub fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// Cut off after so many digits.
    pub fn cut(self, digits: u32) -> Option<Self> {
        self.over_to(Self::from(1), digits)
    }

    /// Digits after the point of a step that is a power of ten and at most one.
    fn tenth(self) -> Option<u32> {
        (self.0.mantissa() == 1).then(|| self.0.scale())
    }

    /// The largest multiple of `step` that is not beyond, towards zero.
    pub fn cut_to(self, step: Self) -> Option<Self> {
        if let Some(digits) = step.tenth() {
            return Some(Self(self.0.trunc_with_scale(digits).normalize()));
        }
        let steps = self.0.checked_div(step.0)?.trunc();
        steps.checked_mul(step.0).map(|cut| Self(cut.normalize()))
    }

    /// The nearest multiple of `step`; halves away from zero.
    pub fn round_to(self, step: Self) -> Option<Self> {
        if let Some(digits) = step.tenth() {
            let rounded = self.0.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero);
            return Some(Self(rounded.normalize()));
        }
        let steps = self.0.checked_div(step.0)?.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
        steps.checked_mul(step.0).map(|rounded| Self(rounded.normalize()))
    }

    /// The same text as it is shown with, made with less work.
    pub(crate) fn text(self) -> String {
        let plain = self.0.normalize();
        let (Ok(whole), scale) = (i64::try_from(plain.mantissa()), plain.scale() as usize) else {
            return plain.to_string();
        };
        let mut digits = whole.unsigned_abs().to_string();
        if scale > 0 {
            if digits.len() <= scale {
                digits.insert_str(0, &"0".repeat(scale + 1 - digits.len()));
            }
            digits.insert(digits.len() - scale, '.');
        }
        if whole < 0 {
            digits.insert(0, '-');
        }
        digits
    }

    /// The double that is nearest.
    pub fn as_f64(self) -> f64 {
        // by its digits: shortest text and double stand for each other
        self.to_string().parse().unwrap_or(f64::NAN)
    }
}

/// A number of at most 18 plain digits, as most are; none for all others. Zeros at the end say nothing.
fn short(digits: &str) -> Option<Decimal> {
    let (negative, plain) = match digits.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        plain => (false, plain),
    };
    let plain = match plain {
        [b'.', ..] | [.., b'.'] => return None,
        plain if plain.contains(&b'.') => {
            let end = plain.iter().rposition(|byte| *byte != b'0')?;
            let end = end + usize::from(plain.get(end) != Some(&b'.'));
            plain.get(..end)?
        }
        plain => plain,
    };
    if plain.is_empty() || plain.len() > 19 {
        return None;
    }
    let (mut whole, mut scale, mut count) = (0_i64, None::<u32>, 0_u8);
    for byte in plain {
        match (byte, &mut scale) {
            (b'0'..=b'9', scale) => {
                count += 1;
                whole = whole.wrapping_mul(10).wrapping_add(i64::from(byte - b'0'));
                if let Some(scale) = scale {
                    *scale += 1;
                }
            }
            (b'.', None) => scale = Some(0),
            _ => return None,
        }
    }
    // a zero that is negative is left to those who know of it
    if count > 18 || (negative && whole == 0) {
        return None;
    }
    Some(Decimal::new(if negative { -whole } else { whole }, scale.unwrap_or_default()))
}

impl std::fmt::Display for Number {
    /// Plain digits: no exponent, no zeros at the end.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.normalize().fmt(f)
    }
}

impl From<u32> for Number {
    fn from(number: u32) -> Self {
        Self(number.into())
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

impl<'de> Deserialize<'de> for Number {
    /// From a double: the number of its shortest digits.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let double = f64::deserialize(deserializer)?;
        Self::parse(&double.to_string()).ok_or_else(|| de::Error::custom(format!("{double} is beyond 28 digits")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn n(digits: &str) -> Number {
        Number::parse(digits).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_short_is_read_and_written_as_everything_is(digits in "-?[0-9]{0,12}[.]?[0-9]{0,10}") {
            let read = Number::parse(&digits);
            let other = Decimal::from_str(&digits).ok().map(|decimal| Number(decimal.normalize()));
            prop_assert_eq!(read, other);
            if let Some(number) = read {
                prop_assert_eq!(number.text(), number.to_string());
                prop_assert_eq!(number.0.scale(), other.unwrap_or_default().0.scale());
            }
        }

        #[test]
        fn steps_that_are_powers_of_ten_cut_as_all_steps_do(digits in "-?[0-9]{1,9}[.][0-9]{1,9}", step in 0_u32..6) {
            let (number, step) = (n(&digits), Number::step(step).unwrap());
            let steps = number.0.checked_div(step.0).unwrap();
            let of = |steps: Decimal| Some(Number(steps.checked_mul(step.0).unwrap().normalize()));
            prop_assert_eq!(number.cut_to(step), of(steps.trunc()));
            let rounded = steps.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
            prop_assert_eq!(number.round_to(step), of(rounded));
        }
    }

    #[test]
    fn quotients_are_cut_off() {
        assert_eq!(n("73721.21").over_to(n("2"), 2), Some(n("36860.6")));
        assert_eq!(n("0.047").over(n("0.912")).and_then(|q| q.times(n("100"))), Some(n("5.1535087719298245")));
        assert_eq!(n("-1").over(n("3")), Some(n("-0.333333333333333333")));
        assert_eq!(n("1").over(n("0")), None);
    }

    #[test]
    fn zeros_at_the_end_are_no_digits() {
        assert_eq!(
            Number::parse("-8.62360608500000000000000000000000000000000000000E-7"),
            Some(n("-0.0000008623606085"))
        );
        assert_eq!(Number::parse("0E-57"), Some(n("0")));
    }

    #[test]
    fn steps_are_kept_to() {
        assert_eq!(n("0.0012345678901").cut_to(n("0.00001")), Some(n("0.00123")));
        assert_eq!(n("1999.999").round_to(n("0.01")), Some(n("2000")));
        assert_eq!(n("0.125").round_to(n("0.05")), Some(n("0.15")));
        assert_eq!(n("7.3").cut_to(n("0.5")), Some(n("7")));
        assert_eq!(n("1").cut_to(n("0")), None);
    }

    #[test]
    fn what_is_too_large_is_nothing() {
        assert_eq!(Number::parse(&"9".repeat(40)), None);
        assert_eq!(Number::parse("1e400"), None);
        assert_eq!(n("79228162514264337593543950335").times(n("10")), None);
        for text in ["", " ", "abc", "0x10", "1,5", "∞", "--1"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_double_goes_through_unchanged(mantissa in -9_999_999_999_999i64..9_999_999_999_999, scale in 0u32..12) {
            let number = Number(Decimal::new(mantissa, scale));
            prop_assert_eq!(n(&number.to_string()), Number(number.0.normalize()));
            let expected: f64 = format!("{mantissa}e-{scale}").parse().unwrap();
            prop_assert_eq!(number.as_f64(), expected);
        }
    }
}
