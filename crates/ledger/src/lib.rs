//! The double-entry ledger as a small deterministic machine.
//!
//! Commands go in, entries come out: [`decide`] looks at a [`View`] of the stored state and returns
//! a [`Decision`], which a [`LedgerStore`] writes all or nothing. Every amount is an integer in
//! minor units and every product is taken in `i128`.
//!
//! Invariants of this crate: no I/O, no clock, no randomness, no floating point, no serde.

mod account;
mod canon;
mod codec;
mod command;
mod decide;
mod draft;
mod entry;
mod hold;
mod loan;
mod order;
mod outcome;
mod paper;
mod plan;
mod ports;
mod rounding;
mod statement;
mod verify;

pub use account::{Account, Bucket, Owner};
pub use canon::genesis;
pub use command::{Actor, Command, IdemKey, KeyError, Limits, Operation, Side, Size, WalletStep};
pub use decide::{decide, needs, shown_to, users_of};
pub use draft::{NOT_MET, SHORT};
pub use entry::{Entry, GENESIS_TEXT, Head, Kind, LEGS_MAX, Leg, Seq, Terms};
pub use hold::{Hold, HoldStatus};
pub use loan::{LIQUIDATION_LTV_BPS, Loan, MAX_LTV_BPS, Position, TARGET_LTV_BPS, WARNING_LTV_BPS};
pub use order::{Order, OrderStatus};
pub use outcome::{Answer, Outcome, Receipt, Refusal, Sheet};
pub use paper::PaperFill;
pub use plan::{Frequency, LIVE_PLANS_MAX, NewPlan, Plan, PlanId, PlanStatus, PlanStore, Run, RunResult};
pub use ports::{
    AuditSink, Batch, Decider, Decision, IdemRow, KindTotal, LedgerStore, Needs, NewSnapshot, Page, Posted, Recorded,
    Snapshot, View,
};
pub use rounding::{NoTrade, Sides, convert};
pub use statement::{ExportError, Line, LineStatus, export_line, line, owned_change, verify_export};
pub use verify::{FAULTS_MAX, Fault, Report, Verifier};
