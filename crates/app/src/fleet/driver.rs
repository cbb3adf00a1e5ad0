//! Drives a node: asks the store what it says to ask, begins and ends runs as it says, and tells it what happened.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use orrery_kernel::{Clock, StoreError, Timestamp};
use orrery_storage::{Bus, Lease};
use orrery_workers::Stop;
use orrery_workers::fleet::{Beat, FleetStore, Grant, Input, Job, Node, NodeSeen, Output, Settled, State, Totals};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::book::Book;
use super::runner::Begin;
use super::running::Right;
use super::runs::Runs;
use super::{FleetPorts, FleetSettings, LEASES_TOPIC, Over, Told};

/// The longest time that the driver sleeps: a machine that slept itself is noticed so.
const NAP: Duration = Duration::from_millis(500);
/// Between two notes of what was counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// Messages that are taken before the clock is looked at again.
const AT_ONCE: usize = 256;
/// Most nodes that are looked at.
const NODES_MAX: u32 = 1_024;
/// When handing over, scripts that still run are ended after this.
const HAND_OVER_GENTLY: Duration = Duration::from_millis(1_200);
/// When handing over, what was not given back by then runs out.
const HAND_OVER_MAX: Duration = Duration::from_millis(2_300);
/// The longest that an answer about leases is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How the driver hangs together with the rest.
pub(super) struct Links {
    pub messages: mpsc::Receiver<Told>,
    pub begin: mpsc::UnboundedSender<Begin>,
    pub runs: Arc<Runs>,
    pub book: Arc<Book>,
    /// Ends what writes down, when the driver is gone.
    pub over: DropGuard,
    pub stopping: CancellationToken,
}

/// An answer of the store.
enum Answer {
    Beat { draining: bool, done: bool, peers: Option<Vec<NodeSeen>> },
    Free(Option<Vec<NodeSeen>>),
    Taken { asked: Timestamp, grants: Option<Vec<Grant>> },
    Renewed { asked: Timestamp, held: Option<Vec<(String, i64)>> },
    Given { leases: Vec<(String, i64)>, done: bool },
    Said,
}

/// Keeps a node's leases and says what runs.
pub struct Driver {
    node: Node,
    settings: FleetSettings,
    clock: Arc<dyn Clock>,
    wall: Arc<dyn Clock>,
    bus: Arc<dyn Bus>,
    links: Links,
    asked: FuturesUnordered<BoxFuture<'static, Answer>>,
    owners: HashMap<String, Arc<str>>,
    errors: HashMap<String, (String, bool)>,
    changed: BTreeSet<String>,
    counted: HashMap<String, Totals>,
    count_at: Timestamp,
    looking: bool,
    draining: Option<Timestamp>,
    drained: bool,
    /// Others know that it drains.
    told_draining: bool,
    tell_free: bool,
    failing: bool,
}

impl Driver {
    pub(super) fn new(ports: &FleetPorts, settings: FleetSettings, links: Links) -> Self {
        let now = ports.clock.now();
        Self {
            node: Node::new(&settings.node, &settings.holder, settings.capacity, settings.timing, now),
            settings,
            clock: ports.clock.clone(),
            wall: ports.wall.clone(),
            bus: ports.bus.clone(),
            links,
            asked: FuturesUnordered::new(),
            owners: HashMap::new(),
            errors: HashMap::new(),
            changed: BTreeSet::new(),
            counted: HashMap::new(),
            count_at: now,
            looking: false,
            draining: None,
            drained: false,
            told_draining: false,
            tell_free: false,
            failing: false,
        }
    }

    /// Drives until everything stops and all is handed over, which takes less than three seconds. Leases are asked
    /// for at `store`, which should have a connection that nobody else uses.
    pub async fn run(mut self, store: Arc<dyn FleetStore>) {
        self.step(Input::Tick, &store);
        while !self.is_over() {
            let now = self.clock.now();
            let nap = self.node.wake_at().since(now).min(NAP);
            let stopping = self.links.stopping.clone();
            tokio::select! {
                biased;
                () = stopping.cancelled(), if self.draining.is_none() => self.drain(&store),
                Some(answer) = self.asked.next(), if !self.asked.is_empty() => self.answered(answer, &store),
                Some(told) = self.links.messages.recv() => {
                    self.told(told, &store);
                    for _ in 0..AT_ONCE {
                        let Ok(told) = self.links.messages.try_recv() else { break };
                        self.told(told, &store);
                    }
                }
                () = tokio::time::sleep(nap) => self.step(Input::Tick, &store),
            }
            self.hurry();
            self.count(false);
        }
        self.links.runs.stop_all();
        self.count(true);
        if self.drained {
            tracing::info!("workers are handed over");
        } else {
            tracing::warn!("workers were not handed over in time; their leases run out");
        }
        let Links { over, .. } = self.links;
        drop(over);
    }

