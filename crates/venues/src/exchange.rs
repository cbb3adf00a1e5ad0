//! An exchange to talk to: an account or nobody, a way to it, and what is known of its markets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use orrery_kernel::{Clock, Entropy};
use serde::Serialize;

use crate::json::Json;
use crate::unified::{Market, Markets, Raw, Side};
use crate::{Context, Credentials, ErrorClass, Fields, Number, Reply, Request, Transport, Venue, VenueError};

/// What any method answers.
pub type Result<T, E = VenueError> = std::result::Result<T, E>;

/// An exchange, as one account or as nobody.
pub struct Exchange {
    venue: Venue,
    credentials: Option<Credentials>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    markets: RwLock<Option<Arc<Markets>>>,
    requests: AtomicU64,
}

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
        Self { venue, credentials, transport, clock, entropy, markets: RwLock::default(), requests: AtomicU64::new(0) }
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
        *self.markets.write().unwrap_or_else(PoisonError::into_inner) = Some(markets);
    }

    /// The markets, if they were fetched.
    pub fn known_markets(&self) -> Option<Arc<Markets>> {
        self.markets.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The markets; the first time they are asked for, they are fetched.
    pub async fn load_markets(&self) -> Result<Arc<Markets>> {
        if let Some(markets) = self.known_markets() {
            return Ok(markets);
        }
        let markets = Arc::new(Markets::new(self.fetch_markets(Fields::new()).await?));
        self.share_markets(markets.clone());
        Ok(markets)
    }

    /// The account's key.
    ///
    /// Errors: [`ErrorClass::AuthenticationError`] for nobody.
    pub(crate) fn credentials(&self) -> Result<&Credentials> {
        let none = || VenueError::new(ErrorClass::AuthenticationError, &format!("{} requires \"apiKey\"", self.venue));
        self.credentials.as_ref().ok_or_else(none)
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().millis()
    }

    /// A name that no other order has, of so many hexadecimal digits; at most 32.
    pub(crate) fn unique(&self, digits: usize) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        let all = hex::encode(bytes);
        all.get(all.len().saturating_sub(digits)..).unwrap_or_default().to_owned()
    }

    /// The next number of a request over a stream, from 1.
    pub(crate) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Sends a request, and reads the answer.
    ///
    /// Errors: those of the way there, and what the exchange refused.
    pub(crate) async fn ask<T>(&self, request: Request, read: impl FnOnce(&Json<'_>) -> T + Send) -> Result<T> {
        let url = request.url.clone();
        let answer = self.transport.send(request).await?;
        let reply = Reply { status: answer.status, url: &url, body: &answer.body };
        self.venue.read(&reply).map(|body| read(&body))
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
