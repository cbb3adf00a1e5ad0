//! The four conversions between rupees and bitcoin. There are no others.
//!
//! The side that the user named is exact; the other side is rounded so that the house never loses.
//! For every trade and every rate `r` between the sell and the buy rate,
//! `Δinr_user × 10⁸ + Δsat_user × r ≤ 0`: no sequence of trades at one price makes money.

use orrery_kernel::{AMOUNT_MAX, ONE_BTC};

use crate::{Side, Size};

/// Both sides of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    /// Paise.
    pub inr: i64,
    /// Satoshis.
    pub btc: i64,
}

/// Why a size has no trade at a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTrade {
    /// One side rounds to nothing.
    #[error("one side of the trade rounds to nothing")]
    Dust,
    /// One side leaves the range of money.
    #[error("one side of the trade is too large")]
    TooLarge,
}

/// Both sides of a trade of `size` at `rate` (paise per bitcoin, > 0).
///
/// ```
/// use orrery_ledger::{Side, Sides, Size, convert};
/// // 1,000 rupees at 4,095,000 rupees per bitcoin
/// let sides = convert(Side::Buy, Size::Inr(100_000), 409_500_000)?;
/// assert_eq!(sides, Sides { inr: 100_000, btc: 24_420 });
/// # Ok::<(), orrery_ledger::NoTrade>(())
/// ```
pub fn convert(side: Side, size: Size, rate: i64) -> Result<Sides, NoTrade> {
    let (one, rate) = (i128::from(ONE_BTC), i128::from(rate));
    let (inr, btc) = match (side, size) {
        // the user gets the floor of what the exact side is worth
        (Side::Buy, Size::Inr(p)) => (i128::from(p), i128::from(p) * one / rate),
        (Side::Sell, Size::Btc(q)) => (i128::from(q) * rate / one, i128::from(q)),
        // the user gives the ceiling
        (Side::Buy, Size::Btc(q)) => (ceil_div(i128::from(q) * rate, one), i128::from(q)),
        (Side::Sell, Size::Inr(p)) => (i128::from(p), ceil_div(i128::from(p) * one, rate)),
    };
    if inr <= 0 || btc <= 0 {
        return Err(NoTrade::Dust);
    }
    match (i64::try_from(inr), i64::try_from(btc)) {
        (Ok(inr), Ok(btc)) if inr <= AMOUNT_MAX && btc <= AMOUNT_MAX => Ok(Sides { inr, btc }),
        _ => Err(NoTrade::TooLarge),
    }
}

fn ceil_div(a: i128, b: i128) -> i128 {
    (a + b - 1) / b
}
