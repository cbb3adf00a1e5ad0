//! Orders: sent once, and asked after until it is known what became of them.

use std::sync::Arc;
use std::time::Duration;

use orrery_venues::unified::Order;
use orrery_venues::{Desk, ErrorClass, Found, NewOrder, Number, Outcome, VenueError};
use orrery_wallets::Account;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::call::{as_value, call};
use super::failure::{Failure, leaves_open};
use super::unknown::{Name, name_of};
use super::{Venues, lock};

/// What CCXT and the exchanges call the account's name of an order.
pub(crate) const NAMES: [&str; 5] = ["clientOrderId", "newClientOrderId", "orderLinkId", "clOrdId", "clientOid"];
/// The waits before each question after an order whose outcome is unknown.
const WAITS: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_millis(1_500), Duration::from_secs(3), Duration::from_secs(4)];
/// Longest time for all of them together.
const ASKED_FOR: Duration = Duration::from_secs(10);
/// How often an exchange has to say that there is no such order until it is believed.
pub(super) const NOWHERE: u32 = 2;

/// An order is being placed under this name; dropping it says that it no longer is.
struct Placing<'v>(&'v Venues, Name);

impl Drop for Placing<'_> {
    fn drop(&mut self) {
        lock(&self.0.placing).remove(&self.1);
    }
}

fn refused(class: ErrorClass, text: &str) -> Failure {
    Failure::Refused(VenueError::new(class, text))
}

/// Is this the order that was asked for? Amounts are cut to the market's steps, so they may differ by a hundredth.
pub(crate) fn is_same(there: &Order, asked: &NewOrder) -> bool {
    let near = |there: Number, asked: Number| {
        let apart = there.minus(asked).map(Number::abs).and_then(|apart| apart.times(100.into()));
        apart.is_some_and(|apart| apart <= asked.abs())
    };
    let kind = there.order_type.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case(&asked.order_type));
    let amount = there.amount.zip(asked.amount).is_none_or(|(there, asked)| near(there, asked));
    let limit = asked.order_type.eq_ignore_ascii_case("limit");
    let price = there.price.zip(asked.price).filter(|_| limit).is_none_or(|(there, asked)| near(there, asked));
    there.symbol.as_deref() == Some(&*asked.symbol) && there.side == Some(asked.side) && kind && amount && price
}

impl Venues {
    /// Places an order and answers it in CCXT's structure. It is sent once; what is unknown then is asked for up to
    /// 10 s, and after that in the background. It goes on when the caller goes away.
    ///
    /// An order that has a name of the account's is the same whenever it is placed: one that the exchange knows is
    /// answered as it is.
    ///
    /// # Errors
    /// [`Failure::Refused`], also for an order that the exchange twice says it does not have;
    /// [`Failure::Unknown`] names the order by which [`Self::order`] finds it.
    pub async fn place(self: &Arc<Self>, account: &Account, order: NewOrder) -> Result<Value, Failure> {
        let (sender, placed) = oneshot::channel();
        let (this, account) = (self.clone(), account.clone());
        let name = order.params.text(&NAMES).unwrap_or_default().to_owned();
        self.tasks.spawn_connection("order", async move {
            let result = this.place_now(&account, order).await;
            // an error says that the caller went away
            let _ = sender.send(result);
        });
        placed.await.unwrap_or_else(|_| {
            let cause = VenueError::new(ErrorClass::BaseError, "the server failed while it was placed");
            Err(Failure::Unknown { order: name, cause })
        })
    }

    async fn place_now(self: &Arc<Self>, account: &Account, order: NewOrder) -> Result<Value, Failure> {
        let desk = self.desk(account).await?;
        self.trades(account, &order.symbol);
        let Some(name) = order.params.text(&NAMES).map(str::to_owned) else {
            return self.send(account, &*desk, order).await;
        };
        let name = name_of(account, &name);
        if !lock(&self.placing).insert(name.clone()) {
            return Err(refused(ErrorClass::DuplicateOrderId, "an order of that clientOrderId is being placed"));
        }
        let placing = Placing(self, name);
        match self.there_already(account, &*desk, &order, &placing.1).await? {
            Some(there) => Ok(there),
            None => self.send(account, &*desk, order).await,
        }
    }

