//! What workers write, for who reads it and who waits for more.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use orrery_kernel::Result;
use orrery_storage::{Bus, Heard};
use orrery_wallets::Session;
use orrery_workers::logs::{LogSize, LogStore, Numbered};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::Workers;

/// On the bus: these workers have new lines in the store, their ids with line breaks between; an empty message: any.
const TOPIC: &str = "worker-logs";
/// How often one looks for new lines that nobody told of.
const LOOK: Duration = Duration::from_secs(1);
/// Lines that are read at once.
const PAGE: u32 = 200;
/// Messages that a follower may be behind; further behind it looks in any case.
const BEHIND_MAX: usize = 64;
/// Before a bus that could not be listened to is asked again.
const AGAIN: Duration = Duration::from_secs(2);

/// Who has new lines, as the bus tells it.
#[derive(Clone)]
pub(super) struct Written(broadcast::Sender<Bytes>);

impl Default for Written {
    fn default() -> Self {
        Self(broadcast::channel(BEHIND_MAX).0)
    }
}

impl Written {
    /// Listens until everything stops.
    pub(super) async fn hear(self, bus: Arc<dyn Bus>, stopping: CancellationToken) {
        let listen = async {
            loop {
                match bus.listen(TOPIC).await {
                    Ok(mut listening) => loop {
                        let message = match listening.next().await {
                            Heard::Message(message) => message,
                            Heard::Missed => Bytes::new(),
                        };
                        // an error only says that nobody follows
                        let _ = self.0.send(message);
                    },
                    Err(error) => tracing::debug!(%error, "new lines of logs are found by looking"),
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::select! {
            () = listen => {}
            () = stopping.cancelled() => {}
        }
    }
}

/// Reads a worker's log as it grows.
pub struct Follower {
    sid: String,
    last: i64,
    logs: Arc<dyn LogStore>,
    written: broadcast::Receiver<Bytes>,
}

impl Follower {
    /// The next lines after those that were given, at most 200; waits until there are some. Nothing is lost when
    /// the future is dropped.
    ///
    /// # Errors
    /// `Unavailable` when the store does not answer; it may be asked again.
    pub async fn next(&mut self) -> Result<Vec<Numbered>> {
        loop {
            let lines = self.now().await?;
            if !lines.is_empty() {
                return Ok(lines);
            }
            // it is time to look, whether somebody told or not
            let _ = tokio::time::timeout(LOOK, self.told()).await;
        }
    }

    /// The next lines that are there, at most 200; none at the end of the log.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn now(&mut self) -> Result<Vec<Numbered>> {
        let lines = self.logs.after(&self.sid, self.last, PAGE).await?;
        if let Some(line) = lines.last() {
            self.last = line.id;
        }
        Ok(lines)
    }

    async fn told(&mut self) {
        loop {
            match self.written.recv().await {
                Ok(message) if message.is_empty() => return,
                Ok(message) if message.split(|b| *b == b'\n').any(|sid| sid == self.sid.as_bytes()) => return,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
            }
        }
    }
}

impl Workers {
    /// How much log there is of the wallet's workers, newest first, or of the one that is named.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn log_sizes(&self, session: &Session, sid: Option<&str>) -> Result<Vec<(String, LogSize)>> {
        let sids = match sid {
            Some(sid) => vec![self.get(session, sid).await?.sid],
            None => self.list(session).await?.into_iter().map(|worker| worker.sid).collect(),
        };
        let sizes = self.logs.sizes(&sids).await?;
        let mut sizes: std::collections::HashMap<String, LogSize> = sizes.into_iter().collect();
        Ok(sids.into_iter().map(|sid| sizes.remove_entry(&sid).unwrap_or((sid, LogSize::default()))).collect())
    }

    /// Reads the log of one of the wallet's workers: after the line `after`, else its last `tail` lines, else all of
    /// it; then what comes.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn follow(
        &self,
        session: &Session,
        sid: &str,
        after: Option<i64>,
        tail: Option<u32>,
    ) -> Result<Follower> {
        self.get(session, sid).await?;
        let written = self.written.0.subscribe();
        let last = match (after, tail) {
            (Some(after), _) => after,
            (None, None) => 0,
            (None, Some(0)) => self.logs.tail(sid, 1).await?.last().map_or(0, |line| line.id),
            (None, Some(tail)) => self.logs.tail(sid, tail).await?.first().map_or(0, |line| line.id - 1),
        };
        Ok(Follower { sid: sid.to_owned(), last, logs: self.logs.clone(), written })
    }
}
