//! Orders of which it is not known what became of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use orrery_kernel::Timestamp;
use orrery_storage::CacheKey;
use orrery_venues::{Found, VenueError};
use orrery_wallets::Account;
use serde_json::Value;

use super::call::as_value;
use super::orders::NOWHERE;
use super::{VenueEvent, Venues, lock};

/// Orders that are asked after at a time; beyond that the oldest is given up.
const UNKNOWN_MAX: usize = 1_000;
/// The first wait between two questions; doubles.
const WAIT: Duration = Duration::from_secs(5);
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long an order is asked after.
const ASKED_FOR: Duration = Duration::from_secs(900);

/// Owner, account, and the account's name of the order.
pub(super) type Name = (String, String, String);

pub(super) fn name_of(account: &Account, client_order_id: &str) -> Name {
    (account.owner.clone(), account.nid.clone(), client_order_id.to_owned())
}

fn key(name: &Name) -> CacheKey {
    CacheKey::unknown_order(&name.0, &name.1, &name.2)
}

/// An order that is asked after.
pub(super) struct Unknown {
    since: Timestamp,
}

impl Venues {
    /// Is it not known what became of this order? Another server may have sent it.
    pub(super) async fn is_unknown(&self, name: &Name) -> bool {
        if lock(&self.unknown).contains_key(name) {
            return true;
        }
        match self.ports.cache.get(&key(name), self.ports.clock.now()).await {
            Ok(found) => found.is_some(),
            Err(error) => {
                tracing::warn!(%error, "whether an order is unknown could not be looked up");
                false
            }
        }
    }

    /// Goes on asking after an order in the background, for 15 minutes at most.
    pub(crate) async fn keep_asking(self: &Arc<Self>, account: &Account, id: &str, symbol: &str, cause: &VenueError) {
        let name = name_of(account, id);
        let now = self.ports.clock.now();
        tracing::warn!(exchange = account.exchange, nid = account.nid, order = id, %cause, "an order's outcome is unknown");
        {
            let mut unknown = lock(&self.unknown);
            if unknown.len() >= UNKNOWN_MAX {
                let oldest = unknown.iter().min_by_key(|(_, order)| order.since).map(|(name, _)| name.clone());
                if let Some(oldest) = oldest {
                    tracing::warn!(order = oldest.2, "too many orders are unknown; one is asked after no longer");
                    unknown.remove(&oldest);
                }
            }
            unknown.insert(name.clone(), Unknown { since: now });
        }
        if let Err(error) = self.ports.cache.put(&key(&name), Bytes::from_static(b"unknown"), now).await {
            tracing::warn!(%error, "other servers were not told of an unknown order");
        }
        let (this, account, symbol) = (self.clone(), account.clone(), symbol.to_owned());
        self.tasks.spawn_connection("order-unknown", async move {
            let stopping = this.tasks.stopping();
            tokio::select! {
                () = stopping.cancelled() => {}
                () = this.ask_on(&account, &name, &symbol) => {}
            }
        });
    }

    async fn ask_on(&self, account: &Account, name: &Name, symbol: &str) {
        let (mut wait, mut nowhere) = (WAIT, 0);
        let asking = async {
            while nowhere < NOWHERE {
                tokio::time::sleep(self.jittered(wait)).await;
                wait = (wait * 2).min(WAIT_MAX);
                if !lock(&self.unknown).contains_key(name) {
                    return None;
                }
                let Ok(desk) = self.desk(account).await else { continue };
                match desk.find(&name.2, symbol).await {
                    Ok(Found::There(order)) => return Some(Some(as_value(&order))),
                    Ok(Found::Nowhere) => nowhere += 1,
                    Err(error) => tracing::debug!(%error, "an order was asked after in vain"),
                }
            }
            Some(None)
        };
        match tokio::time::timeout(ASKED_FOR, asking).await {
            Ok(Some(order)) => self.settle(account, name, order).await,
            Ok(None) => {}
            Err(_) => {
                lock(&self.unknown).remove(name);
                tracing::error!(order = name.2, "it stays unknown what became of an order; ask the exchange");
            }
        }
    }

    /// It is known now.
    pub(super) async fn settle(&self, account: &Account, name: &Name, order: Option<Value>) {
        lock(&self.unknown).remove(name);
        if let Err(error) = self.ports.cache.remove(&key(name)).await {
            tracing::warn!(%error, "other servers take an order for unknown still");
        }
        tracing::info!(order = name.2, taken = order.is_some(), "an order's outcome is known");
        self.tell(VenueEvent::Settled { account: Arc::new(account.clone()), client_order_id: name.2.clone(), order });
        self.look_soon(account);
    }
}
