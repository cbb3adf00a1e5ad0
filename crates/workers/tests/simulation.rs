//! Elections of a fleet under seeded schedules of pauses, crashes, partitions, clock steps and slow stores.
//!
//! The nodes are the real ones ([`Node`]), the store is the one in memory by a clock that the simulation moves and
//! sometimes steps. Only effects that the store accepts under a fence count, as in production.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a failed test, in helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use orrery_kernel::{Clock, Timestamp};
use orrery_storage::Lease;
use orrery_store_memory::{MemoryFleet, MemoryWorkers};
use orrery_workers::fleet::{
    Beat, FleetStore, Grant, Input, Intended, Intent, IntentState, Job, Node, NodeSeen, Output, RunEnd, Timing,
};
use orrery_workers::{Draft, Spec};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const NODES: usize = 3;
const WORKERS: [&str; 1] = ["w-1"];
const SEEDS: u64 = 10_000;
/// Faults happen until then.
const FAULTS: i64 = 14_000;
/// With everything well again, every worker has a leader after this long: the steps of the clock, a lease, the
/// retries, and a few looks.
const BOUND: i64 = 2_000 + 12_000 + 6_000;
const MS: i64 = 1_000;

struct Stepped(AtomicI64);

impl Clock for Stepped {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// What the store is asked.
#[derive(Clone, Debug)]
enum Question {
    Beat(u32, bool),
    Take(Vec<String>),
    Renew,
    Give(Vec<(String, i64)>),
    Effect(String, i64),
}

enum Answer {
    Peers(Vec<NodeSeen>),
    Taken(Option<Vec<Grant>>),
    Renewed(Option<Vec<(String, i64)>>),
    Given(Vec<(String, i64)>, bool),
}

enum What {
    Wake,
    Asked { question: Question, life: u64, asked: Timestamp, lost: bool },
    Answered { answer: Answer, life: u64, asked: Timestamp },
    Effect { sid: String, run: u64, epoch: i64, life: u64 },
    Ended { sid: String, run: u64, life: u64 },
    Restart,
}

/// A process, alive or not.
struct Process {
    node: Node,
    life: u64,
    dead: bool,
    paused_until: i64,
    cut_until: i64,
    runs: BTreeMap<String, u64>,
    /// Its next wake-up, to queue no more than one.
    wake: i64,
}

struct World {
    seed: u64,
    random: StdRng,
    now: i64,
    order: u64,
    queue: BTreeMap<(i64, u64), (usize, What)>,
    clock: Arc<Stepped>,
    store: MemoryFleet,
    processes: Vec<Process>,
    slow_until: i64,
    /// Who had an effect under which epoch of which worker.
    accepted: BTreeMap<(String, i64), usize>,
    newest: BTreeMap<String, i64>,
    last_effect: BTreeMap<String, i64>,
    refused: u64,
    effects: u64,
}

fn at(now: i64) -> Timestamp {
    Timestamp::from_micros(now * MS)
}

fn timing() -> Timing {
    Timing::new(Duration::from_secs(12), Duration::from_secs(4))
}

fn holder(index: usize, life: u64) -> String {
    format!("s-{index}/{life}")
}

fn process(index: usize, life: u64, now: i64) -> Process {
    let node = Node::new(&format!("s-{index}"), &holder(index, life), 10, timing(), at(now));
    Process { node, life, dead: false, paused_until: 0, cut_until: 0, runs: BTreeMap::new(), wake: i64::MAX }
}

impl World {
    fn new(seed: u64) -> Self {
        let clock = Arc::new(Stepped(AtomicI64::new(1_000_000 * MS)));
        let store = MemoryFleet::new(clock.clone(), Arc::new(MemoryWorkers::default()));
        let mut world = Self {
            seed,
            random: StdRng::seed_from_u64(seed),
            now: 0,
            order: 0,
            queue: BTreeMap::new(),
            clock,
            store,
            processes: (0..NODES).map(|index| process(index, 1, 0)).collect(),
            slow_until: 0,
            accepted: BTreeMap::new(),
            newest: BTreeMap::new(),
            last_effect: BTreeMap::new(),
            refused: 0,
            effects: 0,
        };
        (0..NODES).for_each(|index| world.begin(index));
        world
    }

    fn begin(&mut self, index: usize) {
        let draft =
            Draft { execution_mode: Some("leader".into()), priority: Some("critical".into()), ..Draft::default() };
        let spec = Arc::new(Spec::new(draft).unwrap());
        for sid in WORKERS {
            self.tell(index, Input::Want(sid.to_owned(), Job { version: 1, spec: spec.clone() }));
        }
    }

    fn push(&mut self, at: i64, index: usize, what: What) {
        self.order += 1;
        self.queue.insert((at, self.order), (index, what));
    }

    fn between(&mut self, from: i64, to: i64) -> i64 {
        self.random.random_range(from..=to)
    }

