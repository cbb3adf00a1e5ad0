//! Drives one run: between the engine, which computes, and the host and the clock, which it waits for.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{AbortHandle, Abortable, Aborted, BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use orrery_workers::script::{End, Exceeded, HostError, Limits, Outcome, Thrown};
use orrery_workers::{Stop, Urgency};
use tokio::time::{Instant, sleep_until};

use crate::control::{Budget, Control, Reason};
use crate::isolate::code::Code;
use crate::isolate::memory::Meter;
use crate::isolate::modules::Library;
use crate::isolate::{Blank, Blanks, Event, Globals, Isolate, LARGER, Out, State, Table};
use crate::pool::under_watch;

/// Most answers that the engine takes at once: between two turns it can be interrupted at no cost.
const TURN_MAX: usize = 256;
const MINUTE: Duration = Duration::from_secs(60);

/// A script that can be run.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub code: Code,
    /// As [`Code`] was compiled from it: for processes, which compile for themselves.
    pub text: Arc<str>,
    pub library: Arc<Library>,
    /// Names that it uses; `None` if it may reach globals that it does not name.
    pub names: Option<HashSet<String>>,
    pub globals: Globals,
}

impl Compiled {
    /// Of a script's code and the text that it was compiled from.
    pub fn new(code: Code, text: Arc<str>, library: Arc<Library>, names: Option<HashSet<String>>) -> Self {
        // what bundles name was not looked at
        let globals = Globals::of(names.as_ref().filter(|_| library.is_empty()));
        Self { code, text, library, names, globals }
    }
}

/// One run.
pub(crate) struct Job {
    pub compiled: Arc<Compiled>,
    pub blanks: Arc<Blanks>,
    pub state: Arc<State>,
    pub control: Arc<Control>,
    /// Ends it when nobody waits for its outcome any more.
    pub dropped: Stop,
}

/// A call's number and what the host said.
type Answered = (u32, Result<String, HostError>);
type Answer = Result<Answered, Aborted>;

/// Calls of the host: those that run, and those whose turn has not come.
#[derive(Default)]
struct Calls {
    running: FuturesUnordered<Abortable<BoxFuture<'static, Answered>>>,
    handles: HashMap<u32, AbortHandle>,
    /// Bounded by the state, which counts all calls.
    queued: VecDeque<(u32, String, String)>,
}

impl Calls {
    /// Takes what left the engine, and starts what may run.
    fn take(&mut self, state: &State) {
        for out in state.take_out() {
            match out {
                Out::Call { id, method, arguments } => self.queued.push_back((id, method, arguments)),
                Out::Cancel(id) => {
                    self.queued.retain(|(queued, _, _)| *queued != id);
                    if let Some(handle) = self.handles.remove(&id) {
                        handle.abort();
                    }
                }
            }
        }
        while self.running.len() < state.limits.calls
            && let Some((id, method, arguments)) = self.queued.pop_front()
        {
            let host = state.host().clone();
            let (handle, registration) = AbortHandle::new_pair();
            let call = async move { (id, host.call(&method, &arguments).await) };
            self.handles.insert(id, handle);
            self.running.push(Abortable::new(call.boxed(), registration));
        }
    }

