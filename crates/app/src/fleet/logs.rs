//! Where scripts' lines go: a bounded line to the store, written in batches.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use orrery_kernel::{Clock, StoreError};
use orrery_storage::{Bus, MESSAGE_BYTES_MAX};
use orrery_workers::logs::{Line, LogBounds, LogStore};
use orrery_workers::script::Level;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::redact::Secrets;
use super::running::LogSink;

/// On the bus: these workers have new lines in the store, their ids with line breaks between; an empty message: any.
pub const LOGS_TOPIC: &str = "worker-logs";
/// Lines that wait for the store; what comes then is counted, and told once there is room.
const LINES_MAX: usize = 50_000;
/// Bytes of these lines.
const BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Lines of one batch.
const BATCH: usize = 2_000;
/// Between two batches, so that lines come together.
const PAUSE: Duration = Duration::from_millis(50);
/// After a batch that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// Longest time for the store to answer, and for the bus to take a message.
const ANSWER_MAX: (Duration, Duration) = (Duration::from_secs(20), Duration::from_millis(500));
/// How long the last lines may take when everything ends.
const END_MAX: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Inner {
    lines: VecDeque<Line>,
    bytes: usize,
    /// Of each worker; they are workers that run here.
    left_out: HashMap<String, u64>,
}

/// Lines on their way to the store.
pub(super) struct Logs {
    store: Arc<dyn LogStore>,
    wall: Arc<dyn Clock>,
    bounds: LogBounds,
    inner: Mutex<Inner>,
    some: Notify,
}

impl Logs {
    /// To that store.
    pub fn new(store: Arc<dyn LogStore>, wall: Arc<dyn Clock>, bounds: LogBounds) -> Arc<Self> {
        Arc::new(Self { store, wall, bounds, inner: Mutex::default(), some: Notify::new() })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line.
    pub fn add(&self, sid: &str, level: Level, text: String) {
        let at = self.wall.now();
        let mut inner = self.inner();
        if inner.lines.len() >= LINES_MAX || inner.bytes + text.len() > BYTES_MAX {
            match inner.left_out.get_mut(sid) {
                Some(count) => *count += 1,
                None => {
                    inner.left_out.insert(sid.to_owned(), 1);
                }
            }
            return;
        }
        inner.bytes += text.len();
        inner.lines.push_back(Line { sid: sid.to_owned(), at, level, text });
        drop(inner);
        self.some.notify_one();
    }

    /// Writes lines until it is `over` and all are written, or the store takes too long for that.
    pub async fn keep(self: Arc<Self>, bus: Arc<dyn Bus>, over: CancellationToken) {
        let work = async {
            let mut failing = false;
            while !over.is_cancelled() {
                tokio::select! {
                    () = self.some.notified() => {}
                    () = over.cancelled() => {}
                }
                while let Some(lines) = self.take() {
                    self.write(&lines, &mut failing).await;
                    tell(&*bus, &lines).await;
                    tokio::select! {
                        () = tokio::time::sleep(PAUSE) => {}
                        () = over.cancelled() => {}
                    }
                }
            }
        };
        let late = async {
            over.cancelled().await;
            tokio::time::sleep(END_MAX).await;
        };
        tokio::select! {
            () = work => {}
            () = late => tracing::warn!("the last lines of workers' logs were not written in time"),
        }
    }

    /// The next lines; those that were left out are told first.
    fn take(&self) -> Option<Vec<Line>> {
        let at = self.wall.now();
        let inner = &mut *self.inner();
        let some = inner.lines.len().min(BATCH);
        let mut lines: Vec<Line> = inner.lines.drain(..some).collect();
        inner.bytes -= lines.iter().map(|line| line.text.len()).sum::<usize>();
        if inner.lines.len() < LINES_MAX / 2 {
            lines.extend(inner.left_out.drain().map(|(sid, count)| Line {
                sid,
                at,
                level: Level::Warn,
                text: format!("{count} lines were left out: the node could not write them down"),
            }));
        }
        (!lines.is_empty()).then_some(lines)
    }

    async fn write(&self, lines: &[Line], failing: &mut bool) {
        let append = || async {
            let late = |_| StoreError::Unavailable("no answer in time".into());
            tokio::time::timeout(ANSWER_MAX.0, self.store.append(lines, &self.bounds)).await.map_err(late)?
        };
        while let Err(error) = append().await {
            // once when it begins, not each time
            if !std::mem::replace(failing, true) {
                tracing::warn!(%error, "workers' logs cannot be written");
            }
            tokio::time::sleep(AGAIN).await;
        }
        *failing = false;
    }
}

async fn tell(bus: &dyn Bus, lines: &[Line]) {
    let sids: BTreeSet<&str> = lines.iter().map(|line| line.sid.as_str()).collect();
    let text = sids.into_iter().collect::<Vec<_>>().join("\n");
    let message = if text.len() <= MESSAGE_BYTES_MAX { Bytes::from(text) } else { Bytes::new() };
    let told = tokio::time::timeout(ANSWER_MAX.1, bus.publish(LOGS_TOPIC, message));
    if !matches!(told.await, Ok(Ok(()))) {
        tracing::debug!("who reads logs learns of new lines by looking");
    }
}

/// The lines of one run, without secrets.
pub(super) struct RunLog {
    logs: Arc<Logs>,
    secrets: Arc<Secrets>,
}

impl RunLog {
    /// Without those secrets and what looks like one.
    pub fn new(logs: Arc<Logs>, secrets: Arc<Secrets>) -> Self {
        Self { logs, secrets }
    }
}

impl LogSink for RunLog {
    fn line(&self, sid: &str, level: Level, text: &str) {
        self.logs.add(sid, level, self.secrets.redact(text));
    }
}