    fn tell(&mut self, index: usize, input: Input) {
        let now = at(self.now);
        let outputs = self.processes[index].node.step(input, now);
        for output in outputs {
            self.act(index, output);
        }
        let wake = self.processes[index].node.wake_at().micros().saturating_add(MS - 1) / MS;
        let wake = wake.max(self.now + 1);
        if wake < self.processes[index].wake {
            self.processes[index].wake = wake;
            self.push(wake, index, What::Wake);
        }
    }

    fn act(&mut self, index: usize, output: Output) {
        let life = self.processes[index].life;
        match output {
            Output::Beat { running, draining } => self.ask(index, Question::Beat(running, draining)),
            Output::Take(sids) => self.ask(index, Question::Take(sids)),
            Output::Renew => self.ask(index, Question::Renew),
            Output::Give(leases) => self.ask(index, Question::Give(leases)),
            Output::Start { sid, run, epoch, .. } => {
                self.processes[index].runs.insert(sid.clone(), run);
                let length = self.between(1_000, 6_000);
                self.push(self.now + 1, index, What::Effect { sid: sid.clone(), run, epoch, life });
                self.push(self.now + length, index, What::Ended { sid, run, life });
            }
            Output::Stop(sid, run, _) => self.push(self.now + 1, index, What::Ended { sid, run, life }),
            Output::Prolonged(..) | Output::Settle { .. } | Output::Drained => {}
        }
    }

    /// Sends a question on its way; a slow store may take longer than anybody waits.
    fn ask(&mut self, index: usize, question: Question) {
        let delay = if self.now < self.slow_until { self.between(1, 8_000) } else { self.between(1, 20) };
        let cut = self.now < self.processes[index].cut_until;
        // of what is lost, the question or the answer is
        let (life, lost) = (self.processes[index].life, cut && self.random.random_bool(0.5));
        let asked = at(self.now);
        if cut && !lost {
            self.unanswered(index, &question, life, asked);
            return;
        }
        self.push(self.now + delay, index, What::Asked { question, life, asked, lost });
    }

    /// The driver gives a question up after two seconds.
    fn unanswered(&mut self, index: usize, question: &Question, life: u64, asked: Timestamp) {
        let answer = match question {
            Question::Beat(..) => Answer::Peers(Vec::new()),
            Question::Take(_) => Answer::Taken(None),
            Question::Renew => Answer::Renewed(None),
            Question::Give(leases) => Answer::Given(leases.clone(), false),
            Question::Effect(..) => return,
        };
        self.push((asked.micros() / MS + 2_000).max(self.now), index, What::Answered { answer, life, asked });
    }

    /// The store's side of a question.
    fn answer(&mut self, index: usize, question: &Question, life: u64, asked: Timestamp, lost: bool) {
        let (name, timing) = (holder(index, life), timing());
        let answer = match question {
            Question::Beat(running, draining) => {
                let beat = Beat {
                    node: format!("s-{index}"),
                    holder: name,
                    version: String::new(),
                    capacity: 10,
                    running: *running,
                    draining: *draining,
                };
                now(self.store.beat(&beat));
                Answer::Peers(now(self.store.nodes(timing.late, 9)))
            }
            Question::Take(sids) => {
                Answer::Taken(Some(now(self.store.take_leases(&name, sids, timing.lease, timing.late))))
            }
            Question::Renew => Answer::Renewed(Some(now(self.store.renew_leases(&name, timing.lease)))),
            Question::Give(leases) => {
                now(self.store.give_leases(&name, leases));
                Answer::Given(leases.clone(), true)
            }
            Question::Effect(sid, epoch) => return self.effect(index, sid, *epoch, &name),
        };
        let too_late = self.now - asked.micros() / MS > 2_000;
        if lost || too_late {
            self.unanswered(index, question, life, asked);
        } else {
            let delay = self.between(1, 20);
            self.push(self.now + delay, index, What::Answered { answer, life, asked });
        }
    }

    fn effect(&mut self, index: usize, sid: &str, epoch: i64, holder: &str) {
        self.effects += 1;
        let intent = Intent {
            client_order_id: format!("o-{}", self.effects),
            sid: sid.to_owned(),
            epoch,
            venue: "stub".into(),
            account: None,
            body: String::new(),
            state: IntentState::Refused,
            order_id: None,
            at: at(0),
        };
        let fence = Lease { key: sid.to_owned(), holder: holder.to_owned(), epoch };
        if now(self.store.intend(&intent, Some(&fence))) != Intended::Done {
            self.refused += 1;
            return;
        }
        let who = self.accepted.entry((sid.to_owned(), epoch)).or_insert(index);
        let seed = self.seed;
        assert_eq!(*who, index, "seed {seed}: two holders had an effect on {sid} under epoch {epoch}");
        let newest = self.newest.entry(sid.to_owned()).or_insert(epoch);
        assert!(epoch >= *newest, "seed {seed}: an effect on {sid} under epoch {epoch} after one under {newest}");
        *newest = epoch;
        self.last_effect.insert(sid.to_owned(), self.now);
    }

