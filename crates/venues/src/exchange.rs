//! An exchange to talk to: an account or nobody, a way to it, and what is known of its markets.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use orrery_kernel::{Clock, Entropy};
use serde::Serialize;

use crate::json::{self, Json};
use crate::unified::{Market, Markets, Raw, Side};
use crate::{
    Context, Credentials, ErrorClass, Fields, Number, Permit, Reply, Request, Transport, Venue, VenueError, limits, mac,
};

/// What any method answers.
pub type Result<T, E = VenueError> = std::result::Result<T, E>;

/// An exchange, as one account or as nobody.
#[derive(Clone)]
pub struct Exchange {
    venue: Venue,
    credentials: Option<Arc<Credentials>>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    markets: Arc<RwLock<Option<KnownMarkets>>>,
    currencies: Arc<RwLock<Option<Arc<[Raw]>>>>,
    learnt: Arc<RwLock<BTreeMap<&'static str, Arc<str>>>>,
    requests: Arc<AtomicU64>,
    nonces: Arc<AtomicI64>,
    bounded: bool,
    permit: Permit,
}

/// Markets, and when they were fetched or taken, in milliseconds.
struct KnownMarkets(Arc<Markets>, i64);

/// An order that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewOrder {
    /// The market: `BTC/USDT`.
    pub symbol: String,
    /// `limit` or `market`, or a word of the exchange.
    pub order_type: String,
    /// Which way.
    pub side: Side,
    /// In the base currency, or in contracts.
    pub amount: Option<Number>,
    /// In the quote currency; a market order has none.
    pub price: Option<Number>,
    /// CCXT's further parameters, and the exchange's own.
    pub params: Fields,
}

/// Whether an exchange works.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Status {
    /// `ok`, `maintenance` or `error`.
    pub status: Option<String>,
    /// When it was said, in milliseconds.
    pub updated: Option<i64>,
    /// When it is expected to be over.
    pub eta: Option<i64>,
    /// Where to read more.
    pub url: Option<String>,
    /// As the exchange said it.
    pub info: Raw,
}

