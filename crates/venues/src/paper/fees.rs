//! What a fill costs.

/// Fees as millionths of what a side receives, taken from it and rounded up to a minor unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaperFees {
    /// Of the order that was there; at most a million.
    pub maker: u32,
    /// Of the order that came; at most a million.
    pub taker: u32,
}

impl Default for PaperFees {
    /// A thousandth each.
    fn default() -> Self {
        Self { maker: 1_000, taker: 1_000 }
    }
}

impl PaperFees {
    /// The fee of a side that receives so many minor units.
    pub(crate) fn of(self, received: i64, came: bool) -> i64 {
        let share = i128::from(if came { self.taker } else { self.maker }.min(1_000_000));
        let fee = (i128::from(received) * share + 999_999) / 1_000_000;
        i64::try_from(fee).unwrap_or(received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_rounded_up_and_never_more_than_all() {
        let fees = PaperFees { maker: 0, taker: 1_000 };
        assert_eq!([1, 999, 1_000, 1_001].map(|n| fees.of(n, true)), [1, 1, 1, 2]);
        assert_eq!(fees.of(1_000_000, false), 0);
        assert_eq!(PaperFees { maker: u32::MAX, taker: 0 }.of(7, false), 7);
    }
}
