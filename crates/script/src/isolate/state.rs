//! What a script's engine and its driver tell each other: calls that go out, timers, log lines, the end.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orrery_kernel::Entropy;
use orrery_workers::script::{Host, Level, Limits, Setting, Thrown, Usage};
use tokio::time::Instant;

use super::globals::Globals;
use super::table::Table;

/// Longest wait of a timer: longer ones are cut, as nobody waits for them.
const TIMER_MAX: Duration = Duration::from_secs(3_650 * 86_400);
/// Answers that are kept outside of the engine.
const TABLES_MAX: usize = 8;
/// Promises that failed and that nobody waits for, kept until the engine is done for now.
const UNHANDLED_MAX: usize = 64;

/// What leaves the engine.
#[derive(Debug)]
pub(crate) enum Out {
    /// A call of the host.
    Call {
        /// By which its answer is given back.
        id: u32,
        method: String,
        /// JSON.
        arguments: String,
    },
    /// Nobody waits for that call's answer any more.
    Cancel(u32),
}

/// How the script ended.
pub(crate) type Finished = Result<Option<String>, Thrown>;

/// Why a call does not even leave the engine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    TooMany,
    TooLarge,
}

/// Timers by the time they are due.
#[derive(Default)]
struct Timers {
    due: BTreeSet<(Instant, u32)>,
    /// When each is due, and whether the run waits for it.
    by_id: HashMap<u32, (Instant, bool)>,
}

/// Lines of log within the running second.
struct Rate {
    since: Instant,
    lines: u32,
    suppressed: u64,
}

/// Shared by the engine's functions and the driver. Nobody holds it while the engine or the host is called.
pub(crate) struct State {
    pub setting: Setting,
    pub limits: Limits,
    pub entropy: Arc<dyn Entropy>,
    pub globals: Globals,
    host: Arc<dyn Host>,
    inner: Mutex<Inner>,
}

struct Inner {
    out: Vec<Out>,
    next_call: u32,
    /// Calls that wait: bytes of their arguments, and whether the answer is kept outside of the engine.
    waiting: HashMap<u32, (usize, bool)>,
    waiting_bytes: usize,
    timers: Timers,
    rate: Rate,
    finished: Option<Finished>,
    unhandled: Vec<(usize, String)>,
    usage: Usage,
    /// Answers that are kept outside of the engine, the newest last.
    tables: Vec<(u32, Arc<Table>)>,
}

