//! `[workers]`: scripts of wallets.

use std::path::{Path, PathBuf};
use std::time::Duration;

use orrery_workers::egress::Policy;
use orrery_workers::fleet::Timing;

use super::check::Reader;

/// `[workers]`.
#[derive(Clone, Debug)]
pub struct Workers {
    /// Does a gateway run them? `None`: as fits the database.
    pub embedded: Option<bool>,
    /// Most that run here.
    pub capacity: usize,
    /// Spans of time of elections.
    pub timing: Timing,
    /// Folder of modules; absolute.
    pub modules: Option<PathBuf>,
    /// Where scripts may go.
    pub egress: Policy,
}

/// Reads them. `None` only together with a problem.
pub fn read(r: &mut Reader<'_>, cwd: &Path) -> Option<Workers> {
    let embedded = match r.text("workers.embedded").to_ascii_lowercase().as_str() {
        "auto" => None,
        "on" | "true" | "yes" | "1" => Some(true),
        "off" | "false" | "no" | "0" => Some(false),
        _ => {
            r.fault("workers.embedded", "must be auto, on or off");
            None
        }
    };
    let lease: u64 = r.whole("workers.lease_ms", "milliseconds", 600..=3_600_000);
    let renew: u64 = r.whole("workers.renew_ms", "milliseconds", 100..=1_800_000);
    if renew > lease / 2 {
        r.fault("workers.renew_ms", format!("must be at most half of workers.lease_ms, which is {lease}"));
    }
    let egress = match Policy::new(r.flag("workers.allow_private"), &r.list("workers.allow_hosts")) {
        Ok(policy) => Some(policy),
        Err(error) => {
            r.fault("workers.allow_hosts", error.to_string());
            None
        }
    };
    Some(Workers {
        embedded,
        capacity: r.whole("workers.capacity", "", 1..=200_000),
        timing: Timing::new(Duration::from_millis(lease), Duration::from_millis(renew)),
        modules: r.optional("workers.modules").map(|folder| cwd.join(folder)),
        egress: egress?,
    })
}
