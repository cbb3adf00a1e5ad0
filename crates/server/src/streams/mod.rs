//! Live market data: what clients are in and what is configured is streamed, by whom the shares say, and told.

mod arrange;
mod wants;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use orrery_api_webfix::markets::{self, Board, PAPER};
use orrery_app::tasks::Tasks;
use orrery_app::{App, shares};
use orrery_feeds::SimulatedMarkets;
use orrery_kernel::{Clock, Entropy};
use orrery_storage::{Bus, Heard, LeaseStore};
use orrery_venue_net::{Feed, FeedOptions, NetExchanges, OpenError, VenueOptions};
use orrery_venues::paper::{PaperPrices, Walk};
use orrery_venues::stream::{Sink as _, Want, What};
use orrery_venues::{Exchanges as _, Venue};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use self::arrange::Arrangement;
use crate::config::{Config, Source};
use crate::{indicators, wire};

/// Group of the leases.
const GROUP: &str = "streams";
/// Between two looks at what is wanted; news are taken at once.
const LOOK: Duration = Duration::from_secs(1);
/// Messages of the bus that wait; the bus waits then.
const HEARD_MAX: usize = 64;
/// Wait before the bus is listened to again, after that failed.
const LISTEN_WAIT: Duration = Duration::from_secs(2);
/// Between two looks at an exchange's clock, by which ages are told.
const CLOCK_PERIOD: Duration = Duration::from_secs(900);
/// Markets that are older are fetched anew at the next of those looks.
const MARKETS_MAX_AGE: Duration = Duration::from_secs(3_600);
/// Between two words of the simulated exchange.
const SIMULATED_PERIOD: Duration = Duration::from_millis(500);
/// Its candles are told at each of so many.
const SIMULATED_CANDLES: u64 = 4;
/// Its markets that are shown to all who hear everything.
const SIMULATED_SHOWN: [&str; 6] = ["BTC/USDT", "ETH/USDT", "SOL/USDT", "BNB/USDT", "XRP/USDT", "DOGE/USDT"];

type Wants = watch::Sender<BTreeSet<Want>>;

/// Lets clients of this process join channels of markets, and tells those who run feeds which they are in.
pub fn watch(config: &Config, parts: &wire::Parts, app: &Arc<App>, tasks: &Tasks) {
    markets::offer(app);
    indicators::offer(&config.fred, app);
    tasks.spawn("market-wants", wants::tell(app.hub.clone(), parts.bus.clone(), tasks.stopping()));
}

/// Runs feeds in this process: all that are wanted, or on a shared database this process's share of them. `holder`
/// names it as no other that ever was.
pub fn start(config: &Config, parts: &wire::Parts, app: &Arc<App>, holder: String, tasks: &Tasks) {
    markets::offer(app);
    let board = Board::new(app.hub.clone(), app.clock.clone());
    tasks.spawn("market-board", board.clone().run(tasks.stopping()));
    let (wanted, shares) = watch::channel(BTreeSet::new());
    let leases: Option<Arc<dyn LeaseStore>> = parts.database.shared_leases();
    let held = match leases {
        Some(leases) => shares::start(leases, GROUP, holder, shares, tasks),
        None => shares,
    };
    let simulated = (config.market.source == Source::Simulated)
        .then(|| Arc::new(Walk::new(config.market.simulated_seed)) as Arc<dyn PaperPrices>);
    let streams = Streams {
        network: app.wallets.network().to_owned(),
        configured: configured(config),
        bus: parts.bus.clone(),
        clock: parts.clock.clone(),
        entropy: parts.entropy.clone(),
        exchanges: parts.exchanges.clone(),
        options: config.venues.options.clone(),
        board,
        wanted,
        held,
        feeds: HashMap::new(),
        simulated,
        paper: None,
        heard: wants::Heard::default(),
        arranged: Arrangement::default(),
        tasks: tasks.clone(),
    };
    tasks.spawn("streams", streams.run());
}

/// Markets that are streamed in any case, as `(exchange, symbol)`; in the demo, those of the simulated exchange too.
fn configured(config: &Config) -> Vec<(String, String)> {
    let venues = config.venues.markets.iter();
    let mut all: Vec<(String, String)> = venues
        .flat_map(|(venue, symbols)| symbols.iter().map(|symbol| (venue.id().to_owned(), symbol.clone())))
        .collect();
    if config.market.source == Source::Simulated {
        all.extend(SIMULATED_SHOWN.map(|symbol| (PAPER.to_owned(), symbol.to_owned())));
    }
    all
}

struct Streams {
    network: String,
    configured: Vec<(String, String)>,
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    exchanges: Arc<NetExchanges>,
    options: VenueOptions,
    board: Arc<Board>,
    wanted: watch::Sender<BTreeSet<String>>,
    held: watch::Receiver<BTreeSet<String>>,
    feeds: HashMap<Venue, Wants>,
    /// Prices of the simulated exchange, where there is one.
    simulated: Option<Arc<dyn PaperPrices>>,
    paper: Option<Wants>,
    heard: wants::Heard,
    arranged: Arrangement,
    tasks: Tasks,
}

