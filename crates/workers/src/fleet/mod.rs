//! Running workers on many nodes: one worker ([`Supervisor`]), one node ([`Node`]), where what runs ([`Place`]),
//! and the port that they share ([`FleetStore`]).

mod node;
mod patience;
mod placement;
mod schedule;
mod store;
mod supervisor;

pub use node::{Input, Node, Output, Timing};
pub use patience::Patience;
pub use placement::{Place, weight};
pub use schedule::Schedule;
pub use store::{
    Beat, FleetStore, Grant, Intended, Intent, IntentState, LeaseSeen, NodeSeen, NodeTotals, RunRecord, Settled,
    SettledSeen, Totals,
};
pub use supervisor::{Action, Counters, Event, Job, Reason, RunEnd, State, Supervisor};
