//! The single-writer group-commit pipeline.
//!
//! Commands queue in order; whatever waits when the store is free (up to [`LedgerSettings::batch`])
//! is decided and committed together, and each is answered only after that commit. A batch whose
//! outcome is unknown is resolved by key from the store, never from memory.
//!
//! The same task tells [`Events`] which users an entry touched, for its own entries and for those
//! that another process (the command line, another gateway) wrote to the same store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::{Clock, Error, ErrorCode, Result, StoreError, UserId};
use orrery_ledger::{Answer, Command, Kind, LedgerStore, Limits, Operation, Outcome, Seq};
use tokio::sync::{mpsc, oneshot};

use crate::events::{Event, Events};
use crate::tasks::Tasks;

/// Entries of other processes told at a time.
const FOLLOW_PAGE: u32 = 1_000;
/// Turns of the scheduler for which a batch waits to grow; some microseconds each.
const GATHER_TURNS: u32 = 64;
/// Waits between attempts to learn the outcome of a batch.
const RESOLVE_WAITS_MS: [u64; 4] = [20, 100, 500, 2_000];

/// The ledger's configuration.
#[derive(Clone, Debug)]
pub struct LedgerSettings {
    /// Bounds and price age.
    pub limits: Limits,
    /// Commands waiting; beyond that 503 with `Retry-After`.
    pub queue: usize,
    /// Most commands a commit.
    pub batch: usize,
    /// How often an idle writer looks for entries of other processes.
    pub follow: Duration,
}

impl Default for LedgerSettings {
    fn default() -> Self {
        Self { limits: Limits::default(), queue: 4_096, batch: 256, follow: Duration::from_millis(250) }
    }
}

struct Submission {
    command: Command,
    reply: oneshot::Sender<Result<Answer>>,
}

/// Hands commands to the writer task. Cheap to clone.
#[derive(Clone)]
pub struct LedgerWriter {
    sender: mpsc::Sender<Submission>,
}

impl LedgerWriter {
    /// Starts the writer task, which ends (after answering what is queued) when `tasks` stop.
    pub fn start(
        store: Arc<dyn LedgerStore>,
        clock: Arc<dyn Clock>,
        settings: &LedgerSettings,
        events: Events,
        tasks: &Tasks,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(settings.queue.max(1));
        let batch = settings.batch.clamp(1, 256);
        let (limits, follow) = (settings.limits, settings.follow);
        let task = Writer { store, clock, limits, batch, follow, events, told: None };
        tasks.spawn("ledger-writer", task.run(receiver, tasks.clone()));
        Self { sender }
    }

    /// Queues a command and waits for its committed answer.
    ///
    /// # Errors
    /// `Unavailable` when the queue is full or the store does not answer; the command may then be
    /// sent again under its key.
    pub async fn submit(&self, command: Command) -> Result<Answer> {
        let (reply, answer) = oneshot::channel();
        self.sender.try_send(Submission { command, reply }).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => {
                metrics::counter!("ledger_queue_full_total").increment(1);
                Error::unavailable("The ledger is busy; try again", Duration::from_secs(1))
            }
            mpsc::error::TrySendError::Closed(_) => stopping(),
        })?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }
}

fn stopping() -> Error {
    Error::unavailable("The server is stopping; try again", Duration::from_secs(1))
}

/// Decides and commits one command without a pipeline, for the command line.
pub async fn commit_once(
    store: &dyn LedgerStore,
    clock: &dyn Clock,
    limits: Limits,
    command: Command,
) -> Result<Answer> {
    let mut answers = commit(store, clock, limits, vec![command]).await?;
    answers.pop().ok_or_else(|| Error::internal("the store gave no answer"))
}

async fn commit(
    store: &dyn LedgerStore,
    clock: &dyn Clock,
    limits: Limits,
    commands: Vec<Command>,
) -> std::result::Result<Vec<Answer>, StoreError> {
    let (needs, now) = (orrery_ledger::needs(&commands), clock.now());
    store.commit(&needs, Box::new(move |view| orrery_ledger::decide(view, &commands, now, &limits))).await
}

/// Lets the clients that were just answered ask again, so that they share the next commit too: without
/// this a commit of a few alternates with one of all others. As many as `before` are expected, and waited
/// for no longer than some turns of the scheduler.
async fn gather(receiver: &mut mpsc::Receiver<Submission>, waiting: &mut Vec<Submission>, before: usize, most: usize) {
    for _ in 0..GATHER_TURNS {
        if waiting.len() >= before.min(most) {
            return;
        }
        tokio::task::yield_now().await;
        while waiting.len() < most
            && let Ok(submission) = receiver.try_recv()
        {
            waiting.push(submission);
        }
    }
}

struct Writer {
    store: Arc<dyn LedgerStore>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    batch: usize,
    follow: Duration,
    events: Events,
    /// Entries up to here have been told to listeners.
    told: Option<Seq>,
}

impl Writer {
    async fn run(mut self, mut receiver: mpsc::Receiver<Submission>, tasks: Tasks) {
        let stopping = tasks.stopping();
        let mut follow = tokio::time::interval(self.follow);
        follow.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut waiting = Vec::with_capacity(self.batch);
        let mut before = 0;
        loop {
            tokio::select! {
                biased;
                count = receiver.recv_many(&mut waiting, self.batch) => {
                    if count == 0 {
                        return;
                    }
                    gather(&mut receiver, &mut waiting, before, self.batch).await;
                    before = waiting.len();
                    self.commit(std::mem::take(&mut waiting)).await;
                }
                () = stopping.cancelled(), if !receiver.is_closed() => receiver.close(),
                _ = follow.tick() => self.follow().await,
            }
        }
    }

