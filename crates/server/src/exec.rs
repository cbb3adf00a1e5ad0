//! Who runs commands: the adapter of this machine, by the configuration.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};
use orrery_app::exec::ExecParts;
use orrery_exec::Runner as _;
use orrery_exec_unix::{Setup, Unix};

use crate::config::Config;

/// This program, as it was started: also when its file has been replaced since.
const OURSELVES: &str = "/proc/self/exe";
/// Below the data directory, one for each user.
const WORKSPACES: &str = "workspaces";

/// This machine's adapter.
pub fn unix(config: &Config) -> Unix {
    let exec = &config.exec;
    let mut hidden = exec.hidden.clone();
    hidden.extend([config.server.data_dir.clone(), config.key_file.clone()]);
    for end in ["", "-wal", "-shm"] {
        hidden.extend(config.database.file().map(|file| PathBuf::from(format!("{}{end}", file.display()))));
    }
    hidden.extend(config.tls.iter().flat_map(|tls| [tls.cert.clone(), tls.key.clone()]));
    Unix::new(Setup {
        program: PathBuf::from(OURSELVES),
        workspaces: config.server.data_dir.join(WORKSPACES),
        hidden,
        readable: exec.readable.clone(),
        path: exec.path.clone(),
        env: exec.env.clone(),
        required: exec.required.clone(),
        without: exec.without.clone(),
    })
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
pub fn parts(config: &Config) -> ExecParts {
    let unix = Arc::new(unix(config));
    ExecParts {
        runner: unix.clone(),
        terminals: unix.clone(),
        workspaces: unix,
        settings: config.exec.settings.clone(),
    }
}
