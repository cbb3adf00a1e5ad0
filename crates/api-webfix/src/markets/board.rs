//! What is told of markets: the newest of each topic, at most ten times a second.
//!
//! Feeds do not wait: what they say replaces what was said before and not told yet; only trades are added up. One task
//! tells.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use orrery_app::hub::{Hub, Publish};
use orrery_kernel::Clock;
use orrery_venues::stream::{Heard, Sink, Want, What};
use orrery_venues::unified::Trade;
use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::shapes::{self, Of};
use super::topic::Topic;

/// Least time between two tellings of a topic; the first is told at once.
const EVERY: Duration = Duration::from_millis(100);
/// Trades that are told each time, the new ones among them, so that a reader who misses one telling misses no trade.
const TRADES_TOLD: usize = 50;
/// Trades that wait to be told; beyond, the oldest are passed over and counted.
const TRADES_WAITING_MAX: usize = 500;
/// Tellings that are under way at a time.
const AT_ONCE: usize = 32;

/// Where a topic is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The hub's channel.
    pub channel: Arc<str>,
    /// The name that clients see.
    pub name: Arc<str>,
}

/// What is told, and where. What is not in it is not kept either.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets(BTreeMap<Topic, Vec<Target>>);

impl Targets {
    /// Tells a topic on the channel of this name.
    pub fn add_own(&mut self, topic: Topic, name: &str) {
        let name: Arc<str> = name.into();
        self.add(topic, Target { channel: name.clone(), name });
    }

    /// Tells a topic under all its names to everybody who hears `group`.
    pub fn add_to_group(&mut self, topic: &Topic, network: &str, group: &str) {
        let channel: Arc<str> = format!("{network}.{group}").into();
        for name in topic.names(network) {
            self.add(topic.clone(), Target { channel: channel.clone(), name: name.into() });
        }
    }

    fn add(&mut self, topic: Topic, target: Target) {
        let targets = self.0.entry(topic).or_default();
        if let Err(place) = targets.binary_search(&target) {
            targets.insert(place, target);
        }
    }
}

/// A topic: where it is told, and what.
#[derive(Default)]
struct State {
    targets: Vec<Target>,
    /// Targets that were not told what the others know.
    behind: Vec<Target>,
    waiting: Option<(Heard, i64)>,
    trades: VecDeque<Trade>,
    untold: usize,
    told_at: Option<Instant>,
    told: Option<Arc<RawValue>>,
    /// It is in the queue.
    queued: bool,
}

#[derive(Default)]
struct Inner {
    topics: BTreeMap<Topic, State>,
    /// Topics that something is to be told of, each once.
    queue: VecDeque<Topic>,
}

/// Something to tell, as it was heard or as it was told to others.
enum Words {
    Heard(Box<Heard>, i64),
    Told(Arc<RawValue>),
}

struct Telling {
    topic: Topic,
    words: Words,
    targets: Vec<Target>,
}

/// Takes what feeds hear and tells it.
pub struct Board {
    hub: Arc<Hub>,
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
    wake: Notify,
}

impl Board {
    /// A board that tells nothing yet; [`Self::run`] is its task.
    pub fn new(hub: Arc<Hub>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { hub, clock, inner: Mutex::default(), wake: Notify::new() })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // every change is whole before the next begins
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells these from now on; a target that is new gets what the others know.
    pub fn carry(&self, Targets(targets): Targets) {
        let mut inner = self.inner();
        let mut before = std::mem::take(&mut inner.topics);
        for (topic, targets) in targets {
            let mut state = before.remove(&topic).unwrap_or_default();
            let new = targets.iter().filter(|target| state.told.is_some() && !state.targets.contains(target));
            let new: Vec<Target> = new.cloned().collect();
            state.behind.retain(|target| targets.contains(target));
            state.behind.extend(new);
            state.targets = targets;
            if !state.behind.is_empty() && !state.queued {
                state.queued = true;
                inner.queue.push_back(topic.clone());
            }
            inner.topics.insert(topic, state);
        }
        drop(inner);
        self.wake.notify_one();
    }

