//! Runs scripts: what the driver begins is prepared, run to its end, logged and written down.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use orrery_kernel::{Clock, Entropy, Timestamp};
use orrery_workers::fleet::{Job, RunEnd, RunRecord};
use orrery_workers::script::{End, Isolation, Level, Limits, Outcome, Program, Run, ScriptRuntime, Setting};
use orrery_workers::{Stop, Urgency};
use tokio::sync::mpsc;

use super::book::Book;
use super::logs::{Logs, RunLog};
use super::programs::Programs;
use super::redact::Secrets;
use super::running::{Hosts, LogSink, Right, Running};
use super::runs::Runs;
use super::{FleetPorts, FleetSettings, Over, Told};
use crate::uuid::uuid;

/// How long runs may take to end once everything was told to.
const END_MAX: Duration = Duration::from_millis(400);
/// Scripts that once did not react and go to processes of their own; beyond it the node forgets which did.
const WEDGED_MAX: usize = 10_000;

/// A run that the driver begins.
pub(super) struct Begin {
    pub sid: String,
    pub run: u64,
    pub job: Job,
    pub owner: String,
    /// When the node got the worker.
    pub started_at: Timestamp,
    pub right: Right,
    pub stop: Stop,
}

/// What runs have in common.
pub(super) struct Runner {
    runtime: Arc<dyn ScriptRuntime>,
    hosts: Arc<dyn Hosts>,
    wall: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    node: String,
    network: String,
    limits: Limits,
    programs: Programs,
    logs: Arc<Logs>,
    book: Arc<Book>,
    runs: Arc<Runs>,
    told: mpsc::Sender<Told>,
    wedged: Mutex<HashSet<(String, i64)>>,
}

impl Runner {
    pub fn new(
        ports: &FleetPorts,
        settings: &FleetSettings,
        logs: Arc<Logs>,
        book: Arc<Book>,
        runs: Arc<Runs>,
        told: mpsc::Sender<Told>,
    ) -> Self {
        Self {
            runtime: ports.runtime.clone(),
            hosts: ports.hosts.clone(),
            wall: ports.wall.clone(),
            entropy: ports.entropy.clone(),
            node: settings.node.clone(),
            network: settings.network.clone(),
            limits: settings.limits,
            programs: Programs::new(ports.runtime.clone()),
            logs,
            book,
            runs,
            told,
            wedged: Mutex::default(),
        }
    }

    /// Runs what is begun until the driver has ended; then what still runs is ended.
    pub async fn run(self, mut begins: mpsc::UnboundedReceiver<Begin>) {
        let mut running = FuturesUnordered::new();
        loop {
            tokio::select! {
                begin = begins.recv() => match begin {
                    Some(begin) => running.push(self.one(begin)),
                    None => break,
                },
                Some(()) = running.next(), if !running.is_empty() => {}
            }
        }
        self.runs.stop_all();
        let rest = async { while running.next().await.is_some() {} };
        if tokio::time::timeout(END_MAX, rest).await.is_err() {
            tracing::warn!("some scripts did not end in time; they have no effects any more");
        }
    }

    async fn one(&self, begin: Begin) {
        let (sid, run) = (begin.sid.clone(), begin.run);
        let (end, error) = self.follow(begin).await;
        self.runs.remove(run);
        // an error says that the driver has ended
        let _ = self.told.send(Told::Ended(Over { sid, run, end, error })).await;
    }

