//! The runs of this process, for whoever ends one or prolongs its right.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use orrery_kernel::Timestamp;
use orrery_workers::{Stop, Urgency};

use super::running::Right;

/// Switches of every run that is not over, by its number.
#[derive(Default)]
pub(super) struct Runs(Mutex<HashMap<u64, (Stop, Right)>>);

impl Runs {
    fn all(&self) -> MutexGuard<'_, HashMap<u64, (Stop, Right)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run is to begin.
    pub fn add(&self, run: u64, stop: Stop, right: Right) {
        self.all().insert(run, (stop, right));
    }

    /// It is over: what was begun on its behalf has no effect any more.
    pub fn remove(&self, run: u64) {
        if let Some((_, right)) = self.all().remove(&run) {
            right.end();
        }
    }

    /// The rights of these runs last until then.
    pub fn prolong(&self, until: Timestamp, runs: &[(String, u64)]) {
        let all = self.all();
        for (_, right) in runs.iter().filter_map(|(_, run)| all.get(run)) {
            right.prolong(until);
        }
    }

    /// Ends a run.
    pub fn stop(&self, run: u64, urgency: Urgency) {
        if let Some((stop, right)) = self.all().get(&run) {
            end(stop, right, urgency);
        }
    }

    /// Ends every run, without another word to its script.
    pub fn stop_all(&self) {
        for (stop, right) in self.all().values() {
            end(stop, right, Urgency::Now);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all().len()
    }
}

fn end(stop: &Stop, right: &Right, urgency: Urgency) {
    match urgency {
        Urgency::Run => {}
        Urgency::Gently => stop.gently(),
        Urgency::Now => {
            // before the script learns anything
            right.end();
            stop.now();
        }
    }
}
