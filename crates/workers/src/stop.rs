//! How a run is told to end: gently first, or at once.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

/// How urgently a run has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// Not at all.
    Run,
    /// The script learns of it and has a moment to finish.
    Gently,
    /// Without another word to the script: not one more instruction of it is to have an effect.
    Now,
}

#[derive(Default)]
struct Inner {
    urgency: AtomicU8,
    /// Who waits for a change; one for each waiting future.
    wakers: Mutex<Vec<Waker>>,
}

/// Tells a run to end. Clones are the same switch; it only ever gets more urgent.
#[derive(Clone, Default)]
pub struct Stop(Arc<Inner>);

impl Stop {
    /// One that nobody has asked for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the script to end: its sleeps end, `shouldStop()` is true, `signal` is aborted.
    pub fn gently(&self) {
        self.raise(Urgency::Gently);
    }

    /// Ends the run: a script that computes is interrupted within a millisecond, one that waits never goes on.
    pub fn now(&self) {
        self.raise(Urgency::Now);
    }

    /// How urgent it is by now.
    pub fn urgency(&self) -> Urgency {
        match self.0.urgency.load(Ordering::SeqCst) {
            0 => Urgency::Run,
            1 => Urgency::Gently,
            _ => Urgency::Now,
        }
    }

    /// Completes once it is at least that urgent.
    pub fn wait(&self, urgency: Urgency) -> impl Future<Output = ()> + Send + use<> {
        let this = self.clone();
        poll_fn(move |context| {
            if this.urgency() >= urgency {
                return Poll::Ready(());
            }
            let mut wakers = this.0.wakers.lock().unwrap_or_else(PoisonError::into_inner);
            wakers.retain(|waker| !waker.will_wake(context.waker()));
            wakers.push(context.waker().clone());
            drop(wakers);
            // it may have been raised between the look and the registration
            if this.urgency() >= urgency { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    fn raise(&self, urgency: Urgency) {
        self.0.urgency.fetch_max(urgency as u8, Ordering::SeqCst);
        let wakers = std::mem::take(&mut *self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.urgency().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Wake};

    use super::*;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn it_only_gets_more_urgent_and_wakes_who_waits() {
        let stop = Stop::new();
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let mut context = Context::from_waker(&waker);
        let (mut gently, mut now) = (pin!(stop.wait(Urgency::Gently)), pin!(stop.wait(Urgency::Now)));
        assert!(gently.as_mut().poll(&mut context).is_pending());
        assert!(now.as_mut().poll(&mut context).is_pending());
        assert!(now.as_mut().poll(&mut context).is_pending());
        stop.clone().gently();
        assert_eq!(count.0.load(Ordering::SeqCst), 1, "the same waker is kept once");
        assert!(gently.as_mut().poll(&mut context).is_ready());
        assert!(now.as_mut().poll(&mut context).is_pending());
        stop.now();
        stop.gently();
        assert_eq!(stop.urgency(), Urgency::Now);
        assert!(now.as_mut().poll(&mut context).is_ready());
    }
}
