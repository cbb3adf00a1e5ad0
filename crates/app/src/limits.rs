//! The bound on requests, per address and per user.

use std::net::IpAddr;
use std::sync::Arc;

use orrery_identity::RateStore;
use orrery_identity::rate::Policy;
use orrery_kernel::{Error, Result, Timestamp, UserId};

/// What a client may ask in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestPolicies {
    /// From one address, whoever calls.
    pub address: Policy,
    /// As one user, from wherever.
    pub user: Policy,
}

/// Counts requests. When the store of counts fails, requests pass: a broken limiter must not close
/// the shop.
pub struct RequestLimits {
    store: Arc<dyn RateStore>,
    policies: RequestPolicies,
}

impl RequestLimits {
    /// Counts in `store`.
    pub fn new(store: Arc<dyn RateStore>, policies: RequestPolicies) -> Self {
        Self { store, policies }
    }

    /// Where counts are kept.
    pub fn store(&self) -> Arc<dyn RateStore> {
        self.store.clone()
    }

    /// One more request from `address`.
    pub async fn address(&self, address: IpAddr, now: Timestamp) -> Result<()> {
        self.take(&format!("requests:address:{address}"), &self.policies.address, now).await
    }

    /// One more request as `user`.
    pub async fn user(&self, user: UserId, now: Timestamp) -> Result<()> {
        self.take(&format!("requests:user:{user}"), &self.policies.user, now).await
    }

    async fn take(&self, key: &str, policy: &Policy, now: Timestamp) -> Result<()> {
        match self.store.take(key, policy, now).await {
            Ok(verdict) if verdict.allowed => Ok(()),
            Ok(verdict) => Err(Error::rate_limited("Too many requests. Please try again later.", verdict.retry_after)),
            Err(error) => {
                tracing::warn!(%error, "rate windows unavailable; letting the request pass");
                Ok(())
            }
        }
    }
}
