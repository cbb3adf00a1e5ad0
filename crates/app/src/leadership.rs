//! Which of several processes does what only one may do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orrery_storage::{Lease, LeaseStore};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::tasks::Tasks;

/// How long a lease lasts without being renewed: the longest that nobody does the work.
const TTL: Duration = Duration::from_secs(30);
/// Between renewals.
const RENEW: Duration = Duration::from_secs(8);
/// Between attempts to get it.
const ATTEMPT: Duration = Duration::from_secs(3);
/// The holder stops this long before its lease can be over.
const MARGIN: Duration = Duration::from_secs(5);

/// The lease as this process has it. Cheap to clone.
#[derive(Clone)]
pub struct Leadership {
    held: Arc<Mutex<Option<(Lease, Instant)>>>,
    leads: watch::Receiver<bool>,
}

impl Leadership {
    /// Keeps trying for lease `key` as `holder` until `tasks` stop, and then gives it back.
    pub fn start(store: Arc<dyn LeaseStore>, key: &'static str, holder: String, tasks: &Tasks) -> Self {
        let (sender, leads) = watch::channel(false);
        let held = Arc::default();
        let this = Self { held, leads };
        tasks.spawn("leadership", hold(store, key, holder, this.held.clone(), sender, tasks.clone()));
        this
    }

    /// The lease, while it is certainly not over.
    pub fn lease(&self) -> Option<Lease> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().filter(|(_, end)| Instant::now() < *end).map(|(lease, _)| lease.clone())
    }

    /// Waits until this process leads (`true`) or no longer does.
    pub async fn changed_to(&self, leads: bool) {
        let mut watch = self.leads.clone();
        // an error says that the task has ended, which it does when everything stops
        let _ = watch.wait_for(|now| *now == leads).await;
    }
}

async fn hold(
    store: Arc<dyn LeaseStore>,
    key: &'static str,
    holder: String,
    held: Arc<Mutex<Option<(Lease, Instant)>>>,
    leads: watch::Sender<bool>,
    tasks: Tasks,
) {
    let stopping = tasks.stopping();
    let set = |value: Option<(Lease, Instant)>| {
        let is = value.is_some();
        *held.lock().unwrap_or_else(PoisonError::into_inner) = value;
        leads.send_if_modified(|now| std::mem::replace(now, is) != is);
    };
    let mut current: Option<(Lease, Instant)> = None;
    loop {
        // counted from before the question, so that it ends here before it ends in the store
        let asked = Instant::now();
        let end = asked + TTL - MARGIN;
        current = match current.take() {
            None => match store.acquire(key, &holder, TTL).await {
                Ok(Some(lease)) => {
                    tracing::info!(key, epoch = lease.epoch, "this process leads");
                    Some((lease, end))
                }
                Ok(None) => None,
                Err(error) => {
                    tracing::warn!(%error, key, "could not ask for the lease");
                    None
                }
            },
            Some((lease, until)) => match store.renew(&lease, TTL).await {
                Ok(true) => Some((lease, end)),
                Ok(false) => {
                    tracing::warn!(key, epoch = lease.epoch, "the lease is lost");
                    None
                }
                Err(error) if Instant::now() < until => {
                    tracing::warn!(%error, key, "could not renew the lease");
                    Some((lease, until))
                }
                Err(error) => {
                    tracing::warn!(%error, key, "could not renew the lease in time");
                    None
                }
            },
        };
        set(current.clone());
        let wait = if current.is_some() { RENEW } else { ATTEMPT };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stopping.cancelled() => break,
        }
    }
    set(None);
    if let Some((lease, _)) = current
        && let Err(error) = store.release(&lease).await
    {
        tracing::debug!(%error, key, "the lease was not given back; it runs out");
    }
}
