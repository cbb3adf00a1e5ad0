//! Market data of one exchange, for as long as somebody wants it: connections that come back, books that are whole,
//! and what was missed while a connection was away.

mod books;
mod kept;
mod line;
mod polled;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use orrery_kernel::{Clock, Entropy};
use orrery_venues::stream::{Heard, Sink, Topic, Want, Watched, What};
use orrery_venues::{ErrorClass, Exchange, Venue, VenueError};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::kept::Kept;
use crate::Bases;

/// Most streams of one connection; beyond, another is made. No exchange allows fewer.
const STREAMS_MAX: usize = 100;
/// Most wants of one feed; beyond, those that come last by name are left out, and the log says so.
const WANTS_MAX: usize = 2_000;
/// Orders to a line that it has not read yet.
const ORDERS_MAX: usize = 64;
/// Before a line is told of more than that.
const ORDERS_WAIT: Duration = Duration::from_millis(20);
/// How long a feed waits before it asks for markets again.
const MARKETS_WAIT: Duration = Duration::from_secs(10);

/// What an exchange is told to send.
fn topic(want: &Want) -> Topic {
    match want.what {
        What::Ticker => Topic::Ticker,
        What::Book => Topic::OrderBook,
        What::Trades => Topic::Trades,
        What::Candles(_) => Topic::Ohlcv,
    }
}

fn watched(want: &Want) -> Watched {
    let timeframe = match &want.what {
        What::Candles(timeframe) => timeframe.clone(),
        _ => String::new(),
    };
    Watched { symbol: Some(want.symbol.clone()), timeframe, ..Watched::default() }
}

/// How a feed goes about it.
#[derive(Debug, Clone)]
pub struct FeedOptions {
    /// Other bases than the exchange's own.
    pub bases: Bases,
    /// How often a book that changed is told.
    pub book_every: Duration,
    /// How many levels of a book are told.
    pub depth: usize,
    /// How many candles are told.
    pub candles: usize,
    /// How often what the exchange has no stream of is asked for.
    pub poll_every: Duration,
    /// The first wait before a connection is made anew; later ones double, up to a minute.
    pub reconnect_wait: Duration,
}

impl Default for FeedOptions {
    fn default() -> Self {
        Self {
            bases: Bases::default(),
            book_every: Duration::from_millis(100),
            depth: 50,
            candles: 200,
            poll_every: Duration::from_secs(5),
            reconnect_wait: Duration::from_millis(500),
        }
    }
}

/// A feed of one exchange.
pub struct Feed {
    exchange: Arc<Exchange>,
    options: FeedOptions,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    sink: Arc<dyn Sink>,
    /// Lines of one feed take from each other: a ticker its best prices from the book.
    kept: Mutex<Kept>,
}

/// What a line is told.
enum Order {
    Add(Want),
    Drop(Want),
}

/// A connection that runs: what it carries, and how it is told of more.
struct Running {
    wants: BTreeSet<Want>,
    orders: mpsc::Sender<Order>,
}

type Lines<'f> = FuturesUnordered<BoxFuture<'f, usize>>;

impl Feed {
    /// A feed of an exchange that is asked as nobody.
    pub fn new(
        exchange: Arc<Exchange>,
        options: FeedOptions,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        sink: Arc<dyn Sink>,
    ) -> Self {
        Self { exchange, options, clock, entropy, sink, kept: Mutex::default() }
    }

