//! The connector to Binance.

mod heard;
mod http;
mod markets;
mod new_order;
mod order;
mod parse;
mod position;
mod refusal;
mod sign;
mod stream;

pub(crate) use parse::Dialect;
pub(crate) use refusal::refusal;
