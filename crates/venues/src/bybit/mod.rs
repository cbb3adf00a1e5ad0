//! The connector to Bybit.

mod account;
mod balance;
mod data;
mod heard;
mod http;
mod markets;
mod network;
mod new_order;
mod order;
mod orders;
mod parse;
mod part;
mod position;
mod refusal;
mod sign;
mod stream;

pub(crate) use parse::Dialect;
pub(crate) use refusal::refusal;
