//! Nodes that share stores in memory, with scripts of a runtime that only plays.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use orrery_kernel::Timestamp;
use orrery_store_memory::{MemoryBus, MemoryFleet, MemoryLogs, MemoryWorkers};
use orrery_testkit::fakes::SeededEntropy;
use orrery_workers::script::{End, Host, HostError, Level, Outcome, Program, Run, ScriptFault, Source, Thrown, Usage};
use orrery_workers::{Draft, Spec, Urgency, WorkerStore};
use tokio::time::Instant;

use super::*;

const OWNER: &str = "gOwner";

/// Tokio's time, which tests move.
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000).plus(self.0.elapsed())
    }
}

/// Scripts are words: `throw …` fails, `wait` waits for the end, `log …` writes, else nothing happens.
struct Play;

#[async_trait]
impl ScriptRuntime for Play {
    fn prepare(&self, source: &Source<'_>) -> Result<Program, ScriptFault> {
        match source.text {
            "bad" => Err(ScriptFault { message: "no script".into(), place: Some((1, 2)) }),
            text => Ok(Program::new(text.to_owned())),
        }
    }

    async fn run(&self, run: Run) -> Outcome {
        let text = run.program.kept::<String>().unwrap();
        let end = match text.split_once(' ').unwrap_or((&text, "")) {
            ("throw", class) => End::Threw(Thrown::new(class, "no", Some((3, 4)), "")),
            ("wait", _) => {
                run.host.call("began", &run.setting.epoch.to_string()).await.unwrap();
                run.stop.wait(Urgency::Gently).await;
                End::Stopped
            }
            ("stubborn", _) => {
                run.stop.wait(Urgency::Now).await;
                End::Stopped
            }
            ("log", line) => {
                run.host.log(Level::Info, line);
                End::Returned(None)
            }
            _ => End::Returned(None),
        };
        Outcome { end, usage: Usage { calls: 2, ..Usage::default() } }
    }
}

type Rights = Arc<Mutex<BTreeMap<String, Vec<Right>>>>;

/// Remembers what rights there were.
#[derive(Clone, Default)]
struct Watching(Rights);

impl Hosts for Watching {
    fn host(&self, running: Running) -> Arc<dyn Host> {
        let mut rights = self.0.lock().unwrap();
        rights.entry(running.node.clone()).or_default().push(running.right.clone());
        Arc::new(Watched(running))
    }
}

struct Watched(Running);

#[async_trait]
impl Host for Watched {
    async fn call(&self, _: &str, _: &str) -> Result<String, HostError> {
        Ok("null".into())
    }

    fn log(&self, level: Level, text: &str) {
        self.0.log.line(&self.0.sid, level, text);
    }
}

struct House {
    workers: Arc<MemoryWorkers>,
    store: Arc<MemoryFleet>,
    logs: Arc<MemoryLogs>,
    bus: Arc<MemoryBus>,
    clock: Arc<Paused>,
    watching: Watching,
}

impl House {
    fn new() -> Self {
        let clock = Arc::new(Paused(Instant::now()));
        let workers = Arc::new(MemoryWorkers::default());
        Self {
            store: Arc::new(MemoryFleet::new(clock.clone(), workers.clone())),
            workers,
            logs: Arc::default(),
            bus: Arc::default(),
            clock,
            watching: Watching::default(),
        }
    }

    fn node(&self, name: &str) -> Tasks {
        let ports = FleetPorts {
            store: self.store.clone(),
            logs: self.logs.clone(),
            bus: self.bus.clone(),
            runtime: Arc::new(Play),
            hosts: Arc::new(self.watching.clone()),
            clock: self.clock.clone(),
            wall: self.clock.clone(),
            entropy: Arc::new(SeededEntropy::new(7)),
        };
        let settings = FleetSettings {
            node: name.into(),
            holder: format!("{name}/1"),
            version: "1".into(),
            capacity: 100,
            timing: Timing::default(),
            network: "testnet".into(),
            limits: Limits::default(),
            log_bounds: LogBounds::default(),
        };
        let tasks = Tasks::new();
        let driver = start(ports, settings, &tasks);
        tasks.spawn("driver", driver.run(self.store.clone()));
        tasks
    }

