//! From configuration to adapters to use cases. The only file that knows both.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use orrery_app::auth::AuthSettings;
use orrery_app::files::{FileParts, FileSettings};
use orrery_app::fleet::TellingWorkers;
use orrery_app::hub::HubSettings;
use orrery_app::ledger_writer::LedgerSettings;
use orrery_app::limits::RequestPolicies;
use orrery_app::market::MarketSettings;
use orrery_app::paper::{PaperParts, PaperSettings};
use orrery_app::tasks::Tasks;
use orrery_app::venues::VenueSettings;
use orrery_app::wallets::WalletSettings;
use orrery_app::{Ports, Settings};
use orrery_feeds::{AlternativeMe, CoinGecko, Simulated};
use orrery_files_fs::{FsBlobs, FsFolders};
use orrery_identity::RateStore;
use orrery_identity::rate::{Beyond, Policy};
use orrery_kernel::{AMOUNT_MAX, Clock, Entropy};
use orrery_ledger::Limits;
use orrery_market::{PriceFeed, SentimentFeed};
use orrery_realtime::Broker;
use orrery_storage::{Bus, Cache};
use orrery_store_memory::{MemoryBroker, MemoryBus, MemoryCache, MemoryRates};
use orrery_store_redis::{Options as RedisOptions, Redis, RedisBroker, RedisBus, RedisCache, RedisRates};
use orrery_venue_net::{FollowedPrices, NetExchanges};
use orrery_venues::Exchanges as _;
use orrery_venues::paper::{PaperPrices, Walk};
use orrery_workers::script::ScriptRuntime;

use crate::config::{Config, Market, Realtime, Source};
use crate::database::Database;
use crate::master_keys::{FileKeys, node_id};
use crate::secret;
use crate::system::{SystemClock, SystemEntropy};

/// Where the simulated price begins its walk, dollars.
const SIMULATED_LEVEL_USD: u32 = 90_000;
/// Name of CoinGecko's header for keys of its free plan.
const COINGECKO_KEY_HEADER: &str = "x-cg-demo-api-key";
/// How often the database is looked at for what other servers did.
const LOOK: Duration = Duration::from_millis(250);
/// The same for the ledger where only the command line writes beside this server.
const FOLLOW_ALONE: Duration = Duration::from_secs(1);
/// And for permissions: the command line waits somewhat longer than this before it says that it is done.
const WATCH_ALONE: Duration = Duration::from_millis(800);
/// The documented cost of password hashes.
const BCRYPT_COST: u32 = 12;

