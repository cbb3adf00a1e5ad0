//! The rupee rates that users trade at.

use rust_decimal::Decimal;

/// Rupees a dollar, × 10⁴ (the document's 91 is 910,000).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multipliers {
    buy_e4: i64,
    sell_e4: i64,
}

/// Multipliers that would give money away, or are absurd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Not within 0.0001 ..= 10,000.
    #[error("multipliers must be between 0.0001 and 10000")]
    Range,
    /// Selling would pay more than buying costs.
    #[error("the sell multiplier must not be above the buy multiplier")]
    Inverted,
    /// More than four decimals.
    #[error("multipliers have at most four decimals")]
    TooPrecise,
    /// The price is not positive, or the product leaves the range of money.
    #[error("the price gives no usable rate")]
    Price,
}

/// Both rates of one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Paise per bitcoin when users buy.
    pub buy: i64,
    /// Paise per bitcoin when users sell; at most `buy`.
    pub sell: i64,
}

impl Multipliers {
    /// Checks `sell ≤ buy` and the bounds.
    pub fn new(buy: Decimal, sell: Decimal) -> Result<Self, RateError> {
        let e4 = |d: Decimal| {
            let scaled = d.checked_mul(Decimal::from(10_000)).ok_or(RateError::Range)?;
            if !scaled.fract().is_zero() {
                return Err(RateError::TooPrecise);
            }
            let n = i64::try_from(scaled).map_err(|_| RateError::Range)?;
            if (1..=100_000_000).contains(&n) { Ok(n) } else { Err(RateError::Range) }
        };
        Self::from_e4(e4(buy)?, e4(sell)?)
    }

    /// Checks `sell ≤ buy` and the bounds of multipliers × 10⁴.
    pub fn from_e4(buy_e4: i64, sell_e4: i64) -> Result<Self, RateError> {
        if !(1..=100_000_000).contains(&buy_e4) || !(1..=100_000_000).contains(&sell_e4) {
            return Err(RateError::Range);
        }
        if sell_e4 > buy_e4 { Err(RateError::Inverted) } else { Ok(Self { buy_e4, sell_e4 }) }
    }

    /// Buy multiplier × 10⁴.
    pub fn buy_e4(self) -> i64 {
        self.buy_e4
    }

    /// Sell multiplier × 10⁴.
    pub fn sell_e4(self) -> i64 {
        self.sell_e4
    }

    /// `Math.round(usd × multiplier)` of the document's "Rate Calculation": whole rupees, halves
    /// up, in paise.
    ///
    /// ```
    /// # use orrery_market::Multipliers;
    /// let m = Multipliers::new(91.into(), 88.into()).unwrap();
    /// let rates = m.rates(4_500_000).unwrap(); // 45,000 dollars
    /// assert_eq!((rates.buy, rates.sell), (409_500_000, 396_000_000));
    /// ```
    pub fn rates(self, usd_cents: i64) -> Result<Rates, RateError> {
        let rate = |e4: i64| {
            // cents × 10⁻² × e4 × 10⁻⁴ rupees
            let rupees = (i128::from(usd_cents) * i128::from(e4) + 500_000) / 1_000_000;
            i64::try_from(rupees * 100)
                .ok()
                .filter(|r| (1..=orrery_kernel::AMOUNT_MAX).contains(r))
                .ok_or(RateError::Price)
        };
        if usd_cents <= 0 {
            return Err(RateError::Price);
        }
        Ok(Rates { buy: rate(self.buy_e4)?, sell: rate(self.sell_e4)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverted_or_absurd_multipliers_are_refused() {
        let m = |b: &str, s: &str| Multipliers::new(b.parse().unwrap(), s.parse().unwrap()).map(|_| ());
        assert_eq!(m("88", "91"), Err(RateError::Inverted));
        assert_eq!(m("0", "0"), Err(RateError::Range));
        assert_eq!(m("1000000000", "1"), Err(RateError::Range));
        assert_eq!(m("91.00001", "88"), Err(RateError::TooPrecise));
        assert_eq!(m("91", "91"), Ok(()));
    }

    #[test]
    fn halves_round_up_to_whole_rupees() {
        let m = Multipliers::new("0.5".parse().unwrap(), "0.5".parse().unwrap()).unwrap();
        assert_eq!(m.rates(100).unwrap(), Rates { buy: 100, sell: 100 });
    }
}