    async fn commit(&mut self, submissions: Vec<Submission>) {
        let (commands, replies): (Vec<_>, Vec<_>) = submissions.into_iter().map(|s| (s.command, s.reply)).unzip();
        let started = self.clock.now();
        let result = commit(self.store.as_ref(), self.clock.as_ref(), self.limits, commands.clone()).await;
        metrics::histogram!("ledger_batch_commands").record(commands.len() as f64);
        metrics::histogram!("ledger_commit_seconds").record(self.clock.now().since(started).as_secs_f64());
        match result {
            Ok(answers) => {
                self.tell(&commands, &answers).await;
                for (reply, answer) in replies.into_iter().zip(answers) {
                    // a caller that went away finds the outcome under its key
                    let _ = reply.send(Ok(answer));
                }
            }
            Err(error) => {
                metrics::counter!("ledger_commit_errors_total").increment(1);
                tracing::warn!(%error, commands = commands.len(), "ledger commit failed; resolving by key");
                for (reply, answer) in replies.into_iter().zip(self.resolve(commands, error).await) {
                    let _ = reply.send(answer);
                }
            }
        }
    }

    /// What became of commands whose commit failed: what the store remembers, else "not done".
    async fn resolve(&self, commands: Vec<Command>, error: StoreError) -> Vec<Result<Answer>> {
        let keys: Vec<_> = commands.iter().map(|c| (c.actor, c.key.clone())).collect();
        let mut recorded = Err(error);
        for wait in RESOLVE_WAITS_MS {
            recorded = self.store.recorded(&keys).await;
            if recorded.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        let unavailable = || Error::unavailable("The ledger is not available; try again", Duration::from_secs(1));
        match recorded {
            Err(error) => {
                tracing::error!(%error, "the outcome of a batch is unknown; clients retry by key");
                commands.iter().map(|_| Err(unavailable())).collect()
            }
            Ok(recorded) => commands
                .into_iter()
                .map(|c| {
                    let fingerprint = c.operation.fingerprint();
                    match recorded.get(&(c.actor, c.key)) {
                        Some(r) if r.fingerprint == fingerprint => Ok(Answer::Replay(r.outcome.clone())),
                        Some(_) => Ok(Answer::KeyReused),
                        None => Err(unavailable()),
                    }
                })
                .collect(),
        }
    }

    /// Tells listeners about the entries just committed, and first about any that another process
    /// wrote before them.
    async fn tell(&mut self, commands: &[Command], answers: &[Answer]) {
        let posted = || {
            commands.iter().zip(answers).filter_map(|(command, answer)| match answer {
                Answer::New(Outcome::Posted(receipt)) => Some((&command.operation, receipt)),
                _ => None,
            })
        };
        let (Some(first), Some(last)) = (posted().map(|(_, r)| r.seq).min(), posted().map(|(_, r)| r.seq).max()) else {
            return;
        };
        if self.told.is_some_and(|told| told + 1 < first) {
            self.follow_to(first - 1).await;
        }
        let mut news = News::default();
        for (operation, receipt) in posted() {
            let receiver = match operation {
                Operation::Transfer { to, .. } => Some(*to),
                _ => None,
            };
            for user in receipt.user.into_iter().chain(receiver) {
                news.touched.insert(user, receipt.seq);
            }
            if let Operation::FillOrder { user, order, .. } = operation {
                news.filled.push((*user, *order));
            }
        }
        news.send(&self.events);
        self.told = Some(last);
    }

    async fn follow(&mut self) {
        match self.store.head().await {
            Ok(head) if self.told.is_none() => self.told = Some(head.seq),
            Ok(head) => self.follow_to(head.seq).await,
            Err(error) => tracing::debug!(%error, "could not look for new entries"),
        }
    }

    async fn follow_to(&mut self, end: Seq) {
        while let Some(told) = self.told.filter(|told| *told < end) {
            let due = u32::try_from(end - told).unwrap_or(u32::MAX).min(FOLLOW_PAGE);
            let entries = match self.store.entries(told, due).await {
                Ok(entries) if !entries.is_empty() => entries,
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, "could not read new entries");
                    return;
                }
            };
            let mut news = News::default();
            for entry in &entries {
                for user in orrery_ledger::users_of(entry) {
                    news.touched.insert(user, entry.seq);
                    if let (Kind::FillBuy | Kind::FillSell, Some(order)) = (entry.kind, entry.refs) {
                        news.filled.push((user, order));
                    }
                }
            }
            news.send(&self.events);
            self.told = entries.last().map(|e| e.seq);
        }
    }
}

/// What a range of entries means for listeners: the newest entry of each user it touched, and the
/// orders it filled.
#[derive(Default)]
struct News {
    touched: BTreeMap<UserId, Seq>,
    filled: Vec<(UserId, Seq)>,
}

impl News {
    fn send(self, events: &Events) {
        for (user, order) in self.filled {
            events.send(Event::Filled { user, order });
        }
        for (user, seq) in self.touched {
            events.send(Event::Ledger { user, seq });
        }
    }
}

/// The error of an answer that is not an outcome.
pub(crate) fn refused_shape(answer: &Answer) -> Option<Error> {
    match answer {
        Answer::New(_) | Answer::Replay(_) => None,
        Answer::KeyReused => {
            Some(Error::new(ErrorCode::Conflict, "This Idempotency-Key was used for a different request"))
        }
        Answer::Invalid(field) => Some(Error::invalid(field, format!("Invalid {field}"))),
    }
}
