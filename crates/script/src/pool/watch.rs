//! Watches over computing time: a thread of its own looks at who computes, and interrupts who does so too long.
//!
//! Nothing in an engine reads a clock for this: its own check is a flag, see [`Control`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rustix::thread::gettid;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use crate::control::{Budget, Control};

/// How often the watch looks while somebody computes.
const TICK: Duration = Duration::from_millis(4);
/// Looks without anybody computing after which it sleeps until somebody does.
const QUIET: u32 = 25;
/// Computing time after its interruption that makes a run wedged: it does not react.
const WEDGED: Duration = Duration::from_secs(1);

/// Computing time of this thread so far.
pub(crate) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Who computes on a thread.
struct Active {
    control: Arc<Control>,
    /// What the thread's clock said when it began.
    began: Duration,
    /// What it may use from there.
    budget: Budget,
    /// What the thread had used when it was found interrupted.
    interrupted: Option<Duration>,
}

/// A thread's place in the watch.
pub(super) struct Place {
    tid: i32,
    active: Mutex<Option<Active>>,
    /// Its run was given up: the thread is alone with it.
    lost: AtomicBool,
}

impl Place {
    fn active(&self) -> MutexGuard<'_, Option<Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has its run been given up?
    pub fn lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    /// Does it compute, and since when?
    pub fn computing(&self) -> Option<Duration> {
        let began = self.active().as_ref().map(|active| active.began)?;
        Some(computed(self.tid)?.saturating_sub(began))
    }

    /// Looks at it. `true`: somebody computes here.
    fn look(&self) -> bool {
        let mut active = self.active();
        let Some(now) = active.as_mut() else { return false };
        let Some(used) = computed(self.tid) else { return true };
        if used.saturating_sub(now.began) >= now.budget.time {
            now.control.raise(now.budget.reason);
        }
        if let Some((until, reason)) = now.budget.until
            && Instant::now() >= until
        {
            now.control.raise(reason);
        }
        if !now.control.interrupted() {
            return true;
        }
        let since = *now.interrupted.get_or_insert(used);
        if used.saturating_sub(since) >= WEDGED && now.control.give_up() {
            self.lost.store(true, Ordering::SeqCst);
        }
        true
    }
}

/// Computing time of a thread so far, as the kernel tells any other thread.
fn computed(tid: i32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{tid}/schedstat")).ok()?;
    let nanoseconds = text.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// All places, and what wakes the watch.
#[derive(Default)]
pub(super) struct Watch {
    places: Mutex<Vec<Weak<Place>>>,
    asleep: AtomicBool,
    awake: Condvar,
    closed: AtomicBool,
}

impl Watch {
    fn places(&self) -> MutexGuard<'_, Vec<Weak<Place>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for the calling thread.
    pub fn join(&self) -> Arc<Place> {
        let tid = gettid().as_raw_nonzero().get();
        let place = Arc::new(Place { tid, active: Mutex::new(None), lost: AtomicBool::new(false) });
        let mut places = self.places();
        places.retain(|place| place.strong_count() > 0);
        places.push(Arc::downgrade(&place));
        place
    }

    /// Those whose thread lives.
    pub fn all(&self) -> Vec<Arc<Place>> {
        self.places().iter().filter_map(Weak::upgrade).collect()
    }

    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let _places = self.places();
        self.awake.notify_all();
    }

    /// Watches until it is closed; `each` is called after every look.
    pub fn keep(&self, each: impl Fn()) {
        let mut quiet = 0;
        while !self.closed.load(Ordering::SeqCst) {
            let all = self.all();
            // every one is looked at, so no shortcut
            let busy = all.iter().filter(|place| place.look()).count() > 0;
            drop(all);
            quiet = if busy { 0 } else { quiet + 1 };
            each();
            let places = self.places();
            if quiet < QUIET {
                drop(self.awake.wait_timeout(places, TICK).unwrap_or_else(PoisonError::into_inner));
                continue;
            }
            self.asleep.store(true, Ordering::SeqCst);
            let sleeping = |_: &mut Vec<_>| self.asleep.load(Ordering::SeqCst) && !self.closed.load(Ordering::SeqCst);
            drop(self.awake.wait_while(places, sleeping).unwrap_or_else(PoisonError::into_inner));
            quiet = 0;
        }
    }

    fn wake(&self) {
        if self.asleep.swap(false, Ordering::SeqCst) {
            let _places = self.places();
            self.awake.notify_all();
        }
    }
}

/// A thread's way to its place.
#[derive(Clone)]
pub(super) struct Seat {
    pub watch: Arc<Watch>,
    pub place: Arc<Place>,
}

impl Seat {
    /// Computes under watch.
    pub fn under_watch<T>(&self, control: &Arc<Control>, budget: Budget, compute: impl FnOnce() -> T) -> T {
        *self.place.active() =
            Some(Active { control: control.clone(), began: thread_time(), budget, interrupted: None });
        self.watch.wake();
        let _leave = Leave(&self.place);
        compute()
    }
}

/// Empties the place also when what computed there panicked.
struct Leave<'p>(&'p Place);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        *self.0.active() = None;
    }
}
