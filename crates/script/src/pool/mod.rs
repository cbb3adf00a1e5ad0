//! Threads that scripts run on, apart from the server's.
//!
//! A few threads share a line of runs. A run that computes long again and again gets a thread of its own, where the
//! kernel gives everybody a share; while all shared threads are busy for long, others take their place. A thread whose
//! run does not react is left alone with it. There are at most [`THREADS_MAX`] threads more than asked for; beyond
//! that runs wait.

mod queue;
mod task;
mod watch;

use std::cell::RefCell;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use rustix::process::setpriority_process;
use rustix::thread::gettid;
use tokio::runtime::Handle;

use crate::control::{Budget, Control};
use queue::{Next, Queue};
use task::Task;
pub(crate) use watch::thread_time;
use watch::{Seat, Watch};

/// Most threads beside the shared ones.
const THREADS_MAX: usize = 128;
/// Computing at once for longer than this is long.
const LONG: Duration = Duration::from_millis(5);
/// A shared thread that computes for longer than this is replaced meanwhile.
const HELD: Duration = Duration::from_millis(20);
/// How long a thread without work stays.
const PATIENCE: Duration = Duration::from_secs(10);
/// Stack of a thread: the engines' own and what is called from there.
const STACK: usize = 1_536 * 1_024;
/// The kernel's priority of threads that compute much.
const NICE: i32 = 5;

thread_local! {
    /// Where this thread is watched, if it is one of a pool's.
    static SEAT: RefCell<Option<Seat>> = const { RefCell::new(None) };
}

/// Computes under the watch of the pool that the calling thread belongs to, and tells how long that took.
pub(crate) fn under_watch<T>(control: &Arc<Control>, budget: Budget, compute: impl FnOnce() -> T) -> (T, Duration) {
    let seat = SEAT.with_borrow(Clone::clone);
    let began = thread_time();
    let done = match seat {
        Some(seat) => seat.under_watch(control, budget, compute),
        None => compute(),
    };
    (done, thread_time().saturating_sub(began))
}

/// The threads.
pub(crate) struct Pool(Arc<Shared>);

/// What a shared thread does when nothing waits; `false` when there is nothing to do.
pub(crate) type Spare = Arc<dyn Fn() -> bool + Send + Sync>;

struct Shared {
    queue: Arc<Queue>,
    watch: Arc<Watch>,
    handle: Handle,
    spare: Spare,
    /// Threads that are always there.
    wanted: usize,
    /// Threads that serve the shared line.
    serving: AtomicUsize,
    /// All threads.
    threads: AtomicUsize,
}

impl Pool {
    /// So many threads; what runs on them finds the timers and sockets of `handle`. `spare` is called, briefly, when
    /// nothing waits.
    ///
    /// Errors: those of making threads.
    pub fn new(threads: usize, handle: Handle, spare: Spare) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Arc::default(),
            watch: Arc::default(),
            handle,
            spare,
            wanted: threads.max(1),
            serving: AtomicUsize::new(0),
            threads: AtomicUsize::new(0),
        });
        let pool = Self(shared.clone());
        for _ in 0..shared.wanted {
            shared.serve(shared.queue.clone())?;
        }
        let (watch, weak) = (shared.watch.clone(), Arc::downgrade(&shared));
        thread::Builder::new().name("script-watch".into()).spawn(move || watch.keep(|| relieve(&weak)))?;
        Ok(pool)
    }

    /// Runs the future to its end.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let task = Task::new(Box::pin(future), self.0.queue.clone());
        std::task::Wake::wake(task);
    }

    #[cfg(test)]
    pub fn threads(&self) -> usize {
        self.0.threads.load(Ordering::SeqCst)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.queue.close();
        self.0.watch.close();
    }
}

/// Another thread, when all that serve the shared line are held and something waits.
fn relieve(shared: &Weak<Shared>) {
    let Some(shared) = shared.upgrade() else { return };
    if shared.queue.is_empty() {
        return;
    }
    let places = shared.watch.all();
    let held = places.iter().filter(|place| place.computing().is_some_and(|time| time > HELD)).count();
    if held < shared.serving.load(Ordering::SeqCst) {
        return;
    }
    if let Err(error) = shared.serve(shared.queue.clone()) {
        tracing::warn!(%error, "no thread for scripts that wait");
    }
}

impl Shared {
    /// A thread that serves the line. `false`: there is no room for one.
    fn serve(self: &Arc<Self>, queue: Arc<Queue>) -> std::io::Result<bool> {
        if self.threads.fetch_add(1, Ordering::SeqCst) >= self.wanted + THREADS_MAX {
            self.threads.fetch_sub(1, Ordering::SeqCst);
            return Ok(false);
        }
        let is_shared = Arc::ptr_eq(&queue, &self.queue);
        if is_shared {
            self.serving.fetch_add(1, Ordering::SeqCst);
        }
        let shared = self.clone();
        let builder = thread::Builder::new().name("script".into()).stack_size(STACK);
        let spawned = builder.spawn(move || shared.work(&queue, is_shared));
        if spawned.is_err() {
            self.leave(is_shared);
        }
        spawned.map(|_| true)
    }

    fn leave(&self, is_shared: bool) {
        self.threads.fetch_sub(1, Ordering::SeqCst);
        if is_shared {
            self.serving.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn work(self: Arc<Self>, queue: &Arc<Queue>, is_shared: bool) {
        let seat = Seat { watch: self.watch.clone(), place: self.watch.join() };
        SEAT.set(Some(seat.clone()));
        let handle = self.handle.clone();
        let _entered = handle.enter();
        if !is_shared {
            // who computes much does so after the others; a kernel that forbids it changes nothing
            let _ = setpriority_process(Some(gettid()), NICE);
        }
        let use_spare_time = {
            let spare = self.spare.clone();
            move || while is_shared && queue.is_empty() && !queue.closed() && spare() {}
        };
        // a thread that holds its pool would keep it from closing
        let weak = Arc::downgrade(&self);
        drop(self);
        loop {
            use_spare_time();
            let next = queue.next(PATIENCE);
            let Some(shared) = weak.upgrade() else { return };
            let spare = is_shared && shared.serving.load(Ordering::SeqCst) > shared.wanted;
            match next {
                Next::Task(task) => {
                    let over = shared.step(&task, is_shared);
                    if over && !is_shared || seat.place.lost() {
                        return shared.leave(is_shared);
                    }
                }
                Next::Idle if !spare => {}
                Next::Idle | Next::Closed => return shared.leave(is_shared),
            }
        }
    }

    /// Polls a run; one that computed long too often gets a thread of its own from the next time on.
    fn step(self: &Arc<Self>, task: &Arc<Task>, is_shared: bool) -> bool {
        let began = thread_time();
        let over = task.run();
        if !over && is_shared && task.took(thread_time().saturating_sub(began), LONG) {
            let own: Arc<Queue> = Arc::default();
            // else it stays where it is, and whoever waits behind it is helped by `relieve`
            if self.serve(own.clone()).unwrap_or(false) {
                task.move_to(own);
            }
        }
        over
    }
}

#[cfg(test)]
mod tests;
