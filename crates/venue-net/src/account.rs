//! What exchanges say of accounts as it happens: connections that log in, come back, and tell one listener.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use orrery_kernel::Entropy;
use orrery_venues::stream::{Event, Heartbeat, Listener, News, Part, Subscription, Topic, Watched};
use orrery_venues::unified::Markets;
use orrery_venues::{ErrorClass, Exchange, VenueError};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::Bases;
use crate::socket::Socket;

/// The first wait before a connection is made anew; later ones double.
const WAIT: Duration = Duration::from_secs(1);
/// Longest wait before a connection is made anew.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// Wait after the exchange refused the account.
const REFUSED_WAIT: Duration = Duration::from_secs(900);
/// A connection that held for so long is a good one: the next wait is the first again.
const GOOD_AFTER: Duration = Duration::from_secs(60);
/// Pause between two frames.
const FRAME_PAUSE: Duration = Duration::from_millis(120);
/// Time for the exchange to say that it knows whose connection it is.
const LOGIN_MAX: Duration = Duration::from_secs(10);

/// The streams of one account.
pub(crate) struct AccountStreams {
    pub exchange: Arc<Exchange>,
    pub bases: Bases,
    pub entropy: Arc<dyn Entropy>,
    pub listener: Arc<dyn Listener>,
}

/// What one connection carries.
type Carried = Vec<(Part, Topic)>;

/// Why a connection ended.
enum End {
    Lost(String),
    Refused(VenueError),
}

impl End {
    /// What the exchange understood and does not want is asked for again much later.
    fn of(error: VenueError) -> Self {
        if error.class().is_a(ErrorClass::ExchangeError) { Self::Refused(error) } else { Self::Lost(error.to_string()) }
    }
}

fn lost(error: &dyn std::fmt::Display) -> End {
    End::Lost(error.to_string())
}

/// An address without what is new each time: those that are the same then share a connection.
fn place(url: &str) -> String {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let new = ["token=", "listenKey="];
    let kept = query.split('&').filter(|pair| !new.iter().any(|name| pair.starts_with(name)));
    format!("{address}?{}", kept.collect::<Vec<_>>().join("&"))
}

impl AccountStreams {
    /// Listens for as long as this is waited for. It ends where the exchange has no stream of the account.
    pub(crate) async fn run(&self) -> VenueError {
        let mut wait = WAIT;
        let places = loop {
            match self.places().await {
                Ok(places) => break places,
                Err(error) if error.class().is_a(ErrorClass::ExchangeError) => return error,
                Err(error) => tracing::debug!(venue = %self.exchange.venue(), %error, "an account's streams"),
            }
            tokio::time::sleep(self.jittered(wait)).await;
            wait = (wait * 2).min(WAIT_MAX);
        };
        let mut lines: FuturesUnordered<_> = places.values().map(|carried| self.keep(carried)).collect();
        while lines.next().await.is_some() {}
        VenueError::new(ErrorClass::NotSupported, &format!("{} has no streams of accounts", self.exchange.venue()))
    }

