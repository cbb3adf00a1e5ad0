//! What a command led to. Outcomes are remembered under their key and replayed as they were.

use orrery_kernel::{Asset, Timestamp, UserId};

use crate::{Account, Kind, Seq};

/// A user's balances, as the BitTrade document's seven fields name them; minor units, none
/// negative (debts are shown as positive amounts owed).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Free paise.
    pub available_inr: i64,
    /// Free satoshis.
    pub available_btc: i64,
    /// Held paise.
    pub reserved_inr: i64,
    /// Held satoshis.
    pub reserved_btc: i64,
    /// Satoshis locked against a loan.
    pub collateral_btc: i64,
    /// Paise owed.
    pub borrowed_inr: i64,
    /// Interest owed, paise.
    pub interest_accrued: i64,
}

/// An entry was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its place in the journal, which is also the transaction's id.
    pub seq: Seq,
    /// What it records.
    pub kind: Kind,
    /// The user it concerns; `None` for entries of the house alone.
    pub user: Option<UserId>,
    /// Paise moved to or from the user, ≥ 0.
    pub inr: i64,
    /// Satoshis moved to or from the user, ≥ 0.
    pub btc: i64,
    /// Rate of the trade in paise per bitcoin; 0 when it was none.
    pub rate: i64,
    /// When.
    pub at: Timestamp,
    /// The user's balances right after.
    pub sheet: Sheet,
}

/// A rule of business said no; nothing was posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The account holds less than needed.
    Insufficient {
        /// Which money.
        asset: Asset,
        /// Minor units needed.
        required: i64,
        /// Minor units there.
        available: i64,
    },
    /// Another bound of an account would be broken.
    Bound {
        /// Which account.
        account: Account,
    },
    /// One side of the trade rounds to nothing.
    Dust,
    /// The price is older than allowed, or unknown.
    StalePrice,
    /// The price is worse than the caller accepts.
    Slippage,
    /// There is no such entry.
    NoSuchEntry,
    /// The entry is a reversal, has been reversed, or is of a kind that is not.
    NotReversible,
    /// The user has no such order.
    NoSuchOrder,
    /// The user has no such withdrawal.
    NoSuchHold,
    /// The order or withdrawal is over.
    NotOpen,
    /// The price does not cross the order's limit.
    NotCrossed,
    /// The user has no loan.
    NoLoan,
    /// There is no debt.
    NoDebt,
    /// The collateral is not worth enough.
    Undersecured {
        /// Paise that may be owed at this price, with the collateral that would be left.
        allowed: i64,
        /// Paise that would be owed.
        debt: i64,
    },
    /// The loan is not to be liquidated.
    Healthy,
    /// The debt still has collateral.
    Secured,
}

/// What is remembered under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Posted(Receipt),
    /// Not done, and never to be under this key.
    Refused(Refusal),
}

/// The answer to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Decided now.
    New(Outcome),
    /// Decided before, under the same key.
    Replay(Outcome),
    /// The key was used for something else; nothing was done.
    KeyReused,
    /// The command breaks a rule of shape (an amount out of range); nothing was done, nothing is
    /// remembered. Names the field.
    Invalid(&'static str),
}
