//! What the tests stand on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use orrery_app::App;
use orrery_app::fleet::host::{HostPorts, HostSettings, Publisher, Said, WorkerHosts};
use orrery_app::fleet::{Hosts as _, LogSink, Right, Running, Secrets};
use orrery_app::paper::{PaperParts, PaperSettings};
use orrery_app::tasks::Tasks;
use orrery_egress::{NetEgress, NetIngress, Resolver, ServeTimes, Times};
use orrery_feeds::Simulated;
use orrery_kernel::{Clock as _, Timestamp};
use orrery_script::{Engine, NoModules};
use orrery_storage::Lease;
use orrery_store_memory::{MemoryBus, MemoryFleet, MemoryKv, MemoryPaper, MemoryWorkers};
use orrery_store_sqlite::{Options, Sqlite};
use orrery_testkit::assembled::{ports, settings};
use orrery_testkit::fakes::{ManualClock, SeededEntropy, keyring};
use orrery_testkit::stub_venue::{StubExchanges, StubVenue};
use orrery_venues::Venue;
use orrery_venues::paper::Walk;
use orrery_wallets::Account;
use orrery_workers::egress::Policy;
use orrery_workers::fleet::FleetStore;
use orrery_workers::ingress::Ports;
use orrery_workers::kv::KvStore;
use orrery_workers::script::{
    End, Host, HostError, Isolation, Level, Limits, Outcome, Run, ScriptRuntime as _, Setting, Source,
};
use orrery_workers::{Stop, Urgency};
use serde_json::{Value, json};

pub const OWNER: &str = "gOwner";
pub const SID: &str = "w-1";
pub const TTL: Duration = Duration::from_secs(60);

/// Keeps lines.
#[derive(Default)]
pub struct Lines {
    all: Mutex<Vec<String>>,
    secrets: Arc<Secrets>,
}

impl Lines {
    pub fn all(&self) -> Vec<String> {
        self.all.lock().unwrap().clone()
    }
}

impl LogSink for Lines {
    fn line(&self, _: &str, _: Level, text: &str) {
        self.all.lock().unwrap().push(self.secrets.redact(text));
    }
}

/// Keeps what clients are told.
#[derive(Default)]
pub struct Heard(pub Mutex<Vec<(String, String, Value)>>);

#[async_trait]
impl Publisher for Heard {
    async fn publish(&self, owner: &str, said: &Said<'_>) {
        let raw = serde_json::from_str(said.raw.get()).unwrap();
        self.0.lock().unwrap().push((owner.to_owned(), said.channel.to_owned(), raw));
    }
}

/// Every name leads to the machine's description of itself.
struct Trap;

#[async_trait]
impl Resolver for Trap {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        Ok(vec!["169.254.169.254".parse().unwrap()])
    }
}

pub struct Bench {
    pub clock: Arc<ManualClock>,
    pub fleet: Arc<dyn FleetStore>,
    pub exchanges: Arc<StubExchanges>,
    pub stub: StubVenue,
    pub ports: HostPorts,
    pub hosts: WorkerHosts,
    pub lines: Arc<Lines>,
    pub heard: Arc<Heard>,
    pub tasks: Tasks,
}

pub fn account(owner: &str, nid: &str, exchange: &str, status: &str) -> Account {
    let secrets = r#"{"apiKey":"key","secret":"secret","password":""}"#;
    let sealed = keyring().seal(secrets.as_bytes(), &Account::place(owner, nid), &SeededEntropy::new(3)).unwrap();
    Account {
        owner: owner.into(),
        nid: nid.into(),
        exchange: exchange.into(),
        viewers: vec![OWNER.into()],
        public: json!({ "status": status, "connection": true }).to_string(),
        sealed,
        public_key: String::new(),
        signature: String::new(),
        at: Timestamp::from_millis(0),
    }
}

type Shared = (Arc<dyn FleetStore>, Arc<dyn KvStore>);

/// One that allows the loopback's hosts that are named.
pub async fn bench_allowing(hosts: &[String]) -> Bench {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
    let fleet = Arc::new(MemoryFleet::new(clock.clone(), Arc::new(MemoryWorkers::default())));
    let kv = Arc::new(MemoryKv::new(clock.clone(), fleet.clone()));
    bench_on(hosts, clock, (fleet, kv)).await
}

/// One on a database file; leases go by the database's clock.
pub async fn bench_on_sqlite() -> Bench {
    let db = Sqlite::open("sqlite::memory:", Options::default()).await.unwrap();
    db.migrate().await.unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
    bench_on(&[], clock, (db.fleet(), db.kv())).await
}

