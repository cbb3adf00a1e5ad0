//! Copies of the database that the running server makes of itself, and its version.

use async_trait::async_trait;
use orrery_api_localhost::{Backup, System};
use orrery_kernel::{Clock, Error, ErrorCode, Result};
use tokio::sync::Mutex;

use crate::cli::backup::copy;
use crate::config::{Config, DatabaseUrl};
use crate::system::SystemClock;

/// Folder of copies in the data directory.
const FOLDER: &str = "backups";
/// Copies that may lie there; their operator takes them elsewhere.
const COPIES_MAX: usize = 100;

/// This server, as the Localhost document's surface asks it.
pub struct Host {
    config: Config,
    /// One copy at a time.
    turn: Mutex<()>,
}

impl Host {
    /// Of a server with this configuration.
    pub fn new(config: &Config) -> Self {
        Self { config: config.clone(), turn: Mutex::default() }
    }
}

#[async_trait]
impl System for Host {
    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    async fn backup(&self) -> Result<Backup> {
        if matches!(self.config.database.url, DatabaseUrl::Postgres(_)) {
            let text = "PostgreSQL is copied from outside: orrery-gateway backup, or your own tools";
            return Err(Error::new(ErrorCode::Unavailable, text));
        }
        let _turn = self.turn.lock().await;
        let folder = self.config.server.data_dir.join(FOLDER);
        let there = std::fs::read_dir(&folder).map_or(0, Iterator::count);
        if there >= COPIES_MAX {
            let text = "There are 100 backups already; the operator has to move some away";
            return Err(Error::new(ErrorCode::Conflict, text));
        }
        let name = SystemClock.now().iso().replace([':', '.'], "-");
        let failed = |e: anyhow::Error| Error::internal(std::io::Error::other(format!("{e:#}")));
        let copied = copy(&self.config, &folder.join(&name)).await.map_err(failed)?;
        Ok(Backup { name, bytes: copied.bytes, entries: copied.entries })
    }
}
