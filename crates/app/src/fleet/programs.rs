//! Scripts that were prepared, by what they are: a thousand workers of one script prepare it once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orrery_workers::Spec;
use orrery_workers::script::{Program, ScriptFault, ScriptRuntime, Source};
use tokio::sync::Semaphore;

/// Programs that are kept beside those that run; the one that was used longest ago goes.
const KEPT: usize = 2_048;
/// Bytes of their scripts.
const KEPT_BYTES: usize = 64 * 1_024 * 1_024;
/// Scripts that are prepared at once, each on a thread.
const AT_ONCE: usize = 2;

#[derive(PartialEq, Eq, Hash)]
struct Key {
    script: String,
    dependencies: Vec<String>,
    version: String,
}

struct Kept {
    program: Program,
    used: u64,
}

#[derive(Default)]
struct Inner {
    kept: HashMap<Key, Kept>,
    bytes: usize,
    uses: u64,
}

/// The programs.
pub(super) struct Programs {
    runtime: Arc<dyn ScriptRuntime>,
    inner: Mutex<Inner>,
    turns: Arc<Semaphore>,
}

impl Programs {
    /// None yet.
    pub fn new(runtime: Arc<dyn ScriptRuntime>) -> Self {
        Self { runtime, inner: Mutex::default(), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The program of a worker.
    ///
    /// Errors: what is wrong with its script.
    pub async fn of(&self, spec: &Arc<Spec>) -> Result<Program, ScriptFault> {
        let key =
            Key { script: spec.script.clone(), dependencies: spec.dependencies.clone(), version: spec.version.clone() };
        if let Some(program) = self.kept(&key) {
            return Ok(program);
        }
        let broken = |_| ScriptFault { message: "the script could not be prepared".into(), place: None };
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| broken(()))?;
        // another worker of the same script may have been first
        if let Some(program) = self.kept(&key) {
            return Ok(program);
        }
        let (runtime, spec) = (self.runtime.clone(), spec.clone());
        let prepare = move || {
            let _turn = turn;
            let source = Source { text: &spec.script, dependencies: &spec.dependencies, version: &spec.version };
            runtime.prepare(&source)
        };
        #[expect(clippy::disallowed_methods, reason = "milliseconds of computing, on two threads at most")]
        let program = tokio::task::spawn_blocking(prepare).await.map_err(|_| broken(()))??;
        self.keep(key, &program);
        Ok(program)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self, key: &Key) -> Option<Program> {
        let mut inner = self.inner();
        inner.uses += 1;
        let uses = inner.uses;
        let kept = inner.kept.get_mut(key)?;
        kept.used = uses;
        Some(kept.program.clone())
    }

    fn keep(&self, key: Key, program: &Program) {
        let Inner { kept, bytes, uses } = &mut *self.inner();
        *bytes += key.script.len();
        if let Some((before, _)) = kept.remove_entry(&key) {
            *bytes -= before.script.len();
        }
        kept.insert(key, Kept { program: program.clone(), used: *uses });
        while kept.len() > KEPT || *bytes > KEPT_BYTES && kept.len() > 1 {
            // looks at all of them, once for each script that is prepared
            let Some(oldest) = kept.values().map(|kept| kept.used).min() else { return };
            kept.retain(|key, kept| {
                let stays = kept.used != oldest;
                if !stays {
                    *bytes -= key.script.len();
                }
                stays
            });
        }
    }
}
