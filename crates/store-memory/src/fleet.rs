//! What nodes of a fleet share, in process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orrery_kernel::{Clock, StoreError, Timestamp};
use orrery_storage::Lease;
use orrery_workers::fleet::{
    Beat, FleetStore, Grant, Intended, Intent, IntentState, LeaseSeen, NodeSeen, NodeTotals, Reason, RunRecord,
    Settled, SettledSeen, Totals,
};
use orrery_workers::{Worker, WorkerStore};

use crate::MemoryWorkers;

/// How long a silent process is remembered.
const DAY: Duration = Duration::from_secs(86_400);
/// How long an order that came to its end is remembered.
const INTENTS_KEPT: Duration = Duration::from_secs(30 * 86_400);
/// Workers that totals are looked for.
const WORKERS_MAX: u32 = 100_000;

#[derive(Clone, Debug)]
struct Held {
    holder: String,
    epoch: i64,
    acquired_at: Timestamp,
    renewed_at: Timestamp,
    expires_at: Timestamp,
    released: bool,
}

#[derive(Debug, Default)]
struct Inner {
    nodes: BTreeMap<String, (Beat, Timestamp)>,
    leases: BTreeMap<String, Held>,
    runs: BTreeMap<String, Vec<RunRecord>>,
    totals: BTreeMap<(String, String), Totals>,
    settled: BTreeMap<(String, Option<String>), (Settled, Timestamp)>,
    intents: BTreeMap<String, Intent>,
}

/// Nodes, leases, runs and intents in memory; lost with the process. The store's clock is the one it was made with.
pub struct MemoryFleet {
    clock: Arc<dyn Clock>,
    workers: Arc<MemoryWorkers>,
    inner: Mutex<Inner>,
}

fn last_heard(nodes: &BTreeMap<String, (Beat, Timestamp)>, holder: &str) -> Timestamp {
    nodes.get(holder).map_or(Timestamp::from_micros(i64::MIN), |(_, at)| *at)
}

impl MemoryFleet {
    /// Nothing yet, beside these workers.
    pub fn new(clock: Arc<dyn Clock>, workers: Arc<MemoryWorkers>) -> Self {
        Self { clock, workers, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is the lease held? What is checked by it has to happen before anybody else is let in.
    pub(crate) fn held(&self, fence: &Lease) -> bool {
        let now = self.clock.now();
        self.inner()
            .leases
            .get(&fence.key)
            .is_some_and(|held| held.holder == fence.holder && held.epoch == fence.epoch && held.expires_at > now)
    }
}

#[async_trait]
impl FleetStore for MemoryFleet {
    async fn beat(&self, beat: &Beat) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.inner().nodes.insert(beat.holder.clone(), (beat.clone(), now));
        Ok(())
    }

    async fn forget(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut inner = self.inner();
        inner.nodes.retain(|_, (_, at)| now.since(*at) <= DAY);
        inner.intents.retain(|_, i| i.state == IntentState::Open || now.since(i.at) <= INTENTS_KEPT);
        Ok(())
    }

    async fn nodes(&self, within: Duration, limit: u32) -> Result<Vec<NodeSeen>, StoreError> {
        let now = self.clock.now();
        let inner = self.inner();
        let seen = inner.nodes.values().map(|(beat, at)| NodeSeen { beat: beat.clone(), ago: now.since(*at) });
        let mut seen: Vec<NodeSeen> = seen.filter(|node| node.ago < within).collect();
        seen.sort_by(|a, b| (&a.beat.node, &a.beat.holder).cmp(&(&b.beat.node, &b.beat.holder)));
        seen.truncate(limit as usize);
        Ok(seen)
    }

    async fn take_leases(
        &self,
        holder: &str,
        sids: &[String],
        ttl: Duration,
        late: Duration,
    ) -> Result<Vec<Grant>, StoreError> {
        let now = self.clock.now();
        let Inner { nodes, leases, .. } = &mut *self.inner();
        let mut grants = Vec::new();
        for sid in sids.iter().collect::<BTreeSet<_>>() {
            let expires_at = now.plus(ttl);
            let (epoch, clean) = match leases.get_mut(sid) {
                None => (1, true),
                Some(held) if held.holder == holder && held.expires_at > now => {
                    (held.renewed_at, held.expires_at) = (now, expires_at);
                    grants.push(Grant { sid: sid.clone(), epoch: held.epoch, clean: false });
                    continue;
                }
                Some(held) if held.holder != holder && held.expires_at > now => {
                    if last_heard(nodes, &held.holder).plus(late) > now {
                        continue;
                    }
                    (held.epoch + 1, false)
                }
                Some(held) => (held.epoch + 1, held.released),
            };
            let held = Held {
                holder: holder.to_owned(),
                epoch,
                acquired_at: now,
                renewed_at: now,
                expires_at,
                released: false,
            };
            leases.insert(sid.clone(), held);
            grants.push(Grant { sid: sid.clone(), epoch, clean });
        }
        Ok(grants)
    }

    async fn renew_leases(&self, holder: &str, ttl: Duration) -> Result<Vec<(String, i64)>, StoreError> {
        let now = self.clock.now();
        let mut inner = self.inner();
        let own = inner.leases.iter_mut().filter(|(_, held)| held.holder == holder && held.expires_at > now);
        Ok(own
            .map(|(sid, held)| {
                (held.renewed_at, held.expires_at) = (now, now.plus(ttl));
                (sid.clone(), held.epoch)
            })
            .collect())
    }

    async fn give_leases(&self, holder: &str, leases: &[(String, i64)]) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut inner = self.inner();
        for (sid, epoch) in leases {
            if let Some(held) = inner.leases.get_mut(sid).filter(|h| h.holder == holder && h.epoch == *epoch) {
                held.released = true;
                held.expires_at = held.expires_at.min(now);
            }
        }
        Ok(())
    }

