//! Who is calling, and what they may do.
//!
//! Invariants: no I/O, no clock, no randomness, no HTTP types.

mod caller;
mod ports;
pub mod rate;
mod records;

pub use caller::{Action, Caller, Denied, Proof, Role, Scope, authorize};
pub use ports::{Created, IdentityStore, RateStore};
pub use records::{
    ApiKey, ApiKeyId, AuditEvent, AuditRecord, Email, EmailError, NewApiKey, NewUser, PasswordHash, Session, SessionId,
    User,
};