    /// The order, if the exchange knows one of its name.
    async fn there_already(
        self: &Arc<Self>,
        account: &Account,
        desk: &dyn Desk,
        order: &NewOrder,
        name: &Name,
    ) -> Result<Option<Value>, Failure> {
        if self.is_unknown(name).await {
            return self.order_named(account, desk, &name.2, &order.symbol).await.map(Some);
        }
        match self.find(desk, &name.2, &order.symbol).await {
            Ok(Found::There(there)) if is_same(&there, order) => Ok(Some(as_value(&there))),
            Ok(Found::There(_)) => {
                Err(refused(ErrorClass::DuplicateOrderId, "there is another order of that clientOrderId"))
            }
            Ok(Found::Nowhere) => Ok(None),
            Err(error) if error.class() == ErrorClass::NotSupported => Ok(None),
            // it was not sent
            Err(error) => Err(error.into()),
        }
    }

    async fn send(self: &Arc<Self>, account: &Account, desk: &dyn Desk, mut order: NewOrder) -> Result<Value, Failure> {
        let (name, outcome) = self.submit(desk, &mut order).await;
        let result = match outcome {
            Outcome::Accepted(order) => Ok(as_value(&order)),
            Outcome::Rejected(error) => Err(error.into()),
            Outcome::Unknown(cause) => self.ask_after(account, desk, &name, &order.symbol, cause).await,
        };
        let counted = match &result {
            Ok(_) => "taken",
            Err(Failure::Refused(_)) => "refused",
            Err(Failure::Unknown { .. }) => "unknown",
        };
        let venue = desk.id().to_owned();
        metrics::counter!("venue_orders_total", "venue" => venue, "outcome" => counted).increment(1);
        self.look_soon(account);
        result
    }

    /// Sends an order, which gets a name if it has none. One that was refused for its time is sent again once the
    /// clocks agree.
    pub(crate) async fn submit(&self, desk: &dyn Desk, order: &mut NewOrder) -> (String, Outcome) {
        let (name, outcome) = desk.submit(order.clone()).await;
        if order.params.text(&NAMES).is_none() {
            order.params.set("clientOrderId", name.as_str());
        }
        // it was refused for its time, so it was not taken
        if matches!(&outcome, Outcome::Rejected(error) if error.class() == ErrorClass::InvalidNonce)
            && self.synchronise(desk).await.is_ok()
        {
            return desk.submit(order.clone()).await;
        }
        (name, outcome)
    }

    /// Asks whether the exchange took an order.
    async fn ask_after(
        self: &Arc<Self>,
        account: &Account,
        desk: &dyn Desk,
        name: &str,
        symbol: &str,
        cause: VenueError,
    ) -> Result<Value, Failure> {
        match look_for(desk, name, symbol).await {
            Some(Found::There(order)) => return Ok(as_value(&order)),
            Some(Found::Nowhere) => return Err(Failure::Refused(not_taken(desk, &cause))),
            None => {}
        }
        self.keep_asking(account, name, symbol, &cause).await;
        Err(Failure::Unknown { order: name.to_owned(), cause })
    }

    /// An order as the exchange has it, by its own name of it or by the account's.
    ///
    /// # Errors
    /// [`Failure::Unknown`] while it is not known what became of it.
    pub async fn order(
        self: &Arc<Self>,
        account: &Account,
        id: Option<&str>,
        client_order_id: Option<&str>,
        symbol: &str,
    ) -> Result<Value, Failure> {
        let desk = self.desk(account).await?;
        match (id, client_order_id) {
            (Some(id), _) => Ok(self.read(&*desk, "fetchOrder", &json!([id, symbol])).await?),
            (None, Some(name)) => self.order_named(account, &*desk, name, symbol).await,
            (None, None) => Err(refused(ErrorClass::ArgumentsRequired, "getOrder needs an id or a clientOrderId")),
        }
    }