    /// The next answer; waits for ever while no call runs.
    async fn next(&mut self) -> Answer {
        match self.running.next().await {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    /// What an answer is to the script; nothing, if it gave the call up.
    fn event(&mut self, answer: Answer, state: &State) -> Option<Event> {
        let (id, answer) = answer.ok()?;
        self.handles.remove(&id);
        let keep = state.keeps(id);
        let most = state.limits.call_bytes.saturating_mul(if keep { LARGER } else { 1 });
        let bad = |message: &str| HostError::new("BadResponse", message);
        let answer = match answer {
            Ok(text) if text.len() > most => Err(bad("the answer is too large for a worker")),
            Ok(text) if keep => match Table::new(text) {
                Ok(table) => {
                    state.keep(id, table);
                    return state.settled(id, false).then_some(Event::Kept(id));
                }
                Err(_) => Err(bad("the answer is no list")),
            },
            answer => answer,
        };
        state.settled(id, answer.is_err()).then_some(Event::Settled(id, answer))
    }

    /// Answers that are there already.
    fn more(&mut self, events: &mut Vec<Event>, state: &State) {
        while events.len() < TURN_MAX
            && let Some(Some(answer)) = self.running.next().now_or_never()
        {
            events.extend(self.event(answer, state));
        }
    }
}

/// Computing time within a minute: what is left comes back evenly.
struct Minute {
    full: Duration,
    left: Duration,
    at: Instant,
}

impl Minute {
    fn new(full: Duration) -> Self {
        Self { full, left: full, at: Instant::now() }
    }

    /// What may be used now.
    fn left(&mut self) -> Duration {
        let now = Instant::now();
        let back = self.full.as_secs_f64() * now.duration_since(self.at).as_secs_f64() / MINUTE.as_secs_f64();
        self.left = self.full.min(self.left.saturating_add(Duration::from_secs_f64(back.min(1e9))));
        self.at = now;
        self.left
    }

    fn use_up(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }
}

/// What woke the run.
enum Woken {
    Answer(Answer),
    Timer,
    /// It is to be stopped gently.
    Asked,
    /// Some limit of time is over, or it is to end at once.
    Over(Option<Reason>),
}

struct Run {
    job: Job,
    minute: Minute,
    calls: Calls,
    wall: Option<Instant>,
    /// Until when it may go on after it was asked to stop.
    grace: Option<Instant>,
}

/// Runs a script to its end.
pub(crate) async fn drive(job: Job) -> Outcome {
    let limits = job.state.limits;
    let blanks = job.blanks.clone();
    let mut run = Run {
        minute: Minute::new(limits.per_minute),
        calls: Calls::default(),
        wall: limits.wall.map(|wall| Instant::now() + wall),
        grace: None,
        job,
    };
    let blank = match run.compute(|| blanks.take()) {
        Ok(blank) => blank,
        Err(error) => return Outcome { end: End::Failed(error.to_string()), usage: run.job.state.usage() },
    };
    let meter = blank.meter.clone();
    let end = run.run(blank, &meter).await;
    let state = &run.job.state;
    state.close_log();
    let mut usage = state.usage();
    usage.memory = meter.peak();
    Outcome { end, usage }
}

impl Run {
    async fn run(&mut self, blank: Blank, meter: &Meter) -> End {
        let (state, control) = (self.job.state.clone(), self.job.control.clone());
        let compiled = self.job.compiled.clone();
        let started = self.compute(|| {
            let isolate = Isolate::new(blank, state, control, compiled.library.clone());
            isolate.start(&compiled.code)?;
            Ok::<_, String>(isolate)
        });
        let isolate = match started {
            Ok(isolate) => isolate,
            Err(message) => return self.end(meter).unwrap_or_else(|| failed(&message, meter)),
        };
        loop {
            self.calls.take(&self.job.state);
            if let Some(end) = self.end(meter) {
                return end;
            }
            if !self.job.state.waits() && self.job.state.finished().is_none() {
                return nothing_to_wait_for(meter);
            }
            match self.wait().await {
                Woken::Over(reason) => {
                    if let Some(reason) = reason {
                        self.job.control.raise(reason);
                    }
                    return self.interrupted();
                }
                woken => {
                    let events = self.events(woken);
                    if self.minute.left().is_zero() {
                        self.job.control.raise(Reason::Minute);
                        return self.interrupted();
                    }
                    self.compute(|| isolate.turn(events));
                }
            }
        }
    }

    /// Lets the engine compute within what it may use.
    fn compute<T>(&mut self, what: impl FnOnce() -> T) -> T {
        let (slice, minute) = (self.limits().slice, self.minute.left());
        let (time, reason) = if minute < slice { (minute, Reason::Minute) } else { (slice, Reason::Slice) };
        let over = [(self.wall, Reason::Wall), (self.grace, Reason::Grace)];
        let until = over.into_iter().filter_map(|(at, reason)| Some((at?, reason))).min_by_key(|(at, _)| *at);
        let budget = Budget { time, reason, until };
        let (done, time) = under_watch(&self.job.control, budget, what);
        self.minute.use_up(time);
        self.job.state.add_cpu(time);
        done
    }

    fn limits(&self) -> &Limits {
        &self.job.state.limits
    }

    fn stopping(&self) -> bool {
        self.grace.is_some()
    }

    /// How it ended, if it did.
    fn end(&self, meter: &Meter) -> Option<End> {
        if self.job.control.interrupted() {
            return Some(self.interrupted());
        }
        let state = &self.job.state;
        match state.finished()? {
            _ if self.stopping() => Some(End::Stopped),
            Ok(_) if state.waits() => None,
            Ok(value) => Some(End::Returned(value)),
            Err(thrown) if is_memory(&thrown, meter) => Some(End::Exceeded(Exceeded::Memory)),
            Err(thrown) => Some(End::Threw(thrown)),
        }
    }

    fn interrupted(&self) -> End {
        self.job.control.reason().map_or(End::Stopped, Reason::end)
    }

    async fn wait(&mut self) -> Woken {
        let stop = self.job.control.stop().clone();
        let timer = self.job.state.next_timer();
        let (wall, grace) = (self.wall, self.grace);
        let asked = async {
            if grace.is_some() {
                std::future::pending::<()>().await;
            }
            stop.wait(Urgency::Gently).await;
        };
        tokio::select! {
            biased;
            () = stop.wait(Urgency::Now) => Woken::Over(None),
            () = self.job.dropped.wait(Urgency::Now) => Woken::Over(Some(Reason::Dropped)),
            () = until(wall) => Woken::Over(Some(Reason::Wall)),
            () = until(grace) => Woken::Over(Some(Reason::Grace)),
            () = asked => Woken::Asked,
            () = until(timer) => Woken::Timer,
            answer = self.calls.next() => Woken::Answer(answer),
        }
    }

    fn events(&mut self, woken: Woken) -> Vec<Event> {
        let state = &self.job.state;
        let mut events: Vec<_> = state.due_timers().into_iter().map(Event::Timer).collect();
        match woken {
            Woken::Answer(answer) => events.extend(self.calls.event(answer, state)),
            Woken::Asked => {
                self.grace = Some(Instant::now() + state.limits.grace);
                events.insert(0, Event::Stop);
            }
            Woken::Timer | Woken::Over(_) => {}
        }
        self.calls.more(&mut events, state);
        events
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// The engine throws null where there is no memory even for an error.
fn is_memory(thrown: &Thrown, meter: &Meter) -> bool {
    thrown.class == "InternalError" && thrown.message == "out of memory" || meter.refused() && thrown.message == "null"
}

fn failed(message: &str, meter: &Meter) -> End {
    if meter.refused() { End::Exceeded(Exceeded::Memory) } else { End::Failed(message.to_owned()) }
}

/// It neither ended nor waits for anything: what it waits for can never happen.
fn nothing_to_wait_for(meter: &Meter) -> End {
    if meter.refused() {
        return End::Exceeded(Exceeded::Memory);
    }
    End::Threw(Thrown::new("Error", "the script waits for a promise that nothing will ever settle", None, ""))
}
