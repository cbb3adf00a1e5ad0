//! Configuration, and what runs and terminals have in common on the server's side.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use orrery_exec::{Command, Exit, Layer, Layers, Limits, NetPolicy, Profile, RunError, What};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, OnceCell};

use crate::confine;
use crate::keeper::spaces_for;
use crate::link::Link;
use crate::wire::{Ask, END, Report, Spaces, Spec, framed, take};

/// Where programs are looked for when the configuration does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Between asking and killing.
const GRACE: Duration = Duration::from_secs(2);
/// Longest wait for the layers to be tried.
const PROBE_TIME: Duration = Duration::from_secs(20);
/// Directories of the system that programs need.
const SYSTEM: [&str; 10] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix/store"];

/// How runs are made.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The program that is the runner when its first argument is [`RUNNER`](crate::RUNNER); an absolute path.
    pub program: PathBuf,
    /// Files and directories that no run sees: the data directory, keys, configuration.
    pub hidden: Vec<PathBuf>,
    /// TCP ports that no run in a sandbox connects to, wherever they are: this server's own, where requests from this
    /// machine need no proof.
    pub closed: Vec<u16>,
    /// Directories beside the system's that programs may read under [`orrery_exec::Profile::Strict`].
    pub readable: Vec<PathBuf>,
    /// `PATH` of runs; empty: the usual one.
    pub path: String,
    /// Other variables of every run: `LANG`, `TZ`.
    pub env: Vec<(String, String)>,
    /// Layers without which nothing is run.
    pub required: Vec<Layer>,
    /// Layers that are not used although they are there.
    pub without: Vec<Layer>,
}

/// Runs commands and terminals on this machine.
pub struct Unix {
    setup: Setup,
    link: Link,
    layers: OnceCell<Layers>,
}

impl Unix {
    /// By that configuration; nothing is started before it is needed.
    pub fn new(mut setup: Setup) -> Self {
        if setup.path.is_empty() {
            PATH.clone_into(&mut setup.path);
        }
        let link = Link::new(setup.program.clone(), setup.closed.clone());
        Self { setup, link, layers: OnceCell::new() }
    }

    /// The runner's process id, if one runs.
    pub async fn runner_pid(&self) -> Option<u32> {
        self.link.pid().await
    }

    /// The layers, found out once.
    pub(crate) async fn found(&self) -> Result<&Layers, RunError> {
        self.layers
            .get_or_try_init(|| async {
                let report = tokio::time::timeout(PROBE_TIME, self.probe()).await;
                let Report::Layers(found) = report.map_err(|_| RunError::RunnerGone)?? else {
                    return Err(RunError::RunnerGone);
                };
                let mut layers = Layers::default();
                for (name, problem) in found {
                    let Some(layer) = Layer::parse(&name) else { continue };
                    let off = self.setup.without.contains(&layer).then(|| "switched off".to_owned());
                    layers.set(layer, off.or(problem).map_or(Ok(()), Err));
                }
                Ok(layers)
            })
            .await
    }

    async fn probe(&self) -> Result<Report, RunError> {
        let (ours, theirs) = pair()?;
        self.link.ask(Ask::Probe, Spaces::default(), &[theirs.as_fd()]).await?;
        drop(theirs);
        Control::new(ours).report().await
    }

    /// Has a run made, which reads and writes these descriptors. Returns when the command is started.
    pub(crate) async fn start(
        &self,
        command: &Command,
        limits: Limits,
        io: [OwnedFd; 3],
        terminal: Option<PathBuf>,
    ) -> Result<Control, RunError> {
        command.check()?;
        let layers = self.found().await?;
        let missing = layers.missing(&self.setup.required);
        if !missing.is_empty() {
            let missing: Vec<_> = missing.into_iter().map(|(layer, why)| format!("{} ({why})", layer.name())).collect();
            return Err(RunError::Sandbox(missing.join(", ")));
        }
        let spec = self.spec(command, limits, layers, terminal);
        let (ours, theirs) = pair()?;
        let [input, output, errors] = &io;
        self.link.ask(Ask::Run, spec.spaces, &[theirs.as_fd(), input.as_fd(), output.as_fd(), errors.as_fd()]).await?;
        drop((theirs, io));
        let control = Control::new(ours);
        let message = framed(&spec).map_err(|e| RunError::Unavailable(e.kind().to_string()))?;
        control.send(&message).await?;
        match control.report().await? {
            Report::Started => Ok(control),
            Report::Failed(problem) => Err(RunError::NotStarted(problem)),
            Report::Unsafe(problem) => Err(RunError::Sandbox(problem)),
            _ => Err(RunError::RunnerGone),
        }
    }

