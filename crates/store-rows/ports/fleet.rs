//! The port that the nodes of a fleet share, on either database.

use std::time::Duration;

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp};
use orrery_storage::Lease;
use orrery_store_rows::fleet::{self as rows, Turn, micros};
use orrery_store_rows::workers::worker;
use orrery_workers::Worker;
use orrery_workers::fleet::{
    Beat, FleetStore, Grant, Intended, Intent, IntentState, LeaseSeen, NodeSeen, NodeTotals, RunRecord, Settled,
    SettledSeen, Totals,
};

use crate::both::{Db, Tx};
use crate::sql::fleet as sql;

const DAY: Duration = Duration::from_secs(86_400);
/// How long an order that came to its end is remembered.
const INTENTS_KEPT: Duration = Duration::from_secs(30 * 86_400);
/// Rows in one answer about an owner.
const TOTALS_MAX: i64 = 100_000;

/// Is the lease that the write needs still held? Nobody can take it until the transaction ends.
pub(crate) async fn held(tx: &mut Tx, fence: Option<&Lease>) -> Result<bool, StoreError> {
    let Some(Lease { key, holder, epoch }) = fence.cloned() else {
        return Ok(true);
    };
    Ok(tx.optional(sql::HELD.call().bind(key).bind(holder).bind(epoch)).await?.is_some())
}

#[async_trait]
impl FleetStore for Db {
    async fn beat(&self, beat: &Beat) -> Result<(), StoreError> {
        let b = beat.clone();
        let call = sql::BEAT.call().bind(b.holder).bind(b.node).bind(b.version).bind(i64::from(b.capacity));
        self.once(call.bind(i64::from(b.running)).bind(i64::from(b.draining))).await
    }

    async fn forget(&self) -> Result<(), StoreError> {
        self.once(sql::FORGET_NODES.call().bind(micros(DAY))).await?;
        self.once(sql::FORGET_INTENTS.call().bind(micros(INTENTS_KEPT))).await
    }

    async fn nodes(&self, within: Duration, limit: u32) -> Result<Vec<NodeSeen>, StoreError> {
        let call = sql::NODES.call().bind(micros(within)).bind(i64::from(limit));
        self.all(call).await?.iter().map(|row| rows::node(row)).collect()
    }

    async fn take_leases(
        &self,
        holder: &str,
        sids: &[String],
        ttl: Duration,
        late: Duration,
    ) -> Result<Vec<Grant>, StoreError> {
        let call = sql::TAKE_LEASES.call().bind(rows::texts(sids)).bind(holder.to_owned()).bind(micros(ttl));
        let call = call.bind(micros(late));
        let taken = self.alter(Turn::Leases, |tx| Box::pin(tx.all(call))).await?;
        taken.iter().map(|row| rows::grant(row)).collect()
    }

    async fn renew_leases(&self, holder: &str, ttl: Duration) -> Result<Vec<(String, i64)>, StoreError> {
        let renew = sql::RENEW_LEASES.call().bind(holder.to_owned()).bind(micros(ttl));
        let held = sql::HELD_LEASES.call().bind(holder.to_owned());
        let held = self.alter(Turn::Leases, |tx| {
            Box::pin(async move {
                tx.execute(renew).await?;
                tx.one(held).await
            })
        });
        rows::pairs(&held.await?)
    }

    async fn give_leases(&self, holder: &str, leases: &[(String, i64)]) -> Result<(), StoreError> {
        let call = sql::GIVE_LEASES.call().bind(holder.to_owned()).bind(rows::leases(leases));
        self.alter(Turn::Leases, |tx| Box::pin(tx.execute(call))).await.map(|_| ())
    }

    async fn lease(&self, sid: &str) -> Result<Option<LeaseSeen>, StoreError> {
        let row = self.optional(sql::LEASE.call().bind(sid.to_owned())).await?;
        row.as_ref().map(|row| rows::lease(row, sid)).transpose()
    }

