//! An account at an exchange, real or simulated, and how one is opened.

use std::sync::Arc;

use async_trait::async_trait;

use crate::exchange::{NewOrder, Result};
use crate::json::Json;
use crate::stream::Listener;
use crate::{Credentials, Exchange, Found, Outcome, Permit, Venue, VenueError};

/// An account at an exchange as scripts and clients use it; nobody's, where there are no credentials.
#[async_trait]
pub trait Desk: Send + Sync {
    /// The exchange's name in lower case: `binance`, `paper`.
    fn id(&self) -> &str;

    /// Calls a method by CCXT's name with CCXT's order of arguments; missing ones are `null`. Orders go through
    /// [`Self::submit`]: who makes one here does not learn whether an error means that it was refused.
    ///
    /// Errors: those of the method; [`crate::ErrorClass::NotSupported`] for a name that is none.
    async fn call(&self, method: &str, arguments: &[Json<'_>]) -> Result<serde_json::Value>;

    /// Sends an order, once. One that has no name of the account's gets one.
    async fn submit(&self, order: NewOrder) -> (String, Outcome);

    /// Asks after an order by the account's name of it.
    ///
    /// Errors: those of the way there; the outcome is as unknown as before.
    async fn find(&self, client_order_id: &str, symbol: &str) -> Result<Found>;

    /// The same desk, which changes something only while `permit` holds; what it does not do then is
    /// [`crate::withheld`], and an order of that is [`Outcome::Rejected`].
    fn under(&self, permit: Permit) -> Arc<dyn Desk>;
}

#[async_trait]
impl Desk for Exchange {
    fn id(&self) -> &str {
        self.venue().id()
    }

    async fn call(&self, method: &str, arguments: &[Json<'_>]) -> Result<serde_json::Value> {
        Self::call(self, method, arguments).await
    }

    async fn submit(&self, order: NewOrder) -> (String, Outcome) {
        Self::submit(self, order).await
    }

    async fn find(&self, client_order_id: &str, symbol: &str) -> Result<Found> {
        Self::find(self, client_order_id, symbol).await
    }

    fn under(&self, permit: Permit) -> Arc<dyn Desk> {
        Arc::new(Self::under(self, permit))
    }
}

/// Opens exchanges: who implements it knows the way to them.
#[async_trait]
pub trait Exchanges: Send + Sync {
    /// The exchange as this account, or as nobody. All of one exchange share its rate and its clock.
    ///
    /// Errors: [`crate::ErrorClass::NotSupported`] for a testnet that the exchange does not have.
    fn open(&self, venue: Venue, credentials: Option<Credentials>) -> Result<Arc<Exchange>>;

    /// The exchange's testnet, whose rate and clock are not those of the exchange.
    ///
    /// Errors: [`crate::ErrorClass::NotSupported`] where there is none, or no way to it.
    fn open_testnet(&self, venue: Venue, _credentials: Option<Credentials>) -> Result<Arc<Exchange>> {
        let message = format!("{venue} has no testnet that can be reached from here");
        Err(crate::VenueError::new(crate::ErrorClass::NotSupported, &message))
    }

    /// Makes the exchange's clock agree with the exchange, after a request was refused for its time
    /// ([`crate::ErrorClass::InvalidNonce`]).
    ///
    /// Errors: those of the way there.
    async fn synchronise(&self, venue: Venue) -> Result<()>;

    /// Listens to an account, over connections that come back, for as long as this is waited for.
    ///
    /// Errors: it ends only where there is nothing to listen to: [`crate::ErrorClass::NotSupported`], or what the
    /// exchange refused all of it for.
    async fn follow(&self, venue: Venue, credentials: Credentials, listener: Arc<dyn Listener>) -> VenueError {
        drop((credentials, listener));
        crate::exchange::not_supported(venue, "streams of accounts here")
    }
}