    async fn order_named(
        self: &Arc<Self>,
        account: &Account,
        desk: &dyn Desk,
        name: &str,
        symbol: &str,
    ) -> Result<Value, Failure> {
        let full = name_of(account, name);
        let unknown = self.is_unknown(&full).await;
        let open = |cause| Failure::Unknown { order: name.to_owned(), cause };
        match self.find(desk, name, symbol).await {
            Ok(Found::There(order)) => {
                let order = as_value(&order);
                if unknown {
                    self.settle(account, &full, Some(order.clone())).await;
                }
                Ok(order)
            }
            Ok(Found::Nowhere) if unknown => {
                let text = "the exchange does not have it, and may get it yet";
                Err(open(VenueError::new(ErrorClass::OrderNotFound, text)))
            }
            Ok(Found::Nowhere) => Err(refused(ErrorClass::OrderNotFound, &format!("there is no order {name}"))),
            Err(error) if unknown => Err(open(error)),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes an order back, by the exchange's name of it or by the account's, and answers what the exchange says.
    ///
    /// # Errors
    /// [`Failure::Unknown`] where neither an answer came nor the order can be seen.
    pub async fn cancel(
        self: &Arc<Self>,
        account: &Account,
        id: Option<&str>,
        client_order_id: Option<&str>,
        symbol: Option<&str>,
        mut params: Value,
    ) -> Result<Value, Failure> {
        let desk = self.desk(account).await?;
        let none = || refused(ErrorClass::ArgumentsRequired, "cancelOrder needs an id or a clientOrderId");
        let name = id.or(client_order_id).ok_or_else(none)?;
        if let (None, Some(name), Value::Object(params)) = (id, client_order_id, &mut params) {
            params.insert("clientOrderId".into(), name.into());
        }
        let arguments = json!([name, symbol, params]);
        let mut result = call(&*desk, "cancelOrder", &arguments).await;
        if matches!(&result, Err(error) if error.class() == ErrorClass::InvalidNonce)
            && self.synchronise(&*desk).await.is_ok()
        {
            result = call(&*desk, "cancelOrder", &arguments).await;
        }
        self.look_soon(account);
        let cause = match result {
            Ok(answer) => return Ok(answer),
            Err(error) if leaves_open(&error) => error,
            Err(error) => return Err(error.into()),
        };
        let seen = self.order(account, id, client_order_id, symbol.unwrap_or_default()).await;
        match seen {
            Ok(order) if order.get("status").and_then(Value::as_str) != Some("open") => Ok(order),
            // it is there still, and the request may be on its way
            _ => Err(Failure::Unknown { order: name.to_owned(), cause }),
        }
    }
}

/// Looks for an order whose outcome is unknown, for ten seconds; [`Found::Nowhere`] is what the exchange said twice.
/// None if it stays unknown.
pub(crate) async fn look_for(desk: &dyn Desk, name: &str, symbol: &str) -> Option<Found> {
    let asking = async {
        let mut nowhere = 0;
        for wait in WAITS {
            tokio::time::sleep(wait).await;
            match desk.find(name, symbol).await {
                Ok(Found::There(order)) => return Some(Found::There(order)),
                Ok(Found::Nowhere) => nowhere += 1,
                Err(error) => tracing::debug!(%error, "an order was asked after in vain"),
            }
            if nowhere == NOWHERE {
                return Some(Found::Nowhere);
            }
        }
        None
    };
    tokio::time::timeout(ASKED_FOR, asking).await.ok().flatten()
}

/// What is said of an order that the exchange twice did not have.
pub(crate) fn not_taken(desk: &dyn Desk, cause: &VenueError) -> VenueError {
    let text = format!("{} did not take the order, and it was not sent again ({}: {cause})", desk.id(), cause.class());
    VenueError::new(ErrorClass::OperationRejected, &text)
}

#[cfg(test)]
mod tests {
    use orrery_venues::Fields;
    use orrery_venues::unified::Side;

    use super::*;

    #[test]
    fn the_same_order_is_known_again() {
        let n = |digits: &str| Number::parse(digits);
        let asked = NewOrder {
            symbol: "BTC/USDT".into(),
            order_type: "limit".into(),
            side: Side::Buy,
            amount: n("0.0012345"),
            price: n("50000"),
            params: Fields::new(),
        };
        let there = Order {
            symbol: Some("BTC/USDT".into()),
            order_type: Some("limit".into()),
            side: Some(Side::Buy),
            amount: n("0.00123"),
            price: n("50000"),
            ..Order::default()
        };
        assert!(is_same(&there, &asked));
        assert!(!is_same(&Order { side: Some(Side::Sell), ..there.clone() }, &asked));
        assert!(!is_same(&Order { amount: n("0.002"), ..there.clone() }, &asked));
        assert!(!is_same(&Order { price: n("40000"), ..there }, &asked));
    }
}