    fn venue(&self) -> Venue {
        self.exchange.venue()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How old something is, by the exchange's clock.
    fn latency(&self, time: Option<i64>) -> Option<i64> {
        time.map(|time| self.clock.now().millis() - time)
    }

    fn tell(&self, symbol: &str, heard: Heard, time: Option<i64>) {
        let latency = self.latency(time);
        if let Some(latency) = latency {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of a delay")]
            let seconds = latency.max(0) as f64 / 1_000.0;
            metrics::histogram!("venue_latency_seconds", "venue" => self.venue().id()).record(seconds);
        }
        self.sink.heard(self.venue().id(), symbol, heard, latency);
    }

    /// Between half of `wait` and all of it.
    fn jittered(&self, wait: Duration) -> Duration {
        let mut bits = [0; 2];
        self.entropy.fill(&mut bits);
        wait / 2 + wait / 2 * u32::from(u16::from_le_bytes(bits)) / u32::from(u16::MAX)
    }

    /// Hears what is wanted until it is to stop.
    pub async fn run(&self, mut wants: watch::Receiver<BTreeSet<Want>>, stopping: CancellationToken) {
        let mut running: BTreeMap<usize, Running> = BTreeMap::new();
        let mut lines: Lines<'_> = FuturesUnordered::new();
        let mut next = 0;
        while !stopping.is_cancelled() {
            let mut wanted = self.bounded(&wants.borrow_and_update());
            if !wanted.is_empty() && !self.knows_markets(&stopping).await {
                continue;
            }
            self.leave_out_unknown(&mut wanted);
            let left = self.arrange(&wanted, &mut running, &mut lines, &mut next, &stopping);
            tokio::select! {
                () = stopping.cancelled() => break,
                changed = wants.changed() => if changed.is_err() { break },
                Some(ended) = lines.next() => { running.remove(&ended); }
                // lines take their orders only while they are polled here
                () = tokio::time::sleep(ORDERS_WAIT), if left => {}
            }
        }
        running.clear();
        while lines.next().await.is_some() {}
    }

    fn bounded(&self, wants: &BTreeSet<Want>) -> BTreeSet<Want> {
        if wants.len() > WANTS_MAX {
            tracing::warn!(venue = %self.venue(), wanted = wants.len(), WANTS_MAX, "more is wanted than one feed carries");
        }
        wants.iter().take(WANTS_MAX).cloned().collect()
    }

    /// What the exchange has no market for is not asked for: anybody may want anything.
    fn leave_out_unknown(&self, wanted: &mut BTreeSet<Want>) {
        let Some(markets) = self.exchange.known_markets() else { return };
        wanted.retain(|want| {
            let known = markets.of(&want.symbol).is_ok();
            if !known {
                tracing::debug!(venue = %self.venue(), symbol = want.symbol, "there is no such market");
            }
            known
        });
    }

    /// Markets must be known before anything can be asked for.
    async fn knows_markets(&self, stopping: &CancellationToken) -> bool {
        let Err(error) = self.exchange.load_markets().await else { return true };
        tracing::warn!(venue = %self.venue(), %error, "the markets are not known; trying again");
        tokio::select! {
            () = stopping.cancelled() => {}
            () = tokio::time::sleep(self.jittered(MARKETS_WAIT)) => {}
        }
        false
    }

    /// Tells lines of what is wanted and is not any more, and makes lines for what none carries; `true` when some of it
    /// is left to be told, since a line's orders wait already. It waits for nothing: the lines would wait with it.
    fn arrange<'f>(
        &'f self,
        wanted: &BTreeSet<Want>,
        running: &mut BTreeMap<usize, Running>,
        lines: &mut Lines<'f>,
        next: &mut usize,
        stopping: &CancellationToken,
    ) -> bool {
        let mut left = false;
        for line in running.values_mut() {
            for gone in line.wants.difference(wanted).cloned().collect::<Vec<_>>() {
                match line.orders.try_send(Order::Drop(gone.clone())) {
                    Err(TrySendError::Full(_)) => left = true,
                    // a line that has ended needs no word
                    Ok(()) | Err(TrySendError::Closed(_)) => drop(line.wants.remove(&gone)),
                }
            }
        }
        running.retain(|_, line| !line.wants.is_empty());
        let carried: BTreeSet<Want> = running.values().flat_map(|line| line.wants.iter().cloned()).collect();
        // exchanges have servers of their own for contracts, and some for each kind of stream: a line carries one kind
        for want in wanted.difference(&carried) {
            let contract = want.symbol.contains(':');
            let fits = |line: &&mut Running| {
                line.wants.len() < STREAMS_MAX
                    && line
                        .wants
                        .first()
                        .is_some_and(|first| first.symbol.contains(':') == contract && topic(first) == topic(want))
            };
            if let Some(line) = running.values_mut().find(fits) {
                match line.orders.try_send(Order::Add(want.clone())) {
                    Ok(()) => {
                        line.wants.insert(want.clone());
                        continue;
                    }
                    Err(TrySendError::Full(_)) => {
                        left = true;
                        continue;
                    }
                    // it has ended
                    Err(TrySendError::Closed(_)) => {}
                }
            }
            let (orders, read) = mpsc::channel(ORDERS_MAX);
            // a line's own channel has room for the first word
            let _ = orders.try_send(Order::Add(want.clone()));
            let id = *next;
            *next += 1;
            running.insert(id, Running { wants: BTreeSet::from([want.clone()]), orders });
            let stopping = stopping.clone();
            lines.push(Box::pin(async move {
                line::Line::new(self).run(read, stopping).await;
                id
            }));
        }
        left
    }
}

/// Whether the exchange has no stream of it, so that it has to be asked for.
fn no_stream(error: &VenueError) -> bool {
    error.class() == ErrorClass::NotSupported
}
