//! Stand-ins that are asked without a network in between.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use orrery_kernel::{Clock, Entropy};
use orrery_venues::stream::{Listener, News};
use orrery_venues::{
    Answer, Credentials, ErrorClass, Exchange, Exchanges, Permit, Request, Transport, Venue, VenueError,
};

use super::{Inner, Seen, StubVenue, rest};

/// Time for a whole answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// There is no way to any exchange.
pub struct NoExchanges;

#[async_trait]
impl Exchanges for NoExchanges {
    fn open(&self, venue: Venue, _: Option<Credentials>) -> Result<Arc<Exchange>, VenueError> {
        Err(VenueError::new(ErrorClass::NotSupported, &format!("there is no way to {venue} here")))
    }

    async fn synchronise(&self, venue: Venue) -> Result<(), VenueError> {
        self.open(venue, None).map(drop)
    }
}

#[async_trait]
impl Transport for StubVenue {
    async fn send(&self, request: Request, permit: &Permit) -> Result<Answer, VenueError> {
        let after = request.url.split_once("://").map_or(request.url.as_str(), |(_, rest)| rest);
        let target = after.find('/').map_or("/", |at| &after[at..]);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let seen = Seen {
            verb: request.verb.name().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            body: request.body.clone().unwrap_or_default(),
        };
        rest::before_it_is_sent(&seen, &self.inner).await;
        request.check(permit, self.inner.venue)?;
        let late = |_| VenueError::new(ErrorClass::RequestTimeout, "no answer came in time");
        let cut = |_| VenueError::new(ErrorClass::NetworkError, "the connection broke");
        let answered = tokio::time::timeout(TIMEOUT, rest::answered(seen, &self.inner)).await.map_err(late)?;
        let (head, body) = answered.map_err(cut)?.into_parts();
        let body = body.collect().await.expect("it is whole").to_bytes();
        Ok(Answer { status: head.status.as_u16(), body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// Opens exchanges that are stand-ins, of each one.
pub struct StubExchanges {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    known: Mutex<BTreeMap<Venue, (StubVenue, Arc<Exchange>)>>,
    synchronised: AtomicUsize,
    listeners: Mutex<Vec<Arc<dyn Listener>>>,
}

impl StubExchanges {
    /// None is opened yet.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy, known: Mutex::default(), synchronised: AtomicUsize::new(0), listeners: Mutex::default() }
    }

    /// The stand-in of an exchange.
    pub fn stub(&self, venue: Venue) -> StubVenue {
        self.known(venue).0
    }

    /// How often a clock was to be made to agree.
    pub fn synchronised(&self) -> usize {
        self.synchronised.load(Ordering::SeqCst)
    }

    /// Tells all who listen to an account.
    pub fn tell(&self, news: &News) {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().for_each(|listener| listener.heard(news.clone()));
    }

    /// How often somebody began to listen to an account.
    pub fn followed(&self) -> usize {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn known(&self, venue: Venue) -> (StubVenue, Arc<Exchange>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
            let stub = StubVenue { inner: Inner::of(venue), rest: nowhere, stream: nowhere };
            let nobody = self.exchange(venue, None, &stub);
            (stub, Arc::new(nobody))
        };
        known.entry(venue).or_insert_with(new).clone()
    }

    fn exchange(&self, venue: Venue, credentials: Option<Credentials>, stub: &StubVenue) -> Exchange {
        Exchange::new(venue, credentials, Arc::new(stub.clone()), self.clock.clone(), self.entropy.clone())
    }
}

#[async_trait]
impl Exchanges for StubExchanges {
    fn open(&self, venue: Venue, credentials: Option<Credentials>) -> Result<Arc<Exchange>, VenueError> {
        let (stub, nobody) = self.known(venue);
        if credentials.is_none() {
            return Ok(nobody);
        }
        let exchange = self.exchange(venue, credentials, &stub);
        let shared = nobody.known_markets().is_some();
        Ok(Arc::new(if shared { exchange.with_markets_of(&nobody) } else { exchange }))
    }

    async fn follow(&self, _: Venue, _: Credentials, listener: Arc<dyn Listener>) -> VenueError {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
        std::future::pending().await
    }

    async fn synchronise(&self, _: Venue) -> Result<(), VenueError> {
        self.synchronised.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}
