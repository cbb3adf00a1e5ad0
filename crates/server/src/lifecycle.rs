//! Signals, and the end of the process.

use std::time::Duration;

use orrery_app::tasks::Tasks;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::listen::Serving;

/// The signals that the server listens for.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was begun is done.
    Clean,
    /// Time ran out, or a second signal came; requests were cut.
    Cut,
    /// A task of the server failed.
    Failed,
}

impl Signals {
    /// Takes the signals over from their defaults.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next one that asks to end.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Runs tasks without listeners until a signal or a failed task, then drains them.
pub async fn run_tasks(mut signals: Signals, tasks: &Tasks, draining: &watch::Sender<bool>, grace: Duration) -> Ended {
    let stopping = tasks.stopping();
    tokio::select! {
        () = signals.end() => {}
        () = stopping.cancelled() => {}
    }
    tracing::info!("draining");
    draining.send_replace(true);
    let ended = tokio::select! {
        () = tasks.drain() => if tasks.failed() { Ended::Failed } else { Ended::Clean },
        () = tokio::time::sleep(grace) => Ended::Cut,
        () = signals.end() => Ended::Cut,
    };
    tracing::info!(ended = ?ended, "stopped");
    ended
}

/// Runs until a signal or a failed task, then drains: requests finish first, then tasks, at most
/// `grace` together. `on_hangup` runs at each SIGHUP.
pub async fn run(
    mut signals: Signals,
    serving: &Serving,
    tasks: &Tasks,
    draining: &watch::Sender<bool>,
    grace: Duration,
    on_hangup: impl Fn(),
) -> Ended {
    let stopping = tasks.stopping();
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            () = stopping.cancelled() => break,
            _ = signals.hangup.recv() => on_hangup(),
        }
    }
    tracing::info!("draining");
    draining.send_replace(true);
    let drain = async {
        // the ledger's writer must outlive the requests that wait for it
        serving.drain().await;
        tasks.drain().await;
    };
    let ended = tokio::select! {
        () = drain => if tasks.failed() { Ended::Failed } else { Ended::Clean },
        () = tokio::time::sleep(grace) => Ended::Cut,
        () = signals.end() => Ended::Cut,
    };
    serving.close();
    tracing::info!(ended = ?ended, "stopped");
    ended
}
