//! Use cases over ports: each public method takes a [`Ctx`] first, authorises on its first line and
//! answers with [`orrery_kernel::Result`].
//!
//! Invariants: no SQL, no HTTP, no adapter, no wire types. Time comes from the [`Ports::clock`].

pub mod admin;
pub mod auth;
pub mod bridge;
pub mod data;
pub mod desk;
pub mod events;
pub mod exec;
pub mod files;
pub mod fleet;
pub mod hub;
pub mod leadership;
pub mod ledger_writer;
pub mod limits;
pub mod loans;
pub mod market;
pub mod orders;
pub mod paper;
pub mod plans;
pub mod programs;
pub mod shares;
pub mod tasks;
pub mod topics;
pub mod trading;
pub mod transfers;
pub mod tunnels;
pub mod venues;
pub mod wallets;
pub mod workers;

mod ctx;
mod uuid;

use std::sync::Arc;

pub use ctx::Ctx;
use orrery_identity::{IdentityStore, RateStore};
use orrery_kernel::{Clock, Entropy, Result};
use orrery_ledger::{LedgerStore, PlanStore};
use orrery_market::{MarketStore, PriceFeed, SentimentFeed};
use orrery_realtime::{Broker, ChannelStore};
use orrery_storage::{Bus, Cache};
use orrery_venues::Exchanges;
use orrery_wallets::WalletStore;
use orrery_workers::WorkerStore;
use orrery_workers::fleet::FleetStore;
use orrery_workers::logs::LogStore;
use orrery_workers::script::ScriptRuntime;

/// Everything outside that the use cases reach.
#[derive(Clone)]
pub struct Ports {
    /// Journal and balances.
    pub ledger: Arc<dyn LedgerStore>,
    /// Plans.
    pub plans: Arc<dyn PlanStore>,
    /// Users, sessions, keys, audit.
    pub identity: Arc<dyn IdentityStore>,
    /// Prices, charts, sentiment.
    pub market: Arc<dyn MarketStore>,
    /// Cache.
    pub cache: Arc<dyn Cache>,
    /// Rate windows.
    pub rates: Arc<dyn RateStore>,
    /// What nodes share of realtime channels.
    pub broker: Arc<dyn Broker>,
    /// Configured channels.
    pub channels: Arc<dyn ChannelStore>,
    /// Sessions, accounts and transactions of wallets.
    pub wallets: Arc<dyn WalletStore>,
    /// Workers.
    pub workers: Arc<dyn WorkerStore>,
    /// What the nodes that run them share.
    pub fleet: Arc<dyn FleetStore>,
    /// What they write.
    pub worker_logs: Arc<dyn LogStore>,
    /// Checks their scripts.
    pub scripts: Arc<dyn ScriptRuntime>,
    /// What processes tell each other.
    pub bus: Arc<dyn Bus>,
    /// Documents.
    pub data: Arc<dyn orrery_storage::data::DataStore>,
    /// Files and programs.
    pub files: files::FileParts,
    /// The way to exchanges.
    pub exchanges: Arc<dyn Exchanges>,
    /// The exchange of play money, where there are prices for it.
    pub paper: Option<paper::PaperParts>,
    /// Who runs commands and terminals, where that is switched on.
    pub exec: Option<exec::ExecParts>,
    /// Who makes tunnels, where that is switched on.
    pub tunnels: Option<tunnels::TunnelParts>,
    /// Source of prices and charts.
    pub price_feed: Arc<dyn PriceFeed>,
    /// Source of sentiment.
    pub sentiment_feed: Arc<dyn SentimentFeed>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// What the use cases are configured with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Identity.
    pub auth: auth::AuthSettings,
    /// Market data.
    pub market: market::MarketSettings,
    /// Ledger.
    pub ledger: ledger_writer::LedgerSettings,
    /// Realtime channels.
    pub hub: hub::HubSettings,
    /// Wallets.
    pub wallets: wallets::WalletSettings,
    /// Accounts at exchanges.
    pub venues: venues::VenueSettings,
    /// Files and programs.
    pub files: files::FileSettings,
    /// Bounds on requests.
    pub requests: limits::RequestPolicies,
    /// Given to every new user on registration; `demo` sets it, `serve` does not.
    pub welcome: Option<trading::Welcome>,
}

