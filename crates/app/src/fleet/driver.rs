//! Drives a node: hears what happens, lets [`Node`] decide, and does what it says.
//!
//! Nothing here waits for anything but the leases' store, and never for one answer alone: a slow store delays no
//! decision that time brings.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use orrery_kernel::{Clock, StoreError, Timestamp};
use orrery_storage::{Bus, Lease};
use orrery_workers::Stop;
use orrery_workers::fleet::{Beat, Counted, FleetStore, Grant, Input, Node, Output, RunEnd, Settled, Totals};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::book::Book;
use super::look::WORKERS_MAX;
use super::runner::Begin;
use super::running::Right;
use super::runs::Runs;
use super::{FleetPorts, FleetSettings, LEASES_TOPIC, Over, Told};

/// Longest time for the store to answer; then nobody knows. With short leases a part of them, so that one that is
/// lost is asked again before they end.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The part of a lease, and the least that a busy machine needs.
const ANSWER_PART: (u32, Duration) = (6, Duration::from_millis(500));
/// Longest time for the bus to take a message.
const TELL_MAX: Duration = Duration::from_millis(200);
/// Messages that are heard before the store's answers are looked at again.
const HEARD_AT_ONCE: usize = 256;
/// Between two times that what is old is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);
/// Between two counts for the store.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// How long scripts may take to end by themselves when everything ends.
const GENTLY_MAX: Duration = Duration::from_millis(1_000);
/// How long handing over may take in all; what is left is taken over as from a process that died.
const DRAIN_MAX: Duration = Duration::from_millis(1_500);
/// Most processes of a fleet that a node looks at.
const PEERS_MAX: u32 = 1_000;

/// What ties the driver to the others.
pub(super) struct Links {
    pub messages: mpsc::Receiver<Told>,
    /// Its end ends the others.
    pub begin: mpsc::UnboundedSender<Begin>,
    pub runs: Arc<Runs>,
    pub book: Arc<Book>,
    pub stopping: CancellationToken,
}

/// What is known of a worker beside what [`Node`] knows.
struct Known {
    owner: String,
    error: Option<String>,
    network: bool,
}

type Question = Pin<Box<dyn Future<Output = Vec<Input>> + Send>>;

/// A node's driver. [`Driver::run`] is to be run on a thread of its own.
pub struct Driver {
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    wall: Arc<dyn Clock>,
    settings: FleetSettings,
    node: Node,
    links: Links,
    known: HashMap<String, Known>,
    questions: FuturesUnordered<Question>,
    forget_at: Instant,
    drained: bool,
}

impl Driver {
    pub(super) fn new(ports: &FleetPorts, settings: FleetSettings, links: Links) -> Self {
        let (clock, wall, bus) = (ports.clock.clone(), ports.wall.clone(), ports.bus.clone());
        let node = Node::new(&settings.node, &settings.holder, settings.capacity, settings.timing, clock.now());
        let (questions, forget_at) = (FuturesUnordered::new(), Instant::now());
        Self { bus, clock, wall, settings, node, links, known: HashMap::new(), questions, forget_at, drained: false }
    }

    /// Drives the node until everything is handed over after the tasks were told to stop, at most 3 seconds later.
    /// `store` should have a connection of its own, so that nothing else delays a lease.
    pub async fn run(mut self, store: Arc<dyn FleetStore>) {
        let stopping = self.links.stopping.clone();
        let mut ends: Option<Instant> = None;
        let mut gently = true;
        let mut count_at = Instant::now() + COUNT_EVERY;
        let mut heard = Vec::with_capacity(HEARD_AT_ONCE);
        while !self.drained {
            let due = Instant::now() + self.node.wake_at().since(self.clock.now());
            let until = [Some(due), Some(count_at), ends.map(|at| at + if gently { GENTLY_MAX } else { DRAIN_MAX })];
            let until = until.into_iter().flatten().min().unwrap_or(due);
            tokio::select! {
                biased;
                Some(inputs) = self.questions.next(), if !self.questions.is_empty() => {
                    inputs.into_iter().for_each(|input| self.step(input, &store));
                }
                () = stopping.cancelled(), if ends.is_none() => {
                    ends = Some(Instant::now());
                    self.step(Input::Drain, &store);
                }
                1.. = self.links.messages.recv_many(&mut heard, HEARD_AT_ONCE) => {
                    heard.drain(..).for_each(|told| self.hear(told, &store));
                }
                () = tokio::time::sleep_until(until) => self.step(Input::Tick, &store),
            }
            if Instant::now() >= count_at {
                self.count();
                count_at = Instant::now() + COUNT_EVERY;
            }
            if let Some(began) = ends {
                if gently && began.elapsed() >= GENTLY_MAX {
                    gently = false;
                    self.links.runs.stop_all();
                }
                if began.elapsed() >= DRAIN_MAX {
                    tracing::warn!(left = self.links.runs.len(), "workers were not handed over in time");
                    break;
                }
            }
        }
        self.links.runs.stop_all();
        self.count();
        // without it other nodes believe for a while that this one lives
        let beat = Beat { draining: true, ..self.beat() };
        drop(self);
        if tokio::time::timeout(Duration::from_millis(200), store.beat(&beat)).await.is_err() {
            tracing::debug!("the node's end was not told");
        }
    }

