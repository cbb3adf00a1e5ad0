//! Looks which workers are to run: all that are due, and of these what changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::StoreError;
use orrery_workers::fleet::FleetStore;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Told;

/// Between two looks, where nobody says that something changed.
const EVERY: Duration = Duration::from_secs(2);
/// A look takes at most this part of the time until the next, so that many idle workers stay cheap.
const SHARE: u32 = 1_000;
/// The longest time between two looks.
const EVERY_MAX: Duration = Duration::from_secs(30);
/// Between two looks that were asked for: many saves are one look.
const SOON: Duration = Duration::from_millis(20);
/// Longest time for the store to answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Most workers of a fleet that a node knows of; further ones, by id, are not seen.
pub(super) const WORKERS_MAX: u32 = 200_000;
/// Workers that are read at once.
const READ_AT_ONCE: usize = 500;

/// Who looks.
pub(super) struct Look {
    store: Arc<dyn FleetStore>,
    node: String,
    told: mpsc::Sender<Told>,
    known: HashMap<String, i64>,
}

impl Look {
    /// For that node; what changes is told.
    pub fn new(store: Arc<dyn FleetStore>, node: String, told: mpsc::Sender<Told>) -> Self {
        Self { store, node, told, known: HashMap::new() }
    }

    /// Looks from time to time and whenever it is woken.
    pub async fn run(mut self, wake: Arc<Notify>, stopping: CancellationToken) {
        let mut failing = false;
        loop {
            let began = Instant::now();
            let looked = tokio::select! {
                looked = self.look() => looked,
                () = stopping.cancelled() => return,
            };
            match looked {
                Ok(()) => failing = false,
                // once when it begins, not each time
                Err(error) if !std::mem::replace(&mut failing, true) => {
                    tracing::warn!(%error, "workers cannot be looked at; those that run go on");
                }
                Err(_) => {}
            }
            let took = began.elapsed();
            let soon = tokio::time::sleep(SOON.max(took));
            let pause = tokio::time::sleep((took * SHARE).clamp(EVERY, EVERY_MAX));
            tokio::select! {
                () = async { tokio::join!(soon, wake.notified()); } => {}
                () = pause => {}
                () = stopping.cancelled() => return,
            }
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        let due = answer(self.store.due_workers(&self.node, WORKERS_MAX)).await?;
        let mut before = std::mem::take(&mut self.known);
        let mut changed = Vec::new();
        for (sid, version) in due {
            match before.remove(&sid) {
                Some(known) if known == version => {
                    self.known.insert(sid, known);
                }
                Some(known) => {
                    self.known.insert(sid.clone(), known);
                    changed.push(sid);
                }
                None => changed.push(sid),
            }
        }
        for (sid, _) in before {
            self.tell(Told::Unwant(sid)).await;
        }
        for sids in changed.chunks(READ_AT_ONCE) {
            for worker in answer(self.store.load_workers(sids)).await?.into_iter().filter(|w| w.spec.active) {
                self.known.insert(worker.sid.clone(), worker.version);
                self.tell(Told::Want(Box::new(worker))).await;
            }
        }
        Ok(())
    }

    async fn tell(&self, what: Told) {
        // an error says that the driver has ended
        let _ = self.told.send(what).await;
    }
}

async fn answer<T>(question: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| StoreError::Unavailable("no answer in time".into());
    tokio::time::timeout(ANSWER_MAX, question).await.map_err(late)?
}
