//! The connector to Coinbase Advanced.

mod account;
mod http;
mod markets;
mod new_order;
mod order;
mod parse;
mod position;
mod refusal;
mod sign;

pub(crate) use parse::Dialect;
pub(crate) use refusal::refusal;
