//! Before a run's first order: what was on its way is waited for, and what is not known of earlier orders is asked.

use std::time::Duration;

use orrery_venues::Found;
use orrery_workers::fleet::{Intent, IntentState};
use orrery_workers::script::{HostError, Level};

use super::super::{Result, WorkerHost, lost, unavailable};
use super::intent::{Meant, OnItsWay};
use super::{Seat, refused};

/// Orders that are asked for; more are asked for by later runs.
const OPEN_MAX: u32 = 1_000;
/// How old an order has to be that is not on its way any more for certain.
const SETTLED: Duration = Duration::from_secs(60);
/// Between the two times that an exchange has to say that there is no such order.
const AGAIN: Duration = Duration::from_millis(500);

impl WorkerHost {
    /// The run may have effects at exchanges: what the leader before it sent is not on its way any more.
    pub(super) async fn may_act(&self) -> Result<()> {
        let wait = self.running.right.orders_from.since(self.shared.ports.clock.now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        self.gate()
    }

    /// The run may order: also, it is known what became of every order of runs before.
    pub(super) async fn may_order(&self, seat: &Seat) -> Result<()> {
        self.may_act().await?;
        let mut reconciled = self.trading.reconciled.lock().await;
        if !*reconciled {
            self.reconcile(seat).await?;
            *reconciled = true;
        }
        self.gate()
    }

    /// Asks after open intents of this worker.
    ///
    /// Errors: those of the way to the exchange. What is not known then has to be known before another order.
    async fn reconcile(&self, seat: &Seat) -> Result<()> {
        let fleet = &self.shared.ports.fleet;
        let open = fleet.open_intents(&self.running.sid, OPEN_MAX).await.map_err(|error| unavailable(&error))?;
        let open: Vec<&Intent> = open.iter().filter(|intent| self.is_of_before(intent)).collect();
        if open.iter().any(|intent| self.is_young(intent)) {
            // a leader that gives its lease back does not wait for the answers to what it sent
            let arrived = self.begun.plus(self.shared.settings.order_window);
            tokio::time::sleep(arrived.since(self.shared.ports.clock.now())).await;
            self.gate()?;
        }
        for intent in open {
            let Ok(meant) = serde_json::from_str::<Meant>(&intent.body) else { continue };
            let Some(desk) = self.desk_of(intent, &meant, seat).await? else { continue };
            let name = &meant.client_order_id;
            let venues = &self.shared.ports.venues;
            let mut found = venues.find(&*desk.desk, name, &meant.symbol).await;
            if matches!(found, Ok(Found::Nowhere)) {
                tokio::time::sleep(AGAIN).await;
                found = venues.find(&*desk.desk, name, &meant.symbol).await;
            }
            let (state, id) = match found {
                Ok(Found::There(order)) => (IntentState::Placed, order.id),
                Ok(Found::Nowhere) => (IntentState::Refused, None),
                Err(error) => {
                    let text = format!("no order is placed until it is known what became of order {name}: {error}");
                    return Err(HostError::new(error.class().name(), text));
                }
            };
            self.gate()?;
            self.told(name, state, id.as_deref());
            let fence = self.running.right.fence.as_ref();
            let resolved = fleet.resolve(&intent.client_order_id, state, id.as_deref(), fence).await;
            if !resolved.map_err(|error| unavailable(&error))? && fence.is_some() {
                return Err(lost(&self.running));
            }
        }
        Ok(())
    }

    fn told(&self, name: &str, state: IntentState, id: Option<&str>) {
        let text = match state {
            IntentState::Placed => format!("order {name} of a run before was placed: {}", id.unwrap_or_default()),
            _ => format!("order {name} of a run before was not taken"),
        };
        self.running.log.line(&self.running.sid, Level::Info, &text);
    }

    /// Is it certain that nobody sends it any more?
    fn is_of_before(&self, intent: &Intent) -> bool {
        if OnItsWay::is(&self.shared, &intent.client_order_id) {
            return false;
        }
        // the epoch's holder is this process, which knows what it sends
        self.running.right.fence.is_some() && intent.epoch <= self.running.right.epoch() || !self.is_young(intent)
    }

    /// May it still be on its way, as far as the nodes' clocks agree?
    fn is_young(&self, intent: &Intent) -> bool {
        self.shared.ports.wall.now().since(intent.at) < SETTLED
    }

    /// The desk that an order was meant for; none if it was one by keys that are not known here.
    async fn desk_of(&self, intent: &Intent, meant: &Meant, seat: &Seat) -> Result<Option<Seat>> {
        if meant.desk == seat.name && intent.venue == seat.desk.id() {
            return Ok(Some(seat.clone()));
        }
        let (running, venues) = (&self.running, &self.shared.ports.venues);
        if let Some(name) = meant.desk.strip_prefix("paper/") {
            return self.on_paper(name).await.map(Some);
        }
        let Some(nid) = meant.desk.strip_prefix("account/") else { return Ok(None) };
        let found = venues.account_of(&running.owner, nid).await.map_err(|error| refused(&error))?;
        // one that is gone, was switched off, or is another now, is asked no more
        let Some(account) = found else { return Ok(None) };
        let there = self.of_account(account).await.ok();
        Ok(there.filter(|there| there.desk.id() == intent.venue))
    }

    /// A look at the lease in the store: for effects that are not written down first.
    pub(super) async fn holds(&self) -> Result<()> {
        let Some(fence) = &self.running.right.fence else { return Ok(()) };
        let seen = self.shared.ports.fleet.lease(&self.running.sid).await.map_err(|error| unavailable(&error))?;
        if seen.is_some_and(|seen| seen.held() && seen.lease == *fence) { Ok(()) } else { Err(lost(&self.running)) }
    }
}
