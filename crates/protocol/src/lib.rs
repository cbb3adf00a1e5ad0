//! Wire types of every surface, and nothing else: no domain logic, no HTTP types. Domain types do
//! not derive `Serialize`; their twins live here.

pub mod aether;
pub mod bittrade;
pub mod desk;
pub mod socketio;
pub mod stels;

mod amount;

pub use amount::{AmountText, Rupees};