impl Exchange {
    /// An exchange. Entropy gives the names of orders; the clock is what requests are signed by.
    pub fn new(
        venue: Venue,
        credentials: Option<Credentials>,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            venue,
            credentials: credentials.map(Arc::new),
            transport,
            clock,
            entropy,
            markets: Arc::default(),
            currencies: Arc::default(),
            learnt: Arc::default(),
            requests: Arc::default(),
            nonces: Arc::default(),
            bounded: true,
            permit: Permit::default(),
        }
    }

    /// Sends orders that are beyond their markets' bounds too, and leaves it to the exchange to refuse them.
    #[must_use]
    pub fn unbounded(mut self) -> Self {
        self.bounded = false;
        self
    }

    /// The same exchange, which sends what changes something only while `permit` holds. What either learns of markets
    /// and of the account, the other knows.
    #[must_use]
    pub fn under(&self, permit: Permit) -> Self {
        Self { permit, ..self.clone() }
    }

    /// Whether every order keeps to the bounds of its market. An unknown market is told by who needs it.
    ///
    /// Errors: [`ErrorClass::InvalidOrder`].
    pub(crate) async fn check(&self, orders: &[NewOrder]) -> Result<()> {
        if !self.bounded {
            return Ok(());
        }
        let markets = self.load_markets().await?;
        let mut known = orders.iter().filter_map(|order| Some((markets.of(&order.symbol).ok()?, order)));
        known.try_for_each(|(market, order)| limits::check(self.venue, market, order))
    }

    /// Which it is.
    pub const fn venue(&self) -> Venue {
        self.venue
    }

    /// Takes markets that are known already.
    pub fn set_markets(&self, markets: Markets) {
        self.share_markets(Arc::new(markets));
    }

    /// The same, with another that has them: they are the largest part of what an exchange keeps.
    pub fn share_markets(&self, markets: Arc<Markets>) {
        let known = KnownMarkets(markets, self.now());
        *self.markets.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }

    /// Has the markets that `other` has, and those that it fetches later.
    #[must_use]
    pub fn with_markets_of(mut self, other: &Self) -> Self {
        self.markets = other.markets.clone();
        self
    }

    /// The markets, if they were fetched.
    pub fn known_markets(&self) -> Option<Arc<Markets>> {
        let known = self.markets.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(|KnownMarkets(markets, _)| markets.clone())
    }

    /// How old the markets are, if they were fetched.
    pub fn markets_age(&self) -> Option<Duration> {
        let known = self.markets.read().unwrap_or_else(PoisonError::into_inner);
        let age = known.as_ref().map(|KnownMarkets(_, at)| self.now().saturating_sub(*at))?;
        Some(Duration::from_millis(u64::try_from(age).unwrap_or_default()))
    }

    /// The markets; the first time they are asked for, they are fetched.
    pub async fn load_markets(&self) -> Result<Arc<Markets>> {
        if let Some(markets) = self.known_markets() {
            return Ok(markets);
        }
        self.reload_markets().await
    }

    /// The markets, fetched anew; if that fails, those that are known stay.
    ///
    /// Errors: those of the way there; [`ErrorClass::BadResponse`] for an answer without any market.
    pub async fn reload_markets(&self) -> Result<Arc<Markets>> {
        let markets = self.fetch_markets(Fields::new()).await?;
        if markets.is_empty() && self.known_markets().is_some() {
            return Err(VenueError::new(ErrorClass::BadResponse, &format!("{} told of no markets", self.venue)));
        }
        let markets = Markets::new(markets);
        let markets = Arc::new(markets.with_aliases(|market| self.venue.dialect().alias(market)));
        self.share_markets(markets.clone());
        Ok(markets)
    }

    /// Takes currencies that are known already.
    pub fn set_currencies(&self, currencies: Vec<Raw>) {
        *self.currencies.write().unwrap_or_else(PoisonError::into_inner) = Some(currencies.into());
    }

    /// The currencies; the first time they are asked for, they are fetched.
    pub(crate) async fn load_currencies(&self) -> Result<Arc<[Raw]>> {
        let known = self.currencies.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(currencies) = known {
            return Ok(currencies);
        }
        self.set_currencies(self.fetch_currencies(Fields::new()).await?);
        Ok(self.currencies.read().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default())
    }

    /// The account's key.
    ///
    /// Errors: [`ErrorClass::AuthenticationError`] for nobody.
    pub(crate) fn credentials(&self) -> Result<&Credentials> {
        let none = || VenueError::new(ErrorClass::AuthenticationError, &format!("{} requires \"apiKey\"", self.venue));
        self.credentials.as_deref().ok_or_else(none)
    }

    /// Keeps what an answer said of the account under a name, so that it is asked once.
    pub(crate) fn learn(&self, name: &'static str, said: &str) {
        self.learnt.write().unwrap_or_else(PoisonError::into_inner).insert(name, said.into());
    }

    /// What was kept under this name.
    pub(crate) fn learnt(&self, name: &str) -> Option<Arc<str>> {
        self.learnt.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().millis()
    }

    /// Until when the exchange may take an order that says `recvWindow`: milliseconds since 1970.
    pub(crate) fn until(&self, params: &Fields) -> Option<i64> {
        let window: i64 = params.text(&["recvWindow"])?.parse().ok()?;
        Some(self.now().saturating_add(window))
    }

    /// A name that no other order has, of so many hexadecimal digits; at most 32.
    pub(crate) fn unique(&self, digits: usize) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        let mut all = mac::hex(bytes);
        all.split_off(all.len().saturating_sub(digits))
    }

    /// A name that no other has, in the form of a random UUID (RFC 9562, version 4).
    pub(crate) fn uuid(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        let bits = u128::from_be_bytes(bytes);
        let (version, variant) = (0x4u128 << 76, 0b10u128 << 62);
        let bits = (bits & !(0xfu128 << 76) & !(0b11u128 << 62)) | version | variant;
        let part = |shift: u32, digits: usize| {
            let mask = (1u128 << (4 * digits)) - 1;
            format!("{:0digits$x}", (bits >> shift) & mask)
        };
        [part(96, 8), part(80, 4), part(64, 4), part(48, 4), part(0, 12)].join("-")
    }

    /// Numbers its requests with those of `other`: keys that one process signs with more than once share their numbers.
    #[must_use]
    pub fn numbered_with(mut self, other: &Self) -> Self {
        self.nonces = other.nonces.clone();
        self
    }

    /// Milliseconds since 1970, or one more than the last time: exchanges that number requests take no number twice,
    /// and none that is below one they had.
    pub(crate) fn next_nonce(&self) -> i64 {
        let now = self.now();
        let next = |last: i64| Some(now.max(last.saturating_add(1)));
        let last = self.nonces.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        last.map_or(now, |last| now.max(last.saturating_add(1)))
    }

    /// The next number of a request over a stream, from 1.
    pub(crate) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Sends a request, and reads the answer.
    ///
    /// Errors: those of the way there, and what the exchange refused; [`crate::withheld`] without a permit.
    pub(crate) async fn ask<T>(&self, request: Request, read: impl FnOnce(&Json<'_>) -> T + Send) -> Result<T> {
        let url = request.url.clone();
        let answer = self.transport.send(request, &self.permit).await?;
        let reply = Reply { status: answer.status, url: &url, body: &answer.body };
        // KuCoin's scripts find its long numbers as they are
        let kept = self.venue == Venue::Kucoin;
        self.venue.read(&reply).map(|body| if kept { read(&body) } else { read(&json::safe(body)) })
    }
}

