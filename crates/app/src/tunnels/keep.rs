//! One tunnel, from its opening to its end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orrery_kernel::{Secret, Timestamp};
use orrery_tunnels::{Asked, Door, Doors, Heard, LogTail, Opened, TunnelError, TunnelProvider};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{AGAIN_MAX, State, Tunnel, TunnelSettings};

/// The place of a kind's tunnel, whether there is one or not.
pub(super) struct Slot {
    provider: Arc<dyn TunnelProvider>,
    now: Mutex<Now>,
    /// Counts changes of the state.
    changed: watch::Sender<u64>,
    told: mpsc::Sender<serde_json::Value>,
    /// Who starts.
    pub(super) turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Now {
    state: State,
    url: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    log: LogTail,
    token: Option<Secret<String>>,
    stop: Option<CancellationToken>,
}

impl Slot {
    pub(super) fn new(provider: Arc<dyn TunnelProvider>, told: mpsc::Sender<serde_json::Value>) -> Self {
        let (now, turn) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { provider, now, changed: watch::Sender::new(0), told, turn }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        // every change below leaves it whole
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tunnel(&self) -> Tunnel {
        let now = self.now();
        Tunnel {
            kind: self.provider.kind(),
            state: now.state.clone(),
            url: now.url.clone(),
            since: now.since,
            until: now.until,
            log: now.log.lines(),
        }
    }

    /// Is there one, or is there to be one?
    pub(super) fn is_there(&self) -> bool {
        matches!(self.now().state, State::Starting | State::Running | State::Degraded(_))
    }

    fn set(&self, state: State, url: Option<String>) {
        let mut now = self.now();
        if now.state == state && now.url == url {
            return;
        }
        (now.state, now.url) = (state, url);
        let mut change = json!({
            "service": self.provider.kind().name(), "status": now.state.name(), "public_url": now.url
        });
        if let Some(problem) = now.state.problem() {
            change["error"] = json!(problem);
        }
        drop(now);
        // the topic may lag; the state is asked for by request
        let _ = self.told.try_send(change);
        self.changed.send_modify(|count| *count += 1);
    }

    /// A new tunnel begins; the token ends it.
    pub(super) fn begin(&self, at: Timestamp, lifetime: Duration, token: Option<&Secret<String>>) -> CancellationToken {
        let stop = CancellationToken::new();
        *self.now() = Now {
            since: Some(at),
            until: Some(at.plus(lifetime)),
            token: token.cloned(),
            stop: Some(stop.clone()),
            ..Now::default()
        };
        self.set(State::Starting, None);
        stop
    }

    /// Waits until it is neither being opened nor being closed.
    pub(super) async fn settled(&self) {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if !matches!(self.now().state, State::Starting | State::Stopping) {
                return;
            }
            // it lives as long as this
            let _ = changed.changed().await;
        }
    }

    /// Ends what there is, and waits for it.
    pub(super) async fn stop(&self) {
        // without one somebody else ends it, or there is none
        let stop = self.now().stop.take();
        if let Some(stop) = stop {
            if self.is_there() {
                self.set(State::Stopping, None);
            }
            stop.cancel();
        }
        self.settled().await;
        if !self.is_there() {
            self.set(State::Stopped, None);
        }
    }

    /// Carries a tunnel until it ends.
    pub(super) async fn keep(
        self: Arc<Self>,
        asked: Asked,
        doors: Arc<dyn Doors>,
        settings: TunnelSettings,
        stop: CancellationToken,
        stopping: CancellationToken,
    ) {
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => State::Stopped,
            () = stopping.cancelled() => State::Stopped,
            () = sleep(settings.lifetime) => {
                self.now().log.push("its time is over", None);
                State::Stopped
            }
            error = self.carry(asked, &*doors, settings.again) => {
                tracing::warn!(tunnel = self.provider.kind().name(), %error, "no tunnel");
                State::Failed(error)
            }
        };
        {
            let mut now = self.now();
            (now.stop, now.token, now.until) = (None, None, None);
        }
        self.set(ended, None);
    }

    /// Opens it, and again when it is lost; ends with why there is none.
    async fn carry(self: &Arc<Self>, mut asked: Asked, doors: &dyn Doors, again: (Duration, Duration)) -> TunnelError {
        let door = match doors.open().await {
            Ok(door) => door,
            Err(error) => return TunnelError::Unavailable(format!("no port for it: {}", error.kind())),
        };
        let mut failures = 0;
        loop {
            let hearing = Arc::new(Hearing { slot: self.clone(), door: door.clone(), opened: Mutex::default() });
            let error = self.provider.carry(&asked, door.port(), hearing.clone()).await;
            let opened = hearing.opened.lock().unwrap_or_else(PoisonError::into_inner).take();
            match opened {
                Some(opened) => {
                    failures = 0;
                    // under the name that it had, if it may be had again
                    asked.name = opened.name.or(asked.name);
                }
                None if self.now().url.is_none() => return error,
                None => failures += 1,
            }
            if failures == AGAIN_MAX {
                return error;
            }
            let url = self.now().url.clone();
            self.now().log.push(&error.to_string(), None);
            self.set(State::Degraded(error.to_string()), url);
            sleep(again.0.saturating_mul(1 << failures.min(16)).min(again.1)).await;
        }
    }
}

/// Listens to a provider.
struct Hearing {
    slot: Arc<Slot>,
    door: Arc<dyn Door>,
    opened: Mutex<Option<Opened>>,
}

impl Heard for Hearing {
    fn opened(&self, opened: Opened) {
        self.door.answer_to(&opened.host());
        let url = opened.url().to_owned();
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
        self.slot.set(State::Running, Some(url));
    }

    fn line(&self, text: &str) {
        let mut now = self.slot.now();
        let token = now.token.clone();
        now.log.push(text, token.as_ref().map(|token| token.expose().as_str()));
    }
}
