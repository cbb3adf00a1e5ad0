//! An account at an exchange of CCXT's.

use std::sync::Arc;

use async_trait::async_trait;
use ccxt::Value;
use orrery_kernel::Entropy;
use orrery_venues::json::Json;
use orrery_venues::unified::{Order, Side};
use orrery_venues::{Desk, ErrorClass, Found, NewOrder, Outcome, VenueError};
use tokio::sync::{mpsc, oneshot};

use crate::engine::{CALLS_MAX, Call, Open, serve};
use crate::{order, value};

/// An account at an exchange of CCXT's.
pub struct CcxtDesk {
    id: String,
    calls: mpsc::Sender<Call>,
    entropy: Arc<dyn Entropy>,
}

impl CcxtDesk {
    /// The account, and its task, which has to run for it: it makes the engine and fetches its markets with the first
    /// call, and ends when the desk is dropped and its last call is answered.
    pub fn new(id: &str, open: Open, entropy: Arc<dyn Entropy>) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (calls, read) = mpsc::channel(CALLS_MAX);
        (Self { id: id.to_owned(), calls, entropy }, serve(id.to_owned(), open, read))
    }

    async fn ask(&self, method: &str, arguments: Vec<Value>) -> Result<Value, VenueError> {
        let (answer, answered) = oneshot::channel();
        let call = Call { method: value::snake(method), arguments, answer };
        self.calls.try_send(call).map_err(|refused| self.refused(&refused))?;
        let gone = |_| VenueError::new(ErrorClass::BadResponse, &format!("{} {method} was given up", self.id));
        answered.await.map_err(gone)?
    }

    /// Nothing was sent.
    fn refused(&self, why: &mpsc::error::TrySendError<Call>) -> VenueError {
        let full = matches!(why, mpsc::error::TrySendError::Full(_));
        let class = if full { ErrorClass::RateLimitExceeded } else { ErrorClass::ExchangeClosedByUser };
        let why = if full { "has too many calls of this account waiting" } else { "has no task any more" };
        VenueError::new(class, &format!("{} {why}", self.id))
    }

    /// A name in the form of a random UUID (RFC 9562, version 4), which most exchanges take.
    fn name(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        let bits = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0b11 << 62) | 0x4 << 76 | 0b10 << 62;
        let part = |shift: u32, digits: usize| format!("{:0digits$x}", (bits >> shift) & ((1 << (4 * digits)) - 1));
        [part(96, 8), part(80, 4), part(64, 4), part(48, 4), part(0, 12)].join("-")
    }

    async fn orders(&self, method: &str, symbol: &str) -> Result<Vec<Order>, VenueError> {
        let listed = self.ask(method, vec![value::text(symbol)]).await?;
        match &listed {
            Value::Arr(items) => Ok(items.iter().filter_map(order::of).collect()),
            _ => Err(VenueError::new(ErrorClass::BadResponse, &format!("{} {method} gave no list", self.id))),
        }
    }
}

#[async_trait]
impl Desk for CcxtDesk {
    fn id(&self) -> &str {
        &self.id
    }

    async fn call(&self, method: &str, arguments: &[Json<'_>]) -> Result<serde_json::Value, VenueError> {
        let arguments = arguments.iter().map(value::of_json).collect();
        match self.ask(method, arguments).await? {
            // engines answer so to names that they do not know
            Value::Null => {
                Err(VenueError::new(ErrorClass::NotSupported, &format!("{} has no answer to {method}()", self.id)))
            }
            answer => Ok(answer.to_json()),
        }
    }

    async fn submit(&self, new: NewOrder) -> (String, Outcome) {
        let mut params = new.params;
        let given = params.text(&["clientOrderId"]).map(str::to_owned);
        let name = given.unwrap_or_else(|| self.name());
        params.set("clientOrderId", name.as_str());
        let digits = |number: Option<orrery_venues::Number>| {
            number.map_or(Value::Null, |number| value::text(&number.to_string()))
        };
        let Some(params) = orrery_venues::json::parse(&params.json()).as_ref().map(value::of_json) else {
            let unread = VenueError::new(ErrorClass::BadRequest, &format!("{} the params are no JSON", self.id));
            return (name, Outcome::Rejected(unread));
        };
        let arguments = vec![
            value::text(&new.symbol),
            value::text(&new.order_type),
            value::text(if new.side == Side::Buy { "buy" } else { "sell" }),
            digits(new.amount),
            digits(new.price),
            params,
        ];
        let outcome = match self.ask("createOrder", arguments).await.map(|made| order::of(&made)) {
            Ok(Some(made)) => {
                let client_order_id = made.client_order_id.or_else(|| Some(name.clone()));
                Outcome::Accepted(Order { client_order_id, ..made })
            }
            Ok(None) => Outcome::Unknown(VenueError::new(
                ErrorClass::BadResponse,
                &format!("{} createOrder gave no order", self.id),
            )),
            Err(error) => Outcome::of(error),
        };
        (name, outcome)
    }

    /// Of an exchange of which nothing is known but its methods, the answer that an order is not there counts only
    /// where its lists can be read too: it may have looked for another kind of name.
    async fn find(&self, client_order_id: &str, symbol: &str) -> Result<Found, VenueError> {
        let by_name = Value::from_json(&serde_json::json!({ "clientOrderId": client_order_id }));
        let asked = vec![value::text(client_order_id), value::text(symbol), by_name];
        // not every exchange of CCXT's passes the name on; it is in what the exchange itself said then
        let quoted = serde_json::Value::from(client_order_id).to_string();
        let named = |order: &Order| match order.client_order_id.as_deref() {
            Some(name) => name == client_order_id,
            None => order.info.as_str().contains(&quoted),
        };
        if let Ok(found) = self.ask("fetchOrder", asked).await
            && let Some(found) = order::of(&found).filter(named)
        {
            return Ok(Found::There(found));
        }
        if let Some(open) = self.orders("fetchOpenOrders", symbol).await?.into_iter().find(named) {
            return Ok(Found::There(open));
        }
        let past = match self.orders("fetchOrders", symbol).await {
            Err(error) if error.class() == ErrorClass::NotSupported => {
                let mut past = self.orders("fetchClosedOrders", symbol).await?;
                past.extend(self.orders("fetchCanceledOrders", symbol).await.unwrap_or_default());
                past
            }
            listed => listed?,
        };
        Ok(past.into_iter().find(named).map_or(Found::Nowhere, Found::There))
    }
}