    async fn lease(&self, sid: &str) -> Result<Option<LeaseSeen>, StoreError> {
        let now = self.clock.now();
        Ok(self.inner().leases.get(sid).map(|held| LeaseSeen {
            lease: Lease { key: sid.to_owned(), holder: held.holder.clone(), epoch: held.epoch },
            acquired_at: held.acquired_at,
            renewed_at: held.renewed_at,
            expires_at: held.expires_at,
            now,
        }))
    }

    async fn save_runs(&self, runs: &[RunRecord], keep: u32) -> Result<(), StoreError> {
        let mut inner = self.inner();
        for run in runs {
            let of = inner.runs.entry(run.sid.clone()).or_default();
            of.retain(|known| known.id != run.id);
            of.push(run.clone());
            of.sort_by(|a, b| (b.started_at, &b.id).cmp(&(a.started_at, &a.id)));
            of.truncate(keep as usize);
        }
        Ok(())
    }

    async fn runs(&self, sid: &str, limit: u32) -> Result<Vec<RunRecord>, StoreError> {
        let inner = self.inner();
        Ok(inner.runs.get(sid).into_iter().flatten().take(limit as usize).cloned().collect())
    }

    async fn save_totals(&self, totals: &[Totals]) -> Result<(), StoreError> {
        let mut inner = self.inner();
        for of in totals {
            inner.totals.insert((of.sid.clone(), of.node.clone()), of.clone());
        }
        Ok(())
    }

    async fn totals_of(&self, owner: &str) -> Result<Vec<Totals>, StoreError> {
        let own = self.workers.workers_of(owner, WORKERS_MAX).await?;
        let own: BTreeSet<String> = own.into_iter().map(|worker| worker.sid).collect();
        Ok(self.inner().totals.values().filter(|of| own.contains(&of.sid)).cloned().collect())
    }

    async fn totals_by_node(&self) -> Result<Vec<NodeTotals>, StoreError> {
        let mut nodes: BTreeMap<String, NodeTotals> = BTreeMap::new();
        for of in self.inner().totals.values() {
            let sum = nodes.entry(of.node.clone()).or_default();
            sum.node.clone_from(&of.node);
            sum.executions += of.executions;
            sum.errors += of.errors;
            sum.network_errors += of.network_errors;
            sum.running += i64::from(of.running);
        }
        Ok(nodes.into_values().collect())
    }

