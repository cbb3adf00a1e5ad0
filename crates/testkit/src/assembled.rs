//! Use cases over stores in memory.

use std::sync::Arc;
use std::time::Duration;

use orrery_app::auth::{Algorithm, AuthSettings};
use orrery_app::files::{FileParts, FileSettings};
use orrery_app::hub::HubSettings;
use orrery_app::ledger_writer::LedgerSettings;
use orrery_app::limits::RequestPolicies;
use orrery_app::market::MarketSettings;
use orrery_app::venues::VenueSettings;
use orrery_app::wallets::WalletSettings;
use orrery_app::{Ports, Settings};
use orrery_identity::rate::Policy;
use orrery_kernel::{Clock, Entropy, Secret};
use orrery_market::{Multipliers, PriceFeed, SentimentFeed};
use orrery_store_memory::{
    MemoryBlobs, MemoryBroker, MemoryBus, MemoryCache, MemoryChannels, MemoryFleet, MemoryFolders, MemoryIdentity,
    MemoryKept, MemoryLedger, MemoryLogs, MemoryMarket, MemoryPlans, MemoryRates, MemoryWallets, MemoryWorkers,
};

use crate::fakes::{PlainScripts, keyring};
use crate::stub_venue::NoExchanges;

/// Empty stores in memory.
pub fn ports<F: PriceFeed + SentimentFeed + 'static>(
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    feed: Arc<F>,
) -> Ports {
    let workers = Arc::new(MemoryWorkers::default());
    let kept = Arc::new(MemoryKept::default());
    Ports {
        broker: Arc::new(MemoryBroker::new(entropy.clone())),
        channels: Arc::new(MemoryChannels::default()),
        wallets: Arc::new(MemoryWallets::default()),
        workers: workers.clone(),
        fleet: Arc::new(MemoryFleet::new(clock.clone(), workers)),
        worker_logs: Arc::new(MemoryLogs::default()),
        scripts: Arc::new(PlainScripts),
        bus: Arc::new(MemoryBus::default()),
        data: kept.clone(),
        files: FileParts {
            index: kept.clone(),
            blobs: Arc::new(MemoryBlobs::new(entropy.clone())),
            programs: kept,
            folders: Arc::new(MemoryFolders::default()),
        },
        exchanges: Arc::new(NoExchanges),
        paper: None,
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
        clock,
        entropy,
    }
}

/// The documented settings, with cheap password hashes and room for as many requests as a test makes.
pub fn settings() -> Settings {
    let many = Policy::refuse(1_000_000, Duration::from_secs(60));
    Settings {
        auth: AuthSettings {
            jwt_secret: Secret::new(b"a secret of thirty-two bytes, at least".to_vec()),
            jwt_algorithm: Algorithm::Hs256,
            jwt_lifetime: Duration::from_secs(86_400),
            open_registration: true,
            registrations_per_hour: 60,
            account_failures: 5,
            address_failures: 50,
            bcrypt_cost: 4,
            hash_workers: 2,
            hash_queue: 16,
            local_operator: false,
            watch: Duration::from_millis(250),
        },
        market: MarketSettings {
            multipliers: Multipliers::new(91.into(), 88.into()).expect("good ones"),
            max_age: Duration::from_secs(90),
        },
        ledger: LedgerSettings::default(),
        hub: HubSettings::default(),
        wallets: WalletSettings::new(Arc::new(keyring())),
        venues: VenueSettings::default(),
        files: FileSettings::default(),
        requests: RequestPolicies { address: many, user: many },
        welcome: None,
    }
}
