//! Those who are no more: what runs of theirs ends, and their directory goes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use orrery_exec::RunError;
use orrery_identity::{Caller, IdentityStore};
use orrery_kernel::{Error, ErrorCode, Result, UserId};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::{Exec, failed};
use crate::events::{Event, Events};

/// Users remembered as gone, so that a request that was under way begins nothing; of more, the first are forgotten.
const GONE_MAX: usize = 1_024;
/// Between two looks at whose directories there are.
const PERIOD: Duration = Duration::from_secs(3_600);
/// How often, and how long apart, a directory is tried to be dropped: what ran in it is asked to end, then killed.
const TRIES: u32 = 10;
const AGAIN: Duration = Duration::from_millis(500);

/// Who runs something, and who is gone.
#[derive(Default)]
pub(super) struct Leavers(Mutex<State>);

#[derive(Default)]
struct State {
    /// Of users who run something; others are forgotten.
    ends: HashMap<UserId, Weak<CancellationToken>>,
    gone: VecDeque<UserId>,
}

impl Leavers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What tells a run that its user is gone. To be held for as long as it goes on.
    ///
    /// # Errors
    /// `Forbidden` for who is gone already.
    pub(super) fn enter(&self, user: UserId) -> Result<Arc<CancellationToken>> {
        let mut state = self.state();
        if state.gone.contains(&user) {
            return Err(gone());
        }
        state.ends.retain(|_, end| end.strong_count() > 0);
        if let Some(end) = state.ends.get(&user).and_then(Weak::upgrade) {
            return Ok(end);
        }
        let end = Arc::new(CancellationToken::new());
        state.ends.insert(user, Arc::downgrade(&end));
        Ok(end)
    }

    /// They are gone.
    fn end(&self, user: UserId) {
        let mut state = self.state();
        if !state.gone.contains(&user) {
            if state.gone.len() == GONE_MAX {
                state.gone.pop_front();
            }
            state.gone.push_back(user);
        }
        if let Some(end) = state.ends.remove(&user).and_then(|end| end.upgrade()) {
            end.cancel();
        }
    }

    /// Those who run something.
    fn running(&self) -> Vec<UserId> {
        let state = self.state();
        state.ends.iter().filter(|(_, end)| end.strong_count() > 0).map(|(user, _)| *user).collect()
    }
}

pub(super) fn gone() -> Error {
    Error::new(ErrorCode::Forbidden, "This account is no more")
}

impl Exec {
    /// Ends what a user runs and drops their directory; nothing of theirs begins any more. For those who were deleted.
    /// Twice is fine.
    ///
    /// # Errors
    /// `Unavailable` when the directory cannot be dropped now; a later look drops it.
    pub async fn forget(&self, user: UserId) -> Result<()> {
        self.leavers.end(user);
        let sessions = self.sessions.take_of(user);
        futures_util::future::join_all(sessions.iter().map(|session| session.terminal.terminate())).await;
        let mut tried = 1;
        loop {
            match self.parts.workspaces.remove(user).await {
                Ok(()) => return Ok(()),
                // what runs on there is about to be killed
                Err(RunError::Unavailable(_)) if tried < TRIES => tokio::time::sleep(AGAIN).await,
                Err(error) => return Err(failed("command", error)),
            }
            tried += 1;
        }
    }

    async fn forget_if_gone(&self, users: &dyn IdentityStore, user: UserId) {
        if user == Caller::LOCAL {
            return;
        }
        let forgotten = match users.user(user).await {
            Ok(Some(_)) => return,
            Ok(None) => self.forget(user).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = forgotten {
            tracing::warn!(%error, cause = ?error.internal, "what a deleted user ran with stays for now");
        }
    }

    /// Forgets those who are deleted in other processes, and those whose directories were left, until the process stops.
    pub(super) async fn watch_leavers(self: Arc<Self>, users: Arc<dyn IdentityStore>, events: Events) {
        let (mut events, stopping) = (events.subscribe(), self.tasks.stopping());
        let mut tick = tokio::time::interval(PERIOD);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let seen = tokio::select! {
                () = stopping.cancelled() => return,
                event = events.recv() => match event {
                    Ok(Event::Access) | Err(RecvError::Lagged(_)) => self.leavers.running(),
                    Ok(_) => continue,
                    Err(RecvError::Closed) => return,
                },
                _ = tick.tick() => self.parts.workspaces.owners().await.unwrap_or_else(|error| {
                    tracing::warn!(%error, "directories of commands were not looked at");
                    Vec::new()
                }),
            };
            for user in seen {
                self.forget_if_gone(users.as_ref(), user).await;
            }
        }
    }
}
