//! The connector to Binance.

mod markets;
mod order;
mod parse;
mod refusal;

pub(crate) use parse::Dialect;
pub(crate) use refusal::refusal;
