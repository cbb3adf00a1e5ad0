//! What a script needs that is run alone: everything in memory, play money, simulated prices.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use orrery_app::auth::{Algorithm, AuthSettings};
use orrery_app::files::{FileParts, FileSettings};
use orrery_app::fleet::host::{HostPorts, HostSettings, NoPublisher, WorkerHosts};
use orrery_app::hub::HubSettings;
use orrery_app::ledger_writer::LedgerSettings;
use orrery_app::limits::RequestPolicies;
use orrery_app::market::MarketSettings;
use orrery_app::paper::{PaperParts, PaperSettings};
use orrery_app::tasks::Tasks;
use orrery_app::venues::VenueSettings;
use orrery_app::wallets::WalletSettings;
use orrery_app::{App, Ports, Settings};
use orrery_crypto::seal::{Keyring, MASTER_KEY_BYTES};
use orrery_egress::{NetEgress, SystemResolver, Times};
use orrery_feeds::Simulated;
use orrery_identity::rate::Policy as RatePolicy;
use orrery_kernel::{Clock, Entropy, Secret};
use orrery_market::Multipliers;
use orrery_store_memory::{
    MemoryBlobs, MemoryBroker, MemoryBus, MemoryCache, MemoryChannels, MemoryFleet, MemoryFolders, MemoryIdentity,
    MemoryKept, MemoryKv, MemoryLedger, MemoryLogs, MemoryMarket, MemoryPaper, MemoryPlans, MemoryRates, MemoryWallets,
    MemoryWorkers,
};
use orrery_venue_net::{NetExchanges, VenueOptions};
use orrery_venues::paper::Walk;
use orrery_workers::egress::Policy;
use orrery_workers::script::ScriptRuntime;
use zeroize::Zeroizing;

use crate::system::{SystemClock, SystemEntropy};

/// Dollars around which the simulated price of a bitcoin walks; nothing of it is shown to scripts.
const LEVEL_USD: u32 = 90_000;

/// What runs a script's calls.
pub struct Alone {
    /// Makes the script's host.
    pub hosts: WorkerHosts,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Alone {
    /// With prices of this seed; the script, which `scripts` runs, may reach what the policy admits.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub async fn start(seed: u64, policy: Policy, scripts: Arc<dyn ScriptRuntime>, tasks: &Tasks) -> Result<Self> {
        let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let workers = Arc::new(MemoryWorkers::default());
        let fleet = Arc::new(MemoryFleet::new(clock.clone(), workers.clone()));
        let ports = ports(seed, (workers, fleet.clone()), scripts, &clock, &entropy);
        let app = App::start(ports, settings(&*entropy)?, tasks).await?;
        let egress = NetEgress::new(policy, Arc::new(SystemResolver), Times::default())?;
        let ports = HostPorts {
            kv: Arc::new(MemoryKv::new(clock.clone(), fleet.clone())),
            fleet,
            bus: Arc::new(MemoryBus::default()),
            venues: app.venues.clone(),
            egress: Arc::new(egress),
            publisher: Arc::new(NoPublisher),
            clock: clock.clone(),
            wall: clock.clone(),
            entropy: entropy.clone(),
        };
        Ok(Self { hosts: WorkerHosts::new(ports, HostSettings::default(), tasks), clock, entropy })
    }
}

fn ports(
    seed: u64,
    (workers, fleet): (Arc<MemoryWorkers>, Arc<MemoryFleet>),
    scripts: Arc<dyn ScriptRuntime>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Ports {
    let kept = Arc::new(MemoryKept::default());
    let feed = Arc::new(Simulated::new(seed, LEVEL_USD));
    let exchanges = NetExchanges::new(VenueOptions::default(), clock.clone(), entropy.clone());
    let paper = PaperParts {
        store: Arc::new(MemoryPaper::default()),
        prices: Arc::new(Walk::new(seed)),
        settings: PaperSettings::default(),
    };
    Ports {
        broker: Arc::new(MemoryBroker::new(entropy.clone())),
        channels: Arc::new(MemoryChannels::default()),
        wallets: Arc::new(MemoryWallets::default()),
        workers,
        fleet,
        worker_logs: Arc::new(MemoryLogs::default()),
        scripts,
        bus: Arc::new(MemoryBus::default()),
        data: kept.clone(),
        files: FileParts {
            index: kept.clone(),
            blobs: Arc::new(MemoryBlobs::new(entropy.clone())),
            programs: kept,
            folders: Arc::new(MemoryFolders::default()),
        },
        exchanges: Arc::new(exchanges),
        paper: Some(paper),
        exec: None,
        tunnels: None,
        ledger: Arc::new(MemoryLedger::default()),
        plans: Arc::new(MemoryPlans::default()),
        identity: Arc::new(MemoryIdentity::default()),
        market: Arc::new(MemoryMarket::default()),
        cache: Arc::new(MemoryCache::default()),
        rates: Arc::new(MemoryRates::default()),
        price_feed: feed.clone(),
        sentiment_feed: feed,
        clock: clock.clone(),
        entropy: entropy.clone(),
    }
}

/// Nobody logs in here, so keys last as long as the process.
fn settings(entropy: &dyn Entropy) -> Result<Settings> {
    let none = RatePolicy::refuse(1, Duration::from_secs(60));
    let mut jwt_secret = vec![0; 32];
    entropy.fill(&mut jwt_secret);
    let mut master = Zeroizing::new([0; MASTER_KEY_BYTES]);
    entropy.fill(&mut *master);
    let keys = Keyring::new([(1, master)]).context("a key for this run cannot be made")?;
    let multipliers = Multipliers::new(91.into(), 88.into()).context("the rates of this run cannot be made")?;
    Ok(Settings {
        auth: AuthSettings {
            jwt_secret: Secret::new(jwt_secret),
            jwt_algorithm: Algorithm::Hs256,
            jwt_lifetime: Duration::from_secs(3_600),
            open_registration: false,
            registrations_per_hour: 1,
            account_failures: 1,
            address_failures: 1,
            bcrypt_cost: 12,
            hash_workers: 1,
            hash_queue: 1,
            local_operator: false,
        },
        market: MarketSettings { multipliers, max_age: Duration::from_secs(90) },
        ledger: LedgerSettings::default(),
        hub: HubSettings::default(),
        wallets: WalletSettings::new(Arc::new(Arc::new(keys))),
        venues: VenueSettings::default(),
        files: FileSettings::default(),
        requests: RequestPolicies { address: none, user: none },
        welcome: None,
    })
}