    async fn settle(&self, settled: &Settled, fence: Option<&Lease>, at: Timestamp) -> Result<bool, StoreError> {
        if fence.is_some_and(|fence| !self.held(fence)) {
            return Ok(false);
        }
        let key = (settled.sid.clone(), settled.node.clone());
        let mut inner = self.inner();
        if inner.settled.get(&key).is_none_or(|(known, _)| known.version <= settled.version) {
            inner.settled.insert(key, (settled.clone(), at));
        }
        Ok(true)
    }

    async fn settled_of(&self, owner: &str) -> Result<Vec<SettledSeen>, StoreError> {
        let own = self.workers.workers_of(owner, WORKERS_MAX).await?;
        let versions: BTreeMap<String, i64> = own.into_iter().map(|worker| (worker.sid, worker.version)).collect();
        let inner = self.inner();
        let current = inner.settled.values().filter(|(of, _)| versions.get(&of.sid) == Some(&of.version));
        let seen =
            current.map(|(of, at)| SettledSeen { settled: of.clone(), owner: owner.to_owned(), at: *at }).collect();
        Ok(seen)
    }

    async fn given_up_after(&self, at: Timestamp, limit: u32) -> Result<Vec<SettledSeen>, StoreError> {
        let found: Vec<(Settled, Timestamp)> = self.inner().settled.values().cloned().collect();
        let mut seen = Vec::new();
        for (settled, then) in found.into_iter().filter(|(of, then)| of.reason == Reason::Errors && *then > at) {
            if let Some(worker) = self.workers.worker(&settled.sid).await? {
                seen.push(SettledSeen { settled, owner: worker.owner, at: then });
            }
        }
        seen.sort_by(|a, b| (a.at, &a.settled.sid).cmp(&(b.at, &b.settled.sid)));
        seen.truncate(limit as usize);
        Ok(seen)
    }

    async fn due_workers(&self, node: &str, limit: u32) -> Result<Vec<(String, i64)>, StoreError> {
        let active = self.workers.active();
        let inner = self.inner();
        let settled = |sid: &String, version: i64, node: Option<String>| {
            inner.settled.get(&(sid.clone(), node)).is_some_and(|(known, _)| known.version == version)
        };
        let due = active
            .into_iter()
            .filter(|(sid, version)| !settled(sid, *version, None) && !settled(sid, *version, Some(node.to_owned())));
        Ok(due.take(limit as usize).collect())
    }

    async fn load_workers(&self, sids: &[String]) -> Result<Vec<Worker>, StoreError> {
        let mut found = Vec::new();
        for sid in sids.iter().collect::<BTreeSet<_>>() {
            found.extend(self.workers.worker(sid).await?);
        }
        Ok(found)
    }

    async fn intend(&self, intent: &Intent, fence: Option<&Lease>) -> Result<Intended, StoreError> {
        if fence.is_some_and(|fence| !self.held(fence)) {
            return Ok(Intended::Fenced);
        }
        let mut inner = self.inner();
        if let Some(known) = inner.intents.get(&intent.client_order_id) {
            return Ok(Intended::Known(known.state));
        }
        inner.intents.insert(intent.client_order_id.clone(), intent.clone());
        Ok(Intended::Done)
    }

    async fn resolve(
        &self,
        client_order_id: &str,
        state: IntentState,
        order_id: Option<&str>,
        fence: Option<&Lease>,
    ) -> Result<bool, StoreError> {
        if fence.is_some_and(|fence| !self.held(fence)) {
            return Ok(false);
        }
        let mut inner = self.inner();
        let Some(intent) = inner.intents.get_mut(client_order_id) else {
            return Ok(false);
        };
        intent.state = state;
        if order_id.is_some() {
            intent.order_id = order_id.map(str::to_owned);
        }
        Ok(true)
    }

    async fn open_intents(&self, sid: &str, limit: u32) -> Result<Vec<Intent>, StoreError> {
        let inner = self.inner();
        let open = inner.intents.values().filter(|i| i.sid == sid && i.state == IntentState::Open);
        let mut open: Vec<Intent> = open.cloned().collect();
        open.sort_by(|a, b| (a.at, &a.client_order_id).cmp(&(b.at, &b.client_order_id)));
        open.truncate(limit as usize);
        Ok(open)
    }
}