    fn fault(&mut self) {
        let index = self.random.random_range(0..NODES);
        let length = self.between(100, 14_000);
        match self.random.random_range(0..6) {
            0 => self.processes[index].paused_until = self.now + length,
            1 => self.processes[index].cut_until = self.now + length,
            2 => self.slow_until = self.now + length,
            3 => {
                let step = self.between(-1_000, 3_000) * MS;
                self.clock.0.fetch_add(step, Ordering::Relaxed);
            }
            4 => {
                self.processes[index].dead = true;
                self.push(self.now + length, index, What::Restart);
            }
            // a wake-up for nothing, unless the process is none
            _ if self.processes[index].dead || self.now < self.processes[index].paused_until => {}
            _ => self.tell(index, Input::Free),
        }
    }

    fn happens(&mut self, index: usize, what: What) {
        if let What::Asked { question, life, asked, lost } = what {
            // what was sent arrives, whatever became of the sender
            return self.answer(index, &question, life, asked, lost);
        }
        if let What::Restart = what {
            let life = self.processes[index].life + 1;
            self.processes[index] = process(index, life, self.now);
            return self.begin(index);
        }
        let process = &mut self.processes[index];
        if process.dead {
            return;
        }
        if self.now < process.paused_until {
            // everything waits for the process, which finds it when it goes on
            let until = process.paused_until;
            return self.push(until, index, what);
        }
        match what {
            What::Wake => {
                process.wake = i64::MAX;
                self.tell(index, Input::Tick);
            }
            What::Answered { answer, life, asked } if life == process.life => match answer {
                Answer::Peers(peers) => {
                    self.tell(index, Input::Beaten);
                    self.tell(index, Input::Peers(peers));
                }
                Answer::Taken(grants) => self.tell(index, Input::Taken { asked, grants }),
                Answer::Renewed(held) => self.tell(index, Input::Renewed { asked, held }),
                Answer::Given(leases, done) => self.tell(index, Input::Given { leases, done }),
            },
            What::Effect { sid, run, epoch, life } if life == process.life && process.runs.get(&sid) == Some(&run) => {
                // a stopped script may have had its last effect on the way, so no look at the right here
                let pause = self.between(200, 1_200);
                self.ask(index, Question::Effect(sid.clone(), epoch));
                self.push(self.now + pause, index, What::Effect { sid, run, epoch, life });
            }
            What::Ended { sid, run, life } if life == process.life && process.runs.get(&sid) == Some(&run) => {
                process.runs.remove(&sid);
                let end = if self.random.random_bool(0.3) { RunEnd::Failed { network: false } } else { RunEnd::Good };
                self.tell(index, Input::Ended(sid, run, end));
            }
            _ => {}
        }
    }

    fn run(&mut self) {
        let mut faults: BTreeSet<i64> = BTreeSet::new();
        for _ in 0..8 {
            faults.insert(self.between(1_000, FAULTS));
        }
        // the longest fault may begin last
        let well = FAULTS + 14_000;
        let end = well + BOUND;
        while let Some(((then, _), (index, what))) = self.queue.pop_first() {
            if then > end {
                break;
            }
            while let Some(fault) = faults.first().copied().filter(|fault| *fault <= then) {
                faults.remove(&fault);
                self.advance(fault.max(self.now));
                self.fault();
            }
            self.advance(then.max(self.now));
            self.happens(index, what);
        }
        self.advance(end);
    }

    fn advance(&mut self, to: i64) {
        self.clock.0.fetch_add((to - self.now) * MS, Ordering::Relaxed);
        self.now = to;
    }
}

/// The memory store answers at once.
fn now<T>(answer: impl Future<Output = Result<T, orrery_kernel::StoreError>>) -> T {
    answer.now_or_never().expect("it does not wait").expect("it answers")
}

#[test]
fn never_two_holders_under_one_epoch_and_always_a_leader_again() {
    let threads = std::thread::available_parallelism().map_or(2, usize::from) as u64;
    let (mut effects, mut refused, mut epochs) = (0, 0, 0);
    std::thread::scope(|scope| {
        let run = |first: u64| {
            let (mut effects, mut refused, mut epochs) = (0, 0, 0);
            for seed in (first..SEEDS).step_by(usize::try_from(threads).unwrap()) {
                let mut world = World::new(seed);
                world.run();
                for sid in WORKERS {
                    let last = world.last_effect.get(sid).copied().unwrap_or(0);
                    assert!(world.now - last < 6_000, "seed {seed}: {sid} has no leader since {last} ms");
                }
                effects += world.effects - world.refused;
                refused += world.refused;
                epochs += world.newest.values().sum::<i64>();
            }
            (effects, refused, epochs)
        };
        let tasks: Vec<_> = (0..threads).map(|first| scope.spawn(move || run(first))).collect();
        for task in tasks {
            let done = task.join().expect("an invariant does not hold; the seed is above");
            (effects, refused, epochs) = (effects + done.0, refused + done.1, epochs + done.2);
        }
    });
    // or the schedules tell nothing
    assert!(refused > 1_000 && epochs > 3 * i64::try_from(SEEDS).unwrap(), "{effects} {refused} {epochs}");
}