impl State {
    pub fn new(
        setting: Setting,
        limits: Limits,
        host: Arc<dyn Host>,
        entropy: Arc<dyn Entropy>,
        globals: Globals,
    ) -> Self {
        let inner = Inner {
            out: Vec::new(),
            next_call: 0,
            waiting: HashMap::new(),
            waiting_bytes: 0,
            timers: Timers::default(),
            rate: Rate { since: Instant::now(), lines: 0, suppressed: 0 },
            finished: None,
            unhandled: Vec::new(),
            usage: Usage::default(),
            tables: Vec::new(),
        };
        Self { setting, limits, entropy, globals, host, inner: Mutex::new(inner) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }

    /// A call goes out. Its number. With `keep` its answer becomes a [`Table`].
    pub fn call(&self, method: String, arguments: String, keep: bool) -> Result<u32, Refused> {
        let mut inner = self.inner();
        if inner.waiting.len() >= self.limits.calls + self.limits.calls_queued {
            return Err(Refused::TooMany);
        }
        if inner.waiting_bytes + arguments.len() > self.limits.call_bytes {
            return Err(Refused::TooLarge);
        }
        inner.next_call = inner.next_call.wrapping_add(1);
        let id = inner.next_call;
        inner.waiting.insert(id, (arguments.len(), keep));
        inner.waiting_bytes += arguments.len();
        inner.usage.calls += 1;
        inner.out.push(Out::Call { id, method, arguments });
        Ok(id)
    }

    /// A call is over; `false` if it was already.
    pub fn settled(&self, id: u32, failed: bool) -> bool {
        let mut inner = self.inner();
        let Some((bytes, _)) = inner.waiting.remove(&id) else { return false };
        inner.waiting_bytes -= bytes;
        inner.usage.calls_failed += u64::from(failed);
        true
    }

    /// Whether the call's answer is kept outside of the engine.
    pub fn keeps(&self, id: u32) -> bool {
        self.inner().waiting.get(&id).is_some_and(|(_, keep)| *keep)
    }

    /// Keeps the answer to a call; of too many the oldest goes.
    pub fn keep(&self, id: u32, table: Table) {
        let tables = &mut self.inner().tables;
        if tables.len() >= TABLES_MAX {
            tables.remove(0);
        }
        tables.push((id, Arc::new(table)));
    }

    /// The answer to a call that was kept.
    pub fn table(&self, id: u32) -> Option<Arc<Table>> {
        self.inner().tables.iter().find(|(of, _)| *of == id).map(|(_, table)| table.clone())
    }

    /// Nobody waits for the call any more.
    pub fn cancel(&self, id: u32) {
        if self.settled(id, false) {
            self.inner().out.push(Out::Cancel(id));
        }
    }

    /// What went out since this was asked last.
    pub fn take_out(&self) -> Vec<Out> {
        std::mem::take(&mut self.inner().out)
    }

    /// Sets a timer. `false`: there are too many.
    pub fn set_timer(&self, id: u32, wait: Duration, keep: bool) -> bool {
        let due = Instant::now() + wait.min(TIMER_MAX);
        let timers = &mut self.inner().timers;
        if timers.by_id.len() >= self.limits.timers {
            return false;
        }
        timers.by_id.insert(id, (due, keep));
        timers.due.insert((due, id));
        true
    }

    pub fn clear_timer(&self, id: u32) {
        let timers = &mut self.inner().timers;
        if let Some((due, _)) = timers.by_id.remove(&id) {
            timers.due.remove(&(due, id));
        }
    }

    /// When the next timer is due.
    pub fn next_timer(&self) -> Option<Instant> {
        self.inner().timers.due.first().map(|(due, _)| *due)
    }

    /// The timers that are due, in their order; they are gone from here.
    pub fn due_timers(&self) -> Vec<u32> {
        let now = Instant::now();
        let timers = &mut self.inner().timers;
        let mut ids = Vec::new();
        while let Some(&(due, id)) = timers.due.first().filter(|(due, _)| *due <= now) {
            timers.due.remove(&(due, id));
            timers.by_id.remove(&id);
            ids.push(id);
        }
        ids
    }

    /// Is there anything that may still wake the script?
    pub fn waits(&self) -> bool {
        let inner = self.inner();
        !inner.waiting.is_empty() || inner.timers.by_id.values().any(|(_, keep)| *keep)
    }

    /// A line of log, within the rate.
    pub fn log(&self, level: Level, text: &str) {
        let (before, admitted) = self.admit(Instant::now());
        if let Some(suppressed) = before {
            self.host.log(Level::Warn, &format!("{suppressed} lines of log were suppressed"));
        }
        if admitted {
            let most = self.limits.log_line_bytes;
            self.host.log(level, cut(text, most));
        }
    }

    /// How many lines went unseen before this second, and whether one more is admitted.
    fn admit(&self, now: Instant) -> (Option<u64>, bool) {
        let mut inner = self.inner();
        let fresh = now.duration_since(inner.rate.since) >= Duration::from_secs(1);
        let mut before = None;
        if fresh {
            before = Some(inner.rate.suppressed).filter(|suppressed| *suppressed > 0);
            inner.rate = Rate { since: now, lines: 0, suppressed: 0 };
        }
        let admitted = inner.rate.lines < self.limits.log_lines;
        if admitted {
            inner.rate.lines += 1;
            inner.usage.log_lines += 1;
        } else {
            inner.rate.suppressed += 1;
            inner.usage.log_lines_suppressed += 1;
        }
        (before, admitted)
    }

    /// Tells what went unseen at the end.
    pub fn close_log(&self) {
        let suppressed = std::mem::take(&mut self.inner().rate.suppressed);
        if suppressed > 0 {
            self.host.log(Level::Warn, &format!("{suppressed} lines of log were suppressed"));
        }
    }

    /// The script came to its end; the first time counts.
    pub fn finish(&self, how: Finished) {
        self.inner().finished.get_or_insert(how);
    }

    pub fn finished(&self) -> Option<Finished> {
        self.inner().finished.clone()
    }

    /// A promise failed and nobody waits for it, by now.
    pub fn unhandled(&self, promise: usize, reason: String) {
        let mut inner = self.inner();
        if inner.unhandled.len() < UNHANDLED_MAX {
            inner.unhandled.push((promise, reason));
        }
    }

    /// Somebody does wait for it.
    pub fn handled(&self, promise: usize) {
        self.inner().unhandled.retain(|(other, _)| *other != promise);
    }

    /// Tells of the promises that nobody waits for.
    pub fn report_unhandled(&self) {
        let unhandled = std::mem::take(&mut self.inner().unhandled);
        for (_, reason) in unhandled {
            self.uncaught(&format!("Unhandled rejection: {reason}"));
        }
    }

    /// An error that nobody caught: it goes to the log, and the run goes on.
    pub fn uncaught(&self, text: &str) {
        self.inner().usage.uncaught += 1;
        self.log(Level::Error, text);
    }

    pub fn usage(&self) -> Usage {
        self.inner().usage
    }

    pub fn add_cpu(&self, time: Duration) {
        self.inner().usage.cpu += time;
    }
}

/// At most so many bytes of a text, whole letters.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Dice, Notebook};

