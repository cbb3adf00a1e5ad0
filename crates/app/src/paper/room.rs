//! A market in memory, as of a version.

use std::collections::VecDeque;
use std::sync::Arc;

use orrery_venues::paper::{
    Changes, Engine, PaperFees, PaperMarket, PaperOrder, PaperState, PaperStatus, PaperTrade, Step, Stepped,
};
use orrery_venues::{ErrorClass, VenueError};

use super::{PaperExchange, error, unavailable};

/// What the ledger has to do for a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Due {
    /// Exchange what two sides held.
    Fill(PaperTrade),
    /// Give back what an order that is over did not need.
    Release(PaperOrder),
}

/// A market: what the engine has, and what the ledger does not have yet.
pub(super) struct Room {
    pub engine: Engine,
    /// The version that the engine is at.
    pub version: i64,
    /// The version up to which the ledger has everything.
    pub settled: i64,
    /// Number of the last order.
    pub orders: i64,
    /// In order; no more than what the steps since `settled` made.
    pub due: VecDeque<Due>,
}

/// Why a command was not done.
#[derive(Debug)]
pub(super) enum Fail {
    /// Another process was faster: the market is to be read again.
    Again,
    /// It was not done, and is not going to be.
    Refused(VenueError),
    /// It may have been done, or be done later.
    Unknown(VenueError),
}

impl Fail {
    /// As an answer.
    pub fn error(self) -> VenueError {
        match self {
            Self::Again => error(ErrorClass::ExchangeNotAvailable, "is busy; try again"),
            Self::Refused(error) | Self::Unknown(error) => error,
        }
    }
}

impl Fail {
    /// Of what comes after the step: the order is there, whatever its answer.
    pub fn unknown(self) -> Self {
        Self::Unknown(self.error())
    }
}

impl From<VenueError> for Fail {
    fn from(error: VenueError) -> Self {
        Self::Refused(error)
    }
}

impl Room {
    /// Of what is kept, with the orders whose fate is not known.
    pub fn of(market: Arc<PaperMarket>, fees: PaperFees, kept: PaperState) -> (Self, Vec<PaperOrder>) {
        let (pending, open) = kept.live.into_iter().partition(|order| order.status == PaperStatus::Pending);
        let released = kept.over.into_iter().filter(|order| order.released() > 0);
        let due = kept.due.into_iter().map(Due::Fill).chain(released.map(Due::Release)).collect();
        let engine = Engine::new(market, fees, open, kept.trades);
        (Self { engine, version: kept.version, settled: kept.settled, orders: kept.orders, due }, pending)
    }

    /// Whether a price may change something, or the ledger lacks something.
    pub fn has_work(&self) -> bool {
        !self.due.is_empty() || self.engine.open().next().is_some()
    }
}

impl PaperExchange {
    /// Writes down what the engine did. If that fails the market is read again by whoever comes next, for the engine is
    /// ahead of what is kept.
    pub(super) async fn commit(&self, room: &mut Option<Room>, changes: Changes) -> Result<(), Fail> {
        if changes == Changes::default() {
            return Ok(());
        }
        let Some(there) = room.as_mut() else { return Err(Fail::Again) };
        let step = Step {
            symbol: there.engine.market().symbol.clone(),
            seen: there.version,
            settled: there.settled,
            orders: changes.orders.into_values().collect(),
            trades: changes.trades,
        };
        match self.ports.store.paper_step(&step).await {
            Ok(Stepped::Done) => {
                there.version += 1;
                there.orders = step.orders.iter().map(|order| order.n).fold(there.orders, i64::max);
                let released = step.orders.into_iter().filter(|order| order.released() > 0);
                there.due.extend(step.trades.into_iter().map(Due::Fill).chain(released.map(Due::Release)));
                Ok(())
            }
            Ok(Stepped::Outdated | Stepped::NameTaken) => {
                *room = None;
                Err(Fail::Again)
            }
            Err(why) => {
                *room = None;
                Err(Fail::Unknown(unavailable(&why)))
            }
        }
    }
}
