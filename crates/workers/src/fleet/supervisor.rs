//! One worker on one node, as a machine that only decides: events go in, actions come out.

use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::Timestamp;

use super::patience::Patience;
use super::schedule::Schedule;
use crate::script::{End, Exceeded};
use crate::{ExecutionMode, Mode, Spec, Urgency};

/// What a worker is told to be, of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its version.
    pub version: i64,
    /// Its specification.
    pub spec: Arc<Spec>,
}

impl Job {
    /// Does it need a lease to run?
    pub fn elected(&self) -> bool {
        self.spec.execution_mode == ExecutionMode::Leader
    }

    /// Would a run of `other` be the same? What is only told or counted does not matter.
    fn runs_as(&self, other: &Self) -> bool {
        let (a, b) = (&*self.spec, &*other.spec);
        a.script == b.script
            && a.dependencies == b.dependencies
            && a.version == b.version
            && a.execution_mode == b.execution_mode
            && a.mode == b.mode
            && a.account_id == b.account_id
            && a.schedule == b.schedule
            && a.dry_run == b.dry_run
            && a.isolation == b.isolation
    }

    fn schedule(&self) -> Option<Schedule> {
        self.spec.schedule.as_deref().and_then(|text| Schedule::parse(text).ok())
    }
}

/// Why a worker runs no more although it is active. It begins again with its next version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It was to run once, and did.
    Done,
    /// It failed too often in a row.
    Errors,
    /// Its schedule has no more times.
    Never,
}

impl Reason {
    /// As stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Errors => "errors",
            Self::Never => "never",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Done, Self::Errors, Self::Never].into_iter().find(|reason| reason.name() == name)
    }
}

/// Where a worker is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not to run here.
    Idle,
    /// It waits for the lease.
    Electing,
    /// It waits: after an error, between two passes, for the next time of its schedule.
    Backoff {
        /// Until then.
        until: Timestamp,
    },
    /// It was told to begin.
    Starting,
    /// It runs.
    Running,
    /// It was told to end and has not yet.
    Stopping,
    /// It ran enough.
    Stopped(Reason),
}

/// How a run ended, as far as its supervisor cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Well.
    Good,
    /// It was told to.
    Stopped,
    /// It failed.
    Failed {
        /// On the way to somebody else, such as an exchange; only counted apart.
        network: bool,
    },
}

/// Names of errors that are the network's fault and not the script's (CCXT's `NetworkError` and what is below).
const NETWORK: [&str; 7] = [
    "NetworkError",
    "RequestTimeout",
    "ExchangeNotAvailable",
    "OnMaintenance",
    "DDoSProtection",
    "RateLimitExceeded",
    "InvalidNonce",
];

impl From<&End> for RunEnd {
    fn from(end: &End) -> Self {
        match end {
            End::Returned(_) => Self::Good,
            End::Stopped => Self::Stopped,
            End::Threw(thrown) => Self::Failed { network: NETWORK.contains(&thrown.class.as_str()) },
            End::Exceeded(Exceeded::Slice | Exceeded::Minute | Exceeded::Wall | Exceeded::Memory)
            | End::Wedged
            | End::Failed(_) => Self::Failed { network: false },
        }
    }
}

/// What happens to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is to run here, as this.
    Wanted(Job),
    /// It is not to run here.
    Unwanted,
    /// The lease was had, under this epoch.
    Gained(i64),
    /// The lease is gone.
    Lost,
    /// The run has begun.
    Began,
    /// The run has ended.
    Ended(RunEnd),
    /// That it stopped is written down.
    Settled,
    /// Time has passed.
    Due,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Try to get the lease.
    Elect,
    /// Give the lease back, or no longer try.
    Resign,
    /// Begin a run.
    Start {
        /// Of this version.
        version: i64,
        /// Under this epoch; 0 without a lease.
        epoch: i64,
    },
    /// End the run.
    Stop(Urgency),
    /// Say [`Event::Due`] then.
    Wait(Timestamp),
    /// Write down that this version is not to run again, then say [`Event::Settled`].
    Settle {
        /// The version.
        version: i64,
        /// Why.
        reason: Reason,
    },
}

/// What was counted since the worker came to this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Runs that ended by themselves.
    pub executions: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Of these, by the network.
    pub network_errors: u64,
    /// Since the last good one.
    pub consecutive: u32,
    /// When the last run began.
    pub last_run: Option<Timestamp>,
}

/// Decides for one worker. Never starts a run while another is not over, nor one that needs a lease without it.
#[derive(Clone, Debug)]
pub struct Supervisor {
    job: Option<Job>,
    state: State,
    epoch: Option<i64>,
    counters: Counters,
}

impl Default for Supervisor {
    fn default() -> Self {
        Self { job: None, state: State::Idle, epoch: None, counters: Counters::default() }
    }
}

