//! Runs scripts as the driver says, and tells how they ended.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use orrery_kernel::{Clock, Entropy, Timestamp};
use orrery_workers::fleet::{Job, RunEnd, RunRecord};
use orrery_workers::script::{End, Isolation, Level, Limits, Outcome, Run, ScriptRuntime, Setting, Thrown, Usage};
use orrery_workers::{Stop, Urgency};
use tokio::sync::mpsc;

use super::book::Book;
use super::logs::{Logs, RunLog};
use super::programs::Programs;
use super::redact::secrets_of;
use super::running::{Hosts, Right, Running};
use super::runs::Runs;
use super::{FleetPorts, FleetSettings, Over, Told};
use crate::tasks::Tasks;
use crate::uuid::uuid;

/// Versions that are remembered to have been wedged; when there are more, all are forgotten.
const WEDGED_MAX: usize = 10_000;
/// Most bytes of an error that is kept.
const ERROR_BYTES_MAX: usize = 2_048;

/// A run that is to begin.
pub(super) struct Begin {
    pub sid: String,
    pub owner: Arc<str>,
    pub run: u64,
    pub job: Job,
    pub right: Right,
    pub stop: Stop,
    /// Since when the node has the worker.
    pub since: Timestamp,
}

/// Who runs them.
#[derive(Clone)]
pub(super) struct Runner(Arc<Inner>);

struct Inner {
    runtime: Arc<dyn ScriptRuntime>,
    hosts: Arc<dyn Hosts>,
    programs: Programs,
    logs: Arc<Logs>,
    book: Arc<Book>,
    runs: Arc<Runs>,
    told: mpsc::Sender<Told>,
    wall: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    node: String,
    network: String,
    limits: Limits,
    /// What did not react within the node's process: it gets one of its own.
    wedged: Mutex<HashSet<(String, i64)>>,
}

impl Runner {
    /// On these ports.
    pub fn new(
        ports: &FleetPorts,
        settings: &FleetSettings,
        logs: Arc<Logs>,
        book: Arc<Book>,
        runs: Arc<Runs>,
        told: mpsc::Sender<Told>,
    ) -> Self {
        Self(Arc::new(Inner {
            runtime: ports.runtime.clone(),
            hosts: ports.hosts.clone(),
            programs: Programs::new(ports.runtime.clone()),
            logs,
            book,
            runs,
            told,
            wall: ports.wall.clone(),
            entropy: ports.entropy.clone(),
            node: settings.node.clone(),
            network: settings.network.clone(),
            limits: settings.limits,
            wedged: Mutex::default(),
        }))
    }

    /// Runs until the driver is gone; what runs then is ended. Scripts compute on threads of their own, so that one
    /// task waits for all of them; those in processes are talked with by a task each.
    pub async fn run(self, mut begins: mpsc::UnboundedReceiver<Begin>, tasks: Tasks) {
        let mut running = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                begin = begins.recv() => match begin {
                    Some(begin) => {
                        let isolation = self.0.isolation(&begin);
                        let over = self.0.clone().one(begin, isolation);
                        match isolation {
                            Isolation::Shared => running.push(over),
                            Isolation::Process => tasks.spawn_connection("script-process", over),
                        }
                    }
                    None => return,
                },
                Some(()) = running.next(), if !running.is_empty() => {}
            }
        }
    }
}

impl Inner {
    fn isolation(&self, begin: &Begin) -> Isolation {
        let wedged = self.wedged.lock().unwrap_or_else(PoisonError::into_inner);
        if wedged.contains(&(begin.sid.clone(), begin.job.version)) {
            return Isolation::Process;
        }
        begin.job.spec.isolation
    }

    async fn one(self: Arc<Self>, begin: Begin, isolation: Isolation) {
        let (sid, run, version) = (begin.sid.clone(), begin.run, begin.job.version);
        let mut record = RunRecord {
            id: uuid(&*self.entropy),
            sid: sid.clone(),
            version,
            node: self.node.clone(),
            epoch: begin.right.epoch(),
            started_at: self.wall.now(),
            ended_at: None,
            outcome: None,
            error: None,
            calls: 0,
            cpu_ms: 0,
        };
        self.book.began(record.clone());
        let outcome = self.execute(begin, isolation).await;
        self.runs.remove(run);
        let end = RunEnd::from(&outcome.end);
        let error = error(&outcome.end);
        if let Some(error) = &error {
            self.logs.add(&sid, Level::Error, error.clone());
        }
        if outcome.end == End::Wedged {
            self.remember_wedged(&sid, version);
        }
        let name = outcome_name(end);
        metrics::counter!("worker_runs_total", "outcome" => name).increment(1);
        record.ended_at = Some(self.wall.now());
        record.outcome = Some(name.to_owned());
        record.error.clone_from(&error);
        record.calls = i64::try_from(outcome.usage.calls).unwrap_or(i64::MAX);
        record.cpu_ms = i64::try_from(outcome.usage.cpu.as_millis()).unwrap_or(i64::MAX);
        self.book.ended(record);
        // an error says that the driver has ended
        let _ = self.told.send(Told::Ended(Over { sid, run, end, error })).await;
    }

    async fn execute(&self, begin: Begin, isolation: Isolation) -> Outcome {
        let Begin { sid, owner, run, job, right, stop, since } = begin;
        let spec = &job.spec;
        let ended = |end| Outcome { end, usage: Usage::default() };
        let program = match self.programs.of(spec).await {
            Ok(program) => program,
            Err(fault) => return ended(End::Threw(Thrown::new("SyntaxError", &fault.message, fault.place, ""))),
        };
        if stop.urgency() > Urgency::Run {
            return ended(End::Stopped);
        }
        let _ = self.told.send(Told::Began(sid.clone(), run)).await;
        let setting = Setting {
            sid: sid.clone(),
            nid: self.node.clone(),
            network: self.network.clone(),
            account: spec.account_id.clone(),
            owner: Some(owner.to_string()),
            start_time: since.millis(),
            epoch: right.epoch(),
        };
        let running = Running {
            sid,
            owner: owner.to_string(),
            node: self.node.clone(),
            account: spec.account_id.clone(),
            dry_run: spec.dry_run,
            right,
            stop: stop.clone(),
            log: Arc::new(RunLog::new(self.logs.clone(), secrets_of(&spec.script))),
        };
        let host = self.hosts.host(running);
        self.runtime.run(Run { program, host, setting, limits: self.limits, stop, isolation }).await
    }

    fn remember_wedged(&self, sid: &str, version: i64) {
        let mut wedged = self.wedged.lock().unwrap_or_else(PoisonError::into_inner);
        if wedged.len() >= WEDGED_MAX {
            wedged.clear();
        }
        wedged.insert((sid.to_owned(), version));
        tracing::warn!(sid, version, "a script did not react; it runs in a process of its own from now on");
    }
}

fn outcome_name(end: RunEnd) -> &'static str {
    match end {
        RunEnd::Good => "good",
        RunEnd::Stopped => "stopped",
        RunEnd::Failed { network: true } => "network",
        RunEnd::Failed { network: false } => "failed",
    }
}

/// What a run failed of, for its log.
fn error(end: &End) -> Option<String> {
    let mut text = match end {
        End::Returned(_) | End::Stopped => return None,
        End::Threw(thrown) => thrown.to_string(),
        End::Exceeded(limit) => format!("the script {limit}"),
        End::Wedged => "the script did not react and was given up; it runs in a process of its own next".to_owned(),
        End::Failed(message) => message.clone(),
    };
    let mut end = text.len().min(ERROR_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    Some(text)
}
