//! `[workers]`: running users' scripts.

use std::path::PathBuf;
use std::time::Duration;

use orrery_workers::egress::Policy;

use super::check::Reader;

/// `[workers]`.
#[derive(Clone, Debug)]
pub struct Workers {
    /// Does a gateway run them? None: with SQLite it does.
    pub embedded: Option<bool>,
    /// At a time.
    pub capacity: usize,
    /// Of leaders.
    pub lease: Duration,
    /// Between two prolongations.
    pub renew: Duration,
    /// 0: one for each processor.
    pub threads: usize,
    /// Folder of bundles.
    pub modules: Option<PathBuf>,
    /// Where scripts may go.
    pub egress: Policy,
}

/// Reads them, reporting what is wrong.
pub(super) fn read(r: &mut Reader<'_>, cwd: &std::path::Path) -> Workers {
    let embedded = match r.text("workers.embedded").as_str() {
        "auto" => None,
        "on" | "true" => Some(true),
        "off" | "false" => Some(false),
        _ => {
            r.fault("workers.embedded", "must be auto, on or off");
            None
        }
    };
    let lease = Duration::from_millis(r.whole("workers.lease_ms", "ms", 500..=600_000));
    let renew = Duration::from_millis(r.whole("workers.renew_ms", "ms", 100..=300_000));
    if renew > lease / 2 {
        r.fault("workers.renew_ms", "must be at most half of workers.lease_ms");
    }
    let private = r.flag("workers.allow_private");
    let hosts = r.list("workers.allow_hosts");
    let egress = Policy::new(private, &hosts).unwrap_or_else(|error| {
        r.fault("workers.allow_hosts", error.to_string());
        Policy::default()
    });
    Workers {
        embedded,
        capacity: r.whole("workers.capacity", "", 1..=1_000_000),
        lease,
        renew,
        threads: r.whole("workers.threads", "", 0..=256),
        modules: r.optional("workers.modules").map(|folder| cwd.join(folder)),
        egress,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Sources, load};
    use super::*;

    fn sources(env: &[(&str, &str)]) -> Sources {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Sources { env, cwd: "/nowhere".into(), ..Sources::default() }
    }

    #[test]
    fn workers_run_where_there_is_one_server() {
        let loaded = load(&sources(&[])).unwrap();
        assert!(loaded.config.runs_workers());
        assert_eq!(loaded.config.workers.lease, Duration::from_secs(60));
        let shared = load(&sources(&[("DATABASE_URL", "postgres://h/o")])).unwrap();
        assert!(!shared.config.runs_workers());
        let asked = [("DATABASE_URL", "postgres://h/o"), ("ORRERY_WORKERS__EMBEDDED", "true")];
        assert!(load(&sources(&asked)).unwrap().config.runs_workers());
        let off = load(&sources(&[("ORRERY_WORKERS__EMBEDDED", "false")])).unwrap();
        assert!(!off.config.runs_workers());
    }

    #[test]
    fn faults_name_their_key() {
        for (name, value) in [
            ("ORRERY_WORKERS__EMBEDDED", "perhaps"),
            ("ORRERY_WORKERS__LEASE_MS", "10"),
            ("ORRERY_WORKERS__RENEW_MS", "40000"),
            ("ORRERY_WORKERS__CAPACITY", "0"),
            ("ORRERY_WORKERS__ALLOW_HOSTS", "http://a/b"),
        ] {
            let text = load(&sources(&[(name, value)])).unwrap_err().to_string();
            let key = name.trim_start_matches("ORRERY_").replace("__", ".").to_lowercase();
            assert!(text.contains(&key), "{name}={value}: {text}");
        }
    }
}