pub(crate) fn not_supported(venue: Venue, what: &str) -> VenueError {
    VenueError::new(ErrorClass::NotSupported, &format!("{venue} does not support {what}"))
}

/// An error for an argument that is missing.
pub(crate) fn required(exchange: impl std::fmt::Display, method: &str, argument: &str) -> VenueError {
    let message = format!("{exchange} {method}() requires a {argument} argument");
    VenueError::new(ErrorClass::ArgumentsRequired, &message)
}

impl Market {
    /// What stands around an answer about this market.
    pub(crate) fn context<'m>(&'m self, markets: &'m Markets) -> Context<'m> {
        Context { markets, asked: Some(self) }
    }

    /// An amount as the market takes it: cut to its step.
    ///
    /// Errors: [`ErrorClass::InvalidOrder`] for what is less than one step.
    pub fn amount(&self, amount: Number) -> Result<Number> {
        let cut = self.precision.amount.map_or(Some(amount), |step| amount.cut_to(step));
        let least = || {
            let step = self.precision.amount.map_or_else(String::new, |step| step.to_string());
            let message = format!("amount of {} must be greater than minimum amount precision of {step}", self.symbol);
            VenueError::new(ErrorClass::InvalidOrder, &message)
        };
        cut.and_then(Number::nonzero).ok_or_else(least)
    }

    /// A price as the market takes it: rounded to its step.
    ///
    /// Errors: [`ErrorClass::InvalidOrder`] for what is less than half a step.
    pub fn price(&self, price: Number) -> Result<Number> {
        let rounded = self.precision.price.map_or(Some(price), |step| price.round_to(step));
        let least = || {
            let step = self.precision.price.map_or_else(String::new, |step| step.to_string());
            let message = format!("price of {} must be greater than minimum price precision of {step}", self.symbol);
            VenueError::new(ErrorClass::InvalidOrder, &message)
        };
        rounded.and_then(Number::nonzero).ok_or_else(least)
    }
}
