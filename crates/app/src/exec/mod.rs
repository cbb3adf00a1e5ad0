//! Commands, runs of programs and terminals.
//!
//! Who may is asked first, then the guard against slips; what holds a run in is behind the ports.

mod commands;
mod leaving;
mod runs;
mod shells;
mod slots;
mod tell;
mod terminals;
mod viewing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use commands::{Done, Line};
use orrery_exec::{
    Bounds, Command, Input, Layers, NetPolicy, Profile, RunError, Runner, Terminals, Timing, What, Workspaces, guard,
};
use orrery_identity::IdentityStore;
use orrery_kernel::{Clock, Entropy, Error, ErrorCode, Result, Secret, UserId};
pub use runs::{Placed, ProgramRun};
pub use shells::ShellAnswer;
use slots::Slots;
pub use tell::{Piece, Told};
pub use terminals::{Answer, Listed};
use tokio_util::sync::CancellationToken;
pub use viewing::{View, Viewed};

use crate::auth::Auth;
use crate::events::Events;
use crate::tasks::Tasks;

/// Longest password for `sudo`.
const PASSWORD_BYTES_MAX: usize = 1_024;
/// When to come back while the process that makes runs is started.
const AGAIN: Duration = Duration::from_secs(1);

/// What runs are configured with.
#[derive(Clone, Debug)]
pub struct ExecSettings {
    /// Limits of runs.
    pub bounds: Bounds,
    /// How much commands and terminals see.
    pub commands: Profile,
    /// How much programs see.
    pub programs: Profile,
    /// Whom commands and programs talk to; terminals talk to everybody.
    pub net: NetPolicy,
    /// Programs that commands may name; empty: all.
    pub allow: Vec<String>,
    /// Are passwords for `sudo` taken?
    pub allow_sudo: bool,
    /// Runs of one user at once; more wait.
    pub runs_per_user: usize,
    /// Runs at once; more wait.
    pub runs: usize,
    /// Runs that wait; more are refused (429).
    pub queue: usize,
    /// Sessions of one user; more are refused (429).
    pub sessions_per_user: usize,
    /// Sessions of all; more are refused (429).
    pub sessions: usize,
    /// Waits of interactive sessions.
    pub timing: Timing,
    /// Longest time of a line in a shell that is told line by line; then 408.
    pub line: Duration,
}

impl Default for ExecSettings {
    fn default() -> Self {
        Self {
            bounds: Bounds::default(),
            commands: Profile::Standard,
            programs: Profile::Strict,
            net: NetPolicy::Loopback,
            allow: Vec::new(),
            allow_sudo: false,
            runs_per_user: 4,
            runs: 8,
            queue: 100,
            sessions_per_user: 20,
            sessions: 200,
            timing: Timing::default(),
            line: Duration::from_secs(30),
        }
    }
}

/// Who does it, and how.
#[derive(Clone)]
pub struct ExecParts {
    /// Runs commands.
    pub runner: Arc<dyn Runner>,
    /// Opens terminals.
    pub terminals: Arc<dyn Terminals>,
    /// Where runs work.
    pub workspaces: Arc<dyn Workspaces>,
    /// Settings.
    pub settings: ExecSettings,
}

/// The use cases of running things.
pub struct Exec {
    parts: ExecParts,
    slots: Slots,
    sessions: terminals::Sessions,
    leavers: leaving::Leavers,
    auth: Arc<Auth>,
    events: Events,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tasks: Tasks,
}

impl Exec {
    pub(crate) fn new(
        parts: ExecParts,
        auth: Arc<Auth>,
        events: Events,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        users: Arc<dyn IdentityStore>,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let settings = &parts.settings;
        let slots = Slots::new(settings.runs_per_user, settings.runs, settings.queue);
        let sessions = terminals::Sessions::default();
        let (leavers, tasks) = (leaving::Leavers::default(), tasks.clone());
        let exec = Arc::new(Self { parts, slots, sessions, leavers, auth, events, clock, entropy, tasks });
        exec.tasks.spawn("terminals-sweep", exec.clone().sweep());
        exec.tasks.spawn("exec-leavers", exec.clone().watch_leavers(users, exec.events.clone()));
        exec
    }