    /// What there is to listen to, by connection. Parts have connections of their own: of some exchanges nothing else
    /// tells what is said of the one from what is said of the other.
    async fn places(&self) -> Result<BTreeMap<(Part, String), Carried>, VenueError> {
        let mut places: BTreeMap<_, Carried> = BTreeMap::new();
        let mut refused = None;
        for (part, topic) in self.exchange.venue().account_streams() {
            match self.watch(*part, *topic).await {
                Ok(subscription) => places.entry((*part, place(&subscription.url))).or_default().push((*part, *topic)),
                Err(error) if error.class().is_a(ErrorClass::ExchangeError) => {
                    tracing::debug!(venue = %self.exchange.venue(), ?part, ?topic, %error, "not listened to");
                    refused = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        match refused {
            Some(error) if places.is_empty() => Err(error),
            _ => Ok(places),
        }
    }

    async fn watch(&self, part: Part, topic: Topic) -> Result<Subscription, VenueError> {
        self.exchange.watch(topic, &Watched { params: part.params(topic), ..Watched::default() }).await
    }

    /// Between half of `wait` and all of it.
    fn jittered(&self, wait: Duration) -> Duration {
        let mut bits = [0; 2];
        self.entropy.fill(&mut bits);
        wait / 2 + wait / 2 * u32::from(u16::from_le_bytes(bits)) / u32::from(u16::MAX)
    }

    /// Keeps one connection.
    async fn keep(&self, carried: &Carried) {
        let venue = self.exchange.venue();
        let mut wait = WAIT;
        loop {
            let begun = Instant::now();
            let Err(end) = self.connected(carried).await;
            metrics::counter!("venue_account_reconnects_total", "venue" => venue.id()).increment(1);
            if begun.elapsed() >= GOOD_AFTER {
                wait = WAIT;
            }
            let pause = match end {
                End::Lost(why) => {
                    tracing::debug!(%venue, why, "an account's stream is made anew");
                    let longer = (wait * 2).min(WAIT_MAX);
                    std::mem::replace(&mut wait, longer)
                }
                End::Refused(error) => {
                    tracing::info!(%venue, class = %error.class(), "an account may not be listened to");
                    REFUSED_WAIT
                }
            };
            tokio::time::sleep(self.jittered(pause)).await;
        }
    }

    async fn connected(&self, carried: &Carried) -> Result<std::convert::Infallible, End> {
        let venue = self.exchange.venue();
        let markets = self.exchange.load_markets().await.map_err(End::of)?;
        let mut subscriptions = Vec::with_capacity(carried.len());
        for (part, topic) in carried {
            subscriptions.push(self.watch(*part, *topic).await.map_err(End::of)?);
        }
        let none = || End::Lost("there is nothing to listen to".to_owned());
        let first = subscriptions.first().ok_or_else(none)?;
        let part = carried.first().map_or(Part::Main, |(part, _)| *part);
        let headers = self.exchange.handshake(&first.url).map_err(End::of)?;
        let address = self.bases.stream(&first.url);
        let mut socket = Socket::connect_with(&address, &headers).await.map_err(|error| lost(&error))?;
        let mut line = Line { streams: self, part, url: &first.url, markets: &markets, leave: None, known: false };
        if let Some(login) = &first.login {
            socket.send(login).await.map_err(|error| lost(&error))?;
            line.log_in(&mut socket).await?;
        }
        let mut frames: Vec<String> = subscriptions.iter().filter_map(|one| one.subscribe.clone()).collect();
        if let Some(joined) = venue.joined(&frames) {
            frames = vec![joined];
        }
        for (number, frame) in frames.iter().enumerate() {
            if number > 0 {
                tokio::time::sleep(FRAME_PAUSE).await;
            }
            socket.send(frame).await.map_err(|error| lost(&error))?;
        }
        self.listener.heard(News::Began);
        line.carry(&mut socket).await
    }
}

/// A connection that is open.
struct Line<'l> {
    streams: &'l AccountStreams,
    part: Part,
    url: &'l str,
    markets: &'l Markets,
    leave: Option<Instant>,
    /// The exchange knows whose connection it is.
    known: bool,
}

impl Line<'_> {
    async fn log_in(&mut self, socket: &mut Socket) -> Result<(), End> {
        let logged_in = async {
            while !self.known {
                self.receive(socket).await?;
            }
            Ok(())
        };
        let late = |_| End::Lost("the exchange did not answer the login".to_owned());
        tokio::time::timeout(LOGIN_MAX, logged_in).await.map_err(late)?
    }

    /// Takes the next message.
    async fn receive(&mut self, socket: &mut Socket) -> Result<(), End> {
        match socket.receive().await.map_err(|error| lost(&error))? {
            Some(text) => self.message(&text, socket).await,
            None => Ok(()),
        }
    }

    async fn carry(&mut self, socket: &mut Socket) -> Result<std::convert::Infallible, End> {
        let exchange = &self.streams.exchange;
        let Heartbeat { every, ping, silence } = exchange.venue().heartbeat(self.url);
        let mut pings = interval(every.max(Duration::from_secs(1)));
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let keeps = exchange.keeps_listening(self.url);
        let mut keep_at = keeps.map(|every| Instant::now() + every);
        let mut heard_at = Instant::now();
        loop {
            let (quiet, leave) = (heard_at + silence, self.leave);
            tokio::select! {
                message = socket.receive() => {
                    heard_at = Instant::now();
                    if let Some(text) = message.map_err(|error| lost(&error))? {
                        self.message(&text, socket).await?;
                    }
                }
                _ = pings.tick() => {
                    let sent = match &ping {
                        Some(ping) => socket.send(ping).await,
                        None => socket.ping().await,
                    };
                    sent.map_err(|error| lost(&error))?;
                }
                () = until(keep_at) => {
                    exchange.keep_listening(self.url).await.map_err(|error| lost(&error))?;
                    keep_at = keeps.map(|every| Instant::now() + every);
                }
                () = until(leave) => return Err(End::Lost("the exchange wants a new connection".to_owned())),
                () = tokio::time::sleep_until(quiet) => {
                    return Err(End::Lost("nothing was heard for too long".to_owned()));
                }
            }
        }
    }

    async fn message(&mut self, text: &str, socket: &mut Socket) -> Result<(), End> {
        let venue = self.streams.exchange.venue();
        metrics::counter!("venue_account_messages_total", "venue" => venue.id()).increment(1);
        let tell = |news| self.streams.listener.heard(news);
        for event in venue.heard(self.url, text, self.markets) {
            match event {
                Event::Balance(balances) => tell(News::Balance(self.part, balances)),
                Event::Orders(orders) => tell(News::Orders(orders)),
                Event::Positions(positions) => tell(News::Positions(positions)),
                Event::LoggedIn => self.known = true,
                Event::Ping(answer) => socket.send(&answer).await.map_err(|error| lost(&error))?,
                Event::Leave(after) => self.leave = Some(Instant::now() + after),
                Event::Refused(error) if error.class().is_a(ErrorClass::AuthenticationError) => {
                    return Err(End::Refused(error));
                }
                Event::Refused(error) => tracing::debug!(%venue, %error, "the exchange refused something"),
                _ => {}
            }
        }
        Ok(())
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_each_time_does_not_part_connections() {
        let one = place("wss://h/e?token=a&privateChannel=true&connectId=private");
        assert_eq!(one, place("wss://h/e?token=b&privateChannel=true&connectId=private"));
        assert_ne!(one, place("wss://h/e?token=a&privateChannel=true&connectId=privateFutures"));
        assert_eq!(place("wss://h/ws?listenKey=1"), place("wss://h/ws?listenKey=2"));
    }
}