    async fn follow(&self, begin: Begin) -> (RunEnd, Option<String>) {
        let Begin { sid, run, job, owner, started_at, right, stop } = begin;
        let secrets = Arc::new(Secrets::of(&job.spec.script));
        let log: Arc<dyn LogSink> = Arc::new(RunLog::new(self.logs.clone(), secrets.clone()));
        let mut record = RunRecord {
            id: uuid(&*self.entropy),
            sid: sid.clone(),
            version: job.version,
            node: self.node.clone(),
            epoch: right.epoch(),
            started_at: self.wall.now(),
            ended_at: None,
            outcome: None,
            error: None,
            calls: 0,
            cpu_ms: 0,
        };
        let prepared = tokio::select! {
            biased;
            () = stop.wait(Urgency::Gently) => return (RunEnd::Stopped, None),
            prepared = self.prepared(&job, &owner) => prepared,
        };
        let (program, protocol) = match prepared {
            Ok(prepared) => prepared,
            Err((end, error)) => {
                log.line(&sid, Level::Error, &error);
                let error = secrets.redact(&error);
                let (ended_at, outcome) = (Some(self.wall.now()), Some(name_of(end).to_owned()));
                self.book.ended(RunRecord { ended_at, outcome, error: Some(error.clone()), ..record });
                return (end, Some(error));
            }
        };
        // an error says that the driver has ended
        let _ = self.told.send(Told::Began(sid.clone(), run)).await;
        self.book.began(record.clone());
        let isolation = if self.was_wedged(&sid, job.version) { Isolation::Process } else { job.spec.isolation };
        let setting = Setting {
            sid: sid.clone(),
            nid: self.node.clone(),
            network: self.network.clone(),
            account: job.spec.account_id.clone(),
            protocol,
            owner: Some(owner.clone()),
            start_time: started_at.millis(),
            epoch: right.epoch(),
        };
        let host = self.hosts.host(Running {
            sid: sid.clone(),
            owner,
            node: self.node.clone(),
            account: job.spec.account_id.clone(),
            dry_run: job.spec.dry_run,
            right,
            stop: stop.clone(),
            log: log.clone(),
            secrets: secrets.clone(),
        });
        let limits = self.limits;
        let Outcome { end, usage } = self.runtime.run(Run { program, host, setting, limits, stop, isolation }).await;
        if end == End::Wedged {
            self.wedge(sid.clone(), job.version);
        }
        let error = error_of(&end);
        if let Some(error) = &error {
            log.line(&sid, Level::Error, error);
        }
        let error = error.map(|error| secrets.redact(&error));
        let ended = RunEnd::from(&end);
        record.ended_at = Some(self.wall.now());
        record.outcome = Some(name_of(ended).to_owned());
        record.error.clone_from(&error);
        record.calls = i64::try_from(usage.calls).unwrap_or(i64::MAX);
        record.cpu_ms = i64::try_from(usage.cpu.as_millis()).unwrap_or(i64::MAX);
        self.book.ended(record);
        (ended, error)
    }

    /// What has to be there before a run begins: its program, and what its account's owner wrote down as a strategy.
    async fn prepared(&self, job: &Job, owner: &str) -> Result<(Program, Option<String>), (RunEnd, String)> {
        let program = self.programs.of(&job.spec).await;
        let program = program.map_err(|fault| (RunEnd::Failed { network: false }, fault.to_string()))?;
        let Some(account) = &job.spec.account_id else { return Ok((program, None)) };
        let protocol = self.hosts.protocol(owner, account).await;
        let protocol = protocol.map_err(|error| (RunEnd::Failed { network: true }, error.message))?;
        Ok((program, protocol))
    }

    fn was_wedged(&self, sid: &str, version: i64) -> bool {
        let wedged = self.wedged.lock().unwrap_or_else(PoisonError::into_inner);
        !wedged.is_empty() && wedged.contains(&(sid.to_owned(), version))
    }

    fn wedge(&self, sid: String, version: i64) {
        tracing::warn!(sid, "a script does not react; it gets a process of its own");
        let mut wedged = self.wedged.lock().unwrap_or_else(PoisonError::into_inner);
        if wedged.len() >= WEDGED_MAX {
            wedged.clear();
        }
        wedged.insert((sid, version));
    }
}

fn error_of(end: &End) -> Option<String> {
    match end {
        End::Returned(_) | End::Stopped => None,
        End::Threw(thrown) => Some(thrown.to_string()),
        End::Exceeded(what) => Some(format!("The script was ended: it {what}")),
        End::Wedged => Some("The script was ended: it does not react".into()),
        End::Failed(why) => Some(format!("The script could not be run: {why}")),
    }
}

fn name_of(end: RunEnd) -> &'static str {
    match end {
        RunEnd::Good => "good",
        RunEnd::Stopped => "stopped",
        RunEnd::Failed { network: true } => "network",
        RunEnd::Failed { network: false } => "failed",
    }
}