impl Streams {
    async fn run(mut self) {
        let stopping = self.tasks.stopping();
        let (ears, mut messages) = mpsc::channel(HEARD_MAX);
        self.tasks.spawn("market-ears", listen(self.bus.clone(), ears, self.tasks.stopping()));
        let mut tick = tokio::time::interval(LOOK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let news = tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => {
                    self.heard.forget(Instant::now());
                    true
                }
                Ok(()) = self.held.changed() => true,
                Some(message) = messages.recv() => self.heard.hear(&message, Instant::now()),
            };
            if news {
                self.arrange();
            }
        }
    }

    /// Does what follows from what is wanted and held now.
    fn arrange(&mut self) {
        let names = self.heard.names(Instant::now());
        let arranged = Arrangement::new(&self.network, &self.configured, names);
        if arranged.targets != self.arranged.targets {
            self.board.carry(arranged.targets.clone());
        }
        let shares = arranged.shares();
        self.wanted.send_if_modified(|wanted| {
            let changed = *wanted != shares;
            *wanted = shares;
            changed
        });
        self.arranged = arranged;
        let held = self.held.borrow_and_update().clone();
        let mut streamed = 0;
        for venue in Venue::ALL {
            let wants = self.arranged.of(venue.id(), &held);
            streamed += wants.len();
            match self.feeds.get(&venue) {
                Some(feed) => hand(feed, wants),
                None if wants.is_empty() => {}
                None => match self.feed(venue, wants) {
                    Ok(feed) => drop(self.feeds.insert(venue, feed)),
                    Err(error) => tracing::error!(%venue, %error, "no feed could be made"),
                },
            }
        }
        if let Some(prices) = &self.simulated {
            let wants = self.arranged.of(PAPER, &held);
            let paper = self.paper.get_or_insert_with(|| {
                let (wants, read) = watch::channel(BTreeSet::new());
                let source = SimulatedMarkets::new(prices.clone());
                let simulated = simulate(source, self.board.clone(), self.clock.clone(), read, self.tasks.stopping());
                self.tasks.spawn("simulated-markets", simulated);
                wants
            });
            hand(paper, wants);
        }
        metrics::gauge!("market_streams").set(streamed as f64);
    }

    /// Starts an exchange's feed. It stays, and costs nothing while nothing is wanted of it.
    fn feed(&self, venue: Venue, wants: BTreeSet<Want>) -> Result<Wants, OpenError> {
        let clock = self.exchanges.clock(venue)?;
        let exchange = self.exchanges.open(venue, None).map_err(|_| OpenError::Proxy(venue))?;
        let bases = self.options.get(&venue).map(|options| options.bases.clone()).unwrap_or_default();
        let options = FeedOptions { bases, ..FeedOptions::default() };
        let feed = Feed::new(exchange, options, clock, self.entropy.clone(), self.board.clone());
        let (sender, read) = watch::channel(wants);
        let stopping = self.tasks.stopping();
        self.tasks.spawn("feed", async move { feed.run(read, stopping).await });
        let agree = agree(self.exchanges.clone(), venue, self.tasks.stopping());
        self.tasks.spawn("venue-clock", agree);
        Ok(sender)
    }
}

fn hand(feed: &Wants, wants: BTreeSet<Want>) {
    feed.send_if_modified(|before| {
        let changed = *before != wants;
        *before = wants;
        changed
    });
}

/// Hands on what the bus says of markets. What is missed is told again within ten seconds.
async fn listen(bus: Arc<dyn Bus>, ears: mpsc::Sender<Bytes>, stopping: CancellationToken) {
    let hear = async {
        loop {
            let mut listening = match bus.listen(wants::TOPIC).await {
                Ok(listening) => listening,
                Err(error) => {
                    tracing::warn!(%error, "which markets are watched cannot be heard; trying again");
                    tokio::time::sleep(LISTEN_WAIT).await;
                    continue;
                }
            };
            loop {
                if let Heard::Message(message) = listening.next().await
                    && ears.send(message).await.is_err()
                {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = stopping.cancelled() => {}
        () = hear => {}
    }
}

/// Keeps the clock of an exchange, by which ages are told, and its markets.
async fn agree(exchanges: Arc<NetExchanges>, venue: Venue, stopping: CancellationToken) {
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            agreed = exchanges.synchronise(venue) => {
                if let Err(error) = agreed {
                    tracing::debug!(%venue, %error, "the exchange's clock is not known");
                }
            }
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = renew_markets(&exchanges, venue) => {}
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(CLOCK_PERIOD) => {}
        }
    }
}

/// Fetches markets anew that are old, so that new ones can be streamed.
async fn renew_markets(exchanges: &NetExchanges, venue: Venue) {
    let Ok(nobody) = exchanges.open(venue, None) else { return };
    if nobody.markets_age().is_some_and(|age| age >= MARKETS_MAX_AGE)
        && let Err(error) = nobody.reload_markets().await
    {
        tracing::warn!(%venue, class = %error.class(), "markets could not be fetched anew");
    }
}

/// Tells what is wanted of the simulated exchange.
async fn simulate(
    source: SimulatedMarkets,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    wants: watch::Receiver<BTreeSet<Want>>,
    stopping: CancellationToken,
) {
    let mut tick = tokio::time::interval(SIMULATED_PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut since: BTreeMap<Want, orrery_kernel::Timestamp> = BTreeMap::new();
    let mut turn = 0_u64;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        let (now, wanted) = (clock.now(), wants.borrow().clone());
        since.retain(|want, _| wanted.contains(want));
        for want in wanted {
            let first = !since.contains_key(&want);
            if matches!(want.what, What::Candles(_)) && !first && !turn.is_multiple_of(SIMULATED_CANDLES) {
                continue;
            }
            // who begins is told what was traded in the last minute
            let from = since.insert(want.clone(), now);
            let from = from.unwrap_or(orrery_kernel::Timestamp::from_millis(now.millis() - 60_000));
            if let Some(heard) = source.heard(&want, from, now) {
                board.heard(PAPER, &want.symbol, heard, Some(0));
            }
        }
        turn = turn.wrapping_add(1);
    }
}