    /// Everything is handed over and said, or it takes too long.
    fn is_over(&self) -> bool {
        let late = self.draining.is_some_and(|since| self.clock.now().since(since) > HAND_OVER_MAX);
        late || self.drained && self.asked.is_empty()
    }

    fn drain(&mut self, store: &Arc<dyn FleetStore>) {
        tracing::info!(running = self.links.runs.len(), "workers are being handed over");
        self.draining = Some(self.clock.now());
        self.step(Input::Drain, store);
    }

    /// Ends what takes too long to end by itself.
    fn hurry(&self) {
        if self.draining.is_some_and(|since| self.clock.now().since(since) > HAND_OVER_GENTLY) {
            self.links.runs.stop_all();
        }
    }

    fn told(&mut self, told: Told, store: &Arc<dyn FleetStore>) {
        match told {
            Told::Want(worker) => {
                let worker = *worker;
                self.owners.insert(worker.sid.clone(), worker.owner.into());
                let job = Job { version: worker.version, spec: Arc::new(worker.spec) };
                self.step(Input::Want(worker.sid, job), store);
            }
            Told::Unwant(sid) => {
                self.owners.remove(&sid);
                self.step(Input::Unwant(sid), store);
            }
            Told::Free if self.looking || self.draining.is_some() => {}
            Told::Free => {
                // who is draining must not be waited for
                self.looking = true;
                let question = peers(store.clone(), self.settings.timing.late, self.patience());
                self.asked.push(Box::pin(async move { Answer::Free(question.await) }));
            }
            Told::Began(sid, run) => self.step(Input::Began(sid, run), store),
            Told::Ended(Over { sid, run, end, error }) => {
                if let Some(error) = error {
                    let network = matches!(end, orrery_workers::fleet::RunEnd::Failed { network: true });
                    self.errors.insert(sid.clone(), (error, network));
                }
                self.step(Input::Ended(sid, run, end), store);
            }
            Told::Settled(sid, version) => self.step(Input::Settled(sid, version), store),
        }
    }

    fn answered(&mut self, answer: Answer, store: &Arc<dyn FleetStore>) {
        match answer {
            Answer::Beat { draining, done, peers } => {
                self.note(done);
                if let Some(peers) = peers {
                    self.step(Input::Peers(peers), store);
                }
                self.told_draining |= draining && done;
                self.say_free();
                self.step(Input::Beaten, store);
            }
            Answer::Free(peers) => {
                self.looking = false;
                if let Some(peers) = peers {
                    self.step(Input::Peers(peers), store);
                }
                self.step(Input::Free, store);
            }
            Answer::Taken { asked, grants } => self.step(Input::Taken { asked, grants }, store),
            Answer::Renewed { asked, held } => {
                metrics::counter!("worker_renewals_total", "outcome" => outcome(held.is_some())).increment(1);
                self.note(held.is_some());
                self.step(Input::Renewed { asked, held }, store);
            }
            Answer::Given { leases, done } => {
                self.tell_free |= done;
                self.say_free();
                self.step(Input::Given { leases, done }, store);
            }
            Answer::Said => {}
        }
    }

    /// Wakes the others, once they can know that this node takes nothing more.
    fn say_free(&mut self) {
        if !self.tell_free || self.draining.is_some() && !self.told_draining {
            return;
        }
        self.tell_free = false;
        let bus = self.bus.clone();
        self.asked.push(Box::pin(async move {
            // others look by themselves
            let _ = tokio::time::timeout(ANSWER_MAX, bus.publish(LEASES_TOPIC, Bytes::new())).await;
            Answer::Said
        }));
    }