    async fn save_runs(&self, runs: &[RunRecord], keep: u32) -> Result<(), StoreError> {
        let (Some(first), text) = (runs.first(), rows::runs(runs)) else {
            return Ok(());
        };
        let sids: std::collections::BTreeSet<String> = runs.iter().map(|run| run.sid.clone()).collect();
        self.alter(Turn::Of(first.node.clone()), move |tx| {
            Box::pin(async move {
                tx.execute(sql::SAVE_RUNS.call().bind(text)).await?;
                for sid in sids {
                    tx.execute(sql::PRUNE_RUNS.call().bind(sid).bind(i64::from(keep))).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn runs(&self, sid: &str, limit: u32) -> Result<Vec<RunRecord>, StoreError> {
        let call = sql::RUNS.call().bind(sid.to_owned()).bind(i64::from(limit));
        self.all(call).await?.iter().map(|row| rows::run(row)).collect()
    }

    async fn save_totals(&self, totals: &[Totals]) -> Result<(), StoreError> {
        let Some(first) = totals.first() else {
            return Ok(());
        };
        let call = sql::SAVE_TOTALS.call().bind(rows::totals_text(totals));
        self.alter(Turn::Of(first.node.clone()), |tx| Box::pin(tx.execute(call))).await.map(|_| ())
    }

    async fn totals_of(&self, owner: &str) -> Result<Vec<Totals>, StoreError> {
        let call = sql::TOTALS_OF.call().bind(owner.to_owned()).bind(TOTALS_MAX);
        self.all(call).await?.iter().map(|row| rows::totals(row)).collect()
    }

    async fn totals_by_node(&self) -> Result<Vec<NodeTotals>, StoreError> {
        self.all(sql::TOTALS_BY_NODE.call()).await?.iter().map(|row| rows::node_totals(row)).collect()
    }

    async fn settle(&self, settled: &Settled, fence: Option<&Lease>, at: Timestamp) -> Result<bool, StoreError> {
        let (s, fence) = (settled.clone(), fence.cloned());
        self.alter(Turn::Of(s.sid.clone()), move |tx| {
            Box::pin(async move {
                if !held(tx, fence.as_ref()).await? {
                    tx.nothing_to_keep();
                    return Ok(false);
                }
                let call = sql::SETTLE.call().bind(s.sid).bind(s.node.unwrap_or_default()).bind(s.version);
                tx.execute(call.bind(s.reason.name()).bind(at.micros())).await?;
                Ok(true)
            })
        })
        .await
    }

    async fn settled_of(&self, owner: &str) -> Result<Vec<SettledSeen>, StoreError> {
        let call = sql::SETTLED_OF.call().bind(owner.to_owned()).bind(TOTALS_MAX);
        self.all(call).await?.iter().map(|row| rows::settled(row)).collect()
    }

    async fn given_up_after(&self, at: Timestamp, limit: u32) -> Result<Vec<SettledSeen>, StoreError> {
        let call = sql::GIVEN_UP_AFTER.call().bind(at.micros()).bind(i64::from(limit));
        self.all(call).await?.iter().map(|row| rows::settled(row)).collect()
    }

    async fn due_workers(&self, node: &str, limit: u32) -> Result<Vec<(String, i64)>, StoreError> {
        let call = sql::DUE_WORKERS.call().bind(node.to_owned()).bind(i64::from(limit));
        rows::pairs(&self.one(call).await?)
    }

    async fn load_workers(&self, sids: &[String]) -> Result<Vec<Worker>, StoreError> {
        let call = sql::LOAD_WORKERS.call().bind(rows::texts(sids));
        self.all(call).await?.iter().map(|row| worker(row)).collect()
    }

    async fn intend(&self, intent: &Intent, fence: Option<&Lease>) -> Result<Intended, StoreError> {
        let (i, fence) = (intent.clone(), fence.cloned());
        self.alter(Turn::Of(i.sid.clone()), move |tx| {
            Box::pin(async move {
                if !held(tx, fence.as_ref()).await? {
                    tx.nothing_to_keep();
                    return Ok(Intended::Fenced);
                }
                let id = i.client_order_id.clone();
                let call = sql::INTEND.call().bind(i.client_order_id).bind(i.sid).bind(i.epoch).bind(i.venue);
                let call = call.bind(i.account).bind(i.body).bind(i.state.name()).bind(i.order_id);
                if tx.execute(call.bind(i.at.micros())).await? == 1 {
                    return Ok(Intended::Done);
                }
                tx.nothing_to_keep();
                Ok(Intended::Known(rows::state(&tx.one(sql::INTENT_STATE.call().bind(id)).await?, 0)?))
            })
        })
        .await
    }

    async fn resolve(
        &self,
        client_order_id: &str,
        state: IntentState,
        order_id: Option<&str>,
        fence: Option<&Lease>,
    ) -> Result<bool, StoreError> {
        let call = sql::RESOLVE.call().bind(client_order_id.to_owned()).bind(state.name());
        let (call, fence) = (call.bind(order_id.map(str::to_owned)), fence.cloned());
        self.alter(Turn::Of(client_order_id.to_owned()), move |tx| {
            Box::pin(async move {
                if !held(tx, fence.as_ref()).await? {
                    tx.nothing_to_keep();
                    return Ok(false);
                }
                Ok(tx.execute(call).await? == 1)
            })
        })
        .await
    }

    async fn open_intents(&self, sid: &str, limit: u32) -> Result<Vec<Intent>, StoreError> {
        let call = sql::OPEN_INTENTS.call().bind(sid.to_owned()).bind(i64::from(limit));
        self.all(call).await?.iter().map(|row| rows::intent(row)).collect()
    }
}