    /// Tells what is to be told until `stopping`.
    pub async fn run(self: Arc<Self>, stopping: CancellationToken) {
        loop {
            let (tellings, next) = self.due(Instant::now());
            let tell = |telling: Telling| self.tell(telling);
            futures_util::stream::iter(tellings).for_each_concurrent(AT_ONCE, tell).await;
            let later = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stopping.cancelled() => return,
                () = later => {}
                () = self.wake.notified() => {}
            }
        }
    }

    /// What is to be told now, and when there is more, if that is known.
    fn due(&self, now: Instant) -> (Vec<Telling>, Option<Instant>) {
        let (mut tellings, mut next) = (Vec::new(), None::<Instant>);
        let mut guard = self.inner();
        let Inner { topics, queue } = &mut *guard;
        for topic in std::mem::take(queue) {
            let Some(state) = topics.get_mut(&topic) else { continue };
            if let Some(told) = &state.told
                && !state.behind.is_empty()
            {
                let (words, targets) = (Words::Told(told.clone()), std::mem::take(&mut state.behind));
                tellings.push(Telling { topic: topic.clone(), words, targets });
            }
            let due = state.told_at.map_or(now, |told| told + EVERY);
            if state.waiting.is_some() && due > now {
                next = Some(next.map_or(due, |next| next.min(due)));
                queue.push_back(topic);
                continue;
            }
            state.queued = false;
            if let Some((heard, latency)) = state.take() {
                state.told_at = Some(now);
                tellings.push(Telling {
                    topic,
                    words: Words::Heard(Box::new(heard), latency),
                    targets: state.targets.clone(),
                });
            }
        }
        (tellings, next)
    }

    async fn tell(&self, Telling { topic, words, targets }: Telling) {
        let raw = match words {
            Words::Told(raw) => raw,
            Words::Heard(heard, latency) => {
                let Some(raw) = write(&topic, &heard, self.clock.now().millis(), latency) else { return };
                let raw: Arc<RawValue> = raw.into();
                if let Some(state) = self.inner().topics.get_mut(&topic) {
                    state.told = Some(raw.clone());
                }
                raw
            }
        };
        for Target { channel, name } in &targets {
            let message = Publish { channel, content: &raw, key: Some(name), sequence: None };
            if let Err(error) = self.hub.publish_own(&message, None).await {
                metrics::counter!("market_tellings_lost_total").increment(1);
                tracing::debug!(%error, %name, "not told");
            }
        }
    }
}

fn write(topic: &Topic, heard: &Heard, now: i64, latency: i64) -> Option<Box<RawValue>> {
    let of = Of { exchange: &topic.exchange, symbol: &topic.want.symbol };
    match heard {
        Heard::Ticker(ticker) => shapes::ticker(of, ticker, now, latency),
        Heard::Book(book) => shapes::book(of, book, now, latency),
        Heard::Trades(trades) => shapes::trades(of, trades, now),
        Heard::Candles(timeframe, candles) => shapes::candles(of, timeframe, candles),
    }
}

impl State {
    /// What waits, with the trades that are told.
    fn take(&mut self) -> Option<(Heard, i64)> {
        let (heard, latency) = self.waiting.take()?;
        if !matches!(heard, Heard::Trades(_)) {
            return Some((heard, latency));
        }
        let told = Heard::Trades(self.trades.iter().cloned().collect());
        let beyond = self.trades.len().saturating_sub(TRADES_TOLD);
        self.trades.drain(..beyond);
        self.untold = 0;
        Some((told, latency))
    }

    fn hear(&mut self, heard: Heard, latency: i64) {
        let Heard::Trades(new) = heard else {
            self.waiting = Some((heard, latency));
            return;
        };
        self.untold += new.len();
        self.trades.extend(new);
        let lost = self.untold.saturating_sub(TRADES_WAITING_MAX);
        if lost > 0 {
            metrics::counter!("market_trades_passed_over_total").increment(lost as u64);
            self.untold = TRADES_WAITING_MAX;
        }
        let keep = self.untold.max(TRADES_TOLD);
        let beyond = self.trades.len().saturating_sub(keep);
        self.trades.drain(..beyond);
        self.waiting = Some((Heard::Trades(Vec::new()), latency));
    }
}

impl Sink for Board {
    fn heard(&self, exchange: &str, symbol: &str, heard: Heard, latency: Option<i64>) {
        let what = match &heard {
            Heard::Ticker(_) => What::Ticker,
            Heard::Book(_) => What::Book,
            Heard::Trades(_) => What::Trades,
            Heard::Candles(timeframe, _) => What::Candles(timeframe.clone()),
        };
        let topic = Topic { exchange: exchange.to_owned(), want: Want { symbol: symbol.to_owned(), what } };
        let mut guard = self.inner();
        let Inner { topics, queue } = &mut *guard;
        // what nobody wants any more may still come for a moment
        let Some(state) = topics.get_mut(&topic) else { return };
        // clocks differ: less than nothing is nothing
        state.hear(heard, latency.unwrap_or_default().max(0));
        if !state.queued {
            state.queued = true;
            queue.push_back(topic);
            drop(guard);
            self.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
