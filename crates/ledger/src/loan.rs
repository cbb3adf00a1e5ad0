//! Loans of rupees against locked bitcoin: exact simple interest, and how much collateral a
//! liquidation has to sell (BitTrade contract, section 10, without its faults).

use orrery_kernel::{ONE_BTC, Timestamp, UserId};

use crate::{Seq, Sheet};

/// Most that may be owed after borrowing or releasing, in hundredths of a percent of the value.
pub const MAX_LTV_BPS: i64 = 6_000;
/// From here a loan is in danger.
pub const WARNING_LTV_BPS: i64 = 8_500;
/// From here collateral is sold.
pub const LIQUIDATION_LTV_BPS: i64 = 9_000;
/// Where a partial liquidation leads to.
pub const TARGET_LTV_BPS: i64 = 6_000;

/// Hundredths of a percent in a whole, times the seconds of a year.
const INTEREST_UNIT: i128 = 10_000 * 31_536_000;

/// What a loan was agreed on and how far its interest was added up. Its amounts live in accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loan {
    /// Whose; a user has at most one.
    pub user: UserId,
    /// The entry that opened it.
    pub opened: Seq,
    /// Interest, hundredths of a percent a year, fixed for its life.
    pub rate_bps: i64,
    /// Interest is added up to here, in whole seconds.
    pub accrued_to: Timestamp,
    /// What was left of the last division, so that no fraction of a paisa is ever lost.
    pub carry: i64,
}

impl Loan {
    /// Interest due at `now` on `principal` (paise), and the loan as it is once that is added.
    /// Simple interest on the principal; adding it up at two moments gives what adding it up at the
    /// second gives.
    pub fn accrue(&self, principal: i64, now: Timestamp) -> (i64, Self) {
        let seconds = i128::from((now.secs() - self.accrued_to.secs()).max(0));
        let owed = i128::from(principal) * i128::from(self.rate_bps) * seconds + i128::from(self.carry);
        // 4·10¹⁸ paise at the highest rate for a century stay within i128, and a carry within i64
        let interest = i64::try_from(owed / INTEREST_UNIT).unwrap_or(i64::MAX);
        let carry = i64::try_from(owed % INTEREST_UNIT).unwrap_or(0);
        let accrued_to = Timestamp::from_secs(now.secs().max(self.accrued_to.secs()));
        (interest, Self { accrued_to, carry, ..self.clone() })
    }
}

/// What a loan stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Satoshis.
    pub collateral: i64,
    /// Paise lent and not paid back.
    pub principal: i64,
    /// Paise of interest, up to the moment in question.
    pub interest: i64,
}

impl Position {
    /// The position of a sheet, with the interest due at `now`.
    pub fn at(sheet: &Sheet, loan: &Loan, now: Timestamp) -> Self {
        let (due, _) = loan.accrue(sheet.borrowed_inr, now);
        Self {
            collateral: sheet.collateral_btc,
            principal: sheet.borrowed_inr,
            interest: sheet.interest_accrued.saturating_add(due),
        }
    }

    /// Paise owed.
    pub fn debt(&self) -> i64 {
        self.principal.saturating_add(self.interest)
    }

    /// Paise that the collateral sells for at `rate`.
    pub fn value(&self, rate: i64) -> i128 {
        i128::from(self.collateral) * i128::from(rate) / i128::from(ONE_BTC)
    }

    /// Paise that may be owed at most at `rate`.
    pub fn allowed(&self, rate: i64) -> i64 {
        i64::try_from(self.value(rate) * i128::from(MAX_LTV_BPS) / 10_000).unwrap_or(i64::MAX)
    }

    /// Debt against value at `rate`, in hundredths of a percent; `None` without any value.
    pub fn ltv_bps(&self, rate: i64) -> Option<i64> {
        let value = self.value(rate);
        (value > 0).then(|| i64::try_from(i128::from(self.debt()) * 10_000 / value).unwrap_or(i64::MAX))
    }

    /// Is the debt at least `bps` of the value?
    pub fn reaches(&self, bps: i64, rate: i64) -> bool {
        self.debt() > 0 && i128::from(self.debt()) * 10_000 >= i128::from(bps) * self.value(rate)
    }

