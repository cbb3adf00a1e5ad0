//! Tunnels from the internet to this process: at most one of each kind.
//!
//! What comes through one is never from this machine: it has a listener of its own ([`orrery_tunnels::Door`]), on which
//! nobody is the local operator.

mod keep;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keep::Slot;
use orrery_identity::Action;
use orrery_kernel::{Clock, Error, ErrorCode, Result, Timestamp};
use orrery_tunnels::{Asked, Doors, Kind, TunnelError, TunnelProvider};
use tokio::sync::mpsc;

use crate::Ctx;
use crate::auth::Auth;
use crate::tasks::Tasks;
use crate::topics::{Notice, Topics};

/// Changes that wait to be told on the topic; of more, the newest are not.
const TELLING_MAX: usize = 256;
/// Bounds of the time after which a tunnel that was lost is asked for again; it doubles in between.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Times in a row that a lost tunnel is asked for again.
const AGAIN_MAX: u32 = 6;

/// What tunnels are configured with.
#[derive(Clone, Debug)]
pub struct TunnelSettings {
    /// A tunnel ends after this.
    pub lifetime: Duration,
    /// How long one may take to open.
    pub patience: Duration,
    /// Can others than this machine act as operator without any proof? Then there are no tunnels.
    pub open_to_others: bool,
    /// Bounds of the time before a lost tunnel is asked for again.
    pub again: (Duration, Duration),
}

impl Default for TunnelSettings {
    fn default() -> Self {
        let (lifetime, patience) = (Duration::from_secs(8 * 3_600), Duration::from_secs(30));
        Self { lifetime, patience, open_to_others: false, again: AGAIN }
    }
}

/// Who makes tunnels, and where they lead to.
#[derive(Clone)]
pub struct TunnelParts {
    /// One of each kind that there is to be.
    pub providers: Vec<Arc<dyn TunnelProvider>>,
    /// The listeners.
    pub doors: Arc<dyn Doors>,
    /// Settings.
    pub settings: TunnelSettings,
}

/// How a tunnel is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// There is none.
    #[default]
    Stopped,
    /// It is being opened.
    Starting,
    /// It is open.
    Running,
    /// It was open, is lost, and is asked for again.
    Degraded(String),
    /// It is being closed.
    Stopping,
    /// It could not be opened, or not again.
    Failed(TunnelError),
}

impl State {
    /// The word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Degraded(_) => "degraded",
            Self::Stopping => "stopping",
            Self::Failed(_) => "failed",
        }
    }

    /// Why it is not as it should be.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Degraded(why) => Some(why.clone()),
            Self::Failed(error) => Some(error.to_string()),
            _ => None,
        }
    }
}

/// A tunnel as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Of which kind.
    pub kind: Kind,
    /// How it is.
    pub state: State,
    /// Its address, while it is open or asked for again.
    pub url: Option<String>,
    /// Since when it is this one.
    pub since: Option<Timestamp>,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// The last lines of what its program said, oldest first.
    pub log: Vec<String>,
}

/// The use cases of tunnels.
pub struct Tunnels {
    slots: BTreeMap<Kind, Arc<Slot>>,
    doors: Arc<dyn Doors>,
    settings: TunnelSettings,
    auth: Arc<Auth>,
    topics: Topics,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
}

impl Tunnels {
    pub(crate) fn new(
        parts: TunnelParts,
        auth: Arc<Auth>,
        topics: Topics,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let TunnelParts { providers, doors, settings } = parts;
        let (told, changes) = mpsc::channel(TELLING_MAX);
        let slot = |provider: Arc<dyn TunnelProvider>| (provider.kind(), Arc::new(Slot::new(provider, told.clone())));
        let slots = providers.into_iter().map(slot).collect();
        tasks.spawn("tunnel-topic", tell(changes, topics.clone(), tasks.clone()));
        Arc::new(Self { slots, doors, settings, auth, topics, clock, tasks: tasks.clone() })
    }