    /// Carries the connection of somebody who looks at a session; it is to end when [`Self::stopping`] does.
    pub fn spawn_viewer(&self, viewer: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_connection("terminal-viewer", viewer);
    }

    /// Resolves when the process is to stop.
    pub fn stopping(&self) -> CancellationToken {
        self.tasks.stopping()
    }

    /// What holds runs in, for health and doctor.
    pub async fn layers(&self) -> Layers {
        self.parts.runner.layers().await
    }

    /// A command as it is to be run for a line: looked at, with `sudo` when there is a password.
    fn line(&self, line: &str, workspace: PathBuf, password: Option<&Secret<String>>) -> Result<Command> {
        guard::check_line(line).map_err(|slip| Error::invalid("command", slip.to_string()))?;
        let allow = &self.parts.settings.allow;
        if !allow.is_empty() {
            guard::check_listed(line, allow).map_err(|program| {
                Error::invalid("command", format!("The operator allows some programs only, and not: {program}"))
            })?;
        }
        let command = Command {
            profile: self.parts.settings.commands,
            net: self.parts.settings.net,
            ..Command::new(What::Shell(line.to_owned()), workspace)
        };
        let command = self.with_password(command, password)?;
        command.check().map_err(|e| Error::invalid("command", e.to_string()))?;
        Ok(command)
    }

    /// With `sudo`, which reads the password from its input and nothing else.
    fn with_password(&self, command: Command, password: Option<&Secret<String>>) -> Result<Command> {
        let Some(password) = password.filter(|p| !p.expose().is_empty()) else { return Ok(command) };
        if !self.parts.settings.allow_sudo {
            let text = "sudo is switched off on this server (exec.allow_sudo)";
            return Err(Error { field: Some("sudo_password"), ..Error::new(ErrorCode::Forbidden, text) });
        }
        if password.expose().len() > PASSWORD_BYTES_MAX || password.expose().contains(['\n', '\0']) {
            return Err(Error::invalid("sudo_password", "sudo_password is no password"));
        }
        let inner = match command.what {
            What::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line],
            What::Program { program, arguments } => std::iter::once(program).chain(arguments).collect(),
        };
        let options = ["-S", "-k", "-p", "", "--"].map(str::to_owned);
        let what = What::Program { program: "sudo".to_owned(), arguments: options.into_iter().chain(inner).collect() };
        let input = Input::Bytes(Secret::new(format!("{}\n", password.expose()).into_bytes()));
        // what takes rights away would keep sudo from giving them
        Ok(Command { what, input, profile: Profile::Off, ..command })
    }

    /// The caller's directory.
    async fn workspace(&self, user: UserId) -> Result<PathBuf> {
        // one who is gone gets none any more
        self.leavers.enter(user)?;
        self.parts.workspaces.workspace(user).await.map_err(|e| failed("command", e))
    }

    /// A number that nobody can guess, in hex.
    fn id(&self) -> String {
        let mut bits = [0; 16];
        self.entropy.fill(&mut bits);
        hex::encode(bits)
    }
}

/// Why something was not run, as callers see it.
fn failed(field: &'static str, error: RunError) -> Error {
    match error {
        RunError::Command(error) => Error::invalid(field, error.to_string()),
        RunError::NotStarted(text) => Error::invalid(field, text),
        RunError::RunnerGone => {
            Error::unavailable("The process that runs commands ended; try again", AGAIN).because(error)
        }
        RunError::Sandbox(_) => {
            Error::new(ErrorCode::Unavailable, "Commands cannot be run: a layer of the sandbox is missing")
                .because(error)
        }
        RunError::Unavailable(_) => Error::unavailable("Commands cannot be run now", AGAIN).because(error),
    }
}
