//! What is written down of runs: their records, what was counted, which versions are not to run again. In batches,
//! on connections that the leases don't need.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orrery_kernel::{Clock, StoreError};
use orrery_storage::Lease;
use orrery_workers::fleet::{FleetStore, RunRecord, Settled, Totals};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::Told;

/// Runs that are kept of each worker.
const KEPT: u32 = 100;
/// Between two batches.
const EVERY: Duration = Duration::from_secs(1);
/// Records of one call.
const BATCH: usize = 250;
/// Runs that ended and wait for the store; the oldest go.
const ENDED_MAX: usize = 20_000;
/// Longest time for the store to answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// How long the last batch may take when everything ends.
const END_MAX: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Inner {
    /// Runs under way, and whether that is written down: one of each worker.
    open: HashMap<String, (RunRecord, bool)>,
    /// Is any of them not written down?
    fresh: bool,
    ended: VecDeque<RunRecord>,
    /// One of each worker.
    totals: HashMap<String, Totals>,
    settles: VecDeque<(Settled, Option<Lease>)>,
    settling: HashSet<(String, i64)>,
}

/// The book of a node.
pub(super) struct Book {
    store: Arc<dyn FleetStore>,
    wall: Arc<dyn Clock>,
    inner: Mutex<Inner>,
    settle: Notify,
}

impl Book {
    /// An empty one.
    pub fn new(store: Arc<dyn FleetStore>, wall: Arc<dyn Clock>) -> Self {
        Self { store, wall, inner: Mutex::default(), settle: Notify::new() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run has begun. One that ends before the next batch is written once.
    pub fn began(&self, record: RunRecord) {
        let inner = &mut *self.inner();
        inner.open.insert(record.id.clone(), (record, false));
        inner.fresh = true;
    }

    /// It has ended.
    pub fn ended(&self, record: RunRecord) {
        let mut inner = self.inner();
        inner.open.remove(&record.id);
        if inner.ended.len() >= ENDED_MAX {
            inner.ended.pop_front();
            metrics::counter!("worker_run_records_lost_total").increment(1);
        }
        inner.ended.push_back(record);
    }

    /// What was counted by now.
    pub fn count(&self, totals: Vec<Totals>) {
        self.inner().totals.extend(totals.into_iter().map(|totals| (totals.sid.clone(), totals)));
    }

    /// Writes down that a version is not to run again, unless that is under way.
    pub fn settle(&self, settled: Settled, fence: Option<Lease>) {
        let mut inner = self.inner();
        if inner.settling.insert((settled.sid.clone(), settled.version)) {
            inner.settles.push_back((settled, fence));
            self.settle.notify_one();
        }
    }

    /// Writes until it is `over`, then what is left.
    pub async fn keep(self: Arc<Self>, told: mpsc::Sender<Told>, over: CancellationToken) {
        let settles = async {
            loop {
                self.settle.notified().await;
                self.settle_all(&told).await;
            }
        };
        let writes = self.write_until(&over);
        // what the driver waits for, one write that is slow does not delay
        tokio::select! {
            () = settles => {}
            () = writes => {}
        }
    }

    async fn write_until(&self, over: &CancellationToken) {
        let mut due = tokio::time::interval(EVERY);
        due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failing = false;
        let writes = async {
            while !over.is_cancelled() {
                tokio::select! {
                    _ = due.tick() => note(self.write().await, &mut failing),
                    () = over.cancelled() => {}
                }
            }
            self.write().await
        };
        let late = async {
            over.cancelled().await;
            tokio::time::sleep(END_MAX).await;
        };
        tokio::select! {
            written = writes => if let Err(error) = written {
                tracing::warn!(%error, "the last runs of workers were not written down");
            },
            () = late => tracing::warn!("the last runs of workers were not written down in time"),
        }
    }

    async fn settle_all(&self, told: &mpsc::Sender<Told>) {
        loop {
            let Some((settled, fence)) = self.inner().settles.pop_front() else { return };
            let (sid, version) = (settled.sid.clone(), settled.version);
            let done = answer(self.store.settle(&settled, fence.as_ref(), self.wall.now())).await;
            self.inner().settling.remove(&(sid.clone(), version));
            match done {
                // an error says that the driver has ended
                Ok(true) => drop(told.send(Told::Settled(sid, version)).await),
                // the node asks again, if it is still its to say
                Ok(false) => tracing::debug!(sid, "the lease under which a worker ended is gone"),
                Err(error) => tracing::debug!(%error, sid, "it was not written down that a worker ended"),
            }
        }
    }

    /// Writes what there is. What a failure left is written the next time.
    async fn write(&self) -> Result<(), StoreError> {
        loop {
            let batch: Vec<RunRecord> = {
                let inner = &mut *self.inner();
                let ended = inner.ended.len().min(BATCH);
                let mut batch: Vec<RunRecord> = inner.ended.drain(..ended).collect();
                // thousands that are all written down are not gone through each time
                let open = inner.fresh.then(|| inner.open.values_mut()).into_iter().flatten();
                for (record, written) in open.filter(|(_, written)| !*written) {
                    if batch.len() == BATCH {
                        break;
                    }
                    *written = true;
                    batch.push(record.clone());
                }
                inner.fresh = batch.len() == BATCH;
                batch
            };
            if batch.is_empty() {
                break;
            }
            if let Err(error) = answer(self.store.save_runs(&batch, KEPT)).await {
                self.back(batch);
                return Err(error);
            }
        }
        loop {
            let batch: Vec<Totals> = {
                let totals = &mut self.inner().totals;
                let sids: Vec<String> = totals.keys().take(BATCH).cloned().collect();
                sids.iter().filter_map(|sid| totals.remove(sid)).collect()
            };
            if batch.is_empty() {
                return Ok(());
            }
            if let Err(error) = answer(self.store.save_totals(&batch)).await {
                let totals = &mut self.inner().totals;
                for old in batch {
                    totals.entry(old.sid.clone()).or_insert(old);
                }
                return Err(error);
            }
        }
    }

    fn back(&self, batch: Vec<RunRecord>) {
        let inner = &mut *self.inner();
        for record in batch.into_iter().rev() {
            match inner.open.get_mut(&record.id) {
                Some((_, written)) => {
                    *written = false;
                    inner.fresh = true;
                }
                // one that ended meanwhile is in the list already
                None if record.ended_at.is_some() && inner.ended.len() < ENDED_MAX => inner.ended.push_front(record),
                None => {}
            }
        }
    }
}

fn note(written: Result<(), StoreError>, failing: &mut bool) {
    match written {
        Ok(()) => *failing = false,
        // once when it begins, not each time
        Err(error) if !std::mem::replace(failing, true) => {
            tracing::warn!(%error, "runs of workers cannot be written down; they wait");
        }
        Err(_) => {}
    }
}

async fn answer<T>(question: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| StoreError::Unavailable("no answer in time".into());
    tokio::time::timeout(ANSWER_MAX, question).await.map_err(late)?
}

#[cfg(test)]
mod tests;
