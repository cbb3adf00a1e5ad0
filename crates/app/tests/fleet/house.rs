//! Nodes in one process, on memory stores under a clock of the test's own or on a database, with scripts that are a
//! word each.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use orrery_app::fleet::{FleetPorts, FleetSettings, Hosts, Running, TellingWorkers, start};
use orrery_app::tasks::Tasks;
use orrery_kernel::{Clock, Timestamp};
use orrery_store_memory::{MemoryBus, MemoryFleet, MemoryLogs, MemoryWorkers};
use orrery_store_sqlite::{Options, Sqlite};
use orrery_testkit::fakes::SeededEntropy;
use orrery_workers::fleet::{FleetStore, Intended, Intent, IntentState, LeaseSeen, Timing, Totals};
use orrery_workers::logs::{LogBounds, LogStore};
use orrery_workers::script::{
    End, Host, HostError, Isolation, Level, Limits, Outcome, Program, Run, ScriptFault, ScriptRuntime, Source, Thrown,
    Usage,
};
use orrery_workers::{Changed, Draft, Spec, Urgency, Worker, WorkerStore};
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub const OWNER: &str = "gliesereum-owner";

/// Goes with tokio's time, which is paused.
struct TestClock(Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_760_000_000).plus(self.0.elapsed())
    }
}

/// A run as the runtime saw it.
#[derive(Clone, Debug)]
pub struct Ran {
    pub sid: String,
    pub node: String,
    pub text: String,
    pub isolation: Isolation,
    pub over: bool,
}

/// An effect that was let through.
#[derive(Clone, Debug)]
pub struct Effect {
    pub node: String,
    pub epoch: i64,
}

/// Runs scripts of one word: `good`, `fail`, `network`, `tenth` (each tenth is good), `forever`, `deaf` (ends only at
/// once), `protocol` (logs its account's), `leak` (throws what it says), `wedge` (unless it has a process of its own),
/// `act` (has an effect every 50 ms).
#[derive(Default)]
pub struct Words {
    ran: Mutex<Vec<Ran>>,
}

#[async_trait]
impl ScriptRuntime for Words {
    fn prepare(&self, source: &Source<'_>) -> Result<Program, ScriptFault> {
        match source.text.find("@@") {
            Some(_) => Err(ScriptFault { message: "Unexpected token".into(), place: Some((1, 1)) }),
            None => Ok(Program::new(source.text.to_owned())),
        }
    }

    fn provides(&self, _: &str) -> bool {
        false
    }

    async fn run(&self, run: Run) -> Outcome {
        let text = run.program.kept::<String>().unwrap();
        let (number, before) = {
            let mut ran = self.ran.lock().unwrap();
            let (sid, node) = (run.setting.sid.clone(), run.setting.nid.clone());
            let before = ran.iter().filter(|r| r.sid == sid).count();
            let (text, isolation) = (text.to_string(), run.isolation);
            ran.push(Ran { sid, node, text, isolation, over: false });
            (ran.len() - 1, before)
        };
        let over = Over(self, number);
        let end = say(&run, &text, before).await;
        drop(over);
        Outcome { end, usage: Usage { calls: 3, cpu: Duration::from_millis(7), ..Usage::default() } }
    }
}

/// A run that ends, also when nobody waits for it any more.
struct Over<'a>(&'a Words, usize);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.ran.lock().unwrap()[self.1].over = true;
    }
}

