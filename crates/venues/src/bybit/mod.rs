//! The connector to Bybit.

mod http;
mod markets;
mod new_order;
mod parse;
mod refusal;
mod sign;
mod stream;

pub(crate) use parse::Dialect;
pub(crate) use refusal::refusal;
