//! What happened, told once to whoever listens in this process.

use std::sync::Arc;

use orrery_kernel::UserId;
use orrery_ledger::Seq;
use tokio::sync::broadcast;

use crate::market::quote::Quote;

/// Something that open sockets want to know.
#[derive(Clone, Debug)]
pub enum Event {
    /// The price changed.
    Price(Arc<Quote>),
    /// An entry touched the user's accounts.
    Ledger {
        /// Whose.
        user: UserId,
        /// Up to which entry.
        seq: Seq,
    },
    /// A limit order of the user's was executed.
    Filled {
        /// Whose.
        user: UserId,
        /// The entry that placed it.
        order: Seq,
    },
    /// A plan of the user's changed or ran.
    Plans {
        /// Whose.
        user: UserId,
    },
    /// An administrator changed settings.
    Settings,
    /// An administrator configured channels.
    Channels,
    /// A run of somebody's began, wrote, ended. Only this process tells of it.
    Output(Arc<crate::exec::Told>),
    /// Something that concerns security. Only this process tells of it.
    Alert(Arc<Alert>),
    /// Somebody's permissions changed (logout, password, role, deletion): re-check every socket.
    Access,
}

/// Something that concerns security, as the audit log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Whose account it concerns, where it is known.
    pub user: Option<UserId>,
    /// Who did it: `user:7`, `anonymous`, `operator`.
    pub actor: String,
    /// What: `login`.
    pub action: &'static str,
    /// With what.
    pub target: String,
    /// `ok`, or what became of it.
    pub outcome: String,
    /// From where.
    pub address: String,
}

/// A bounded broadcast. A listener that falls 1,024 events behind is told so by its receiver
/// (`Lagged`) and must resynchronise from state; nothing waits for it.
#[derive(Clone, Debug)]
pub struct Events {
    sender: broadcast::Sender<Event>,
    /// What began in this process, for the bridge to the others.
    outgoing: broadcast::Sender<Event>,
}

impl Default for Events {
    fn default() -> Self {
        Self { sender: broadcast::channel(1_024).0, outgoing: broadcast::channel(1_024).0 }
    }
}

impl Events {
    /// Tells all listeners, here and in other processes.
    pub fn send(&self, event: Event) {
        // an error only says that nobody listens
        let _ = self.outgoing.send(event.clone());
        let _ = self.sender.send(event);
    }

    /// Tells listeners here what began elsewhere.
    pub fn relay(&self, event: Event) {
        let _ = self.sender.send(event);
    }

    /// What begins in this process from now on.
    pub fn outgoing(&self) -> broadcast::Receiver<Event> {
        self.outgoing.subscribe()
    }

    /// Listens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }
}
