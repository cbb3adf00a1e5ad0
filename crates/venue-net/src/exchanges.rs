//! Exchanges over the network: of each, one rate and one clock for everybody in the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use orrery_kernel::{Clock, Entropy};
use orrery_venues::stream::Listener;
use orrery_venues::{Credentials, ErrorClass, Exchange, Exchanges, Venue, VenueError};
use tokio::time::Instant;

use crate::account::AccountStreams;
use crate::{HttpOptions, HttpTransport, OpenError, Throttle, VenueClock};

/// How each exchange is reached; those that are not named as they are by default.
pub type VenueOptions = HashMap<Venue, HttpOptions>;

/// Opens exchanges over the network.
pub struct NetExchanges {
    options: VenueOptions,
    machine: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// By name; a testnet is another exchange.
    known: Mutex<HashMap<(Venue, bool), Arc<Known>>>,
}

/// What all accounts of an exchange share.
struct Known {
    transport: Arc<HttpTransport>,
    throttle: Arc<Throttle>,
    clock: Arc<VenueClock>,
    nobody: Arc<Exchange>,
}

impl NetExchanges {
    /// Opens nothing yet.
    pub fn new(options: VenueOptions, machine: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { options, machine, entropy, known: Mutex::default() }
    }

    fn known(&self, venue: Venue, testnet: bool) -> Result<Arc<Known>, OpenError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&(venue, testnet)) {
            return Ok(known.clone());
        }
        let mut options = self.options.get(&venue).cloned().unwrap_or_default();
        if testnet {
            options.bases = options.bases.of_sandbox(venue);
        }
        let throttle = Arc::new(Throttle::new(venue.rate()));
        let transport = Arc::new(HttpTransport::new(venue, &options, throttle.clone(), self.entropy.clone())?);
        let clock = Arc::new(VenueClock::new(self.machine.clone()));
        let nobody = Arc::new(Exchange::new(venue, None, transport.clone(), clock.clone(), self.entropy.clone()));
        let new = Arc::new(Known { transport, throttle, clock, nobody });
        known.insert((venue, testnet), new.clone());
        Ok(new)
    }

    /// A clock that agrees with the exchange's as far as that was asked for.
    ///
    /// Errors: [`OpenError`].
    pub fn clock(&self, venue: Venue) -> Result<Arc<VenueClock>, OpenError> {
        Ok(self.known(venue, false)?.clock.clone())
    }

    /// How far requests to an exchange that is known are behind their turn.
    pub fn backlogs(&self) -> Vec<(Venue, std::time::Duration)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let live = known.iter().filter(|((_, testnet), _)| !testnet);
        live.map(|((venue, _), known)| (*venue, known.throttle.backlog(Instant::now()))).collect()
    }
}

fn unusable(venue: Venue, error: &OpenError) -> VenueError {
    VenueError::new(ErrorClass::InvalidProxySettings, &format!("{venue}: {error}"))
}

#[async_trait]
impl Exchanges for NetExchanges {
    /// Nobody's exchange is one and the same; an account's takes the markets that nobody's knows already.
    fn open(&self, venue: Venue, credentials: Option<Credentials>) -> Result<Arc<Exchange>, VenueError> {
        self.opened(venue, credentials, false)
    }

    fn open_testnet(&self, venue: Venue, credentials: Option<Credentials>) -> Result<Arc<Exchange>, VenueError> {
        if !venue.has_sandbox() {
            return Err(VenueError::new(ErrorClass::NotSupported, &format!("{venue} has no testnet")));
        }
        self.opened(venue, credentials, true)
    }

    async fn synchronise(&self, venue: Venue) -> Result<(), VenueError> {
        let known = self.known(venue, false).map_err(|error| unusable(venue, &error))?;
        known.clock.synchronise(&known.nobody).await
    }

    async fn follow(&self, venue: Venue, credentials: Credentials, listener: Arc<dyn Listener>) -> VenueError {
        let exchange = match self.open(venue, Some(credentials)) {
            Ok(exchange) => exchange,
            Err(error) => return error,
        };
        let bases = self.options.get(&venue).map(|options| options.bases.clone()).unwrap_or_default();
        AccountStreams { exchange, bases, entropy: self.entropy.clone(), listener }.run().await
    }
}

impl NetExchanges {
    fn opened(
        &self,
        venue: Venue,
        credentials: Option<Credentials>,
        testnet: bool,
    ) -> Result<Arc<Exchange>, VenueError> {
        let known = self.known(venue, testnet).map_err(|error| unusable(venue, &error))?;
        if credentials.is_none() {
            return Ok(known.nobody.clone());
        }
        let (transport, clock) = (known.transport.clone(), known.clock.clone());
        let exchange = Exchange::new(venue, credentials, transport, clock, self.entropy.clone());
        let exchange = exchange.numbered_with(&known.nobody);
        // one that an account fetches may say what is the account's only: nobody's has to be known first
        let shared = known.nobody.known_markets().is_some();
        Ok(Arc::new(if shared { exchange.with_markets_of(&known.nobody) } else { exchange }))
    }
}
