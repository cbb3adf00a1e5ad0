//! Ten exchanges behind one unified interface, with CCXT's names of methods, errors and fields.
//!
//! Text stays text: numbers of an exchange are read as the digits it sent ([`json`]) and never pass through a
//! float. What the exchanges' documents say of endpoints, costs and error codes is data ([`Description`]), taken
//! from CCXT 4.5.84 (MIT; the licence lies beside the files).
//!
//! ```
//! use orrery_venues::{ErrorClass, Reply, Venue};
//!
//! let body = r#"{"code":-2013,"msg":"Order does not exist."}"#;
//! let reply = Reply { status: 400, url: "https://api.binance.com/api/v3/order", body };
//! let refused = Venue::Binance.read(&reply).err().map(|error| error.class());
//! assert_eq!(refused, Some(ErrorClass::OrderNotFound));
//! assert!(ErrorClass::OrderNotFound.is_a(ErrorClass::InvalidOrder));
//! ```

pub mod conformance;
pub mod json;
pub mod paper;
pub mod stream;
pub mod unified;

mod arguments;
mod binance;
mod bitget;
mod bybit;
mod call;
mod coinbase;
mod cost;
mod description;
mod desk;
mod dialect;
mod error;
mod exchange;
mod fields;
mod gate;
mod htx;
mod kraken;
mod kucoin;
mod limits;
mod mac;
mod methods;
mod number;
mod okx;
mod outcome;
mod permit;
mod query;
mod reply;
mod sandbox;
mod transport;
mod upbit;
mod venue;

pub use arguments::Arguments;
pub use call::{named as by_symbol, value as as_script};
pub use cost::Rate;
pub use description::{Description, Exceptions, Fees, Table, Tiers, TradingFees};
pub use desk::{Desk, Exchanges};
pub use dialect::{Context, Dialect};
pub use error::{ErrorClass, UnknownClass, VenueError};
pub use exchange::{Exchange, NewOrder, Status};
pub use fields::{Fields, Value, encoded};
pub use number::Number;
pub use outcome::{Found, Outcome};
pub use permit::{Permit, withheld};
pub use query::Page;
pub use reply::Reply;
pub use transport::{Answer, Credentials, Request, Transport, Verb};
pub use venue::{UnknownVenue, Venue};
