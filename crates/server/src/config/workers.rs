//! `[workers]`: running users' scripts.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use orrery_workers::egress::Policy;
use orrery_workers::ingress::Ports;

use super::check::Reader;
use super::{Config, DatabaseUrl};

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
    /// At which of this machine's addresses they may listen.
    pub serve_host: IpAddr,
    /// At which ports.
    pub serve_ports: Ports,
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
    let serve_host = r.text("workers.serve_host").parse().unwrap_or_else(|_| {
        r.fault("workers.serve_host", "must be an address of this machine, such as 127.0.0.1");
        IpAddr::from([127, 0, 0, 1])
    });
    let serve_ports = Ports::parse(&r.text("workers.serve_ports")).unwrap_or_else(|fault| {
        r.fault("workers.serve_ports", fault);
        Ports::none()
    });
    Workers {
        embedded,
        capacity: r.whole("workers.capacity", "", 1..=1_000_000),
        lease,
        renew,
        threads: r.whole("workers.threads", "", 0..=256),
        modules: r.optional("workers.modules").map(|folder| cwd.join(folder)),
        egress,
        serve_host,
        serve_ports,
    }
}

/// Of PostgreSQL and Redis, where their URLs name none.
const USUAL_PORTS: [u16; 2] = [5_432, 6_379];

impl Config {
    /// Ports of this server, of its database and its Redis.
    pub fn own_ports(&self) -> Vec<u16> {
        let listeners = self.server.listen.iter().map(|spec| spec.port).chain(self.metrics_port);
        let database = match &self.database.url {
            DatabaseUrl::Postgres(url) => Some(url.expose().as_str()),
            DatabaseUrl::Sqlite(_) => None,
        };
        let redis = self.redis.as_ref().map(|url| url.expose().as_str());
        let named = |url: &str| url::Url::parse(url).ok()?.port();
        let stores = [database, redis].into_iter().flatten().filter_map(named);
        listeners.chain(stores).chain(USUAL_PORTS).collect()
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
    fn scripts_do_not_take_what_the_server_needs() {
        let asked =
            [("DATABASE_URL", "postgres://h:7001/o"), ("REDIS_URL", "redis://h:7002"), ("METRICS_PORT", "7003")];
        let config = load(&sources(&asked)).unwrap().config;
        let ports = config.own_ports();
        for port in [7_001, 7_002, 7_003, 8_000, 5_432, 6_379] {
            assert!(ports.contains(&port), "{port}: {ports:?}");
        }
    }

    #[test]
    fn faults_name_their_key() {
        for (name, value) in [
            ("ORRERY_WORKERS__EMBEDDED", "perhaps"),
            ("ORRERY_WORKERS__LEASE_MS", "10"),
            ("ORRERY_WORKERS__RENEW_MS", "40000"),
            ("ORRERY_WORKERS__CAPACITY", "0"),
            ("ORRERY_WORKERS__ALLOW_HOSTS", "http://a/b"),
            ("ORRERY_WORKERS__SERVE_PORTS", "80-90"),
            ("ORRERY_WORKERS__SERVE_HOST", "localhost"),
        ] {
            let text = load(&sources(&[(name, value)])).unwrap_err().to_string();
            let key = name.trim_start_matches("ORRERY_").replace("__", ".").to_lowercase();
            assert!(text.contains(&key), "{name}={value}: {text}");
        }
    }
}
