//! Making orders: written down first, sent once, by a task that the script's end does not end.

use std::sync::Arc;

use orrery_venues::unified::Order;
use orrery_venues::{Desk, Found, NewOrder, Outcome, VenueError};
use orrery_workers::fleet::{Intended, Intent, IntentState};
use orrery_workers::script::HostError;
use serde_json::Value;
use tokio::sync::oneshot;

use super::super::{Result, Shared, WorkerHost, lost, unavailable};
use super::intent::OnItsWay;
use super::{Seat, permit, refused};
use crate::fleet::Running;
use crate::venues::{as_value, is_same, look_for, not_taken};

/// An order with everything that it needs to be sent without its script.
struct Sending {
    shared: Arc<Shared>,
    running: Arc<Running>,
    seat: Seat,
    order: NewOrder,
    intent: Intent,
    /// The account's name of it.
    name: String,
    /// The script gave the name, and may have used it before.
    named: bool,
}

impl WorkerHost {
    /// Places an order, once: it goes on when the run ends, and what becomes of it is written down.
    pub(super) async fn place(&self, seat: Seat, mut order: NewOrder) -> Result<Value> {
        let (intent, meant, named) = self.intent(&seat, &mut order);
        let (shared, running) = (self.shared.clone(), self.running.clone());
        let sending = Sending { shared, running, seat, order, intent, name: meant.client_order_id, named };
        let (sender, placed) = oneshot::channel();
        self.shared.tasks.spawn_connection("worker-order", async move {
            // an error says that the run is over
            let _ = sender.send(sending.run().await);
        });
        placed.await.unwrap_or_else(|_| Err(HostError::new("ExchangeError", "the node failed while it was placed")))
    }
}

impl Sending {
    async fn run(mut self) -> Result<Value> {
        let shared = self.shared.clone();
        let key = self.intent.client_order_id.clone();
        let Some(_on_its_way) = OnItsWay::begin(&shared, &key) else {
            return Err(HostError::new("DuplicateOrderId", "an order of that clientOrderId is being placed"));
        };
        let fence = self.running.right.fence.as_ref();
        match shared.ports.fleet.intend(&self.intent, fence).await.map_err(|error| unavailable(&error))? {
            Intended::Fenced => return Err(lost(&self.running)),
            Intended::Known(state) => {
                if let Some(there) = self.known(state).await? {
                    return Ok(there);
                }
            }
            Intended::Done => {}
        }
        self.send().await
    }

    async fn send(&mut self) -> Result<Value> {
        let shared = self.shared.clone();
        // whatever it waits for before it is sent, the right is looked at after that
        let permit = permit(&shared, &self.running);
        let desk = self.seat.desk.under(permit.clone());
        if let Some(account) = &self.seat.account {
            shared.ports.venues.trades(account, &self.order.symbol);
        }
        let (_, outcome) = shared.ports.venues.submit(&*desk, &mut self.order).await;
        let (counted, result) = match outcome {
            Outcome::Accepted(order) => ("taken", self.placed(&order).await),
            Outcome::Rejected(error) => {
                self.resolve(IntentState::Refused, None).await;
                ("refused", Err(if permit.holds() { refused(&error) } else { lost(&self.running) }))
            }
            Outcome::Unknown(cause) => ("unknown", self.look(&*desk, cause).await),
        };
        let labels = [("venue", desk.id().to_owned()), ("outcome", counted.to_owned())];
        metrics::counter!("worker_orders_total", &labels).increment(1);
        if let Some(account) = &self.seat.account {
            shared.ports.venues.look_soon(account);
        }
        result
    }

    async fn placed(&self, order: &Order) -> Result<Value> {
        self.resolve(IntentState::Placed, order.id.as_deref()).await;
        Ok(as_value(order))
    }

    /// Asks what became of an order to which no answer came.
    async fn look(&self, desk: &dyn Desk, cause: VenueError) -> Result<Value> {
        match look_for(desk, &self.name, &self.order.symbol).await {
            Some(Found::There(order)) => self.placed(&order).await,
            Some(Found::Nowhere) => {
                self.resolve(IntentState::Refused, None).await;
                Err(refused(&not_taken(desk, &cause)))
            }
            None => {
                // it stays open: who runs next asks for it, and clients are told once it is known
                if let Some(account) = &self.seat.account {
                    self.shared.ports.venues.keep_asking(account, &self.name, &self.order.symbol, &cause).await;
                }
                Err(self.unknown(cause.class().name(), &cause.to_string()))
            }
        }
    }

    fn unknown(&self, class: &str, cause: &str) -> HostError {
        HostError::new(class, format!("the outcome of order {} is unknown: {cause}", self.name))
    }

    /// An order of a name that the script used before: the same order again. None if it may be sent.
    async fn known(&self, state: IntentState) -> Result<Option<Value>> {
        if !self.named {
            return Err(HostError::new("DuplicateOrderId", "there is an order of that name"));
        }
        let desk = &*self.seat.desk;
        match self.shared.ports.venues.find(desk, &self.name, &self.order.symbol).await {
            Ok(Found::There(there)) if is_same(&there, &self.order) => self.placed(&there).await.map(Some),
            Ok(Found::There(_)) => {
                Err(HostError::new("DuplicateOrderId", "there is another order of that clientOrderId"))
            }
            Ok(Found::Nowhere) if state == IntentState::Refused => {
                if self.resolve(IntentState::Open, None).await {
                    return Ok(None);
                }
                Err(HostError::new("ExchangeNotAvailable", "it could not be written down that the order is sent again"))
            }
            Ok(Found::Nowhere) if state == IntentState::Placed => {
                let text = "an order of that clientOrderId was placed, and the exchange does not have it any more";
                Err(HostError::new("DuplicateOrderId", text))
            }
            Ok(Found::Nowhere) => {
                Err(self.unknown("RequestTimeout", "the exchange does not have it, and may get it yet"))
            }
            Err(error) => Err(refused(&error)),
        }
    }

    /// Writes down how far it came; `false` if that failed: it stays as it was, and whoever runs next asks for what is
    /// open. That it is there is true whoever says it; that it is not may have been true before another placed it.
    async fn resolve(&self, state: IntentState, order_id: Option<&str>) -> bool {
        let fence = self.running.right.fence.as_ref().filter(|_| state != IntentState::Placed);
        let resolved = self.shared.ports.fleet.resolve(&self.intent.client_order_id, state, order_id, fence).await;
        match &resolved {
            Ok(true) => {}
            Ok(false) => tracing::info!(order = self.name, "what became of an order is left to the next leader"),
            Err(error) => tracing::warn!(order = self.name, %error, "what became of an order was not written down"),
        }
        resolved.unwrap_or(false)
    }
}