async fn say(run: &Run, text: &str, before: usize) -> End {
    let threw = |class: &str| End::Threw(Thrown::new(class, "it broke", None, ""));
    match text.split_whitespace().next().unwrap_or_default() {
        "good" => End::Returned(None),
        "fail" => threw("Error"),
        "leak" => End::Threw(Thrown::new("Error", &text[5..], None, "")),
        "network" => threw("NetworkError"),
        "tenth" if before % 10 == 9 => End::Returned(None),
        "tenth" => threw("Error"),
        "wedge" if run.isolation == Isolation::Shared => End::Wedged,
        "deaf" => {
            run.stop.wait(Urgency::Now).await;
            End::Stopped
        }
        "protocol" => {
            run.host.log(Level::Info, run.setting.protocol.as_deref().unwrap_or("none"));
            End::Returned(None)
        }
        "say" => {
            run.host.log(Level::Info, &text[4..]);
            run.stop.wait(Urgency::Gently).await;
            End::Stopped
        }
        "act" => {
            let acts = async {
                loop {
                    let _ = run.host.call("act", "[]").await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::select! {
                () = acts => {}
                () = run.stop.wait(Urgency::Gently) => {}
            }
            End::Stopped
        }
        _ => {
            run.stop.wait(Urgency::Gently).await;
            End::Stopped
        }
    }
}

/// Lets effects through as the product's host does: by the node's clock, then by the store.
#[derive(Clone)]
struct Acts {
    store: Arc<dyn FleetStore>,
    clock: Arc<dyn Clock>,
    done: Arc<Mutex<Vec<Effect>>>,
    refused: Arc<AtomicU64>,
    orders: Arc<AtomicU64>,
}

struct ActsOf(Acts, Running);

#[async_trait]
impl Hosts for Acts {
    fn host(&self, running: Running) -> Arc<dyn Host> {
        Arc::new(ActsOf(self.clone(), running))
    }

    async fn protocol(&self, _: &str, account: &str) -> Result<Option<String>, HostError> {
        match account {
            "unknown now" => Err(HostError::new("ExchangeNotAvailable", "the account cannot be read now")),
            _ => Ok(Some(format!("{{\"of\":\"{account}\"}}"))),
        }
    }
}

#[async_trait]
impl Host for ActsOf {
    async fn call(&self, _: &str, _: &str) -> Result<String, HostError> {
        let Self(acts, running) = self;
        let epoch = running.right.epoch();
        let intent = Intent {
            client_order_id: format!("{}-{}", running.node, acts.orders.fetch_add(1, Ordering::SeqCst)),
            sid: running.sid.clone(),
            epoch,
            venue: "binance".into(),
            account: None,
            body: "{}".into(),
            state: IntentState::Open,
            order_id: None,
            at: acts.clock.now(),
        };
        let lives = running.right.lives(acts.clock.now());
        if !lives || acts.store.intend(&intent, running.right.fence.as_ref()).await.unwrap() != Intended::Done {
            acts.refused.fetch_add(1, Ordering::SeqCst);
            running.right.end();
            running.stop.now();
            return Err(HostError::new("LeaseLost", ""));
        }
        acts.done.lock().unwrap().push(Effect { node: running.node.clone(), epoch });
        Ok("null".into())
    }

    fn log(&self, level: Level, text: &str) {
        self.1.log.line(&self.1.sid, level, text);
    }
}

/// A driver that can be held like a process that got SIGSTOP.
struct Held<F>(Pin<Box<F>>, Arc<AtomicBool>);

impl<F: Future<Output = ()>> Future for Held<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.1.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        self.0.as_mut().poll(context)
    }
}

async fn stop(tasks: &Tasks) {
    tokio::time::timeout(Duration::from_secs(10), tasks.drain()).await.unwrap();
}

/// A process of a node.
pub struct Process {
    tasks: Tasks,
    driver: JoinHandle<()>,
    held: Arc<AtomicBool>,
}

impl Process {
    /// Dies without a word: nobody keeps or gives back its leases.
    pub async fn kill(self) {
        self.driver.abort();
        let _ = self.driver.await;
        stop(&self.tasks).await;
    }

    /// Ends as at SIGTERM; says how long that took by the test's clock.
    pub async fn drain(self) -> Duration {
        let began = Instant::now();
        stop(&self.tasks).await;
        self.driver.await.unwrap();
        began.elapsed()
    }

    /// Its driver is not run any more, while its scripts are.
    pub fn hold(&self) {
        self.held.store(true, Ordering::SeqCst);
    }
}

/// What nodes share, and what was seen of them.
pub struct House {
    clock: Arc<dyn Clock>,
    pub workers: TellingWorkers,
    pub fleet: Arc<dyn FleetStore>,
    pub logs: Arc<dyn LogStore>,
    timing: Timing,
    bus: Arc<MemoryBus>,
    words: Arc<Words>,
    pub effects: Arc<Mutex<Vec<Effect>>>,
    pub refused: Arc<AtomicU64>,
    lives: AtomicU64,
}