    fn state(limits: Limits) -> (State, Arc<Notebook>) {
        let host = Arc::new(Notebook::default());
        (State::new(Setting::default(), limits, host.clone(), Arc::new(Dice), Globals::of(None)), host)
    }

    #[test]
    fn calls_are_bounded_in_number_and_in_bytes() {
        let (state, _) = state(Limits { calls: 1, calls_queued: 1, call_bytes: 10, ..Limits::default() });
        let first = state.call("a".into(), "12345".into(), false).unwrap();
        assert_eq!(state.call("a".into(), "123456".into(), false), Err(Refused::TooLarge));
        let second = state.call("a".into(), String::new(), false).unwrap();
        assert_eq!(state.call("a".into(), String::new(), false), Err(Refused::TooMany));
        assert!(state.settled(first, true));
        assert!(!state.settled(first, true));
        state.cancel(second);
        state.cancel(second);
        assert!(!state.waits());
        assert_eq!(state.take_out().len(), 3, "two calls, one cancelled once");
        assert_eq!((state.usage().calls, state.usage().calls_failed), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn timers_come_in_their_order_and_leave_nothing() {
        let (state, _) = state(Limits { timers: 3, ..Limits::default() });
        let ms = Duration::from_millis;
        assert!(
            state.set_timer(1, ms(20), true) && state.set_timer(2, ms(10), false) && state.set_timer(3, ms(20), true)
        );
        assert!(!state.set_timer(4, ms(1), true), "there is no room for a fourth");
        assert_eq!(state.due_timers(), [0_u32; 0]);
        tokio::time::advance(ms(20)).await;
        state.clear_timer(3);
        assert_eq!(state.due_timers(), [2, 1]);
        assert_eq!(state.next_timer(), None);
        assert!(state.set_timer(5, ms(1), false));
        assert!(!state.waits(), "this one is not waited for");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_lines_is_told_as_one() {
        let (state, host) = state(Limits { log_lines: 2, log_line_bytes: 4, ..Limits::default() });
        for text in ["one", "two", "three", "four"] {
            state.log(Level::Info, text);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        state.log(Level::Info, "fiveé");
        state.log(Level::Info, "a");
        state.log(Level::Info, "b");
        state.close_log();
        let expected = ["one", "two", "2 lines of log were suppressed", "five", "a", "1 lines of log were suppressed"];
        assert_eq!(host.lines(), expected);
        assert_eq!(state.usage().log_lines_suppressed, 3);
    }
}