    async fn save(&self, sid: &str, draft: Draft) {
        let spec = Spec::new(Draft { active: Some(true), ..draft }).unwrap();
        let at = self.clock.now();
        let store = TellingWorkers::new(self.workers.clone(), self.bus.clone());
        if store.worker(sid).await.unwrap().is_some() {
            store.change_worker(OWNER, sid, &spec, None, 9, at).await.unwrap();
            return;
        }
        let (sid, owner) = (sid.to_owned(), OWNER.to_owned());
        let worker = Worker { sid, nid: "n".into(), owner, spec, version: 1, created_at: at, updated_at: at };
        assert!(store.add_worker(&worker, 99).await.unwrap());
    }

    fn rights(&self, node: &str) -> Vec<Right> {
        self.watching.0.lock().unwrap().get(node).cloned().unwrap_or_default()
    }
}

fn script(text: &str) -> Draft {
    Draft { script: Some(text.into()), ..Draft::default() }
}

fn elected(text: &str) -> Draft {
    Draft { execution_mode: Some("leader".into()), ..script(text) }
}

/// Polls until it is so; fails after two minutes of the moved time.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..12_000 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}");
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_a_clean_stop_hands_over_at_once() {
    let house = House::new();
    let a = house.node("a");
    house.save("x", elected("wait")).await;
    until("it runs", async || house.rights("a").len() == 1).await;
    let right = house.rights("a")[0].clone();
    assert_eq!((right.epoch(), right.lives(house.clock.now())), (1, true));
    let b = house.node("b");
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert!(right.lives(house.clock.now()), "prolonged");
    assert!(house.rights("b").is_empty(), "one leads");
    let began = Instant::now();
    a.drain().await;
    until("the other leads", async || house.rights("b").len() == 1).await;
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    assert!(!right.lives(house.clock.now()));
    assert_eq!(house.rights("b")[0].epoch(), 2);
    b.drain().await;
}

#[tokio::test(start_paused = true)]
async fn who_only_fails_stops_at_its_budget_and_runs_again_when_changed() {
    let house = House::new();
    let node = house.node("a");
    house.save("x", Draft { priority: Some("low".into()), ..elected("throw NetworkError") }).await;
    house.save("y", Draft { priority: Some("low".into()), ..script("bad") }).await;
    let totals = async || house.store.totals_of(OWNER).await.unwrap();
    until("both give up", async || totals().await.iter().filter(|t| !t.running && t.errors == 5).count() == 2).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    let counted = totals().await;
    assert!(counted.iter().all(|t| (t.executions, t.errors) == (5, 5)), "{counted:?}");
    assert_eq!((counted[0].network_errors, counted[1].network_errors), (5, 0));
    assert_eq!(counted[1].last_error.as_deref(), Some("SyntaxError: no script (line 1, column 2)"));
    assert!(house.store.due_workers("a", 9).await.unwrap().is_empty());
    let runs = house.store.runs("x", 9).await.unwrap();
    assert_eq!((runs.len(), runs[0].outcome.as_deref(), runs[0].calls), (5, Some("network"), 2));
    let log = house.logs.tail("x", 9).await.unwrap();
    assert_eq!(log.last().unwrap().line.text, "NetworkError: no (line 3, column 4)");
    house.save("x", elected("wait")).await;
    until("it runs", async || house.rights("a").last().is_some_and(|r| r.lives(house.clock.now()))).await;
    node.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_stubborn_script_is_ended_and_handed_over_in_time() {
    let house = House::new();
    let node = house.node("a");
    house.save("x", elected("stubborn")).await;
    until("it runs", async || house.rights("a").len() == 1).await;
    let began = Instant::now();
    node.drain().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(!house.store.lease("x").await.unwrap().unwrap().held());
}

#[tokio::test(start_paused = true)]
async fn lines_come_to_the_store_without_secrets() {
    let house = House::new();
    let node = house.node("a");
    house.save("x", Draft { mode: Some("single".into()), ..script("log password=hunter2hunter2 ok") }).await;
    until("it wrote", async || !house.logs.tail("x", 9).await.unwrap().is_empty()).await;
    assert_eq!(house.logs.tail("x", 9).await.unwrap()[0].line.text, "password=[redacted] ok");
    until("it ran once", async || house.store.due_workers("a", 9).await.unwrap().is_empty()).await;
    until("that is told", async || house.store.totals_of(OWNER).await.unwrap().iter().any(|t| !t.running)).await;
    assert_eq!(house.store.runs("x", 9).await.unwrap().len(), 1);
    node.drain().await;
}