async fn bench_on(hosts: &[String], clock: Arc<ManualClock>, (fleet, kv): Shared) -> Bench {
    let entropy = Arc::new(SeededEntropy::new(5));
    let exchanges = Arc::new(StubExchanges::new(clock.clone(), entropy.clone()));
    let mut app_ports = ports(clock.clone(), entropy.clone(), Arc::new(Simulated::new(1, 50_000)));
    app_ports.exchanges = exchanges.clone();
    for account in [
        account(OWNER, "main", "binance", "active"),
        account(OWNER, "learner", "bybit", "learn"),
        account(OWNER, "off", "binance", "stopped"),
        account("gOther", "theirs", "binance", "active"),
    ] {
        app_ports.wallets.put_account(&account, 10).await.unwrap();
    }
    app_ports.paper = Some(PaperParts {
        store: Arc::new(MemoryPaper::default()),
        prices: Arc::new(Walk::new(7)),
        settings: PaperSettings::default(),
    });
    let tasks = Tasks::new();
    let app = App::start(app_ports, settings(), &tasks).await.unwrap();
    let heard = Arc::<Heard>::default();
    let policy = Policy::new(false, hosts).unwrap();
    let ports = HostPorts {
        kv,
        fleet: fleet.clone(),
        bus: Arc::new(MemoryBus::default()),
        venues: app.venues.clone(),
        egress: Arc::new(NetEgress::new(policy, Arc::new(Trap), Times::default()).unwrap()),
        ingress: Arc::new(NetIngress::new(
            "127.0.0.1".parse().unwrap(),
            Ports::parse("1024-65535").unwrap(),
            ServeTimes::default(),
        )),
        publisher: heard.clone(),
        clock: clock.clone(),
        wall: clock.clone(),
        entropy,
    };
    let hosts = WorkerHosts::new(ports.clone(), HostSettings::default(), &tasks);
    let stub = exchanges.stub(Venue::Binance);
    Bench { clock, fleet, exchanges, stub, ports, hosts, lines: Arc::default(), heard, tasks }
}

pub async fn bench() -> Bench {
    bench_allowing(&[]).await
}

impl Bench {
    /// A run with the account `main`.
    pub fn running(&self, right: Right) -> Running {
        Running {
            sid: SID.into(),
            owner: OWNER.into(),
            node: "s-0001".into(),
            account: Some("main".into()),
            dry_run: false,
            right,
            stop: Stop::new(),
            log: self.lines.clone(),
            secrets: self.lines.secrets.clone(),
        }
    }

    pub fn free(&self) -> Running {
        self.running(Right::unlimited())
    }

    /// The right of who has the lease now.
    pub async fn leader(&self, holder: &str) -> Right {
        let grants = self.fleet.take_leases(holder, &[SID.into()], TTL, TTL).await.unwrap();
        let lease = Lease { key: SID.into(), holder: holder.into(), epoch: grants[0].epoch };
        Right::new(lease, self.clock.now().plus(TTL), self.clock.now())
    }

    /// Another process, on the same stores.
    pub fn another(&self) -> WorkerHosts {
        WorkerHosts::new(self.ports.clone(), HostSettings::default(), &self.tasks)
    }

    pub fn host(&self, running: &Running) -> Arc<dyn Host> {
        self.hosts.host(running.clone())
    }

    /// How often an order was sent.
    pub fn sent(&self) -> usize {
        self.stub.seen().iter().filter(|seen| seen.verb == "POST" && seen.path == "/api/v3/order").count()
    }

    /// Runs a script whole.
    pub async fn run(&self, text: &str, running: Running) -> Outcome {
        let entropy = self.ports.entropy.clone();
        let engine = Engine::new(2, tokio::runtime::Handle::current(), entropy, Arc::new(NoModules)).unwrap();
        let dependencies = ["gliesereum".to_owned()];
        let program = engine.prepare(&Source { text, dependencies: &dependencies, version: "1.19.2" }).unwrap();
        let setting = Setting {
            sid: running.sid.clone(),
            nid: running.node.clone(),
            network: "testnet".into(),
            account: running.account.clone(),
            protocol: None,
            owner: Some(running.owner.clone()),
            start_time: self.clock.now().millis(),
            epoch: running.right.epoch(),
        };
        let (host, stop) = (self.host(&running), running.stop.clone());
        let limits = Limits::default();
        let run = Run { program, host, setting, limits, stop, isolation: Isolation::Shared };
        tokio::time::timeout(Duration::from_secs(60), engine.run(run)).await.unwrap()
    }

    /// What a script returns.
    pub async fn value(&self, text: &str, running: Running) -> Value {
        match self.run(text, running).await.end {
            End::Returned(Some(json)) => serde_json::from_str(&json).unwrap(),
            other => panic!("{other:?}\n{:?}", self.lines.all()),
        }
    }
}

/// Calls as the runtime does.
pub async fn call(host: &Arc<dyn Host>, method: &str, arguments: Value) -> Result<Value, HostError> {
    let answer = host.call(method, &arguments.to_string()).await?;
    Ok(serde_json::from_str(&answer).unwrap())
}

/// A method of binance.
pub async fn cex(host: &Arc<dyn Host>, method: &str, config: Value, given: Value) -> Result<Value, HostError> {
    call(host, &format!("cex.binance.{method}"), json!({ "config": config, "arguments": given })).await
}

pub fn class(result: &Result<Value, HostError>) -> &str {
    match result {
        Err(error) => &error.class,
        Ok(value) => panic!("{value}"),
    }
}

pub fn is_ended(running: &Running) -> bool {
    running.stop.urgency() == Urgency::Now
}
