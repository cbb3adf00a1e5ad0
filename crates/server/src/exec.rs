//! Who runs commands: the adapter of this machine, by the configuration.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};
use orrery_app::exec::ExecParts;
use orrery_exec::Runner as _;
use orrery_exec_unix::{Setup, Unix};
use orrery_files_fs::FsWorkspaces;
use orrery_kernel::{Clock, Entropy};

use crate::config::Config;

/// This program, as it was started: also when its file has been replaced since.
const OURSELVES: &str = "/proc/self/exe";
/// Below the data directory, one for each user.
const WORKSPACES: &str = "workspaces";

/// Services of the machine that do things for whoever reaches their sockets, as this server's user may: containers
/// with all rights, databases without a password, other programs. Runs are that user too.
const SERVICES: [&str; 13] = [
    "/run/containerd",
    "/run/crio",
    "/run/dbus",
    "/run/docker.sock",
    "/run/libvirt",
    "/run/lxd.socket",
    "/run/mysqld",
    "/run/podman",
    "/run/postgresql",
    "/run/redis",
    "/run/snapd.socket",
    "/run/systemd/private",
    "/run/user",
];

/// This machine's adapter.
pub fn unix(config: &Config) -> Unix {
    Unix::new(setup(config))
}

fn setup(config: &Config) -> Setup {
    let exec = &config.exec;
    let mut hidden = exec.hidden.clone();
    hidden.extend(SERVICES.map(PathBuf::from));
    hidden.extend([config.server.data_dir.clone(), config.key_file.clone()]);
    for end in ["", "-wal", "-shm"] {
        hidden.extend(config.database.file().map(|file| PathBuf::from(format!("{}{end}", file.display()))));
    }
    hidden.extend(config.tls.iter().flat_map(|tls| [tls.cert.clone(), tls.key.clone()]));
    Setup {
        program: PathBuf::from(OURSELVES),
        hidden,
        readable: exec.readable.clone(),
        path: exec.path.clone(),
        env: exec.env.clone(),
        required: exec.required.clone(),
        without: exec.without.clone(),
        closed: Vec::new(),
    }
}

/// Looks whether the layers are there without which nothing is to be run.
///
/// # Errors
/// Which are missing, and why.
pub async fn require_layers(config: &Config) -> Result<()> {
    let required = &config.exec.required;
    if !config.exec.enabled || required.is_empty() {
        return Ok(());
    }
    let missing = unix(config).layers().await.missing(required);
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<_> = missing.into_iter().map(|(layer, why)| format!("{} ({why})", layer.name())).collect();
    bail!("sandbox.require names layers that this machine does not have: {}", missing.join(", "))
}

/// What the use cases need of it.
///
/// `ports` are this server's own. While requests from this machine need no proof, they are closed to whatever runs here,
/// which could be the local operator by them.
pub fn parts(config: &Config, clock: &Arc<dyn Clock>, entropy: &Arc<dyn Entropy>, ports: &[u16]) -> ExecParts {
    let closed = if config.auth.local_operator { ports.to_vec() } else { Vec::new() };
    let unix = Arc::new(Unix::new(Setup { closed, ..setup(config) }));
    let workspaces = config.server.data_dir.join(WORKSPACES);
    ExecParts {
        runner: unix.clone(),
        terminals: unix,
        workspaces: Arc::new(FsWorkspaces::new(&workspaces, clock.clone(), entropy.clone())),
        settings: config.exec.settings.clone(),
    }
}