    fn slot(&self, kind: Kind) -> Result<&Arc<Slot>> {
        let none = || Error::new(ErrorCode::Unavailable, format!("There is no {} on this server", kind.name()));
        self.slots.get(&kind).ok_or_else(none)
    }

    /// Opens a tunnel, and waits until it is open. One that is open already is left as it is.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable` when its program is not there, in words that say how to get it; `Upstream` with the
    /// provider's words; `Timeout` is not among them: what takes too long is `Upstream` too, and is ended.
    pub async fn start(&self, ctx: &Ctx, kind: Kind, asked: Asked) -> Result<Tunnel> {
        let user = ctx.authorize(Action::Tunnel)?.user;
        if self.settings.open_to_others {
            let text = "No tunnel is opened while requests from beyond this machine may act as operator";
            return Err(Error::new(ErrorCode::Forbidden, text));
        }
        let slot = self.slot(kind)?;
        // who asks meanwhile gets the same tunnel
        let turn = slot.turn.lock().await;
        if !slot.is_there() {
            let stop = slot.begin(self.clock.now(), self.settings.lifetime, asked.token.as_ref());
            let keeping =
                slot.clone().keep(asked, self.doors.clone(), self.settings.clone(), stop, self.tasks.stopping());
            self.tasks.spawn_connection("tunnel", keeping);
        }
        let opened = tokio::time::timeout(self.settings.patience, slot.settled()).await;
        if opened.is_err() {
            slot.stop().await;
        }
        drop(turn);
        let tunnel = slot.tunnel();
        let failed = match (opened.is_err(), &tunnel.state) {
            (true, _) => {
                let seconds = self.settings.patience.as_secs();
                let last = tunnel.log.last().map(|line| format!(": {line}")).unwrap_or_default();
                Error::new(ErrorCode::Upstream, format!("{} did not open within {seconds} seconds{last}", kind.name()))
            }
            (false, State::Failed(error)) => failed(error),
            (false, State::Stopped | State::Stopping) => {
                Error::new(ErrorCode::Unavailable, format!("{} was stopped meanwhile", kind.name()))
            }
            (false, _) => {
                self.auth.record_outcome(ctx, "tunnel_start", kind.name().to_owned(), "ok").await;
                let message = format!("{} leads to this server", tunnel.url.as_deref().unwrap_or_default());
                let notice = Notice { kind: "tunnel", title: "Tunnel", message: &message, severity: "warning" };
                self.topics.notify(user, notice).await;
                return Ok(tunnel);
            }
        };
        self.auth.record_outcome(ctx, "tunnel_start", kind.name().to_owned(), "failed").await;
        Err(failed)
    }

    /// Closes a tunnel with everything of it; that there is none is fine.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn stop(&self, ctx: &Ctx, kind: Kind) -> Result<Tunnel> {
        ctx.authorize(Action::Tunnel)?;
        let slot = self.slot(kind)?;
        slot.stop().await;
        self.auth.record_outcome(ctx, "tunnel_stop", kind.name().to_owned(), "ok").await;
        Ok(slot.tunnel())
    }

    /// How a tunnel is.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn status(&self, ctx: &Ctx, kind: Kind) -> Result<Tunnel> {
        ctx.authorize(Action::Tunnel)?;
        Ok(self.slot(kind)?.tunnel())
    }
}

/// Why a tunnel did not open, as callers see it.
fn failed(error: &TunnelError) -> Error {
    let code = match error {
        TunnelError::Missing { .. } | TunnelError::Unavailable(_) => ErrorCode::Unavailable,
        TunnelError::Refused(_) | TunnelError::Unreachable(_) | TunnelError::Ended(_) => ErrorCode::Upstream,
    };
    Error::new(code, error.to_string())
}

/// Tells of changes on the topic, until the process stops.
async fn tell(mut changes: mpsc::Receiver<serde_json::Value>, topics: Topics, tasks: Tasks) {
    let stopping = tasks.stopping();
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            change = changes.recv() => match change {
                Some(change) => topics.tell("tunnel_status", change).await,
                None => return,
            },
        }
    }
}