    fn spec(&self, command: &Command, limits: Limits, layers: &Layers, terminal: Option<PathBuf>) -> Spec {
        let user = layers.has(Layer::UserNamespace);
        let pid = user && layers.has(Layer::PidNamespace) && layers.has(Layer::MountNamespace);
        // where ports cannot be closed one by one, a run gets none of the machine's
        let open = self.setup.closed.is_empty() || command.profile == Profile::Off;
        let net = match command.net {
            NetPolicy::All if !open => {
                let closable = layers.has(Layer::Landlock) && confine::closes_ports();
                if closable { NetPolicy::All } else { NetPolicy::Loopback }
            }
            net => net,
        };
        let there = Spaces {
            user,
            mount: user && layers.has(Layer::MountNamespace),
            pid,
            net: user && layers.has(Layer::NetNamespace) && net == NetPolicy::Loopback,
        };
        let spaces = spaces_for(command.profile, there);
        let seccomp = layers.has(Layer::Seccomp);
        // with a loopback of its own nobody listens there but itself, and without any there is nothing to close
        let reaches = !spaces.net && (net == NetPolicy::All || !seccomp);
        let closes = reaches && !self.setup.closed.is_empty();
        let argv = match &command.what {
            What::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
            What::Program { program, arguments } => std::iter::once(program).chain(arguments).cloned().collect(),
        };
        Spec {
            argv,
            workspace: command.workspace.clone(),
            directory: command.directory.clone(),
            profile: command.profile,
            net,
            closes,
            env: self.env(command, spaces, terminal.is_some()),
            limits: Limits { cpu: limits.cpu.map(|cpu| limits.wall.map_or(cpu, |wall| cpu.min(wall * 8))), ..limits },
            // links on the way would hide what they stand for; what is not there yet may be at the next run
            hidden: self.setup.hidden.iter().filter_map(|path| path.canonicalize().ok()).collect(),
            readable: self.readable(),
            spaces,
            landlock: layers.has(Layer::Landlock),
            seccomp,
            bound_processes: layers.has(Layer::ProcessBound),
            terminal,
            grace: u32::try_from(GRACE.as_millis()).unwrap_or(u32::MAX),
        }
    }

    /// Nothing of the server's own environment is among them.
    fn env(&self, command: &Command, spaces: Spaces, terminal: bool) -> Vec<(String, String)> {
        let workspace = command.workspace.to_string_lossy().into_owned();
        let mut env = vec![("PATH".to_owned(), self.setup.path.clone()), ("HOME".to_owned(), workspace.clone())];
        if !terminal {
            env.extend([("TERM".to_owned(), "dumb".to_owned()), ("NO_COLOR".to_owned(), "1".to_owned())]);
        }
        if !spaces.mount {
            env.push(("TMPDIR".to_owned(), workspace));
        }
        env.extend(self.setup.env.iter().chain(&command.env).cloned());
        env
    }

    /// What programs read: the system, and where the programs of the path are at home.
    fn readable(&self) -> Vec<PathBuf> {
        let system = || SYSTEM.iter().map(Path::new);
        let mut readable: Vec<PathBuf> = system().map(Path::to_owned).collect();
        for directory in self.setup.path.split(':').map(Path::new).filter(|d| d.is_absolute()) {
            if system().any(|place| directory.starts_with(place)) {
                continue;
            }
            // `…/bin` reads its `…/lib`
            let home = directory.parent().filter(|_| {
                directory.file_name().is_some_and(|name| ["bin", "sbin", "shims"].iter().any(|bin| name == *bin))
            });
            let deep = |path: &&Path| path.components().count() > 2;
            readable.push(home.filter(deep).unwrap_or(directory).to_owned());
        }
        readable.extend(self.setup.readable.iter().cloned());
        readable
    }
}

/// A socket's two ends: ours for tokio, theirs as plain processes have it.
fn pair() -> Result<(UnixStream, std::os::unix::net::UnixStream), RunError> {
    let unavailable = |e: std::io::Error| RunError::Unavailable(e.kind().to_string());
    let (ours, theirs) = UnixStream::pair().map_err(unavailable)?;
    let theirs = theirs.into_std().map_err(unavailable)?;
    theirs.set_nonblocking(false).map_err(unavailable)?;
    Ok((ours, theirs))
}

/// The way to a keeper. Dropping it ends the run.
pub(crate) struct Control {
    reader: Mutex<(OwnedReadHalf, Vec<u8>)>,
    writer: Mutex<OwnedWriteHalf>,
    /// The exit, once told.
    exit: OnceCell<Exit>,
}

impl Control {
    fn new(socket: UnixStream) -> Self {
        let (reader, writer) = socket.into_split();
        Self { reader: Mutex::new((reader, Vec::new())), writer: Mutex::new(writer), exit: OnceCell::new() }
    }

    async fn send(&self, bytes: &[u8]) -> Result<(), RunError> {
        self.writer.lock().await.write_all(bytes).await.map_err(|_| RunError::RunnerGone)
    }

    /// The next report. May be given up and asked again.
    async fn report(&self) -> Result<Report, RunError> {
        let mut reader = self.reader.lock().await;
        let (socket, bytes) = &mut *reader;
        loop {
            if let Some(report) = take(bytes).map_err(|_| RunError::RunnerGone)? {
                return Ok(report);
            }
            match socket.read_buf(bytes).await {
                Ok(0) | Err(_) => return Err(RunError::RunnerGone),
                Ok(_) => {}
            }
        }
    }

    /// How the command ended; waits for it, and that everything of the run is gone.
    pub(crate) async fn ended(&self) -> Result<Exit, RunError> {
        let told = self.exit.get_or_try_init(|| async { self.report().await?.exit().ok_or(RunError::RunnerGone) });
        told.await.copied()
    }

    /// Has everything ended.
    pub(crate) async fn end(&self) {
        // a keeper that does not hear it is gone
        let _ = self.send(&[END]).await;
    }
}
