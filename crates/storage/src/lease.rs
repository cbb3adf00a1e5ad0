//! The lease port: who may do what only one process may do.

use std::time::Duration;

use async_trait::async_trait;
use orrery_kernel::StoreError;

/// Most leases that [`LeaseStore::live`] gives.
pub const LIVE_MAX: usize = 1_024;

/// A lease that was had. Whether it still is, only the store knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What for.
    pub key: String,
    /// Who.
    pub holder: String,
    /// Rises with each change of holder and after each gap: of two holders, the one with the higher
    /// epoch is the later.
    pub epoch: i64,
}

/// Keeps leases by its own clock, never by the caller's. Passes the contract suite in `orrery-testkit`.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Takes the lease for `ttl` if it is free, over or already `holder`'s. `None`: somebody else has it.
    async fn acquire(&self, key: &str, holder: &str, ttl: Duration) -> Result<Option<Lease>, StoreError>;

    /// Prolongs it to `ttl` from now; `false`: it is over, or somebody else's.
    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool, StoreError>;

    /// Gives it back; one that is over or somebody else's stays as it is.
    async fn release(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Who has it now.
    async fn holder(&self, key: &str) -> Result<Option<Lease>, StoreError>;

    /// The leases that are held now and whose keys begin with `prefix`, by key; the first [`LIVE_MAX`] of them.
    async fn live(&self, prefix: &str) -> Result<Vec<Lease>, StoreError>;
}