/// The assembled use cases.
pub struct App {
    /// Users, sessions, API keys.
    pub auth: Arc<auth::Auth>,
    /// Trades, balances, transactions, the operator's entries.
    pub trading: trading::Trading,
    /// The way into the journal, for what is assembled beside the use cases.
    pub writer: ledger_writer::LedgerWriter,
    /// Limit orders.
    pub orders: orders::Orders,
    /// Transfers and withdrawals.
    pub transfers: Arc<transfers::Transfers>,
    /// Plans that trade by themselves.
    pub plans: Arc<plans::Plans>,
    /// Loans.
    pub loans: loans::Loans,
    /// What administrators see and do.
    pub admin: admin::Admin,
    /// Prices, charts, sentiment.
    pub market: Arc<market::Market>,
    /// What happened, for sockets.
    pub events: events::Events,
    /// Realtime channels.
    pub hub: Arc<hub::Hub>,
    /// Wallets: sessions, exchange accounts, transactions.
    pub wallets: Arc<wallets::Wallets>,
    /// Accounts at exchanges. Who serves their owners runs [`venues::Venues::run`].
    pub venues: Arc<venues::Venues>,
    /// Workers.
    pub workers: workers::Workers,
    /// Commands, runs of programs, terminals, where that is switched on.
    pub exec: Option<Arc<exec::Exec>>,
    /// Tunnels from the internet, where that is switched on.
    pub tunnels: Option<Arc<tunnels::Tunnels>>,
    /// Documents.
    pub data: data::Data,
    /// Files.
    pub files: Arc<files::Files>,
    /// Programs.
    pub programs: Arc<programs::Programs>,
    /// What subscribers of topics are told.
    pub topics: topics::Topics,
    /// Bounds on requests.
    pub limits: limits::RequestLimits,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl App {
    /// Assembles the use cases and starts their background tasks, which end when `tasks` stop.
    ///
    /// # Errors
    /// When the newest stored price cannot be read.
    pub async fn start(ports: Ports, settings: Settings, tasks: &tasks::Tasks) -> Result<Arc<Self>> {
        let Ports { ledger, plans, identity, market, cache, rates, clock, entropy, .. } = ports;
        let Ports { broker, channels, price_feed, sentiment_feed, wallets, exchanges, paper, .. } = ports;
        let Ports { workers, fleet, worker_logs, scripts, bus, exec, tunnels, data, files: parts, .. } = ports;
        let events = events::Events::default();
        let auth = Arc::new(auth::Auth::new(
            identity.clone(),
            rates.clone(),
            clock.clone(),
            entropy.clone(),
            settings.auth,
            events.clone(),
        )?);
        auth.watch(tasks);
        let market = Arc::new(market::Market::new(
            market,
            ledger.clone(),
            cache.clone(),
            price_feed,
            sentiment_feed,
            clock.clone(),
            events.clone(),
            settings.market,
        ));
        market.restore().await?;
        let writer =
            ledger_writer::LedgerWriter::start(ledger.clone(), clock.clone(), &settings.ledger, events.clone(), tasks);
        let desk = desk::Desk {
            writer: writer.clone(),
            store: ledger.clone(),
            identity: identity.clone(),
            market: market.clone(),
            entropy: entropy.clone(),
            events: events.clone(),
        };
        let trading = trading::Trading::new(desk.clone(), settings.welcome);
        let orders = orders::Orders::new(desk.clone());
        let transfers = Arc::new(transfers::Transfers::new(desk.clone()));
        let plans = Arc::new(plans::Plans::new(desk.clone(), plans));
        let loans = loans::Loans::new(desk.clone());
        let leaving = files::Leaving::new(data.clone(), &parts);
        let exec = exec.map(|parts| {
            let (clock, entropy) = (clock.clone(), entropy.clone());
            exec::Exec::new(parts, auth.clone(), events.clone(), clock, entropy, identity.clone(), tasks)
        });
        let of_plans = (plans.clone(), transfers.clone());
        let admin = admin::Admin::new(desk, auth.clone(), of_plans, exec.clone(), leaving.clone());
        let hub_ports =
            hub::HubPorts { broker, channels, rates: rates.clone(), clock: clock.clone(), entropy: entropy.clone() };
        let hub = hub::Hub::new(hub_ports, settings.hub);
        hub.reload().await?;
        hub.start(&auth, &events, tasks);
        let topics = topics::Topics::new(hub.clone());
        tasks.spawn("topics", topics.clone().follow(events.clone(), tasks.clone()));
        let tunnels =
            tunnels.map(|parts| tunnels::Tunnels::new(parts, auth.clone(), topics.clone(), clock.clone(), tasks));
        let limits = limits::RequestLimits::new(rates, settings.requests);
        let node = settings.wallets.node.clone();
        let worker_ports = workers::WorkerPorts {
            store: workers,
            wallets: wallets.clone(),
            fleet,
            logs: worker_logs,
            scripts,
            bus,
            clock: clock.clone(),
            entropy: entropy.clone(),
        };
        let workers = workers::Workers::new(worker_ports, node, tasks);
        let paper = paper.map(|parts| {
            let paper::PaperParts { store, prices, settings } = parts;
            let (clock, entropy) = (clock.clone(), entropy.clone());
            let (ledger, writer) = (ledger.clone(), writer.clone());
            paper::PaperExchange::new(paper::PaperPorts { store, ledger, writer, prices, clock, entropy }, settings)
        });
        if let Some(paper) = &paper {
            tasks.spawn("paper", paper.clone().run(tasks.stopping()));
        }
        let venue_ports = venues::VenuePorts {
            exchanges,
            paper,
            store: wallets.clone(),
            cache,
            clock: clock.clone(),
            entropy: entropy.clone(),
        };
        let users = identity.clone();
        let ports = wallets::WalletPorts {
            store: wallets,
            ledger,
            identity,
            writer: writer.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
        };
        let wallets = Arc::new(wallets::Wallets::new(ports, settings.wallets));
        let venues = Arc::new(venues::Venues::new(wallets.clone(), venue_ports, settings.venues, tasks));
        tasks.spawn("wallets-sweep", wallets.clone().sweep(tasks.stopping()));
        let kept = |auth: &Arc<auth::Auth>| (auth.clone(), clock.clone(), entropy.clone(), settings.files.clone());
        let (of_auth, of_clock, of_entropy, of_settings) = kept(&auth);
        let files = Arc::new(files::Files::new(&parts, of_auth, of_clock, of_entropy, of_settings));
        let (of_auth, of_clock, of_entropy, of_settings) = kept(&auth);
        let programs = Arc::new(programs::Programs::new(&parts, of_auth, of_clock, of_entropy, of_settings));
        let sweep = files.clone().sweep(programs.clone(), leaving, users, tasks.stopping());
        tasks.spawn("files-sweep", sweep);
        Ok(Arc::new(Self {
            auth,
            trading,
            writer,
            orders,
            transfers,
            plans,
            loans,
            admin,
            market,
            events,
            topics,
            hub,
            wallets,
            venues,
            workers,
            exec,
            tunnels,
            data: data::Data::new(data),
            files,
            programs,
            limits,
            clock,
            entropy,
        }))
    }
}