    fn hear(&mut self, told: Told, store: &Arc<dyn FleetStore>) {
        let input = match told {
            Told::Want(worker) => {
                let known = self.known.entry(worker.sid.clone());
                let known = known.or_insert_with(|| Known { owner: String::new(), error: None, network: false });
                known.owner.clone_from(&worker.owner);
                let job = orrery_workers::fleet::Job { version: worker.version, spec: Arc::new(worker.spec) };
                Input::Want(worker.sid, job)
            }
            Told::Unwant(sid) => Input::Unwant(sid),
            Told::Free(leaver) => leaver.map_or(Input::Free, Input::Leaving),
            Told::Began(sid, run) => Input::Began(sid, run),
            Told::Ended(Over { sid, run, end, error }) => {
                if let Some(known) = self.known.get_mut(&sid)
                    && let Some(error) = error
                {
                    known.error = Some(error);
                    known.network = end == RunEnd::Failed { network: true };
                }
                Input::Ended(sid, run, end)
            }
            Told::Settled(sid, version) => Input::Settled(sid, version),
        };
        let only = match &input {
            Input::Want(sid, _) => Some(sid.clone()),
            _ => None,
        };
        self.step(input, store);
        // one that another node has
        if let Some(sid) = only.filter(|sid| self.node.worker(sid).is_none()) {
            self.known.remove(&sid);
        }
    }

    fn step(&mut self, input: Input, store: &Arc<dyn FleetStore>) {
        let now = self.clock.now();
        for output in self.node.step(input, now) {
            self.act(output, now, store);
        }
    }

    fn act(&mut self, output: Output, now: Timestamp, store: &Arc<dyn FleetStore>) {
        let (holder, timing) = (self.settings.holder.clone(), self.settings.timing);
        let (store, most) = (store.clone(), answer_max(timing.lease));
        match output {
            Output::Beat { running, draining } => {
                let beat = Beat { running, draining, ..self.beat() };
                let forget = Instant::now() >= self.forget_at;
                if forget {
                    self.forget_at = Instant::now() + FORGET_EVERY;
                }
                self.ask(async move {
                    let mut inputs = Vec::new();
                    if answer("a heartbeat", most, store.beat(&beat)).await.is_some()
                        && let Some(peers) = answer("the nodes", most, store.nodes(timing.late, PEERS_MAX)).await
                    {
                        inputs.push(Input::Peers(peers));
                    }
                    if forget {
                        answer("what is forgotten", most, store.forget()).await;
                    }
                    inputs.push(Input::Beaten);
                    inputs
                });
            }
            Output::Take(sids) => {
                let node = self.settings.node.clone();
                self.ask(async move {
                    let grants = answer("leases", most, store.take_leases(&holder, &sids, timing.lease, timing.late));
                    let grants = match grants.await {
                        Some(grants) if !grants.is_empty() => still_due(&*store, &node, &holder, grants, most).await,
                        grants => grants,
                    };
                    vec![Input::Taken { asked: now, grants }]
                });
            }
            Output::Renew => self.ask(async move {
                let held = answer("prolonging leases", most, store.renew_leases(&holder, timing.lease)).await;
                vec![Input::Renewed { asked: now, held }]
            }),
            Output::Give(leases) => {
                let (bus, leaving) = (self.bus.clone(), self.links.stopping.is_cancelled());
                self.ask(async move {
                    let done = answer("giving leases back", most, store.give_leases(&holder, &leases)).await.is_some();
                    let news = if leaving { Bytes::from(holder) } else { Bytes::new() };
                    let told = tokio::time::timeout(TELL_MAX, bus.publish(LEASES_TOPIC, news));
                    if done && !matches!(told.await, Ok(Ok(()))) {
                        tracing::debug!("other nodes find the leases by looking");
                    }
                    vec![Input::Given { leases, done }]
                });
            }
            Output::Start { sid, run, job, epoch, until, orders_from } => {
                let right = match until {
                    Some(until) => Right::new(self.lease(&sid, epoch), until, orders_from),
                    None => Right::unlimited(),
                };
                let stop = Stop::new();
                self.links.runs.add(run, stop.clone(), right.clone());
                let owner = self.known.get(&sid).map(|known| known.owner.clone()).unwrap_or_default();
                let started_at = self.node.worker(&sid).map_or(self.wall.now(), |(_, since)| self.shown(since, now));
                // an error says that everything ends
                let _ = self.links.begin.send(Begin { sid, run, job, owner, started_at, right, stop });
            }
            Output::Prolonged(until, runs) => self.links.runs.prolong(until, &runs),
            Output::Stop(_, run, urgency) => self.links.runs.stop(run, urgency),
            Output::Settle { sid, version, reason, epoch } => {
                let fence = (epoch != 0).then(|| self.lease(&sid, epoch));
                let node = fence.is_none().then(|| self.settings.node.clone());
                self.links.book.settle(Settled { sid, node, version, reason }, fence);
            }
            Output::Drained => self.drained = true,
        }
    }

