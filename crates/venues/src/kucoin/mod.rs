//! The connector to KuCoin: the spot market and the contract markets, each with a host of its own.

mod account;
mod balance;
mod heard;
mod heard_unified;
mod http;
mod market_data;
mod markets;
mod money;
mod new_order;
mod order;
mod orders;
mod params;
mod parse;
mod position;
mod refusal;
mod sign;
mod stream;

pub(crate) use parse::Dialect;
pub(crate) use refusal::refusal;
