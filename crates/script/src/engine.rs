//! The runtime: checks scripts and runs them on its own threads.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use orrery_kernel::Entropy;
use orrery_workers::script::{
    End, Isolation, MEMORY_MAX, Modules, Outcome, Program, Run, ScriptFault, ScriptRuntime, Source, Usage,
};
use orrery_workers::{Stop, VERSIONS};
use rquickjs::{CatchResultExt as _, Context, Runtime};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::control::{Control, Reason};
use crate::drive::{Compiled, Job, drive};
use crate::isolate::code::Code;
use crate::isolate::modules::{BUILT_IN, Library, Loader};
use crate::isolate::{Blanks, State, parts, thrown};
use crate::pool::Pool;
use crate::process::Launcher;
use crate::source::{self, FILE, FIRST_LINE, Prepared};

/// Most bytes of all bundles of one script.
const LIBRARY_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// No bundles: scripts import the built-in module alone.
#[derive(Debug)]
pub struct NoModules;

impl Modules for NoModules {
    fn find(&self, _: &str) -> Option<orrery_workers::script::Bundle> {
        None
    }
}

/// Runs scripts, each in an engine of its own.
pub struct Engine {
    pool: Pool,
    blanks: Arc<Blanks>,
    entropy: Arc<dyn Entropy>,
    modules: Arc<dyn Modules>,
    launcher: Option<Launcher>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// With so many threads of its own. Timers and what hosts need of tokio are those of `handle`, which has to
    /// outlive it.
    ///
    /// Errors: those of making threads.
    pub fn new(
        threads: usize,
        handle: Handle,
        entropy: Arc<dyn Entropy>,
        modules: Arc<dyn Modules>,
    ) -> std::io::Result<Self> {
        // compiled here once, so that no run pays for it
        parts::code("core");
        let blanks = Arc::new(Blanks::new(threads));
        let making = blanks.clone();
        let pool = Pool::new(threads, handle, Arc::new(move || making.make()))?;
        Ok(Self { pool, blanks, entropy, modules, launcher: None })
    }

    /// Also runs scripts that ask for a process of their own; without this they fail.
    #[must_use]
    pub fn with_processes(mut self, launcher: Launcher) -> Self {
        self.launcher = Some(launcher);
        self
    }

    /// The modules that a script may import.
    fn library(&self, prepared: &Prepared, dependencies: &[String]) -> Result<Library, ScriptFault> {
        let mut library = HashMap::new();
        let mut bytes = 0;
        for name in dependencies.iter().filter(|name| *name != BUILT_IN) {
            let Some(bundle) = self.modules.find(name) else {
                return Err(fault(format!("dependency {name:?} is not provided by this node")));
            };
            if !hex::encode(Sha256::digest(bundle.text.as_bytes())).eq_ignore_ascii_case(&bundle.sha256) {
                return Err(fault(format!("dependency {name:?} is not what was approved: its digest differs")));
            }
            bytes += bundle.text.len();
            library.insert(name.clone(), bundle.text);
        }
        if bytes > LIBRARY_BYTES_MAX {
            return Err(fault("the dependencies have more than 4 MiB".to_owned()));
        }
        let unknown = |name: &&String| *name != BUILT_IN && !library.contains_key(*name);
        if let Some(name) = prepared.imports.iter().find(unknown) {
            return Err(fault(format!("the script imports {name:?}, which is not among its dependencies")));
        }
        Ok(library)
    }

    async fn run_here(&self, run: Run, compiled: Arc<Compiled>) -> Outcome {
        let (wedged, given_up) = oneshot::channel();
        let control = Arc::new(Control::new(run.stop, wedged));
        let state =
            Arc::new(State::new(run.setting, run.limits, run.host, self.entropy.clone(), compiled.globals.clone()));
        let dropped = Stop::new();
        let (blanks, dropped_by) = (self.blanks.clone(), dropped.clone());
        let job = Job { compiled, blanks, state: state.clone(), control: control.clone(), dropped: dropped_by };
        let (sender, outcome) = oneshot::channel();
        self.pool.spawn(async move {
            // nobody hears it when the run was given up
            let _ = sender.send(drive(job).await);
        });
        let _end = EndOnDrop { control, dropped };
        let ended = |end| Outcome { end, usage: state.usage() };
        tokio::select! {
            biased;
            outcome = outcome => outcome.unwrap_or_else(|_| ended(End::Failed("the run broke off".to_owned()))),
            Ok(()) = given_up => ended(End::Wedged),
        }
    }
}

/// Nobody waits for a run any more: it ends.
struct EndOnDrop {
    control: Arc<Control>,
    dropped: Stop,
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.control.raise(Reason::Dropped);
        self.dropped.now();
    }
}

fn fault(message: String) -> ScriptFault {
    ScriptFault { message, place: None }
}

/// Compiles a script, and its bundles to see that they can be.
pub(crate) fn compile(text: &str, library: &Arc<Library>) -> Result<Code, ScriptFault> {
    let broken = |error: rquickjs::Error| fault(format!("the script cannot be compiled: {error}"));
    let runtime = Runtime::new().map_err(broken)?;
    runtime.set_memory_limit(MEMORY_MAX);
    runtime.set_loader(Loader(library.clone()), Loader(library.clone()));
    let context = Context::full(&runtime).map_err(broken)?;
    context.with(|ctx| {
        for (name, bundle) in library.iter() {
            let code = rquickjs::Module::declare(ctx.clone(), name.as_str(), bundle.as_bytes());
            code.catch(&ctx).map_err(|error| fault(format!("dependency {name:?}: {error}")))?;
        }
        Code::compile(&ctx, text, FILE, FIRST_LINE, false).map_err(|error| {
            if !error.is_exception() {
                return broken(error);
            }
            let thrown = thrown(&ctx, &ctx.catch());
            ScriptFault { message: thrown.message, place: thrown.place.filter(|(line, _)| *line > 0) }
        })
    })
}

#[async_trait]
impl ScriptRuntime for Engine {
    fn prepare(&self, source: &Source<'_>) -> Result<Program, ScriptFault> {
        if !VERSIONS.contains(&source.version) {
            return Err(fault(format!("version {:?} is not one of {}", source.version, VERSIONS.join(", "))));
        }
        let prepared = source::prepare(source.text)?;
        let library = Arc::new(self.library(&prepared, source.dependencies)?);
        let code = compile(&prepared.code, &library)?;
        Ok(Program::new(Compiled::new(code, prepared.code.into(), library, prepared.names)))
    }

    fn provides(&self, module: &str) -> bool {
        module == BUILT_IN || self.modules.find(module).is_some()
    }

    async fn run(&self, mut run: Run) -> Outcome {
        let failed = |message: &str| Outcome { end: End::Failed(message.to_owned()), usage: Usage::default() };
        let Some(compiled) = run.program.kept::<Compiled>() else {
            return failed("the program was prepared by another runtime");
        };
        run.limits.memory = run.limits.memory.min(MEMORY_MAX);
        match (run.isolation, &self.launcher) {
            (Isolation::Shared, _) => self.run_here(run, compiled).await,
            (Isolation::Process, Some(launcher)) => launcher.run(run, &compiled).await,
            (Isolation::Process, None) => failed("this node runs no scripts in processes of their own"),
        }
    }
}