impl Supervisor {
    /// Where it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// What it was told to be last.
    pub fn job(&self) -> Option<&Job> {
        self.job.as_ref()
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Is a run under way, or about to be?
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Starting | State::Running | State::Stopping)
    }

    /// Takes note of an event; says what is to be done, in order.
    pub fn on(&mut self, event: Event, now: Timestamp) -> Vec<Action> {
        let mut todo = Vec::new();
        match event {
            Event::Wanted(job) => self.wanted(&job, now, &mut todo),
            Event::Unwanted => self.unwanted(&mut todo),
            Event::Gained(epoch) => self.gained(epoch, now, &mut todo),
            Event::Lost => self.lost(&mut todo),
            Event::Began if self.state == State::Starting => self.state = State::Running,
            Event::Ended(end) if self.is_running() => self.ended(end, now, &mut todo),
            Event::Settled if matches!(self.state, State::Stopped(_)) => self.resign(&mut todo),
            Event::Due => match self.state {
                State::Backoff { until } if until <= now => self.start(now, &mut todo),
                State::Backoff { until } => todo.push(Action::Wait(until)),
                _ => {}
            },
            Event::Began | Event::Ended(_) | Event::Settled => {}
        }
        todo
    }

    fn wanted(&mut self, job: &Job, now: Timestamp, todo: &mut Vec<Action>) {
        let before = self.job.replace(job.clone());
        match (self.state, before) {
            (State::Stopping, _) => self.counters.consecutive = 0,
            (State::Idle, _) | (_, None) => self.begin(now, todo),
            (State::Stopped(_), Some(before)) if before.version == job.version => {}
            (State::Stopped(_), _) => self.begin(now, todo),
            (_, Some(before)) if before.runs_as(job) => {}
            (State::Starting | State::Running, _) => {
                self.counters.consecutive = 0;
                self.state = State::Stopping;
                todo.push(Action::Stop(Urgency::Gently));
            }
            (State::Electing | State::Backoff { .. }, _) => self.begin(now, todo),
        }
    }

    fn unwanted(&mut self, todo: &mut Vec<Action>) {
        self.job = None;
        match self.state {
            State::Idle => {}
            State::Starting | State::Running | State::Stopping => {
                self.state = State::Stopping;
                todo.push(Action::Stop(Urgency::Gently));
            }
            State::Electing | State::Backoff { .. } | State::Stopped(_) => {
                self.state = State::Idle;
                self.resign(todo);
            }
        }
    }

    fn gained(&mut self, epoch: i64, now: Timestamp, todo: &mut Vec<Action>) {
        match self.state {
            State::Electing => {
                self.epoch = Some(epoch);
                self.plan(now, todo);
            }
            _ if self.epoch.is_none() => todo.push(Action::Resign),
            _ => {}
        }
    }

    fn lost(&mut self, todo: &mut Vec<Action>) {
        if self.epoch.take().is_none() {
            return;
        }
        match self.state {
            State::Starting | State::Running | State::Stopping => {
                self.state = State::Stopping;
                todo.push(Action::Stop(Urgency::Now));
            }
            // one that stopped still had the lease because that is not written down: who leads next decides again
            State::Backoff { .. } | State::Stopped(_) => {
                self.state = State::Electing;
                todo.push(Action::Elect);
            }
            State::Idle | State::Electing => {}
        }
    }

    fn ended(&mut self, end: RunEnd, now: Timestamp, todo: &mut Vec<Action>) {
        let told = self.state == State::Stopping;
        if !told || end != RunEnd::Stopped {
            self.counters.executions += 1;
        }
        if let RunEnd::Failed { network } = end
            && !told
        {
            self.counters.errors += 1;
            self.counters.network_errors += u64::from(network);
            self.counters.consecutive += 1;
        }
        let Some(job) = self.job.clone() else {
            self.state = State::Idle;
            self.resign(todo);
            return;
        };
        if told {
            self.begin(now, todo);
            return;
        }
        let patience = Patience::of(job.spec.priority);
        match end {
            RunEnd::Failed { .. } if self.counters.consecutive >= patience.errors_max => {
                self.stop(&job, Reason::Errors, todo);
            }
            RunEnd::Failed { .. } => self.wait(patience.wait(self.counters.consecutive), now, todo),
            RunEnd::Good if job.spec.mode == Mode::Single => {
                self.counters.consecutive = 0;
                self.stop(&job, Reason::Done, todo);
            }
            RunEnd::Good | RunEnd::Stopped => {
                self.counters.consecutive = 0;
                if job.spec.schedule.is_some() {
                    self.plan(now, todo);
                } else {
                    self.wait(patience.first, now, todo);
                }
            }
        }
    }

    /// From the beginning, with nothing remembered of errors.
    fn begin(&mut self, now: Timestamp, todo: &mut Vec<Action>) {
        self.counters.consecutive = 0;
        let elected = self.job.as_ref().is_some_and(Job::elected);
        if !elected {
            self.resign_held(todo);
            self.plan(now, todo);
        } else if self.epoch.is_some() {
            self.plan(now, todo);
        } else {
            self.state = State::Electing;
            todo.push(Action::Elect);
        }
    }

    /// Starts, at once or at the schedule's next time.
    fn plan(&mut self, now: Timestamp, todo: &mut Vec<Action>) {
        let Some(job) = self.job.clone() else { return };
        match job.schedule().map(|schedule| schedule.next(now)) {
            None => self.start(now, todo),
            Some(Some(until)) => {
                self.state = State::Backoff { until };
                todo.push(Action::Wait(until));
            }
            Some(None) => self.stop(&job, Reason::Never, todo),
        }
    }

    fn start(&mut self, now: Timestamp, todo: &mut Vec<Action>) {
        let Some(job) = &self.job else { return };
        self.state = State::Starting;
        self.counters.last_run = Some(now);
        todo.push(Action::Start { version: job.version, epoch: self.epoch.unwrap_or(0) });
    }

    fn wait(&mut self, wait: Duration, now: Timestamp, todo: &mut Vec<Action>) {
        let until = now.plus(wait);
        self.state = State::Backoff { until };
        todo.push(Action::Wait(until));
    }

    fn stop(&mut self, job: &Job, reason: Reason, todo: &mut Vec<Action>) {
        self.state = State::Stopped(reason);
        todo.push(Action::Settle { version: job.version, reason });
    }

    fn resign(&mut self, todo: &mut Vec<Action>) {
        self.epoch = None;
        todo.push(Action::Resign);
    }

    fn resign_held(&mut self, todo: &mut Vec<Action>) {
        if self.epoch.is_some() {
            self.resign(todo);
        }
    }
}

#[cfg(test)]
mod tests;
