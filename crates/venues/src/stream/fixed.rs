//! Numbers of books: whole steps and where their point stands, compared and kept without a division.

use crate::Number;

/// Most digits after the point of a level's price or amount.
pub const DIGITS_MAX: u8 = 18;

/// A number that is not negative: `mantissa` with `digits` of its digits after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fixed {
    /// All digits.
    pub mantissa: i64,
    /// How many of them stand after the point, as the exchange wrote it: `0.10` has two.
    pub digits: u8,
}

impl Fixed {
    /// Of plain digits (`28621.74000000`) or of an exponent (`1e-7`); none for a sign, for words, and for what is
    /// beyond 18 digits.
    ///
    /// ```
    /// use orrery_venues::stream::Fixed;
    ///
    /// assert_eq!(Fixed::parse("0.10"), Some(Fixed { mantissa: 10, digits: 2 }));
    /// assert_eq!(Fixed::parse("1e-7"), Some(Fixed { mantissa: 1, digits: 7 }));
    /// assert_eq!(Fixed::parse("-1"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (mut mantissa, mut digits, mut point, mut seen) = (0_i64, 0_u8, false, false);
        // so few digits cannot be too many
        let few = text.len() <= usize::from(DIGITS_MAX);
        for byte in text.bytes() {
            match byte {
                b'0'..=b'9' if few => {
                    mantissa = mantissa * 10 + i64::from(byte - b'0');
                    digits += u8::from(point);
                    seen = true;
                }
                b'0'..=b'9' => {
                    mantissa = mantissa.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
                    digits += u8::from(point);
                    seen = true;
                }
                b'.' if !point => point = true,
                b'e' | b'E' => return Number::parse(text).and_then(Self::of),
                _ => return None,
            }
        }
        (seen && digits <= DIGITS_MAX).then_some(Self { mantissa, digits })
    }

    /// Of a number; none for a negative one and for one that is beyond 18 digits.
    pub fn of(number: Number) -> Option<Self> {
        let digits = u8::try_from(number.digits()).ok().filter(|digits| *digits <= DIGITS_MAX)?;
        let mantissa = i64::try_from(number.0.normalize().mantissa()).ok().filter(|mantissa| *mantissa >= 0)?;
        Some(Self { mantissa, digits })
    }

    /// The digits with `digits` of them after the point; none if they do not fit, or if some would be lost.
    pub(super) fn scaled(self, digits: u8) -> Option<i64> {
        match digits.checked_sub(self.digits)? {
            0 => Some(self.mantissa),
            more => self.mantissa.checked_mul(ten(more)?),
        }
    }

    /// As a number.
    pub fn number(self) -> Number {
        let decimal = rust_decimal::Decimal::try_from_i128_with_scale(self.mantissa.into(), self.digits.into());
        decimal.map(|decimal| Number(decimal.normalize())).unwrap_or_default()
    }
}

/// Ten to this power.
pub(super) fn ten(power: u8) -> Option<i64> {
    10_i64.checked_pow(power.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_kept_as_they_are_written() {
        let fixed = Fixed::parse("28621.74000000").unwrap();
        assert_eq!((fixed.mantissa, fixed.digits), (2_862_174_000_000, 8));
        assert_eq!(fixed.number(), Number::parse("28621.74").unwrap());
        assert_eq!(Fixed::parse("5."), Some(Fixed { mantissa: 5, digits: 0 }));
        assert_eq!(Fixed::parse("1.5e3"), Some(Fixed { mantissa: 1500, digits: 0 }));
    }

    #[test]
    fn what_is_no_number_of_a_book_is_nothing() {
        for text in ["", ".", "-1", "+1", "1.2.3", "NaN", "0x10", "1 ", "-1e-7", "1e400", "9223372036854775808"] {
            assert_eq!(Fixed::parse(text), None, "{text}");
        }
        assert_eq!(Fixed::parse("0.1234567890123456789"), None);
    }
}
