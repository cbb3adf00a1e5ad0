//! The single-writer group-commit pipeline.

/// The ledger's configuration.
#[derive(Clone, Debug)]
pub struct LedgerSettings {
    /// Bounds and price age.
    pub limits: orrery_ledger::Limits,
    /// Commands waiting; beyond that 503 with `Retry-After`.
    pub queue: usize,
    /// Most commands a commit.
    pub batch: usize,
}
