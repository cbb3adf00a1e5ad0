//! One connection of a feed, and what it carries.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use orrery_venues::stream::{Event, Heard, Heartbeat, Subscription, Want, What};
use orrery_venues::unified::{Candle, Markets, Ticker, Trade};
use orrery_venues::{ErrorClass, VenueError};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::books::{Books, Need};
use super::polled::Polled;
use super::{Feed, Order, no_stream, topic, watched};
use crate::socket::{Socket, SocketError};

/// Longest wait before a connection is made anew.
const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(60);
/// A connection that held for so long is a good one: the next wait is the first again.
const GOOD_AFTER: Duration = Duration::from_secs(60);
/// Pause between two frames that subscribe: exchanges take five to ten a second.
const FRAME_PAUSE: Duration = Duration::from_millis(120);
/// How long the exchange is not asked again for what it refused to tell.
const REFUSED_WAIT: Duration = Duration::from_secs(600);
/// Questions over HTTP at a time.
const QUESTIONS_MAX: usize = 4;

/// What is heard of a want: by a stream, or by asking.
enum Way {
    Stream(Subscription),
    Asking,
}

type Answers<'f> = FuturesUnordered<BoxFuture<'f, (Want, Result<Polled, VenueError>)>>;

pub(super) struct Line<'f> {
    feed: &'f Feed,
    ways: BTreeMap<Want, Option<Way>>,
    books: Books,
    questions: Vec<Want>,
    /// When each want that has no stream is asked for next.
    due: HashMap<Want, Instant>,
    /// The number of the connection's last message, where the exchange counts them.
    number: Option<u64>,
}

/// Why a connection ended.
enum End {
    /// There is nothing to carry any more, or the process stops.
    Over,
    /// It broke, or it is to be made anew.
    Lost(String),
}

impl<'f> Line<'f> {
    pub(super) fn new(feed: &'f Feed) -> Self {
        Self {
            feed,
            ways: BTreeMap::new(),
            books: Books::default(),
            questions: Vec::new(),
            due: HashMap::new(),
            number: None,
        }
    }

