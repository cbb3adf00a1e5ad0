//! What became of an order that was sent: taken, refused, or not known until the exchange is asked.

use crate::exchange::{NewOrder, Result};
use crate::query::Page;
use crate::unified::Order;
use crate::{ErrorClass, Exchange, Fields, Venue, VenueError};

/// How far back orders are searched for by the account's name of them, in milliseconds.
const SEARCHED_BACK: i64 = 86_400_000;

/// What became of an order.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and most are orders")]
pub enum Outcome {
    /// The exchange took it.
    Accepted(Order),
    /// The exchange did not take it, and said so; or it was never sent.
    Rejected(VenueError),
    /// No answer came, or none that can be read: the exchange may have taken it.
    Unknown(VenueError),
}

/// What the exchange says of an order that is asked for by the account's name of it.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and most are orders")]
pub enum Found {
    /// It is there.
    There(Order),
    /// It was never taken.
    Nowhere,
}

impl Outcome {
    /// What an error says of the order that it was the answer to.
    pub fn of(error: VenueError) -> Self {
        let unread = [ErrorClass::RequestTimeout, ErrorClass::ExchangeNotAvailable, ErrorClass::BadResponse];
        let class = error.class();
        let unknown = error.status().is_some_and(|status| status >= 500)
            || unread.iter().any(|unread| class.is_a(*unread))
            || matches!(class, ErrorClass::NetworkError | ErrorClass::OperationFailed | ErrorClass::BaseError);
        if unknown { Self::Unknown(error) } else { Self::Rejected(error) }
    }
}

impl Exchange {
    /// A name for an order that this exchange takes and that no other order has.
    pub fn client_order_id(&self, contract: bool) -> String {
        match self.venue() {
            // "Add Order": a UUID with or without hyphens
            Venue::Kraken => self.unique(32),
            Venue::Coinbase => {
                let digits = self.unique(32);
                let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default());
                parts.join("-")
            }
            // "Place An Order" of contracts: a whole number below 2^63
            Venue::Htx if contract => {
                let number = u64::from_str_radix(&self.unique(15), 16).unwrap_or_default();
                number.max(1).to_string()
            }
            _ => self.unique(24),
        }
    }

    /// Sends an order, once. One that has no name of the account's gets one, by which it can be asked for.
    ///
    /// Errors: none; what went wrong is an outcome.
    pub async fn submit(&self, mut order: NewOrder) -> (String, Outcome) {
        let given = order.params.text(&["clientOrderId", "newClientOrderId", "orderLinkId", "clOrdId", "clientOid"]);
        let name = given.map_or_else(|| self.client_order_id(order.symbol.contains(':')), str::to_owned);
        if given.is_none() {
            order.params.set("clientOrderId", name.as_str());
        }
        let outcome = match self.create_order(&order).await {
            Ok(made) => {
                Outcome::Accepted(Order { client_order_id: made.client_order_id.or(Some(name.clone())), ..made })
            }
            Err(error) => Outcome::of(error),
        };
        (name, outcome)
    }

    /// Asks after an order by the account's name of it.
    ///
    /// Errors: those of the way there; the outcome is as unknown as before.
    pub async fn find(&self, client_order_id: &str, symbol: &str) -> Result<Found> {
        let searched = matches!(self.venue(), Venue::Kraken | Venue::Coinbase | Venue::Upbit);
        if searched {
            return self.search(client_order_id, symbol).await;
        }
        let params = match self.venue() {
            Venue::Bybit => Fields::new().with("orderLinkId", client_order_id).with("acknowledged", true),
            _ => Fields::new().with("clientOrderId", client_order_id),
        };
        match self.fetch_order(client_order_id, Some(symbol), params).await {
            Ok(order) => Ok(Found::There(order)),
            Err(error) if error.class().is_a(ErrorClass::OrderNotFound) => Ok(Found::Nowhere),
            Err(error) => Err(error),
        }
    }

    /// Of exchanges that cannot be asked for an order by the account's name: among those that are open, then among
    /// those that were.
    async fn search(&self, client_order_id: &str, symbol: &str) -> Result<Found> {
        let named = |orders: Vec<Order>| {
            orders.into_iter().find(|order| order.client_order_id.as_deref() == Some(client_order_id))
        };
        let open = self.fetch_open_orders(Some(symbol), Page::default(), Fields::new()).await?;
        if let Some(order) = named(open) {
            return Ok(Found::There(order));
        }
        let page = Page { since: Some(self.now().saturating_sub(SEARCHED_BACK)), limit: None };
        let over = self.fetch_closed_orders(Some(symbol), page, Fields::new()).await?;
        if let Some(order) = named(over) {
            return Ok(Found::There(order));
        }
        match self.fetch_canceled_orders(Some(symbol), page, Fields::new()).await {
            Ok(canceled) => Ok(named(canceled).map_or(Found::Nowhere, Found::There)),
            Err(error) if error.class() == ErrorClass::NotSupported => Ok(Found::Nowhere),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_refusal_is_unknown() {
        let of = |class, status: Option<u16>| {
            let error = VenueError::new(class, "said");
            Outcome::of(status.map_or_else(|| error.clone(), |status| error.clone().of_status(status)))
        };
        for class in [
            ErrorClass::RequestTimeout,
            ErrorClass::NetworkError,
            ErrorClass::ExchangeNotAvailable,
            ErrorClass::OnMaintenance,
            ErrorClass::BadResponse,
            ErrorClass::NullResponse,
        ] {
            assert!(matches!(of(class, None), Outcome::Unknown(_)), "{class}");
        }
        for class in [
            ErrorClass::InsufficientFunds,
            ErrorClass::InvalidOrder,
            ErrorClass::RateLimitExceeded,
            ErrorClass::InvalidNonce,
            ErrorClass::AuthenticationError,
        ] {
            assert!(matches!(of(class, Some(400)), Outcome::Rejected(_)), "{class}");
            assert!(matches!(of(class, Some(503)), Outcome::Unknown(_)), "{class}");
        }
    }
}