impl House {
    /// On stores in memory, under tokio's time.
    pub fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TestClock(Instant::now()));
        let workers = Arc::new(MemoryWorkers::default());
        let fleet = Arc::new(MemoryFleet::new(clock.clone(), workers.clone()));
        Self::on(clock, workers, fleet, Arc::new(MemoryLogs::default()), Timing::default())
    }

    /// On a database file in that folder. Its clock is the machine's, so that leases are short.
    pub async fn on_sqlite(folder: &std::path::Path) -> Self {
        let file = folder.join("orrery.db");
        let db = Sqlite::open(file.to_str().unwrap(), Options::default()).await.unwrap();
        db.migrate().await.unwrap();
        let clock = Arc::new(TestClock(Instant::now()));
        let timing = Timing::new(Duration::from_secs(6), Duration::from_secs(2));
        Self::on(clock, db.workers(), db.fleet(), db.worker_logs(), timing)
    }

    fn on(
        clock: Arc<dyn Clock>,
        workers: Arc<dyn WorkerStore>,
        fleet: Arc<dyn FleetStore>,
        logs: Arc<dyn LogStore>,
        timing: Timing,
    ) -> Self {
        let bus = Arc::new(MemoryBus::default());
        Self {
            workers: TellingWorkers::new(workers, bus.clone()),
            fleet,
            logs,
            timing,
            clock,
            bus,
            words: Arc::default(),
            effects: Arc::default(),
            refused: Arc::default(),
            lives: AtomicU64::new(0),
        }
    }

    /// A process of the node of that name.
    pub fn node(&self, name: &str, capacity: usize) -> Process {
        let life = self.lives.fetch_add(1, Ordering::SeqCst);
        let acts = Acts {
            store: self.fleet.clone(),
            clock: self.clock.clone(),
            done: self.effects.clone(),
            refused: self.refused.clone(),
            orders: Arc::new(AtomicU64::new(life << 32)),
        };
        let ports = FleetPorts {
            store: self.fleet.clone(),
            logs: self.logs.clone(),
            bus: self.bus.clone(),
            runtime: self.words.clone(),
            hosts: Arc::new(acts),
            clock: self.clock.clone(),
            wall: self.clock.clone(),
            entropy: Arc::new(SeededEntropy::new(life)),
        };
        let settings = FleetSettings {
            node: name.into(),
            holder: format!("{name}/{life}"),
            version: "1".into(),
            capacity,
            timing: self.timing,
            network: "testnet".into(),
            limits: Limits::default(),
            log_bounds: LogBounds::default(),
        };
        let (tasks, held) = (Tasks::new(), Arc::new(AtomicBool::new(false)));
        let driver = start(&ports, settings, &tasks);
        let driver = tokio::spawn(Held(Box::pin(driver.run(self.fleet.clone())), held.clone()));
        Process { tasks, driver, held }
    }

    /// Saves a new worker, active.
    pub async fn add(&self, sid: &str, script: &str, draft: Draft) {
        let spec = Spec::new(Draft { active: Some(true), script: Some(script.into()), ..draft }).unwrap();
        let at = self.clock.now();
        let worker = Worker {
            sid: sid.into(),
            nid: "a".into(),
            owner: OWNER.into(),
            spec,
            version: 1,
            created_at: at,
            updated_at: at,
        };
        assert!(self.workers.add_worker(&worker, 100_000).await.unwrap());
    }

    /// Saves a change of a worker.
    pub async fn change(&self, sid: &str, change: impl FnOnce(&mut Spec)) {
        let mut spec = self.workers.worker(sid).await.unwrap().unwrap().spec;
        change(&mut spec);
        let changed = self.workers.change_worker(OWNER, sid, &spec, None, 10, self.clock.now()).await.unwrap();
        assert!(matches!(changed, Changed::Done(_)));
    }

    /// Every run, or those of one worker, in the order they began.
    pub fn ran(&self, sid: &str) -> Vec<Ran> {
        self.words.ran.lock().unwrap().iter().filter(|ran| sid.is_empty() || ran.sid == sid).cloned().collect()
    }

    /// Runs that are not over.
    pub fn running(&self, sid: &str) -> Vec<Ran> {
        self.ran(sid).into_iter().filter(|ran| !ran.over).collect()
    }

    /// Waits until as many runs are under way; says how long that took by the test's clock.
    pub async fn runs(&self, sid: &str, count: usize, within: Duration) -> Duration {
        let began = Instant::now();
        while self.running(sid).len() != count {
            let running = self.running(sid);
            assert!(began.elapsed() < within, "{} runs of {sid:?}, not {count}: {running:?}", running.len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    }

    /// Waits until a version of the worker was settled; says why.
    pub async fn settled(&self, sid: &str, within: Duration) -> String {
        let began = Instant::now();
        loop {
            let settled = self.fleet.settled_of(OWNER).await.unwrap();
            if let Some(seen) = settled.iter().find(|seen| seen.settled.sid == sid) {
                return seen.settled.reason.name().into();
            }
            assert!(began.elapsed() < within, "{sid} is not settled after {} runs", self.ran(sid).len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What was counted of a worker, by node.
    pub async fn totals(&self, sid: &str) -> HashMap<String, Totals> {
        let totals = self.fleet.totals_of(OWNER).await.unwrap().into_iter();
        totals.filter(|totals| totals.sid == sid).map(|totals| (totals.node.clone(), totals)).collect()
    }

    /// Who leads a worker.
    pub async fn lease(&self, sid: &str) -> LeaseSeen {
        self.fleet.lease(sid).await.unwrap().unwrap()
    }

    /// The lines of a worker's log.
    pub async fn lines(&self, sid: &str) -> Vec<String> {
        let lines = self.logs.tail(sid, 1_000).await.unwrap();
        lines.into_iter().map(|numbered| numbered.line.text).collect()
    }
}

/// Fields of a worker that one node leads.
pub fn leader() -> Draft {
    Draft { execution_mode: Some("leader".into()), ..Draft::default() }
}

/// Lets the test's clock go on.
pub async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
