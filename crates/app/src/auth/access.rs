//! Who a token stands for, remembered until anybody's permissions change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orrery_identity::{ApiKey, IdentityStore, Session, SessionId, User};
use orrery_kernel::{Result, StoreError};
use tokio_util::sync::CancellationToken;

use crate::events::{Event, Events};

/// Sessions and keys remembered; when full, all are read again.
const REMEMBERED_MAX: usize = 10_000;

pub(super) struct Access {
    store: Arc<dyn IdentityStore>,
    events: Events,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// Rises with every change, so that what was read before one is not remembered after it.
    generation: u64,
    sessions: HashMap<SessionId, (Session, User)>,
    keys: HashMap<[u8; 32], (ApiKey, User)>,
}

impl Access {
    pub(super) fn new(store: Arc<dyn IdentityStore>, events: Events) -> Self {
        Self { store, events, memory: Mutex::default() }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn session(&self, id: &SessionId) -> Result<Option<(Session, User)>> {
        let generation = {
            let memory = self.memory();
            if let Some(found) = memory.sessions.get(id) {
                return Ok(Some(found.clone()));
            }
            memory.generation
        };
        let found = self.store.session(id).await?;
        if let Some(found) = &found {
            let mut memory = self.memory();
            if memory.generation == generation {
                if memory.sessions.len() >= REMEMBERED_MAX {
                    memory.sessions.clear();
                }
                memory.sessions.insert(id.clone(), found.clone());
            }
        }
        Ok(found)
    }

    pub(super) async fn api_key(&self, hash: &[u8; 32]) -> Result<Option<(ApiKey, User)>> {
        let generation = {
            let memory = self.memory();
            if let Some(found) = memory.keys.get(hash) {
                return Ok(Some(found.clone()));
            }
            memory.generation
        };
        let found = self.store.api_key(hash).await?;
        if let Some(found) = &found {
            let mut memory = self.memory();
            if memory.generation == generation {
                if memory.keys.len() >= REMEMBERED_MAX {
                    memory.keys.clear();
                }
                memory.keys.insert(*hash, found.clone());
            }
        }
        Ok(found)
    }

    /// Somebody's permissions changed: forget everything, tell the sockets.
    pub(super) fn changed(&self) {
        self.forget();
        self.events.send(Event::Access);
    }

    /// The same, begun by another process.
    pub(super) fn changed_elsewhere(&self) {
        self.forget();
        self.events.relay(Event::Access);
    }

    fn forget(&self) {
        let mut memory = self.memory();
        memory.generation += 1;
        memory.sessions.clear();
        memory.keys.clear();
    }

    /// Looks for changes that other processes made, so often.
    pub(super) async fn watch(self: Arc<Self>, often: Duration, stopping: CancellationToken) {
        let mut seen = None;
        let mut tick = tokio::time::interval(often);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => {}
            }
            match self.store.version().await {
                Ok(version) => {
                    // the first look counts too: what was remembered before it may be out of date
                    if seen.replace(version) != Some(version) {
                        self.changed_elsewhere();
                    }
                }
                // what is remembered may be out of date: better to ask again than to trust it
                Err(error @ (StoreError::Unavailable(_) | StoreError::Unknown(_) | StoreError::Corrupt { .. })) => {
                    tracing::warn!(%error, "could not look for changed permissions");
                    self.changed_elsewhere();
                }
            }
        }
    }
}
