//! Engines that no script was given yet: what can be made before anybody knows which. A thread without work makes one
//! ahead, as making it is most of what the start of a script costs.
#![expect(unsafe_code, reason = "the engine's wrapper cannot restart its clock")]

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rquickjs::{Context, Ctx, Error, Function, Runtime, qjs};

use super::memory::{Bounds, Memory, Meter};
use super::parts;
use crate::control::Control;
use crate::natives::{Around, function};

/// An engine with the runtime's own scripts in it.
pub(crate) struct Blank {
    pub(super) runtime: Runtime,
    pub(super) context: Context,
    pub meter: Arc<Meter>,
    bounds: Arc<OnceLock<Bounds>>,
    around: Arc<OnceLock<Around>>,
}

impl Blank {
    /// Makes one.
    ///
    /// Errors: those of the engine, as there is no memory for it.
    pub fn new() -> Result<Self, Error> {
        let (meter, bounds) = (Arc::<Meter>::default(), Arc::<OnceLock<Bounds>>::default());
        let runtime = Runtime::new_with_alloc(Memory::new(meter.clone(), bounds.clone()))?;
        let context = Context::full(&runtime)?;
        let around = Arc::<OnceLock<Around>>::default();
        context.with(|ctx| prepare(&ctx, around.clone()))?;
        Ok(Self { runtime, context, meter, bounds, around })
    }

    /// What the engine may use from now on, and by what it is interrupted. Once only.
    pub(super) fn bind(&self, memory: usize, control: &Arc<Control>) {
        // it was never bound before, as whoever binds it owns it
        let _ = self.bounds.set(Bounds { limit: memory, control: control.clone() });
    }

    /// What its natives work with. Once only.
    pub(super) fn surround(&self, around: Around) {
        // as above
        let _ = self.around.set(around);
    }
}

fn prepare(ctx: &Ctx<'_>, around: Arc<OnceLock<Around>>) -> Result<(), Error> {
    let core = parts::code("core").ok_or(Error::Unknown)?.load(ctx)?;
    let core = core.into_function().ok_or(Error::Unknown)?;
    let hook: Function<'_> = core.call((function(ctx, around)?,))?;
    // the engine frees what it keeps of its user before it goes
    ctx.store_userdata(hook).map_err(|_| Error::Unknown)?;
    Ok(())
}

/// `performance` counts from now on and not from when the engine was made.
pub(super) fn restart_clock(ctx: &Ctx<'_>) {
    // SAFETY: the context is alive and entered; the call puts a new object in the old one's place
    unsafe { qjs::JS_AddPerformance(ctx.as_raw().as_ptr()) };
}

/// Engines made ahead.
pub(crate) struct Blanks {
    most: usize,
    made: Mutex<Vec<Blank>>,
}

impl Blanks {
    /// At most so many, each of about 220 kB.
    pub fn new(most: usize) -> Self {
        Self { most, made: Mutex::default() }
    }

    fn made(&self) -> MutexGuard<'_, Vec<Blank>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that is there, or a new one.
    ///
    /// Errors: those of the engine.
    pub fn take(&self) -> Result<Blank, Error> {
        let ready = self.made().pop();
        ready.map_or_else(Blank::new, Ok)
    }

    /// Makes one if there are not enough. `false`: there were.
    pub fn make(&self) -> bool {
        if self.made().len() >= self.most {
            return false;
        }
        match Blank::new() {
            Ok(blank) => self.made().push(blank),
            // whoever needs one will hear of it
            Err(error) => tracing::debug!(%error, "no engine could be made ahead"),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_asked_for_are_made_ahead() {
        let blanks = Blanks::new(1);
        assert!(blanks.make());
        assert!(!blanks.make());
        let first = blanks.take().unwrap();
        assert!(first.meter.used() > 0, "what it uses was counted from the start");
        blanks.take().unwrap();
        assert!(blanks.made().is_empty());
    }
}
