//! What a script needs that is run alone: a server's use cases with play money and simulated prices, a database in
//! memory, and a folder that is gone with it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use orrery_app::App;
use orrery_app::fleet::host::{HostPorts, HostSettings, NoPublisher, WorkerHosts};
use orrery_app::tasks::Tasks;
use orrery_egress::{NetEgress, NetIngress, ServeTimes, SystemResolver, Times};
use orrery_kernel::{Clock, Entropy};
use orrery_workers::egress::Policy;
use orrery_workers::script::ScriptRuntime;

use crate::config::{self, Config, DatabaseUrl, Sources};
use crate::system::SystemEntropy;
use crate::wire;

/// What runs a script's calls.
pub struct Alone {
    /// Makes the script's host.
    pub hosts: WorkerHosts,
    /// Runs the script.
    pub scripts: Arc<dyn ScriptRuntime>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    _folder: Folder,
}

impl Alone {
    /// With prices of this seed; the script may reach what the policy admits, and import the bundles of a folder.
    ///
    /// # Errors
    /// When there is no folder for temporary files, no HTTP client, or when the bundles cannot be read.
    pub async fn start(seed: u64, policy: Policy, modules: Option<PathBuf>, tasks: &Tasks) -> Result<Self> {
        let folder = Folder::named(&wire::holder(&SystemEntropy));
        let mut config = settings(seed, &folder)?;
        config.workers.modules = modules;
        let parts = wire::open(&config, true).await?;
        let settings = wire::settings(&config, &*parts.entropy)?;
        let app = App::start(wire::ports(&config, &parts, tasks)?, settings, tasks).await?;
        // there is no server whose ports it could take
        let (host, ports) = (config.workers.serve_host, config.workers.serve_ports.clone());
        let ingress = NetIngress::new(host, ports, ServeTimes::default());
        let ports = HostPorts {
            kv: parts.database.kv(),
            fleet: parts.database.fleet(),
            bus: parts.bus,
            venues: app.venues.clone(),
            egress: Arc::new(NetEgress::new(policy, Arc::new(SystemResolver), Times::default())?),
            ingress: Arc::new(ingress),
            publisher: Arc::new(NoPublisher),
            clock: parts.clock.clone(),
            wall: parts.clock.clone(),
            entropy: parts.entropy.clone(),
        };
        let hosts = WorkerHosts::new(ports, HostSettings::default(), tasks);
        Ok(Self { hosts, scripts: parts.scripts, clock: parts.clock, entropy: parts.entropy, _folder: folder })
    }
}

/// The defaults: whatever an operator configured is a server's, which this is not.
fn settings(seed: u64, folder: &Folder) -> Result<Config> {
    let path = folder.0.to_str().context("the folder of temporary files has a name that is not UTF-8")?;
    let seed = seed.to_string();
    let flags = [
        ("server.data_dir", path),
        ("market.source", "simulated"),
        ("market.simulated_seed", seed.as_str()),
        ("exec.enabled", "false"),
    ];
    let flag = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned(), "worker run".to_owned());
    // no file is looked for in the new folder
    let sources = Sources { cwd: folder.0.clone(), flags: flags.map(flag).into(), ..Sources::default() };
    let mut config = config::load(&sources)?.config;
    config.database.url = DatabaseUrl::Sqlite("sqlite::memory:".into());
    Ok(config)
}

/// Keys of this run, which nothing else needs.
struct Folder(PathBuf);

impl Folder {
    fn named(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("orrery-script-{name}")))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // what cannot be removed holds nothing that is used again
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_left_of_it() {
        let tasks = Tasks::new();
        let alone = Alone::start(7, Policy::default(), None, &tasks).await.unwrap();
        let folder = alone._folder.0.clone();
        assert!(folder.is_dir());
        tasks.drain().await;
        drop(alone);
        assert!(!folder.exists());
    }
}
