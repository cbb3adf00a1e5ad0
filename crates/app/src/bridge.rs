//! Events between the processes of one house, over the bus.
//!
//! Messages only say that something changed; what it is, each process reads from the store. One that is
//! lost costs a second: every process also looks by itself.

use std::sync::Arc;

use bytes::Bytes;
use orrery_kernel::UserId;
use orrery_storage::{Bus, Heard};
use tokio::sync::broadcast::error::RecvError;

use crate::App;
use crate::events::Event;
use crate::tasks::Tasks;

/// The bus's topic.
const TOPIC: &str = "events";

/// An event as a message; `None`: other processes learn it from the ledger.
fn message(event: &Event) -> Option<String> {
    match event {
        Event::Price(_) | Event::Settings => Some("market".into()),
        Event::Access => Some("access".into()),
        Event::Channels => Some("channels".into()),
        Event::Plans { user } => Some(format!("plans {user}")),
        // runs are told by the process that has them
        Event::Ledger { .. } | Event::Filled { .. } | Event::Output(_) | Event::Alert(_) => None,
    }
}

/// Carries events both ways until `tasks` stop.
pub fn start(bus: Arc<dyn Bus>, app: &Arc<App>, tasks: &Tasks) {
    tasks.spawn("bridge-out", outwards(bus.clone(), app.clone(), tasks.clone()));
    tasks.spawn("bridge-in", inwards(bus, app.clone(), tasks.clone()));
}

async fn outwards(bus: Arc<dyn Bus>, app: Arc<App>, tasks: Tasks) {
    let (mut events, stopping) = (app.events.outgoing(), tasks.stopping());
    loop {
        let event = tokio::select! {
            () = stopping.cancelled() => return,
            event = events.recv() => event,
        };
        let text = match event {
            Ok(event) => message(&event),
            // whatever it was, looking finds it
            Err(RecvError::Lagged(_)) => Some("market".into()),
            Err(RecvError::Closed) => return,
        };
        if let Some(text) = text
            && let Err(error) = bus.publish(TOPIC, Bytes::from(text)).await
        {
            tracing::debug!(%error, "other processes learn of it by looking");
        }
    }
}

async fn inwards(bus: Arc<dyn Bus>, app: Arc<App>, tasks: Tasks) {
    let stopping = tasks.stopping();
    let mut listening = match bus.listen(TOPIC).await {
        Ok(listening) => listening,
        Err(error) => {
            tracing::warn!(%error, "the bus cannot be listened to");
            return;
        }
    };
    loop {
        let heard = tokio::select! {
            () = stopping.cancelled() => return,
            heard = listening.next() => heard,
        };
        match heard {
            Heard::Message(bytes) => take(&app, &String::from_utf8_lossy(&bytes)).await,
            Heard::Missed => {
                take(&app, "market").await;
                take(&app, "access").await;
                take(&app, "channels").await;
            }
        }
    }
}

async fn take(app: &App, text: &str) {
    match text.split_once(' ').unwrap_or((text, "")) {
        ("market", _) => {
            if let Err(error) = app.market.follow().await {
                tracing::debug!(%error, "could not follow the market");
            }
        }
        ("access", _) => app.auth.changed_elsewhere(),
        ("channels", _) => app.events.relay(Event::Channels),
        ("plans", user) => {
            if let Ok(user) = user.parse() {
                app.events.relay(Event::Plans { user: UserId(user) });
            }
        }
        _ => tracing::debug!("a message of another version"),
    }
}