/// The parts that everything is made of.
pub struct Parts {
    /// The database, open and migrated.
    pub database: Database,
    /// What several servers share beside it.
    pub redis: Option<Redis>,
    /// What processes tell each other; without a Redis, only this one hears it.
    pub bus: Arc<dyn Bus>,
    /// Exchanges, with one rate and one clock of each for everybody in this process.
    pub exchanges: Arc<NetExchanges>,
    /// Checks scripts, and runs them.
    pub scripts: Arc<dyn ScriptRuntime>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// Who asks for leases: this process, and no other that ever was.
pub fn holder(entropy: &dyn Entropy) -> String {
    let mut bits = [0; 8];
    entropy.fill(&mut bits);
    format!("{}-{}", std::process::id(), hex::encode(bits))
}

/// Opens the database, and makes and migrates it first where `create` says so (SQLite only: a shared
/// database is migrated by its operator).
///
/// # Errors
/// When it cannot be opened, is not ours, or would not keep what it commits.
pub async fn open(config: &Config, create: bool) -> Result<Parts> {
    open_for(config, create, false).await
}

/// As [`open`], with threads for scripts where this process `runs` workers.
///
/// # Errors
/// As [`open`].
pub async fn open_for(config: &Config, create: bool, runs: bool) -> Result<Parts> {
    if create {
        secret::prepare_data_dir(&config.server.data_dir)?;
    }
    let database = Database::open(config, create).await?;
    let redis = config.redis.as_ref().map(|url| Redis::open(url.expose(), RedisOptions::default())).transpose()?;
    let bus: Arc<dyn Bus> = match &redis {
        Some(redis) => Arc::new(RedisBus::new(redis.clone())),
        None => Arc::new(MemoryBus::default()),
    };
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let exchanges = NetExchanges::new(config.venues.options.clone(), clock.clone(), entropy.clone());
    let scripts = crate::fleet::engine(config, &entropy, runs)?;
    Ok(Parts { database, redis, bus, exchanges: Arc::new(exchanges), scripts, clock, entropy })
}

/// The ports on these parts. What listens runs until `tasks` stop.
///
/// # Errors
/// When a feed's client cannot be made.
pub fn ports(config: &Config, parts: &Parts, tasks: &Tasks) -> Result<Ports> {
    let (price_feed, sentiment_feed) = feeds(&config.market, &parts.entropy)?;
    let local = Arc::new(MemoryRates::default());
    let (cache, rates): (Arc<dyn Cache>, Arc<dyn RateStore>) = match &parts.redis {
        Some(redis) => (Arc::new(RedisCache::new(redis.clone())), Arc::new(RedisRates::new(redis.clone(), local))),
        None => (Arc::new(MemoryCache::default()), local),
    };
    let broker: Arc<dyn Broker> = match &parts.redis {
        Some(redis) => {
            let broker = RedisBroker::new(redis.clone(), parts.entropy.clone());
            tasks.spawn("broker", broker.clone().run(tasks.stopping()));
            Arc::new(broker)
        }
        None => Arc::new(MemoryBroker::new(parts.entropy.clone())),
    };
    Ok(Ports {
        broker,
        channels: parts.database.channels(),
        wallets: parts.database.wallets(),
        workers: Arc::new(TellingWorkers::new(parts.database.workers(), parts.bus.clone())),
        fleet: parts.database.fleet(),
        worker_logs: parts.database.worker_logs(),
        scripts: parts.scripts.clone(),
        bus: parts.bus.clone(),
        data: parts.database.data(),
        files: files(config, parts)?,
        exchanges: parts.exchanges.clone(),
        paper: Some(paper(config, parts, tasks)?),
        exec: config.exec.enabled.then(|| crate::exec::parts(config, &parts.clock, &parts.entropy, &[])),
        // a server with listeners of its own adds them
        tunnels: None,
        ledger: parts.database.ledger(),
        plans: parts.database.plans(),
        identity: parts.database.identity(),
        market: parts.database.market(),
        cache,
        rates,
        price_feed,
        sentiment_feed,
        clock: parts.clock.clone(),
        entropy: parts.entropy.clone(),
    })
}

/// Files and programs: what is known of them is in the database, they themselves are in the data directory.
fn files(config: &Config, parts: &Parts) -> Result<FileParts> {
    let (clock, entropy, root) = (&parts.clock, &parts.entropy, &config.server.data_dir);
    let (files, programs) = (root.join("files"), root.join("programs"));
    let blobs = FsBlobs::open(&files, clock.clone(), entropy.clone()).with_context(|| files.display().to_string())?;
    let folders = FsFolders::open(&programs, clock.clone(), entropy.clone());
    let folders = folders.with_context(|| programs.display().to_string())?;
    Ok(FileParts {
        index: parts.database.files(),
        blobs: Arc::new(blobs),
        programs: parts.database.programs(),
        folders: Arc::new(folders),
    })
}

/// The exchange of play money. Its prices are simulated where all prices are, else those of a real exchange, of the
/// markets that somebody trades in.
fn paper(config: &Config, parts: &Parts, tasks: &Tasks) -> Result<PaperParts> {
    let prices: Arc<dyn PaperPrices> = if config.market.source == Source::Simulated {
        Arc::new(Walk::new(config.market.simulated_seed))
    } else {
        let exchange = parts.exchanges.open(config.venues.paper_source, None)?;
        let followed = Arc::new(FollowedPrices::new(exchange, parts.clock.clone()));
        tasks.spawn("paper-prices", followed.clone().run(tasks.stopping()));
        followed
    };
    Ok(PaperParts { store: parts.database.paper(), prices, settings: PaperSettings::default() })
}

fn feeds(market: &Market, entropy: &Arc<dyn Entropy>) -> Result<(Arc<dyn PriceFeed>, Arc<dyn SentimentFeed>)> {
    if market.source == Source::Simulated {
        let simulated = Arc::new(Simulated::new(market.simulated_seed, SIMULATED_LEVEL_USD));
        return Ok((simulated.clone(), simulated));
    }
    orrery_feeds::install_tls();
    let options = |url: &str| {
        let timeout = market.fetch_timeout;
        let connect_timeout = timeout.min(Duration::from_secs(5));
        orrery_feeds::Options { timeout, connect_timeout, ..orrery_feeds::Options::new(url) }
    };
    let mut prices = options(&market.coingecko_url);
    prices.key = market.coingecko_api_key.clone().map(|key| (COINGECKO_KEY_HEADER, key));
    let prices = CoinGecko::new(prices, entropy.clone()).context("market.coingecko_url")?;
    let sentiments =
        AlternativeMe::new(options(&market.fear_greed_url), entropy.clone()).context("market.fear_greed_url")?;
    Ok((Arc::new(prices), Arc::new(sentiments)))
}

/// Identity's settings, with the signing key made or read.
///
/// # Errors
/// When the key cannot be used.
pub fn auth_settings(config: &Config, entropy: &dyn Entropy) -> Result<AuthSettings> {
    let auth = &config.auth;
    Ok(AuthSettings {
        jwt_secret: secret::signing_key(auth, &config.server.data_dir, entropy)?,
        jwt_algorithm: auth.jwt_algorithm,
        jwt_lifetime: auth.jwt_expires,
        open_registration: auth.open_registration,
        registrations_per_hour: auth.registrations_per_hour,
        account_failures: auth.account_failures,
        address_failures: auth.address_failures,
        bcrypt_cost: BCRYPT_COST,
        hash_workers: auth.hash_workers,
        hash_queue: auth.hash_queue,
        local_operator: auth.local_operator,
        watch: if config.database.file().is_some() { WATCH_ALONE } else { LOOK },
    })
}

/// The ledger's bounds.
pub fn ledger_limits(config: &Config) -> Limits {
    Limits {
        max_age: config.market.max_age,
        floor_inr: config.ledger.floor_inr.unwrap_or(-AMOUNT_MAX),
        floor_btc: config.ledger.floor_btc.unwrap_or(-AMOUNT_MAX),
    }
}

fn hub_settings(realtime: &Realtime) -> HubSettings {
    HubSettings {
        connections_per_user: realtime.connections_per_user,
        anonymous_per_address: realtime.anonymous_per_address,
        messages: Policy::refuse(realtime.messages, realtime.window),
        messages_per_second: realtime.messages_per_second,
        open_channels: realtime.open_channels,
        // the other half of the processors reads and decides
        writers: std::thread::available_parallelism().map_or(1, |n| n.get() / 2).max(1),
        ..HubSettings::default()
    }
}

/// Wallets' settings, with the master keys and the node's name made or read.
///
/// # Errors
/// When the keys cannot be used.
pub fn wallet_settings(config: &Config, entropy: &dyn Entropy) -> Result<WalletSettings> {
    let stels = &config.stels;
    Ok(WalletSettings {
        network: stels.network.clone(),
        node: node_id(&config.node.id, &config.server.data_dir, entropy)?,
        session_lifetime: stels.session,
        allowed: stels.wallets.clone(),
        grant: config.welcome_tst,
        public_info: stels.public_wallet_info,
        keys: Arc::new(FileKeys::open(&config.key_file, entropy)?),
    })
}

/// Everything the use cases are configured with.
///
/// # Errors
/// When the signing key cannot be used.
pub fn settings(config: &Config, entropy: &dyn Entropy) -> Result<Settings> {
    let policy = |max: u32| Policy { max, window: config.limits.window, beyond: Beyond::Refuse };
    Ok(Settings {
        auth: auth_settings(config, entropy)?,
        market: MarketSettings { multipliers: config.market.multipliers, max_age: config.market.max_age },
        ledger: LedgerSettings {
            limits: ledger_limits(config),
            queue: config.ledger.queue,
            batch: config.ledger.batch,
            follow: if config.database.file().is_some() { FOLLOW_ALONE } else { LOOK },
        },
        requests: RequestPolicies {
            address: policy(config.limits.address_requests),
            user: policy(config.limits.user_requests),
        },
        hub: HubSettings { network: config.stels.network.clone(), ..hub_settings(&config.realtime) },
        wallets: wallet_settings(config, entropy)?,
        venues: VenueSettings {
            equity: config.venues.equity.clone(),
            refresh: config.venues.refresh,
            at_once: config.venues.refresh_at_once,
        },
        files: FileSettings {
            quota: config.files.quota,
            file_bytes: config.files.file_bytes,
            blocked: config.files.blocked.clone(),
        },
        welcome: config.welcome,
    })
}
