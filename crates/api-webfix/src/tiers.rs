//! The document's three limits (section "Request Limits"), and those of logins and trading.

use std::net::IpAddr;
use std::sync::Arc;

use orrery_identity::RateStore;
use orrery_identity::rate::Policy;
use orrery_kernel::{Error, Result, Timestamp};
use orrery_wallets::Session;

/// How many requests of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Worker methods, a session.
    pub worker: Policy,
    /// `setAccount`, a session.
    pub account: Policy,
    /// `getWalletInfo`, an address.
    pub wallet: Policy,
    /// Logins, an address: each good one leaves a session behind.
    pub login: Policy,
    /// Trading methods, a session; of market data without a session, an address.
    pub trade: Policy,
}

/// Counts them. When the store of counts fails, requests pass.
pub(crate) struct Tiers {
    store: Arc<dyn RateStore>,
    limits: Limits,
}

impl Tiers {
    pub(crate) fn new(store: Arc<dyn RateStore>, limits: Limits) -> Self {
        Self { store, limits }
    }

    pub(crate) async fn worker(&self, session: &Session, now: Timestamp) -> Result<()> {
        self.take("worker", &name(session), &self.limits.worker, now).await
    }

    pub(crate) async fn account(&self, session: &Session, now: Timestamp) -> Result<()> {
        self.take("account", &name(session), &self.limits.account, now).await
    }

    pub(crate) async fn wallet(&self, address: IpAddr, now: Timestamp) -> Result<()> {
        self.take("wallet", &address.to_string(), &self.limits.wallet, now).await
    }

    pub(crate) async fn login(&self, address: IpAddr, now: Timestamp) -> Result<()> {
        self.take("login", &address.to_string(), &self.limits.login, now).await
    }

    pub(crate) async fn trade(&self, session: &Session, now: Timestamp) -> Result<()> {
        self.take("trade", &name(session), &self.limits.trade, now).await
    }

    pub(crate) async fn market(&self, address: IpAddr, now: Timestamp) -> Result<()> {
        self.take("market", &address.to_string(), &self.limits.trade, now).await
    }

    async fn take(&self, tier: &str, of: &str, policy: &Policy, now: Timestamp) -> Result<()> {
        match self.store.take(&format!("webfix:{tier}:{of}"), policy, now).await {
            Ok(verdict) if verdict.allowed => Ok(()),
            Ok(verdict) => {
                let text = format!("Too many requests: {} are allowed in {} s", verdict.limit, policy.window.as_secs());
                Err(Error::rate_limited(text, verdict.retry_after))
            }
            Err(error) => {
                tracing::warn!(%error, "rate windows unavailable; letting the request pass");
                Ok(())
            }
        }
    }
}

/// Enough of the digest to tell sessions apart.
fn name(session: &Session) -> String {
    session.token[..12].iter().map(|b| format!("{b:02x}")).collect()
}