    fn note(&mut self, good: bool) {
        // once when it begins, not each time
        if good {
            self.failing = false;
        } else if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!("the database does not answer about leases; they run out unless it does");
        }
    }

    /// How long an answer is waited for: less than the time that a lease has left when it is asked for.
    fn patience(&self) -> Duration {
        self.settings.timing.margin.min(ANSWER_MAX).max(Duration::from_millis(200))
    }

    fn step(&mut self, input: Input, store: &Arc<dyn FleetStore>) {
        let outputs = self.node.step(input, self.clock.now());
        for output in outputs {
            self.act(output, store);
        }
    }

    fn act(&mut self, output: Output, store: &Arc<dyn FleetStore>) {
        let (store, patience, asked) = (store.clone(), self.patience(), self.clock.now());
        let (timing, holder) = (self.settings.timing, self.settings.holder.clone());
        match output {
            Output::Beat { running, draining } => {
                let beat = self.beat(running, draining);
                metrics::gauge!("workers_running").set(f64::from(running));
                self.asked.push(Box::pin(async move {
                    let done = within(patience, store.beat(&beat)).await.is_some();
                    let peers = if done { peers(store.clone(), timing.late, patience).await } else { None };
                    Answer::Beat { draining, done, peers }
                }));
            }
            Output::Take(sids) => self.asked.push(Box::pin(async move {
                let grants = within(patience, store.take_leases(&holder, &sids, timing.lease, timing.late)).await;
                Answer::Taken { asked, grants }
            })),
            Output::Renew => self.asked.push(Box::pin(async move {
                Answer::Renewed { asked, held: within(patience, store.renew_leases(&holder, timing.lease)).await }
            })),
            Output::Give(leases) => self.asked.push(Box::pin(async move {
                let done = within(patience, store.give_leases(&holder, &leases)).await.is_some();
                Answer::Given { leases, done }
            })),
            Output::Start { sid, run, job, epoch, until, orders_from } => {
                let right = match until {
                    Some(until) => Right::new(Lease { key: sid.clone(), holder, epoch }, until, orders_from),
                    None => Right::unlimited(),
                };
                self.begin(sid, run, job, right);
            }
            Output::Prolonged(until, runs) => self.links.runs.prolong(until, &runs),
            Output::Stop(_, run, urgency) => self.links.runs.stop(run, urgency),
            Output::Settle { sid, version, reason, epoch } => {
                let elected = self.node.worker(&sid).and_then(|(worker, _)| worker.job()).is_some_and(Job::elected);
                let node = (!elected).then(|| self.settings.node.clone());
                let fence = (epoch != 0).then(|| Lease { key: sid.clone(), holder, epoch });
                self.links.book.settle(Settled { sid, node, version, reason }, fence);
            }
            Output::Drained => self.drained = true,
        }
    }

    fn begin(&self, sid: String, run: u64, job: Job, right: Right) {
        let owner = self.owners.get(&sid).cloned().unwrap_or_default();
        let since = self.node.worker(&sid).map_or_else(|| self.wall.now(), |(_, since)| self.wall_time(since));
        let stop = Stop::new();
        self.links.runs.add(run, stop.clone(), right.clone());
        // an error says that everything ends
        let _ = self.links.begin.send(Begin { sid, owner, run, job, right, stop, since });
    }

    fn beat(&self, running: u32, draining: bool) -> Beat {
        Beat {
            holder: self.settings.holder.clone(),
            node: self.settings.node.clone(),
            version: self.settings.version.clone(),
            capacity: u32::try_from(self.settings.capacity).unwrap_or(u32::MAX),
            running,
            draining,
        }
    }

    /// A time of the node's own clock as everybody's.
    fn wall_time(&self, at: Timestamp) -> Timestamp {
        let ago = self.clock.now().micros().saturating_sub(at.micros());
        Timestamp::from_micros(self.wall.now().micros().saturating_sub(ago))
    }

    /// Hands over what was counted, from time to time.
    fn count(&mut self, last: bool) {
        self.changed.extend(self.node.take_changed());
        let now = self.clock.now();
        if self.changed.is_empty() || now < self.count_at && !last {
            return;
        }
        self.count_at = now.plus(COUNT_EVERY);
        let changed = std::mem::take(&mut self.changed);
        let totals: Vec<Totals> = changed.iter().filter_map(|sid| self.totals(sid)).collect();
        self.links.book.count(totals);
    }

    fn totals(&mut self, sid: &str) -> Option<Totals> {
        let Some((worker, since)) = self.node.worker(sid) else {
            self.errors.remove(sid);
            let gone = self.counted.remove(sid)?;
            return Some(Totals { running: false, ..gone });
        };
        let counters = *worker.counters();
        let waits = matches!(worker.state(), State::Idle | State::Electing);
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        // who only waits to be elected has nothing to say
        if waits && counters.executions == 0 && !self.counted.contains_key(sid) {
            return None;
        }
        let error = self.errors.get(sid);
        let totals = Totals {
            sid: sid.to_owned(),
            node: self.settings.node.clone(),
            executions: number(counters.executions),
            errors: number(counters.errors),
            network_errors: number(counters.network_errors),
            consecutive: i64::from(counters.consecutive),
            running: !waits && !matches!(worker.state(), State::Stopped(_)),
            started_at: self.wall_time(since),
            last_run: counters.last_run.map(|at| self.wall_time(at)),
            last_error: error.map(|(text, _)| text.clone()),
            last_network: error.is_some_and(|(_, network)| *network),
        };
        self.counted.insert(sid.to_owned(), totals.clone());
        Some(totals)
    }
}

fn outcome(good: bool) -> &'static str {
    if good { "ok" } else { "failed" }
}

/// An answer in time.
async fn within<T>(patience: Duration, question: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
    match tokio::time::timeout(patience, question).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::debug!(%error, "no good answer about leases");
            None
        }
        Err(_) => None,
    }
}

async fn peers(store: Arc<dyn FleetStore>, late: Duration, patience: Duration) -> Option<Vec<NodeSeen>> {
    within(patience, store.nodes(late, NODES_MAX)).await
}
