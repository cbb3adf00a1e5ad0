//! The connector to Kraken.

mod account;
mod deposit;
mod heard;
mod http;
mod markets;
mod new_order;
mod order;
mod parse;
mod refusal;
mod sign;
mod stream;
mod trade;

pub(crate) use parse::Dialect;
pub(crate) use refusal::refusal;
