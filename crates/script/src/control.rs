//! Whether a run is to be interrupted, and why. The engine asks many times a millisecond, so it is one number.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use orrery_workers::script::{End, Exceeded};
use orrery_workers::{Stop, Urgency};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Why a run is interrupted from within the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Reason {
    /// It computed too long at once.
    Slice = 1,
    /// It computed too much in a minute.
    Minute = 2,
    /// It ran too long.
    Wall = 3,
    /// It was asked to stop and took too long.
    Grace = 4,
    /// Nobody waits for it any more.
    Dropped = 5,
}

impl Reason {
    const ALL: [Self; 5] = [Self::Slice, Self::Minute, Self::Wall, Self::Grace, Self::Dropped];

    /// How a run ended that was interrupted for this.
    pub fn end(self) -> End {
        match self {
            Self::Slice => End::Exceeded(Exceeded::Slice),
            Self::Minute => End::Exceeded(Exceeded::Minute),
            Self::Wall => End::Exceeded(Exceeded::Wall),
            Self::Grace | Self::Dropped => End::Stopped,
        }
    }
}

/// What may be used up at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Computing time.
    pub time: Duration,
    /// What it is to use more.
    pub reason: Reason,
    /// When it has to be over in any case, and what it is if it is not.
    pub until: Option<(Instant, Reason)>,
}

/// The switch of one run.
#[derive(Debug)]
pub(crate) struct Control {
    /// A [`Reason`], 0 for none.
    reason: AtomicU8,
    stop: Stop,
    wedged: Mutex<Option<oneshot::Sender<()>>>,
}

impl Control {
    /// With what is told when the run does not react to its interruption.
    pub fn new(stop: Stop, wedged: oneshot::Sender<()>) -> Self {
        Self { reason: AtomicU8::new(0), stop, wedged: Mutex::new(Some(wedged)) }
    }

    /// Says that the run does not react. `false`: that was said already.
    pub fn give_up(&self) -> bool {
        let wedged = self.wedged.lock().unwrap_or_else(PoisonError::into_inner).take();
        // nobody hears it when the run is nobody's any more
        wedged.is_some_and(|wedged| wedged.send(()).is_ok() || self.interrupted())
    }

    /// Interrupts the run; the first reason stays.
    pub fn raise(&self, reason: Reason) {
        // relaxed is enough: the flag carries nothing with it
        let _ = self.reason.compare_exchange(0, reason as u8, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Is the script to be interrupted?
    pub fn interrupted(&self) -> bool {
        self.reason.load(Ordering::Relaxed) != 0 || self.stop.urgency() == Urgency::Now
    }

    /// Why, if for a reason of the runtime's.
    pub fn reason(&self) -> Option<Reason> {
        let number = self.reason.load(Ordering::Relaxed);
        Reason::ALL.into_iter().find(|reason| *reason as u8 == number)
    }

    /// The switch that the world has.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays() {
        let control = Control::new(Stop::new(), oneshot::channel().0);
        assert!(!control.interrupted());
        control.raise(Reason::Minute);
        control.raise(Reason::Slice);
        assert_eq!(control.reason(), Some(Reason::Minute));
        assert!(control.interrupted());
    }

    #[test]
    fn only_an_urgent_stop_interrupts() {
        let stop = Stop::new();
        let control = Control::new(stop.clone(), oneshot::channel().0);
        stop.gently();
        assert!(!control.interrupted());
        stop.now();
        assert!(control.interrupted());
        assert_eq!(control.reason(), None);
    }
}
