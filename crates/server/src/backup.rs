//! Copies of the database and of what users keep that the running server makes of itself, and its version.

use async_trait::async_trait;
use orrery_api_localhost::{Backup, Steps, System};
use orrery_kernel::{Clock, Error, ErrorCode, Result};
use tokio::sync::Mutex;

use crate::cli::backup::{Told, copy};
use crate::cli::dump::NoProgram;
use crate::config::Config;
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

struct Tell<'a>(&'a dyn Steps);

#[async_trait]
impl Told for Tell<'_> {
    async fn step(&self, step: &'static str, percent: u8) {
        self.0.step(step, percent).await;
    }
}

fn failed(error: anyhow::Error) -> Error {
    match error.downcast::<NoProgram>() {
        Ok(missing) => Error::new(ErrorCode::Unavailable, missing.to_string()),
        Err(other) => Error::internal(std::io::Error::other(format!("{other:#}"))),
    }
}

#[async_trait]
impl System for Host {
    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    async fn backup(&self, steps: &dyn Steps) -> Result<Backup> {
        let _turn = self.turn.lock().await;
        let folder = self.config.server.data_dir.join(FOLDER);
        let there = std::fs::read_dir(&folder).map_or(0, Iterator::count);
        if there >= COPIES_MAX {
            let text = "There are 100 backups already; the operator has to move some away";
            return Err(Error::new(ErrorCode::Conflict, text));
        }
        let name = SystemClock.now().iso().replace([':', '.'], "-");
        let place = folder.join(&name);
        let copied = match copy(&self.config, &place, &Tell(steps)).await {
            Ok(copied) => copied,
            Err(error) => {
                // half of a copy is none; what stays counts as one
                let _ = std::fs::remove_dir_all(&place);
                return Err(failed(error));
            }
        };
        let (files, bytes) = (copied.kept.files, copied.bytes + copied.kept.bytes);
        Ok(Backup { name, bytes, entries: copied.entries, files })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_says_how_to_get_it() {
        let missing = anyhow::Error::from(NoProgram("pg_dump".into())).context("copying");
        let error = failed(missing);
        assert_eq!(error.code, ErrorCode::Unavailable);
        assert!(error.public.contains("postgresql-client"), "{}", error.public);
        assert_eq!(failed(anyhow::anyhow!("/secret/path")).code, ErrorCode::Internal);
    }
}
