//! Threads of a pool: what computes long moves aside, what does not react is left alone, the others go on.

use std::sync::atomic::AtomicBool;

use orrery_workers::Stop;
use tokio::sync::oneshot;

use super::*;
use crate::control::Reason;

fn pool(threads: usize) -> Pool {
    Pool::new(threads, Handle::current(), Arc::new(|| false)).unwrap()
}

/// Waits until it is so, for a bounded time.
async fn until(what: &str, so: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not so within ten seconds: {what}");
}

fn compute(time: Duration) {
    let began = thread_time();
    while thread_time() - began < time {
        std::hint::spin_loop();
    }
}

#[tokio::test]
async fn futures_run_to_their_end_and_a_panic_is_only_their_own() {
    let pool = pool(1);
    pool.spawn(async { panic!("on purpose") });
    let (sender, receiver) = oneshot::channel();
    pool.spawn(async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        sender.send(7).unwrap();
    });
    assert_eq!(receiver.await, Ok(7));
}

#[tokio::test]
async fn who_computes_long_gets_a_thread_and_gives_it_back() {
    let pool = pool(1);
    let (sender, receiver) = oneshot::channel::<()>();
    pool.spawn(async move {
        for _ in 0..4 {
            compute(Duration::from_millis(8));
            tokio::task::yield_now().await;
        }
        let _ = receiver.await;
    });
    until("a thread of its own", || pool.threads() == 2).await;
    sender.send(()).unwrap();
    until("it is gone", || pool.threads() == 1).await;
}

#[tokio::test]
async fn others_go_on_while_one_holds_the_thread() {
    let pool = pool(1);
    let over = Arc::new(AtomicBool::new(false));
    let held = over.clone();
    let (stop, (wedged, _)) = (Stop::new(), oneshot::channel());
    let control = Arc::new(Control::new(stop, wedged));
    pool.spawn(async move {
        under_watch(&control, Budget { time: Duration::MAX, reason: Reason::Slice, until: None }, || {
            while !held.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
        });
    });
    let (sender, receiver) = oneshot::channel();
    pool.spawn(async move { sender.send(1).unwrap() });
    assert_eq!(receiver.await, Ok(1));
    over.store(true, Ordering::SeqCst);
}

#[tokio::test]
async fn who_exceeds_its_budget_is_interrupted_and_who_does_not_react_is_given_up() {
    let pool = pool(1);
    let over = Arc::new(AtomicBool::new(false));
    let held = over.clone();
    let (wedged, given_up) = oneshot::channel();
    let control = Arc::new(Control::new(Stop::new(), wedged));
    let watched = control.clone();
    pool.spawn(async move {
        under_watch(&watched, Budget { time: Duration::from_millis(10), reason: Reason::Slice, until: None }, || {
            while !held.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
        });
    });
    until("interrupted", || control.reason() == Some(Reason::Slice)).await;
    given_up.await.unwrap();
    over.store(true, Ordering::SeqCst);
    until("one thread is left", || pool.threads() <= 2).await;
}
