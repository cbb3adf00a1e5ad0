//! Trades, balances, transactions.

/// What a new user of the demo starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Paise.
    pub inr: i64,
    /// Satoshis.
    pub btc: i64,
}

/// The ledger's use cases.
pub struct Trading {}