    /// Carries what it is told to, until it is told nothing more.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>, stopping: CancellationToken) {
        let venue = self.feed.venue();
        let mut wait = self.feed.options.reconnect_wait;
        loop {
            while let Ok(order) = orders.try_recv() {
                self.ordered(order);
            }
            let begun = Instant::now();
            let end = self.connected(&mut orders, &stopping).await;
            let End::Lost(why) = end else { return };
            metrics::counter!("venue_reconnects_total", "venue" => venue.id()).increment(1);
            self.books.begin_anew();
            self.number = None;
            self.ways.values_mut().for_each(|way| *way = None);
            if begun.elapsed() >= GOOD_AFTER {
                wait = self.feed.options.reconnect_wait;
            }
            let pause = self.feed.jittered(wait);
            tracing::info!(%venue, why, pause_ms = pause.as_millis(), "a stream is made anew");
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            wait = (wait * 2).min(RECONNECT_WAIT_MAX);
        }
    }

    fn ordered(&mut self, order: Order) {
        match order {
            Order::Add(want) => {
                self.ways.entry(want).or_insert(None);
            }
            Order::Drop(want) => {
                self.ways.remove(&want);
                self.due.remove(&want);
                self.books.forget(&want.symbol);
                self.feed.kept().forget(&want);
            }
        }
    }

    /// How each want that has no way yet is heard of.
    async fn find_ways(&mut self) -> Result<(), VenueError> {
        let missing: Vec<Want> =
            self.ways.iter().filter(|(_, way)| way.is_none()).map(|(want, _)| want.clone()).collect();
        for want in missing {
            let way = match self.feed.exchange.watch(topic(&want), &watched(&want)).await {
                Ok(subscription) => Way::Stream(subscription),
                Err(error) if no_stream(&error) => Way::Asking,
                Err(error) if refused(&error) => {
                    tracing::warn!(venue = %self.feed.venue(), symbol = want.symbol, %error, "cannot be watched");
                    Way::Asking
                }
                Err(error) => return Err(error),
            };
            if matches!(way, Way::Asking) {
                self.due.insert(want.clone(), Instant::now());
            } else if matches!(want.what, What::Candles(_))
                || (want.what == What::Trades && self.feed.kept().last_trade(&want.symbol).is_some())
            {
                // candles begin with what was before; of trades, what was missed
                self.questions.push(want.clone());
            }
            self.ways.insert(want, Some(way));
        }
        Ok(())
    }

    /// Frames of the wants of these, one for each.
    fn frames(&self, wants: &[Want]) -> Vec<String> {
        let frame = |want: &Want| match self.ways.get(want)?.as_ref()? {
            Way::Stream(subscription) => subscription.subscribe.clone(),
            Way::Asking => None,
        };
        wants.iter().filter_map(frame).collect()
    }

    /// These frames, or one of everything where it takes the place of those before it.
    fn frames_for(&self, frames: Vec<String>) -> Vec<String> {
        let all = self.all_frames();
        if self.feed.venue().joined(&all).is_some() { all } else { frames }
    }

    /// Frames of everything that is wanted; one, where the exchange takes them so.
    fn all_frames(&self) -> Vec<String> {
        let wants: Vec<Want> = self.ways.keys().cloned().collect();
        let frames = self.frames(&wants);
        match self.feed.venue().joined(&frames) {
            Some(joined) => vec![joined],
            None => frames,
        }
    }

    fn address(&self) -> Option<String> {
        self.ways.values().flatten().find_map(|way| match way {
            Way::Stream(subscription) => Some(subscription.url.clone()),
            Way::Asking => None,
        })
    }

    async fn connected(&mut self, orders: &mut mpsc::Receiver<Order>, stopping: &CancellationToken) -> End {
        let markets = match self.feed.exchange.load_markets().await {
            Ok(markets) => markets,
            Err(error) => return End::Lost(error.to_string()),
        };
        if let Err(error) = self.find_ways().await {
            return End::Lost(error.to_string());
        }
        let url = self.address();
        let mut socket = None;
        if let Some(url) = &url {
            match Socket::connect(&self.feed.options.bases.stream(url)).await {
                Ok(connected) => socket = Some(connected),
                Err(error) => return End::Lost(error.to_string()),
            }
        }
        let url = url.unwrap_or_default();
        let frames = self.all_frames();
        let ended = self.carry(&mut socket, &url, markets, frames, orders, stopping).await;
        if let Some(socket) = socket.filter(|_| matches!(ended, End::Over)) {
            socket.close().await;
        }
        ended
    }

    async fn carry(
        &mut self,
        socket: &mut Option<Socket>,
        url: &str,
        mut markets: Arc<Markets>,
        mut frames: Vec<String>,
        orders: &mut mpsc::Receiver<Order>,
        stopping: &CancellationToken,
    ) -> End {
        let Heartbeat { every, ping, silence } = self.feed.venue().heartbeat(url);
        let mut pings = interval(every.max(Duration::from_secs(1)));
        let mut flush = interval(self.feed.options.book_every.max(Duration::from_millis(10)));
        let mut pace = interval(FRAME_PAUSE);
        for ticks in [&mut pings, &mut flush, &mut pace] {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        frames.reverse();
        let mut answers: Answers<'f> = FuturesUnordered::new();
        let mut heard_at = Instant::now();
        let mut leave: Option<Instant> = None;
        loop {
            let quiet = heard_at + silence;
            self.ask(&mut answers);
            tokio::select! {
                () = stopping.cancelled() => return End::Over,
                order = orders.recv() => {
                    let Some(order) = order else { return End::Over };
                    // it may be of a market that there was not when the connection began
                    markets = self.feed.exchange.known_markets().unwrap_or(markets);
                    if let Some(more) = self.reordered(order, socket.is_some()).await {
                        match more {
                            Ok(more) => frames.splice(0..0, more).for_each(drop),
                            Err(end) => return end,
                        }
                    }
                }
                message = receive(socket) => match message {
                    Ok(text) => {
                        heard_at = Instant::now();
                        if let Some(text) = text
                            && let Err(end) = self.message(&text, url, &markets, socket, &mut frames, &mut leave).await
                        {
                            return end;
                        }
                    }
                    Err(error) => return End::Lost(error.to_string()),
                },
                _ = pace.tick(), if !frames.is_empty() => {
                    if let (Some(frame), Some(socket)) = (frames.pop(), socket.as_mut())
                        && let Err(error) = socket.send(&frame).await
                    {
                        return End::Lost(error.to_string());
                    }
                }
                _ = pings.tick() => if let Some(socket) = socket.as_mut() {
                    let sent = match &ping {
                        Some(ping) => socket.send(ping).await,
                        None => socket.ping().await,
                    };
                    if let Err(error) = sent {
                        return End::Lost(error.to_string());
                    }
                },
                _ = flush.tick() => self.flush(),
                Some((want, answer)) = answers.next() => self.answered(&want, answer),
                () = tokio::time::sleep_until(quiet), if socket.is_some() => {
                    return End::Lost("nothing was heard for too long".to_owned());
                }
                () = until(leave) => return End::Lost("the exchange wants a new connection".to_owned()),
            }
        }
    }

    /// Takes a word of the feed's; the frames that follow from it.
    async fn reordered(&mut self, order: Order, open: bool) -> Option<Result<Vec<String>, End>> {
        let dropped = match &order {
            Order::Drop(want) => match self.ways.get(want) {
                Some(Some(Way::Stream(subscription))) => subscription.unsubscribe(),
                _ => None,
            },
            Order::Add(_) => None,
        };
        let added = match &order {
            Order::Add(want) => Some(want.clone()),
            Order::Drop(_) => None,
        };
        self.ordered(order);
        if let Some(want) = added {
            if let Err(error) = self.find_ways().await {
                return Some(Err(End::Lost(error.to_string())));
            }
            let streamed = matches!(self.ways.get(&want), Some(Some(Way::Stream(_))));
            if streamed && !open {
                return Some(Err(End::Lost("there is a first stream".to_owned())));
            }
            return Some(Ok(self.frames_for(self.frames(&[want]))));
        }
        match dropped {
            Some(frame) => Some(Ok(vec![frame])),
            None => Some(Ok(self.frames_for(Vec::new()))),
        }
    }

    async fn message(
        &mut self,
        text: &str,
        url: &str,
        markets: &Markets,
        socket: &mut Option<Socket>,
        frames: &mut Vec<String>,
        leave: &mut Option<Instant>,
    ) -> Result<(), End> {
        let venue = self.feed.venue();
        metrics::counter!("venue_messages_total", "venue" => venue.id()).increment(1);
        if let Some(number) = venue.number(text) {
            self.counted(number, frames)?;
        }
        for event in venue.heard(url, text, markets) {
            match event {
                Event::Ticker(ticker) => self.ticker(ticker),
                Event::BidAsk(_) => {}
                Event::Trades(trades) => {
                    let mut by_market: BTreeMap<String, Vec<_>> = BTreeMap::new();
                    for trade in trades {
                        by_market.entry(trade.symbol.clone().unwrap_or_default()).or_default().push(trade);
                    }
                    by_market.into_iter().for_each(|(symbol, trades)| self.trades(&symbol, trades));
                }
                Event::Candles { symbol, timeframe, candles } => self.candles(&symbol, &timeframe, &candles),
                Event::Book(delta) => {
                    let need = self.books.take(venue, &delta, markets, Instant::now());
                    let want = Want { symbol: delta.symbol, what: What::Book };
                    match need {
                        Need::Nothing => {}
                        Need::Snapshot => self.questions.push(want),
                        Need::Subscription => self.resubscribe(&want, frames)?,
                    }
                }
                Event::Ping(answer) => {
                    if let Some(socket) = socket.as_mut() {
                        socket.send(&answer).await.map_err(|error| End::Lost(error.to_string()))?;
                    }
                }
                Event::Leave(after) => *leave = Some(Instant::now() + after),
                Event::Refused(error) => tracing::warn!(%venue, %error, "the exchange refused something"),
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes a message's number. If any are missing, nobody knows what they said: books are begun anew, and what was
    /// traded is asked for.
    fn counted(&mut self, number: u64, frames: &mut Vec<String>) -> Result<(), End> {
        let last = self.number.replace(number);
        if last.is_none_or(|last| number <= last.saturating_add(1)) {
            return Ok(());
        }
        let venue = self.feed.venue();
        metrics::counter!("venue_book_resyncs_total", "venue" => venue.id(), "why" => "gap").increment(1);
        tracing::debug!(%venue, number, ?last, "messages are missing");
        self.books.begin_anew();
        for want in self.ways.keys().cloned().collect::<Vec<_>>() {
            match want.what {
                What::Book => self.resubscribe(&want, frames)?,
                What::Trades => self.questions.push(want),
                What::Ticker | What::Candles(_) => {}
            }
        }
        Ok(())
    }

    /// Takes a book's stream back and asks for it again; where that cannot be, the connection is made anew.
    fn resubscribe(&self, want: &Want, frames: &mut Vec<String>) -> Result<(), End> {
        let way = self.ways.get(want).and_then(Option::as_ref);
        let Some(Way::Stream(subscription)) = way else { return Ok(()) };
        match (subscription.unsubscribe(), &subscription.subscribe) {
            (Some(_), Some(subscribe)) if frames.contains(subscribe) => Ok(()),
            (Some(unsubscribe), Some(subscribe)) => {
                // the last of them goes out first
                frames.push(subscribe.clone());
                frames.push(unsubscribe);
                Ok(())
            }
            _ => Err(End::Lost("a book is to be begun anew".to_owned())),
        }
    }

    fn wanted(&self, symbol: &str, what: &What) -> bool {
        self.ways.contains_key(&Want { symbol: symbol.to_owned(), what: what.clone() })
    }

    fn ticker(&mut self, ticker: Ticker) {
        let Some(symbol) = ticker.symbol.clone().filter(|symbol| self.wanted(symbol, &What::Ticker)) else { return };
        let whole = self.feed.kept().ticker(&symbol, ticker);
        let time = whole.time.0;
        self.feed.tell(&symbol, Heard::Ticker(whole), time);
    }

    fn trades(&mut self, symbol: &str, trades: Vec<Trade>) {
        if !self.wanted(symbol, &What::Trades) {
            return;
        }
        let untold = self.feed.kept().untold(symbol, trades);
        if let Some(last) = untold.last() {
            let time = last.time.0;
            self.feed.tell(symbol, Heard::Trades(untold), time);
        }
    }

    fn candles(&mut self, symbol: &str, timeframe: &str, candles: &[Candle]) {
        if self.wanted(symbol, &What::Candles(timeframe.to_owned())) {
            let kept = self.feed.kept().candles(symbol, timeframe, candles, self.feed.options.candles);
            self.feed.tell(symbol, Heard::Candles(timeframe.to_owned(), kept), None);
        }
    }

    /// Tells the books that changed.
    fn flush(&mut self) {
        for (symbol, book) in self.books.changed(self.feed.options.depth) {
            let (time, best) = (book.time, (book.bids.first().copied(), book.asks.first().copied()));
            self.feed.tell(&symbol, Heard::Book(book), time.0);
            let ticker = self.feed.kept().best(&symbol, best, time);
            if let Some(ticker) = ticker {
                self.feed.tell(&symbol, Heard::Ticker(ticker), time.0);
            }
        }
        let now = Instant::now();
        let overdue = self.books.overdue(now);
        self.questions.extend(overdue.into_iter().map(|symbol| Want { symbol, what: What::Book }));
        let every = self.feed.options.poll_every;
        for (want, due) in &mut self.due {
            if *due <= now && !self.questions.contains(want) {
                *due = now + every;
                self.questions.push(want.clone());
            }
        }
    }

    /// Asks what is to be asked, a few at a time.
    fn ask(&mut self, answers: &mut Answers<'f>) {
        while answers.len() < QUESTIONS_MAX {
            let Some(want) = self.questions.pop() else { return };
            let since = self.feed.kept().last_trade(&want.symbol);
            let feed = self.feed;
            answers.push(Box::pin(async move {
                let answer = feed.poll(&want, since).await;
                (want, answer)
            }));
        }
    }

    fn answered(&mut self, want: &Want, answer: Result<Polled, VenueError>) {
        let streamed = matches!(self.ways.get(want), Some(Some(Way::Stream(_))));
        match answer {
            Ok(Polled::Book(book)) if streamed => self.books.begin(&want.symbol, Some(&book)),
            Ok(Polled::Book(book)) => {
                let time = book.time.0;
                self.feed.tell(&want.symbol, Heard::Book(book), time);
            }
            Ok(Polled::Ticker(ticker)) => self.ticker(*ticker),
            Ok(Polled::Trades(trades)) => self.trades(&want.symbol, trades),
            Ok(Polled::Candles(candles)) => {
                if let What::Candles(timeframe) = &want.what {
                    self.candles(&want.symbol, timeframe, &candles);
                }
            }
            Err(error) => {
                tracing::debug!(venue = %self.feed.venue(), symbol = want.symbol, %error, "a question was not answered");
                if want.what == What::Book {
                    self.books.begin(&want.symbol, None);
                }
                if let Some(due) = self.due.get_mut(want).filter(|_| refused(&error)) {
                    *due = Instant::now() + REFUSED_WAIT;
                }
            }
        }
    }
}

/// Whether the exchange understood and does not want to, so that asking again soon is of no use.
fn refused(error: &VenueError) -> bool {
    error.class().is_a(ErrorClass::ExchangeError)
}

/// The next message; without a connection, never.
async fn receive(socket: &mut Option<Socket>) -> Result<Option<String>, SocketError> {
    match socket {
        Some(socket) => socket.receive().await,
        None => std::future::pending().await,
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
