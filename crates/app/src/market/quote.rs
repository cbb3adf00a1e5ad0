//! The price that trades are made at.

use orrery_ledger::Snapshot;
use orrery_market::PriceRow;

/// The price now: what was observed, and the stored snapshot that trades name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The observation.
    pub row: PriceRow,
    /// The stored rates; `snapshot.price.observed_at` is when it was last seen to hold.
    pub snapshot: Snapshot,
}
