//! Scripts are checked when they are saved, so that what is kept can be run.

use std::sync::Arc;

use orrery_kernel::{Error, Result};
use orrery_workers::Spec;
use orrery_workers::script::{ScriptRuntime, Source};
use tokio::sync::Semaphore;

/// Scripts that are checked at once, each some milliseconds of a core; more wait.
const AT_ONCE: usize = 2;

pub(super) struct Checking {
    scripts: Arc<dyn ScriptRuntime>,
    turns: Arc<Semaphore>,
}

/// Would both be prepared from the same?
pub(super) fn same_program(a: &Spec, b: &Spec) -> bool {
    a.script == b.script && a.dependencies == b.dependencies && a.version == b.version
}

impl Checking {
    pub(super) fn new(scripts: Arc<dyn ScriptRuntime>) -> Self {
        Self { scripts, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Can the script, which came in `field`, be run here?
    ///
    /// # Errors
    /// `Invalid` with the place in the script, or about its dependencies.
    pub(super) async fn check(&self, spec: &Spec, field: &'static str) -> Result<()> {
        if let Some(unknown) = spec.dependencies.iter().find(|name| !self.scripts.provides(name)) {
            let text = format!("dependencies has {unknown:?}, which this network does not provide");
            return Err(Error::invalid("dependencies", text));
        }
        let (scripts, spec) = (self.scripts.clone(), spec.clone());
        let turn = self.turns.clone().acquire_owned().await.map_err(Error::internal)?;
        #[expect(clippy::disallowed_methods, reason = "the turns bound it")]
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let source = Source { text: &spec.script, dependencies: &spec.dependencies, version: &spec.version };
            scripts.prepare(&source).map(|_| ())
        });
        done.await.map_err(Error::internal)?.map_err(|fault| Error {
            place: fault.place,
            ..Error::invalid(field, format!("{field} cannot be run: {fault}"))
        })
    }
}