    /// The sell rate (paise per bitcoin) at which it is liquidated; 0 without debt or collateral.
    pub fn liquidation_rate(&self) -> i64 {
        if self.collateral == 0 {
            return 0;
        }
        let rate = i128::from(self.debt()) * i128::from(ONE_BTC) * 10_000
            / (i128::from(self.collateral) * i128::from(LIQUIDATION_LTV_BPS));
        i64::try_from(rate).unwrap_or(i64::MAX)
    }

    /// Satoshis to sell at `rate` so that the debt is the target share of what remains:
    /// `(D − t·C) / (1 − t)` rupees of them, or all there is.
    pub fn partial_size(&self, rate: i64) -> i64 {
        let missing = i128::from(self.debt()) * 10_000 - i128::from(TARGET_LTV_BPS) * self.value(rate);
        let unit = i128::from(10_000 - TARGET_LTV_BPS) * i128::from(rate);
        self.at_most_all(missing.max(0) * i128::from(ONE_BTC), unit)
    }

    /// Satoshis to sell at `rate` for the whole debt, or all there is.
    pub fn full_size(&self, rate: i64) -> i64 {
        self.at_most_all(i128::from(self.debt()) * i128::from(ONE_BTC), i128::from(rate))
    }

    fn at_most_all(&self, amount: i128, unit: i128) -> i64 {
        let size = (amount + unit - 1) / unit;
        i64::try_from(size).unwrap_or(i64::MAX).min(self.collateral)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn loan() -> Loan {
        let accrued_to = Timestamp::from_secs(1_700_000_000);
        Loan { user: UserId(1), opened: 1, rate_bps: 1_500, accrued_to, carry: 0 }
    }

    #[test]
    fn a_year_at_fifteen_percent() {
        let (interest, after) = loan().accrue(100_000, Timestamp::from_secs(1_700_000_000 + 31_536_000));
        assert_eq!((interest, after.carry), (15_000, 0));
    }

    /// The original sold 30 of 100 against a debt of 90 and was at 85.6 % afterwards.
    #[test]
    fn a_partial_liquidation_lands_on_its_target() {
        let position = Position { collateral: 100 * ONE_BTC, principal: 8_000, interest: 1_000 };
        // a bitcoin is a rupee
        assert_eq!(position.value(100), 10_000);
        assert_eq!(position.ltv_bps(100), Some(9_000));
        assert_eq!(position.partial_size(100), 75 * ONE_BTC);
        assert_eq!(position.full_size(100), 90 * ONE_BTC);
        assert_eq!(position.liquidation_rate(), 100);
    }

    proptest! {
        #[test]
        fn interest_does_not_depend_on_when_it_is_added(
            principal in 0..1_000_000_000_000_i64,
            steps in proptest::collection::vec(0..10_000_000_i64, 1..12),
        ) {
            let (mut stepwise, mut sum, mut now) = (loan(), 0, loan().accrued_to.secs());
            for step in steps {
                now += step;
                let (interest, after) = stepwise.accrue(principal, Timestamp::from_secs(now));
                prop_assert!((0..10_000 * 31_536_000).contains(&after.carry));
                (stepwise, sum) = (after, sum + interest);
            }
            let (at_once, after) = loan().accrue(principal, Timestamp::from_secs(now));
            prop_assert_eq!((sum, stepwise), (at_once, after));
        }

        #[test]
        fn a_partial_liquidation_is_exact_to_a_paisa(
            collateral in 1..10_000_000_000_i64,
            principal in 1..1_000_000_000_000_i64,
            rate in 1_000_000..10_000_000_000_i64,
        ) {
            let before = Position { collateral, principal, interest: 0 };
            prop_assume!(before.reaches(LIQUIDATION_LTV_BPS, rate));
            let sold = before.partial_size(rate);
            let paid = i64::try_from(i128::from(sold) * i128::from(rate) / i128::from(ONE_BTC)).unwrap();
            let after = Position {
                collateral: collateral - sold,
                principal: principal - paid.min(principal),
                interest: 0,
            };
            let on_target = i128::from(after.debt() - 1) * 10_000
                < i128::from(TARGET_LTV_BPS) * (after.value(rate) + 1);
            prop_assert!(sold == collateral || on_target);
            prop_assert!(before.full_size(rate) >= sold || before.full_size(rate) == collateral);
        }
    }
}