    fn ask(&self, question: impl Future<Output = Vec<Input>> + Send + 'static) {
        self.questions.push(Box::pin(question));
    }

    fn lease(&self, sid: &str, epoch: i64) -> Lease {
        Lease { key: sid.to_owned(), holder: self.settings.holder.clone(), epoch }
    }

    fn beat(&self) -> Beat {
        let FleetSettings { node, holder, version, capacity, .. } = &self.settings;
        Beat {
            holder: holder.clone(),
            node: node.clone(),
            version: version.clone(),
            capacity: u32::try_from(*capacity).unwrap_or(u32::MAX),
            running: 0,
            draining: false,
        }
    }

    /// A time of the node's clock, as others read it.
    fn shown(&self, at: Timestamp, now: Timestamp) -> Timestamp {
        let ago = i64::try_from(now.since(at).as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.wall.now().micros().saturating_sub(ago))
    }

    /// Puts what changed into the book.
    fn count(&mut self) {
        let now = self.clock.now();
        let totals: Vec<Totals> = self.node.take_changed().into_iter().map(|c| self.totals(c, now)).collect();
        for totals in totals.iter().filter(|totals| self.node.worker(&totals.sid).is_none()) {
            self.known.remove(&totals.sid);
        }
        if !totals.is_empty() {
            self.links.book.count(totals);
        }
        metrics::gauge!("worker_runs").set(u32::try_from(self.links.runs.len()).unwrap_or(u32::MAX));
    }

    fn totals(&self, counted: Counted, now: Timestamp) -> Totals {
        let Counted { sid, counters, since, running } = counted;
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let known = self.known.get(&sid);
        Totals {
            node: self.settings.node.clone(),
            executions: number(counters.executions),
            errors: number(counters.errors),
            network_errors: number(counters.network_errors),
            consecutive: i64::from(counters.consecutive),
            running,
            started_at: self.shown(since, now),
            last_run: counters.last_run.map(|at| self.shown(at, now)),
            last_error: known.and_then(|known| known.error.clone()),
            last_network: known.is_some_and(|known| known.network),
            sid,
        }
    }
}

/// Of what was had, what is still to run: who led before may have settled a worker just before it gave the lease
/// back, and this node has not looked since. The others are given back.
async fn still_due(
    store: &dyn FleetStore,
    node: &str,
    holder: &str,
    grants: Vec<Grant>,
    most: Duration,
) -> Option<Vec<Grant>> {
    let due = answer("workers that are due", most, store.due_workers(node, WORKERS_MAX)).await?;
    let due: HashSet<String> = due.into_iter().map(|(sid, _)| sid).collect();
    let (due, settled): (Vec<Grant>, Vec<Grant>) = grants.into_iter().partition(|grant| due.contains(&grant.sid));
    if !settled.is_empty() {
        let leases: Vec<(String, i64)> = settled.into_iter().map(|grant| (grant.sid, grant.epoch)).collect();
        answer("giving leases back", most, store.give_leases(holder, &leases)).await?;
    }
    Some(due)
}

/// How long the store of leases that last `lease` may take to answer.
fn answer_max(lease: Duration) -> Duration {
    let (part, least) = ANSWER_PART;
    (lease / part).clamp(least, ANSWER_MAX)
}

/// The answer, if there is one in time; why not is told.
async fn answer<T>(what: &str, most: Duration, question: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
    match tokio::time::timeout(most, question).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::warn!(%error, what, "the store of leases failed");
            None
        }
        Err(_) => {
            tracing::warn!(what, "the store of leases did not answer in time");
            None
        }
    }
}
